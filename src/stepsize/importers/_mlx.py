"""Schedules of MLX, by ``lr_schedule`` of mlx-lm's YAML."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from stepsize.errors import InvalidValue
from stepsize.importers._format import Format
from stepsize.importers._imported import Imported
from stepsize.importers._run_facts import RunFacts, as_multiple
from stepsize.importers._section import COUNT, FLOOR, LENGTH, POSITIVE, Section
from stepsize.schedules import Constant, Cosine, Exponential, Hold, Linear, Schedule, Step, Warmup

__all__ = ["MLX"]


def _recognises(document: Section) -> bool:
    return document.holds("lr_schedule.arguments") or (
        document.has("iters") and document.has("learning_rate") and document.has("model")
    )


def _read(document: Section, facts: RunFacts) -> Imported:
    rate = document.number("learning_rate", None, FLOOR)
    document.ignore("iters", "grad_accumulation_steps", "optimizer", "optimizer_config")
    document.refuse_warmups()
    if not document.has("lr_schedule"):
        note = "There is no lr_schedule: mlx-lm leaves the rate alone."
        base = rate if facts.base is None else facts.base
        return Imported(Constant(), base, notes=(note, *document.rest()))
    section = document.section("lr_schedule")
    name = section.word("name", "")
    if name not in _CURVES:
        section.choice("name", "", tuple(_CURVES))
        raise section.lacks("name", f"It is one of {', '.join(_CURVES)}.")
    wanted, make = _CURVES[name]
    arguments = section.numbers("arguments")
    if not len(wanted) - 1 <= len(arguments) <= len(wanted):
        raise InvalidValue(
            document.call,
            f"lr_schedule.arguments of {name} are {', '.join(wanted)}",
            f"there are {len(arguments)}",
        )
    given = Section(
        document.call, dict(zip(wanted, arguments, strict=False)), "lr_schedule.arguments."
    )
    base = given.required("init", POSITIVE)
    body = make(given, base)
    steps = section.count("warmup", 0, LENGTH)
    start = as_multiple(section.number("warmup_init", 0.0, FLOOR), base)
    section.finish()
    notes = document.rest()
    if rate is not None and rate != base:
        notes = (f"mlx-lm ignores learning_rate ({rate!r}) beside lr_schedule.", *notes)
    if not steps:
        return Imported(body, base if facts.base is None else facts.base, notes=notes)
    # The schedule takes over one step after the warmup has reached its end.
    schedule = Warmup(steps, start) >> Hold(1) >> body
    return Imported(schedule, base if facts.base is None else facts.base, notes=notes)


def _cosine(given: Section, base: float) -> Schedule:
    steps = given.required("steps", POSITIVE)
    return Cosine(steps, end=as_multiple(given.number("end", 0.0, FLOOR), base))


def _linear(given: Section, base: float) -> Schedule:
    end = as_multiple(given.required("end", FLOOR), base)
    return Linear(given.required("steps", POSITIVE), end=end)


def _exponential(given: Section, base: float) -> Schedule:
    return Exponential(given.required("rate", POSITIVE))


def _step(given: Section, base: float) -> Schedule:
    return Step(given.count("every", 1, COUNT), given.required("rate", FLOOR))


_CURVES: Final[Mapping[str, tuple[tuple[str, ...], Callable[[Section, Any], Schedule]]]] = {
    "cosine_decay": (("init", "steps", "end"), _cosine),
    "linear_schedule": (("init", "end", "steps"), _linear),
    "exponential_decay": (("init", "rate"), _exponential),
    "step_decay": (("init", "rate", "every"), _step),
}

MLX = Format(
    "MLX (mlx-lm)",
    "mlx_lm/tuner/utils.py and mlx/optimizers/schedulers.py, mlx-lm 0.24",
    ("lr_schedule.name", "lr_schedule.arguments", "iters", "learning_rate", "lora_parameters"),
    _recognises,
    _read,
)
