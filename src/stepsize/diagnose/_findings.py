"""All rules, applied to the curves of a run."""

from collections.abc import Mapping
from typing import Final

import numpy as np

from stepsize.diagnose import _evaluation, _groups, _loss, _rate, _starts
from stepsize.diagnose._names import GRADIENT_NORM, TRAINING_LOSS, VALIDATION_LOSS, first_match
from stepsize.diagnose._rule import Finding, Rule
from stepsize.diagnose._view import EMPTY, Curve, RecordedCurves, RunView, ordered
from stepsize.errors import InvalidType, InvalidValue

__all__ = ["RULES", "findings"]

RULES: Final[tuple[Rule, ...]] = (
    _loss.diverged,
    _loss.spikes,
    _loss.oscillation,
    _loss.plateau_at_high_rate,
    _starts.rate_too_low,
    _starts.warmup_too_short,
    _rate.decay_ended_early,
    _rate.never_decayed,
    _rate.ended_before_cooldown,
    _rate.wrong_unit,
    _rate.first_update_wasted,
    _evaluation.overfitting,
    _groups.group_barely_moving,
    _evaluation.noisy_evaluation,
)
"""Every rule, in the order of the findings."""

_RATE: Final = "lr"


def findings(
    run: RecordedCurves,
    *,
    loss: str | None = None,
    validation: str | None = None,
    steps: float | None = None,
    steps_per_epoch: float | None = None,
) -> tuple[Finding, ...]:
    """What is wrong with a run that was recorded, and what to change.

    Rules look at the rates that were really used and at the losses. A rule says nothing where a
    curve that it needs is missing or too short. No finding is no praise.

    Args:
        run: Anything with ``quantities`` and ``metrics``, curves by name: a run of
            ``stepsize.record.read_runs`` or of ``stepsize.logs.read_logs``. The rates are the
            quantities ``"lr"`` and ``"lr/<group>"``.
        loss: The metric that is the training loss; by default the one that has a usual name, such
            as ``"loss"`` or ``"train/loss"``.
        validation: The same for the loss on other data: ``"val_loss"``, ``"eval_loss"``, …
        steps: How many optimizer steps were planned, > 0; by default what the log says, if it does.
        steps_per_epoch: Optimizer steps per epoch, > 0; by default from a metric ``"epoch"``.

    Returns:
        The findings, in the order of ``RULES``; empty if nothing was found.

    Raises:
        InvalidType: ``run`` has no curves.
        InvalidValue: A curve that is named is not there, or a number is not above 0.

    >>> import numpy as np
    >>> from types import SimpleNamespace
    >>> at = np.arange(100.0)
    >>> run = SimpleNamespace(
    ...     quantities={"lr": (at, np.full(100, 0.1))},
    ...     metrics={"loss": (at, np.where(at < 70, 3 / (1 + at), np.nan))},
    ... )
    >>> for finding in findings(run):
    ...     print(finding.name, finding.sure, finding.start, finding.end)
    diverged certain 70.0 99.0
    """
    given = f"findings({type(run).__name__}, ...)"
    quantities, metrics = getattr(run, "quantities", None), getattr(run, "metrics", None)
    if not isinstance(quantities, Mapping) or not isinstance(metrics, Mapping):
        raise InvalidType(
            f"{given}: a run has its curves as .quantities and .metrics, but this is a "
            f"{type(run).__name__}. A file goes through stepsize.logs.read_logs(path)."
        )
    view = RunView(
        training=ordered(_chosen(given, "loss", loss, run.metrics, TRAINING_LOSS)),
        validation=_chosen(given, "validation", validation, run.metrics, VALIDATION_LOSS),
        rates={
            name: curve
            for name, curve in run.quantities.items()
            if name == _RATE or name.startswith(f"{_RATE}/")
        },
        gradient_norm=_chosen(given, "gradient_norm", None, run.metrics, GRADIENT_NORM),
        metrics=run.metrics,
        planned=_above_zero(given, "steps", steps) or _said_to_be_planned(run),
        steps_per_epoch=_above_zero(given, "steps_per_epoch", steps_per_epoch),
        cut_short=getattr(run, "cut_short", False) is True,
    )
    # A log of text without a single number that counts has nothing that could be wrong.
    with np.errstate(all="ignore"):
        found = [finding for rule in RULES if (finding := rule(view)) is not None]
    named = {finding.name for finding in found}
    explained = {other for rule in RULES if rule.name in named for other in rule.instead_of}
    return tuple(finding for finding in found if finding.name not in explained)


def _chosen(
    given: str,
    role: str,
    name: str | None,
    metrics: Mapping[str, Curve],
    patterns: tuple[str, ...],
) -> Curve:
    if name is None:
        name = first_match(metrics, patterns)
        return EMPTY if name is None else metrics[name]
    if name not in metrics:
        there = ", ".join(map(repr, metrics)) or "none"
        raise InvalidValue(
            f"{given[:-1]}, {role}={name!r}): there is no such metric. There are: {there}."
        )
    return metrics[name]


def _said_to_be_planned(run: RecordedCurves) -> float | None:
    said = getattr(run, "steps", None)
    # A log may say anything.
    return said if isinstance(said, int | float) and 0 < said < float("inf") else None


def _above_zero(given: str, name: str, value: float | None) -> float | None:
    if value is not None and not 0 < value < float("inf"):
        raise InvalidValue(
            f"{given[:-1]}, {name}={value!r}): it counts optimizer steps and is above 0, but is "
            f"{value!r}."
        )
    return value
