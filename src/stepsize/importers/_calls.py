"""The way back: the call of another tool that gives the same schedule, where one exists."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from stepsize.checks import checked_choice
from stepsize.errors import InvalidValue
from stepsize.schedules import (
    Absolute,
    Constant,
    Cosine,
    Exponential,
    Hold,
    InverseSqrt,
    Linear,
    MultiStep,
    Polynomial,
    Schedule,
    Step,
    Warmup,
)
from stepsize.schedules.algebra import Then
from stepsize.words import shortened

__all__ = ["TOOLS", "to_call"]

_LONGEST: Final = 100


def to_call(schedule: Schedule | Absolute, tool: str, *, base: float | None = None) -> str:
    """The call of another tool that gives the same rates at every position up to the end.

    Args:
        schedule: The schedule.
        tool: "keras", "optax", "torch" or "transformers".
        base: The base rate, for tools whose schedules are rates; 1 if not given.

    Returns:
        Python code; ``optimizer`` is the optimizer in calls that take one.

    Raises:
        InvalidValue: The tool has no call for this schedule, or is not known.

    >>> from stepsize import Cosine, Warmup
    >>> from stepsize.importers import to_call
    >>> to_call(Warmup(100) >> Cosine(900), "transformers")
    "get_scheduler('cosine', optimizer, num_warmup_steps=100, num_training_steps=1000)"
    >>> to_call(Warmup(100) >> Cosine(900, end=0.1), "optax", base=1e-3)
    'warmup_cosine_decay_schedule(0.0, 0.001, 100, 1000, end_value=0.0001)'
    """
    call = f"to_call({shortened(str(schedule), _LONGEST)}, {tool!r})"
    writer = _WRITERS[checked_choice(call, "tool", tool, TOOLS)]
    if isinstance(schedule, Absolute):
        schedule, base = schedule.schedule, 1.0
    parts = schedule.parts if isinstance(schedule, Then) else (schedule,)
    written = writer(_Phases(tuple(parts), 1.0 if base is None else base))
    if written is None:
        raise InvalidValue(
            call,
            f"{tool} must have a call that gives this schedule",
            "there is none",
            "Use the schedule itself: stepsize.torch.attach, or its values.",
        )
    return written


@dataclass(frozen=True)
class _Phases:
    """The phases of a schedule, and the base rate."""

    parts: tuple[Schedule, ...]
    base: float

    @property
    def warmup(self) -> float | None:
        """The length of a warmup from 0 before the only other phase; 0 without one."""
        if len(self.parts) == 1:
            return 0
        first = self.parts[0]
        if len(self.parts) == 2 and isinstance(first, Warmup) and first.start == 0:
            return first.steps
        return None

    @property
    def last(self) -> Schedule:
        return self.parts[-1]


# ------------------------------------------------------------------ transformers


def _transformers(plan: _Phases) -> str | None:
    warmup, last = plan.warmup, plan.last
    if warmup is None:
        return None
    total = warmup + last.length
    lengths = f"num_warmup_steps={warmup:g}, num_training_steps={total:g}"
    match last:
        case Constant(value=1):
            return (
                f"get_scheduler('constant_with_warmup', optimizer, num_warmup_steps={warmup:g})"
                if warmup
                else "get_scheduler('constant', optimizer)"
            )
        case Linear(start=1, end=0):
            return f"get_scheduler('linear', optimizer, {lengths})"
        case Cosine(start=1, end=0, power=1, k=1):
            return f"get_scheduler('cosine', optimizer, {lengths})"
        case Cosine(start=1, end=end, power=1, k=1):
            settings = f"scheduler_specific_kwargs={{'min_lr_rate': {end!r}}}"
            return f"get_scheduler('cosine_with_min_lr', optimizer, {lengths}, {settings})"
        case InverseSqrt(steps=scale) if warmup == scale:
            return f"get_scheduler('inverse_sqrt', optimizer, num_warmup_steps={warmup:g})"
        case _:
            return None


# ------------------------------------------------------------------ optax


def _optax(plan: _Phases) -> str | None:
    warmup, last = plan.warmup, plan.last
    if warmup and isinstance(last, Cosine) and (last.start, last.power, last.k) == (1, 1, 1):
        total = warmup + last.steps
        end = _rate(last.end, plan.base)
        return (
            f"warmup_cosine_decay_schedule(0.0, {plan.base!r}, {warmup:g}, {total:g}, "
            f"end_value={end!r})"
        )
    written = [_optax_phase(part, plan.base) for part in plan.parts]
    if any(each is None for each in written):
        return None
    if len(written) == 1:
        return written[0]
    ends: list[str] = []
    position = 0.0
    for part in plan.parts[:-1]:
        position += part.length
        ends.append(f"{position:g}")
    return f"join_schedules([{', '.join(map(str, written))}], [{', '.join(ends)}])"


def _rate(value: float, base: float) -> float:
    return float(f"{value * base:.15g}")


def _optax_phase(part: Schedule, base: float) -> str | None:
    match part:
        case Constant(value=value) | Hold(value=value):
            return f"constant_schedule({_rate(value, base)!r})"
        case Warmup(steps=steps, start=start):
            return f"linear_schedule({_rate(start, base)!r}, {base!r}, {steps:g})"
        case Linear(steps=steps, start=start, end=end):
            return f"linear_schedule({_rate(start, base)!r}, {_rate(end, base)!r}, {steps:g})"
        case Cosine(steps=steps, start=1, end=end, power=1, k=1):
            return f"cosine_decay_schedule({base!r}, {steps:g}, alpha={end!r})"
        case Polynomial(steps=steps, power=power, start=start, end=end, k=1):
            values = f"{_rate(start, base)!r}, {_rate(end, base)!r}"
            return f"polynomial_schedule({values}, {power!r}, {steps:g})"
        case Exponential(factor=factor, every=every):
            return f"exponential_decay({base!r}, {every:g}, {factor!r})"
        case Step(every=every, factor=factor):
            return f"exponential_decay({base!r}, {every:g}, {factor!r}, staircase=True)"
        case MultiStep(factors=factors):
            drops = ", ".join(f"{at:g}: {factor!r}" for at, factor in factors.items())
            return f"piecewise_constant_schedule({base!r}, {{{drops}}})"
        case _:
            return None


# ------------------------------------------------------------------ torch


def _torch(plan: _Phases) -> str | None:
    written = [_torch_phase(part, plan.base) for part in plan.parts]
    if any(each is None for each in written):
        return None
    if len(written) == 1:
        return written[0]
    ends: list[str] = []
    position = 0.0
    for part in plan.parts[:-1]:
        position += part.length
        ends.append(f"{position:g}")
    return (
        f"SequentialLR(optimizer, [{', '.join(map(str, written))}], milestones=[{', '.join(ends)}])"
    )


def _torch_phase(part: Schedule, base: float) -> str | None:
    match part:
        case Constant(value=value) if 0 < value <= 1:
            return f"LambdaLR(optimizer, lambda t: {value!r})"
        case Hold(value=value):
            return f"LambdaLR(optimizer, lambda t: {value!r})"
        case Warmup(steps=steps, start=start) if start > 0:
            return f"LinearLR(optimizer, {start!r}, 1.0, {steps:g})"
        case Warmup(steps=steps):
            return f"LambdaLR(optimizer, lambda t: t / {steps:g})"
        case Linear(steps=steps, start=start, end=end) if 0 < start <= 1 and 0 <= end <= 1:
            return f"LinearLR(optimizer, {start!r}, {end!r}, {steps:g})"
        case Cosine(steps=steps, start=1, end=end, power=1, k=1):
            return f"CosineAnnealingLR(optimizer, {steps:g}, eta_min={_rate(end, base)!r})"
        case Polynomial(steps=steps, power=power, start=1, end=0, k=1):
            return f"PolynomialLR(optimizer, {steps:g}, {power!r})"
        case Exponential(factor=factor, every=1):
            return f"ExponentialLR(optimizer, {factor!r})"
        case Step(every=every, factor=factor):
            return f"StepLR(optimizer, {every:g}, {factor!r})"
        case MultiStep(factors=factors) if len(set(factors.values())) == 1:
            positions = ", ".join(f"{at:g}" for at in factors)
            return f"MultiStepLR(optimizer, [{positions}], {next(iter(factors.values()))!r})"
        case _:
            return None


# ------------------------------------------------------------------ Keras


def _keras(plan: _Phases) -> str | None:
    warmup, last, base = plan.warmup, plan.last, plan.base
    if warmup is None:
        return None
    match last:
        case Cosine(steps=steps, start=1, end=end, power=1, k=1):
            if not warmup:
                return f"CosineDecay({base!r}, {steps:g}, alpha={end!r})"
            return (
                f"CosineDecay(0.0, {steps:g}, alpha={end!r}, warmup_target={base!r}, "
                f"warmup_steps={warmup:g})"
            )
        case _ if warmup:
            return None
        case Linear(steps=steps, start=1, end=end):
            return f"PolynomialDecay({base!r}, {steps:g}, {_rate(end, base)!r})"
        case Polynomial(steps=steps, power=power, start=1, end=end, k=1):
            return f"PolynomialDecay({base!r}, {steps:g}, {_rate(end, base)!r}, {power!r})"
        case Exponential(factor=factor, every=every):
            return f"ExponentialDecay({base!r}, {every:g}, {factor!r})"
        case Step(every=every, factor=factor):
            return f"ExponentialDecay({base!r}, {every:g}, {factor!r}, staircase=True)"
        case _:
            return None


_WRITERS: Final[Mapping[str, Callable[[_Phases], str | None]]] = {
    "keras": _keras,
    "optax": _optax,
    "torch": _torch,
    "transformers": _transformers,
}
TOOLS: Final = tuple(_WRITERS)
"""The tools whose calls are written."""
