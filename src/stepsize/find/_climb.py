"""The climb: the run begins at a low rate and raises it, slowly, until the loss surely rises."""

import math
from collections import deque
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stepsize.find._trial import Lane
from stepsize.schedules import Schedule

__all__: list[str] = []

RATIO = 10 ** (1 / 3)
# Chosen on the benchmark's open tasks.
_BACK = RATIO**2
_SURELY = 5.0
_PART, _PART_UNFALLEN = 0.05, 0.5
_SHORTEST_WINDOW = 6
_RECENT = 6
# Snapshots stand half a RATIO apart: as many as reach back over _BACK, and one more.
_KEPT = 6
_NO_BETTER = 0.02


@dataclass(frozen=True)
class Climb:
    """How far the rate was raised, and where the run goes on.

    Args:
        rates: The rate of each step; shape (n,).
        losses: The training loss before each step; shape (n,).
        edge: The rate at which the loss surely rose; None if it did not.
        rate: The rate to go on with: a factor of 4.6 below the edge, or the last one.
        position: The step to go on from.
        snapshot: The training there.
        is_broken: Whether the loss never fell and the model is no better than before: it began too
            high.
    """

    rates: NDArray[np.float64]
    losses: NDArray[np.float64]
    edge: float | None
    rate: float
    position: int
    snapshot: Any
    is_broken: bool

    @property
    def reason(self) -> str:
        """How its rate was read."""
        if self.edge is None:
            return f"the loss did not rise up to {self.rates[-1]:.3g}, where the climb ended"
        return (
            f"rising slowly, the rate reached {self.edge:.3g} before the loss surely rose; "
            f"{self.rate:.3g} is a factor of {_BACK:.1f} below"
        )


def climb(
    lane: Lane, start: float, multiples: Schedule, steps: int, window: int, every: int
) -> Climb:
    """Follow ``start`` × ``multiples``, which rise, for at most ``steps`` from where the lane is.

    A loss that fell before has surely risen where its moving average lies 5 % and five times its
    own noise above its lowest value. One that never fell, as in adversarial training, must rise by
    half: it may rise without being lost.

    Args:
        lane: Where it runs.
        start: The rate that ``multiples`` multiply.
        multiples: Of the rate, by step.
        steps: Most steps.
        window: Of the moving average, in steps.
        every: Steps between snapshots.
    """
    watch = _Watch(max(_SHORTEST_WINDOW, window))
    kept: deque[tuple[int, float, Any]] = deque([(0, 0.0, lane.snapshot())], maxlen=_KEPT)
    first = kept[0]
    rates: list[float] = []
    losses: list[float] = []
    edge: float | None = None
    is_broken = False
    while len(losses) < steps and edge is None:
        multiple = float(multiples(len(losses)))
        rates.append(start * multiple)
        (loss,), ended = lane.advance(start, [multiple])
        losses.append(loss)
        if ended is not None or watch.sees(loss):
            edge = rates[-1]
        is_checked = edge is not None or len(losses) == watch.patience
        if is_checked and not watch.has_fallen and _is_no_better(lane):
            is_broken = True
            break
        if len(losses) % every == 0:
            kept.append((len(losses), rates[-1], lane.snapshot()))
    rate = rates[-1] if edge is None else edge / _BACK
    below = [each for each in kept if each[1] <= rate]
    position, _, snapshot = below[-1] if below else first
    return Climb(np.array(rates), np.array(losses), edge, rate, position, snapshot, is_broken)


def _is_no_better(lane: Lane) -> bool:
    return math.isfinite(lane.first) and lane.measure() > lane.first - _NO_BETTER * abs(lane.first)


class _Watch:
    """Tells when the moving average of a loss has surely fallen, and when it has surely risen."""

    def __init__(self, window: int) -> None:
        self._window = window
        self._keep = 1 - 1 / window
        # One standard deviation of the moving average of independent noise of size 1.
        self._left = math.sqrt((1 - self._keep) / (1 + self._keep))
        self._losses: list[float] = []
        self._sum = self._weight = 0.0
        self._begun = self._lowest = math.inf
        self.has_fallen = False

    @property
    def patience(self) -> int:
        """Steps after which a loss that learns has fallen."""
        return 8 * self._window

    def sees(self, loss: float) -> bool:
        self._losses.append(loss)
        self._sum = self._keep * self._sum + (1 - self._keep) * loss
        self._weight = self._keep * self._weight + 1 - self._keep
        mean = self._sum / self._weight
        seen = len(self._losses)
        if seen == self._window:
            self._begun = self._lowest = float(np.mean(self._losses))
        if seen < 2 * self._window:
            return False
        noise = self._noise()
        fall = self._begun - mean
        self.has_fallen |= fall > max(_SURELY * noise, _PART * abs(self._begun))
        part = _PART if self.has_fallen else _PART_UNFALLEN
        has_risen = mean > self._lowest + max(_SURELY * noise, part * abs(self._lowest))
        self._lowest = min(self._lowest, mean)
        return has_risen

    def _noise(self) -> float:
        """Of the moving average, from neighbours' differences: a trend hardly enters them."""
        recent = np.abs(np.diff(self._losses[-_RECENT * self._window :]))
        return 1.48 * float(np.median(recent)) / math.sqrt(2) * self._left
