"""The formulas of torch's own schedulers, each as an expression, read from a built scheduler.

A rate here is a number in the optimizer's group; ``base`` is what the expression is a multiple of.
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from torch.optim.lr_scheduler import (
    ChainedScheduler,
    ConstantLR,
    CosineAnnealingWarmRestarts,
    CyclicLR,
    ExponentialLR,
    LambdaLR,
    LinearLR,
    LRScheduler,
    MultiStepLR,
    OneCycleLR,
    PolynomialLR,
    SequentialLR,
    StepLR,
)

from stepsize.errors import InvalidType, InvalidValue
from stepsize.importers import from_transformers
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
    cyclic,
)
from stepsize.torch.attaching.groups import Group

__all__ = [
    "MULTIPLYING",
    "WRITING",
    "call_of",
    "clock_of",
    "cycles_momentum",
    "kind_of",
    "lasting",
    "momentum_curve",
    "own_base",
    "settled_at",
    "times",
    "wave",
]


def call_of(scheduler: object) -> str:
    """The call as typed, for messages."""
    return f"from_scheduler({type(scheduler).__name__}(...))"


def kind_of(scheduler: object) -> type[object]:
    """Its class. One derived from a scheduler of torch's may follow any formula, and is another."""
    return type(scheduler)


def own_base(scheduler: Any, group: Group, index: int) -> float:
    """The rate that the scheduler's formula is a multiple of, in this group.

    Raises:
        InvalidValue: The group was added after the scheduler was built.
    """
    kind = kind_of(scheduler)
    if kind in (SequentialLR, ChainedScheduler):
        return own_base(scheduler._schedulers[0], group, index)
    bases = scheduler.max_lrs if kind is CyclicLR else scheduler.base_lrs
    if index >= len(bases):
        raise InvalidValue(
            call_of(scheduler),
            "the scheduler must know every group",
            f"group {index} was added after it was built",
            "Read it before, and attach: groups that are added later follow the schedule with "
            "their own base.",
        )
    own = group.get("max_lr") if kind is OneCycleLR else None
    return float(bases[index] if own is None else own)


def clock_of(scheduler: Any) -> float:
    """The position that the scheduler's formula is at."""
    if kind_of(scheduler) is not CosineAnnealingWarmRestarts:
        return scheduler.last_epoch
    # After step(2.5), last_epoch has lost the fraction.
    first, growth = scheduler.T_0, scheduler.T_mult
    if growth == 1:
        return first * (scheduler.last_epoch // first) + scheduler.T_cur
    return (scheduler.T_i - first) / (growth - 1) + scheduler.T_cur


# ------------------------------------------------------------------ multiplying the present rate
#
# These multiply the rate that they find by s(t) / s(t - 1) at each step, and never look at it
# otherwise: a rate that was set by hand stays a factor for ever.


def _constant(scheduler: Any) -> Schedule:
    return Hold(scheduler.total_iters, scheduler.factor) >> Constant()


def _linear(scheduler: Any) -> Schedule:
    return Linear(scheduler.total_iters, scheduler.start_factor, scheduler.end_factor)


def _polynomial(scheduler: Any) -> Schedule:
    if scheduler.power == 1:
        return Linear(scheduler.total_iters)
    return Polynomial(scheduler.total_iters, scheduler.power)


def _multi_step(scheduler: Any) -> Schedule:
    factors = {at: scheduler.gamma**times for at, times in scheduler.milestones.items()}
    drops = {at: factor for at, factor in factors.items() if at > 0}
    first = factors.get(0, 1)
    return times(MultiStep(drops) if drops else Constant(), first)


MULTIPLYING: Mapping[type[object], Callable[[Any], Schedule]] = {
    ConstantLR: _constant,
    ExponentialLR: lambda scheduler: Exponential(scheduler.gamma),
    LinearLR: _linear,
    MultiStepLR: _multi_step,
    PolynomialLR: _polynomial,
    StepLR: lambda scheduler: Step(scheduler.step_size, scheduler.gamma),
}


def settled_at(scheduler: Any) -> float:
    """The position from which on a multiplying scheduler multiplies by 1."""
    if kind_of(scheduler) is ConstantLR:
        return scheduler.total_iters
    if kind_of(scheduler) is MultiStepLR:
        return max(scheduler.milestones, default=0)
    return MULTIPLYING[kind_of(scheduler)](scheduler).length


# ------------------------------------------------------------------ writing over the present rate


def cycles_momentum(scheduler: object) -> bool:
    """Whether it also writes the momentum."""
    return isinstance(scheduler, CyclicLR | OneCycleLR) and scheduler.cycle_momentum


def momentum_curve(scheduler: Any, group: Group, index: int) -> Schedule:
    """The momentum that it writes: low where the rate is high."""
    if kind_of(scheduler) is OneCycleLR:
        return _one_cycle(scheduler, group, "momentum", 1.0)
    return _triangles(scheduler, scheduler.max_momentums[index], scheduler.base_momentums[index])


def wave(steps: float, top: float, floor: float) -> Schedule:
    """CosineAnnealingLR, which rises again past T_max, and falls again, for ever."""
    return (Cosine(steps, top, floor) >> Cosine(steps, floor, top)).repeat()


def _restarts(scheduler: Any, group: Group, index: int, base: float) -> Schedule:
    top = own_base(scheduler, group, index) / base
    return Cosine(scheduler.T_0, top, scheduler.eta_min / base).repeat(stretch=scheduler.T_mult)


def _cyclic(scheduler: Any, group: Group, index: int, base: float) -> Schedule:
    low, high = float(scheduler.base_lrs[index]), own_base(scheduler, group, index)
    return _triangles(scheduler, low / base, high / base)


def _lambda(scheduler: Any, group: Group, index: int, base: float) -> Schedule:
    known = _known_function(scheduler, scheduler.lr_lambdas[index])
    return times(known, own_base(scheduler, group, index) / base)


def _triangles(scheduler: Any, low: float, high: float) -> Schedule:
    if scheduler._scale_fn_custom is not None:
        raise InvalidType(
            call_of(scheduler),
            "the height of the cycles must be a formula",
            "is a function, scale_fn",
            "Multiply the triangles by it yourself: low + (high - low) * Triangular(up, "
            "down).repeat() * Function(scale_of_the_step).",
        )
    up = _whole(scheduler.step_ratio * scheduler.total_size)
    down = _whole(scheduler.total_size - up)
    return cyclic(
        up,
        None if down == up else down,
        low,
        high,
        shrink=0.5 if scheduler.mode == "triangular2" else 1,
        factor=scheduler.gamma if scheduler.mode == "exp_range" else 1,
    )


def _one_cycle(scheduler: Any, group: Group, quantity: str, base: float) -> Schedule:
    shape = Cosine if scheduler._anneal_func_type == "cos" else Linear
    phases: list[Schedule] = []
    begun, skipped = 0.0, 0.0
    try:
        for phase in scheduler._schedule_phases:
            start = float(group[phase[f"start_{quantity}"]]) / base
            end = float(group[phase[f"end_{quantity}"]]) / base
            ends = _whole(phase["end_step"])
            if ends > begun:
                if not phases:
                    skipped = max(0, -begun)
                phases.append(shape(ends - begun, start, end))
            begun = ends
    except KeyError as error:
        raise InvalidValue(
            call_of(scheduler),
            "its bounds stand in the optimizer's groups",
            f"one of them has no {error}",
            "Load the optimizer's state before the scheduler is built.",
        ) from error
    whole = phases[0]
    for phase in phases[1:]:
        whole = whole >> phase
    last = scheduler.total_steps - 1
    whole = lasting(whole.skip(skipped) if skipped else whole, last)
    # Its last step, total_steps - 1, is there already; one more makes the length what it says.
    return whole >> Hold(1, whole(last))


WRITING: Mapping[type[object], Callable[[Any, Group, int, float], Schedule]] = {
    CosineAnnealingWarmRestarts: _restarts,
    CyclicLR: _cyclic,
    LambdaLR: _lambda,
    OneCycleLR: lambda scheduler, group, _, base: _one_cycle(scheduler, group, "lr", base),
}
"""For each: its rates in a group, of this index, as multiples of a base."""


def _known_function(scheduler: LRScheduler, function: Any) -> Schedule:
    inner = function.func if isinstance(function, partial) else function
    kind = _TRANSFORMERS.get(getattr(inner, "__name__", ""))
    if kind is None or getattr(inner, "__module__", "") != "transformers.optimization":
        raise InvalidType(
            call_of(scheduler),
            "a rate must follow a formula",
            f"{function!r} is a function, of which only the values can be seen",
            'Write it under @schedule_function("a_name") and go on with attach(optimizer, '
            "Function(it), position=scheduler.last_epoch).",
        )
    settings = dict(function.keywords) if isinstance(function, partial) else {}
    if "lr_init" in settings:
        settings["lr"] = settings.pop("lr_init")
    if kind == "cosine" and "min_lr_rate" in settings:
        kind = "cosine_with_min_lr"
    found = from_transformers(kind, **settings).schedule
    assert isinstance(found, Schedule)
    return found


def times(schedule: Schedule, factor: float) -> Schedule:
    """The product, without a factor 1."""
    return schedule if factor == 1 else schedule * factor


def lasting(schedule: Schedule, steps: float) -> Schedule:
    """Its first ``steps`` steps, as simply as they can be written."""
    return schedule if schedule.length == steps else schedule.until(steps)


def _whole(steps: float) -> float:
    """Torch computes lengths in floating point: 0.29 * 100 is not quite 29."""
    return round(steps) if abs(steps - round(steps)) < 1e-9 else steps


_TRANSFORMERS = {
    "_get_constant_lambda": "constant",
    "_get_constant_schedule_with_warmup_lr_lambda": "constant_with_warmup",
    "_get_linear_schedule_with_warmup_lr_lambda": "linear",
    "_get_cosine_schedule_with_warmup_lr_lambda": "cosine",
    "_get_cosine_with_hard_restarts_schedule_with_warmup_lr_lambda": "cosine_with_restarts",
    "_get_polynomial_decay_schedule_with_warmup_lr_lambda": "polynomial",
    "_get_inverse_sqrt_schedule_lr_lambda": "inverse_sqrt",
    "_get_cosine_with_min_lr_schedule_with_warmup_lr_rate_lambda": "cosine_warmup_with_min_lr",
    "_get_wsd_scheduler_lambda": "warmup_stable_decay",
}
