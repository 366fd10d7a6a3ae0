"""The ranges of a schedule's numbers, said once: they drive the checks, the tests and the tools."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from numbers import Real
from typing import Annotated, Any, TypeAlias, get_args, get_type_hints

from stepsize.errors import InvalidType, InvalidValue

__all__ = [
    "FACTOR",
    "LARGEST",
    "LENGTH",
    "PERIOD",
    "SHORTEST",
    "VALUE",
    "AnyNumber",
    "Factor",
    "Length",
    "Number",
    "Period",
    "Range",
    "checked_number",
    "checked_whole_number",
    "number_ranges",
]

Number: TypeAlias = int | float

LARGEST = 1e30
"""The largest size of a value. Products of growing curves are held there, short of overflow."""

SHORTEST = 1e-9
"""The shortest stretch of positions that may recur: how often it did stays a finite number."""

_EXACT_INTEGERS = 2**53


@dataclass(frozen=True)
class Range:
    """The finite numbers that a field takes, and what to write instead of one outside.

    Args:
        minimum: The smallest allowed number.
        above: The number that every allowed one exceeds.
        maximum: The largest allowed number.
        below: The number that no allowed one reaches.
        remedy: A sentence.
    """

    minimum: float = -math.inf
    above: float = -math.inf
    maximum: float = math.inf
    below: float = math.inf
    remedy: str = ""

    def __contains__(self, number: float) -> bool:
        return (
            math.isfinite(number)
            and self.minimum <= number <= self.maximum
            and self.above < number < self.below
        )

    def __str__(self) -> str:
        bounds = [
            text
            for limit, text in (
                (self.minimum, f"at least {self.minimum:g}"),
                (self.above, f"above {self.above:g}"),
                (self.maximum, f"at most {self.maximum:g}"),
                (self.below, f"below {self.below:g}"),
            )
            if math.isfinite(limit)
        ]
        return " and ".join(["a finite number", *bounds])


LENGTH = Range(minimum=0, maximum=2**53, remedy="It counts optimizer steps; 0 drops the phase.")
PERIOD = Range(minimum=SHORTEST, maximum=2**53, remedy="It counts optimizer steps.")
FACTOR = Range(minimum=0, maximum=LARGEST, remedy="0.1 divides by ten, 1 changes nothing.")
VALUE = Range(
    minimum=-LARGEST,
    maximum=LARGEST,
    remedy="Values are multiples of the base rate; 1 is the base rate itself.",
)

Length: TypeAlias = Annotated[Number, LENGTH]
Period: TypeAlias = Annotated[Number, PERIOD]
Factor: TypeAlias = Annotated[Number, FACTOR]
AnyNumber: TypeAlias = Annotated[Number, VALUE]


def checked_number(call: str, name: str, value: Any, allowed: Range) -> Number:
    """``value`` as a plain number within ``allowed``, an int where it is a whole one.

    Raises:
        InvalidType: It is no number.
        InvalidValue: It is outside the range.
    """
    if hasattr(value, "item") and getattr(value, "shape", None) == ():
        value = value.item()
    if isinstance(value, bool) or not isinstance(value, Real):
        raise InvalidType(
            f"{call}: {name} must be {allowed}, but is {value!r} ({type(value).__name__}). "
            f"{allowed.remedy}"
        )
    number = _double(value)
    if number not in allowed:
        raise InvalidValue(f"{call}: {name} must be {allowed}, but is {value!r}. {allowed.remedy}")
    return int(number) if number.is_integer() and abs(number) <= _EXACT_INTEGERS else number


def _double(value: Any) -> float:
    try:
        return float(value)
    except OverflowError:  # an integer larger than any double
        return math.inf if value > 0 else -math.inf


def checked_whole_number(call: str, name: str, value: Any, allowed: Range) -> int:
    """``value`` as an int within ``allowed``.

    Raises:
        InvalidType: It is no number.
        InvalidValue: It is outside the range, or has a fraction.
    """
    number = checked_number(call, name, value, allowed)
    if not isinstance(number, int):
        raise InvalidValue(f"{call}: {name} must be a whole number, but is {value!r}.")
    return number


@cache
def number_ranges(cls: type) -> Mapping[str, Range]:
    """The range of each annotated field of ``cls``, by the field's name."""
    return {
        name: metadata
        for name, hint in get_type_hints(cls, include_extras=True).items()
        for part in (hint, *get_args(hint))  # the range of "Length | None" is one level down
        for metadata in getattr(part, "__metadata__", ())
        if isinstance(metadata, Range)
    }
