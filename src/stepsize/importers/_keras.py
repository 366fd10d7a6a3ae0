"""Schedules of Keras, by their configuration."""

import math
from collections.abc import Callable, Mapping
from typing import Any, Final, cast

from stepsize.checks import Number
from stepsize.errors import InvalidType, InvalidValue
from stepsize.importers._imported import Imported
from stepsize.importers._section import LENGTH, POSITIVE, RATE, Section, call_text, multiple
from stepsize.schedules import (
    Absolute,
    Constant,
    Cosine,
    Exponential,
    InversePower,
    Polynomial,
    Schedule,
    Table,
    Warmup,
)
from stepsize.schedules.fields import FACTOR

__all__ = ["from_keras"]

# Each cycle is a curve of its own, so only so many are written down.
_GROWING_CYCLES: Final = 32


def from_keras(schedule: object) -> Imported:
    """The schedule of a ``keras.optimizers.schedules`` object, or of its serialised form.

    Keras is not imported: its objects say in ``get_config()`` what they are.

    Args:
        schedule: A ``LearningRateSchedule``; or what ``keras.optimizers.schedules.serialize``
            gives, ``{"class_name": ..., "config": {...}}``; or that of an optimizer that has one.

    Returns:
        The schedule and its base: ``initial_learning_rate``, or ``warmup_target`` where there is a
        warmup. ``PiecewiseConstantDecay`` names rates and no base: its schedule is ``Absolute``.

    Raises:
        InvalidType: It is not a Keras schedule, or a value has the wrong type.
        InvalidValue: The class is unknown, or a key is unknown, missing or out of range.

    >>> from stepsize.importers import from_keras
    >>> config = {"initial_learning_rate": 0.1, "decay_steps": 1000, "alpha": 0.01}
    >>> found = from_keras({"class_name": "CosineDecay", "config": config})
    >>> found.schedule, found.base
    (Cosine(1000, end=0.01), 0.1)

    Source: ``keras/src/optimizers/schedules/learning_rate_schedule.py``, Keras 3.
    """
    call = call_text("from_keras")
    name, config = _named_config(call, schedule)
    section = Section(call, config)
    if isinstance(section.get("learning_rate"), Mapping):
        return from_keras(section["learning_rate"])
    if name not in _READERS:
        raise InvalidValue(
            call,
            f"the class must be one of Keras's schedules ({', '.join(_READERS)})",
            f"is {name[:60]!r}",
            "Write a schedule of your own as an expression, or as Function(its formula).",
        )
    section.ignore("name")  # what Keras calls the operation
    found = _READERS[name](section)
    section.finish()
    return found


def _named_config(call: str, schedule: object) -> tuple[str, object]:
    if isinstance(schedule, Mapping):
        serialized = Section(call, cast(Mapping[Any, Any], schedule))
        if not serialized.has("class_name"):
            raise serialized.lacks(
                "class_name", "Give what keras.optimizers.schedules.serialize(schedule) returns."
            )
        name = serialized.get("registered_name") or serialized["class_name"]
        module, config = serialized.get("module"), serialized.get("config")
    elif hasattr(schedule, "get_config"):
        kind = type(schedule)
        name, module = kind.__name__, kind.__module__
        config = cast(Any, schedule).get_config()
    else:
        raise InvalidType(
            call,
            "it must be a Keras schedule or its serialised form",
            f"is a {type(schedule).__name__}",
            "A function of the position is read as Function(it), a plain number is the base rate "
            "of Constant().",
        )
    if not isinstance(name, str):
        raise InvalidType(call, "class_name must be text", f"is a {type(name).__name__}")
    if isinstance(module, str) and "keras" not in module.split("."):
        # A class of the user's own may have any formula under any name.
        name = f"{module}.{name}"
    return name, config


def _exponential(section: Section) -> Imported:
    every = section.required("decay_steps", POSITIVE)
    curve: Schedule = Exponential(section.required("decay_rate"), every)
    if section.flag("staircase", False):
        curve = curve.staircase(every)
    return Imported(curve, section.required("initial_learning_rate", RATE))


def _piecewise_constant(section: Section) -> Imported:
    boundaries = section.numbers("boundaries", LENGTH)
    values = section.numbers("values")
    if len(values) != len(boundaries) + 1:
        raise InvalidValue(
            section.call,
            "there must be one value more than boundaries",
            f"there are {len(values)} and {len(boundaries)}",
        )
    if sorted(set(boundaries)) != boundaries:
        raise InvalidValue(section.call, "boundaries must ascend", f"are {boundaries!r}")
    # A value still holds at its boundary.
    ends = [math.floor(boundary) + 1 for boundary in boundaries]
    lengths = [end - start for start, end in zip([0, *ends[:-1]], ends, strict=True)]
    rows = [list(row) for row in zip([*lengths, 1], values, strict=True)]
    return Imported(Absolute(Table(rows)))


def _polynomial(section: Section) -> Imported:
    steps = section.required("decay_steps", POSITIVE)
    power = section.number("power", 1.0)
    base = section.required("initial_learning_rate", RATE)
    end = multiple(section.number("end_learning_rate", 1e-4), base)
    if not section.flag("cycle", False):
        return Imported(Polynomial(steps, power, end=end), base)
    if not isinstance(steps, int):
        raise InvalidValue(
            section.call, "with cycle, decay_steps must be a whole number", f"is {steps!r}"
        )
    # Cycle c is the end of a curve c times as long. A cycle's end belongs to it, not to the next.
    schedule: Schedule = Polynomial(steps, power, end=end).until(steps + 1)
    for cycle in range(2, _GROWING_CYCLES + 1):
        curve = Polynomial(cycle * steps, power, end=end)
        schedule = schedule >> curve.skip((cycle - 1) * steps + 1).until(steps)
    note = (
        f"Each cycle is a curve of its own: written out are the first {_GROWING_CYCLES}, "
        f"{_GROWING_CYCLES * steps:,} steps. After them the last value holds."
    )
    return Imported(schedule, base, notes=(note,))


def _inverse_time(section: Section) -> Imported:
    every = section.required("decay_steps", POSITIVE)
    rate = section.required("decay_rate", FACTOR)
    curve: Schedule = InversePower(every / rate, 1) if rate else Constant()
    if section.flag("staircase", False):
        curve = curve.staircase(every)
    return Imported(curve, section.required("initial_learning_rate", RATE))


def _cosine(section: Section) -> Imported:
    decay = Cosine(section.required("decay_steps", POSITIVE), end=section.number("alpha", 0.0))
    warmup = section.number("warmup_steps", 0, LENGTH)
    target = section.number("warmup_target", None, RATE)
    if target is None:
        notes = ("Keras ignores warmup_steps without warmup_target, so there is no warmup.",)
        base = section.required("initial_learning_rate", RATE)
        return Imported(decay, base, notes=notes if warmup else ())
    start = multiple(section.required("initial_learning_rate"), target)
    return Imported(Warmup(warmup, start) >> decay, target)


def _cosine_restarts(section: Section) -> Imported:
    steps = section.required("first_decay_steps", POSITIVE)
    stretch = section.number("t_mul", 2.0)
    shrink = section.number("m_mul", 1.0)
    floor: Number = section.number("alpha", 0.0)
    base = section.required("initial_learning_rate", RATE)
    if shrink == 1 or floor == 0:
        return Imported(Cosine(steps, end=floor).repeat(stretch=stretch, shrink=shrink), base)
    # The peaks shrink and the floor does not.
    cycles = Cosine(steps).repeat(stretch=stretch, shrink=shrink)
    return Imported(cycles * (1 - floor) + floor, base)


_READERS: Final[Mapping[str, Callable[[Section], Imported]]] = {
    "CosineDecay": _cosine,
    "CosineDecayRestarts": _cosine_restarts,
    "ExponentialDecay": _exponential,
    "InverseTimeDecay": _inverse_time,
    "PiecewiseConstantDecay": _piecewise_constant,
    "PolynomialDecay": _polynomial,
}
