"""What a rule is: a question to a planned run, and the remark that it makes."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from stepsize.lint._run import PlannedRun

__all__ = ["Example", "Finding", "Remark", "Rule", "Severity", "rule"]

Severity: TypeAlias = Literal["mistake", "doubt", "hint"]
"""How sure a rule is.

mistake   updates are wasted, or the run does not follow the curve that was typed
doubt     right only if it is meant
hint      it works, and measured or proven alternatives do better
"""


@dataclass(frozen=True)
class Remark:
    """What a rule has to say about a schedule and its run.

    Args:
        rule: The rule's name.
        severity: How sure it is: "mistake", "doubt" or "hint".
        finding: What was found, with its numbers: a sentence.
        remedy: What to write instead: a sentence.
        source: Where the rule comes from.
        start: The first position concerned.
        end: Where the stretch of positions ends; the last update concerned is before it.
        numbers: The numbers by name; rates if they are known, else multiples of the base rate.
    """

    rule: str
    severity: Severity
    finding: str
    remedy: str
    source: str
    start: float
    end: float
    numbers: Mapping[str, float] = field(default_factory=dict[str, float])

    def __str__(self) -> str:
        return f"{self.rule}: {self.finding} {self.remedy}"


@dataclass(frozen=True)
class Finding:
    """What a rule found in one run: the part of a remark that differs from run to run.

    Args:
        text: What was found, with its numbers: a sentence.
        remedy: What to write instead: a sentence.
        start: The first position concerned.
        end: Where the stretch of positions ends.
        numbers: The numbers by name.
    """

    text: str
    remedy: str
    start: float
    end: float
    numbers: Mapping[str, float] = field(default_factory=dict[str, float])


@dataclass(frozen=True)
class Example:
    """A schedule and its run, as ``review`` takes them; the schedule as text."""

    schedule: str
    steps: int | None
    steps_per_epoch: float | None = None
    optimizer: str | None = None
    base: float | None = None


@dataclass(frozen=True)
class Rule:
    """A question to a planned run.

    Args:
        name: What a remark is called by.
        severity: How sure its remarks are.
        fires: When it speaks: a sentence.
        source: Where it comes from: a measurement, a formula or a report.
        faulty: A run that it speaks about.
        sound: The nearest run that it does not speak about.
        needs_length: Whether it can say nothing while the length of the run is unknown.
        look: Gives its finding, or None.
    """

    name: str
    severity: Severity
    fires: str
    source: str
    faulty: Example
    sound: Example
    needs_length: bool
    look: Callable[[PlannedRun], Finding | None]

    def __call__(self, run: PlannedRun) -> Remark | None:
        """The remark about this run, if there is one."""
        if self.needs_length and not run.length_known:
            return None
        found = self.look(run)
        if found is None:
            return None
        return Remark(
            rule=self.name,
            severity=self.severity,
            finding=found.text,
            remedy=found.remedy,
            source=self.source,
            start=found.start,
            end=found.end,
            numbers=found.numbers,
        )


def rule(
    severity: Severity,
    *,
    source: str,
    faulty: Example,
    sound: Example,
    needs_length: bool = True,
) -> Callable[[Callable[[PlannedRun], Finding | None]], Rule]:
    """Make a rule of a function: its name is the rule's, its docstring says when it fires."""

    def make(look: Callable[[PlannedRun], Finding | None]) -> Rule:
        fires = " ".join((look.__doc__ or "").split())
        return Rule(look.__name__, severity, fires, source, faulty, sound, needs_length, look)

    return make
