"""How ``recommend`` spends its budget: a sweep, then races on the way of the run itself."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from stepsize.errors import TrainingError
from stepsize.find._race import is_bracketed, lowest, widened
from stepsize.find._trial import Lane, Trial
from stepsize.plan import default_plan
from stepsize.schedules import Constant, Linear, Schedule
from stepsize.training import Training

__all__: list[str] = []

SWEEP_LOW, SWEEP_HIGH, BELOW = 1e-2, 1e4, 10**(-2/3)
RACE_RATIO = 10 ** (1 / 3)
_MOST_CLIMBS = 9
_SHORTEST = 8
_SURELY = 1.0


@dataclass(frozen=True)
class Stage:
    """A race on the way.

    Args:
        at: Where it stands, in parts of the run.
        length: Length of a trial, in parts of the run.
        most: Most trials.
    """

    at: float
    length: float
    most: int


@dataclass(frozen=True)
class Level:
    """What a level may spend.

    Args:
        cost: Most work in full runs, the run itself included.
        sweep: Length of a trial of the sweep, in parts of the run.
        stages: The races, in order.
    """

    cost: float
    sweep: float
    stages: tuple[Stage, ...]


LEVELS = {
    "fast": Level(1.1, 0.06, (Stage(0.2, 0.015, 3),)),
    "default": Level(1.3, 0.06, (Stage(0.1, 0.018, 4), Stage(0.3, 0.04, 4))),
    "thorough": Level(2.1, 0.08, (Stage(0.1, 0.05, 5), Stage(0.3, 0.15, 5))),
}
KEEP = 0.85


@dataclass
class Voyage:
    """What happened on the way, and where the run stands."""

    rate: float
    position: int = 0
    multiples: list[float] = field(default_factory=list)
    losses: list[float] = field(default_factory=list)
    sweep: list[tuple[float, float]] = field(default_factory=list)
    races: list[tuple[int, list[Trial]]] = field(default_factory=list)


class Autopilot:
    def __init__(self, training: Training, steps: int, level: Level, lane: Lane, call: str) -> None:
        self._steps, self._level, self._lane, self._call = steps, level, lane, call
        self._training = training
        self._base = max(group.base for group in training.groups)
        beta2 = training.groups[0].beta2
        self.plan = default_plan(steps, beta2)

    def _length(self, part: float) -> int:
        return max(_SHORTEST, round(part * self._steps))

    def travel(self) -> Voyage:
        seen = self._sweep()
        voyage = Voyage(seen[-1][0] * BELOW, sweep=seen)
        self._lane.back()
        for stage in self._level.stages:
            self._sail(voyage, round(stage.at * self._steps))
            self._race(voyage, stage)
        return voyage

    def _sweep(self) -> list[tuple[float, float]]:
        """Raise the rate from step to step until the loss surely rises."""
        count = round(self._level.sweep * self._steps)
        growth = (SWEEP_HIGH / SWEEP_LOW) ** (1 / count)
        watch = Onset()
        seen = []
        self._lane.back()
        for index in range(count):
            rate = self._base * SWEEP_LOW * growth**index
            losses, ended = self._lane.advance(rate, [1.0])
            seen.append((rate, losses[0]))
            if ended or watch.sees(losses[0]):
                break
        return seen

    def _sail(self, voyage: Voyage, until: int) -> None:
        """Follow the plan's own schedule at the present rate."""
        multiples = self.plan.schedule.values(self._steps)[voyage.position : until].tolist()
        losses, ended = self._lane.advance(voyage.rate, multiples)
        if ended is not None:
            raise TrainingError(f"{self._call}: {ended} at {voyage.rate:.3g}")
        voyage.multiples += [each * voyage.rate for each in multiples]
        voyage.losses += losses
        voyage.position = until

    def _race(self, voyage: Voyage, stage: Stage) -> None:
        self._lane.move()
        first = self._lane.measure()
        length = self._length(stage.length)
        rates = [voyage.rate, voyage.rate * RACE_RATIO]
        trials = widened(self._lane, rates, Linear(length), length, stage.most, self._call)
        voyage.races.append((voyage.position, trials))
        voyage.rate = keeping(trials, first, KEEP)
        self._lane.back()


class Onset:
    def __init__(self) -> None:
        self.losses: list[float] = []
        self._ema = self._weight = 0.0
        self._lowest = math.inf

    def sees(self, loss: float) -> bool:
        self.losses.append(loss)
        self._ema = 0.7 * self._ema + 0.3 * loss
        self._weight = 0.7 * self._weight + 0.3
        mean = self._ema / self._weight
        if len(self.losses) > 5:
            differences = np.abs(np.diff(self.losses[:-1]))
            noise = 1.48 * float(np.median(differences)) / math.sqrt(2) * math.sqrt(0.3 / 1.7)
            if mean > self._lowest + max(4 * noise, 0.02 * abs(self._lowest)):
                return True
        self._lowest = min(self._lowest, mean)
        return False


def keeping(trials: Sequence[Trial], first: float, share: float) -> float:
    """The largest rate that keeps ``share`` of what the best trial gained on ``first``.

    Read off the parabola in log rate through the best three, and not above the next rate that was
    tried. A short race is won by a rate that is too low for the rest of the run.
    """
    rates, losses = [each.rate for each in trials], [each.loss for each in trials]
    best = losses.index(min(losses))
    top = lowest(rates, losses)
    if not is_bracketed(trials) or not math.isfinite(losses[best + 1] + losses[best - 1]):
        return top
    x = np.log(rates[best - 1 : best + 2])
    a, b, c = np.polyfit(x, losses[best - 1 : best + 2], 2)
    floor = c - b * b / (4 * a)
    gain = first - floor
    if gain <= 0:
        return top
    shift = math.sqrt((1 - share) * gain / a)
    return float(min(top * math.exp(shift), rates[best + 1]))
