"""Grid and random search over rates; trials that are losing are given up early."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from stepsize.checks import Range, checked_number
from stepsize.errors import InvalidValue, TrainingError
from stepsize.find._arguments import checked_count, checked_rates, require_training
from stepsize.find._trials import (
    Trial,
    TrialRunner,
    rates_text,
    require_movement,
    table_lines,
    tail_windows,
)
from stepsize.messages import Message
from stepsize.plan import default_plan
from stepsize.schedules import Schedule
from stepsize.signals import Sink
from stepsize.training import Training, preserved

__all__ = ["Search", "grid_search", "random_search"]

_LOOKS = (0.5, 0.75)
_NEEDED = 2
_END = Range(above=0, remedy="Example: random_search(training, 1e-4, 1.0, steps=500).")


@dataclass(frozen=True, repr=False)
class Search:
    """What a search measured.

    Args:
        trials: All trials, by rate; those given up have an infinite loss, and say why.
        judged_by: What was compared.
        steps: Optimizer steps taken in all.
        evaluations: Evaluations made.
    """

    trials: tuple[Trial, ...]
    judged_by: Message
    steps: int
    evaluations: int

    @property
    def best(self) -> Trial:
        """The trial with the lowest loss."""
        return min(self.trials, key=lambda each: each.loss)

    @property
    def rate(self) -> float:
        """Its rate, of the group with the largest base rate."""
        return self.best.rate

    @property
    def reason(self) -> Message:
        """Why this rate, and how wrong it may be."""
        rates = [each.rate for each in self.trials]
        gaps = [high / low for low, high in pairwise(rates)]
        fields = {
            "rate": self.rate,
            "n": len(rates),
            "metric": self.judged_by,
            "gap": max(gaps, default=1.0),
        }
        if self.rate in (rates[0], rates[-1]):
            return Message(
                "{rate:rate 3}: the lowest of {n:count|trial} by {metric:message}. It is the last "
                "on its side, so a better one may lie beyond; neighbours are up to a factor of "
                "{gap:number 2} apart",
                **fields,
            )
        return Message(
            "{rate:rate 3}: the lowest of {n:count|trial} by {metric:message}; neighbours are up "
            "to a factor of {gap:number 2} apart",
            **fields,
        )

    def __repr__(self) -> str:
        cost = f"cost: {self.steps} steps and {self.evaluations} evaluations"
        return "\n".join([str(self.reason), *table_lines(self.trials), cost])


def grid_search(
    training: Training,
    rates: Sequence[float],
    steps: int,
    *,
    schedule: Schedule | None = None,
    give_up: bool = True,
    metric: str | None = None,
    sinks: Sequence[Sink] = (),
) -> Search:
    """Try each of ``rates`` for ``steps``, from one snapshot and over the same batches.

    A trial is given up at half or at three quarters of its length if its recent training loss lies
    above that of every finished trial of the better half at the same place. The training is
    afterwards exactly as it was, also after an error.

    Args:
        training: What is trained.
        rates: At least one, above 0 and different, of the group with the largest base rate; the
            other groups keep their ratios to it.
        steps: Length of each trial, >= 1: the whole run, if the rates are to be compared at its
            end.
        schedule: What a trial follows, in multiples of its rate; ``plan.default_plan`` of these
            steps if not given.
        give_up: Whether trials may be given up.
        metric: What ``evaluate`` measures that is to be lowered: "val_loss", "loss", or the only
            name that ends in "loss" if not given. The training loss where there is none.
        sinks: Each gets a ``Tick`` after each step of a trial.

    Returns:
        All trials and the best one.

    Raises:
        InvalidType: ``training`` is not a training, or an argument is not a number.
        InvalidValue: A number is out of range, or a rate comes twice.
        TrainingError: Every rate diverges, or none moves the loss; the batches end; a step or an
            evaluation fails.

    >>> from stepsize.find import grid_search
    >>> from stepsize.testing.training import Bowl
    >>> grid_search(Bowl(curvature=[1.0]), [0.01, 0.1, 1.0, 10.0], steps=50).rate
    1.0

    Source: Bergstra & Bengio 2012, "Random Search for Hyper-Parameter Optimization"; Golovin et al.
    2017, "Google Vizier", section 3.2, for the median rule that giving up follows.
    """
    call = f"grid_search(..., {rates!r}, {steps!r})"
    return _search(call, training, rates, steps, schedule, give_up, metric, sinks)


def random_search(
    training: Training,
    low: float,
    high: float,
    steps: int,
    *,
    trials: int = 8,
    seed: int = 0,
    schedule: Schedule | None = None,
    give_up: bool = True,
    metric: str | None = None,
    sinks: Sequence[Sink] = (),
) -> Search:
    """As :func:`grid_search`, at rates drawn evenly in log rate between ``low`` and ``high``.

    Args:
        training: What is trained.
        low: Lowest rate, > 0.
        high: Highest rate, > low.
        steps: Length of each trial, >= 1.
        trials: How many, >= 1.
        seed: Of the draw.
        schedule: As there.
        give_up: As there.
        metric: As there.
        sinks: As there.

    Returns:
        All trials and the best one.

    Raises:
        InvalidType: As there.
        InvalidValue: A number is out of range.
        TrainingError: As there.

    >>> from stepsize.find import random_search
    >>> from stepsize.testing.training import Bowl
    >>> 0.1 < random_search(Bowl(curvature=[1.0]), 1e-3, 10.0, steps=50).rate < 2
    True

    Source: Bergstra & Bengio 2012
    """
    call = f"random_search(..., {low!r}, {high!r}, {steps!r}, trials={trials!r})"
    count = checked_count(call, "trials", trials, 1, "It counts trials.")
    lowest, highest = (checked_number(call, *each, _END) for each in (("low", low), ("high", high)))
    if not lowest < highest:
        raise InvalidValue(
            call,
            "{low} must lie below {high}",
            f"low={low!r} and high={high!r}",
            "Example: random_search(training, 1e-4, 1.0, steps=500).",
        )
    drawn = np.random.default_rng(seed).uniform(math.log(lowest), math.log(highest), count)
    return _search(call, training, np.exp(drawn).tolist(), steps, schedule, give_up, metric, sinks)


def _search(
    call: str,
    training: Training,
    rates: Sequence[float],
    steps: int,
    schedule: Schedule | None,
    give_up: bool,
    metric: str | None,
    sinks: Sequence[Sink],
) -> Search:
    require_training(training, call)
    asked = checked_rates(call, rates)
    count = checked_count(call, "steps", steps, 1, "It is the length of one trial.")
    shape = schedule or default_plan(count, training.groups[0].beta2).schedule
    trials: list[Trial] = []
    with preserved(training):
        runner = TrialRunner(training, call, metric, sinks)
        for rate in asked:
            rule = _BehindTheBetterHalf(trials, count) if give_up else None
            trials.append(runner.run(rate, shape, count, rule))
    trials.sort(key=lambda each: each.rate)
    if all(math.isinf(each.loss) for each in trials):
        raise TrainingError(
            call,
            "the loss does not diverge at one rate at least",
            f"it did at all of {rates_text(trials)}: {trials[0].ended}",
            "Give lower rates, or check the data for NaN.",
        )
    require_movement(trials, runner, call)
    return Search(tuple(trials), runner.judged_by, runner.steps, runner.evaluations)


class _BehindTheBetterHalf:
    """Stops a trial that lies above the better half of the finished ones."""

    def __init__(self, trials: Sequence[Trial], steps: int) -> None:
        finished = sorted((each for each in trials if each.ended is None), key=lambda t: t.loss)
        self._better = finished[: (len(finished) + 1) // 2] if len(finished) >= _NEEDED else []
        self._looks = {math.ceil(part * steps) for part in _LOOKS}

    def reason(self, losses: Sequence[float]) -> Message | None:
        count = len(losses)
        if count not in self._looks or not self._better:
            return None
        here = _recent(np.array(losses))
        limit = max(_recent(each.losses[:count]) for each in self._better)
        if here <= limit:
            return None
        return Message(
            "given up after {n:count|step}: {here:number} where better ones had {limit:number}",
            n=count,
            here=here,
            limit=limit,
        )


def _recent(losses: NDArray[np.float64]) -> float:
    return float(np.mean(tail_windows(losses)))
