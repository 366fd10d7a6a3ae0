"""The plan of a run: warmup, peak and cooldown, each with its reason."""

import math
from dataclasses import dataclass
from typing import Any

from stepsize.checks import Range, checked_number, checked_whole_number
from stepsize.estimates import Estimate, checked_estimate
from stepsize.messages import Message
from stepsize.plan._bound import STEPS
from stepsize.plan._optimizers import kind_of
from stepsize.plan._transfer import transfer
from stepsize.schedules import Hold, Linear, Power, Schedule, Warmup
from stepsize.words import position_text

__all__ = ["RunPlan", "default_plan", "plan_run"]

_LONGEST_WARMUP = 0.1
_WARMUP_WITHOUT_BETA2 = 0.05
_COOLDOWN = 0.7
_BEST_COOLDOWNS = (0.6, 0.8)
# At 20 % of the run 1 - √u ended lower than a line; from 40 % on only lines were measured.
_LONG_COOLDOWN = 0.4

_BETA2 = Range(minimum=0, below=1, remedy="AdamW's is 0.999 if not set.")
_FRACTION = Range(above=0, maximum=1, remedy="It is the cooldown's part of the run.")


@dataclass(frozen=True)
class RunPlan:
    """A schedule, and why it is this one.

    Args:
        schedule: Multiples of the peak rate.
        steps: Length of the run in optimizer steps.
        warmup: Its first part, in steps.
        cooldown: Its last part, in steps.
        peak: The peak rate; None in a plan that leaves it to others.
    """

    schedule: Schedule
    steps: int
    warmup: Estimate
    cooldown: Estimate
    peak: Estimate | None = None

    @property
    def reason(self) -> Message:
        """The plan in words and numbers."""
        shape = Message(
            "warmup over {warmup:position} steps ({why_warmup:message}); cooldown over the last "
            "{cooldown:position} steps ({why_cooldown:message})",
            warmup=self.warmup.value,
            why_warmup=self.warmup.reason,
            cooldown=self.cooldown.value,
            why_cooldown=self.cooldown.reason,
        )
        if self.peak is None:
            return shape
        return Message(
            "peak rate {peak:rate} ({why:message}); {shape:message}",
            peak=self.peak.value,
            why=self.peak.reason,
            shape=shape,
        )

    def __str__(self) -> str:
        parts = {"peak": self.peak, "warmup": self.warmup, "cooldown": self.cooldown}
        lines = [f"  {name:<9}{part}" for name, part in parts.items() if part is not None]
        return "\n".join([f"{self.schedule!r}, {position_text(self.steps)} steps", *lines])


def default_plan(steps: int, beta2: float | None = None, cooldown: float = _COOLDOWN) -> RunPlan:
    """The shape of a run whose peak rate is found elsewhere: warmup, hold, and down to zero.

    The warmup lasts 2 / (1 - β₂) steps for optimizers of Adam's kind, 5 % of the run for the
    others, and never more than 10 % of the run. The cooldown is a straight line; one that is
    shorter than 40 % of the run falls as 1 - √u instead.

    Args:
        steps: Length of the run in optimizer steps, >= 1.
        beta2: Decay of the optimizer's second moment, 0 <= β₂ < 1; None where it has none.
        cooldown: The cooldown's part of the run, above 0 and at most 1; at most what the warmup
            leaves.

    Returns:
        The schedule and the reasons.

    Raises:
        InvalidType: An argument is not a number.
        InvalidValue: A number is out of range.

    >>> default_plan(10_000, beta2=0.99).schedule
    Warmup(201).skip(1) >> Hold(2800) >> Linear(7000)
    >>> default_plan(10_000, beta2=0.999, cooldown=0.2).schedule
    Warmup(1001).skip(1) >> Hold(7000) >> Power(2000, 0.5)

    Source: Ma & Yarats 2021, "On the Adequacy of Untuned Warmup" (arXiv 1910.04209); Defazio et al.
    2023 (arXiv 2310.07831) for the line to zero; Hägele et al. 2024 (arXiv 2405.18392) for 1 - √u.
    """
    call = f"default_plan({steps!r}, beta2={beta2!r}, cooldown={cooldown!r})"
    return _shape(call, steps, beta2, cooldown)


def plan_run(
    rate: float | Estimate,
    optimizer: str,
    steps: int,
    *,
    beta2: float | None = None,
    tuned: tuple[Schedule, int] | None = None,
    exponent: float = 0.0,
    cooldown: float = _COOLDOWN,
) -> RunPlan:
    """A whole run: the peak rate, and :func:`default_plan`'s shape around it.

    Args:
        rate: The rate that was found, > 0.
        optimizer: Its name, such as ``"AdamW"`` or ``"SGD"``.
        steps: Length of the run in optimizer steps, >= 1.
        beta2: Decay of the second moment, 0 <= β₂ < 1; the optimizer's usual one if not given.
        tuned: ``(schedule, steps)`` for which ``rate`` was found, as in a race at a constant rate:
            the peak is then transferred from there. If not given, ``rate`` is the peak itself.
        exponent: As in :func:`transfer`.
        cooldown: As in :func:`default_plan`.

    Returns:
        The plan: its schedule multiplies ``plan.peak.value``.

    Raises:
        InvalidType: An argument has the wrong type.
        InvalidValue: A number is out of range, or the optimizer is not known.

    >>> from stepsize import Constant
    >>> plan = plan_run(5e-4, "AdamW", 20_000, beta2=0.99, tuned=(Constant(), 2_000))
    >>> plan.schedule
    Warmup(201).skip(1) >> Hold(5800) >> Linear(14000)
    >>> round(plan.peak.value, 5)
    0.00124

    Source: as :func:`default_plan` and :func:`transfer`.
    """
    call = (
        f"plan_run({rate!r}, {optimizer!r}, {steps!r}, beta2={beta2!r}, tuned={tuned!r}, "
        f"cooldown={cooldown!r})"
    )
    usual = kind_of(call, optimizer).beta2
    shape = _shape(call, steps, usual if beta2 is None else beta2, cooldown)
    peak = checked_estimate(call, rate)
    if tuned is not None:
        peak = transfer(peak, from_=tuned, to=(shape.schedule, shape.steps), exponent=exponent)
    return RunPlan(shape.schedule, shape.steps, shape.warmup, shape.cooldown, peak)


def _shape(call: str, steps: Any, beta2: Any, cooldown: Any) -> RunPlan:
    count = checked_whole_number(call, "steps", steps, STEPS)
    decay = None if beta2 is None else checked_number(call, "beta2", beta2, _BETA2)
    part = checked_number(call, "cooldown", cooldown, _FRACTION)
    up = _warmup(count, decay)
    first = round(up.value)
    # A run of a few steps must still reach zero.
    last = min(math.ceil(part * count), count - first)
    is_long = part >= _LONG_COOLDOWN
    down = Linear(last) if is_long else Power(last, 0.5)
    before = Warmup(first + 1).skip(1) if first else Hold(0)
    schedule = before >> Hold(count - first - last) >> down
    return RunPlan(schedule, count, up, _cooldown(count, last, first, part, is_long))


def _warmup(steps: int, beta2: float | None) -> Estimate:
    longest = math.floor(_LONGEST_WARMUP * steps)
    if beta2 is None:
        return Estimate(
            math.floor(_WARMUP_WITHOUT_BETA2 * steps),
            0,
            longest,
            Message(
                "{part:percent} of the run, which is customary and not measured: there is no "
                "second moment that has to settle",
                part=_WARMUP_WITHOUT_BETA2,
            ),
            "Goyal et al. 2017 (arXiv 1706.02677), who warmed up for 5 of 90 epochs",
        )
    moment = 1 / (1 - beta2)
    wanted = round(2 * moment)
    why = Message(
        "2 / (1 - β₂) with β₂ = {beta2:number}, until the second moment has settled", beta2=beta2
    )
    if wanted > longest:
        why = Message(
            "{why:message}, would be {wanted:position}, but {most:percent} of the run is the most",
            why=why,
            wanted=wanted,
            most=_LONGEST_WARMUP,
        )
    return Estimate(
        min(wanted, longest),
        min(round(moment), longest),
        longest,
        why,
        "Ma & Yarats 2021 (arXiv 1910.04209)",
    )


def _cooldown(steps: int, last: int, warmup: int, part: float, is_long: bool) -> Estimate:
    if part == _COOLDOWN:
        low, high = (min(round(each * steps), steps - warmup) for each in _BEST_COOLDOWNS)
        return Estimate(
            last,
            min(low, last),
            max(high, last),
            Message(
                "{part:percent} of the run, in a straight line to zero: on a 124M language model "
                "60 % and 80 % ended within 0.005 nats of the best length at each of four "
                "horizons, and 0.011 to 0.021 below 20 %",
                part=part,
            ),
            "Schaipp et al. 2025 (arXiv 2501.18965), their runs; Defazio et al. 2023 (arXiv "
            "2310.07831) for the line",
        )
    shape = (
        Message("in a straight line to zero; a straight line is what was measured at this length")
        if is_long
        else Message("as 1 - √u to zero; at 20 % it ended 0.007 nats below a straight line")
    )
    return Estimate(
        last,
        last,
        last,
        Message(
            "{part:percent} of the run as asked, {shape:message}, and 60 % and 80 % of the run "
            "ended lowest on a 124M language model",
            part=last / steps,
            shape=shape,
        ),
        "Schaipp et al. 2025 (arXiv 2501.18965), their runs; Hägele et al. 2024 (arXiv 2405.18392)",
    )
