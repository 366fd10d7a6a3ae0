"""``recommend``: one rate and one plan for a run, found on the first part of the run itself."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from stepsize.errors import InvalidValue, StepsizeError, TrainingError
from stepsize.estimates import Estimate
from stepsize.find._arguments import checked_steps, require_training
from stepsize.find._course import Course
from stepsize.find._curvature import Differentiable, largest_curvature
from stepsize.find._gradients import gradient_heuristics
from stepsize.find._opening import Opening
from stepsize.find._race import is_bracketed, require_movement, table
from stepsize.find._trial import Lane, Trial, largest_base
from stepsize.find.levels import LEVELS
from stepsize.plan import RunPlan, default_plan
from stepsize.schedules import Schedule
from stepsize.training import Training, preserved

__all__ = ["HeadStart", "Recommendation", "recommend"]

_DOUBT = 3.0
_RULE_OF_THUMB = "The interval, a factor of 3 each way, is a rule of thumb"
_SOURCE = "stepsize.find.recommend"
_FEW = 4
_PLATEAU = 0.1
# Gradients, and products of about two each: only where they are half a percent of the run.
_DEAR = 200
_HEURISTIC_GRADIENTS = 4
_PRODUCTS = 10
_AGREE = 3.0


@dataclass(frozen=True)
class HeadStart:
    """What of the run has been done already.

    Args:
        steps: Optimizer steps that need not be taken again.
        losses: The training loss before each of them; shape (steps,).
        snapshot: The training after them.
        training: Whose snapshot it is.
    """

    steps: int
    losses: NDArray[np.float64]
    snapshot: Any
    training: Training


@dataclass(frozen=True, repr=False)
class Recommendation:
    """A rate, a plan, and why.

    Args:
        rate: The peak rate, of the group with the largest base rate.
        plan: The plan of a whole run at that rate, as ``plan.plan_run`` gives them.
        schedule: The run that was begun, in multiples of the base rates, from its first step: up to
            ``head_start.steps`` as it was driven, then down to zero.
        head_start: The first part, done already.
        opening: The sweep.
        trials: The beginnings of the run that were tried, by rate.
        hints: Rates that cheaper rules suggest, by rule.
        left_out: Rules that did not run, and why.
        judged_by: What trials were judged by.
        level: As asked.
        steps: Length of the run.
        spent: Steps that were taken in all, the head start included.
        evaluations: Evaluations that were made.
    """

    rate: Estimate
    plan: RunPlan
    schedule: Schedule
    head_start: HeadStart
    opening: Opening
    trials: tuple[Trial, ...]
    hints: Mapping[str, Estimate]
    left_out: Mapping[str, str]
    judged_by: str
    level: str
    steps: int
    spent: int
    evaluations: int

    @property
    def cost(self) -> float:
        """All steps of a run that goes on from the head start, in full runs; no evaluations."""
        return (self.spent + self.steps - self.head_start.steps) / self.steps

    def resume(self, training: Training) -> int:
        """Put the head start into ``training``; returns the position to go on from.

        Args:
            training: The one that was given to ``recommend``: a snapshot belongs to its training.

        Raises:
            TrainingError: It is another one.

        ``run(training, advice.schedule, advice.steps, start=advice.resume(training))`` then ends,
        bit for bit, where ``run(training, advice.schedule, advice.steps)`` ends from the beginning.
        """
        if training is not self.head_start.training:
            raise TrainingError(
                f"resume({type(training).__name__}): the head start must go into the training that "
                "recommend was given, but this is another one. Give that one, or begin anew: "
                "run(training, advice.schedule, advice.steps)."
            )
        training.restore(self.head_start.snapshot)
        return self.head_start.steps

    @property
    def agreement(self) -> str:
        """Where the rules agree with the recommendation, and where they do not."""
        if not self.hints:
            return "no other rule was measured"
        rate = self.rate.value
        parts = [
            f"{name} says {hint.value:.3g}, "
            + (
                "which agrees"
                if max(hint.value / rate, rate / hint.value) <= _AGREE
                else f"{max(hint.value / rate, rate / hint.value):.1f} times "
                + ("higher" if hint.value > rate else "lower")
            )
            for name, hint in self.hints.items()
        ]
        return "; ".join(parts)

    def __repr__(self) -> str:
        lines = [str(self.rate), repr(self.schedule), f"opening: {self.opening.reason}"]
        lines.append(f"trials: the first {self.head_start.steps} steps, and a short cooldown")
        lines += table(self.trials)
        lines.append(f"others: {self.agreement}")
        lines += [f"left out: {name}, {why}" for name, why in self.left_out.items()]
        lines.append(
            f"cost: {self.cost:.2f} full runs at level {self.level!r}, of which the first "
            f"{self.head_start.steps} steps are done, and {self.evaluations} evaluations"
        )
        return "\n".join(lines)


def recommend(
    training: Training,
    steps: int,
    level: Literal["fast", "default", "thorough"] = "default",
    *,
    metric: str | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Recommendation:
    """Find a rate and a plan for a run of ``steps``, on the first part of that run.

    An opening sweep says where to begin. Trials follow: each is the run's true beginning at its own
    rate, from the first weights and over the same batches, and a short cooldown from its end. They
    go down first, then to where it gets better, by a factor of 4.6, until a lower and a higher rate
    are worse or the budget is spent; then between, by a factor of 2.2. The rate is the lowest point
    of a parabola in log rate through the best and its neighbours; where that is the highest that
    was tried, the best itself, and where it is the lowest, a little less. The beginning of the best
    trial is kept as the run's own: see ``head_start``. Up to three snapshots are held meanwhile.

    The training is afterwards exactly as it was, also after an error.

    Args:
        training: What is trained, before its first step.
        steps: Length of the run, in optimizer steps, >= 200; >= 400 at level "fast".
        level: How much may be spent, the run itself included: "fast" 1.1 full runs, "default" 1.3,
            "thorough" 2.1. Evaluations, one for each trial and one before, come on top.
        metric: What ``evaluate`` measures that is to be lowered: "val_loss", "loss", or the only
            name that ends in "loss" if not given. The training loss where there is none.
        progress: Called after each step with (steps so far, most steps that may be taken).

    Returns:
        The rate, the plan, the reasons, and the first part of the run.

    Raises:
        InvalidType: ``training`` is none, or ``steps`` no number.
        InvalidValue: ``steps`` or ``level`` is out of range.
        TrainingError: Nothing can be recommended: no loss moved, nothing improved, every rate
            diverges, the batches end, or a step or an evaluation fails.

    >>> from stepsize.find import recommend
    >>> from stepsize.testing.training import Bowl
    >>> from stepsize.training import run
    >>> training = Bowl(curvature=[1.0, 0.03], noise=0.1)          # stable below rate 2
    >>> advice = recommend(training, steps=1_000)
    >>> 0.05 < advice.rate.value < 2, advice.cost <= 1.3
    (True, True)
    >>> start = advice.resume(training)                             # 90 steps are done
    >>> ended = run(training, advice.schedule, 1_000, start=start)
    >>> start, ended.metrics["val_loss"] < 0.01
    (90, True)

    Source: Smith 2017 (arXiv 1506.01186) for the sweep; Hägele et al. 2024 (arXiv 2405.18392) for
    cooldowns from one trunk.
    """
    call = f"recommend(..., steps={steps!r}, level={level!r})"
    require_training(training, call)
    if level not in LEVELS:
        raise InvalidValue(
            f"{call}: level must be one of {', '.join(map(repr, LEVELS))}, but is {level!r}."
        )
    chosen = LEVELS[level]
    steps = checked_steps(
        call,
        steps,
        chosen.fewest,
        f"At level {level!r} trials of a shorter run tell nothing: use range_test there.",
    )
    base = largest_base(training, call)
    shape = default_plan(steps, training.groups[0].beta2)
    with preserved(training):
        hints, left_out = _hints(training, steps)
        lane = Lane(training, call, metric, _told(progress, chosen.most(steps)))
        course = Course(lane, shape, base, chosen, call)
        seen, found = course.sail()
        _require_gain(course, seen, lane, level, call)
        head_start = HeadStart(
            course.position, np.array(course.losses), training.snapshot(), training
        )
    rate = Estimate(found, found / _DOUBT, found * _DOUBT, _reason(course), _SOURCE)
    return Recommendation(
        rate,
        replace(shape, peak=rate),
        course.schedule(found),
        head_start,
        seen,
        course.trials,
        {"opening sweep": _hint(seen), **hints},
        left_out,
        lane.judged_by,
        level,
        steps,
        lane.steps,
        lane.evaluations,
    )


def _told(progress: Callable[[int, int], None] | None, most: int) -> Callable[[int], None] | None:
    return None if progress is None else lambda done: progress(done, most)


def _reason(course: Course) -> str:
    trials, best = course.trials, course.best
    if len(trials) == 1:
        why = (
            "the first rate that was tried helps, and this level looks no further"
            if course.is_content
            else "the only trial that could be paid for"
        )
        return (
            f"{why}: the first {course.position} steps and a short cooldown ended at "
            f"{best.loss:.4g}. {_RULE_OF_THUMB}"
        )
    read = (
        f"the lowest of {len(trials)} rates, the first that helps, and a little below"
        if course.is_content
        else f"a parabola through the best of {len(trials)} trials and its neighbours"
        if is_bracketed(trials)
        else f"a little below the best of {len(trials)} trials, which was the lowest"
        if best is trials[0]
        else f"the best of {len(trials)} trials, which was the highest"
    )
    return (
        f"{read}; at {best.rate:.3g} the first {course.position} steps and a short cooldown ended "
        f"lowest. {_RULE_OF_THUMB}"
    )


def _hint(seen: Opening) -> Estimate:
    return Estimate(seen.rate, seen.rate / 10, seen.rate * 10, seen.reason, "Smith 2017")


def _hints(training: Training, steps: int) -> tuple[dict[str, Estimate], dict[str, str]]:
    """What gradients and curvature say, where the training offers them and they are cheap."""
    rules = ("gradient norms", "curvature")
    if not isinstance(training, Differentiable):
        return {}, dict.fromkeys(rules, "the training offers no derivatives()")
    hints: dict[str, Estimate] = {}
    left_out: dict[str, str] = {}
    try:
        if steps >= _DEAR * _HEURISTIC_GRADIENTS:
            hints.update(gradient_heuristics(training, steps))
        else:
            left_out["gradient norms"] = f"over 0.5 % of a run of {steps} steps"
        if steps >= 2 * _DEAR * _PRODUCTS:
            found = largest_curvature(training, iterations=_PRODUCTS)
            if math.isfinite(found.rate):
                hints["curvature"] = Estimate(
                    found.rate, found.rate / 10, found.rate * 10, found.reason, "Cohen et al. 2021"
                )
        else:
            left_out["curvature"] = f"over 0.5 % of a run of {steps} steps"
    except (StepsizeError, RuntimeError, NotImplementedError) as error:
        # A model whose derivatives have none of their own can be raced all the same.
        left_out["derivatives"] = f"{type(error).__name__}: {error}"
    return hints, left_out


def _require_gain(course: Course, seen: Opening, lane: Lane, level: str, call: str) -> None:
    before = lane.first if lane.metric else float(np.median(seen.losses[:_FEW]))
    best = course.best.loss
    require_movement(course.trials, lane, call)
    # The short trial of level "fast" may end on the plateau that some models begin on.
    allowed = 0.0 if LEVELS[level].compares else _PLATEAU * abs(before)
    if best < before + allowed:
        return
    raise TrainingError(
        f"{call}: a rate can only be recommended where some rate helps, but {lane.judged_by} was "
        f"{before:.5g} before the first step and {best:.5g} after the best of "
        f"{len(course.trials)} trials. Check the data, the labels and the loss; or ask for a "
        f"longer run.{lane.hint}"
    )
