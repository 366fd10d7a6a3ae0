"""What every importer gives back."""

from dataclasses import dataclass

from stepsize.schedules import Absolute, Schedule

__all__ = ["Imported"]


@dataclass(frozen=True)
class Imported:
    """A schedule that was read from another tool's configuration, and what belongs beside it.

    Position 0 is the first optimizer step: conventions of the other tool (epochs, a first step 1, a
    length that includes the warmup) are already in the schedule.

    Args:
        schedule: What the other tool does to the learning rate: multiples of the base rate, or
            ``Absolute`` rates where the configuration gives rates and no base.
        base: The base rate that the configuration names; None if it names none, and then it is the
            rate of the optimizer's groups.
        momentum: What it does to the momentum (the first beta of Adam), if it says anything.
        notes: Sentences: what is different here, or could not be read and what to write instead.

    >>> from stepsize import Cosine
    >>> Imported(Cosine(100), base=0.1).schedule.values(2).round(5)
    array([1.     , 0.99975])
    """

    schedule: Schedule | Absolute
    base: float | None = None
    momentum: Schedule | Absolute | None = None
    notes: tuple[str, ...] = ()
