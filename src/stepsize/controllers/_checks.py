"""The settings of a controller: checked when it is built, and written as one would type them."""

import math
from collections.abc import Sequence
from dataclasses import MISSING, fields
from numbers import Integral, Real
from typing import Any, cast

from stepsize.errors import InvalidType, InvalidValue

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


def check_number(
    controller: Configured,
    name: str,
    remedy: str,
    *,
    minimum: float = -math.inf,
    above: float = -math.inf,
    maximum: float = math.inf,
    below: float = math.inf,
) -> None:
    """Refuse a setting that is no finite number within the bounds; make it a Python number.

    Raises:
        InvalidType: It is no number.
        InvalidValue: It is outside the bounds.
    """
    value = getattr(controller, name)
    bounds = [
        text
        for bound, text in (
            (minimum, f"at least {minimum:g}"),
            (above, f"above {above:g}"),
            (maximum, f"at most {maximum:g}"),
            (below, f"below {below:g}"),
        )
        if math.isfinite(bound)
    ]
    rule = " and ".join(["a finite number", *bounds])
    if isinstance(value, bool) or not isinstance(value, Real):
        raise InvalidType(f"{controller!r}: {name} must be {rule}, but is {value!r}. {remedy}")
    number = float(value)
    if not (math.isfinite(number) and minimum <= number <= maximum and above < number < below):
        raise InvalidValue(f"{controller!r}: {name} must be {rule}, but is {value!r}. {remedy}")
    if not isinstance(value, int):
        # NumPy's numbers would get into the memory, which has to be plain data.
        object.__setattr__(controller, name, number)


def check_count(controller: Configured, name: str, minimum: int, remedy: str) -> None:
    """Refuse a setting that is no whole number of at least ``minimum``; make it an ``int``.

    Raises:
        InvalidType: It is no whole number.
        InvalidValue: It is too small.
    """
    value = getattr(controller, name)
    rule = f"{name} must be a whole number of at least {minimum}"
    if isinstance(value, bool) or not isinstance(value, Integral):
        raise InvalidType(f"{controller!r}: {rule}, but is {value!r}. {remedy}")
    count = int(value)
    if count < minimum:
        raise InvalidValue(f"{controller!r}: {rule}, but is {value!r}. {remedy}")
    object.__setattr__(controller, name, count)


def check_choice(controller: Configured, name: str, choices: Sequence[str]) -> None:
    """Refuse a setting that is none of ``choices``.

    Raises:
        InvalidValue: It is another.
    """
    value = getattr(controller, name)
    if value not in choices:
        listed = " or ".join(map(repr, choices))
        raise InvalidValue(f"{controller!r}: {name} must be {listed}, but is {value!r}.")


def check_name(controller: Configured, name: str) -> None:
    """Refuse a setting that is no metric's name.

    Raises:
        InvalidType: It is no text, or an empty one.
    """
    value = getattr(controller, name)
    if not isinstance(value, str) or not value:
        raise InvalidType(
            f"{controller!r}: {name} must be the name of a metric, but is {value!r}. "
            f'Example: {name}="val_loss".'
        )


def check_controller(call: str, controller: object) -> None:
    """Refuse what is no controller: a class of them, a sequence of them, a schedule.

    Raises:
        InvalidType: It is none.
    """
    rule = f"{call}: controller must be a controller, but is"
    if isinstance(controller, type):
        raise InvalidType(
            f"{rule} the class {controller.__name__}. Give one that was built: "
            f"{controller.__name__}(...)."
        )
    if not (hasattr(controller, "init") and hasattr(controller, "observe")):
        raise InvalidType(
            f"{rule} {controller!r}: it needs init() and observe(state, observation). "
            "Give one such as Plateau(watches='val_loss')."
        )
