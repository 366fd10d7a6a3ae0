"""All rules, applied to a schedule and its run."""

from typing import Final

from stepsize.checks import (
    MOST_STEPS,
    RATE,
    STEPS,
    Range,
    checked_number,
    checked_whole_number,
)
from stepsize.errors import InvalidType
from stepsize.lint import _ends, _rates, _shape, _starts
from stepsize.lint._rule import PlanRule
from stepsize.lint._run import PlannedRun
from stepsize.lint._usual import usual_rates
from stepsize.rules import Finding, apply_rules
from stepsize.schedules import Absolute, Schedule

__all__ = ["RULES", "review"]

RULES: Final[tuple[PlanRule, ...]] = (
    _starts.first_update_at_zero,
    _starts.warmup_outlasts_run,
    _starts.long_warmup,
    _starts.no_warmup,
    _shape.rises_again,
    _shape.jump_up,
    _shape.zeros_inside,
    _shape.negative_rate,
    _ends.curve_in_epochs,
    _ends.outlasts_run,
    _ends.zero_tail,
    _ends.ends_early,
    _ends.vanishes,
    _ends.never_decays,
    _ends.ends_high,
    _ends.floor_never_reached,
    _ends.steep_decay,
    _rates.peak_above,
    _rates.peak_below,
    _rates.rate_as_multiple,
)
"""Every rule, in the order of the findings."""

_PER_EPOCH = Range(
    above=0, maximum=MOST_STEPS, remedy="total_steps(dataset_len, batch) counts them."
)


def review(
    schedule: Schedule | Absolute,
    steps: int | None,
    *,
    steps_per_epoch: float | None = None,
    optimizer: str | None = None,
    base: float | None = None,
) -> tuple[Finding, ...]:
    """What is wrong with a schedule, before a step is spent.

    Rules look at the schedule over the run that it is meant for. A rule stays silent where it lacks
    what it needs: a length, epochs, an optimizer, a base rate. Silence does not prove a plan good.

    Args:
        schedule: The schedule; ``Absolute(schedule)`` if its values are the rates.
        steps: Length of the run in optimizer steps, 1 to 2^53; None if it is unknown.
        steps_per_epoch: Optimizer steps per epoch, > 0.
        optimizer: A name in ``USUAL_RATES``, in any case: "adamw", "sgd", "sgd-momentum", ...
        base: The base rate, > 0: the highest among the groups.

    Returns:
        The findings, in the order of ``RULES``. Their numbers are rates where the base rate is
        known, else multiples of it; the last update concerned is the one before ``end``.

    Raises:
        InvalidType: ``schedule`` is not a schedule, or a number has another type.
        InvalidValue: A number is out of range, or the optimizer is not in the table.

    >>> from stepsize import Warmup, Cosine, warmup_cosine
    >>> from stepsize.lint import review
    >>> for finding in review(Warmup(500) >> Cosine(9_500), steps=8_000):
    ...     print(finding.level, finding.rule, round(finding.start), round(finding.end))
    mistake first_update_at_zero 0 1
    mistake outlasts_run 8000 10000
    >>> review(warmup_cosine(8_000, warmup=500), steps=8_000)
    ()
    """
    if not isinstance(schedule, Schedule | Absolute):
        raise InvalidType(
            f"review({schedule!r}, ...)",
            "{schedule} must be a schedule or Absolute(schedule)",
            f"is a {type(schedule).__name__}",
            "A text goes through parse(text).",
            "schedule",
        )
    run = PlannedRun(
        schedule=schedule.schedule if isinstance(schedule, Absolute) else schedule,
        steps=None
        if steps is None
        else checked_whole_number(f"review(..., steps={steps!r})", "steps", steps, STEPS),
        steps_per_epoch=_checked("steps_per_epoch", steps_per_epoch, _PER_EPOCH),
        usual=None
        if optimizer is None
        else usual_rates(f"review(..., optimizer={optimizer!r})", optimizer),
        base=_checked("base", base, RATE),
        absolute=isinstance(schedule, Absolute),
    )
    # All others measure by the peak, and a run that never moves has none.
    return apply_rules(RULES if run.peak > 0 else (_shape.negative_rate, _ends.zero_tail), run)


def _checked(name: str, value: float | None, allowed: Range) -> float | None:
    if value is None:
        return None
    return checked_number(f"review(..., {name}={value!r})", name, value, allowed)
