"""What a row and a pair of the table are, and how their texts are filled in."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from stepsize import Absolute, Schedule, parse

__all__ = ["Pair", "Peer", "Row", "evaluate", "filled", "schedule_of", "shown"]

Case = Mapping[str, Any]


@dataclass(frozen=True)
class Row:
    """One curve of the field.

    Args:
        number: Its row in the census.
        name: What it is called there.
        ours: The expression; ``{...}`` are calculations with the case's values.
        formula: The value at position ``t``, with the names of ``math``; "" where there is none.
        case: Values to try.
        exception: Why there is no expression, where there is none.
    """

    number: int
    name: str
    ours: str = ""
    formula: str = ""
    case: Case = field(default_factory=dict[str, Any])
    exception: str = ""


@dataclass(frozen=True)
class Pair:
    """One peer's call that gives a row's curve.

    Args:
        row: Number of the row.
        call: What one writes there; ``{...}`` as in ``ours``.
        ours: What one writes here, for the same numbers.
        cases: The values to try.
        difference: What differs in convention: what the length includes, n or n - 1, the first
            value, whether the floor is absolute, what happens past the end.
        base: Base rate that our values multiply; may use the case's values.
        count: How many positions are compared, if not twice our length.
        fault: What the peer gets wrong, where it does.
        agrees_until: First position where the fault shows.
        formula: The peer's published formula, where the peer itself cannot be installed.
    """

    row: int
    call: str
    ours: str
    cases: tuple[Case, ...]
    difference: str = ""
    base: str = "1.0"
    count: str = ""
    fault: str = ""
    agrees_until: str = ""
    formula: str = ""


@dataclass(frozen=True)
class Peer:
    """A public tool.

    Args:
        key: Its key in the census.
        name: What it is called.
        package: The distribution that pip installs; "" where it cannot be installed.
        tolerance: Allowed deviation, as a part of the curve's largest value: 1e-6 for a peer that
            computes in single precision.
        why_not: Why it cannot be installed.
    """

    key: str
    name: str
    package: str = ""
    tolerance: float = 1e-12
    why_not: str = ""


def filled(text: str, case: Case) -> str:
    """``text`` with each ``{calculation}`` replaced by its result."""
    return str(eval("f" + repr(text), dict(vars(math)), dict(case)))


def shown(text: str) -> str:
    """``text`` for people: the calculations stand for themselves."""
    return re.sub(r"(.{0,2}){([^{}]*)}", _calculation, text)


def _calculation(found: re.Match[str]) -> str:
    before, calculation = found.groups()
    alone = before.endswith(("(", "=", "[", ", ")) or re.fullmatch(r"\w*", calculation)
    return before + (calculation if alone else f"({calculation})")


def evaluate(formula: str, case: Case, t: float) -> float:
    """The formula's value at position ``t``."""
    names = {**vars(math), "min": min, "max": max, **case, "t": t}
    return float(eval(formula, names))


def schedule_of(text: str, case: Case) -> Schedule:
    """The schedule that ``text`` describes for the values of ``case``."""
    schedule = parse(filled(text, case))
    return schedule.schedule if isinstance(schedule, Absolute) else schedule
