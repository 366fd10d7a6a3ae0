"""A run that is over, told in sentences."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from stepsize.diagnose import Diagnosis, diagnosis
from stepsize.plot.points import Curve
from stepsize.report.history import History, kept
from stepsize.training import Outcome
from stepsize.words import number_text, position_text

__all__ = ["FinishedRun", "Status"]

Status: TypeAlias = Literal["finished", "stopped", "interrupted", "failed"]

_AVERAGED: Final = 20
_STRESSED: Final = ("certain", "likely")


@dataclass(frozen=True)
class FinishedRun:
    """A run that is over, and what to say about it.

    Args:
        name: What it is called.
        status: How it ended.
        outcome: What came out.
        history: What it did on the way.
        seconds: How long it took, the search for its rate included.
        head_start: How many of its first steps the search took.
        failure: What the training raised, if it failed.
    """

    name: str
    status: Status
    outcome: Outcome
    history: History
    seconds: float
    head_start: int = 0
    failure: str = ""

    @property
    def final_loss(self) -> float | None:
        """The training loss, mean of the last 20 steps; None if there is none."""
        last = self.history.loss_curve[1][-_AVERAGED:].tolist()
        return sum(loss / len(last) for loss in last) if last else None

    @property
    def rate_found(self) -> float | None:
        """The rate with which it went on after its head start; None if there was none."""
        if not self.head_start:
            return None
        steps = zip(self.history.positions, self.history.rates, strict=True)
        return next((rate for position, rate in steps if position >= self.head_start), None)

    @property
    def summary(self) -> Sequence[str]:
        """What happened, in sentences."""
        steps = self.outcome.steps
        ended = {
            "finished": f"finished {steps:,} steps",
            "stopped": f"was stopped after {steps:,} steps: {self.outcome.stopped},",
            "interrupted": f"was interrupted after {steps:,} steps",
            "failed": f"failed after {steps:,} steps",
        }[self.status]
        sentences = [f"{self.name} {ended} in {self.seconds:.1f} s."]
        if self.failure:
            sentences.append(f"The training raised {self.failure.removesuffix('.')}.")
        if self.rate_found is not None:
            sentences.append(
                f"The first {self.head_start:,} steps doubled as the rate search, which chose "
                f"{number_text(self.rate_found, 3)}."
            )
        loss, rates = self.final_loss, self.history.rates
        if loss is not None:
            losses = self.history.loss_curve[1]
            averaged = min(_AVERAGED, len(losses))
            sentences.append(
                f"The training loss went from {number_text(losses[0])} to {number_text(loss)} "
                f"(mean of the last {averaged})."
            )
        if rates:
            peak = max(range(len(rates)), key=rates.__getitem__)
            sentences.append(
                f"The rate peaked at {number_text(rates[peak], 3)} at step "
                f"{position_text(self.history.positions[peak])} "
                f"and ended at {number_text(rates[-1], 3)}."
            )
        if self.outcome.skipped:
            sentences.append(
                f"{self.outcome.skipped:,} updates were skipped by the gradient scaler."
            )
        taken = len(self.history.decisions)
        if taken:
            times = "once" if taken == 1 else f"{taken:,} times"
            sentences.append(f"The controllers acted {times}.")
        if self.outcome.metrics:
            measured = ", ".join(
                f"{name} {number_text(value)}" for name, value in self.outcome.metrics.items()
            )
            sentences.append(f"Evaluation: {measured}.")
        return sentences

    @property
    def diagnosis(self) -> Diagnosis:
        """What the rules of ``stepsize.diagnose`` say about it."""
        history = self.history
        return diagnosis(
            _Curves({"lr": kept(history.rate_curve)}, history.kept_curves),
            may_go_on=self.status != "finished",
        )

    @property
    def warnings(self) -> Sequence[str]:
        """What is wrong with it, in sentences."""
        return [
            *(
                f"{finding.evidence} {finding.remedy}"
                for finding in self.diagnosis.findings
                if finding.level in _STRESSED
            ),
            *self._about_the_evaluation(),
        ]

    def _about_the_evaluation(self) -> Sequence[str]:
        return [
            f"The last evaluation gave {value} for {name}: the model, the validation data or "
            "evaluate() itself is broken, so the run's result is unknown."
            for name, value in self.outcome.metrics.items()
            if not math.isfinite(value)
        ]


@dataclass(frozen=True)
class _Curves:
    """What the rules look at."""

    quantities: Mapping[str, Curve]
    metrics: Mapping[str, Curve]
