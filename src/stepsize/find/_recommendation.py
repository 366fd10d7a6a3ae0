"""What ``recommend`` returns: the rate, the plan, the first part of the run, and why."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stepsize.errors import TrainingError
from stepsize.estimates import Estimate
from stepsize.find._rate_sweep import RateSweep
from stepsize.find._trials import Trial, table_lines
from stepsize.messages import Message
from stepsize.plan import RunPlan
from stepsize.schedules import Schedule
from stepsize.training import Training
from stepsize.words import number_text

__all__ = ["HeadStart", "RateSweep", "Recommendation"]

_AGREE = 3.0


@dataclass(frozen=True)
class HeadStart:
    """The part of the run that is done already.

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
    """A rate, a plan, and why. Printed, it is one line; ``repr`` has the details.

    Args:
        rate: The peak rate, of the group with the largest base rate, with the interval that
            follows from what was measured.
        is_bracketed: Whether a lower and a higher rate were measured and were worse.
        plan: The plan of a whole run at that rate, as ``plan.plan_run`` gives them.
        schedule: The run that was begun, in multiples of the base rates, from its first step: up to
            ``head_start.steps`` as it was driven, then at the peak, then down to zero.
        head_start: The first part, done already.
        sweep: The sweep that said where trials begin.
        trials: The beginnings of the run that were tried, by rate.
        trial_steps: Their length without the cooldown.
        forks: What was compared at the second look, by rate; empty without one.
        hints: Rates that cheaper rules suggest, by rule.
        left_out: Rules that did not run, and why.
        judged_by: What trials were judged by.
        level: As asked.
        steps: Length of the run.
        spent: Steps that were taken in all, the head start included.
        evaluations: Evaluations made.
    """

    rate: Estimate
    is_bracketed: bool
    plan: RunPlan
    schedule: Schedule
    head_start: HeadStart
    sweep: RateSweep
    trials: tuple[Trial, ...]
    trial_steps: int
    forks: tuple[Trial, ...]
    hints: Mapping[str, Estimate]
    left_out: Mapping[str, Message]
    judged_by: Message
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
                f"resume({type(training).__name__})",
                "the head start must go into the training that recommend was given",
                "this is another one",
                "Give that one, or begin anew: run(training, advice.schedule, advice.steps).",
            )
        training.restore(self.head_start.snapshot)
        return self.head_start.steps

    @property
    def verdict(self) -> Message:
        """The rate, its interval, and in one sentence why."""
        fields = {
            "rate": self.rate.value,
            "low": self.rate.low,
            "high": self.rate.high,
            "why": self.rate.reason,
        }
        if self.is_bracketed:
            return Message(
                "{rate:rate 3} ({low:rate 2} to {high:rate 2}): {why:message}.", **fields
            )
        return Message(
            "Not bracketed, the best rate may lie beyond: {rate:rate 3} ({low:rate 2} to "
            "{high:rate 2}): {why:message}.",
            **fields,
        )

    @property
    def agreement(self) -> str:
        """Where cheaper rules agree with the recommendation, and where they do not."""
        if not self.hints:
            return "no other rule was measured"
        return "; ".join(
            f"{name} says {number_text(hint.value, 3)}, {_compared(hint.value, self.rate.value)}"
            for name, hint in self.hints.items()
        )

    def __str__(self) -> str:
        return str(self.verdict)

    def __repr__(self) -> str:
        lines = [str(self.verdict), f"schedule: {self.schedule!r}", f"sweep: {self.sweep.reason}"]
        lines.append(
            f"trials: the first {self.trial_steps} steps and a short cooldown, judged by "
            f"{self.judged_by}"
        )
        lines += table_lines(self.trials)
        if self.forks:
            lines.append("second look:")
            lines += table_lines(self.forks)
        lines.append(f"other rules: {self.agreement}")
        lines += [f"left out: {name}, {why}" for name, why in self.left_out.items()]
        lines.append(
            f"cost: {self.cost:.2f} full runs at level {self.level!r}, of which the first "
            f"{self.head_start.steps} steps are done, and {self.evaluations} evaluations"
        )
        return "\n".join(lines)


def _compared(value: float, rate: float) -> str:
    times = max(value / rate, rate / value)
    if times <= _AGREE:
        return "which agrees"
    return f"{number_text(times, 2)} times {'higher' if value > rate else 'lower'}"
