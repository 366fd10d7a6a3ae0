"""Reading somebody else's configuration key by key, so that none is overlooked."""

import math
import re
import reprlib
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any, Final, TypeVar, cast

from stepsize.checks import (
    LARGEST,
    MOST_STEPS,
    RATE,
    Number,
    Range,
    checked_number,
    checked_whole_number,
)
from stepsize.errors import InvalidType, InvalidValue
from stepsize.importers._literals import Computed
from stepsize.words import closest

__all__ = [
    "COUNT",
    "FLOOR",
    "LENGTH",
    "NUMBER",
    "PART",
    "POSITIVE",
    "RATE",
    "Section",
    "argument_name",
    "call_text",
    "is_about_rate",
    "multiple",
    "rate_paths",
]

LENGTH: Final = Range(
    minimum=0, maximum=MOST_STEPS, remedy="It is a length, 0 if the phase is absent."
)
COUNT: Final = Range(minimum=1, maximum=MOST_STEPS, remedy="It counts.")
POSITIVE: Final = Range(above=0, maximum=MOST_STEPS, remedy="It is a length.")
FLOOR: Final = Range(minimum=0, maximum=LARGEST, remedy="A rate below 0 climbs the loss.")
PART: Final = Range(minimum=0, maximum=1, remedy="It is a part of a whole.")
NUMBER: Final = Range(minimum=-LARGEST, maximum=LARGEST, remedy="Write a plain number.")

Default = TypeVar("Default", bound=float | None)

_MOST_NAMED: Final = 8
_MOST_LEVELS: Final = 12
_ABOUT_RATE: Final = re.compile(
    r"(?:^|[^a-z])lr(?:[^a-z]|$)|learning_?rate|warm|decay|sched|cool|anneal", re.IGNORECASE
)
_SHAPES_RATE: Final = re.compile(r"warm|cooldown|anneal|restart|^(?:min_)?lr(?:_ratio)?$|min_lr")
_NOT_ABOUT_RATE: Final = re.compile(r"weight_?decay|wd|ema|decay_mult|discount", re.IGNORECASE)

_short: Final = reprlib.Repr()
_short.maxdict = _short.maxlist = _short.maxtuple = _short.maxset = 6
_short.maxlevel = 3
_short.maxstring = _short.maxother = 60


def call_text(function: str) -> str:
    """The call of an importer: what it was given may be long, and stands for itself."""
    return f"{function}({{...}})"


def argument_name(option: str) -> str:
    """A command line's option as the argument that it sets: ``--min-lr`` sets min_lr."""
    return option.lstrip("-").replace("-", "_")


def is_about_rate(key: str) -> bool:
    """Whether a key's name says that it may move the learning rate.

    >>> is_about_rate("lr_warmup_steps"), is_about_rate("min_lr_ratio"), is_about_rate("num_layers")
    (True, True, False)
    >>> is_about_rate("weight_decay")
    False
    """
    return bool(_ABOUT_RATE.search(key)) and not _NOT_ABOUT_RATE.search(key)


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
        path: Where it stands in the document: ``"optimizer."``.

    Raises:
        InvalidType: ``content`` is not a mapping, or has a key that is not text.
    """

    def __init__(self, call: str, content: object, path: str = "") -> None:
        if not isinstance(content, Mapping):
            raise InvalidType(
                call,
                f"{path.rstrip('.') or 'a configuration'} must be a mapping from names to values",
                f"is a {type(content).__name__}",
                "Example: {'type': ..., 'params': {...}}.",
            )
        for key in cast(Mapping[Any, Any], content):
            if not isinstance(key, str):
                raise InvalidType(
                    call,
                    "the keys of a configuration must be text",
                    f"one is {_short.repr(key)}",
                    "Give the mapping that holds the scheduler's settings.",
                )
        self.call = call
        self.path = path
        self._content = cast(Mapping[str, Any], content)
        self._read: set[str] = set()
        self._inside: dict[str, Section] = {}

    def __getitem__(self, key: str) -> Any:
        self._read.add(key)
        return self._content[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._content)

    def __len__(self) -> int:
        return len(self._content)

    # ---------------------------------------------------------------- what is there

    def has(self, key: str) -> bool:
        """Whether the key is there with a value; it does not count as read."""
        return self._content.get(key) is not None

    def holds(self, path: str) -> bool:
        """Whether there is a value at a path such as ``"optimizer.params.lr"``."""
        value: Any = self._content
        for key in path.split("."):
            if not isinstance(value, Mapping):
                return False
            value = cast(Mapping[str, Any], value).get(key)
        return value is not None

    def section(self, path: str) -> "Section":
        """The mapping at a path; an empty one where there is none.

        Raises:
            InvalidType: Something else than a mapping is there.
        """
        key, _, rest = path.partition(".")
        if key not in self._inside:
            content = self.get(key)
            inside = Section(self.call, {} if content is None else content, f"{self.path}{key}.")
            self._inside[key] = inside
        return self._inside[key].section(rest) if rest else self._inside[key]

    def ignore(self, *keys: str) -> None:
        """Count keys as read: they do not move the learning rate."""
        self._read.update(keys)

    # ---------------------------------------------------------------- values

    def number(self, key: str, default: Default, allowed: Range = FLOOR) -> Number | Default:
        """The number under ``key``, or ``default``."""
        given = self.get(key)
        return default if given is None else self._checked(key, given, allowed)

    def required(self, key: str, allowed: Range = FLOOR) -> Number:
        """The number under ``key``, which must be there."""
        if not self.has(key):
            raise self.lacks(key, f"Add it: '{key}': a number.")
        return self._checked(key, self[key], allowed)

    def count(self, key: str, default: Default, allowed: Range = COUNT) -> int | Default:
        """The whole number under ``key``, or ``default``."""
        given = self.get(key)
        if given is None:
            return default
        return checked_whole_number(
            self.call, self._named_key(key), self._number(key, given), allowed
        )

    def numbers(self, key: str, allowed: Range = FLOOR) -> list[Number]:
        """The list of numbers under ``key``, which must be there."""
        if not self.has(key):
            raise self.lacks(key, f"Add it: '{key}': a list of numbers.")
        given = self[key]
        if isinstance(given, str) or not isinstance(given, Sequence) or not given:
            raise InvalidType(
                self.call,
                f"{self._named_key(key)} must be a list of numbers with at least one",
                f"is {_short.repr(given)}",
            )
        return [self._checked(f"each of {key}", each, allowed) for each in cast(Any, given)]

    def flag(self, key: str, default: bool) -> bool:
        """The truth value under ``key``, or ``default``."""
        given = self.get(key)
        if given is None:
            return default
        if not isinstance(given, bool):
            raise InvalidType(
                self.call,
                f"{self._named_key(key)} must be true or false",
                f"is {_short.repr(given)}",
            )
        return given

    def word(self, key: str, default: str) -> str:
        """The text under ``key``, or ``default``."""
        given = self.get(key)
        if given is None:
            return default
        if not isinstance(given, str) or isinstance(given, Computed):
            raise self._refused(key, given, "a name")
        return given

    def choice(self, key: str, default: str, choices: Sequence[str]) -> str:
        """The word under ``key``, or ``default``."""
        given = self.get(key)
        if given is None:
            return default
        if given not in choices:
            found = closest(given, choices) if isinstance(given, str) else None
            raise InvalidValue(
                self.call,
                f"{self._named_key(key)} must be one of {', '.join(choices)}",
                f"is {_short.repr(given)}",
                f"The nearest is {found!r}." if found else "",
            )
        return cast(str, given)

    def lacks(self, key: str, remedy: str) -> InvalidValue:
        """The error that ``key`` is missing."""
        return InvalidValue(
            self.call,
            f"the key {key!r} is needed{self._where()}",
            f"there is only {_listed(list(self))}" if self else "there is nothing",
            remedy,
        )

    # ---------------------------------------------------------------- what was not read

    def unread(self) -> list[str]:
        """The paths that have a value and were not read, those about the rate first."""
        keys: list[str] = []
        for key in self._content:
            if key in self._inside:
                keys += self._inside[key].unread()
            elif key not in self._read and self.has(key):
                inside = list(rate_paths(self._content[key], f"{self.path}{key}."))
                keys += inside or [f"{self.path}{key}"]
        return sorted(keys, key=lambda key: (not is_about_rate(key.rpartition(".")[2]), key))

    def finish(self) -> None:
        """Refuse keys that were not read: each could change the curve.

        Raises:
            InvalidValue: There are some.
        """
        unread = self.unread()
        if unread:
            known = sorted(self._read - set(self._inside)) or ["nothing"]
            raise InvalidValue(
                self.call,
                "every key must be one that is understood",
                f"{_listed(unread)} {'is' if len(unread) == 1 else 'are'} not",
                f"Known here: {', '.join(known)}. Correct the name, or leave it out.",
            )

    def refuse_warmups(self) -> None:
        """Refuse keys about the rate that stand beside the known ones: a relative's, most likely.

        Raises:
            InvalidValue: There are some.
        """
        unread = [
            key
            for key in self._content
            if key not in self._read
            and key not in self._inside
            and self.has(key)
            and _SHAPES_RATE.search(key)
        ]
        if unread:
            raise InvalidValue(
                self.call,
                "every key that shapes the rate must be one that is understood",
                f"{_listed(unread)} {'is' if len(unread) == 1 else 'are'} not",
                "Leave it out, or write the schedule as an expression.",
            )

    def rest(self) -> tuple[str, ...]:
        """Notes that name the keys that were not read, those about the rate apart and first.

        For documents that configure a whole training: most of their keys are about other things.
        """
        unread = self.unread()
        about_rate = [key for key in unread if is_about_rate(key.rpartition(".")[2])]
        others = unread[len(about_rate) :]
        notes = [f"Not read, and possibly about the rate: {_listed(about_rate)}."] * bool(
            about_rate
        )
        return (*notes, *([f"Not read: {_listed(others)}."] if others else ()))

    def _where(self) -> str:
        return f" in {self.path.rstrip('.')}" if self.path else ""

    def _named_key(self, key: str) -> str:
        return f"{self.path}{key}"

    def _checked(self, key: str, given: object, allowed: Range) -> Number:
        return checked_number(self.call, self._named_key(key), self._number(key, given), allowed)

    def _refused(self, key: str, given: object, wanted: str) -> InvalidValue | InvalidType:
        if isinstance(given, Computed):
            return InvalidValue(
                self.call,
                f"{self._named_key(key)} must be written out",
                f"is computed: {given[:80]}",
                "Nothing in a configuration is run. Write the value.",
            )
        return InvalidType(
            self.call, f"{self._named_key(key)} must be {wanted}", f"is {_short.repr(given)}"
        )

    def _number(self, key: str, given: object) -> object:
        if not isinstance(given, str):
            if isinstance(given, Sequence | Mapping):
                raise InvalidType(
                    self.call,
                    f"{self._named_key(key)} must be one number",
                    f"is {_short.repr(given)}",
                    "Rates that differ between parameter groups belong into the optimizer's "
                    "groups; the schedule multiplies them.",
                )
            return given
        if isinstance(given, Computed):
            raise self._refused(key, given, "a number")
        if given == "auto":
            raise InvalidValue(
                self.call,
                f"{self._named_key(key)} must be a number",
                "is 'auto', which the Trainer fills in when it starts",
                "Give {base} and {steps}, or write the number that it will be.",
            )
        try:
            number = float(given.replace("_", ""))
        except ValueError:
            number = math.nan
        if not math.isfinite(number):
            raise self._refused(key, given, "a number")
        return number


def _listed(keys: Sequence[str]) -> str:
    named = [_short.repr(key) for key in keys[:_MOST_NAMED]]
    if len(keys) > _MOST_NAMED:
        return f"{', '.join(named)} and {len(keys) - _MOST_NAMED} more"
    return ", ".join(named) or "nothing"


def rate_paths(content: object, path: str = "", level: int = 0) -> Iterator[str]:
    """The paths inside something whose names are about the rate."""
    if level == _MOST_LEVELS:
        return
    if isinstance(content, Mapping):
        for key, value in cast(Mapping[Any, Any], content).items():
            if value is None:
                continue
            if isinstance(value, Mapping | list):
                found = list(rate_paths(cast(object, value), f"{path}{key}.", level + 1))
                if found:
                    yield from found
                    continue
            if is_about_rate(str(key)):
                yield f"{path}{key}"
    elif isinstance(content, list):
        for value in cast(list[Any], content)[:_MOST_NAMED]:
            yield from rate_paths(value, path, level + 1)
