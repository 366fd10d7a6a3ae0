"""What a rule of lint is: a question to a planned run, with an example on either side of it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from stepsize.lint._run import PlannedRun
from stepsize.rules import Finding, Rule

__all__ = ["LEVELS", "Example", "Level", "PlanRule", "rule"]

Level: TypeAlias = Literal["mistake", "doubt", "hint"]

LEVELS: Final[Mapping[Level, str]] = {
    "mistake": "Updates are wasted, or the run does not follow the curve that was typed.",
    "doubt": "It is right only if it is meant.",
    "hint": "It works, and measured or proven alternatives do better.",
}
"""What a finding of each level means."""


@dataclass(frozen=True)
class Example:
    """A schedule and its run, as ``review`` takes them; the schedule as text."""

    schedule: str
    steps: int | None
    steps_per_epoch: float | None = None
    optimizer: str | None = None
    base: float | None = None


@dataclass(frozen=True)
class PlanRule(Rule[PlannedRun]):
    """A question to a planned run.

    Args:
        faulty: A run that it speaks about.
        sound: The nearest run that it does not speak about.
        needs_length: Whether it can say nothing while the length of the run is unknown.
    """

    faulty: Example
    sound: Example
    needs_length: bool


def rule(
    level: Level,
    *,
    source: str,
    faulty: Example,
    sound: Example,
    needs_length: bool = True,
) -> Callable[[Callable[[PlannedRun], Finding | None]], PlanRule]:
    """Make a rule of a function: its name is the rule's, its docstring says when it speaks."""

    def make(look: Callable[[PlannedRun], Finding | None]) -> PlanRule:
        return PlanRule(
            name=look.__name__,
            means=LEVELS[level],
            speaks=" ".join((look.__doc__ or "").split()),
            needs="the length of the run" if needs_length else "",
            source=source,
            level=level,
            instead_of=(),
            applies=_knows_its_length if needs_length else _always,
            look=look,
            faulty=faulty,
            sound=sound,
            needs_length=needs_length,
        )

    return make


def _knows_its_length(run: PlannedRun) -> bool:
    return run.length_known


def _always(run: PlannedRun) -> bool:
    return True
