"""Schedules of DeepSpeed, by the scheduler section of its configuration."""

from collections.abc import Callable, Mapping
from typing import Any, Final, cast

from stepsize.checks import Number, Range, checked_number
from stepsize.errors import InvalidValue
from stepsize.importers._imported import Imported
from stepsize.importers._section import LENGTH, POSITIVE, RATE, Section, call_text, multiple
from stepsize.schedules import (
    Absolute,
    Constant,
    Cosine,
    Hold,
    InversePower,
    Linear,
    LogWarmup,
    Schedule,
    Warmup,
)
from stepsize.schedules.fields import FACTOR
from stepsize.words import number_text

__all__ = ["from_deepspeed"]

_WARMUP: Final = Range(minimum=1, maximum=2**53, remedy="DeepSpeed's warmup has a step at least.")
_STAIRS: Final = Range(minimum=0, maximum=2**53, remedy="0 moves at every step.")
# The range test never ends; a line needs an end.
_RANGE_TEST_INTERVALS: Final = 1_000


def from_deepspeed(
    config: Mapping[str, Any], *, base: float | None = None, steps: int | None = None
) -> Imported:
    """The schedule that a DeepSpeed configuration describes.

    DeepSpeed takes its step for the first time after the first update. The warmups therefore start
    with one step at their first value, which the schedule here has too.

    Args:
        config: The section ``{"type": ..., "params": {...}}``, or the whole configuration with its
            sections ``scheduler`` and ``optimizer``.
        base: The optimizer's rate, for schedulers that multiply it; the optimizer section's ``lr``
            if not given. It also fills ``"auto"``.
        steps: Length of the run in optimizer steps, where ``total_num_steps`` is ``"auto"``.

    Returns:
        The schedule in multiples of its peak; for ``LRRangeTest`` of its first rate, for
        ``WarmupCosineLR`` of the optimizer's rate. ``OneCycle`` also has a momentum.

    Raises:
        InvalidType: A value has the wrong type, for example a list with a rate per group.
        InvalidValue: The type is unknown; a key is unknown, missing, out of range or "auto".

    >>> from stepsize.importers import from_deepspeed
    >>> numbers = {"warmup_max_lr": 1e-3, "warmup_num_steps": 100, "total_num_steps": 1000}
    >>> params = {**numbers, "warmup_type": "linear"}
    >>> found = from_deepspeed({"type": "WarmupDecayLR", "params": params})
    >>> found.schedule, found.base
    (Hold(1, value=0) >> Warmup(100) >> Linear(900), 0.001)

    Source: ``deepspeed/runtime/lr_schedules.py``, DeepSpeed 0.19.
    """
    call = call_text("from_deepspeed")
    section = Section(call, config)
    notes: tuple[str, ...] = ()
    if "scheduler" in section:
        scheduler = Section(call, section["scheduler"])
        optimizer = Section(call, section.get("optimizer") or {})
        inside = Section(call, optimizer.get("params") or {}, "optimizer.params.")
        automatic = inside.get("lr") == "auto"
        rate = None if automatic else inside.number("lr", None, RATE)
        notes = section.rest()
    else:
        scheduler, rate = section, None
    if not scheduler.has("type"):
        raise scheduler.lacks("type", f"It is one of {', '.join(_READERS)}.")
    kind = scheduler.choice("type", "", list(_READERS))
    given, filled = _filled(scheduler.get("params") or {}, base, steps)
    params = Section(call, given)
    scheduler.finish()
    if params.get("last_batch_iteration", -1) != -1:
        raise InvalidValue(
            call,
            "the schedule is read from its beginning",
            "last_batch_iteration is given",
            "Leave it out, and continue with schedule.skip(steps).",
        )
    if base is not None:
        rate = checked_number(call, "base", base, RATE)
    found = _READERS[kind](params, rate)
    params.finish()
    return Imported(found.schedule, found.base, found.momentum, (*found.notes, *filled, *notes))


def _filled(
    params: object, base: float | None, steps: int | None
) -> tuple[object, tuple[str, ...]]:
    """The settings with what the Trainer would fill in for "auto", as far as it is known."""
    if not isinstance(params, Mapping):
        return params, ()
    known = {"warmup_min_lr": 0, "warmup_max_lr": base, "total_num_steps": steps}
    filled = {
        key: value
        for key, value in known.items()
        if value is not None and cast(Mapping[str, Any], params).get(key) == "auto"
    }
    note = ", ".join(f"{key} is {value!r}" for key, value in filled.items())
    notes = (f'Filled in for "auto": {note}.',) if note else ()
    return {**cast(Mapping[str, Any], params), **filled}, notes


def _warmup(params: Section, start: float) -> tuple[Schedule, int]:
    """The warmup, which follows the first update, and its length."""
    steps = max(2, params.count("warmup_num_steps", 1000, _WARMUP))  # as DeepSpeed does
    if params.choice("warmup_type", "log", ("log", "linear")) == "linear":
        return Warmup(steps, start), steps
    return LogWarmup(steps - 1, start).until(steps), steps


def _peak(params: Section, rate: Number | None) -> Number:
    peak = params.number("warmup_max_lr", rate, RATE)
    if peak is None:
        raise params.lacks("warmup_max_lr", "Add it, or give base=..., the optimizer's rate.")
    return peak


def _warmup_only(params: Section, rate: Number | None) -> Imported:
    peak = _peak(params, rate)
    low = multiple(params.number("warmup_min_lr", 0), peak)
    warmup, _ = _warmup(params, low)
    return Imported(Hold(1, low) >> warmup, peak)


def _warmup_decay(params: Section, rate: Number | None) -> Imported:
    peak = params.number("warmup_max_lr", 0.001, RATE)  # DeepSpeed's default
    low = multiple(params.number("warmup_min_lr", 0), peak)
    warmup, steps = _warmup(params, low)
    rest = params.required("total_num_steps", LENGTH) - steps
    decay = Linear(rest, end=low) if rest > 0 else Constant(low)
    return Imported(Hold(1, low) >> warmup >> decay, peak)


def _warmup_cosine(params: Section, rate: Number | None) -> Imported:
    warmup, steps = _warmup(params, params.number("warmup_min_ratio", 0))
    rest = params.required("total_num_steps", LENGTH) - steps
    end = params.number("cos_min_ratio", 0.0001)
    # The decay starts one step late, and the very first update has rate 0 whatever the ratio.
    decay = Cosine(rest, end=end).skip(1) if rest > 1 else Constant(end)
    return Imported(Hold(1, 0) >> warmup >> decay, rate)


def _one_cycle(params: Section, rate: Number | None) -> Imported:
    high = params.required("cycle_max_lr", RATE)
    low = multiple(params.required("cycle_min_lr"), high)
    up = params.number("cycle_first_step_size", 2000, POSITIVE)
    down = params.number("cycle_second_step_size", up, POSITIVE)
    stairs_up = params.count("cycle_first_stair_count", 0, _STAIRS)
    stairs_down = params.count("cycle_second_stair_count", stairs_up, _STAIRS)
    cycle = _up(up, stairs_up, low, 1) >> _down(down, stairs_down, 1, low)
    every = params.number("decay_step_size", 0, LENGTH)
    decay = params.number("decay_lr_rate", 0, FACTOR)
    after = InversePower(every / decay, 1) * low if every and decay else Constant(low)
    momentum, notes = None, ()
    least, most = params.number("cycle_min_mom", 0.8), params.number("cycle_max_mom", 0.9)
    growth = params.number("decay_mom_rate", 0, FACTOR)
    if params.flag("cycle_momentum", True):
        falling = _up(up, stairs_up, most, least) >> _down(down, stairs_down, least, most)
        momentum = Absolute(Hold(1, least) >> falling.skip(1))
        notes = ("DeepSpeed moves the momentum only of optimizers with betas, and only the first.",)
        if growth and every:
            notes += (
                f"After the cycle DeepSpeed's momentum grows for ever (decay_mom_rate {growth!r}), "
                f"beyond 1 in the end. Here it stays at {most!r}.",
            )
    return Imported(cycle >> after, high, momentum, notes)


def _up(steps: float, stairs: int, start: float, end: float) -> Schedule:
    if not stairs:
        return Linear(steps, start, end)
    return Linear(stairs, start, end).staircase(1).over(steps)


def _down(steps: float, stairs: int, start: float, end: float) -> Schedule:
    if not stairs:
        return Linear(steps, start, end)
    # Here a stair is left at its first step. Between two positions, a stair is at most 1/steps.
    early = 1 - 0.5 / steps
    return Linear(stairs, start, end).staircase(1).skip(early).until(stairs).over(steps)


def _range_test(params: Section, rate: Number | None) -> Imported:
    base = params.number("lr_range_test_min_lr", 0.001, RATE)
    every = params.number("lr_range_test_step_size", 2000, POSITIVE)
    growth = params.number("lr_range_test_step_rate", 1.0, FACTOR)
    end = 1 + growth * _RANGE_TEST_INTERVALS
    line: Schedule = Linear(every * _RANGE_TEST_INTERVALS, start=1, end=end)
    if params.flag("lr_range_test_staircase", False):
        line = line.staircase(every)
    note = (
        f"DeepSpeed's range test grows for ever; here it ends at step {line.length:,.0f}, at "
        f"{number_text(end)} times its first rate. stepsize.find.range_test measures without a "
        "fixed line."
    )
    return Imported(line, base, notes=(note,))


_READERS: Final[Mapping[str, Callable[[Section, Number | None], Imported]]] = {
    "LRRangeTest": _range_test,
    "OneCycle": _one_cycle,
    "WarmupLR": _warmup_only,
    "WarmupDecayLR": _warmup_decay,
    "WarmupCosineLR": _warmup_cosine,
}
