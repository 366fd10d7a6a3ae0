"""How ``recommend`` spends its budget: a sweep, then beginnings of the run, each at its own rate.

What a rate is worth shows late: a run's first steps prefer another rate than the run does, and a
loss at a high rate hides what the cooldown will make of it. So a trial is the true beginning of the
run, from the first weights and as long as can be paid for, and a short cooldown from its end. The
beginning of the best trial is the run's.
"""

import math
from typing import Any

from stepsize.errors import TrainingError
from stepsize.find._opening import Opening, opening
from stepsize.find._race import lowest
from stepsize.find._trial import Lane, Trial
from stepsize.find.levels import Level
from stepsize.plan import RunPlan
from stepsize.schedules import Hold, Linear, Schedule, Warmup

__all__ = ["Course"]

_FAR, _NEAR = 10 ** (2 / 3), 10 ** (1 / 3)
_BEYOND = 10 ** (1 / 6)
_SHORTEST_SWEEP = 8
_SHORTEST_COOLDOWN = 3
_WARMUP = 0.02
_HARDLY = 0.02
# Below what the sweep suggests, and farther where nothing is compared: chosen on the benchmark.
_BELOW_SWEEP, _ALONE = 2.4, 1.5
# A worse neighbour that is far worse says no more than one that is a little worse.
_ENOUGH_WORSE = 2.0


class Course:
    """The first part of a run, and how its rate was found.

    Args:
        lane: Where trials run; its start is the run's.
        plan: The run's shape.
        base: The largest base rate: the sweep goes around it.
        level: What may be spent.
        call: The call that messages name.
    """

    def __init__(self, lane: Lane, plan: RunPlan, base: float, level: Level, call: str) -> None:
        self._lane, self._level, self._base, self._call = lane, level, base, call
        self._steps = plan.steps
        self.position = max(_SHORTEST_SWEEP, round(level.beginning * plan.steps))
        self._cooldown = max(_SHORTEST_COOLDOWN, round(level.cooldown * plan.steps))
        # Where the plan's cooldown begins.
        self._held = max(self.position, plan.steps - round(plan.cooldown.value))
        warmup = max(1, round(_WARMUP * plan.steps))
        self._shape = Warmup(warmup + 1).skip(1) >> Hold(self.position - warmup)
        self._trials: dict[float, Trial] = {}
        self._end: Any = None

    @property
    def trials(self) -> tuple[Trial, ...]:
        """By rate."""
        return tuple(self._trials[rate] for rate in sorted(self._trials))

    @property
    def best(self) -> Trial:
        """The trial that ended lowest."""
        return min(self.trials, key=lambda each: each.loss)

    def sail(self) -> tuple[Opening, float]:
        """What the sweep said, and the rate; the lane is at the end of the best beginning."""
        sweep = max(_SHORTEST_SWEEP, round(self._level.sweep * self._steps))
        seen = opening(self._lane, self._base, sweep, self._call)
        wanted: float | None = seen.rate / _BELOW_SWEEP
        if not self._level.compares:
            wanted /= _ALONE
        while wanted is not None:
            self._try(wanted)
            wanted = self._next() if self._can_pay() else None
        if math.isinf(self.best.loss):
            raise TrainingError(
                f"{self._call}: the run must not diverge at its beginning, but did at each of "
                f"{len(self._trials)} rates down to {min(self._trials):.3g}; there "
                f"{self.trials[0].ended}. Check the data for NaN, clip the gradients, or give the "
                "optimizer a lower lr."
            )
        self._lane.go_to(self._end)
        return seen, self._read_off()

    def schedule(self, rate: float) -> Schedule:
        """The whole run, in multiples of the base rate: the best beginning, then on at ``rate``."""
        rest = Hold(self._held - self.position) >> Linear(self._steps - self._held)
        return self._shape * (self.best.rate / self._base) >> rest * (rate / self._base)

    @property
    def is_content(self) -> bool:
        """Whether the level looks no further, as the best trial helps."""
        return not self._level.compares and self._has_helped(self.best)

    @property
    def losses(self) -> list[float]:
        """The training losses of the best beginning."""
        return self.best.losses[: self.position].tolist()

    def _can_pay(self) -> bool:
        # One of the beginnings is the run's own and costs nothing.
        return self._lane.steps + self._cooldown <= (self._level.cost - 1) * self._steps

    def _try(self, rate: float) -> None:
        self._lane.back()
        losses, ended = self._lane.advance(rate, self._shape.values(self.position).tolist())
        end = self._lane.snapshot()
        if ended is None:
            cooldown = Linear(self._cooldown).values(self._cooldown).tolist()
            cooled, ended = self._lane.advance(rate, cooldown)
            losses += cooled
        trial = self._lane.judged(rate, losses, ended)
        if not self._trials or trial.loss < self.best.loss:
            self._end = end
        self._trials[rate] = trial

    def _next(self) -> float | None:
        """The next rate to try: down first, then to where it gets better, then between."""
        rates = sorted(self._trials)
        best = rates.index(self.best.rate)
        if not self._level.compares:
            return None if self._has_helped(self.best) else self._lower(rates[0])
        if best == len(rates) - 1 and self._has_stood_still(self.best):
            return rates[-1] * _FAR**2
        if best == 0:
            return self._lower(rates[0])
        if best == len(rates) - 1:
            return rates[-1] * _FAR
        below, above = rates[best] / rates[best - 1], rates[best + 1] / rates[best]
        if max(below, above) < 1.01 * _NEAR:
            return None
        lower, higher = (self._trials[rates[at]].loss for at in (best - 1, best + 1))
        if above < 1.01 * _NEAR or (lower <= higher and below > 1.01 * _NEAR):
            return rates[best] / math.sqrt(below)
        return rates[best] * math.sqrt(above)

    def _lower(self, rate: float) -> float:
        # Where trials are compared, the steps are small: one that diverged has cost little.
        far = self.best.ended is not None and not self._level.compares
        return rate / (_FAR**2 if far else _FAR)

    def _has_helped(self, trial: Trial) -> bool:
        # Where only training losses are known, the first is NaN.
        first = self._lane.first
        return trial.ended is None and (math.isnan(first) or trial.loss < first)

    def _has_stood_still(self, trial: Trial) -> bool:
        """Its rate is much too low."""
        first = self._lane.first
        return abs(first - trial.loss) < _HARDLY * abs(first)

    def _read_off(self) -> float:
        """Between the best trial and its neighbours; below it where nothing lower was tried."""
        trials = self.trials
        at = trials.index(self.best)
        if len(trials) == 1:
            return trials[0].rate
        if at in (0, len(trials) - 1):
            # What lies above the highest may break the run, and was not tried.
            return trials[at].rate / _BEYOND if at == 0 else trials[at].rate
        left, middle, right = (each.loss for each in trials[at - 1 : at + 2])
        losses = [
            min(left, middle + _ENOUGH_WORSE * (right - middle)),
            middle,
            min(right, middle + _ENOUGH_WORSE * (left - middle)),
        ]
        return lowest([each.rate for each in trials[at - 1 : at + 2]], losses)
