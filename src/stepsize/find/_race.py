"""The race: several rates from one snapshot, over the same batches, and the best between them."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from stepsize.checks import Range, checked_number
from stepsize.errors import InvalidValue, TrainingError
from stepsize.estimates import Estimate
from stepsize.find._arguments import checked_count, checked_rates, require_training
from stepsize.find._trials import Trial, TrialRunner, rates_text, require_movement, table_lines
from stepsize.messages import Message
from stepsize.plan import default_plan, transfer
from stepsize.plot.range_tests import plot_range_test
from stepsize.schedules import Schedule
from stepsize.signals import Sink
from stepsize.training import Training, preserved
from stepsize.words import list_text, number_text, percent_text

__all__ = ["Race", "race"]

_RATIO = 10**0.5
_START = 3
_MOST = 7
_SHORTEST = 5
_SHARE = 0.15
_COST = Range(above=0, maximum=1, remedy="It is a part of the run: leave it out for 0.15.")
_EXPONENT = 0.15
_CONSTANT_EXPONENT = 0.25
# Trials of 5 to 10 % of the run, the same shape squeezed: their best rate was within this factor of
# the run's in two thirds of 22 cases on 11 small tasks.
_SHORT_RUN_DOUBT = 2.2
_SOURCE = "stepsize.find.race; Schaipp et al. 2025 (arXiv 2501.18965) for the transfer"


@dataclass(frozen=True, repr=False)
class Race:
    """What a race measured, and the rate that follows from it.

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
        evaluations: Evaluations made.
        share: ``steps`` as a part of the planned run.
    """

    trials: tuple[Trial, ...]
    best: Estimate
    rate: Estimate
    bracketed: bool
    judged_by: Message
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
        finite = [each for each in self.trials if math.isfinite(each.loss)]
        rates, losses = (
            np.array(values)
            for values in zip(*((each.rate, each.loss) for each in finite), strict=True)
        )
        marks = {"trials": self.best.value, "run": self.rate.value}
        return plot_range_test(rates, losses, losses, marks, "run")

    def __repr__(self) -> str:
        return "\n".join([str(self.rate), *table_lines(self.trials), f"cost: {self.cost}"])

    @property
    def cost(self) -> Message:
        """What it cost, in words."""
        return Message(
            "{steps:count|step}, {share:percent} of the run, and {n:count|evaluation}",
            steps=self.steps,
            share=self.share,
            n=self.evaluations,
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
    sinks: Sequence[Sink] = (),
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
        cost: Most steps that the race may take, as a part of the run; above 0 and at most 1. Seven
            trials, or as many as there are rates, share them equally.
        exponent: How the best rate falls with the horizon, 0 to 1/3; 0.15 for the squeezed
            schedule and 0.25 for another ``trial`` if not given.
        metric: What ``evaluate`` measures that is to be lowered: "val_loss", "loss", or the only
            name that ends in "loss" if not given. The training loss where there is none.
        sinks: Each gets a ``Tick`` after each step of a trial.

    Returns:
        The trials and the rate.

    Raises:
        InvalidType: ``training`` is not a training, or an argument is not a number.
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
    whole = checked_count(
        call, "steps", steps, 1, "It is the length of the planned run, not of a trial."
    )
    share = float(checked_number(call, "cost", cost, _COST))
    given = _checked_rates(call, rates)
    beta2 = training.groups[0].beta2 if training.groups else None
    planned = schedule or default_plan(whole, beta2).schedule
    most = max(_MOST, len(given))
    length = _trial_length(call, share, whole, most)
    followed = planned.until(whole).over(length) if trial is None else trial
    power = exponent
    if power is None:
        power = _EXPONENT if trial is None else _CONSTANT_EXPONENT
    with preserved(training):
        runner = TrialRunner(training, call, metric, sinks)
        trials = _widened(runner, given or _around(runner.base), followed, length, most)
        if all(math.isinf(each.loss) for each in trials):
            raise TrainingError(
                call,
                "the loss does not diverge at one rate at least",
                f"it did at all of {rates_text(trials)}: {trials[0].ended}",
                "Give lower {rates=}, or check the data for NaN.",
            )
        require_movement(trials, runner, call)
    best = _best(trials, runner.judged_by)
    return Race(
        tuple(trials),
        best,
        transfer(best, from_=(followed, length), to=(planned, whole), exponent=power),
        is_bracketed(trials),
        runner.judged_by,
        followed,
        length,
        runner.steps,
        runner.evaluations,
        runner.steps / whole,
    )


def _around(centre: float) -> list[float]:
    return [centre / _RATIO, centre, centre * _RATIO]


def _trial_length(call: str, share: float, whole: int, count: int) -> int:
    length = int(share * whole) // count
    if length >= _SHORTEST:
        return length
    needed = count * _SHORTEST
    raise InvalidValue(
        call,
        f"a trial needs at least {_SHORTEST} steps, which for {count} trials are {needed}",
        f"{percent_text(share)} of the run are {int(share * whole)}",
        f"Raise {{cost}} to {math.ceil(100 * needed / whole) / 100:g}."
        if needed <= whole
        else f"Plan a run of at least {needed} steps.",
        "cost",
    )


def _checked_rates(call: str, rates: Sequence[float] | None) -> list[float]:
    """The rates to begin with; none if not given."""
    if rates is None:
        return []
    given = checked_rates(call, rates)
    if len(given) < _START or given != sorted(given):
        raise InvalidValue(
            call,
            f"{{rates}} must be at least {_START} ascending numbers",
            f"there are {list_text(map(number_text, given))}",
            "Example: rates=[1e-3, 3e-3, 1e-2].",
            "rates",
        )
    return given


# ------------------------------------------------------------------ trials and their best


def _widened(
    runner: TrialRunner, rates: Sequence[float], schedule: Schedule, steps: int, most: int
) -> list[Trial]:
    """Trials at ``rates``, and beyond them until a lower and a higher rate are worse than the best.

    Returns:
        At most ``most`` trials, by rate.
    """
    trials = [runner.run(rate, schedule, steps) for rate in rates]
    while len(trials) < most and not is_bracketed(trials):
        losses = [each.loss for each in trials]
        if losses.index(min(losses)) == 0:
            rate = trials[0].rate ** 2 / trials[1].rate
            trials.insert(0, runner.run(rate, schedule, steps))
        else:
            rate = trials[-1].rate ** 2 / trials[-2].rate
            trials.append(runner.run(rate, schedule, steps))
    return trials


def is_bracketed(trials: Sequence[Trial]) -> bool:
    """Whether a lower and a higher rate were worse than the best; ``trials`` by rate."""
    losses = [each.loss for each in trials]
    best = losses.index(min(losses))
    return 0 < best < len(losses) - 1 and math.isfinite(losses[best])


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


def _best(trials: Sequence[Trial], judged_by: Message) -> Estimate:
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
    why = Message(
        "parabola in log rate through the best three of {n:count|trial} by {metric:message}",
        n=len(trials),
        metric=judged_by,
    )
    if not is_bracketed(trials):
        is_highest = rates[-1] == value
        low, high = (low, high * spacing) if is_highest else (low / spacing, high)
        why = _at_an_end(is_highest, len(trials), judged_by)
    return Estimate(value, low / _SHORT_RUN_DOUBT, high * _SHORT_RUN_DOUBT, why, _SOURCE)


def _at_an_end(is_highest: bool, count: int, judged_by: Message) -> Message:
    if is_highest:
        return Message(
            "the highest of {n:count|trial} by {metric:message}, and the best may lie above",
            n=count,
            metric=judged_by,
        )
    return Message(
        "the lowest of {n:count|trial} by {metric:message}, and the best may lie below",
        n=count,
        metric=judged_by,
    )
