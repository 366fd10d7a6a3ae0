"""How ``recommend`` spends its budget: an opening sweep, then races on the way of the run itself.

Races from the first weights mislead: what a short run from there can bear is another rate than what
the run wants later. So the run itself begins, at a rate that leans low, and is raced where it has
come to; the last race stands where its cooldown begins, and trials there are cooldowns too.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from stepsize.errors import TrainingError
from stepsize.find._opening import Opening, opening
from stepsize.find._race import is_bracketed, lowest, widened
from stepsize.find._trial import Lane, Trial
from stepsize.plan import Plan
from stepsize.schedules import Linear, Schedule

__all__ = ["LEVELS", "Leg", "Level", "Stage", "StageRace"]

_RATIO = 10 ** (1 / 3)
_SHORTEST = 8
_RETRIES = 2
_RESTART = 0.1
_STUCK = 0.005
# Chosen on the benchmark's tasks; those that it keeps aside were not looked at.
_AS_GOOD = 0.003
_LEAN = 0.45
_KEEP = 0.7
_DOWNWARDS = 0.1


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
    """What may be spent.

    Args:
        cost: Most steps, the run itself included, in parts of the run.
        sweep: Most steps of the opening sweep, in parts of the run.
        stages: The races, in order.
    """

    cost: float
    sweep: float
    stages: tuple[Stage, ...]


LEVELS = {
    "fast": Level(1.1, 0.04, (Stage(0.2, 0.018, 3),)),
    "default": Level(1.3, 0.05, (Stage(0.1, 0.016, 4), Stage(0.3, 0.04, 4))),
    "thorough": Level(2.1, 0.05, (Stage(0.1, 0.05, 5), Stage(0.3, 0.15, 5))),
}


@dataclass(frozen=True)
class Leg:
    """A piece of the run that was sailed: positions ``start`` to ``end`` - 1 at a peak ``rate``."""

    start: int
    end: int
    rate: float


@dataclass(frozen=True)
class StageRace:
    """A race on the way, and what followed.

    Args:
        at: Its position.
        trials: By rate.
        rate: The rate at which the run went on.
    """

    at: int
    trials: tuple[Trial, ...]
    rate: float


class Course:
    """The first part of a run, and how its rate was found on the way.

    Args:
        lane: Where trials run; its start is the run's.
        plan: The run's shape.
        base: The largest base rate: the sweep goes around it.
        level: What may be spent.
        call: The call that messages name.
    """

    def __init__(self, lane: Lane, plan: Plan, base: float, level: Level, call: str) -> None:
        self._lane, self._plan, self._level, self._call = lane, plan, level, call
        self._multiples = plan.schedule.values(plan.steps)
        self._base = base
        self.position = 0
        self.legs: list[Leg] = []
        self.losses: list[float] = []
        self.races: list[StageRace] = []

    def sail(self) -> tuple[Opening, float]:
        """All of it: what the opening said, and the rate for the rest."""
        steps = self._plan.steps
        seen = opening(
            self._lane, self._base, max(_SHORTEST, round(self._level.sweep * steps)), self._call
        )
        self._lane.back()
        rate = seen.rate
        for number, stage in enumerate(self._level.stages):
            rate = self._leg(rate, round(stage.at * steps), first=number == 0)
            self._lane.move()
            is_last = number == len(self._level.stages) - 1
            left = len(self._level.stages) - number
            rate = self._cooldowns(rate, stage) if is_last else self._early(rate, stage, left)
            self._lane.back()
        return seen, rate

    def _leg(self, rate: float, end: int, first: bool) -> float:
        """Follow the plan to ``end``; at a tenth of the rate where that leads nowhere."""
        multiples = self._multiples[self.position : end].tolist()
        ended: str | None = None
        for attempt in range(_RETRIES + 1):
            losses, ended = self._lane.advance(rate, multiples)
            if ended is None and not (first and attempt == 0 and self._is_stuck()):
                self.legs.append(Leg(self.position, end, rate))
                self.losses += losses
                self.position = end
                return rate
            self._lane.back()
            rate *= _RESTART
        raise TrainingError(
            f"{self._call}: the run must not diverge on its way to step {end}, but {ended} even at "
            f"rate {rate / _RESTART:.3g}. Check the data for NaN, clip the gradients, or give the "
            "optimizer a lower lr."
        )

    def _is_stuck(self) -> bool:
        """Whether the model is no better than before the first step: the rate has broken it."""
        first = self._lane.first
        return self._lane.measure() > first - _STUCK * abs(first)

    def _length(self, stage: Stage, left: int) -> int:
        """Of a trial: as the stage asks, or what the budget leaves for it."""
        spare = self._level.cost * self._plan.steps - self._plan.steps
        spare -= self._lane.steps - self.position
        affordable = int(spare / left / stage.most)
        return max(1, min(max(_SHORTEST, round(stage.length * self._plan.steps)), affordable))

    def _early(self, rate: float, stage: Stage, left: int) -> float:
        """A race that only keeps the run going well: from its winner, lean low."""
        length = self._length(stage, left)
        shape = Linear(length)
        trials = [self._lane.run(each, shape, length) for each in (rate, rate * _RATIO)]
        best = _highest_as_good(trials)
        while len(trials) < stage.most and best in (0, len(trials) - 1):
            if best == 0:
                trials.insert(0, self._lane.run(trials[0].rate / _RATIO, shape, length))
            else:
                trials.append(self._lane.run(trials[-1].rate * _RATIO, shape, length))
            best = _highest_as_good(trials)
        # The highest one may still be too low, and then leaning lower would be wrong twice.
        found = trials[best].rate * (_LEAN if best < len(trials) - 1 else 1.0)
        return self._note(trials, found)

    def _cooldowns(self, rate: float, stage: Stage) -> float:
        """The race that decides: what follows is the same cooldown, only longer."""
        length = self._length(stage, 1)
        before = self._lane.measure()
        trials = widened(
            self._lane, (rate, rate * _RATIO), Linear(length), length, stage.most
        )
        found = keeping(trials, before, _KEEP)
        if found < rate:
            # A short cooldown is won by a rate that is too low for a long one.
            found = rate * (found / rate) ** _DOWNWARDS
        return self._note(trials, found)

    def _note(self, trials: Sequence[Trial], rate: float) -> float:
        self.races.append(StageRace(self.position, tuple(trials), rate))
        return rate


def _highest_as_good(trials: Sequence[Trial]) -> int:
    best = min(each.loss for each in trials)
    limit = best + _AS_GOOD * abs(best)
    return max(index for index, each in enumerate(trials) if each.loss <= limit)


def keeping(trials: Sequence[Trial], before: float, share: float) -> float:
    """The largest rate that keeps ``share`` of what the best of ``trials`` gained on ``before``.

    Read off the parabola in log rate through the best three, and never above the next rate that was
    tried; the best rate itself where there is no such parabola.
    """
    rates, losses = [each.rate for each in trials], [each.loss for each in trials]
    best = losses.index(min(losses))
    top = lowest(rates, losses)
    if not is_bracketed(trials) or not math.isfinite(losses[best + 1] + losses[best - 1]):
        return top
    three = slice(best - 1, best + 2)
    bend, slope, offset = np.polyfit(np.log(rates[three]), losses[three], 2)
    gain = before - (offset - slope**2 / (4 * bend))
    if not gain > 0:
        return top
    higher = top * math.exp(math.sqrt((1 - share) * gain / bend))
    return float(min(higher, rates[best + 1]))
