"""Levels, noise and falls of a noisy curve."""

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Final, Self, TypeAlias

import numpy as np
from numpy.typing import NDArray

from stepsize.statistics import NORMAL_PER_MAD, deviation

__all__ = ["Array", "Fall", "Trend"]

Array: TypeAlias = NDArray[np.float64]

_MEDIAN_ERROR: Final = 1.2533
"""Standard error of a median over that of a mean, of a normal distribution."""

_MOST_WINDOWS: Final = 100
_FEWEST_IN_WINDOW: Final = 5
_AT_ONCE: Final = 50_000


@dataclass(frozen=True)
class Fall:
    """How far a curve came down over a stretch, and how well that is known.

    Args:
        size: Level of the first third minus level of the last third; NaN if there are too few
            points to tell.
        error: The standard error of ``size``, from the scatter of the points.
    """

    size: float
    error: float

    @property
    def is_known(self) -> bool:
        """Whether there were points enough."""
        return math.isfinite(self.error) and math.isfinite(self.size)

    def exceeds(self, errors: float) -> bool:
        """Whether it is known to be a fall, by so many standard errors."""
        return self.is_known and self.size > errors * self.error

    def is_a_rise(self, errors: float) -> bool:
        """Whether it is known to be a rise, by so many standard errors."""
        return self.is_known and -self.size > errors * self.error


@dataclass(frozen=True)
class Trend:
    """A curve of finite values in the order of its positions.

    Args:
        positions: Shape (n,), not falling.
        values: Shape (n,), finite.
    """

    positions: Array
    values: Array

    def __len__(self) -> int:
        return len(self.values)

    def between(self, start: float, end: float) -> Self:
        """The points from ``start`` to ``end``, both included."""
        inside = (self.positions >= start) & (self.positions <= end)
        return type(self)(self.positions[inside], self.values[inside])

    @property
    def level(self) -> float:
        """The median; NaN without points."""
        return float(np.median(self.values)) if len(self) else math.nan

    @property
    def spacing(self) -> float:
        """The usual distance from a point to the next; 0 for fewer than two."""
        return float(np.median(np.diff(self.positions))) if len(self) > 1 else 0.0

    @cached_property
    def noise(self) -> float:
        """The standard deviation of a point about its neighbours.

        From second differences, so that a trend does not count; from their median, so that spikes
        do not.
        """
        if len(self) < 3:
            return 0.0
        middle = self.values[1:-1] - (self.values[:-2] + self.values[2:]) / 2
        return NORMAL_PER_MAD * float(np.median(np.abs(middle))) / math.sqrt(1.5)

    @cached_property
    def scatter(self) -> float:
        """The standard deviation of a point about the straight line through the curve's thirds."""
        if len(self) < 6:
            return self.noise
        return deviation(self.values - self.line)

    @cached_property
    def line(self) -> Array:
        """The straight line through the medians of the first and the last third: shape (n,)."""
        third = max(1, len(self) // 3)
        first, last = self.positions[:third].mean(), self.positions[-third:].mean()
        low, high = np.median(self.values[:third]), np.median(self.values[-third:])
        if last == first:
            return np.full(len(self), self.level)
        return low + (high - low) * (self.positions - first) / (last - first)

    @cached_property
    def fall(self) -> Fall:
        """How far it came down from its first third to its last."""
        third = len(self) // 3
        if third < 2:
            return Fall(math.nan, math.inf)
        size = float(np.median(self.values[:third]) - np.median(self.values[-third:]))
        return Fall(size, math.sqrt(2 / third) * _MEDIAN_ERROR * max(self.noise, self.scatter))

    @cached_property
    def windows(self) -> tuple[Array, Array]:
        """Positions and medians of at most a hundred windows with equally many points."""
        count = min(_MOST_WINDOWS, len(self) // _FEWEST_IN_WINDOW)
        if count < 2:
            return self.positions, self.values
        middles = [float(each.mean()) for each in np.array_split(self.positions, count)]
        levels = [float(np.median(each)) for each in np.array_split(self.values, count)]
        return np.array(middles), np.array(levels)

    def running_median(self, reach: int) -> Array:
        """At each point, the median of it and ``reach`` neighbours on each side: shape (n,).

        At the ends there are fewer neighbours, as many on either side.
        """
        reach = min(reach, (len(self) - 1) // 2)
        if reach < 1:
            return self.values.copy()
        windows = np.lib.stride_tricks.sliding_window_view(self.values, 2 * reach + 1)
        # The median copies its windows: in parts, so that a long curve needs little memory.
        parts = [
            np.median(windows[start : start + _AT_ONCE], axis=1)
            for start in range(0, len(windows), _AT_ONCE)
        ]
        begin = [np.median(self.values[: 2 * index + 1]) for index in range(reach)]
        end = [np.median(self.values[len(self) - 2 * index - 1 :]) for index in range(reach)]
        return np.concatenate([begin, *parts, end[::-1]])
