"""What speaks against a schedule, said when it is attached and not after the run."""

import math
import warnings
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any, Final

from stepsize.checks import Range, checked_whole_number
from stepsize.driving import Policy
from stepsize.errors import ScheduleWarning
from stepsize.lint import USUAL_RATES, review
from stepsize.messages import Message
from stepsize.rules import Finding
from stepsize.schedules import Absolute, Function, Warmup
from stepsize.schedules.expression import Expression
from stepsize.torch.attaching._driven_optimizer import DrivenOptimizer

__all__ = ["advise", "checked_steps"]

_LONGEST_TEXT: Final = 80
_MOST_SCHEDULES: Final = 32
_STEPS = Range(
    minimum=1, maximum=2**53, remedy="It is the length of the run; leave it out if it is unknown."
)


def checked_steps(steps: Any) -> int | None:
    """What ``attach`` was given as the length of the run.

    Raises:
        InvalidType: It is no number.
        InvalidValue: It is out of range, or has a fraction.
    """
    if steps is None:
        return None
    return checked_whole_number(f"attach(..., steps={steps!r})", "steps", steps, _STEPS)


def advise(optimizers: Sequence[DrivenOptimizer], steps: int | None) -> None:
    """Warn, at the line that called ``attach``, about mistakes and doubts in schedules of ``lr``.

    Args:
        optimizers: What was attached, connected.
        steps: Length of the run in units of the clock, optimizer steps if there is none; None if
            it is unknown: then rules that need it say nothing.
    """
    # Several optimizers often follow one schedule: each thing is said once.
    said = dict.fromkeys(
        f"attach(..., lr={_shortened(policy)}): {found.evidence} {found.remedy} ({found.rule})"
        for each in optimizers
        for policy, found in _findings(each, steps)
    )
    for message in said:
        warnings.warn(message, ScheduleWarning, stacklevel=3)
    for each in optimizers:
        _warn_of_fractional_warmup(each)


def _warn_of_fractional_warmup(each: DrivenOptimizer) -> None:
    """Warn where the length of a warmup seems to be meant as a part of the run."""
    for policy in each.groups.driver.policies:
        part = _fractional_warmup(policy.schedule)
        if part is not None:
            message = Message(
                "attach(..., {schedule:code}): a warmup lasts {part:number} of a step, because "
                "lengths count optimizer steps. For a part of the run write {part:number} * steps.",
                schedule=_shortened(policy),
                part=part,
            )
            each.notices.warn("warmup", message, ScheduleWarning, stacklevel=4)


def _fractional_warmup(node: Absolute | Expression) -> float | None:
    inner = node.schedule if isinstance(node, Absolute) else node
    if isinstance(inner, Warmup) and not float(inner.steps).is_integer() and inner.steps < 2:
        return inner.steps % 1  # recipes begin one step later
    if getattr(inner, "_method", "") == "per_epoch":
        return None  # a part of an epoch is many steps
    found = (_fractional_warmup(each) for each in inner._children())  # pyright: ignore[reportPrivateUsage]
    return next((part for part in found if part is not None), None)


def _findings(each: DrivenOptimizer, steps: int | None) -> Iterator[tuple[Policy, Finding]]:
    bases: dict[int, float] = {}
    for rule, base in each.groups.driver.followed.get("lr", {}).values():
        # Of layer-wise rates only the highest is measured: the others are meant to be lower.
        bases[rule] = max(base, bases.get(rule, base))
    if len(bases) > _MOST_SCHEDULES:
        each.notices.note(
            Message(
                "Of {all:count|schedule|schedules} of lr the first {checked:count} were checked.",
                all=len(bases),
                checked=_MOST_SCHEDULES,
            )
        )
    name = _name(each)
    for rule, base in islice(bases.items(), _MOST_SCHEDULES):
        policy = each.groups.driver.rules["lr"][rule].policy
        # A user's function may be slow, or may have effects: it is called when its step comes.
        if _holds_function(policy.schedule):
            continue
        findings = review(
            policy.schedule,
            # Controllers change the curve: where it would have ended by itself says nothing.
            None if policy.controllers else steps,
            optimizer=name,
            base=base if 0 < base < math.inf else None,
        )
        for found in findings:
            if found.level != "hint" and found.end > each.position:
                yield policy, found


def _name(each: DrivenOptimizer) -> str | None:
    """The optimizer's name in the table of usual rates."""
    name = each.kind.lower()
    if name == "sgd" and any(group.get("momentum") for group in each.optimizer.param_groups):
        name = "sgd-momentum"
    return name if name in USUAL_RATES else None


def _holds_function(schedule: Absolute | Expression) -> bool:
    node = schedule.schedule if isinstance(schedule, Absolute) else schedule
    children = node._children()  # pyright: ignore[reportPrivateUsage]
    return isinstance(node, Function) or any(map(_holds_function, children))


def _shortened(policy: Policy) -> str:
    text = repr(policy.schedule)
    return text if len(text) <= _LONGEST_TEXT else f"{text[: _LONGEST_TEXT - 3]}..."
