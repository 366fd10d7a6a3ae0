"""Schedules of NeMo, by its YAML: ``model.optim.sched``."""

from collections.abc import Callable, Mapping
from typing import Final

from stepsize.errors import InvalidValue
from stepsize.importers._format import Format
from stepsize.importers._imported import Imported
from stepsize.importers._run_facts import RunFacts, as_multiple
from stepsize.importers._section import LENGTH, NUMBER, PART, POSITIVE, Section
from stepsize.schedules import (
    Constant,
    Cosine,
    Exponential,
    Hold,
    InversePower,
    InverseSqrt,
    Linear,
    Polynomial,
    Power,
    Schedule,
    Step,
    Warmup,
    noam,
)

__all__ = ["NEMO"]


def _place(document: Section) -> str:
    for path in ("model.optim", "optim"):
        if document.holds(f"{path}.sched") or document.holds(f"{path}.lr"):
            return path
    return ""


def _recognises(document: Section) -> bool:
    return bool(_place(document)) and (
        document.holds(f"{_place(document)}.sched.name") or document.has("trainer")
    )


class _Schedule:
    """The numbers that every curve of NeMo has."""

    def __init__(self, section: Section, total: int, base: float) -> None:
        self.section, self.total, self.base = section, total, base
        steps = section.count("warmup_steps", None, LENGTH)
        share = section.number("warmup_ratio", None, PART)
        if steps is None:
            steps = 0 if share is None else int(share * total)
        self.warmup = steps
        self.floor = as_multiple(section.number("min_lr", 0.0, LENGTH), base)

    @property
    def rise(self) -> Schedule:
        """NeMo's warmup: from 1 / (w + 1), at the peak at position w."""
        return Warmup(self.warmup + 1).skip(1) if self.warmup else Warmup(0)

    @property
    def rest(self) -> int:
        """What the warmup leaves of the run."""
        return max(0, self.total - self.warmup)

    def hold(self) -> int:
        """The steps at the peak, from a number or a part of the run."""
        steps = self.section.count("hold_steps", None, LENGTH)
        share = self.section.number("hold_ratio", None, PART)
        if steps is None:
            return 0 if share is None else int(share * self.total)
        return steps


def _read(document: Section, facts: RunFacts) -> Imported:
    path = _place(document)
    optim = document.section(path)
    base = facts.required_rate(optim, "lr")
    optim.ignore("name", "betas", "weight_decay", "eps", "bucket_cap_mb", "overlap_grad_sync")
    if not optim.has("sched"):
        note = "There is no sched: NeMo leaves the rate alone."
        return Imported(Constant(), base, notes=(note, *document.rest()))
    sched = optim.section("sched")
    if isinstance(sched.get("args"), dict):  # NeMo 1.0 kept the numbers a level deeper
        merged = {key: value for key, value in sched.items() if key != "args"}
        sched = Section(document.call, {**merged, **sched["args"]}, sched.path)
    trainer = document.section("trainer")
    steps = sched.number("max_steps", None, NUMBER)
    total = facts.length(
        trainer,
        steps if steps is not None and steps > 0 else trainer.number("max_steps", None, NUMBER),
        _epochs(trainer),
        ("max_steps", "max_epochs"),
    )
    name = sched.word("name", "")
    if name not in _CURVES:
        sched.choice("name", "", tuple(_CURVES))
        raise sched.lacks("name", f"It is one of {', '.join(_CURVES)}.")
    schedule = _CURVES[name](_Schedule(sched, total, base))
    sched.ignore("monitor", "reduce_on_plateau", "last_epoch", "iters_per_batch")
    sched.finish()
    return Imported(schedule, base, notes=document.rest())


def _epochs(trainer: Section) -> float | None:
    epochs = trainer.number("max_epochs", None, NUMBER)
    return epochs if epochs is not None and epochs > 0 else None


def _square_root(numbers: _Schedule) -> Schedule:
    # The decay counts from 0: the rate jumps down after the warmup.
    fall = Polynomial(numbers.total, 0.5).skip(numbers.warmup + 1)
    rise = numbers.rise.until(numbers.warmup + 1)
    return rise >> (fall.clip(low=numbers.floor) if numbers.floor else fall)


def _cosine(numbers: _Schedule) -> Schedule:
    constant = numbers.section.count("constant_steps", None, LENGTH)
    share = numbers.section.number("constant_ratio", None, PART)
    if constant is None:
        constant = 0 if share is None else int(share * numbers.total)
    if not constant:
        return numbers.rise >> Cosine(numbers.rest, end=numbers.floor)
    if constant > numbers.rest:
        raise InvalidValue(
            numbers.section.call,
            "the warmup and the constant end must fit into the run",
            f"{numbers.warmup:,} + {constant:,} > {numbers.total:,} steps",
            "Give {steps}, or lengthen the run.",
        )
    # With a constant end the warmup starts at 0.
    return Warmup(numbers.warmup) >> Cosine(numbers.rest - constant, end=numbers.floor)


def _linear(numbers: _Schedule) -> Schedule:
    return numbers.rise >> Linear(numbers.rest, end=numbers.floor)


def _polynomial(numbers: _Schedule) -> Schedule:
    power = numbers.section.number("power", 1.0)
    numbers.section.flag("cycle", False)
    return numbers.rise >> Polynomial(numbers.rest, power, end=numbers.floor)


def _polynomial_hold(numbers: _Schedule) -> Schedule:
    power, hold = numbers.section.number("power", 1.0), numbers.hold()
    numbers.section.flag("cycle", False)
    rest = Polynomial(numbers.rest - hold, power, end=numbers.floor)
    return numbers.rise >> Hold(hold) >> rest


def _square(numbers: _Schedule) -> Schedule:
    fall = Polynomial(numbers.rest, 2)
    return numbers.rise >> (fall.clip(low=numbers.floor) if numbers.floor else fall)


def _noam(numbers: _Schedule) -> Schedule:
    section = numbers.section
    curve = noam(section.required("d_model"), numbers.warmup)
    first = Hold(1, curve(1)) >> curve.skip(1)
    if not numbers.floor:
        return first
    after = curve.skip(numbers.warmup).clip(low=numbers.floor)
    return first.until(numbers.warmup) >> after


def _noam_hold(numbers: _Schedule) -> Schedule:
    hold, rate = numbers.hold(), numbers.section.number("decay_rate", 0.5)
    rest = numbers.total - numbers.warmup - hold
    fall = InversePower(numbers.warmup, rate).clip(low=numbers.floor)
    after = fall.until(rest + 1) >> Constant(numbers.floor)
    return numbers.rise >> Hold(hold) >> after


def _inverse_sqrt(numbers: _Schedule) -> Schedule:
    fall = InverseSqrt(numbers.warmup + 1).until(numbers.rest + 1)
    return numbers.rise >> fall >> Constant(numbers.floor)


def _hold_linear(numbers: _Schedule) -> Schedule:
    hold = numbers.hold()
    return numbers.rise >> Hold(hold) >> Linear(numbers.rest - hold, end=numbers.floor)


def _hold_root(numbers: _Schedule) -> Schedule:
    hold = numbers.hold()
    fall = Power(numbers.rest - hold, 0.5)
    return numbers.rise >> Hold(hold) >> fall.clip(low=numbers.floor)


def _step(numbers: _Schedule) -> Schedule:
    section = numbers.section
    return Step(section.required("step_size", POSITIVE), section.number("gamma", 0.1))


def _exponential(numbers: _Schedule) -> Schedule:
    return Exponential(numbers.section.required("gamma", POSITIVE))


def _warmup_only(numbers: _Schedule) -> Schedule:
    return numbers.rise >> Constant()


_CURVES: Final[Mapping[str, Callable[[_Schedule], Schedule]]] = {
    "CosineAnnealing": _cosine,
    "WarmupAnnealing": _linear,
    "PolynomialDecayAnnealing": _polynomial,
    "PolynomialHoldDecayAnnealing": _polynomial_hold,
    "SquareAnnealing": _square,
    "SquareRootAnnealing": _square_root,
    "NoamAnnealing": _noam,
    "NoamHoldAnnealing": _noam_hold,
    "InverseSquareRootAnnealing": _inverse_sqrt,
    "WarmupHoldAnnealLinear": _hold_linear,
    "WarmupHoldAnnealOneMinusSquareRoot": _hold_root,
    "WarmupPolicy": _warmup_only,
    "StepLR": _step,
    "ExponentialLR": _exponential,
}

NEMO = Format(
    "NeMo",
    "nemo/core/optim/lr_scheduler.py, NeMo 2.5",
    ("model.optim.sched", "model.optim.lr", "trainer.max_steps", "exp_manager", "optim.sched"),
    _recognises,
    _read,
)
