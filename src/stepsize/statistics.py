"""Robust statistics of noisy curves: levels, deviations, moving averages, minima of many values."""

import math
from dataclasses import dataclass
from statistics import NormalDist
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = [
    "NORMAL_PER_MAD",
    "MovingAverage",
    "RunningMinimum",
    "before_divergence",
    "deviation",
    "expected_minimum",
    "neighbour_deviation",
]

NORMAL_PER_MAD: Final = 1.4826
"""Standard deviation over median absolute deviation, of a normal distribution."""

_BLOM: Final = 0.375


def deviation(values: ArrayLike) -> float:
    """The robust standard deviation: ``NORMAL_PER_MAD`` times the median absolute deviation.

    Half of the values may be anything. 0 for fewer than two values.

    >>> round(deviation([1, 2, 3, 4, 1000]), 4)
    1.4826
    """
    given = np.asarray(values, dtype=float)
    if given.size < 2:
        return 0.0
    return NORMAL_PER_MAD * float(np.median(np.abs(given - np.median(given))))


def neighbour_deviation(values: ArrayLike) -> float:
    """The standard deviation of independent noise, from differences of neighbours.

    A trend that is slow beside the noise does not enter it. 0 for fewer than two values.

    >>> round(neighbour_deviation([0, 1, 0, 1, 0]), 4)
    1.0484
    """
    given = np.asarray(values, dtype=float)
    if given.size < 2:
        return 0.0
    return NORMAL_PER_MAD * float(np.median(np.abs(np.diff(given)))) / math.sqrt(2)


def before_divergence(losses: NDArray[np.float64]) -> NDArray[np.float64]:
    """A range test's losses, cut off a little above the highest of those before the lowest.

    A loss that has diverged would leave nothing of the rest to see.

    Args:
        losses: Shape (n,).

    Returns:
        The same where it is below the cut; shape (n,).

    >>> before_divergence(np.array([np.nan, 2.0, 1.0, 1.9, 1e30]))
    array([ nan, 2.  , 1.  , 1.9 , 2.25])
    """
    if not np.isfinite(losses).any():
        return losses
    turn = int(np.nanargmin(losses))
    # A loss that only rose has nothing before its lowest value: half of it stays to be seen.
    top = max(float(np.nanmax(losses[: turn + 1])), float(np.nanmedian(losses)))
    return np.minimum(losses, top + 0.25 * (top - losses[turn]))


def expected_minimum(count: float) -> float:
    """How many standard deviations the lowest of ``count`` normal values lies below their mean.

    Blom's approximation, about √(2 ln count): a value is compared with a minimum fairly only if
    this much is added to the minimum.

    Args:
        count: How many independent values the minimum was taken over, >= 1.

    >>> [round(expected_minimum(count), 2) for count in (1, 10, 1000, 100_000)]
    [0.0, 1.55, 3.23, 4.37]

    Source: Blom 1958, Statistical Estimates and Transformed Beta-Variables.
    """
    if count <= 1:
        return 0.0
    return -NormalDist().inv_cdf((1 - _BLOM) / (count - 2 * _BLOM + 1))


@dataclass(frozen=True, slots=True)
class MovingAverage:
    """An exponential moving average without the bias of its beginning. A value: ``add`` gives the
    next one.

    Args:
        decay: The weight of what was before, from 0 to below 1.
        total: The weighted sum so far.
        weight: The sum of the weights so far.

    >>> average = MovingAverage(0.9).add(1.0).add(2.0)
    >>> round(average.value, 3)
    1.526
    """

    decay: float
    total: float = 0.0
    weight: float = 0.0

    def add(self, value: float) -> "MovingAverage":
        """The average that has seen ``value`` too."""
        left = self.decay
        return MovingAverage(
            left, left * self.total + (1 - left) * value, left * self.weight + 1 - left
        )

    @property
    def value(self) -> float:
        """The average; NaN before the first value."""
        return self.total / self.weight if self.weight else math.nan

    @property
    def noise(self) -> float:
        """The deviation of the average of many values, as a part of that of each."""
        return math.sqrt((1 - self.decay) / (1 + self.decay))


@dataclass(frozen=True, slots=True)
class RunningMinimum:
    """The lowest value so far, and how many values it was taken over. A value: ``add`` gives the
    next one.

    >>> minimum = RunningMinimum().add(3.0).add(2.0).add(5.0)
    >>> minimum.value, minimum.count
    (2.0, 3)
    """

    value: float = math.inf
    count: int = 0

    def add(self, value: float) -> "RunningMinimum":
        """The minimum that has seen ``value`` too."""
        return RunningMinimum(min(self.value, value), self.count + 1)

    def level(self, noise: float) -> float:
        """The level around which values of this deviation would have had this minimum.

        Args:
            noise: The standard deviation of independent values.
        """
        return self.value + noise * expected_minimum(self.count)
