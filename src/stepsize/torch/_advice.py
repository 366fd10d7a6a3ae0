"""What speaks against a schedule, said when it is attached and not after the run."""

import math
import warnings
from collections.abc import Iterator, Sequence
from typing import Any

from stepsize.checks import Range, checked_whole_number
from stepsize.errors import ScheduleWarning
from stepsize.lint import USUAL_RATES, review
from stepsize.policy import Policy
from stepsize.rules import Finding
from stepsize.schedules import Absolute, Function
from stepsize.schedules.expression import Expression
from stepsize.torch._engine import Engine

__all__ = ["advise", "checked_steps"]

_LONGEST_TEXT = 80
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


def advise(engines: Sequence[Engine], steps: int | None) -> None:
    """Warn, at the line that called ``attach``, about mistakes and doubts in schedules of ``lr``.

    Args:
        engines: What was attached, connected.
        steps: Length of the run in units of the clock, optimizer steps if there is none; None if
            it is unknown: then rules that need it say nothing.
    """
    # Several optimizers often follow one schedule: each thing is said once.
    said = dict.fromkeys(
        f"attach(..., lr={_shortened(policy)}): {found.evidence} {found.remedy} ({found.rule})"
        for engine in engines
        for policy, found in _findings(engine, steps)
    )
    for message in said:
        warnings.warn(message, ScheduleWarning, stacklevel=3)


def _findings(engine: Engine, steps: int | None) -> Iterator[tuple[Policy, Finding]]:
    slots = engine.roster.slots.get("lr", [])
    for number, rule in enumerate(engine.roster.rules.get("lr", ())):
        policy = rule.policy
        bases = [slot.base for slot in slots if slot.rule == number]
        # A user's function may be slow, or may have effects: it is called when its step comes.
        if not bases or _holds_function(policy.schedule):
            continue
        # Of layer-wise rates only the highest is measured: the others are meant to be lower.
        base = max(bases)
        findings = review(
            policy.schedule,
            # Controllers change the curve: where it would have ended by itself says nothing.
            None if policy.controllers else steps,
            optimizer=_name(engine),
            base=base if 0 < base < math.inf else None,
        )
        for found in findings:
            if found.level != "hint" and found.end > engine.position:
                yield policy, found


def _name(engine: Engine) -> str | None:
    """The optimizer's name in the table of usual rates."""
    name = engine.kind.lower()
    if name == "sgd" and any(group.get("momentum") for group in engine.optimizer.param_groups):
        name = "sgd-momentum"
    return name if name in USUAL_RATES else None


def _holds_function(schedule: Absolute | Expression) -> bool:
    node = schedule.schedule if isinstance(schedule, Absolute) else schedule
    children = node._children()  # pyright: ignore[reportPrivateUsage]
    return isinstance(node, Function) or any(map(_holds_function, children))


def _shortened(policy: Policy) -> str:
    text = repr(policy.schedule)
    return text if len(text) <= _LONGEST_TEXT else f"{text[: _LONGEST_TEXT - 3]}..."
