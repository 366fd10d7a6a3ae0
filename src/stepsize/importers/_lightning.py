"""Schedules of Lightning's command line, by its YAML: torch's schedulers by ``class_path``."""

from collections.abc import Callable, Mapping
from typing import Any, Final, cast

from stepsize.checks import Number
from stepsize.errors import InvalidValue
from stepsize.importers._epochs import held_through_epochs
from stepsize.importers._format import Format
from stepsize.importers._imported import Imported
from stepsize.importers._run_facts import RunFacts, as_multiple
from stepsize.importers._section import COUNT, FLOOR, LENGTH, NUMBER, PART, POSITIVE, Section
from stepsize.schedules import (
    Constant,
    Cosine,
    Exponential,
    Hold,
    Linear,
    MultiStep,
    Polynomial,
    Schedule,
    Step,
)

__all__ = ["LIGHTNING"]

_SCHEDULERS: Final = ("lr_scheduler", "lr_schedulers", "model.init_args.lr_scheduler")


def _class(document: Section, path: str) -> str:
    """The class named at a path, without its module."""
    section = document.section(path)
    return section.word("class_path", "").rpartition(".")[2]


def _place(document: Section, paths: tuple[str, ...]) -> str:
    return next((path for path in paths if document.holds(f"{path}.class_path")), "")


def _recognises(document: Section) -> bool:
    if _place(document, ("optimizer", *_SCHEDULERS)):
        return True
    return document.has("trainer") and (
        document.holds("model.class_path") or document.holds("data.class_path")
    )


def _read(document: Section, facts: RunFacts) -> Imported:
    path = _place(document, _SCHEDULERS)
    optimizer = _place(document, ("optimizer", "model.init_args.optimizer")) or "optimizer"
    init = document.section(f"{optimizer}.init_args")
    base = facts.rate(init, "lr")
    document.section(optimizer).ignore("class_path")
    init.ignore("weight_decay", "momentum", "betas", "eps", "nesterov", "amsgrad")
    if not path:
        raise InvalidValue(
            document.call,
            "a schedule is asked for",
            "there is no lr_scheduler with a class_path: the rate is set in the module's own "
            "configure_optimizers",
            "Write what that does as an expression.",
        )
    name = _class(document, path)
    section = document.section(f"{path}.init_args")
    if name in ("ReduceLROnPlateau",):
        raise InvalidValue(
            document.call,
            "a schedule depends on the position alone",
            f"{name} reacts to a metric",
            "Use Policy(schedule, [Plateau(metric=...)]).",
        )
    if name not in _CURVES:
        raise InvalidValue(
            document.call,
            f"lr_scheduler.class_path must be one of torch's {', '.join(_CURVES)}",
            f"is {name!r}",
            "Write what it does as an expression.",
        )
    schedule, base = _CURVES[name](section, base)
    epochs = document.section("trainer").number("max_epochs", None, NUMBER)
    if name == "CosineAnnealingLR" and epochs and 0 < epochs <= section.required("T_max"):
        # The run is over before torch's curve would rise again.
        schedule = Cosine(section.required("T_max"), end=_floor(section, "eta_min", base))
    section.ignore("last_epoch", "verbose")
    section.finish()
    # The command line steps a scheduler once per epoch, whatever its own numbers count.
    per_epoch = facts.per_epoch(document, "Lightning's command line steps the scheduler after its")
    schedule = held_through_epochs(schedule, per_epoch)
    document.section("trainer").ignore("max_epochs", "max_steps", "accumulate_grad_batches")
    return Imported(schedule, base, notes=document.rest())


_Found = tuple[Schedule, Number | None]


def _floor(section: Section, key: str, base: Number | None) -> float:
    rate = section.number(key, 0.0, FLOOR)
    if rate and base is None:
        raise section.lacks("lr", f"{key} is a rate: add optimizer.init_args.lr, or give {{base}}.")
    return as_multiple(rate, base or 1)


def _constant(section: Section, base: Number | None) -> _Found:
    factor = section.number("factor", 1 / 3, FLOOR)
    return Hold(section.number("total_iters", 5, LENGTH), factor) >> Constant(), base


def _linear(section: Section, base: Number | None) -> _Found:
    start = section.number("start_factor", 1 / 3, FLOOR)
    end = section.number("end_factor", 1.0, FLOOR)
    return Linear(section.number("total_iters", 5, LENGTH), start, end), base


def _polynomial(section: Section, base: Number | None) -> _Found:
    power = section.number("power", 1.0)
    return Polynomial(section.number("total_iters", 5, LENGTH), power), base


def _step(section: Section, base: Number | None) -> _Found:
    every = section.required("step_size", POSITIVE)
    return Step(every, section.number("gamma", 0.1, FLOOR)), base


def _multi_step(section: Section, base: Number | None) -> _Found:
    gamma = section.number("gamma", 0.1, FLOOR)
    return MultiStep(dict.fromkeys(section.numbers("milestones", LENGTH), gamma)), base


def _exponential(section: Section, base: Number | None) -> _Found:
    return Exponential(section.required("gamma", FLOOR)), base


def _cosine(section: Section, base: Number | None) -> _Found:
    half = section.required("T_max", POSITIVE)
    floor = _floor(section, "eta_min", base)
    wave = Cosine(half, start=floor, end=1) >> Cosine(half, end=floor)
    return Cosine(half, end=floor) >> wave.repeat(), base


def _restarts(section: Section, base: Number | None) -> _Found:
    first = section.required("T_0", POSITIVE)
    stretch = section.number("T_mult", 1, POSITIVE)
    floor = _floor(section, "eta_min", base)
    return Cosine(first, end=floor).repeat(stretch=stretch), base


def _one_cycle(section: Section, base: Number | None) -> _Found:
    total = section.count("total_steps", None, COUNT)
    if total is None:
        epochs = section.required("epochs", POSITIVE)
        total = round(epochs * section.required("steps_per_epoch", POSITIVE))
    peak = section.required("max_lr", POSITIVE)
    start = 1 / section.number("div_factor", 25.0, POSITIVE)
    end = start / section.number("final_div_factor", 1e4, POSITIVE)
    up = section.number("pct_start", 0.3, PART) * total - 1
    shape = {"cos": Cosine, "linear": Linear}[
        section.choice("anneal_strategy", "cos", ("cos", "linear"))
    ]
    section.ignore("cycle_momentum", "base_momentum", "max_momentum")
    if section.flag("three_phase", False):
        rest = total - 2 - 2 * up
        return (
            cast(Any, shape)(up, start, 1)
            >> cast(Any, shape)(up, 1, start)
            >> cast(Any, shape)(rest + 1, start, end)
        ), peak
    return cast(Any, shape)(up, start, 1) >> cast(Any, shape)(total - 1 - up, 1, end), peak


_CURVES: Final[Mapping[str, Callable[[Section, Number | None], _Found]]] = {
    "ConstantLR": _constant,
    "LinearLR": _linear,
    "PolynomialLR": _polynomial,
    "StepLR": _step,
    "MultiStepLR": _multi_step,
    "ExponentialLR": _exponential,
    "CosineAnnealingLR": _cosine,
    "CosineAnnealingWarmRestarts": _restarts,
    "OneCycleLR": _one_cycle,
}

LIGHTNING = Format(
    "Lightning's command line",
    "lightning/pytorch/cli.py and torch/optim/lr_scheduler.py, Lightning 2.5",
    ("optimizer.class_path", "lr_scheduler.class_path", "trainer", "model.class_path", "data"),
    _recognises,
    _read,
)
