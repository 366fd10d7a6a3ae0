"""How ``recommend`` spends its budget: a sweep, a climb, and a race on the way of the run itself.

Races from the first weights mislead: what a short run from there can bear is another rate than what
the run wants later. So the run itself begins, its rate climbs until the loss surely rises, and it
goes on well below that. Where its cooldown begins, trials are cooldowns too, and they decide.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from stepsize.errors import TrainingError
from stepsize.find._climb import RATIO, Climb, climb
from stepsize.find._opening import Opening, opening
from stepsize.find._race import lowest, widened
from stepsize.find._trial import Lane, Trial
from stepsize.plan import Plan
from stepsize.schedules import Exponential, Hold, Linear, Schedule, Warmup

__all__ = ["LEVELS", "Course", "Level", "StageRace"]

_SHORTEST = 8
_RETRIES = 2
_LOWER = 0.1
# All in parts of the run.
_PER_RATIO = 0.03
_WINDOW = 0.01
_WARMUP = 0.02
# A short cooldown is won by a rate that is too low for a longer one: on most of the
# benchmark's open tasks the best rate grew about as the length to this power.
_EXPONENT = 0.25
# The climb's own rate is worse evidence than the race, but errs otherwise.
_CLIMB_COUNTS = 0.25


@dataclass(frozen=True)
class Level:
    """What may be spent.

    Args:
        cost: Most steps, the run itself included, in parts of the run: what is stated less what is
            left to evaluations.
        sweep: Most steps of the opening sweep, in parts of the run.
        trial: Length of a trial, in parts of the run.
        most: Most trials; no race if 0.
        fewest: Steps of a run below which trials would be too short to tell anything.
    """

    cost: float
    sweep: float
    trial: float
    most: int
    fewest: int


LEVELS = {
    "fast": Level(1.12, 0.03, 0, 0, 400),
    "default": Level(1.29, 0.05, 0.045, 4, 200),
    "thorough": Level(2.0, 0.05, 0.16, 5, 200),
}


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
        self._base = base
        self._warmup = Warmup(max(1, round(_WARMUP * plan.steps)) + 1).skip(1)
        # Where the plan's cooldown begins.
        self.position = plan.steps - round(plan.cooldown.value)
        self.begun: Schedule = Hold(0)
        self.losses: list[float] = []
        self.races: list[StageRace] = []

    def sail(self) -> tuple[Opening, Climb, float]:
        """All of it: what the opening and the climb said, and the rate for the rest."""
        steps = self._plan.steps
        sweep = max(_SHORTEST, round(self._level.sweep * steps))
        seen = opening(self._lane, self._base, sweep, self._call)
        self._lane.back()
        climbed = self._climb(seen.rate / RATIO)
        rate = self._hold(climbed)
        if self._level.most:
            self._lane.move()
            rate = self._race(rate)
            self._lane.back()
        return seen, climbed, rate

    def _climb(self, start: float) -> Climb:
        """From ``start``; from a tenth of it where that has broken the model."""
        steps = self._plan.steps
        per = max(1, round(_PER_RATIO * steps))
        rising = self._warmup >> Exponential(RATIO, per)
        every, window = max(1, per // 2), round(_WINDOW * steps)
        found = climb(self._lane, start, rising, self.position, window, every)
        for _ in range(_RETRIES):
            if not found.is_broken:
                break
            self._lane.back()
            start *= _LOWER
            found = climb(self._lane, start, rising, self.position, window, every)
        self._lane.go_to(found.snapshot)
        if found.position:
            begun = found.losses[: found.position].tolist()
            self._append(rising.until(found.position), start, begun)
        return found

    def _hold(self, climbed: Climb) -> float:
        """At the rate that the climb found, up to the cooldown; at a tenth where that diverges."""
        rate, left = climbed.rate, self.position - climbed.position
        if not left:
            return rate
        shape = Hold(left) if climbed.position else (self._warmup >> Hold(left)).until(left)
        multiples = shape.values(left).tolist()
        ended: str | None = None
        for _ in range(_RETRIES + 1):
            losses, ended = self._lane.advance(rate, multiples)
            if ended is None:
                self._append(shape, rate, losses)
                return rate
            self._lane.go_to(climbed.snapshot)
            rate *= _LOWER
        raise TrainingError(
            f"{self._call}: the run must not diverge on its way to step {self.position}, but "
            f"{ended} even at rate {rate / _LOWER:.3g}. Check the data for NaN, clip the "
            "gradients, or give the optimizer a lower lr."
        )

    def _append(self, shape: Schedule, rate: float, losses: Sequence[float]) -> None:
        self.begun = self.begun >> shape * (rate / self._base)
        self.losses += losses

    def _race(self, rate: float) -> float:
        """What follows is the same cooldown, only longer."""
        spare = (self._level.cost - 1) * self._plan.steps - (self._lane.steps - self.position)
        wanted = max(_SHORTEST, round(self._level.trial * self._plan.steps))
        length = max(1, min(wanted, int(spare / self._level.most)))
        trials = widened(self._lane, (rate / RATIO, rate), Linear(length), length, self._level.most)
        longer = (self._plan.cooldown.value / length) ** _EXPONENT
        raced = min(longer * _best_of(trials), highest_safe(trials))
        found = rate**_CLIMB_COUNTS * raced ** (1 - _CLIMB_COUNTS)
        self.races.append(StageRace(self.position, tuple(trials), found))
        return found


def _best_of(trials: Sequence[Trial]) -> float:
    return lowest([each.rate for each in trials], [each.loss for each in trials])


def highest_safe(trials: Sequence[Trial]) -> float:
    """Half of the way, in log rate, from the highest trial that ended to the next one."""
    diverged = [each.rate for each in trials if math.isinf(each.loss)]
    if not diverged:
        return math.inf
    edge = min(diverged)
    return math.sqrt(edge * max((each.rate for each in trials if each.rate < edge), default=edge))
