"""``recommend``: one rate and one plan for a run, found on the first part of the run itself."""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

import numpy as np

from stepsize.checks import checked_choice
from stepsize.errors import StepsizeError, TrainingError
from stepsize.estimates import Estimate
from stepsize.find._arguments import checked_count, described, require_training
from stepsize.find._beginnings import SPACING, Beginnings, Budget
from stepsize.find._curvature import Differentiable, largest_curvature
from stepsize.find._gradients import gradient_heuristics
from stepsize.find._rate_sweep import sweep_rates
from stepsize.find._recommendation import HeadStart, Recommendation
from stepsize.find._second_look import Start, reserved_steps, start_run
from stepsize.find._trials import TrialRunner, require_movement
from stepsize.find.levels import LEVELS
from stepsize.messages import Message
from stepsize.plan import RunPlan, default_plan
from stepsize.renames import renamed_arguments
from stepsize.schedules import Hold, Linear, Schedule
from stepsize.signals import Sink
from stepsize.training import Training, preserved
from stepsize.words import number_text

__all__ = ["recommend"]

_OPEN_SIDE = 10.0
_SOURCE = "stepsize.find.recommend"
# Gradients, and products of about two each: only where they are half a percent of the run.
_DEAR = 200
_HEURISTIC_GRADIENTS = 4
_PRODUCTS = 10


@renamed_arguments(progress="sinks")
def recommend(
    training: Training,
    steps: int,
    level: Literal["fast", "default", "thorough"] = "default",
    *,
    metric: str | None = None,
    sinks: Sequence[Sink] = (),
) -> Recommendation:
    """Find a rate and a plan for a run of ``steps``, on the first part of that run.

    A short sweep says where to begin. Trials follow: each is the true beginning of the run at its
    own rate, from the first weights and over the same batches, and a short cooldown from its end.
    They go down and up by a factor of 2.2 until a lower and a higher rate are worse than the best,
    or the budget is spent. The run then begins at half the rate of the lowest point of a parabola
    through the best three, lower where the losses are flat: too low a rate early is made good by
    raising it later, too high a rate is not made good by lowering it. At 15 % of the run a second
    look compares going on at that rate and at higher ones, again with short cooldowns, and chooses
    the peak. The first part is the run's own: see ``head_start``. A few snapshots are held
    meanwhile.

    The training is afterwards exactly as it was, also after an error.

    Args:
        training: What is trained, before its first step.
        steps: Length of the run, in optimizer steps, >= 200.
        level: How much may be spent: "fast", without a second look; "default"; or "thorough", with
            longer trials and a second look at up to five rates. ``stepsize.find.levels.LEVELS`` has
            the limits; docs/en/autopilot.md has what they cost and reached. Evaluations, one per
            trial and one before, come on top.
        metric: What ``evaluate`` measures that is to be lowered: "val_loss", "loss", or the only
            name that ends in "loss" if not given. The training loss where there is none.
        sinks: Each gets a ``Tick`` after each step: the steps so far, the rate as "lr", the loss.

    Returns:
        The rate, the plan, the reasons, and the first part of the run.

    Raises:
        InvalidType: ``training`` is not a training, or ``steps`` is not a number.
        InvalidValue: ``steps`` or ``level`` is out of range.
        TrainingError: Nothing can be recommended: no loss moved, nothing improved, every rate
            diverges, the batches end, or a step or an evaluation fails.

    >>> from stepsize.find import recommend
    >>> from stepsize.testing.training import Bowl
    >>> from stepsize.training import run
    >>> training = Bowl(curvature=[1.0, 0.03], noise=0.1)          # stable below rate 2
    >>> advice = recommend(training, steps=1_000)
    >>> 0.05 < advice.rate.value < 2, advice.is_bracketed
    (True, True)
    >>> start = advice.resume(training)                             # a fifth is done
    >>> ended = run(training, advice.schedule, 1_000, start=start)
    >>> start, ended.metrics["val_loss"] < 0.01
    (200, True)

    Source: Smith 2017 (arXiv 1506.01186) for the sweep; Hägele et al. 2024 (arXiv 2405.18392) for
    cooldowns from one trunk.
    """
    call = f"recommend(..., steps={steps!r}, level={level!r})"
    require_training(training, call)
    chosen = LEVELS[checked_choice(call, "level", level, list(LEVELS))]
    steps = checked_count(
        call, "steps", steps, chosen.fewest, "Trials of a shorter run tell nothing: use range_test."
    )
    shape = default_plan(steps, training.groups[0].beta2)
    with preserved(training):
        hints, left_out = _hints(training, steps)
        runner = TrialRunner(training, call, metric, sinks)
        sweep = sweep_rates(runner, steps, call)
        untrained = runner.first if runner.metric else sweep.first_loss
        reserved = reserved_steps(chosen, steps)
        budget = Budget(chosen.extra_steps(steps), reserved)
        beginnings = Beginnings(runner, steps, chosen, untrained, budget)
        beginnings.climb(sweep.rate)
        beginnings.require_one(call)
        require_movement(beginnings.trials, runner, call)
        _require_gain(beginnings, untrained, runner, call)
        start = start_run(runner, beginnings, untrained, steps, chosen, call)
        head_start = HeadStart(start.steps, np.array(start.losses), training.snapshot(), training)
    rate, is_bracketed = _estimate(beginnings, start)
    return Recommendation(
        rate,
        is_bracketed,
        replace(shape, peak=rate),
        _schedule(start, shape, runner),
        head_start,
        sweep,
        beginnings.trials,
        beginnings.length,
        start.forks,
        hints,
        left_out,
        runner.judged_by,
        level,
        steps,
        runner.steps,
        runner.evaluations,
    )


def _schedule(start: Start, plan: RunPlan, runner: TrialRunner) -> Schedule:
    """The whole run, in multiples of the base rate."""
    held = max(start.steps, plan.steps - round(plan.cooldown.value))
    rest = Hold(held - start.steps) >> Linear(plan.steps - held)
    return start.schedule >> rest * runner.factor(start.peak)


def _estimate(beginnings: Beginnings, start: Start) -> tuple[Estimate, bool]:
    """The peak, the interval that was measured, and whether it is closed on both sides."""
    measured = {each.rate: each.loss for each in beginnings.trials}
    best = beginnings.best.rate
    worse_below = [rate for rate in measured if rate < best]
    worse_above = [rate for rate in measured if rate > best]
    low = min(max(worse_below), start.peak / SPACING) if worse_below else start.peak / _OPEN_SIDE
    high = max(min(worse_above), start.peak * SPACING) if worse_above else start.peak * _OPEN_SIDE
    reason = Message(
        "{best:rate 2} was the best of {n:count|trial} over the first {steps:position} steps of "
        "the run; {look:message}",
        best=best,
        n=beginnings.tried,
        steps=beginnings.length,
        look=start.reason,
    )
    return Estimate(start.peak, low, high, reason, _SOURCE), beginnings.is_bracketed


def _hints(training: Training, steps: int) -> tuple[dict[str, Estimate], dict[str, Message]]:
    """What gradients and curvature say, where the training offers them and they are cheap."""
    if not isinstance(training, Differentiable):
        without = Message("the training offers no derivatives()")
        return {}, dict.fromkeys(("gradient norms", "curvature"), without)
    hints: dict[str, Estimate] = {}
    left_out: dict[str, Message] = {}
    dear = Message("it takes over 0.5 % of a run of {steps:position} steps", steps=steps)
    try:
        if steps >= _DEAR * _HEURISTIC_GRADIENTS:
            hints.update(gradient_heuristics(training, steps))
        else:
            left_out["gradient norms"] = dear
        if steps >= 2 * _DEAR * _PRODUCTS:
            found = largest_curvature(training, iterations=_PRODUCTS)
            if math.isfinite(found.rate):
                hints["curvature"] = Estimate(
                    found.rate, found.rate / 10, found.rate * 10, found.reason, "Cohen et al. 2021"
                )
        else:
            left_out["curvature"] = dear
    except (StepsizeError, RuntimeError, NotImplementedError) as error:
        # A model whose derivatives have none of their own can be searched all the same.
        left_out["derivatives"] = Message("{error:text}", error=described(error))
    return hints, left_out


def _require_gain(beginnings: Beginnings, untrained: float, runner: TrialRunner, call: str) -> None:
    best = beginnings.best.loss
    if best < untrained:
        return
    raise TrainingError(
        call,
        "a rate can only be recommended where some rate helps",
        f"{runner.judged_by} was {number_text(untrained, 5)} before the first step and "
        f"{number_text(best, 5)} after the best of {beginnings.tried} trials",
        f"Check the data, the labels and the loss; or ask for a longer run.{runner.hint}",
    )
