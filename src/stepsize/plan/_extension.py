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
from stepsize.messages import Message
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
        cooldown: How many steps the cooldown has to last instead, at the unchanged rate; the most
            that are left where the derived length does not fit any more.
        prolonged: The schedule of the whole longer run with it.
        is_derived: Whether the cooldown is as long as derived, and not cut to what is left.
        reason: The numbers in words.
    """

    multiplier: Estimate
    lowered: Schedule
    cooldown: Estimate
    prolonged: Schedule
    is_derived: bool
    reason: Message

    def __str__(self) -> str:
        return f"longer cooldown: {self.prolonged!r}\nlower rate: {self.lowered!r}\n{self.reason}."


def extension(schedule: Schedule, at: int, new_total: int) -> Extension:
    """How to go on to ``new_total`` steps from where the run is, the peak rate still right.

    The best rate γ* of :func:`bound` falls with the horizon. Two ways bring γ* of the whole longer
    run back to that of the planned one: the rate is multiplied from the old cooldown's start on, or
    kept and cooled down for longer. The rate never jumps up.

    The longer cooldown is the recommendation, also where the derived length does not fit any more:
    of runs made twice as long, a cooldown over 60 % ended at 2.852 nats, the lowered rate at 2.862
    and the unchanged schedule at 2.868 (124M parameters); at 2.738, 2.750 and 2.759 (210M).

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
        InvalidType: ``schedule`` is not a schedule.
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
            call,
            f"no rate is left from step {here} on, where the schedule is 0",
            remedy="Go back to a checkpoint before the cooldown and give its step.",
        )
    at_peak = here + np.flatnonzero(values[here:] >= (1 - _PEAK_ROUNDING) * peak)
    longer = _Longer(call, schedule, total, new, first=int(at_peak[0]), start=int(at_peak[-1]))
    target = bound_of(values).rate
    multiplier, milder = longer.multiplier(target), longer.multiplier(target, _MEASURED_EXPONENT)
    cooldown, is_derived = longer.cooldown(target)
    lower = Message(
        "× {multiplier:number 3} from step {start:position} on keeps the best rate of the convex "
        "bound at that of the {total:position} steps planned (with a horizon exponent of 0.2 "
        "instead of the bound's 0.5 it is × {milder:number 3})",
        multiplier=multiplier,
        start=longer.start,
        total=total,
        milder=milder,
    )
    other = _about_cooldown(cooldown, new, longer.first, is_derived)
    return Extension(
        Estimate(multiplier, multiplier, 1.0, lower, _SOURCE),
        longer.lowered(multiplier),
        Estimate(cooldown, min(longer.same_share, cooldown), cooldown, other, _SOURCE),
        longer.prolonged(cooldown),
        is_derived,
        Message("{cooldown:message}; or {lower:message}", cooldown=other, lower=lower),
    )


def _about_cooldown(steps: int, total: int, first: int, is_derived: bool) -> Message:
    share = Message(
        "at the unchanged rate a cooldown over the last {steps:position} steps, {part:percent} of "
        "the run",
        steps=steps,
        part=steps / total,
    )
    if is_derived:
        return Message(
            "{share:message}, keeps the best rate of the bound: the better way on both published "
            "sizes",
            share=share,
        )
    return Message(
        "{share:message}, the longest that is left from step {first:position} on; the bound asks "
        "for more, and the longer cooldown was the better way on both published sizes",
        share=share,
        first=first,
    )


def _whole_length(call: str, schedule: Any) -> int:
    length = checked_schedule(call, schedule).length
    if math.isinf(length):
        raise EndlessSchedule(
            call,
            "the schedule is endless, so it goes on by itself",
            remedy="Give the one with an end.",
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

    def cooldown(self, target: float) -> tuple[int, bool]:
        """The shortest cooldown that brings the best rate to ``target``, and whether one does.

        Where none does: the longest that is left.
        """
        low, high = self.same_share, self.new - self.first
        if self._rate(high) < target:
            return high, False
        return round(_crossing(lambda steps: self._rate(round(steps)) >= target, low, high)), True

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
