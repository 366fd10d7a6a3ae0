"""The one form of every recommended number: a value, how wrong it may be, why, and its source."""

from dataclasses import dataclass
from typing import Any

from stepsize.checks import RATE, checked_number
from stepsize.errors import InvalidValue
from stepsize.messages import Message, Text
from stepsize.words import number_text

__all__ = ["Estimate", "checked_estimate"]

_AS_GIVEN = Message("as given")


@dataclass(frozen=True)
class Estimate:
    """A recommended number.

    Args:
        value: The number.
        low: The right number may be as low as this.
        high: And as high as this.
        reason: The formula or the measurement behind it.
        source: Who published it.

    >>> print(Estimate(0.1, 0.05, 0.2, Message("as measured on 30 runs"), "Somebody 2024"))
    0.1 (0.05 to 0.2): as measured on 30 runs. Source: Somebody 2024.
    """

    value: float
    low: float
    high: float
    reason: Text
    source: str

    def times(
        self, factor: float, low: float, high: float, reason: Text, source: str
    ) -> "Estimate":
        """This number times a factor that lies between ``low`` and ``high``: both doubts add up."""
        return Estimate(self.value * factor, self.low * low, self.high * high, reason, source)

    def __str__(self) -> str:
        value, low, high = (number_text(number) for number in (self.value, self.low, self.high))
        return f"{value} ({low} to {high}): {self.reason}. Source: {self.source}."


def checked_estimate(call: str, rate: Any) -> Estimate:
    """A rate as an estimate; a plain number is taken as it is, without doubt.

    Raises:
        InvalidType: It is neither a number nor an estimate.
        InvalidValue: It is not above 0, or the estimate's interval is empty.
    """
    if isinstance(rate, Estimate):
        for name in ("value", "low", "high"):
            checked_number(call, f"the rate's {name}", getattr(rate, name), RATE)
        if rate.low > rate.high:
            raise InvalidValue(
                call,
                "the rate's low must not lie above its high",
                f"low={rate.low!r} and high={rate.high!r}",
                "Swap them.",
            )
        return rate
    number = checked_number(call, "rate", rate, RATE)
    return Estimate(number, number, number, _AS_GIVEN, "the caller")
