"""Levels, noise and falls of a noisy curve."""

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Final, Self, TypeAlias

import numpy as np
from numpy.typing import NDArray

__all__ = ["Array", "Fall", "Trend"]

Array: TypeAlias = NDArray[np.float64]

NORMAL: Final = 1.4826
"""Standard deviation over median absolute deviation, of a normal distribution."""

_MEDIAN_ERROR: Final = 1.2533
"""Standard error of a median over that of a mean, of a normal distribution."""

_MOST_WINDOWS: Final = 100
_FEWEST_IN_WINDOW: Final = 5
_AT_ONCE: Final = 50_000


@dataclass(frozen=True)
class Fall:
    """How far a curve came down over a stretch, and how well that is known.

    Args:
        size: Level of the first third minus level of the last third.
        error: The standard error of ``size``, from the scatter of the points.
    """

    size: float
    error: float


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
        """The median."""
        return float(np.median(self.values)) if len(self) else math.nan

    @cached_property
    def noise(self) -> float:
        """The standard deviation of a point about its neighbours.

        From second differences, so that a trend does not count; from their median, so that spikes
        do not.
        """
        if len(self) < 3:
            return 0.0
        middle = self.values[1:-1] - (self.values[:-2] + self.values[2:]) / 2
        return NORMAL * float(np.median(np.abs(middle))) / math.sqrt(1.5)

    @cached_property
    def scatter(self) -> float:
        """The standard deviation of a point about the straight line through the curve's thirds."""
        if len(self) < 6:
            return self.noise
        residual = self.values - self.line
        return NORMAL * float(np.median(np.abs(residual - np.median(residual))))

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
            return Fall(0.0, math.inf)
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
        """At each point, the median of it and ``reach`` neighbours on each side: shape (n,)."""
        padded = np.pad(self.values, reach, mode="reflect")
        windows = np.lib.stride_tricks.sliding_window_view(padded, 2 * reach + 1)
        # The median copies its windows: in parts, so that a long curve needs little memory.
        parts = (windows[start : start + _AT_ONCE] for start in range(0, len(self), _AT_ONCE))
        return np.concatenate([np.median(part, axis=1) for part in parts])
