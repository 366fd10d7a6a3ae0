"""Schedules of Megatron, by the arguments of its training script."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from stepsize.checks import Number, Range
from stepsize.errors import InvalidValue
from stepsize.importers._imported import Imported
from stepsize.importers._section import (
    COUNT,
    LENGTH,
    RATE,
    Section,
    argument_name,
    call_text,
    multiple,
)
from stepsize.schedules import (
    Constant,
    Cosine,
    Exponential,
    Hold,
    InverseSqrt,
    Linear,
    Power,
    Schedule,
)

__all__ = ["from_megatron"]

_FRACTION: Final = Range(minimum=0, maximum=1, remedy="It is a part of the decay's length.")
_STYLES: Final = ("constant", "linear", "cosine", "inverse-square-root", "WSD")
# Megatron Bridge and NeMo keep the same settings in sections.
_NESTED: Final = ("optimizer", "scheduler", "train")


def from_megatron(arguments: Mapping[str, Any]) -> Imported:
    """The schedule that Megatron's training arguments describe.

    The lengths are those of the arguments: ``lr_decay_iters`` counts from the start of training and
    includes the warmup. With lengths in samples, ``global_batch_size`` turns them into steps.

    Args:
        arguments: The training arguments by name, ``lr_decay_style``, ``lr-decay-style`` or
            ``--lr-decay-style``: from the command line, a YAML file or ``vars(args)``; also in the
            sections ``optimizer``, ``scheduler`` and ``train`` of Megatron Bridge.

    Returns:
        The schedule in multiples of ``lr``.

    Raises:
        InvalidType: ``arguments`` is not a mapping, or a value has the wrong type.
        InvalidValue: An argument is missing, out of range, or contradicts another one.

    >>> from stepsize.importers import from_megatron
    >>> arguments = {"lr": 3e-4, "min-lr": 3e-5, "train-iters": 10_000, "lr-warmup-iters": 500}
    >>> from_megatron({**arguments, "lr-decay-style": "cosine"}).schedule
    Linear(500, start=0, end=1) >> Cosine(9500, end=0.1)

    Source: ``megatron/core/optimizer_param_scheduler.py``, Megatron Core 0.16.
    """
    call = call_text("from_megatron")
    section = Section(call, _flat(call, arguments))
    base = section.required("lr", RATE)
    floor = multiple(section.number("min_lr", 0.0), base)
    style = section.choice("lr_decay_style", "linear", _STYLES)
    total, warmup, decay = _lengths(section)
    if not warmup < total:
        raise InvalidValue(
            call,
            "the warmup must be shorter than the decay's length, which includes it",
            f"{warmup:g} >= {total:g} steps",
            "Shorten the warmup or lengthen the decay.",
        )
    if style == "inverse-square-root":
        rest = _inverse_sqrt(section, warmup, total, floor)
    elif style == "constant":
        rest = Constant()
    elif style == "WSD":
        rest = _stable_decay(section, total - warmup, decay, floor)
    else:
        rest = _SHAPES[style](total - warmup, floor)
    start = multiple(section.number("lr_warmup_init", 0.0), base)
    for known in ("lr_wsd_decay_style", "global_batch_size", "weight_decay"):
        section.get(known)
    notes = _weight_decay(section) + section.rest()
    return Imported(Linear(warmup, start, 1) >> rest, base, notes=notes)


def _flat(call: str, arguments: object) -> dict[str, Any]:
    given = Section(call, arguments)
    flat: dict[str, Any] = {}
    for key in given:
        inside = Section(call, given[key]) if key in _NESTED else {key: given[key]}
        flat |= {argument_name(name): value for name, value in inside.items()}
    return flat


def _lengths(section: Section) -> tuple[Number, Number, Number | None]:
    """The whole, the warmup and WSD's decay, in steps."""
    in_samples = section.has("train_samples")
    counted, per_step = ("samples", _batch(section)) if in_samples else ("iters", 1)

    def steps(name: str) -> Number | None:
        number = section.number(f"{name}_{counted}", None, LENGTH)
        return None if number is None else number / per_step if per_step > 1 else number

    train, whole = steps("train"), steps("lr_decay")
    total = train if whole is None else whole
    if total is None:
        raise section.lacks("train_iters", "Add it, or lr_decay_iters, or train_samples.")
    fraction = section.number("lr_warmup_fraction", None, _FRACTION)
    warmup = steps("lr_warmup") or 0
    if fraction is not None:
        if warmup:
            raise InvalidValue(
                section.call,
                "the warmup must be given once",
                f"lr_warmup_fraction and lr_warmup_{counted} are both there",
                "Leave one out.",
            )
        warmup = fraction * total
    return total, warmup, steps("lr_wsd_decay")


def _batch(section: Section) -> int:
    if section.has("rampup_batch_size"):
        raise InvalidValue(
            section.call,
            "samples become steps by one batch size",
            "rampup_batch_size changes it",
            "Write the schedule with its lengths in samples, and give attach a clock that counts "
            "samples: attach(optimizer, schedule, clock=...).",
        )
    batch = section.count("global_batch_size", None, COUNT)
    if batch is None:
        raise section.lacks("global_batch_size", "Lengths in samples need it.")
    return batch


def _inverse_sqrt(section: Section, warmup: Number, total: Number, floor: float) -> Schedule:
    if warmup:
        decay: Schedule = InverseSqrt(warmup)
        rest = total - warmup
    else:
        # Megatron then counts the samples: sqrt(1 / samples), and the peak at none.
        decay = InverseSqrt(1) * _batch(section) ** -0.5
        decay, rest = Hold(1) >> decay, total
    # Past the end of the decay Megatron drops to the floor.
    return decay.clip(low=floor).until(rest + 1) >> Constant(floor)


def _stable_decay(section: Section, rest: Number, decay: Number | None, floor: float) -> Schedule:
    if decay is None:
        raise section.lacks("lr_wsd_decay_iters", "WSD needs the length of its decay.")
    if not 0 < decay <= rest:
        raise InvalidValue(
            section.call,
            "WSD's decay must fit between the warmup and the end",
            f"lasts {decay:g} of {rest:g} steps",
        )
    shape = section.choice("lr_wsd_decay_style", "exponential", list(_SHAPES))
    return Hold(rest - decay) >> _SHAPES[shape](decay, floor)


def _weight_decay(section: Section) -> tuple[str, ...]:
    start = section.number("start_weight_decay", None)
    end = section.number("end_weight_decay", None)
    style = section.get("weight_decay_incr_style")
    if start is None or end is None or start == end:
        return ()
    shape = "Cosine" if style == "cosine" else "Linear"
    return (
        f"The weight decay goes from {start!r} to {end!r}: attach(optimizer, lr=schedule, "
        f"weight_decay=Absolute({shape}(steps, {start!r}, {end!r}))).",
    )


def _halving(steps: float, end: float) -> Schedule:
    """From 1 to ``end`` as 2 · 0.5^u - 1 falls."""
    return Exponential(0.5, every=steps).until(steps) * (2 * (1 - end)) + (2 * end - 1)


_SHAPES: Final[Mapping[str, Callable[[float, float], Schedule]]] = {
    "linear": lambda steps, end: Linear(steps, end=end),
    "cosine": lambda steps, end: Cosine(steps, end=end),
    "exponential": _halving,
    "minus_sqrt": lambda steps, end: Power(steps, 0.5, end=end),
}
