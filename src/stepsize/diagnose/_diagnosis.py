"""All rules, applied to the curves of a run."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from stepsize.checks import Range, checked_number
from stepsize.diagnose import (
    _decay,
    _divergence,
    _evaluation,
    _groups,
    _height,
    _learning,
    _loss,
    _starts,
    _unit,
)
from stepsize.diagnose._levels import RunRule
from stepsize.diagnose._taken import RecordedCurves, Taken, taken_of, view_of
from stepsize.errors import InvalidType
from stepsize.messages import Message
from stepsize.rules import Finding, apply_rules

__all__ = ["RULES", "Diagnosis", "diagnosis", "findings"]

RULES: Final[tuple[RunRule, ...]] = (
    _divergence.diverged,
    _learning.never_learnt,
    _loss.spikes,
    _loss.oscillation,
    _loss.plateau_at_high_rate,
    _height.rate_too_low,
    _starts.warmup_too_short,
    _starts.warmup_too_long,
    _decay.decay_ended_early,
    _decay.never_decayed,
    _decay.ended_before_cooldown,
    _unit.wrong_unit,
    _starts.first_update_wasted,
    _evaluation.overfitting,
    _groups.group_barely_moving,
    _evaluation.noisy_evaluation,
)
"""Every rule, in the order of the findings."""

_ABOVE_ZERO: Final = Range(above=0, remedy="It counts optimizer steps.")


@dataclass(frozen=True)
class Diagnosis:
    """What a run's curves were taken for, and what was found in them.

    Args:
        taken: What was taken for what.
        findings: In the order of ``RULES``.
    """

    taken: Taken
    findings: tuple[Finding, ...]

    @property
    def is_clean(self) -> bool:
        """Whether a loss was examined and nothing was found."""
        return self.taken.has_loss and not self.findings

    @property
    def summary(self) -> Message:
        """What is said where nothing was found: what was not examined is never called clean."""
        remedy = self.taken.remedy
        if remedy is not None:
            return remedy
        if not self.taken.rates:
            return Message("Nothing was found in the loss; no rate was logged.")
        return Message("Nothing was found.")

    def to_dict(self) -> dict[str, Any]:
        """Plain data under stable names."""
        remedy = self.taken.remedy
        return {
            "columns": self.taken.to_dict(),
            "clean": self.is_clean,
            "not_examined": None if remedy is None else str(remedy),
            "findings": [finding.to_dict() for finding in self.findings],
        }


def findings(
    run: RecordedCurves,
    *,
    loss: str | None = None,
    validation: str | None = None,
    steps: float | None = None,
    steps_per_epoch: float | None = None,
) -> tuple[Finding, ...]:
    """The findings of ``diagnosis``, for callers who know what their curves are.

    Args, Raises: As ``diagnosis``.

    >>> import numpy as np
    >>> from types import SimpleNamespace
    >>> at = np.arange(100.0)
    >>> run = SimpleNamespace(
    ...     quantities={"lr": (at, np.full(100, 0.1))},
    ...     metrics={"loss": (at, np.where(at < 70, 3 / (1 + at), np.nan))},
    ... )
    >>> for finding in findings(run):
    ...     print(finding.rule, finding.level, finding.start, finding.end)
    diverged certain 70.0 99.0
    """
    return diagnosis(
        run, loss=loss, validation=validation, steps=steps, steps_per_epoch=steps_per_epoch
    ).findings


def diagnosis(
    run: RecordedCurves,
    *,
    loss: str | None = None,
    validation: str | None = None,
    steps: float | None = None,
    steps_per_epoch: float | None = None,
    may_go_on: bool = False,
) -> Diagnosis:
    """What is wrong with a run that was recorded, and what to change.

    Rules look at the rates that were really used and at the losses. A rule says nothing where its
    least evidence is missing. What was not examined is not called clean.

    Args:
        run: Anything with ``quantities`` and ``metrics``, curves by name: a run of
            ``stepsize.record.read_runs`` or of ``stepsize.logs.read_logs``. The rates are the
            quantities ``"lr"`` and ``"lr/<group>"``.
        loss: The metric that is the training loss; by default the one that has the name of one,
            such as ``"loss"`` or ``"train/loss"``.
        validation: The same for the loss on other data: ``"val_loss"``, ``"eval_loss"``, …
        steps: How many optimizer steps were planned, > 0; by default what the log says, if it does.
        steps_per_epoch: Optimizer steps per epoch, > 0; by default from a metric ``"epoch"``.
        may_go_on: Whether the run may have gone on after the log's end.

    Returns:
        What was taken for what, and the findings.

    Raises:
        InvalidType: ``run`` has no curves.
        InvalidValue: A curve that is named is not there, or a number is not above 0.

    >>> import numpy as np
    >>> from types import SimpleNamespace
    >>> at = np.arange(100.0)
    >>> run = SimpleNamespace(quantities={}, metrics={"train/loss": (at, 3 / (1 + at))})
    >>> print(diagnosis(run).taken.told)
    Training loss: 'train/loss'. Validation loss: none found. Rate: none found. Positions: ...
    """
    call = f"findings({type(run).__name__}, ...)"
    quantities, metrics = getattr(run, "quantities", None), getattr(run, "metrics", None)
    if not isinstance(quantities, Mapping) or not isinstance(metrics, Mapping):
        raise InvalidType(
            call,
            "a run has its curves as .quantities and .metrics",
            f"this is a {type(run).__name__}",
            "Read a file with stepsize.logs.read_logs(path).",
        )
    planned = _above_zero(call, "steps", steps) or _said_to_be_planned(run)
    view, taken = view_of(
        run,
        taken_of(call, run, loss, validation),
        planned=planned,
        steps_per_epoch=_above_zero(call, "steps_per_epoch", steps_per_epoch),
        may_go_on=may_go_on,
    )
    # Sums and squares of values near the end of the floats overflow, and then say nothing.
    with np.errstate(all="ignore"):
        return Diagnosis(taken, apply_rules(RULES, view))


def _said_to_be_planned(run: RecordedCurves) -> float | None:
    said = getattr(run, "steps", None)
    # A log may say anything.
    return said if isinstance(said, int | float) and 0 < said < float("inf") else None


def _above_zero(call: str, name: str, value: float | None) -> float | None:
    if value is None:
        return None
    return checked_number(f"{call[:-1]}, {name}={value!r})", name, value, _ABOVE_ZERO)
