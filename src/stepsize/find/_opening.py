"""The opening sweep: a few percent of a run that say where its race should begin."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stepsize.errors import TrainingError
from stepsize.find._trial import Lane
from stepsize.schedules import Constant

__all__: list[str] = []

_LOWEST, _HIGHEST = 1e-2, 1e4
_SMOOTHING = 0.7
# One standard deviation of the moving average of independent noise of size 1.
_LEFT = math.sqrt((1 - _SMOOTHING) / (1 + _SMOOTHING))
_FIRST = 8
_QUIET = 10
_IN_A_ROW = 2
_RISE, _RISE_PART = 4.0, 0.02
_FALL = 10.0
# From where the loss surely rises down to where a race may begin: chosen on the benchmark's tasks.
_BELOW_RISE = 10**-1.1


@dataclass(frozen=True)
class Opening:
    """What the sweep saw.

    Args:
        rates: The rates, ascending by equal ratios, one step each; shape (n,).
        losses: The training loss before each step; shape (n,).
        rate: Where a race should begin.
        reason: How it was read.
    """

    rates: NDArray[np.float64]
    losses: NDArray[np.float64]
    rate: float
    reason: str


def opening(lane: Lane, base: float, steps: int, call: str) -> Opening:
    """Raise the rate from ``base``/100 towards 10,000 × ``base`` until the loss surely rises.

    Where the loss fell before, by ten times its noise, the race begins at the rate at which half of
    that was reached. Elsewhere only the rise can be read, and the race begins a factor of 13 below.

    Raises:
        TrainingError: The first loss is not finite, or the loss is constant.
    """
    growth = (_HIGHEST / _LOWEST) ** (1 / steps)
    rise = _Rise()
    rates: list[float] = []
    losses: list[float] = []
    for index in range(steps):
        rate = base * _LOWEST * growth**index
        (loss,), ended = lane.advance(rate, Constant(1).values(1).tolist())
        if not losses and not math.isfinite(loss):
            raise TrainingError(
                f"{call}: the training loss must be finite before the first step, but is {loss}. "
                "Check the data and the initial weights for NaN."
            )
        rates.append(rate)
        losses.append(loss)
        if ended is not None or rise.sees(loss):
            break
    return _read(np.array(rates), np.array(losses), call)


class _Rise:
    """Tells when the smoothed loss surely lies above its lowest value."""

    def __init__(self) -> None:
        self._losses: list[float] = []
        self._sum = self._weight = 0.0
        self._lowest = math.inf
        self._above = 0

    def sees(self, loss: float) -> bool:
        noise = _noise(np.array(self._losses)) if len(self._losses) >= _QUIET else math.inf
        self._losses.append(loss)
        self._sum = _SMOOTHING * self._sum + (1 - _SMOOTHING) * loss
        self._weight = _SMOOTHING * self._weight + 1 - _SMOOTHING
        mean = self._sum / self._weight
        limit = self._lowest + max(_RISE * noise, _RISE_PART * abs(self._lowest))
        self._above = self._above + 1 if mean > limit else 0
        self._lowest = min(self._lowest, mean)
        return self._above >= _IN_A_ROW


def _noise(losses: NDArray[np.float64]) -> float:
    """Of the smoothed loss, from the median difference of neighbours: a trend hardly enters it."""
    return 1.48 * float(np.median(np.abs(np.diff(losses)))) / math.sqrt(2) * _LEFT


def _read(rates: NDArray[np.float64], losses: NDArray[np.float64], call: str) -> Opening:
    finite = losses[np.isfinite(losses)]
    if len(finite) > _IN_A_ROW and np.ptp(finite) <= 1e-12 * np.max(np.abs(finite)):
        raise TrainingError(
            f"{call}: the loss did not move: it was {finite[0]:g} at every rate up to "
            f"{rates[-1]:.3g}. Check that it depends on the optimizer's parameters."
        )
    means = _smoothed(finite)
    lowest = int(np.argmin(means))
    start = float(np.median(means[:_FIRST]))
    fall = start - float(means[lowest])
    if lowest > _FIRST // 2 and fall > _FALL * _noise(finite[:-1]):
        begun = _FIRST // 2
        half = begun + int(np.argmax(means[begun : lowest + 1] < start - fall / 2))
        rate = float(rates[half])
        reason = (
            f"sweeping up from {rates[0]:.2g}, half of the loss's fall was reached at {rate:.3g}"
        )
    else:
        rate = float(rates[-1]) * _BELOW_RISE
        reason = (
            f"sweeping up from {rates[0]:.2g}, the loss hardly fell, and rose from {rates[-1]:.3g} "
            f"on: begun a factor of {1 / _BELOW_RISE:.0f} below, at {rate:.3g}"
        )
    return Opening(rates, losses, rate, reason)


def _smoothed(losses: Sequence[float] | NDArray[np.float64]) -> NDArray[np.float64]:
    means: list[float] = []
    total = weight = 0.0
    for loss in losses:
        total = _SMOOTHING * total + (1 - _SMOOTHING) * float(loss)
        weight = _SMOOTHING * weight + 1 - _SMOOTHING
        means.append(total / weight)
    return np.array(means)
