"""Schedules of PaddleDetection, by the ``LearningRate`` section of its YAML."""

from collections.abc import Callable, Mapping
from itertools import pairwise
from typing import Any, Final, cast

from stepsize.errors import InvalidValue
from stepsize.importers._format import Format
from stepsize.importers._imported import Imported
from stepsize.importers._run_facts import RunFacts, as_multiple
from stepsize.importers._section import COUNT, FLOOR, LENGTH, PART, Section
from stepsize.schedules import Cosine, Linear, Power, Schedule, Table

__all__ = ["PADDLE_DETECTION"]

Curve = Callable[[int], Schedule]


def _recognises(document: Section) -> bool:
    return document.holds("LearningRate.base_lr") or document.holds("LearningRate.schedulers")


def _read(document: Section, facts: RunFacts) -> Imported:
    section = document.section("LearningRate")
    base = facts.required_rate(section, "base_lr")
    per_epoch = facts.per_epoch(document, "PaddleDetection counts")
    given = section.get("schedulers")
    if not isinstance(given, list) or not given:
        raise section.lacks("schedulers", "Add the list of a decay and a warmup.")
    epochs = document.count("epoch", None, COUNT)
    warmup, rise, decay = 0, None, None
    uses_warmup = True
    for each in cast(list[Any], given):
        part = Section(document.call, each, "LearningRate.schedulers.")
        name = part.word("name", "")
        uses_warmup = uses_warmup and part.flag("use_warmup", True)
        if name in ("LinearWarmup", "ExpWarmup", "BurninWarmup"):
            warmup, rise = _warmup(name, part, per_epoch)
        elif name in _DECAYS:
            decay = _DECAYS[name](part, per_epoch, base, epochs)
        else:
            part.choice("name", "", ("LinearWarmup", "ExpWarmup", *_DECAYS))
            raise part.lacks("name", f"It is one of {', '.join(_DECAYS)} or LinearWarmup.")
        part.finish()
    if decay is None:
        raise section.lacks("schedulers", "There is no decay among them: add one.")
    if rise is None or not uses_warmup:
        return Imported(decay(0), base, notes=document.rest())
    return Imported(rise >> decay(warmup), base, notes=document.rest())


def _warmup(name: str, part: Section, per_epoch: int) -> tuple[int, Schedule]:
    epochs = part.number("epochs", None, LENGTH)
    steps = part.count("steps", 500 if name == "LinearWarmup" else 1000, LENGTH)
    steps = max(1, round(epochs * per_epoch) if epochs is not None else steps)
    if name == "LinearWarmup":
        return steps, Linear(steps, part.number("start_factor", 1 / 3, FLOOR), 1)
    return steps, Power(steps, part.number("power", 2 if name == "ExpWarmup" else 4), 0, 1)


def _cosine(part: Section, per_epoch: int, base: float, epochs: int | None) -> Curve:
    lasts = part.count("max_epochs", epochs or 1_000, COUNT) * per_epoch
    floor = part.number("min_lr_ratio", 0.0, PART)
    held = part.number("last_plateau_epochs", 0, LENGTH) * per_epoch
    return lambda warmup: Cosine(lasts - warmup - held, end=floor)


def _piecewise(part: Section, per_epoch: int, base: float, epochs: int | None) -> Curve:
    milestones = [each * per_epoch for each in part.numbers("milestones", LENGTH)]
    if part.has("values"):
        levels = [as_multiple(each, base) for each in part.numbers("values", FLOOR)]
    else:
        given = part.get("gamma")
        gammas = (
            part.numbers("gamma", FLOOR)
            if isinstance(given, list)
            else [part.number("gamma", 0.1, FLOOR) / 10**each for each in range(len(milestones))]
        )
        levels = [1, *gammas]
    if len(levels) != len(milestones) + 1:
        raise InvalidValue(
            part.call,
            "there must be one level more than milestones",
            f"there are {len(levels)} and {len(milestones)}",
        )

    def after(warmup: int) -> Schedule:
        edges = [warmup, *(max(warmup, each) for each in milestones)]
        rows = [
            [end - start, level]
            for (start, end), level in zip(pairwise(edges), levels, strict=False)
        ]
        return Table([*rows, [1, levels[-1]]])

    return after


_DECAYS: Final[Mapping[str, Callable[[Section, int, float, int | None], Curve]]] = {
    "CosineDecay": _cosine,
    "PiecewiseDecay": _piecewise,
}

PADDLE_DETECTION = Format(
    "PaddleDetection",
    "ppdet/optimizer/optimizer.py, PaddleDetection 2.8",
    ("LearningRate.base_lr", "LearningRate.schedulers", "OptimizerBuilder", "epoch", "_BASE_"),
    _recognises,
    _read,
)
