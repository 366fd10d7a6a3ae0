"""Grid and random search over rates, with trials that lose given up early."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from stepsize.checks import Range, checked_number
from stepsize.errors import InvalidValue, TrainingError
from stepsize.find._arguments import checked_rates, checked_steps, require_training
from stepsize.find._race import require_movement, table
from stepsize.find._trial import Lane, Trial, tail_windows
from stepsize.plan import default_plan
from stepsize.schedules import Schedule
from stepsize.training import Training, preserved

__all__ = ["Search", "grid_search", "random_search"]

_RUNGS = (0.5, 0.75)
_NEEDED = 2
_END = Range(above=0, remedy="Example: random_search(training, 1e-4, 1.0, steps=500).")


@dataclass(frozen=True, repr=False)
class Search:
    """What a search saw.

    Args:
        trials: All trials, by rate; those given up have an infinite loss, and say why.
        judged_by: What was compared.
        steps: Optimizer steps that it took in all.
        evaluations: Evaluations that it took.
    """

    trials: tuple[Trial, ...]
    judged_by: str
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
    def reason(self) -> str:
        """Why this one, and how wrong it may be."""
        rates = [each.rate for each in self.trials]
        gaps = [high / low for low, high in pairwise(rates)]
        text = (
            f"{self.rate:.3g}: the lowest of {len(rates)} trials by {self.judged_by}; between "
            f"neighbours lies a factor of up to {max(gaps, default=1.0):.2g}"
        )
        if self.rate in (rates[0], rates[-1]):
            text += ", and it is the last on its side: a better one may lie beyond"
        return text

    def __repr__(self) -> str:
        cost = f"cost: {self.steps} steps and {self.evaluations} evaluations"
        return "\n".join([*table(self.trials), self.reason, cost])


def grid_search(
    training: Training,
    rates: Sequence[float],
    steps: int,
    *,
    schedule: Schedule | None = None,
    give_up: bool = True,
    metric: str | None = None,
) -> Search:
    """Try each of ``rates`` for ``steps``, from one snapshot and over the same batches.

    A trial is given up where it has no hope: at half and at three quarters of its length, if its
    training loss of late lies above that of every finished trial of the better half at the same
    place. The training is afterwards exactly as it was, also after an error.

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

    Returns:
        All trials and the best one.

    Raises:
        InvalidType: ``training`` is none, or something is no number.
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
    return _search(call, training, rates, steps, schedule, give_up, metric)


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
    count = checked_steps(call, trials, 1, "It counts trials.", "trials")
    lowest, highest = (checked_number(call, *each, _END) for each in (("low", low), ("high", high)))
    if not lowest < highest:
        raise InvalidValue(
            f"{call}: 0 < low < high is needed. Example: "
            "random_search(training, 1e-4, 1.0, steps=500)."
        )
    drawn = np.random.default_rng(seed).uniform(math.log(lowest), math.log(highest), count)
    return _search(call, training, np.exp(drawn).tolist(), steps, schedule, give_up, metric)


def _search(
    call: str,
    training: Training,
    rates: Sequence[float],
    steps: int,
    schedule: Schedule | None,
    give_up: bool,
    metric: str | None,
) -> Search:
    require_training(training, call)
    asked = checked_rates(call, rates)
    count = checked_steps(call, steps, 1, "It is the length of one trial.")
    shape = schedule or default_plan(count, training.groups[0].beta2).schedule
    trials: list[Trial] = []
    with preserved(training):
        lane = Lane(training, call, metric)
        for rate in asked:
            rivals = _Rivals(trials, count) if give_up else None
            trials.append(lane.run(rate, shape, count, rivals))
    trials.sort(key=lambda each: each.rate)
    if all(math.isinf(each.loss) for each in trials):
        raise TrainingError(
            f"{call}: a rate must be found that does not diverge, but all {len(trials)} did: "
            f"{trials[0].ended}. Give lower rates, or check the data for NaN."
        )
    require_movement(trials, lane, call)
    return Search(tuple(trials), lane.judged_by, lane.steps, lane.evaluations)


class _Rivals:
    """The better half of the finished trials, which a new one must not lie above."""

    def __init__(self, trials: Sequence[Trial], steps: int) -> None:
        finished = sorted((each for each in trials if each.ended is None), key=lambda t: t.loss)
        self._better = finished[: (len(finished) + 1) // 2] if len(finished) >= _NEEDED else []
        self._rungs = {math.ceil(part * steps) for part in _RUNGS}

    def sees(self, losses: Sequence[float]) -> str | None:
        count = len(losses)
        if count not in self._rungs or not self._better:
            return None
        here = _late(np.array(losses))
        limit = max(_late(each.losses[:count]) for each in self._better)
        if here <= limit:
            return None
        return f"given up after {count} steps: {here:.4g} where better ones had {limit:.4g}"


def _late(losses: NDArray[np.float64]) -> float:
    return float(np.mean(tail_windows(losses)))
