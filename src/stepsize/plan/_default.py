"""The plan for whoever names none: warmup, then linear to zero."""

import math
from dataclasses import dataclass

from stepsize.errors import InvalidValue
from stepsize.schedules import Schedule, linear_to_zero

__all__ = ["Plan", "default_plan"]

_LONGEST_WARMUP = 0.1
_WARMUP_WITHOUT_BETA2 = 0.05


@dataclass(frozen=True)
class Plan:
    """A schedule and why it is this one."""

    schedule: Schedule
    reason: str


def default_plan(steps: int, beta2: float | None = None) -> Plan:
    """Linear warmup, then linear to zero.

    The warmup lasts 2 / (1 - β₂) steps for optimizers of Adam's kind, 5 % of the run for the
    others, and never more than 10 % of the run.

    Args:
        steps: Length of the run in optimizer steps, >= 1.
        beta2: Decay of the optimizer's second moment, 0 <= β₂ < 1; None where it has none.

    Returns:
        The schedule and the reasons.

    Raises:
        InvalidValue: A number is out of range.

    >>> default_plan(10_000, beta2=0.99).schedule
    Warmup(201).skip(1) >> Linear(9800)
    >>> default_plan(10_000, beta2=0.999).schedule
    Warmup(1001).skip(1) >> Linear(9000)

    Source: Ma & Yarats 2021, "On the Adequacy of Untuned Warmup" (arXiv 1910.04209); Defazio et al.
    2023 (arXiv 2310.07831) for the linear decay to zero.
    """
    if steps < 1 or not (beta2 is None or 0 <= beta2 < 1):
        raise InvalidValue(
            f"default_plan({steps!r}, beta2={beta2!r}): steps must be at least 1 and beta2 at "
            "least 0 and below 1. Leave beta2 out for optimizers without a second moment."
        )
    longest = math.floor(_LONGEST_WARMUP * steps)
    if beta2 is None:
        warmup = math.floor(_WARMUP_WITHOUT_BETA2 * steps)
        why = f"{_WARMUP_WITHOUT_BETA2:.0%} of the run"
    else:
        wanted = round(2 / (1 - beta2))
        warmup = min(wanted, longest)
        why = f"2 / (1 - β₂) with β₂ = {beta2:g}"
        if wanted > longest:
            why = f"{why} would be {wanted}, but {_LONGEST_WARMUP:.0%} of the run is the most"
    reason = (
        f"warmup over {warmup} steps ({why}), then a straight line to zero: the shape with the "
        "best worst case, and at a tuned rate within the best few on published runs"
    )
    return Plan(linear_to_zero(steps, warmup), reason)
