"""Trials that are true beginnings of the run, at rates that climb until the best is bracketed.

The best rate of a run's first steps is not that of the run, and at a high rate the loss hides what
a cooldown will make of it. So a trial is the beginning of the run, from the first weights, and a
short cooldown from its end; the beginning that is kept is the run's own.
"""

import math
from dataclasses import dataclass
from typing import Any

from stepsize.errors import TrainingError
from stepsize.find._race import is_bracketed, lowest
from stepsize.find._trials import Trial, TrialRunner, rates_text
from stepsize.find.levels import Level
from stepsize.schedules import Hold, Linear, Schedule, Warmup

__all__: list[str] = []

SPACING = 10 ** (1 / 3)
"""The ratio of neighbouring trials' rates, about 2.2."""

_NEXT = 1.05 * SPACING
_WARMUP = 0.02
_COOLDOWN = 0.25
_AFTER_DIVERGENCE, _AFTER_HARM, _AFTER_STANDSTILL, _FAR_BELOW = 4.8, 11.0, 11.0, 23.0
_STANDSTILL, _SMALL_GAIN, _LITTLE_GAIN = 0.02, 0.05, 0.3
_PART_OF_FALL, _PART_OF_LOSS = 0.01, 0.1
_MOST_DOUBLINGS = 2
_ALWAYS, _MOST_TRIALS = 2, 12
# A worse neighbour that is far worse says no more than one that is a little worse.
_ENOUGH_WORSE = 2.0
_SAFETY = 1.5


@dataclass(frozen=True)
class Budget:
    """The steps that a search may take.

    Args:
        most: All of them.
        reserved: Those of the second look.
    """

    most: int
    reserved: int = 0


class Beginnings:
    """The beginnings of a run that were tried.

    Args:
        runner: Where trials run; its start is the run's.
        steps: Length of the run.
        level: What may be spent.
        untrained: The loss before the first step.
        budget: The steps that may be taken.
    """

    def __init__(
        self, runner: TrialRunner, steps: int, level: Level, untrained: float, budget: Budget
    ) -> None:
        self._runner, self._untrained, self._budget = runner, untrained, budget
        self.length = level.trial_steps(steps)
        self._warmup = max(1, round(_WARMUP * steps))
        self._trials: dict[float, Trial] = {}
        self._ends: dict[float, Any] = {}
        self._has_looked_far_below = False
        self._has_looked_below_standstill = False
        self.tried = 0

    @property
    def trials(self) -> tuple[Trial, ...]:
        """By rate; all of the same length."""
        return tuple(self._trials[rate] for rate in sorted(self._trials))

    @property
    def best(self) -> Trial:
        """The trial that ended lowest; the lowest rate where all diverged."""
        return min(self.trials, key=lambda each: each.loss)

    @property
    def is_bracketed(self) -> bool:
        """Whether a lower and a higher rate were worse than the best."""
        return is_bracketed(self.trials)

    @property
    def shape(self) -> Schedule:
        """The beginning, in multiples of its rate."""
        return Warmup(self._warmup + 1).skip(1) >> Hold(self.length - self._warmup)

    def climb(self, start: float) -> None:
        """Try rates from ``start`` until the best is bracketed, or the budget is spent."""
        self._climb(start)
        for _ in range(_MOST_DOUBLINGS):
            if self._gain(self.best) >= _SMALL_GAIN or not self._can_pay(2 * self.length):
                return
            # Nothing can be told apart yet: longer trials.
            start = self.best.rate
            self.length *= 2
            self._trials.clear()
            self._ends.clear()
            self._climb(start)

    def vertex(self) -> float:
        """The rate of the lowest point of the parabola through the best and its neighbours.

        Where lower rates are as good, the upper end of the lowest one's cell.
        """
        cell = self._lowest_as_good().rate * math.sqrt(SPACING)
        return min(self._parabola(), cell)

    def _parabola(self) -> float:
        trials = self.trials
        at = trials.index(self.best)
        if at == len(trials) - 1:
            return self.best.rate
        if at == 0:
            return self.best.rate / math.sqrt(SPACING)
        left, middle, right = (each.loss for each in trials[at - 1 : at + 2])
        losses = [
            min(left, middle + _ENOUGH_WORSE * (right - middle)),
            middle,
            min(right, middle + _ENOUGH_WORSE * (left - middle)),
        ]
        return lowest([each.rate for each in trials[at - 1 : at + 2]], losses)

    @property
    def limit(self) -> float:
        """The highest rate that is safe beside those at which the loss diverged."""
        diverged = [each.rate for each in self.trials if each.ended is not None]
        return min((rate / _SAFETY for rate in diverged if rate > self.best.rate), default=math.inf)

    def keep(self, rate: float) -> Trial:
        """Go to the end of the beginning nearest to ``rate``, not above the best; returns it."""
        kept = min(self._ends, key=lambda each: abs(math.log(each / rate)))
        self._runner.restore(self._ends[kept])
        return self._trials[kept]

    def require_one(self, call: str) -> None:
        """Refuse where every rate diverged.

        Raises:
            TrainingError: The best trial ended early.
        """
        if self.best.ended is None:
            return
        raise TrainingError(
            call,
            "the run must not diverge at its beginning",
            f"it did at each of {rates_text(self.trials)}; at the lowest {self.best.ended}",
            "Check the data for NaN, clip the gradients, or give the optimizer a lower lr.",
        )

    def _climb(self, start: float) -> None:
        rate: float | None = start
        for count in range(_MOST_TRIALS):
            if rate is None or (count >= _ALWAYS and not self._can_pay(self.length)):
                return
            self._try(self._runner.rounded(rate))
            rate = self._next()

    def _can_pay(self, length: int) -> bool:
        # The beginning that is kept is the run's own and costs nothing.
        needed = self._runner.steps + length + round(_COOLDOWN * length) - self.length
        return needed + self._budget.reserved <= self._budget.most

    def _try(self, rate: float) -> None:
        self._runner.restart()
        losses, ended = self._runner.advance(rate, self.shape.values(self.length).tolist())
        end = self._runner.snapshot()
        if ended is None:
            count = max(3, round(_COOLDOWN * self.length))
            cooled, ended = self._runner.advance(rate, Linear(count).values(count).tolist())
            losses += cooled
        self._trials[rate] = self._runner.judged(rate, losses, ended)
        self._ends[rate] = end
        self.tried += 1
        best, low = self.best.rate, self._lowest_as_good().rate
        for each in [each for each in self._ends if not low / SPACING**2.5 < each <= best]:
            del self._ends[each]

    def _next(self) -> float | None:
        """The rate to try next, or None where the best is bracketed."""
        rates = sorted(self._trials)
        best = self.best
        above = min((rate for rate in rates if rate > best.rate), default=math.inf)
        if best.ended is not None:
            return rates[0] / _AFTER_DIVERGENCE
        if abs(self._gain(best)) < _STANDSTILL:
            if best.loss >= self._untrained and not self._has_looked_below_standstill:
                # A network that died at once stands still just as one that hardly moves.
                self._has_looked_below_standstill = True
                return rates[0] / _AFTER_HARM
            return self._between_standstill_and_harm(best.rate, above)
        if best.loss >= self._untrained:
            return rates[0] / _AFTER_HARM
        lowest = self._lowest_as_good()
        if not any(lowest.rate / _NEXT <= rate < lowest.rate for rate in rates):
            return lowest.rate / SPACING
        if above > best.rate * _NEXT:
            return best.rate * SPACING
        far = best.rate / _FAR_BELOW
        if self._gain(best) < _LITTLE_GAIN and not self._has_looked_far_below and far < rates[0]:
            # A plateau above rates that are far better looks like this.
            self._has_looked_far_below = True
            return far
        return None

    def _between_standstill_and_harm(self, best: float, above: float) -> float | None:
        """Where the best rate hardly moves the loss: higher ones, up to those that do harm."""
        if math.isinf(above):
            return best * _AFTER_STANDSTILL
        return math.sqrt(best * above) if above > best * _NEXT else None

    def _lowest_as_good(self) -> Trial:
        """The lowest rate that is about as good as the best: where it is flat, low is safe."""
        best = self.best
        good = [each for each in self.trials if as_good(each.loss, best.loss, self._untrained)]
        return good[0] if good else best

    def _gain(self, trial: Trial) -> float:
        """How far the loss fell, as a part of the loss before the first step."""
        if trial.ended is not None or self._untrained == 0:
            return 0.0
        return (self._untrained - trial.loss) / abs(self._untrained)


def as_good(loss: float, best: float, untrained: float, part: float = _PART_OF_FALL) -> bool:
    """Whether ``loss`` is as good as the lowest one, but for a small part of it and of the fall."""
    return loss - best <= min(part * (untrained - best), _PART_OF_LOSS * abs(best))
