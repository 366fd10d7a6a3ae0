"""The one form of every recommended number: a value, how wrong it may be, why, and whence."""

from dataclasses import dataclass
from typing import Any

from stepsize.errors import InvalidValue
from stepsize.schedules._fields import LARGEST, Range, checked_number

__all__ = ["Estimate"]

_RATE = Range(above=0, maximum=LARGEST, remedy="A learning rate is a number such as 3e-4.")


@dataclass(frozen=True)
class Estimate:
    """A recommended number.

    Args:
        value: The number.
        low: The right number may be as low as this.
        high: And as high as this.
        reason: The formula or the measurement behind it.
        source: Who published it.

    >>> print(Estimate(0.1, 0.05, 0.2, "as measured on 30 runs", "Somebody 2024"))
    0.1 (0.05 to 0.2): as measured on 30 runs. Source: Somebody 2024.
    """

    value: float
    low: float
    high: float
    reason: str
    source: str

    def times(self, factor: float, low: float, high: float, reason: str, source: str) -> "Estimate":
        """This number times a factor that lies between ``low`` and ``high``: both doubts add up."""
        return Estimate(self.value * factor, self.low * low, self.high * high, reason, source)

    def __str__(self) -> str:
        value, low, high = (_text(number) for number in (self.value, self.low, self.high))
        return f"{value} ({low} to {high}): {self.reason}. Source: {self.source}."


def _text(number: float) -> str:
    return f"{number:,.0f}" if number >= 1000 else f"{number:.4g}"


def checked_rate(call: str, rate: Any) -> Estimate:
    """A rate as an estimate; a plain number is taken as it is, without doubt.

    Raises:
        InvalidType: It is neither a number nor an estimate.
        InvalidValue: It is not above 0, or the estimate's interval is none above 0.
    """
    if isinstance(rate, Estimate):
        for name in ("value", "low", "high"):
            checked_number(call, f"the rate's {name}", getattr(rate, name), _RATE)
        if rate.low > rate.high:
            raise InvalidValue(
                f"{call}: the rate's low must not lie above its high, but low={rate.low!r} and "
                f"high={rate.high!r}. Swap them."
            )
        return rate
    number = checked_number(call, "rate", rate, _RATE)
    return Estimate(number, number, number, "as given", "the caller")
