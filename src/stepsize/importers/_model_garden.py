"""Schedules of TensorFlow's Model Garden, by ``trainer.optimizer_config`` of its YAML."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from stepsize.errors import InvalidValue
from stepsize.importers._format import Format
from stepsize.importers._imported import Imported
from stepsize.importers._run_facts import RunFacts, as_multiple
from stepsize.importers._section import FLOOR, LENGTH, POSITIVE, Section
from stepsize.schedules import (
    Constant,
    Cosine,
    Exponential,
    Hold,
    Linear,
    Polynomial,
    Power,
    Schedule,
    Table,
)

__all__ = ["MODEL_GARDEN"]

_PLACES: Final = ("trainer.optimizer_config", "optimizer_config", "optimizer")


def _place(document: Section) -> str:
    return next((place for place in _PLACES if document.holds(f"{place}.learning_rate.type")), "")


def _recognises(document: Section) -> bool:
    return bool(_place(document))


def _read(document: Section, facts: RunFacts) -> Imported:
    config = document.section(_place(document))
    rate = config.section("learning_rate")
    name = rate.word("type", "")
    if name not in _CURVES:
        rate.choice("type", "", tuple(_CURVES))
    numbers = rate.section(name)
    body, base = _CURVES[name](numbers)
    numbers.ignore("name")
    numbers.finish()
    schedule = _warmed_up(config.section("warmup"), body, base)
    config.ignore("optimizer", "ema")
    document.section("trainer").ignore("train_steps", "steps_per_loop", "validation_interval")
    notes = document.rest()
    return Imported(schedule, base if facts.base is None else facts.base, notes=notes)


def _warmed_up(warmup: Section, body: Schedule, base: float) -> Schedule:
    if not warmup.has("type"):
        return body
    name = warmup.choice("type", "linear", ("linear", "polynomial"))
    numbers = warmup.section(name)
    numbers.ignore("name")
    steps = numbers.required("warmup_steps", LENGTH)
    top = body(steps)
    if name == "linear":
        start = as_multiple(numbers.number("warmup_learning_rate", 0.0, FLOOR), base)
        rise: Schedule = Linear(steps, start, top)
    else:
        rise = Power(steps, numbers.number("power", 1.0, POSITIVE), 0, top)
    numbers.finish()
    return rise >> body.skip(steps)


_Found = tuple[Schedule, float]


def _shifted(numbers: Section, curve: Schedule) -> Schedule:
    """The curve, which begins after ``offset`` steps at its first value."""
    offset = numbers.number("offset", 0, LENGTH)
    return Hold(offset, curve(0)) >> curve if offset else curve


def _initial(numbers: Section) -> float:
    return numbers.required("initial_learning_rate", POSITIVE)


def _constant(numbers: Section) -> _Found:
    return Constant(), numbers.number("learning_rate", 0.1, POSITIVE)


def _stepwise(numbers: Section) -> _Found:
    ends = numbers.numbers("boundaries", LENGTH)
    values = numbers.numbers("values", FLOOR)
    if len(values) != len(ends) + 1:
        raise InvalidValue(
            numbers.call,
            "there must be one value more than boundaries",
            f"there are {len(values)} and {len(ends)}",
        )
    base = max(values)
    if not base:
        raise InvalidValue(numbers.call, "one of the values must be above 0")
    # A value still holds at its boundary.
    lasts = [
        end + 1 - start for start, end in zip([0, *(e + 1 for e in ends[:-1])], ends, strict=True)
    ]
    levels = [as_multiple(value, base) for value in values]
    rows = [[steps, level] for steps, level in zip(lasts, levels, strict=False)]
    return _shifted(numbers, Table([*rows, [1, levels[-1]]])), base


def _exponential(numbers: Section) -> _Found:
    every = numbers.required("decay_steps", POSITIVE)
    curve: Schedule = Exponential(numbers.required("decay_rate", FLOOR), every)
    if numbers.flag("staircase", False):
        curve = curve.staircase(every)
    return _shifted(numbers, curve), _initial(numbers)


def _polynomial(numbers: Section) -> _Found:
    base = _initial(numbers)
    end = as_multiple(numbers.number("end_learning_rate", 1e-4, FLOOR), base)
    steps = numbers.required("decay_steps", POSITIVE)
    power = numbers.number("power", 1.0)
    if numbers.flag("cycle", False):
        raise InvalidValue(numbers.call, "cycle must be false", "is true, which is not read")
    return _shifted(numbers, Polynomial(steps, power, end=end)), base


def _cosine(numbers: Section) -> _Found:
    steps = numbers.required("decay_steps", POSITIVE)
    curve = Cosine(steps, end=numbers.number("alpha", 0.0, FLOOR))
    return _shifted(numbers, curve), _initial(numbers)


_CURVES: Final[Mapping[str, Callable[[Section], Any]]] = {
    "constant": _constant,
    "stepwise": _stepwise,
    "exponential": _exponential,
    "polynomial": _polynomial,
    "cosine": _cosine,
}

MODEL_GARDEN = Format(
    "TensorFlow's Model Garden",
    "official/modeling/optimization/lr_schedule.py, 2.19",
    ("trainer.optimizer_config.learning_rate.type", "trainer.train_steps", "task", "runtime"),
    _recognises,
    _read,
)
