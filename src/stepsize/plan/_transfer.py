"""A rate tuned for one schedule and horizon, carried over to another."""

import math
from typing import Any, cast

from stepsize.checks import Range, checked_number, checked_whole_number
from stepsize.errors import InvalidType
from stepsize.estimates import Estimate, checked_estimate
from stepsize.messages import Message
from stepsize.plan._bound import STEPS, bound_of, checked_schedule, multiples
from stepsize.schedules import Schedule
from stepsize.words import shortened

__all__ = ["transfer"]

_EXPONENT = Range(
    minimum=0,
    maximum=1 / 3,
    remedy="0 leaves the horizon out; 0.1 to 0.2 was measured on one language model.",
)
# How the best rate fell with the horizon, from the lowest exponent seen to the highest.
_AT_ONE_BATCH = (-0.12, 0.3)
_OVER_BATCHES = (-0.4, 0.3)
# Over the published cells, 29 of 30 transferred rates lie within this factor of the best one.
_SHAPE_DOUBT = 1.25
# The same schedule over another horizon differs by less, through its first and last steps.
_SAME_SHAPE = 1e-3
_LONGEST_SCHEDULE = 120

_SOURCE = (
    "Schaipp et al. 2025 (arXiv 2501.18965) for the shape; for the horizon 184 pairs of runs of "
    "another laboratory's dense grid, at one batch size"
)


def transfer(
    rate: float | Estimate,
    from_: tuple[Schedule, int],
    to: tuple[Schedule, int],
    exponent: float = 0.0,
    *,
    same_batch: bool = True,
) -> Estimate:
    """The base rate for a run, from the rate that was best for another one of the same model.

    rate · γ*(to) / γ*(from_) · (T_to / T_from)^-exponent, with γ* the best rate under
    :func:`bound`, both schedules squeezed or stretched to one horizon, √(T_from · T_to).

    The bound is for the shape. How the best rate follows the horizon is not universal: on 184 pairs
    of runs at one batch size an exponent of 0 cost 0.0048 nats, keeping the old rate 0.0053, and
    the bound's own direction with 0.2 cost 0.0094; the exponents lie between -0.12 and 0.3. A 124M
    language model shows 0.11 to 0.19. The interval covers what was seen, and a factor of 1.25
    either way for a change of shape.

    Args:
        rate: The tuned base rate, > 0; an estimate brings its own interval along.
        from_: ``(schedule, steps)`` for which it was tuned.
        to: ``(schedule, steps)`` of the run that is planned. Each schedule is what the run follows
            for its steps, whatever its length.
        exponent: How the best rate falls with the horizon, 0 to 1/3, where it was measured.
        same_batch: Whether both runs have one batch size. If not, the interval is wider, exponents
            from -0.4 to 0.3; what the batch size itself does, :func:`batch_rule` estimates.

    Returns:
        The base rate for ``to``.

    Raises:
        InvalidType: An argument is not a number, not a schedule, or not a pair of a schedule and
            steps.
        InvalidValue: A number is out of range, or a schedule is negative or 0 throughout.

    >>> from stepsize import Cosine, wsd
    >>> tuned = wsd(25_000, warmup=300, cooldown=5_000)
    >>> longer = transfer(1e-3, from_=(tuned, 25_000), to=(Cosine(50_000), 50_000))
    >>> f"{longer.value:.2g}, between {longer.low:.1g} and {longer.high:.1g}"
    '0.0019, between 0.001 and 0.003'

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
    seen = _AT_ONE_BATCH if same_batch else _OVER_BATCHES
    low, high = sorted(ratio**-each for each in (min(*seen, power), max(*seen, power)))
    return tuned.times(
        shape * ratio**-power,
        low=shape / doubt * low,
        high=shape * doubt * high,
        reason=Message(
            "{rate:rate} ({tuned:message}) for {schedule:code} over {tuned_steps:position} steps, "
            "{shape:message}, × {factor:number 3} for {steps:position} steps "
            "({ratio:number}^-{exponent:number}; {evidence:message})",
            rate=tuned.value,
            tuned=tuned.reason,
            schedule=shortened(repr(before), _LONGEST_SCHEDULE),
            tuned_steps=tuned_steps,
            shape=_about_shape(shape, horizon, doubt > 1),
            factor=ratio**-power,
            steps=steps,
            ratio=ratio,
            exponent=power,
            evidence=_evidence(same_batch),
        ),
        source=_SOURCE,
    )


def _about_shape(factor: float, horizon: int, differs: bool) -> Message:
    if not differs:
        return Message("× {factor:number 3} for the shape, which is the same", factor=factor)
    return Message(
        "× {factor:number 3} for the shape (best rates of the convex bound at {horizon:position} "
        "steps; right within a factor of 1.25)",
        factor=factor,
        horizon=horizon,
    )


def _evidence(same_batch: bool) -> Message:
    if same_batch:
        return Message(
            "on 184 pairs of runs at one batch size an exponent of 0 cost least, and those that "
            "were seen lie between -0.12 and 0.3"
        )
    return Message(
        "where the batch size changes too, exponents between -0.4 and 0.3 were seen, and none is "
        "known to hold"
    )


def _schedule_and_steps(call: str, name: str, pair: Any) -> tuple[Schedule, int]:
    if not isinstance(pair, tuple) or len(cast(tuple[Any, ...], pair)) != 2:
        raise InvalidType(
            call,
            f"{{{name}}} must be a pair (schedule, steps)",
            f"is {pair!r}",
            f"Example: {name}=(Linear(10_000), 10_000).",
            name,
        )
    schedule, steps = cast(tuple[Any, Any], pair)
    return (
        checked_schedule(call, schedule),
        checked_whole_number(call, f"the steps of {name}", steps, STEPS),
    )
