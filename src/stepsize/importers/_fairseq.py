"""Schedules of fairseq, by its YAML: ``lr_scheduler._name`` and ``optimization``."""

from collections.abc import Callable, Mapping
from typing import Any, Final, cast

from stepsize.errors import InvalidValue
from stepsize.importers._format import Format
from stepsize.importers._imported import Imported
from stepsize.importers._run_facts import RunFacts, as_multiple
from stepsize.importers._section import FLOOR, LENGTH, PART, POSITIVE, Section
from stepsize.schedules import (
    Constant,
    Cosine,
    Exponential,
    Hold,
    InverseSqrt,
    Linear,
    Polynomial,
    Schedule,
    Warmup,
    cyclic,
)

__all__ = ["FAIRSEQ"]


def _recognises(document: Section) -> bool:
    return document.holds("lr_scheduler._name") or document.holds("optimization.max_update")


class _Numbers:
    """The scheduler's section, the run's length, and the base."""

    def __init__(self, section: Section, optimization: Section, facts: RunFacts) -> None:
        self.section = section
        self.total = optimization.count("max_update", facts.steps, LENGTH)
        self.base = _rate(optimization, section, facts)
        self.warmup = section.count("warmup_updates", 0, LENGTH)

    def floor(self, key: str, default: float = 0.0) -> float:
        """A rate as a multiple of the base."""
        return as_multiple(self.section.number(key, default, FLOOR), self.base)

    def length(self) -> int:
        """The run's length, for curves that end with it."""
        if not self.total:
            raise self.section.lacks("max_update", "Add optimization.max_update, or give {steps}.")
        return self.total

    def warmed_up(self, rest: Schedule, start: float = 0) -> Schedule:
        """A warmup from ``start``, and the rest."""
        return Warmup(self.warmup, start) >> rest if self.warmup else rest


def _rate(optimization: Section, section: Section, facts: RunFacts) -> float:
    given: Any = optimization.get("lr")
    if given is None:
        given = section.get("lr")
    rates = cast(list[Any], given) if isinstance(given, list) else [given]
    given = rates[0] if rates else None
    return facts.required_rate(Section(section.call, {"lr": given}, "optimization."), "lr")


def _read(document: Section, facts: RunFacts) -> Imported:
    optimization = document.section("optimization")
    section = _scheduler(document)
    numbers = _Numbers(section, optimization, facts)
    name = section.word("_name", "fixed")
    if name not in _CURVES:
        section.choice("_name", "", tuple(_CURVES))
    schedule = _CURVES[name](numbers)
    section.ignore("_name", "lr")
    section.finish()
    optimization.ignore(
        *("update_freq", "clip_norm", "sentence_avg", "max_epoch", "stop_min_lr"),
    )
    document.section("optimizer").ignore("_name", "weight_decay", "adam_betas", "adam_eps")
    return Imported(schedule, numbers.base, notes=document.rest())


def _scheduler(document: Section) -> Section:
    """The scheduler's section, which the composite optimizer keeps in its only group."""
    given = document.get("lr_scheduler")
    if isinstance(given, str):
        document.ignore("lr_scheduler")
        groups = document.section("optimizer.groups")
        names = list(groups)
        if given != "pass_through" or len(names) != 1:
            raise InvalidValue(
                document.call,
                "there must be one lr_scheduler with its numbers",
                f"it is {given!r}, with {len(names)} groups of the optimizer",
                "Write the schedule of each group as an expression.",
            )
        group = groups.section(names[0])
        rate = group.get("lr_float")
        inside = dict(group.section("lr_scheduler"))
        return Section(document.call, {"lr": rate, **inside}, "optimizer.groups.lr_scheduler.")
    return document.section("lr_scheduler")


def _fixed(numbers: _Numbers) -> Schedule:
    numbers.section.ignore("force_anneal", "lr_shrink")
    return Warmup(numbers.warmup).skip(1) >> Constant() if numbers.warmup else Constant()


def _polynomial(numbers: _Numbers) -> Schedule:
    section = numbers.section
    total = section.number("total_num_update", None, POSITIVE) or numbers.length()
    power = section.number("power", 1.0)
    section.ignore("force_anneal")
    end = numbers.floor("end_learning_rate")
    return numbers.warmed_up(Polynomial(total - numbers.warmup, power, end=end))


def _inverse_sqrt(numbers: _Numbers) -> Schedule:
    # fairseq's default start is the peak itself where there is no warmup.
    start = (
        numbers.floor("warmup_init_lr") if numbers.section.number("warmup_init_lr", -1.0) > 0 else 0
    )
    numbers.warmup = numbers.warmup or 4_000
    return numbers.warmed_up(InverseSqrt(numbers.warmup), start)


def _cosine(numbers: _Numbers) -> Schedule:
    section = numbers.section
    given = section.number("warmup_init_lr", -1.0)
    floor = numbers.floor("min_lr")
    start = as_multiple(given, numbers.base) if given > 0 else floor
    period = section.number("lr_period_updates", None)
    stretch = section.number("t_mult", 1.0, POSITIVE)
    shrink = section.number("lr_shrink", 0.1, PART)
    if period is None or period <= 0:
        return numbers.warmed_up(Cosine(numbers.length() - numbers.warmup, end=floor), start)
    cycles = Cosine(period, end=floor).repeat(stretch=stretch, shrink=shrink)
    return numbers.warmed_up(cycles, start)


def _tri_stage(numbers: _Numbers) -> Schedule:
    section = numbers.section
    start = section.number("init_lr_scale", 0.01, PART)
    end = section.number("final_lr_scale", 0.01, PART)
    if section.has("phase_ratio"):
        shares = section.numbers("phase_ratio", PART)
        total = section.number("max_update", None, POSITIVE) or numbers.length()
        rise, held, fall = (int(total * share) for share in shares)
    else:
        rise = section.count("warmup_steps", 0, LENGTH)
        held = section.count("hold_steps", 0, LENGTH)
        fall = section.count("decay_steps", 0, LENGTH)
    section.ignore("max_update")
    decay = Exponential(end, fall).until(fall) if fall else Constant(end)
    return Linear(rise, start, 1) >> Hold(held) >> decay


def _triangular(numbers: _Numbers) -> Schedule:
    section = numbers.section
    top = section.required("max_lr", POSITIVE)
    half = section.number("lr_period_updates", 5_000, POSITIVE) / 2
    shrink = section.number("lr_shrink", 0.1, PART)
    section.flag("shrink_min", False)
    low, numbers.base = as_multiple(numbers.base, top), top
    return cyclic(half, low=low, shrink=shrink)


_CURVES: Final[Mapping[str, Callable[[_Numbers], Schedule]]] = {
    "cosine": _cosine,
    "fixed": _fixed,
    "inverse_sqrt": _inverse_sqrt,
    "polynomial_decay": _polynomial,
    "tri_stage": _tri_stage,
    "triangular": _triangular,
}

FAIRSEQ = Format(
    "fairseq",
    "fairseq/optim/lr_scheduler/, fairseq 0.12",
    (
        "lr_scheduler._name",
        "optimization.lr",
        "optimization.max_update",
        "optimizer._name",
        "task._name",
    ),
    _recognises,
    _read,
)
