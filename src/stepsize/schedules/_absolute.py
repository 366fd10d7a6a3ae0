"""The mark that a schedule's values are rates and not multiples of the base rate."""

from dataclasses import dataclass

from stepsize.errors import InvalidType
from stepsize.schedules.algebra import Schedule
from stepsize.schedules.expression import MAX_TEXT, check_limit

__all__ = ["Absolute"]


@dataclass(frozen=True, repr=False)
class Absolute:
    """The values of ``schedule`` are the rates themselves; the groups' base rates are ignored.

    It is not a schedule but an outermost mark, taken by ``attach``, ``Policy``, ``Scheduler``,
    ``parse`` and the command line.

    Args:
        schedule: The schedule whose values are rates.

    Raises:
        InvalidType: ``schedule`` is not a schedule.
        LimitExceeded: The text with the mark is longer than ``parse`` would read.

    >>> from stepsize import Absolute, Linear
    >>> Absolute(Linear(1_000, 0.85, 0.95))
    Absolute(Linear(1000, start=0.85, end=0.95))
    """

    schedule: Schedule

    def __post_init__(self) -> None:
        if not isinstance(self.schedule, Schedule):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise InvalidType(
                f"Absolute({self.schedule!r})",
                "it marks one whole schedule",
                f"got a {type(self.schedule).__name__}",
                "Example: Absolute(Linear(1000, 3e-4, 0)).",
                "schedule",
            )
        check_limit(repr(self), len(repr(self)), MAX_TEXT, "characters")

    @property
    def text(self) -> str:
        """The mark and its schedule as text that ``parse`` reads back."""
        return f"Absolute({self.schedule.text})"

    def __repr__(self) -> str:
        return f"Absolute({self.schedule!r})"
