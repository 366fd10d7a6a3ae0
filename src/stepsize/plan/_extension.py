"""A run made longer while it is under way: by a lower rate, or by a longer cooldown."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

import numpy as np

from stepsize.checks import Range, checked_whole_number
from stepsize.errors import EndlessSchedule, InvalidValue
from stepsize.estimates import Estimate
from stepsize.plan._bound import STEPS, bound_of, checked_schedule, multiples
from stepsize.schedules import Hold, Schedule
from stepsize.schedules.algebra import Then, then

__all__ = ["Extension", "extension"]

_SOURCE = "Schaipp et al. 2025 (arXiv 2501.18965), whose runs used 0.525 and 0.375"
# To 1/16,384 of the range: far below what the bound is right to.
_HALVINGS = 14
# The peak as it comes out of sums and products of rounded numbers.
_PEAK_ROUNDING = 1e-9
# How the best rate falls with the horizon: under the bound, and as :func:`transfer` has it.
_BOUND_EXPONENT = 0.5
_MEASURED_EXPONENT = 0.2


@dataclass(frozen=True)
class Extension:
    """Two ways to end later at a peak rate that was right for the shorter run.

    Args:
        multiplier: What to multiply the rate by from the old cooldown's start on; its interval
            reaches to 1, which is to leave the rate alone.
        lowered: The schedule of the whole longer run with it; the cooldown is as much longer as
            the run.
        cooldown: How many steps the cooldown has to last instead, at the unchanged rate; None where
            none is long enough.
        prolonged: The schedule of the whole longer run with it; None where there is none.
        reason: The numbers in words.
    """

    multiplier: Estimate
    lowered: Schedule
    cooldown: Estimate | None
    prolonged: Schedule | None
    reason: str

    def __str__(self) -> str:
        prolonged = "none" if self.prolonged is None else repr(self.prolonged)
        return f"lower rate: {self.lowered!r}\nlonger cooldown: {prolonged}\n{self.reason}."


def extension(schedule: Schedule, at: int, new_total: int) -> Extension:
    """How to go on to ``new_total`` steps from where the run is, the peak rate still right.

    The best rate γ* of :func:`bound` falls with the horizon. Two ways bring γ* of the whole longer
    run back to that of the planned one: the rate is multiplied from the old cooldown's start on, or
    kept and cooled down for longer. The rate never jumps up.

    The bound's horizon exponent is 1/2; real runs show less (see :func:`transfer`), for which the
    multiplier would lie nearer to 1: the interval says so.

    Args:
        schedule: What the run follows; it has an end.
        at: Where the run stands, 0 up to its end: nothing before changes. A run whose cooldown has
            begun goes on at the rate it has; better go back to a checkpoint before it.
        new_total: The new length in optimizer steps, above the old one, up to 100 million.

    Returns:
        Both ways, as numbers and as schedules.

    Raises:
        InvalidType: ``schedule`` is none.
        EndlessSchedule: It has no end, so that it needs no extension.
        InvalidValue: A number is out of range, or no rate is left from ``at`` on.

    >>> from stepsize import wsd
    >>> longer = extension(wsd(10_000, warmup=0, cooldown=2_000), at=5_000, new_total=20_000)
    >>> round(longer.multiplier.value, 2), longer.lowered(15_999) == longer.multiplier.value
    (0.53, True)
    >>> round(longer.cooldown.value / 20_000, 2), longer.prolonged.length
    (0.63, 20000)

    Source: Schaipp et al. 2025 (arXiv 2501.18965)
    """
    call = f"extension({schedule!r}, at={at!r}, new_total={new_total!r})"
    total = _whole_length(call, schedule)
    here = checked_whole_number(
        call, "at", at, Range(0, maximum=total - 1, remedy="The run must not have ended.")
    )
    new = checked_whole_number(
        call, "new_total", new_total, Range(above=total, maximum=STEPS.maximum)
    )
    values = multiples(call, schedule, total)
    peak = float(values[here:].max())
    if peak == 0:
        raise InvalidValue(
            f"{call}: no rate is left from step {here} on, where the schedule is 0. "
            "Go back to a checkpoint before the cooldown and give its step."
        )
    at_peak = here + np.flatnonzero(values[here:] >= (1 - _PEAK_ROUNDING) * peak)
    longer = _Longer(call, schedule, total, new, first=int(at_peak[0]), start=int(at_peak[-1]))
    target = bound_of(values).rate
    multiplier, milder = longer.multiplier(target), longer.multiplier(target, _MEASURED_EXPONENT)
    cooldown = longer.cooldown(target)
    lower = (
        f"× {multiplier:.3g} from step {longer.start} on keeps the best rate of the convex bound "
        f"at that of the {total} steps planned (with a horizon exponent of {_MEASURED_EXPONENT:g} "
        f"instead of the bound's {_BOUND_EXPONENT:g} it is × {milder:.3g})"
    )
    if cooldown is None:
        most = new - longer.first
        other = f"no cooldown from step {longer.first} on, of up to {most} steps, is long enough"
    else:
        other = (
            f"at the unchanged rate a cooldown over the last {cooldown} steps, "
            f"{cooldown / new:.0%} of the run, does the same"
        )
    return Extension(
        Estimate(multiplier, multiplier, 1.0, lower, _SOURCE),
        longer.lowered(multiplier),
        None
        if cooldown is None
        else Estimate(cooldown, longer.same_share, cooldown, other, _SOURCE),
        None if cooldown is None else longer.prolonged(cooldown),
        f"{lower}; {other}",
    )


def _whole_length(call: str, schedule: Any) -> int:
    length = checked_schedule(call, schedule).length
    if math.isinf(length):
        raise EndlessSchedule(
            f"{call}: the schedule is endless, so it goes on by itself. Give the one with an end."
        )
    return checked_whole_number(call, "the schedule's length", math.ceil(length), STEPS)


@dataclass(frozen=True)
class _Longer:
    """The longer run: as before up to its peak's end ``start``, then held, then cooled down."""

    call: str
    schedule: Schedule
    total: int
    new: int
    first: int
    start: int

    @property
    def same_share(self) -> int:
        """Steps of the cooldown, if it is as much longer as the run."""
        return round((self.total - self.start) * self.new / self.total)

    def lowered(self, multiplier: float) -> Schedule:
        before, cooldown = _split(self.schedule, self.start)
        held = self._held(self.new - self.same_share - self.start)
        return before >> (held >> cooldown.over(self.same_share)) * multiplier

    def prolonged(self, steps: int) -> Schedule:
        before, after = _split(self.schedule, self.start)
        start = self.new - steps
        if start < self.start:
            return before.until(start) >> after.over(steps)
        return before >> self._held(start - self.start) >> after.over(steps)

    def multiplier(self, target: float, exponent: float = _BOUND_EXPONENT) -> float:
        """The multiplier that brings the best rate to ``target``; at most 1."""
        milder = (self.new / self.total) ** (_BOUND_EXPONENT - exponent)
        held = self.lowered(1.0).values(self.new)

        def rate(multiplier: float) -> float:
            factors = np.where(np.arange(self.new) < self.start, 1.0, multiplier)
            return milder * bound_of(held * factors).rate

        return _crossing(lambda multiplier: rate(multiplier) <= target, 0.0, 1.0)

    def cooldown(self, target: float) -> int | None:
        """The shortest cooldown that brings the best rate to ``target``."""
        low, high = self.same_share, self.new - self.first
        if self._rate(high) < target:
            return None
        return round(_crossing(lambda steps: self._rate(round(steps)) >= target, low, high))

    def _rate(self, cooldown: int) -> float:
        return bound_of(multiples(self.call, self.prolonged(cooldown), self.new)).rate

    def _held(self, steps: int) -> Schedule:
        return Hold(steps, self.schedule(self.start))


def _split(schedule: Schedule, at: int) -> tuple[Schedule, Schedule]:
    """What the schedule does before ``at`` and after it, in as short a text as it has."""
    if isinstance(schedule, Then):
        ends = list(accumulate(part.length for part in schedule.parts[:-1]))
        if at in ends:
            place = ends.index(at) + 1
            return then(schedule.parts[:place]), then(schedule.parts[place:])
    return schedule.until(at), schedule.skip(at)


def _crossing(holds: Callable[[float], bool], low: float, high: float) -> float:
    """The smallest number between the two for which ``holds`` is true, if it is for larger ones."""
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        low, high = (low, middle) if holds(middle) else (middle, high)
    return high
