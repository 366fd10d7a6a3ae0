"""Reading somebody else's configuration key by key, so that none is overlooked."""

import math
import reprlib
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any, Final, TypeVar, cast

from stepsize.checks import LARGEST, Number, Range, checked_number, checked_whole_number
from stepsize.errors import InvalidType, InvalidValue

__all__ = [
    "COUNT",
    "POSITIVE",
    "RATE",
    "STEPS",
    "Section",
    "argument_name",
    "call_text",
    "multiple",
]

STEPS: Final = Range(minimum=0, maximum=2**53, remedy="It is a length, 0 if the phase is absent.")
COUNT: Final = Range(minimum=1, maximum=2**53, remedy="It counts.")
POSITIVE: Final = Range(above=0, maximum=2**53, remedy="It is a length.")
RATE: Final = Range(minimum=-LARGEST, maximum=LARGEST, remedy="Write a plain number.")

Default = TypeVar("Default", bound=float | None)

_MOST_NAMED: Final = 12

# A document may hold anything, in any amount: what is shown of it is short.
_short: Final = reprlib.Repr()
_short.maxdict = _short.maxlist = _short.maxtuple = _short.maxset = 6
_short.maxlevel = 3
_short.maxstring = _short.maxother = 60


def call_text(function: str, given: object) -> str:
    """The call as it was typed, as far as it is short."""
    return f"{function}({_short.repr(given)})"


def argument_name(option: str) -> str:
    """A command line's option as the argument that it sets: ``--min-lr`` sets min_lr."""
    return option.lstrip("-").replace("-", "_")


def multiple(rate: float, base: float) -> float:
    """A rate as a multiple of the base, in the decimals that were typed: 0.02 is 0.1 of 0.2.

    >>> multiple(0.02, 0.2), 0.02 / 0.2
    (0.1, 0.09999999999999999)
    """
    return float(Decimal(repr(rate)) / Decimal(repr(base)))


class Section(Mapping[str, Any]):
    """A mapping of a configuration that remembers which of its keys were read.

    None counts as absent: that is how argument parsers write what was not given. A number may be
    text, because YAML 1.1 reads 1e-4, without a point, as text.

    Args:
        call: The importer's call, for the messages.
        content: The mapping.

    Raises:
        InvalidType: ``content`` is no mapping, or has a key that is no text.
    """

    def __init__(self, call: str, content: object) -> None:
        if not isinstance(content, Mapping):
            raise InvalidType(
                f"{call}: a configuration must be a mapping from names to values, but is a "
                f"{type(content).__name__}. Example: {{'type': ..., 'params': {{...}}}}."
            )
        for key in cast(Mapping[Any, Any], content):
            if not isinstance(key, str):
                raise InvalidType(
                    f"{call}: the keys of a configuration must be text, but one is "
                    f"{_short.repr(key)}. Give the mapping that holds the scheduler's settings."
                )
        self.call = call
        self._content = cast(Mapping[str, Any], content)
        self._read: set[str] = set()

    def __getitem__(self, key: str) -> Any:
        self._read.add(key)
        return self._content[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._content)

    def __len__(self) -> int:
        return len(self._content)

    def has(self, key: str) -> bool:
        """Whether the key is there with a value; it does not count as read."""
        return self._content.get(key) is not None

    def number(self, key: str, default: Default, allowed: Range = RATE) -> Number | Default:
        """The number under ``key``, or ``default``."""
        given = self.get(key)
        return default if given is None else self._checked(key, given, allowed)

    def required(self, key: str, allowed: Range = RATE) -> Number:
        """The number under ``key``, which must be there."""
        if not self.has(key):
            raise self.lacks(key, f"Add it: '{key}': a number.")
        return self._checked(key, self[key], allowed)

    def count(self, key: str, default: Default, allowed: Range = COUNT) -> int | Default:
        """The whole number under ``key``, or ``default``."""
        given = self.get(key)
        if given is None:
            return default
        return checked_whole_number(self.call, key, self._number(key, given), allowed)

    def numbers(self, key: str, allowed: Range = RATE) -> list[Number]:
        """The list of numbers under ``key``, which must be there."""
        if not self.has(key):
            raise self.lacks(key, f"Add it: '{key}': a list of numbers.")
        given = self[key]
        if isinstance(given, str) or not isinstance(given, Sequence) or not given:
            raise InvalidType(
                f"{self.call}: {key} must be a list of numbers with at least one, but is "
                f"{_short.repr(given)}."
            )
        return [self._checked(f"each of {key}", each, allowed) for each in cast(Any, given)]

    def flag(self, key: str, default: bool) -> bool:
        """The truth value under ``key``, or ``default``."""
        given = self.get(key)
        if given is None:
            return default
        if not isinstance(given, bool):
            raise InvalidType(
                f"{self.call}: {key} must be true or false, but is {_short.repr(given)}."
            )
        return given

    def choice(self, key: str, default: str, choices: Sequence[str]) -> str:
        """The word under ``key``, or ``default``."""
        given = self.get(key)
        if given is None:
            return default
        if given not in choices:
            raise InvalidValue(
                f"{self.call}: {key} must be one of {', '.join(choices)}, but is "
                f"{_short.repr(given)}."
            )
        return cast(str, given)

    def lacks(self, key: str, remedy: str) -> InvalidValue:
        """The error that ``key`` is missing."""
        return InvalidValue(
            f"{self.call}: the key {key!r} is needed, but there is only {self._named(self)}. "
            f"{remedy}"
        )

    def unread(self) -> list[str]:
        """The keys that have a value and were not read, those about the rate first."""
        keys = [key for key in self._content if key not in self._read and self.has(key)]
        return sorted(keys, key=lambda key: ("lr" not in key and "learning" not in key, key))

    def finish(self) -> None:
        """Refuse keys that nobody read: each could change the curve.

        Raises:
            InvalidValue: There are some.
        """
        unread = self.unread()
        if unread:
            raise InvalidValue(
                f"{self.call}: every key must be one that is understood, but {self._named(unread)} "
                f"{'is' if len(unread) == 1 else 'are'} not. Known here: "
                f"{', '.join(sorted(self._read))}. Correct the name, or leave it out."
            )

    def rest(self) -> tuple[str, ...]:
        """A note that names the keys that nobody read; none if there are none.

        For documents that configure a whole training: most of their keys are about other things.
        """
        unread = self.unread()
        return (f"Not read: {self._named(unread)}.",) if unread else ()

    @staticmethod
    def _named(keys: Mapping[str, Any] | Sequence[str]) -> str:
        named = [_short.repr(key) for key in keys]
        more = f" and {len(named) - _MOST_NAMED} more" if len(named) > _MOST_NAMED else ""
        return (", ".join(named[:_MOST_NAMED]) or "nothing") + more

    def _checked(self, key: str, given: object, allowed: Range) -> Number:
        return checked_number(self.call, key, self._number(key, given), allowed)

    def _number(self, key: str, given: object) -> object:
        if not isinstance(given, str):
            if isinstance(given, Sequence | Mapping):
                raise InvalidType(
                    f"{self.call}: {key} must be one number, but is {_short.repr(given)}. Rates "
                    "that differ between parameter groups belong into the optimizer's groups; the "
                    "schedule multiplies them."
                )
            return given
        if given == "auto":
            raise InvalidValue(
                f"{self.call}: {key} must be a number, but is 'auto', which the Trainer fills in "
                "when it starts. Write the number that it will be."
            )
        try:
            number = float(given)
        except ValueError:
            number = math.nan
        if not math.isfinite(number):
            raise InvalidType(f"{self.call}: {key} must be a number, but is {_short.repr(given)}.")
        return number
