"""A rate tuned for one schedule and horizon, carried over to another."""

import math
from typing import Any, cast

from stepsize.checks import Range, checked_number, checked_whole_number
from stepsize.errors import InvalidType
from stepsize.estimates import Estimate, checked_estimate
from stepsize.plan._bound import STEPS, bound_of, checked_schedule, multiples
from stepsize.schedules import Schedule

__all__ = ["transfer"]

_LARGEST_EXPONENT = 1 / 3
_EXPONENT = Range(
    minimum=0,
    maximum=_LARGEST_EXPONENT,
    remedy="0 leaves the horizon out; 0.1 to 0.2 was measured on a language model.",
)
# Over the published cells, 29 of 30 transferred rates lie within this factor of the best one.
_SHAPE_DOUBT = 1.25
# The same schedule over another horizon differs by less, through its first and last steps.
_SAME_SHAPE = 1e-3

_SOURCE = (
    "Schaipp et al. 2025 (arXiv 2501.18965); checked on 30 cells of their runs, docs/en/plan.md"
)


def transfer(
    rate: float | Estimate,
    from_: tuple[Schedule, int],
    to: tuple[Schedule, int],
    exponent: float = 0.2,
) -> Estimate:
    """The base rate for a run, from the rate that was best for another one of the same model.

    rate · γ*(to) / γ*(from_) · (T_to / T_from)^-exponent, with γ* the best rate under
    :func:`bound`, both schedules squeezed or stretched to one horizon, √(T_from · T_to).

    The bound is for the shape; the horizon's exponent is measured and not universal: about 0.11 to
    0.19 on a 124M language model, and between -0.4 and 0.3 over batch sizes elsewhere. The interval
    covers 0 to 1/3, and a factor of 1.25 either way for a change of shape.

    Args:
        rate: The tuned base rate, > 0; an estimate brings its own interval along.
        from_: ``(schedule, steps)`` for which it was tuned.
        to: ``(schedule, steps)`` of the run that is planned. Each schedule is what the run follows
            for its steps, whatever its length.
        exponent: How the best rate falls with the horizon, 0 to 1/3.

    Returns:
        The base rate for ``to``.

    Raises:
        InvalidType: Something is no number, no schedule, or no pair of a schedule and steps.
        InvalidValue: A number is out of range, or a schedule is negative or 0 throughout.

    >>> from stepsize import Cosine, wsd
    >>> tuned = wsd(25_000, warmup=300, cooldown=5_000)
    >>> longer = transfer(1e-3, from_=(tuned, 25_000), to=(Cosine(50_000), 50_000))
    >>> f"{longer.value:.2g}, between {longer.low:.1g} and {longer.high:.1g}"
    '0.0016, between 0.001 and 0.002'

    Source: Schaipp et al. 2025 (arXiv 2501.18965)
    """
    call = f"transfer({rate!r}, from_={from_!r}, to={to!r}, exponent={exponent!r})"
    tuned = checked_estimate(call, rate)
    power = checked_number(call, "exponent", exponent, _EXPONENT)
    before, tuned_steps = _schedule_and_steps(call, "from_", from_)
    after, steps = _schedule_and_steps(call, "to", to)
    # Halfway between the two, so that the way back gives the old rate again.
    horizon = round(math.sqrt(tuned_steps * steps))
    here, there = (
        bound_of(multiples(call, schedule.until(length).over(horizon), horizon))
        for schedule, length in ((before, tuned_steps), (after, steps))
    )
    shape = there.rate / here.rate
    ratio = steps / tuned_steps
    doubt = 1.0 if math.isclose(shape, 1.0, rel_tol=_SAME_SHAPE) else _SHAPE_DOUBT
    extremes = sorted((1.0, ratio**-_LARGEST_EXPONENT))
    return tuned.times(
        shape * ratio**-power,
        low=shape / doubt * extremes[0],
        high=shape * doubt * extremes[1],
        reason=(
            f"{tuned.value:.4g} ({tuned.reason}) for {before!r} over {tuned_steps} steps, "
            f"× {shape:.3g} for the shape (best rates of the convex bound at {horizon} steps), "
            f"× {ratio**-power:.3g} for {steps} steps "
            f"({ratio:.4g}^-{power:g}; the exponent lies between 0 and 1/3"
            f"{'; the shape is right within a factor of 1.25' if doubt > 1 else ''})"
        ),
        source=_SOURCE,
    )


def _schedule_and_steps(call: str, name: str, pair: Any) -> tuple[Schedule, int]:
    if not isinstance(pair, tuple) or len(cast(tuple[Any, ...], pair)) != 2:
        raise InvalidType(
            f"{call}: {name} must be a pair (schedule, steps), but is {pair!r}. "
            f"Example: {name}=(Linear(10_000), 10_000)."
        )
    schedule, steps = cast(tuple[Any, Any], pair)
    return (
        checked_schedule(call, schedule),
        checked_whole_number(call, f"the steps of {name}", steps, STEPS),
    )
