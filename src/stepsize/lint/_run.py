"""What a rule sees: a schedule over the positions of the run that it is meant for."""

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from stepsize.lint._usual import UsualRates
from stepsize.messages import Message
from stepsize.schedules import Phase, Schedule
from stepsize.schedules.summary import first_phases, steps_to_look_at, value_reached

__all__ = ["AT_PEAK", "NEGLIGIBLE", "Array", "PlannedRun"]

Array: TypeAlias = NDArray[np.float64]

AT_PEAK: Final = 1 - 1e-9
"""From this part of the peak on, a value is the peak: equal peaks differ by rounding."""

NEGLIGIBLE: Final = 1e-3
"""Below this part of the peak, updates change next to nothing."""

_LOOK_AHEAD: Final = 100_000
_SAMPLES: Final = 257
_NEAR: Final = 0.05


@dataclass(frozen=True)
class PlannedRun:
    """A schedule and the run that it is meant for.

    Args:
        schedule: The schedule; its values are multiples of the base rate unless ``absolute``.
        steps: Length of the run in optimizer steps; None if it is unknown.
        steps_per_epoch: Optimizer steps per epoch, if the run has epochs.
        usual: The usual rates of the optimizer, if it is known.
        base: The base rate, if it is known.
        absolute: Whether the values are the rates themselves.
    """

    schedule: Schedule
    steps: int | None
    steps_per_epoch: float | None = None
    usual: UsualRates | None = None
    base: float | None = None
    absolute: bool = False

    # ---------------------------------------------------------------- the curve

    @property
    def length_known(self) -> bool:
        """Whether it is known when the run ends."""
        return self.steps is not None

    @cached_property
    def total(self) -> int:
        """How many steps are looked at: the run's, or the schedule's while these are unknown."""
        if self.steps is not None:
            return self.steps
        length = self.schedule.length
        return max(1, math.ceil(length)) if math.isfinite(length) else _LOOK_AHEAD

    @cached_property
    def positions(self) -> Array:
        """All positions 0 .. total-1, or a million of them if they are more."""
        return steps_to_look_at(self.total)

    @cached_property
    def values(self) -> Array:
        """The values at ``positions``."""
        return self.schedule(self.positions)

    @cached_property
    def peak(self) -> float:
        """The highest value."""
        return float(self.values.max())

    @cached_property
    def peak_at(self) -> float:
        """The first position that has it."""
        return float(self.positions[np.argmax(self._is_peak)])

    @cached_property
    def leaves_peak_at(self) -> float:
        """The last position that has it."""
        return float(self.positions[self._is_peak][-1])

    @cached_property
    def _is_peak(self) -> NDArray[np.bool_]:
        return self.values >= self.peak - (1 - AT_PEAK) * abs(self.peak)

    @cached_property
    def end(self) -> float:
        """The value that the last update leads up to."""
        return value_reached(self.schedule, self.total)

    @cached_property
    def lowest_after_peak(self) -> tuple[float, float]:
        """The lowest value that follows the peak, and its first position."""
        after = self.positions >= self.peak_at
        values, positions = self.values[after], self.positions[after]
        lowest = int(np.argmin(values))
        if self.end < values[lowest]:
            return self.end, self.total
        return float(values[lowest]), float(positions[lowest])

    # ---------------------------------------------------------------- what several rules ask

    @cached_property
    def still_rising(self) -> bool:
        """Whether the run ends before the first rise does."""
        rises = bool((np.diff(self.values) >= 0).all()) and self.values[0] < 0.9 * self.end
        return rises and self.highest_beyond > 1.01 * self.end

    @cached_property
    def highest_beyond(self) -> float:
        """The highest value from the end of the run to twice its length, or the schedule's end."""
        length = self.schedule.length
        last = length if math.isfinite(length) else 2.0 * self.total
        return float(self.schedule(np.linspace(self.total, max(last, self.total), _SAMPLES)).max())

    @cached_property
    def outlasted(self) -> bool:
        """Whether the schedule would have gone on, to another value than the one it has reached."""
        length = self.schedule.length
        if self.still_rising or not self.total < length < math.inf:
            return False
        return abs(self.end - self.schedule(length)) > 0.01 * self.peak

    @cached_property
    def zero_tail(self) -> int:
        """How many updates at the end have rate 0."""
        moving = self.positions[self.values != 0]
        return self.total - 1 - int(moving[-1]) if len(moving) else self.total

    @cached_property
    def spent_at(self) -> float:
        """From where on the rate is below a thousandth of its peak, to the end of the run."""
        counts = self.positions[self.values >= NEGLIGIBLE * self.peak * AT_PEAK]
        return float(counts[-1]) + 1 if len(counts) else 0.0

    @cached_property
    def cycles(self) -> list[Phase]:
        """The first cycles of what repeats, where something does."""
        return [phase for phase in first_phases(self.schedule, self.total) if "cycle" in phase.name]

    @cached_property
    def restarts_on_purpose(self) -> bool:
        """Whether the schedule repeats a piece that says where it begins anew.

        That is any but the wave that falls from its top and climbs back to it: what a cosine
        becomes that is followed beyond its half.
        """
        return bool(self.cycles) and not self._is_wave(self.cycles[0])

    def _is_wave(self, cycle: Phase) -> bool:
        inside = self.schedule(np.linspace(cycle.start, cycle.end, _SAMPLES, endpoint=False))
        ends = min(self.schedule(cycle.start), value_reached(self.schedule, cycle.end))
        return bool(ends > inside.min() + 0.1 * self.peak)

    @cached_property
    def epochs(self) -> float | None:
        """How many epochs the run has, if that is known."""
        if self.steps is None or self.steps_per_epoch is None:
            return None
        return self.steps / self.steps_per_epoch

    @cached_property
    def counted_in_epochs(self) -> float | None:
        """How many steps the curve, or its first cycle, lasts, if that looks like epochs."""
        if self.epochs is None or self.steps_per_epoch is None or self.steps_per_epoch < 2:
            return None
        if self.cycles:
            cycle = self.cycles[0].end - self.cycles[0].start
            short = cycle < self.steps_per_epoch and cycle <= 2 * self.epochs
            return cycle if short else None
        if math.isfinite(self.schedule.length):
            near = abs(self.schedule.length - self.epochs) <= max(1, _NEAR * self.epochs)
            return self.schedule.length if near else None
        over = min(self.spent_at, self._still_from)
        fallen = self.end <= 0.5 * self.peak
        early = over <= min(1.5 * self.epochs, self.total / 4)
        return over if fallen and early and over > 1 else None

    @cached_property
    def _still_from(self) -> float:
        """From where on the value does not change, to the end of the run."""
        moving = np.flatnonzero(np.diff(self.values))
        return float(self.positions[moving[-1] + 1]) if len(moving) else 0.0

    # ---------------------------------------------------------------- in words

    @property
    def scale(self) -> float | None:
        """What a value is multiplied by to be a rate, if that is known."""
        return 1.0 if self.absolute else self.base

    def number(self, value: float) -> float:
        """A value as a rate, or as a multiple while the base rate is unknown."""
        return value if self.scale is None else self.scale * value

    def told(self, value: float) -> Message:
        """The same in words."""
        if self.scale is None:
            return Message("{multiple:rate} × base", multiple=value)
        return Message("{rate:rate}", rate=self.number(value))
