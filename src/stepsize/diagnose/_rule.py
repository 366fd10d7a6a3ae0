"""What a rule is: a question to the curves of a run, and what it finds."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from stepsize.diagnose._view import RunView

__all__ = ["Finding", "Found", "Rule", "Sureness", "rule"]

Sureness: TypeAlias = Literal["certain", "likely", "possible"]
"""How sure a finding is.

certain    the numbers leave no other reading
likely     it stands out of the curve's own noise; something else than the rate may be the cause
possible   worth a look
"""


@dataclass(frozen=True)
class Found:
    """What a rule found in one run: the part of a finding that differs from run to run.

    Args:
        sure: How sure it is.
        evidence: What was seen, with its numbers: a sentence.
        change: What to change to what: a sentence.
        start: The first position concerned.
        end: The last position concerned.
        numbers: The numbers by name.
    """

    sure: Sureness
    evidence: str
    change: str
    start: float
    end: float
    numbers: Mapping[str, float] = field(default_factory=dict[str, float])


@dataclass(frozen=True)
class Finding:
    """What is wrong with a run, how that shows, and what to change.

    Args:
        name: The rule's name.
        sure: How sure it is: "certain", "likely" or "possible".
        evidence: What was seen, with its numbers: a sentence.
        change: What to change to what: a sentence.
        source: Where the advice comes from.
        start: The first position concerned, in the positions of the run.
        end: The last position concerned.
        numbers: The numbers by name.
    """

    name: str
    sure: Sureness
    evidence: str
    change: str
    source: str
    start: float
    end: float
    numbers: Mapping[str, float] = field(default_factory=dict[str, float])

    def __str__(self) -> str:
        return f"{self.name} ({self.sure}): {self.evidence} {self.change}"


@dataclass(frozen=True)
class Rule:
    """A question to the curves of a run.

    Args:
        name: What a finding is called by.
        means: What it means when it speaks: a sentence.
        speaks: The condition, with its thresholds: a sentence.
        needs: The curves without which it says nothing.
        source: Where the advice comes from: a measurement, a formula or a report.
        instead_of: The names of the rules that say nothing where this one speaks: it names their
            cause.
        look: Gives what it found, or None.
    """

    name: str
    means: str
    speaks: str
    needs: str
    source: str
    instead_of: tuple[str, ...]
    look: Callable[[RunView], Found | None]

    def __call__(self, run: RunView) -> Finding | None:
        """The finding about this run, if there is one."""
        found = self.look(run)
        # Of values near the end of the floats, neither sums nor squares say anything.
        if found is None or not all(map(math.isfinite, found.numbers.values())):
            return None
        return Finding(
            name=self.name,
            sure=found.sure,
            evidence=found.evidence,
            change=found.change,
            source=self.source,
            start=found.start,
            end=found.end,
            numbers=found.numbers,
        )


def rule(
    *, needs: str, source: str, instead_of: tuple[str, ...] = ()
) -> Callable[[Callable[[RunView], Found | None]], Rule]:
    """Make a rule of a function: its name is the rule's.

    The first paragraph of its docstring says what the finding means, the second when it speaks.
    """

    def make(look: Callable[[RunView], Found | None]) -> Rule:
        means, speaks = (" ".join(each.split()) for each in (look.__doc__ or "").split("\n\n"))
        return Rule(look.__name__, means, speaks, needs, source, instead_of, look)

    return make
