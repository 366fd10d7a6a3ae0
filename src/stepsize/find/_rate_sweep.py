"""The sweep that a search begins with: a few steps at rising rates say where trials begin."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stepsize.errors import TrainingError
from stepsize.find._trials import TrialRunner
from stepsize.messages import Message
from stepsize.statistics import MovingAverage, RunningMinimum, neighbour_deviation
from stepsize.words import number_text

__all__ = ["RateSweep"]

_BELOW_BASE = 100.0
_DECADES, _MOST_DECADES = 6.0, 8.0
_SHARE, _FEWEST, _MOST = 0.03, 30, 100
_SMOOTHING = 0.7
_IN_A_ROW = 2
_SETTLED = 0.8
_WIDE, _DEVIATIONS_OF_WIDE = 0.9, 1.645
_QUIET = 10
_GROWTH = 1.1
_DEVIATIONS, _PART_OF_LOWEST, _PART_OF_FALL = 7.0, 0.02, 0.1
_FIRST = 8
# A fall this many times the noise of the average is a fall.
_FELL = 10.0
_BELOW_FALL = 2.0
_BELOW_END, _STEPS_BEFORE_END = 26.0, 3


@dataclass(frozen=True)
class RateSweep:
    """What the sweep measured, and where trials begin.

    Args:
        rates: The rates, ascending by equal ratios, one step each; shape (n,).
        losses: The training loss before each step; shape (n,).
        rate: Where trials begin.
        reason: How it was read.
    """

    rates: NDArray[np.float64]
    losses: NDArray[np.float64]
    rate: float
    reason: Message

    @property
    def first_loss(self) -> float:
        """The level at which the losses began."""
        finite = self.losses[np.isfinite(self.losses)]
        return float(np.median(finite[: _FIRST // 2]))


class RiseDetector:
    """Tells when the smoothed loss surely lies above its lowest level.

    A running minimum sinks the more noisy values it is taken over, so it is compared at the level
    around which as many values would have had it.
    """

    def __init__(self) -> None:
        self._average = MovingAverage(_SMOOTHING)
        self._lowest = RunningMinimum()
        self._losses: list[float] = []
        self._noise = math.inf
        self._measured_next = _QUIET
        self._above = 0
        self._start = math.nan

    def add(self, loss: float) -> bool:
        """Take one loss; True if the loss has risen."""
        if len(self._losses) >= self._measured_next:
            self._noise = _wide_deviation(self._losses) * self._average.noise
            self._measured_next = math.ceil(_GROWTH * len(self._losses))
        self._losses.append(loss)
        self._average = self._average.add(loss)
        mean = self._average.value
        if len(self._losses) == _FIRST:
            self._start = mean
        self._above = self._above + 1 if mean > self._limit() else 0
        if self._average.weight > _SETTLED:  # the first averages are as noisy as the losses
            self._lowest = self._lowest.add(mean)
        return self._above >= _IN_A_ROW

    def _limit(self) -> float:
        if not math.isfinite(self._noise):
            return math.inf
        lowest = self._lowest.value
        level = self._lowest.level(self._noise)
        fall = max(0.0, self._start - level)
        return level + max(
            _DEVIATIONS * self._noise, _PART_OF_LOWEST * abs(lowest), _PART_OF_FALL * fall
        )


def _wide_deviation(losses: Sequence[float]) -> float:
    """The deviation of the losses' noise, from the wide differences of neighbours.

    Losses have long tails, which a median of the differences does not see.
    """
    differences = np.abs(np.diff(np.array(losses)))
    return float(np.quantile(differences, _WIDE)) / (_DEVIATIONS_OF_WIDE * math.sqrt(2))


def sweep_length(steps: int) -> tuple[int, float]:
    """The most steps of the sweep for a run of ``steps``, and the ratio of neighbouring rates."""
    per_six_decades = min(max(round(_SHARE * steps), _FEWEST), _MOST)
    return round(per_six_decades * _MOST_DECADES / _DECADES), 10 ** (_DECADES / per_six_decades)


def sweep_rates(runner: TrialRunner, steps: int, call: str) -> RateSweep:
    """Raise the rate from a hundredth of the base until the loss surely rises, at most 8 decades.

    Raises:
        TrainingError: The first loss is not finite, or the loss is constant.
    """
    most, ratio = sweep_length(steps)
    rise = RiseDetector()
    rates: list[float] = []
    losses: list[float] = []
    for index in range(most):
        rate = runner.base / _BELOW_BASE * ratio**index
        (loss,), ended = runner.advance(rate, [1.0])
        if not losses and not math.isfinite(loss):
            raise TrainingError(
                call,
                "the training loss must be finite before the first step",
                f"is {loss}",
                "Check the data and the initial weights for NaN.",
            )
        rates.append(rate)
        losses.append(loss)
        if ended is not None or rise.add(loss):
            break
    return _read(np.array(rates), np.array(losses), call)


def _read(rates: NDArray[np.float64], losses: NDArray[np.float64], call: str) -> RateSweep:
    finite = losses[np.isfinite(losses)]
    if len(finite) > _IN_A_ROW and np.ptp(finite) <= 1e-12 * np.max(np.abs(finite)):
        raise TrainingError(
            call,
            "the loss must move with the rate",
            f"the loss did not move: it was {number_text(float(finite[0]))} at every rate up to "
            f"{number_text(float(rates[-1]), 3)}",
            "Check that it depends on the optimizer's parameters.",
        )
    means = _smoothed(finite)
    lowest = int(np.argmin(means))
    start = float(np.median(means[:_FIRST]))
    fall = start - float(means[lowest])
    noise = neighbour_deviation(finite[:-1]) * MovingAverage(_SMOOTHING).noise
    if lowest > _FIRST // 2 and fall > _FELL * noise:
        begun = _FIRST // 2
        half = begun + int(np.argmax(means[begun : lowest + 1] < start - fall / 2))
        rate = math.sqrt(float(rates[half]) * float(rates[lowest])) / _BELOW_FALL
        reason = Message(
            "in a sweep up from {low:rate 2} the loss had half fallen at {half:rate 2} and was "
            "lowest at {lowest:rate 2}",
            low=float(rates[0]),
            half=float(rates[half]),
            lowest=float(rates[lowest]),
        )
        return RateSweep(rates, losses, rate, reason)
    end = float(rates[max(0, len(rates) - 1 - _STEPS_BEFORE_END)])
    reason = Message(
        "in a sweep from {low:rate 2} to {high:rate 2} the loss hardly fell",
        low=float(rates[0]),
        high=float(rates[-1]),
    )
    return RateSweep(rates, losses, end / _BELOW_END, reason)


def _smoothed(losses: NDArray[np.float64]) -> NDArray[np.float64]:
    average = MovingAverage(_SMOOTHING)
    means: list[float] = []
    for loss in losses.tolist():
        average = average.add(loss)
        means.append(average.value)
    return np.array(means)
