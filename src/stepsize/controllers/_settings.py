"""The settings of a controller: checked when it is built, and written as one would type them."""

from dataclasses import MISSING, fields
from typing import Any, cast

from stepsize.checks import (
    Range,
    checked_choice,
    checked_name,
    checked_number,
    checked_whole_number,
)
from stepsize.errors import InvalidType

__all__ = [
    "Configured",
    "check_choice",
    "check_controller",
    "check_count",
    "check_name",
    "check_number",
]


class Configured:
    """A dataclass whose text is the call that built it: what has its default is left out."""

    def __repr__(self) -> str:
        settings = [
            f"{each.name}={getattr(self, each.name)!r}"
            for each in fields(cast(Any, self))
            if each.default is MISSING or getattr(self, each.name) != each.default
        ]
        return f"{type(self).__name__}({', '.join(settings)})"


def check_number(controller: Configured, name: str, allowed: Range) -> None:
    """Refuse a setting outside the range; make it a Python number, so that memories are plain.

    Raises:
        InvalidType: It is not a number.
        InvalidValue: It is outside the range.
    """
    given = getattr(controller, name)
    number = checked_number(repr(controller), name, given, allowed)
    # A float stays one, whole or not: the setting is part of a saved state's text.
    object.__setattr__(controller, name, number if isinstance(given, int) else float(number))


def check_count(controller: Configured, name: str, allowed: Range) -> None:
    """Refuse a setting that is not a whole number in the range; make it an ``int``.

    Raises:
        InvalidType: It is not a number.
        InvalidValue: It is outside the range, or has a fraction.
    """
    count = checked_whole_number(repr(controller), name, getattr(controller, name), allowed)
    object.__setattr__(controller, name, count)


def check_choice(controller: Configured, name: str, *choices: str) -> None:
    """Refuse a setting that is not among ``choices``.

    Raises:
        InvalidValue: It is another.
    """
    checked_choice(repr(controller), name, getattr(controller, name), choices)


def check_name(controller: Configured, name: str) -> None:
    """Refuse a setting that cannot be the name of a metric.

    Raises:
        InvalidType: It is not a text, or an empty one.
    """
    value = getattr(controller, name)
    checked_name(repr(controller), name, value, "the name of a metric", f'{name}="val_loss"')


def check_controller(call: str, controller: object) -> None:
    """Refuse anything but a controller: a class of them, a sequence of them, a schedule.

    Raises:
        InvalidType: It is something else.
    """
    if isinstance(controller, type):
        raise InvalidType(
            call,
            "a controller is an object with its settings",
            f"{controller.__name__} is a class",
            f"Write {controller.__name__}(...).",
        )
    if not (hasattr(controller, "init") and hasattr(controller, "observe")):
        raise InvalidType(
            call,
            "a controller has init() and observe(state, observation)",
            f"this is {controller!r}",
            "Give one such as Plateau(metric='val_loss').",
        )
