"""Schedules of Composer and llm-foundry, by their YAML with lengths such as ``"100ba"``."""

from collections.abc import Callable, Mapping
from typing import Any, Final, cast

from stepsize.errors import InvalidValue
from stepsize.importers._format import Format
from stepsize.importers._imported import Imported
from stepsize.importers._run_facts import RunFacts
from stepsize.importers._section import FLOOR, LENGTH, POSITIVE, Section
from stepsize.schedules import (
    Constant,
    Cosine,
    Exponential,
    Horizon,
    InverseSqrt,
    Linear,
    MultiStep,
    Polynomial,
    Schedule,
    Step,
    Warmup,
)

__all__ = ["COMPOSER"]


def _recognises(document: Section) -> bool:
    scheduler = "scheduler" if document.has("scheduler") else "schedulers"
    return document.has("max_duration") and (
        document.holds(f"{scheduler}.name") or document.holds("optimizer.lr")
    )


class _Lengths:
    """Composer's time strings in optimizer steps."""

    def __init__(self, document: Section, facts: RunFacts) -> None:
        batch = document.count("global_train_batch_size", None)
        tokens = document.count("max_seq_len", None)
        self._document = document
        self._horizon = Horizon(
            steps=facts.steps,
            steps_per_epoch=facts.steps_per_epoch,
            samples_per_step=batch,
            tokens_per_step=batch * tokens if batch and tokens else None,
        )
        duration = document["max_duration"]
        self.total = self.of("max_duration", duration)
        self._horizon = Horizon(
            steps=self.total,
            steps_per_epoch=facts.steps_per_epoch,
            samples_per_step=batch,
            tokens_per_step=batch * tokens if batch and tokens else None,
        )

    def of(self, key: str, given: object) -> float:
        """A time string in steps; a plain number counts batches, and epochs in max_duration."""
        text = str(given).replace(" ", "")
        if text.replace(".", "", 1).isdigit():
            text += "ep" if key == "max_duration" else "ba"
        try:
            return self._horizon.steps_in(text)
        except InvalidValue as error:
            raise InvalidValue(
                self._document.call, f"{key} ({given!r}): {error.rule}", error.value, error.remedy
            ) from None

    def at(self, section: Section, key: str, default: float) -> float:
        """The length under ``key``."""
        given = section.get(key)
        return default if given is None else self.of(f"{section.path}{key}", given)


def _read(document: Section, facts: RunFacts) -> Imported:
    lengths = _Lengths(document, facts)
    scheduler = document.section("scheduler" if document.has("scheduler") else "schedulers")
    optimizer = document.section("optimizer")
    base = facts.rate(optimizer, "lr")
    optimizer.ignore("name", "betas", "eps", "weight_decay")
    name = scheduler.word("name", "constant").removesuffix("_scheduler")
    if name not in _CURVES:
        scheduler.choice("name", "", tuple(_CURVES))
    for harmless in ("scale_warmup", "t_warmup"):
        scheduler.ignore(harmless)
    scale = document.number("scale_schedule_ratio", 1.0, POSITIVE)
    schedule = _CURVES[name](scheduler, lengths)
    scheduler.finish()
    if scale != 1:
        raise InvalidValue(
            document.call,
            "scale_schedule_ratio must be 1",
            f"is {scale!r}, which stretches every length",
            "Multiply the lengths yourself.",
        )
    document.refuse_warmups()
    document.ignore("global_train_batch_size", "max_seq_len", "scale_schedule_ratio")
    return Imported(schedule, base, notes=document.rest())


def _warm(section: Section, lengths: _Lengths, start: float = 0) -> tuple[Schedule, float]:
    steps = lengths.at(section, "t_warmup", 0)
    return Warmup(steps, start), steps


def _end(section: Section, lengths: _Lengths) -> float:
    return lengths.at(section, "t_max", lengths.total)


def _rest(section: Section, lengths: _Lengths, warmup: float) -> float:
    """What the warmup leaves of the schedule."""
    end = _end(section, lengths)
    if warmup > end:
        raise InvalidValue(
            section.call,
            "the warmup must be shorter than the schedule, which includes it",
            f"t_warmup is {warmup:g} steps, and the whole {end:g}",
            "Shorten scheduler.t_warmup or lengthen max_duration.",
        )
    return end - warmup


def _constant(section: Section, lengths: _Lengths) -> Schedule:
    section.ignore("t_max")
    return Constant(section.number("alpha", 1.0, FLOOR))


def _constant_with_warmup(section: Section, lengths: _Lengths) -> Schedule:
    section.ignore("t_max")
    rise, _ = _warm(section, lengths)
    curve: Schedule = rise >> Constant()
    alpha = section.number("alpha", 1.0, FLOOR)
    return curve if alpha == 1 else curve * alpha


def _linear(section: Section, lengths: _Lengths) -> Schedule:
    start = section.number("alpha_i", 1.0, FLOOR)
    return Linear(_end(section, lengths), start, section.number("alpha_f", 0.0, FLOOR))


def _linear_with_warmup(section: Section, lengths: _Lengths) -> Schedule:
    rise, steps = _warm(section, lengths)
    floor = section.number("alpha_f", 0.0, FLOOR)
    section.ignore("alpha_i")
    return rise >> Linear(_rest(section, lengths, steps), end=floor)


def _cosine(section: Section, lengths: _Lengths) -> Schedule:
    return Cosine(_end(section, lengths), end=section.number("alpha_f", 0.0, FLOOR))


def _cosine_with_warmup(section: Section, lengths: _Lengths) -> Schedule:
    rise, steps = _warm(section, lengths)
    floor = section.number("alpha_f", 0.0, FLOOR)
    return rise >> Cosine(_rest(section, lengths, steps), end=floor)


def _polynomial(section: Section, lengths: _Lengths) -> Schedule:
    power = section.number("power", 2.0)
    floor = section.number("alpha_f", 0.0, FLOOR)
    return Polynomial(_end(section, lengths), power, end=floor)


def _polynomial_with_warmup(section: Section, lengths: _Lengths) -> Schedule:
    rise, steps = _warm(section, lengths)
    power = section.number("power", 2.0)
    floor = section.number("alpha_f", 0.0, FLOOR)
    return rise >> Polynomial(_rest(section, lengths, steps), power, end=floor)


def _inverse_sqrt_with_warmup(section: Section, lengths: _Lengths) -> Schedule:
    """llm-foundry's: after the warmup 1 / sqrt((t - warmup + scale) / scale), then a cooldown."""
    rise, steps = _warm(section, lengths)
    scale = lengths.at(section, "t_scale", steps)
    cooldown = lengths.at(section, "t_cooldown", 0)
    decay_end = section.number("alpha_f_decay", 0.0, FLOOR)
    end = section.number("alpha_f_cooldown", 0.0, FLOOR)
    fall = InverseSqrt(scale)
    if decay_end:
        fall = fall * (1 - decay_end) + decay_end
    lasts = _rest(section, lengths, steps) - cooldown
    if not cooldown:
        return rise >> fall
    return rise >> fall.until(lasts) >> Linear(cooldown, fall(lasts), end)


def _step(section: Section, lengths: _Lengths) -> Schedule:
    every = lengths.of("scheduler.step_size", section["step_size"])
    return Step(every, section.number("gamma", 0.1, FLOOR))


def _multi_step(section: Section, lengths: _Lengths) -> Schedule:
    gamma = section.number("gamma", 0.1, FLOOR)
    given = section.get("milestones")
    milestones = cast(list[Any], given) if isinstance(given, list) else []
    if not milestones:
        raise section.lacks("milestones", "Add the positions of the drops.")
    rise, _ = _warm(section, lengths)
    drops = {lengths.of("scheduler.milestones", each): gamma for each in milestones}
    return rise * MultiStep(drops) if rise.length else MultiStep(drops)


def _exponential(section: Section, lengths: _Lengths) -> Schedule:
    every = lengths.at(section, "decay_period", 1)
    return Exponential(section.required("gamma", LENGTH), every)


_CURVES: Final[Mapping[str, Callable[[Section, _Lengths], Schedule]]] = {
    "constant": _constant,
    "constant_with_warmup": _constant_with_warmup,
    "linear": _linear,
    "linear_decay": _linear,
    "linear_with_warmup": _linear_with_warmup,
    "linear_decay_with_warmup": _linear_with_warmup,
    "cosine": _cosine,
    "cosine_decay": _cosine,
    "cosine_annealing": _cosine,
    "cosine_with_warmup": _cosine_with_warmup,
    "cosine_annealing_with_warmup": _cosine_with_warmup,
    "inv_sqrt_with_warmup": _inverse_sqrt_with_warmup,
    "polynomial": _polynomial,
    "polynomial_with_warmup": _polynomial_with_warmup,
    "step": _step,
    "step_decay": _step,
    "multistep": _multi_step,
    "multistep_decay": _multi_step,
    "multistep_with_warmup": _multi_step,
    "exponential": _exponential,
}

COMPOSER = Format(
    "Composer and llm-foundry",
    "composer/optim/scheduler.py, Composer 0.32; llmfoundry/optim/scheduler.py",
    ("max_duration", "scheduler.name", "scheduler.t_warmup", "scheduler.alpha_f", "optimizer.lr"),
    _recognises,
    _read,
)
