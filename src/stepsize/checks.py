"""The types, ranges, counts and names of arguments, with one form of message.

Every function returns the argument as plain Python data, so that NumPy's and torch's scalars are
taken everywhere alike, and nothing else gets into states and files.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from numbers import Real
from typing import Any, Final, TypeAlias, TypeVar, cast, get_args, get_type_hints

from stepsize.errors import InvalidType, InvalidValue
from stepsize.words import did_you_mean, list_text, number_text

__all__ = [
    "COUNT",
    "LARGEST",
    "MOST_STEPS",
    "RATE",
    "STEPS",
    "Number",
    "Range",
    "checked_choice",
    "checked_instance",
    "checked_name",
    "checked_number",
    "checked_numbers",
    "checked_whole_number",
    "number_ranges",
]

Number: TypeAlias = int | float
T = TypeVar("T")

LARGEST: Final = 1e30
"""The largest size of a value. Products of growing curves are held there, short of overflow."""

MOST_STEPS: Final = 2**53
"""The last position that a double counts exactly."""


@dataclass(frozen=True)
class Range:
    """The finite numbers that an argument takes, and what to write instead of one outside.

    Args:
        minimum: The smallest allowed number.
        above: The number that every allowed one exceeds.
        maximum: The largest allowed number.
        below: The number that no allowed one reaches.
        remedy: A sentence.

    >>> 0.5 in Range(above=0, below=1), 1.0 in Range(above=0, below=1)
    (True, False)
    >>> str(Range(minimum=0))
    'a finite number and at least 0'
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
        return " and ".join(["a finite number", *self._bounds()])

    def of_whole_numbers(self) -> str:
        """The range in words, for counts."""
        return " and ".join(["a whole number", *self._bounds()])

    def _bounds(self) -> list[str]:
        return [
            text
            for limit, text in (
                (self.minimum, f"at least {number_text(self.minimum)}"),
                (self.above, f"above {number_text(self.above)}"),
                (self.maximum, f"at most {number_text(self.maximum)}"),
                (self.below, f"below {number_text(self.below)}"),
            )
            if math.isfinite(limit) and limit != MOST_STEPS  # of steps, that goes without saying
        ]


STEPS: Final = Range(minimum=1, maximum=MOST_STEPS, remedy="It counts optimizer steps.")
COUNT: Final = Range(minimum=1, maximum=MOST_STEPS)
RATE: Final = Range(above=0, maximum=LARGEST, remedy="A learning rate is a number such as 3e-4.")


def checked_number(call: str, name: str, value: Any, allowed: Range) -> Number:
    """``value`` as a plain number within ``allowed``, an int where it is a whole one.

    Args:
        call: The call as typed.
        name: The argument's name.
        value: What was given.
        allowed: The range.

    Raises:
        InvalidType: It is not a number.
        InvalidValue: It is outside the range.

    >>> import numpy
    >>> checked_number("attach(...)", "steps", numpy.int64(7), STEPS)
    7
    """
    number = _double(call, name, value, str(allowed), allowed.remedy)
    if number not in allowed:
        raise _outside(call, name, str(allowed), value, allowed.remedy)
    return int(number) if number.is_integer() and abs(number) <= MOST_STEPS else number


def checked_whole_number(call: str, name: str, value: Any, allowed: Range = COUNT) -> int:
    """``value`` as an int within ``allowed``; 3.0 is 3.

    Raises:
        InvalidType: It is not a number.
        InvalidValue: It is outside the range, or has a fraction.
    """
    rule = allowed.of_whole_numbers()
    number = _double(call, name, value, rule, allowed.remedy)
    if number not in allowed or not number.is_integer():
        raise _outside(call, name, rule, value, allowed.remedy)
    return int(number)


def checked_numbers(call: str, name: str, values: Any, allowed: Range) -> list[Number]:
    """A list, array or tensor of numbers within ``allowed``, as a list.

    Raises:
        InvalidType: It is not a list of numbers.
        InvalidValue: One is outside the range.
    """
    if isinstance(values, str) or not isinstance(values, Iterable):
        raise InvalidType(
            call, f"{_placed(name)} must be a list of numbers", _found(values), allowed.remedy, name
        )
    return [checked_number(call, name, each, allowed) for each in cast(Iterable[Any], values)]


def checked_choice(call: str, name: str, value: Any, choices: Sequence[str]) -> str:
    """``value`` if it is one of ``choices``.

    Raises:
        InvalidValue: It is another.

    >>> checked_choice("Plateau(...)", "mode", "mim", ["min", "max"])
    Traceback (most recent call last):
    stepsize.errors.InvalidValue: Plateau(...): mode must be 'min' or 'max', but is 'mim'.
    """
    if not isinstance(value, str) or value not in choices:
        raise InvalidValue(
            call,
            f"{_placed(name)} must be {list_text(map(repr, choices), 'or')}",
            f"is {value!r}",
            did_you_mean(value, choices) if isinstance(value, str) and len(choices) > 3 else "",
            name,
        )
    return value


def checked_name(call: str, name: str, value: Any, what: str, example: str) -> str:
    """``value`` if it can be a name: a text that is not empty.

    Args:
        call: The call as typed.
        name: The argument's name.
        value: What was given.
        what: What it names: "the name of a metric".
        example: What one would give.

    Raises:
        InvalidType: It is not a text, or an empty one.
    """
    if not isinstance(value, str) or not value:
        raise InvalidType(
            call, f"{_placed(name)} must be {what}", f"is {value!r}", f"Example: {example}.", name
        )
    return value


def checked_instance(
    call: str, name: str, value: Any, wanted: type[T] | tuple[type[T], ...], what: str, remedy: str
) -> T:
    """``value`` if it is an instance of ``wanted``.

    Args:
        call: The call as typed.
        name: The argument's name.
        value: What was given.
        wanted: The class, or several.
        what: The class in words: "a schedule".
        remedy: What to write instead.

    Raises:
        InvalidType: It is of another class.
    """
    if not isinstance(value, wanted):
        raise InvalidType(call, f"{_placed(name)} must be {what}", _found(value), remedy, name)
    return value


@cache
def number_ranges(cls: type) -> Mapping[str, Range]:
    """The range of each field of ``cls`` that is annotated with one, by the field's name."""
    return {
        name: metadata
        for name, hint in get_type_hints(cls, include_extras=True).items()
        for part in (hint, *get_args(hint))  # the range of "Length | None" is one level down
        for metadata in getattr(part, "__metadata__", ())
        if isinstance(metadata, Range)
    }


def _double(call: str, name: str, value: Any, rule: str, remedy: str) -> float:
    if hasattr(value, "item") and getattr(value, "shape", None) == ():
        value = value.item()
    if isinstance(value, bool) or not isinstance(value, Real):
        raise InvalidType(call, f"{_placed(name)} must be {rule}", _found(value), remedy, name)
    try:
        return float(value)
    except OverflowError:  # an integer larger than any double
        return math.copysign(math.inf, cast(int, value) > 0 or -1)


def _outside(call: str, name: str, rule: str, value: Any, remedy: str) -> InvalidValue:
    return InvalidValue(call, f"{_placed(name)} must be {rule}", f"is {value!r}", remedy, name)


def _placed(name: str) -> str:
    # The command line writes its option in place of an argument's name.
    return f"{{{name}}}" if name.isidentifier() else name


def _found(value: Any) -> str:
    return f"is {value!r} ({type(value).__name__})"
