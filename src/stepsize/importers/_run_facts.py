"""What the caller says of a run, where its configuration does not: rate, length, epochs."""

import math
from dataclasses import dataclass

from stepsize.checks import COUNT, RATE, Number, checked_number, checked_whole_number
from stepsize.importers._section import FLOOR, Section, multiple

__all__ = ["RunFacts", "as_multiple", "checked_facts"]


@dataclass(frozen=True)
class RunFacts:
    """What is known of a run beside its configuration.

    Args:
        base: The rate of the optimizer's groups; it wins over the configuration's.
        steps: Length of the run in optimizer steps, where the configuration does not say it.
        steps_per_epoch: Optimizer steps per epoch, where the configuration counts epochs.
    """

    base: Number | None = None
    steps: int | None = None
    steps_per_epoch: int | None = None

    def rate(self, section: Section, *keys: str) -> Number | None:
        """The base rate: the caller's, else the first of ``keys`` that is there."""
        found: Number | None = None
        for key in keys:
            value = section.number(key, None, FLOOR)
            found = value if found is None else found
        return found if self.base is None else self.base

    def required_rate(self, section: Section, *keys: str) -> Number:
        """The base rate, which must be known.

        Raises:
            InvalidValue: It is not.
        """
        rate = self.rate(section, *keys)
        if rate is None:
            raise section.lacks(keys[0], "Add it, or give {base}, the optimizer's rate.")
        return checked_number(section.call, section.path + keys[0], rate, RATE)

    def length(
        self, section: Section, steps: Number | None, epochs: Number | None, keys: tuple[str, str]
    ) -> int:
        """The run's length in steps: as the configuration says, else as the caller does.

        Args:
            section: Where the configuration says it, for the message.
            steps: The configuration's steps; None or not above 0 if it does not say any.
            epochs: Its epochs.
            keys: The names of the two.

        Raises:
            InvalidValue: Neither says it.
        """
        if steps is not None and steps > 0:
            return math.ceil(steps)
        if epochs is not None and self.steps_per_epoch is not None:
            return math.ceil(epochs * self.steps_per_epoch)
        if self.steps is not None:
            return self.steps
        asked = "{steps}, the length of the run"
        if epochs is not None:
            asked = f"{{steps_per_epoch}} ({keys[1]} is {epochs!r}), or {asked}"
        raise section.lacks(keys[0], f"Give {asked}.")

    def per_epoch(self, section: Section, why: str) -> int:
        """Optimizer steps per epoch, which must be known.

        Raises:
            InvalidValue: They are not.
        """
        if self.steps_per_epoch is None:
            raise section.lacks("steps_per_epoch", f"Give {{steps_per_epoch}}: {why} epochs.")
        return self.steps_per_epoch


def as_multiple(rate: Number, base: Number) -> float:
    """A floor as a multiple of the base rate, without a division where it is 0."""
    return multiple(rate, base) if rate else 0


def checked_facts(
    call: str, base: float | None, steps: float | None, steps_per_epoch: float | None
) -> RunFacts:
    """What the caller gave, checked.

    Raises:
        InvalidType: Something is not a number.
        InvalidValue: A number is out of range.
    """
    return RunFacts(
        None if base is None else checked_number(call, "base", base, RATE),
        None if steps is None else checked_whole_number(call, "steps", steps, COUNT),
        None
        if steps_per_epoch is None
        else checked_whole_number(call, "steps_per_epoch", steps_per_epoch, COUNT),
    )
