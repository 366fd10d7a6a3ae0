"""Schedules of OLMo, by its YAML: ``optimizer.learning_rate`` and ``scheduler.name``."""

from collections.abc import Callable, Mapping
from typing import Final

from stepsize.checks import checked_number
from stepsize.errors import InvalidValue
from stepsize.importers._format import Format
from stepsize.importers._imported import Imported
from stepsize.importers._run_facts import RunFacts, as_multiple
from stepsize.importers._section import FLOOR, LENGTH, PART, Section
from stepsize.schedules import Constant, Cosine, InverseSqrt, Linear, Schedule, Warmup

__all__ = ["OLMO"]

_START: Final = 0.1  # of the peak, where warmup_min_lr is not given


def _recognises(document: Section) -> bool:
    return document.holds("optimizer.learning_rate") and document.holds("scheduler.name")


def _read(document: Section, facts: RunFacts) -> Imported:
    optimizer, scheduler = document.section("optimizer"), document.section("scheduler")
    base = facts.required_rate(optimizer, "learning_rate")
    optimizer.ignore("name", "weight_decay", "betas", "eps", "decay_norm_and_bias")
    optimizer.ignore("decay_embeddings", "metrics_log_interval", "no_decay_norm_and_bias")
    in_tokens = scheduler.choice("units", "steps", ("steps", "tokens")) == "tokens"
    per_step = _tokens_per_step(document) if in_tokens else 1.0
    total = _length(scheduler, "t_max", per_step, document, facts)
    if total is None:
        total = _length(document, "max_duration", per_step, document, facts)
    warmup = _length(scheduler, "t_warmup", per_step, document, facts) or 0
    start = scheduler.number("warmup_min_lr", None, FLOOR)
    rise = Warmup(warmup, _START if start is None else as_multiple(start, base))
    floor = scheduler.number("alpha_f", 0.1, PART)
    name = scheduler.word("name", "")
    if name not in _CURVES:
        scheduler.choice("name", "", tuple(_CURVES))
    if total is None:
        raise document.lacks("max_duration", "Add it in steps, or give {steps}.")
    body = _CURVES[name](total, warmup, floor)
    scheduler.ignore("grad_clip_warmup_steps", "grad_clip_warmup_factor")
    scheduler.finish()
    document.refuse_warmups()
    document.ignore("global_train_batch_size")
    # OLMo counts its first step as 1.
    return Imported((rise >> body).skip(1), base, notes=document.rest())


def _tokens_per_step(document: Section) -> float:
    batch = document.number("global_train_batch_size", None)
    length = document.section("model").number("max_sequence_length", None)
    if batch is None or length is None:
        raise document.lacks(
            "global_train_batch_size", "With model.max_sequence_length it counts tokens per step."
        )
    return batch * length


def _length(
    section: Section, key: str, per_step: float, document: Section, facts: RunFacts
) -> float | None:
    """A number of steps, of tokens (``2e12T``) or of epochs (``1ep``) in steps."""
    given = section.get(key)
    if given is None:
        return facts.steps if key == "max_duration" else None
    text = str(given).replace("_", "").strip()
    if text.endswith("ep"):
        if facts.steps is not None:
            return facts.steps
        epochs = section.number(key, None) if not isinstance(given, str) else float(text[:-2])
        return None if epochs is None else epochs * facts.per_epoch(document, f"{key} counts")
    in_tokens = text.endswith("T")
    try:
        number = float(text.removesuffix("T"))
    except ValueError:
        raise InvalidValue(
            section.call,
            f"{section.path}{key} must be a number of steps, or of tokens such as '2e12T'",
            f"is {given!r}",
        ) from None
    number = checked_number(section.call, f"{section.path}{key}", number, LENGTH)
    return number / (_tokens_per_step(document) if in_tokens and per_step == 1 else per_step)


def _cosine(total: float, warmup: float, floor: float) -> Schedule:
    return Cosine(max(0, total - warmup), end=floor)


def _linear(total: float, warmup: float, floor: float) -> Schedule:
    return Linear(max(0, total - warmup), end=floor)


def _inverse_sqrt(total: float, warmup: float, floor: float) -> Schedule:
    return InverseSqrt(max(1, warmup))


def _constant(total: float, warmup: float, floor: float) -> Schedule:
    return Constant()


_CURVES: Final[Mapping[str, Callable[[float, float, float], Schedule]]] = {
    "cosine_with_warmup": _cosine,
    "linear_with_warmup": _linear,
    "inverse_sqrt_with_warmup": _inverse_sqrt,
    "constant": _constant,
}

OLMO = Format(
    "OLMo",
    "olmo/optim.py and olmo/train.py, OLMo 0.6",
    ("optimizer.learning_rate", "scheduler.t_warmup", "scheduler.alpha_f", "max_duration", "fsdp"),
    _recognises,
    _read,
)
