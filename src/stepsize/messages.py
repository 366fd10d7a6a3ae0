"""What is said about a run, as a value: a template and its fields, made text in one place.

A template is a plain literal, so that tools extract it for translation by the name of the class:

    Message("The peak rate is {peak:rate}, {ratio:number 2} times the usual.", peak=3.0, ratio=30.0)

The kind of each field stands behind the colon; it says how the field is written, and which values
it takes:

    rate, number [digits]      a number: 3e-4, 5,726
    position                   steps, samples or tokens: 9,500, 12.5M
    count|singular|plural      a count with the words for one and for several: 1 group, 3 groups
    percent                    a part of 1: 23 %
    duration                   seconds: 2 h 3 min
    name, text, code           a text from outside, such as a metric's name or a schedule
    names [last]               several: a, b and c
    message                    another message, or a plain text where a user's own code gave one
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache
from numbers import Real
from string import Formatter
from types import MappingProxyType
from typing import Any, Final, TypeAlias, cast

from stepsize.errors import InvalidType, InvalidValue
from stepsize.words import (
    count_text,
    duration_text,
    list_text,
    number_text,
    percent_text,
    position_text,
)

__all__ = ["Field", "Message", "Text", "render"]

Field: TypeAlias = "float | str | tuple[str, ...] | Message | None"
Text: TypeAlias = "Message | str"
"""A message; or a plain text, where a user's own code gave one."""

_NUMBERS: Final = ("rate", "number", "position", "count", "percent", "duration")
_TEXTS: Final = ("name", "text", "code")
_KINDS: Final = (*_NUMBERS, *_TEXTS, "names", "message")


class Message:
    """A sentence about a run: what differs from run to run stands in typed fields.

    Args:
        template: A literal text with a place ``{name:kind}`` for each field.
        **fields: The fields by name: numbers, texts, sequences of texts, messages.

    Raises:
        InvalidType: A field has the wrong type for its kind.
        InvalidValue: The template is malformed, or fields and places differ.

    >>> message = Message("{n:count|update has|updates have} rate {rate:rate}.", n=3, rate=0.0003)
    >>> str(message)
    '3 updates have rate 3e-4.'
    >>> message.fields["n"]
    3
    """

    __slots__ = ("_fields", "_template")

    def __init__(self, template: str, /, **fields: Any) -> None:
        places = {name: kind for _, name, kind, _ in _parsed(template) if name}
        if places.keys() != fields.keys():
            raise InvalidValue(
                f"Message({template!r})",
                "each place has a field",
                f"the places are {list_text(sorted(places))}, the fields "
                f"{list_text(sorted(fields))}",
            )
        self._template = template
        self._fields: Mapping[str, Field] = {
            name: _checked(template, name, places[name], value) for name, value in fields.items()
        }

    @property
    def template(self) -> str:
        """The text with its places: the key under which it is translated."""
        return self._template

    @property
    def fields(self) -> Mapping[str, Field]:
        """The values by name."""
        return MappingProxyType(self._fields)

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON: ``{"template": ..., "fields": {...}}``."""
        return {
            "template": self._template,
            "fields": {
                name: value.to_dict()
                if isinstance(value, Message)
                else list(value)
                if isinstance(value, tuple)
                else value
                for name, value in self._fields.items()
            },
        }

    @classmethod
    def from_dict(cls, saved: Mapping[str, Any]) -> "Message":
        """The message that ``to_dict`` wrote.

        Raises:
            InvalidType: It is not such a dictionary.
            InvalidValue: Fields and places differ.
        """
        template, fields = saved.get("template"), saved.get("fields")
        if not isinstance(template, str) or not isinstance(fields, Mapping):
            raise InvalidType("Message.from_dict(...)", "a saved message has a template and fields")
        return cls(
            template,
            **{
                str(name): cls.from_dict(cast(Mapping[str, Any], value))
                if isinstance(value, Mapping)
                else value
                for name, value in cast(Mapping[Any, Any], fields).items()
            },
        )

    def __str__(self) -> str:
        return render(self)

    def __repr__(self) -> str:
        fields = "".join(f", {name}={value!r}" for name, value in self._fields.items())
        return f"Message({self._template!r}{fields})"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Message):
            return NotImplemented
        return repr(self) == repr(other)  # by its text NaN equals itself

    def __hash__(self) -> int:
        return hash(repr(self))

    def __reduce__(self) -> tuple[Any, ...]:
        return _restored, (self.to_dict(),)


def render(said: Text, translate: Callable[[str], str] = str) -> str:
    """The text of a message. A plain text is returned as it is.

    Args:
        said: What to say.
        translate: Gives the template in another language, such as ``gettext``'s translations do.

    >>> render(Message("The loss is {loss:number}.", loss=0.25), {
    ...     "The loss is {loss:number}.": "损失为 {loss:number}。"}.get)
    '损失为 0.25。'
    """
    if isinstance(said, str):
        return said
    return "".join(_pieces(translate(said.template), said.fields, translate))


def _restored(saved: Mapping[str, Any]) -> Message:
    return Message.from_dict(saved)


def _pieces(
    template: str, fields: Mapping[str, Field], translate: Callable[[str], str]
) -> Iterator[str]:
    for literal, name, kind, options in _parsed(template):
        yield literal
        if name:
            yield _written(kind, options, fields[name], translate)


def _written(kind: str, options: str, value: Any, translate: Callable[[str], str]) -> str:
    match kind:
        case "rate" | "number":
            return number_text(value, int(options) if options else 4)
        case "position":
            return position_text(value)
        case "count":
            return count_text(value, *options.split("|")) if options else position_text(value)
        case "percent":
            return percent_text(value)
        case "duration":
            return duration_text(value)
        case "names":
            return list_text(value, options or "and")
        case "message":
            return "" if value is None else render(value, translate)
        case _:
            return value


@lru_cache(maxsize=1024)
def _parsed(template: str) -> Sequence[tuple[str, str, str, str]]:
    """(literal, name, kind, options) for each place; name is "" behind the last."""
    parsed: list[tuple[str, str, str, str]] = []
    try:
        found = list(Formatter().parse(template))
    except ValueError as error:
        raise InvalidValue(
            f"Message({template!r})", f"a template is well formed: {error}"
        ) from None
    for literal, name, specification, _ in found:
        kind, options = _split(specification or "")
        if name is not None and (not name.isidentifier() or kind not in _KINDS):
            raise InvalidValue(
                f"Message({template!r})",
                f"a place is written {{name:kind}}, with a kind among {list_text(_KINDS)}",
                f"there is {{{name}:{specification}}}",
            )
        parsed.append((literal, name or "", kind, options))
    return parsed


def _split(specification: str) -> tuple[str, str]:
    """``"count|group|groups"`` or ``"number 2"`` as kind and options."""
    for mark in ("|", " "):
        kind, found, options = specification.partition(mark)
        if found:
            return kind, options
    return specification, ""


def _checked(template: str, name: str, kind: str, value: Any) -> Field:
    if kind in _NUMBERS:
        number = value.item() if hasattr(value, "item") else value
        if isinstance(number, Real) and not isinstance(number, bool):
            return number if isinstance(number, int) else float(number)
    elif kind in _TEXTS:
        if isinstance(value, str):
            return value
    elif kind == "names":
        if isinstance(value, Sequence) and not isinstance(value, str):
            names = tuple(cast(Sequence[Any], value))
            if all(isinstance(each, str) for each in names):
                return names
    elif value is None or isinstance(value, Message | str):
        return value
    raise InvalidType(
        f"Message({template!r})",
        f"{name} is a field of the kind {kind!r}",
        f"is {value!r}",
    )
