"""The race: several rates from one snapshot, over the same batches, and the best between them."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from stepsize.errors import InvalidValue, TrainingError
from stepsize.estimates import Estimate
from stepsize.find._arguments import checked_rates, checked_steps, require_training
from stepsize.find._trial import Lane, Trial
from stepsize.plan import default_plan, transfer
from stepsize.schedules import Schedule
from stepsize.training import Training, preserved

__all__ = ["Race", "race"]

_RATIO = 10**0.5
_START = 3
_MOST = 7
_SHORTEST = 5
_SHARE = 0.15
_EXPONENT = 0.15
_CONSTANT_EXPONENT = 0.25
# Trials of 5 to 10 % of the run, the same shape squeezed: their best rate was within this factor of
# the run's in two thirds of 22 cases on 11 small tasks.
_SHORT_RUN_DOUBT = 2.2
_SOURCE = "stepsize.find.race; Schaipp et al. 2025 (arXiv 2501.18965) for the transfer"


@dataclass(frozen=True, repr=False)
class Race:
    """What a race saw, and the rate that follows from it.

    Args:
        trials: The trials, by rate.
        best: The rate at which the trials themselves end lowest: the lowest point of a parabola in
            log rate through the best three.
        rate: The same transferred to the run that is planned: the recommendation.
        bracketed: Whether a lower and a higher rate were both worse than the best.
        judged_by: What was compared.
        schedule: What each trial followed, in multiples of its rate.
        trial_steps: Length of a trial, in steps.
        steps: Optimizer steps that the race took in all.
        evaluations: Evaluations that it took.
        share: ``steps`` in parts of the planned run.
    """

    trials: tuple[Trial, ...]
    best: Estimate
    rate: Estimate
    bracketed: bool
    judged_by: str
    schedule: Schedule
    trial_steps: int
    steps: int
    evaluations: int
    share: float

    def plot(self) -> Any:
        """A matplotlib picture: the trials' losses over their rates, the recommendation marked.

        Returns:
            The matplotlib ``Axes``.

        Raises:
            MissingExtra: matplotlib is not installed.
        """
        from stepsize.plot.range_tests import plot_range_test

        finite = [each for each in self.trials if math.isfinite(each.loss)]
        rates, losses = (
            np.array(values)
            for values in zip(*((each.rate, each.loss) for each in finite), strict=True)
        )
        marks = {"trials": self.best.value, "run": self.rate.value}
        return plot_range_test(rates, losses, losses, marks, "run")

    def __repr__(self) -> str:
        return "\n".join([*table(self.trials), str(self.rate), self.cost])

    @property
    def cost(self) -> str:
        """What it cost, in words."""
        return (
            f"cost: {self.steps} steps, {self.share:.0%} of the run, and {self.evaluations} "
            "evaluations"
        )


def race(
    training: Training,
    steps: int,
    rates: Sequence[float] | None = None,
    *,
    schedule: Schedule | None = None,
    trial: Schedule | None = None,
    cost: float = _SHARE,
    exponent: float | None = None,
    metric: str | None = None,
) -> Race:
    """Try a few rates for a short stretch each, and carry the best over to the planned run.

    Every trial starts from the same snapshot and sees the same batches. While the best is the
    lowest or the highest rate, the next one beyond is tried, as long as the cost allows. The best
    rate of the trials is the lowest point of a parabola in log rate through the best three; how
    sure that is follows from the parabolas of several disjoint windows of the trials' ends. The
    training is afterwards exactly as it was, also after an error.

    Args:
        training: What is trained.
        steps: Length of the run that is planned, in optimizer steps.
        rates: Where to begin, ascending, of the group with the largest base rate; the other groups
            keep their ratios to it. Three, a factor of √10 apart around the largest base rate, if
            not given; neighbours a factor of 2 to √10 apart are best.
        schedule: What the run will follow, in multiples of its rate; ``plan.default_plan`` of these
            steps if not given.
        trial: What a trial follows; the run's own schedule squeezed into the trial if not given.
        cost: Most steps that the race may take, in parts of the run; above 0 and at most 1. Seven
            trials, or as many as there are rates, share them equally.
        exponent: How the best rate falls with the horizon, 0 to 1/3; 0.15 for the squeezed
            schedule and 0.25 for another ``trial`` if not given.
        metric: What ``evaluate`` measures that is to be lowered: "val_loss", "loss", or the only
            name that ends in "loss" if not given. The training loss where there is none.

    Returns:
        The trials and the rate.

    Raises:
        InvalidType: ``training`` is none, or something is no number.
        InvalidValue: A number is out of range, or the trials would be shorter than 5 steps.
        TrainingError: A step or an evaluation fails; the batches end; every rate diverges; or no
            rate moves the loss.

    >>> from stepsize.find import race
    >>> from stepsize.testing.training import Bowl
    >>> found = race(Bowl(curvature=[1.0, 0.01]), steps=1_000)     # stable below rate 2
    >>> found.bracketed, 0.3 < found.rate.value < 2, found.share <= 0.15
    (True, True, True)

    Source: Schaipp et al. 2025 (arXiv 2501.18965) for races at a constant rate and their transfer;
    Hägele et al. 2024 (arXiv 2405.18392) for short runs with a whole schedule.
    """
    call = f"race(..., steps={steps!r}, rates={rates!r}, cost={cost!r})"
    require_training(training, call)
    whole = checked_steps(call, steps, 1, "It is the planned run's length, not a trial's.")
    given = _checked(call, rates, cost)
    beta2 = training.groups[0].beta2 if training.groups else None
    planned = schedule or default_plan(whole, beta2).schedule
    count = max(_MOST, len(given))
    length = int(cost * whole) // count
    if length < _SHORTEST:
        needed = count * _SHORTEST
        raise InvalidValue(
            f"{call}: a trial needs at least {_SHORTEST} steps, which for {count} trials are "
            f"{needed}, but {cost:.0%} of the run are {int(cost * whole)}. "
            + (
                f"Raise cost to {math.ceil(100 * needed / whole) / 100:g}."
                if needed <= whole
                else f"Plan a run of at least {needed} steps."
            )
        )
    followed = planned.until(whole).over(length) if trial is None else trial
    power = exponent
    if power is None:
        power = _EXPONENT if trial is None else _CONSTANT_EXPONENT
    with preserved(training):
        lane = Lane(training, call, metric)
        centre = max(group.base for group in training.groups)
        asked = given or [centre / _RATIO, centre, centre * _RATIO]
        trials = widened(lane, asked, followed, length, count)
        if all(math.isinf(each.loss) for each in trials):
            raise TrainingError(
                f"{call}: a rate must be found that does not diverge, but all of {_few(trials)} "
                f"did: {trials[0].ended}. Give lower rates=, or check the data for NaN."
            )
        require_movement(trials, lane, call)
    best = _best(trials, lane.judged_by)
    rate = transfer(best, from_=(followed, length), to=(planned, whole), exponent=power)
    return Race(
        tuple(trials),
        best,
        rate,
        is_bracketed(trials),
        lane.judged_by,
        followed,
        length,
        lane.steps,
        lane.evaluations,
        lane.steps / whole,
    )


def _checked(call: str, rates: Sequence[float] | None, cost: float) -> list[float]:
    """The rates to begin with; none if not given."""
    if not 0 < cost <= 1:
        raise InvalidValue(
            f"{call}: cost is a part of the run, above 0 and at most 1, but is {cost!r}. "
            "Leave it out for 0.15."
        )
    if rates is None:
        return []
    given = checked_rates(call, rates)
    if len(given) < _START or given != sorted(given):
        raise InvalidValue(
            f"{call}: rates must be at least {_START} ascending numbers, but are {given}. "
            "Example: rates=[1e-3, 3e-3, 1e-2]."
        )
    return given


# ---------------------------------------------------------------- what recommend shares


def widened(
    lane: Lane, rates: Sequence[float], schedule: Schedule, steps: int, most: int
) -> list[Trial]:
    """Trials at ``rates``, and beyond them until a lower and a higher rate are worse than the best.

    Returns:
        At most ``most`` trials, by rate.
    """
    trials = [lane.run(rate, schedule, steps) for rate in rates]
    while len(trials) < most and not is_bracketed(trials):
        losses = [each.loss for each in trials]
        if losses.index(min(losses)) == 0:
            rate = trials[0].rate ** 2 / trials[1].rate
            trials.insert(0, lane.run(rate, schedule, steps))
        else:
            rate = trials[-1].rate ** 2 / trials[-2].rate
            trials.append(lane.run(rate, schedule, steps))
    return trials


def is_bracketed(trials: Sequence[Trial]) -> bool:
    """Whether a lower and a higher rate were worse than the best; ``trials`` by rate."""
    losses = [each.loss for each in trials]
    best = losses.index(min(losses))
    return 0 < best < len(losses) - 1 and math.isfinite(losses[best])


def require_movement(trials: Sequence[Trial], lane: Lane, call: str) -> None:
    """The trials' losses, or those of the only one, must differ: else nothing can be read off.

    Raises:
        TrainingError: They do not.
    """
    finite = [each for each in trials if math.isfinite(each.loss)]
    losses = [each.loss for each in finite]
    if math.isfinite(lane.first):
        losses.append(lane.first)
    if len(losses) == 1:
        # Nothing to compare it with but its own way there.
        losses = finite[0].losses.tolist()
    if len(losses) > 1 and max(losses) - min(losses) > 1e-9 * max(map(abs, losses)):
        return
    raise TrainingError(
        f"{call}: no rate moved {lane.judged_by}: it was {losses[0]:g} at each of "
        f"{_few(trials)}. Check that it depends on the optimizer's parameters, give higher "
        f"rates, or longer trials.{lane.hint}"
    )


def lowest(rates: Sequence[float], losses: Sequence[float]) -> float:
    """The rate of the lowest point of the parabola in log rate through the best three.

    The best rate itself where there is no such parabola: the best is the first or the last, or a
    neighbour diverged.
    """
    best = losses.index(min(losses))
    if not 0 < best < len(losses) - 1 or not math.isfinite(losses[best + 1] + losses[best - 1]):
        return rates[best]
    a, b, c = (math.log(rate) for rate in rates[best - 1 : best + 2])
    left, middle, right = losses[best - 1 : best + 2]
    down, up = (b - a) * (middle - right), (b - c) * (middle - left)
    if down == up:
        return rates[best]
    return math.exp(b - 0.5 * ((b - a) * down - (b - c) * up) / (down - up))


def _best(trials: Sequence[Trial], judged_by: str) -> Estimate:
    rates = [each.rate for each in trials]
    value = lowest(rates, [each.loss for each in trials])
    usable = [each for each in trials if each.windows]
    per_window = [
        math.log(lowest([each.rate for each in usable], list(column)))
        for column in zip(*(each.windows for each in usable), strict=True)
    ]
    scatter = float(np.std(per_window)) if len(per_window) > 1 else math.inf
    spacing = max(high / low for low, high in pairwise(rates))
    # Windows agree too well where the trials are far apart: a quarter of the spacing is the least.
    doubt = min(max(math.exp(2 * scatter), spacing**0.25), spacing)
    low, high = value / doubt, value * doubt
    why = f"parabola in log rate through the best three of {len(trials)} trials by {judged_by}"
    if not is_bracketed(trials):
        at_top = rates[-1] == value
        low, high = (low, high * spacing) if at_top else (low / spacing, high)
        side = "highest" if at_top else "lowest"
        why = f"the {side} of {len(trials)} trials by {judged_by}, and none beyond it was worse"
    return Estimate(value, low / _SHORT_RUN_DOUBT, high * _SHORT_RUN_DOUBT, why, _SOURCE)


def table(trials: Sequence[Trial]) -> list[str]:
    """One line per trial."""
    best = min(each.loss for each in trials)
    return [
        f"  {each.rate:<9.3g} {each.loss:<10.5g} {each.ended or ''}"
        f"{'<- best' if each.loss == best else ''}".rstrip()
        for each in trials
    ]


def _few(trials: Sequence[Trial]) -> str:
    return f"{len(trials)} rates from {trials[0].rate:.3g} to {trials[-1].rate:.3g}"
