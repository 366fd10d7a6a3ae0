"""Schedules of GPT-NeoX, by its YAML: the warmup is a part of the decay's length."""

import math

from stepsize.errors import InvalidValue
from stepsize.importers._format import Format
from stepsize.importers._imported import Imported
from stepsize.importers._run_facts import RunFacts, as_multiple
from stepsize.importers._section import COUNT, FLOOR, PART, Section
from stepsize.schedules import Constant, Cosine, Exponential, Hold, Linear, Schedule, Warmup

__all__ = ["NEOX"]

_HALVING = -0.693  # the tool's own ln(1/2)


def _dashed(document: Section) -> Section:
    """The keys with underscores, as all but old configurations write them."""
    return Section(document.call, {key.replace("-", "_"): value for key, value in document.items()})


def _recognises(document: Section) -> bool:
    keys = _dashed(document)
    return keys.holds("optimizer.params.lr") and (
        keys.has("lr_decay_style") or keys.has("lr_decay_iters") or keys.has("train_iters")
    )


def _read(document: Section, facts: RunFacts) -> Imported:
    keys = _dashed(document)
    if keys.has("scheduler"):
        raise InvalidValue(
            document.call,
            "the scheduler must be GPT-NeoX's own",
            "there is a DeepSpeed section 'scheduler' beside it",
            "Give that section alone.",
        )
    optimizer = keys.section("optimizer.params")
    base = facts.required_rate(optimizer, "lr")
    optimizer.ignore("betas", "eps", "weight_decay")
    keys.section("optimizer").ignore("type")
    train = keys.count("train_iters", facts.steps, COUNT)
    total = keys.count("lr_decay_iters", None, COUNT)
    share = keys.number("lr_decay_fraction", None, PART)
    if total is None:
        if train is None:
            raise keys.lacks("train_iters", "Add it, or lr_decay_iters, or give {steps}.")
        total = train if share is None else math.floor(train * share)
    style = keys.choice("lr_decay_style", "linear", ("constant", "linear", "cosine", "exponential"))
    warmup = keys.number("warmup", 0.01, PART) * total
    floor = as_multiple(keys.number("min_lr", 0.0, FLOOR), base)
    schedule = _rise(warmup) >> _fall(style, total - warmup, floor)
    keys.refuse_warmups()
    keys.ignore("weight_decay", "override_lr_scheduler", "use_checkpoint_lr_scheduler")
    return Imported(schedule, base, notes=keys.rest())


def _rise(steps: float) -> Schedule:
    # The first update has the rate of the second.
    return Hold(1, 1 / steps) >> Warmup(steps).skip(1) if steps > 1 else Warmup(steps)


def _fall(style: str, steps: float, floor: float) -> Schedule:
    if style == "constant":
        return Constant()
    if style == "cosine":
        return Cosine(steps, end=floor)
    if style == "linear":
        return Linear(steps).clip(low=floor) if floor else Linear(steps)
    curve = Exponential(math.exp(_HALVING), every=steps)
    return curve.clip(low=floor) if floor else curve


NEOX = Format(
    "GPT-NeoX",
    "megatron/learning_rates.py, GPT-NeoX 2.0",
    ("optimizer.params.lr", "lr_decay_style", "train_iters", "warmup", "num_layers"),
    _recognises,
    _read,
)
