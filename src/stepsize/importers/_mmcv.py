"""Schedules of mmcv, before mmengine: ``lr_config`` with a policy and a warmup."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from stepsize.checks import Number
from stepsize.errors import InvalidValue
from stepsize.importers._epochs import held_through_epochs
from stepsize.importers._format import Format
from stepsize.importers._imported import Imported
from stepsize.importers._run_facts import RunFacts, as_multiple
from stepsize.importers._section import COUNT, FLOOR, LENGTH, PART, POSITIVE, Section
from stepsize.schedules import (
    Constant,
    Cosine,
    Exponential,
    Hold,
    InversePower,
    Linear,
    MultiStep,
    Polynomial,
    Schedule,
    Step,
)

__all__ = ["MMCV"]


@dataclass(frozen=True)
class _Run:
    """The scheduler's section, and the run's length in its unit."""

    section: Section
    total: int | None
    base: Number | None

    def length(self) -> int:
        if self.total is None:
            raise self.section.lacks("runner", "Add the runner's max_epochs or max_iters.")
        return self.total

    def floor(self, key: str = "min_lr") -> float:
        """A floor as a multiple of the base."""
        rate = self.section.number(key, None, FLOOR)
        if rate is None:
            return self.section.number(f"{key}_ratio", 0.0, PART)
        if rate and self.base is None:
            raise self.section.lacks("lr", f"{key} is a rate: add optimizer.lr, or give {{base}}.")
        return as_multiple(rate, self.base or 1)


def _recognises(document: Section) -> bool:
    return document.holds("lr_config.policy") or document.holds("lr_config.warmup")


def _read(document: Section, facts: RunFacts) -> Imported:
    section = document.section("lr_config")
    runner = document.section("runner")
    by_epoch = section.flag("by_epoch", not runner.has("max_iters"))
    base = facts.rate(document.section("optimizer"), "lr")
    document.section("optimizer").ignore("type", "momentum", "weight_decay", "betas")
    epochs = runner.count("max_epochs", document.count("total_epochs", None, COUNT), COUNT)
    total = epochs if by_epoch else runner.count("max_iters", facts.steps, COUNT)
    runner.ignore("type")
    policy = section.word("policy", "fixed").lower()
    if policy not in _CURVES:
        raise InvalidValue(
            document.call,
            f"lr_config.policy must be one of {', '.join(_CURVES)}",
            f"is {policy!r}",
            "Write what it does as an expression.",
        )
    body = _CURVES[policy](_Run(section, total, base))
    stride = facts.per_epoch(document, "lr_config counts") if by_epoch else 1
    schedule = held_through_epochs(body, stride)
    schedule = _warmed_up(section, schedule, stride)
    section.finish()
    return Imported(schedule, base, notes=document.rest())


def _warmed_up(section: Section, body: Schedule, stride: int) -> Schedule:
    kind = section.get("warmup")
    if kind is None or kind is False:
        section.ignore("warmup_iters", "warmup_ratio", "warmup_by_epoch")
        return body
    section.choice("warmup", "", ("linear", "constant", "exp"))
    steps = section.count("warmup_iters", 0, LENGTH)
    steps *= stride if section.flag("warmup_by_epoch", False) else 1
    ratio = section.number("warmup_ratio", 0.1, FLOOR)
    if kind == "linear":
        return Linear(steps, start=ratio, end=1) * body
    if kind == "constant":
        return (Hold(steps, ratio) >> Constant()) * body
    return (Exponential(1 / ratio, steps).until(steps) * ratio) * body


def _fixed(run: _Run) -> Schedule:
    return Constant()


def _step(run: _Run) -> Schedule:
    gamma = run.section.number("gamma", 0.1, FLOOR)
    given: Any = run.section.get("step")
    if isinstance(given, list):
        drops = dict.fromkeys(run.section.numbers("step", LENGTH), gamma)
        curve: Schedule = MultiStep(drops) if drops else Constant()
    else:
        curve = Step(run.section.required("step", POSITIVE), gamma)
    floor = run.floor()
    return curve.clip(low=floor) if floor else curve


def _exponential(run: _Run) -> Schedule:
    return Exponential(run.section.required("gamma", FLOOR))


def _polynomial(run: _Run) -> Schedule:
    return Polynomial(run.length(), run.section.number("power", 1.0), end=run.floor())


def _inverse(run: _Run) -> Schedule:
    gamma = run.section.required("gamma", POSITIVE)
    return InversePower(1 / gamma, run.section.number("power", 1.0))


def _cosine(run: _Run) -> Schedule:
    return Cosine(run.length(), end=run.floor())


def _flat_cosine(run: _Run) -> Schedule:
    total = run.length()
    start = int(total * run.section.number("start_percent", 0.75, PART))
    return Hold(start) >> Cosine(total - start, end=run.floor())


_CURVES: Final[Mapping[str, Callable[[_Run], Schedule]]] = {
    "fixed": _fixed,
    "step": _step,
    "exp": _exponential,
    "poly": _polynomial,
    "inv": _inverse,
    "cosineannealing": _cosine,
    "flatcosineannealing": _flat_cosine,
}

MMCV = Format(
    "mmcv (mmdetection 2 and its relatives)",
    "mmcv/runner/hooks/lr_updater.py, mmcv 1.7",
    ("lr_config.policy", "optimizer.lr", "runner.max_epochs", "total_epochs", "lr_config.step"),
    _recognises,
    _read,
)
