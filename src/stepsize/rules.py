"""What a rule is: a question to a subject, such as a planned run or the curves of a run."""

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Generic, TypeVar

from stepsize.messages import Message

__all__ = ["Finding", "Rule", "apply_rules"]

Subject = TypeVar("Subject")


@dataclass(frozen=True)
class Finding:
    """What a rule found: one sentence for what was seen, one for what to do.

    A rule's function returns it with what differs from run to run; the rule adds the rest.

    Args:
        evidence: What was seen, with its numbers.
        remedy: What to change to what.
        start: The first position concerned, in the positions of the run.
        end: The last position concerned.
        numbers: The numbers by name, for programs.
        level: How sure or how grave it is: a word that the room of the rule explains.
        rule: The name of the rule.
        source: Where the advice comes from.
    """

    evidence: Message
    remedy: Message
    start: float
    end: float
    numbers: Mapping[str, float] = field(default_factory=dict[str, float])
    level: str = ""
    rule: str = ""
    source: str = ""

    def __str__(self) -> str:
        return f"{self.rule} ({self.level}): {self.evidence} {self.remedy}"

    def to_dict(self) -> dict[str, Any]:
        """The finding as plain data under stable names: text, and the messages behind it."""
        return {
            "rule": self.rule,
            "level": self.level,
            "evidence": str(self.evidence),
            "remedy": str(self.remedy),
            "source": self.source,
            "start": self.start,
            "end": self.end,
            "numbers": dict(self.numbers),
            "messages": {"evidence": self.evidence.to_dict(), "remedy": self.remedy.to_dict()},
        }


@dataclass(frozen=True)
class Rule(Generic[Subject]):
    """A question to a subject.

    Args:
        name: What a finding is called by.
        means: What it means when the rule speaks: a sentence.
        speaks: When it speaks, with the thresholds: a sentence.
        needs: The least evidence without which it stays silent: words for the page.
        source: Where the advice comes from: a measurement, a formula or a report.
        level: How sure or grave its findings are, unless a finding says so itself.
        instead_of: The rules that say nothing where this one speaks: it names their cause.
        applies: Whether the subject has what the rule needs.
        look: Returns what it found, or None.
    """

    name: str
    means: str
    speaks: str
    needs: str
    source: str
    level: str
    instead_of: tuple[str, ...]
    applies: Callable[[Subject], bool]
    look: Callable[[Subject], Finding | None]

    def __call__(self, subject: Subject) -> Finding | None:
        """The finding about this subject, if there is one."""
        found = self.look(subject) if self.applies(subject) else None
        # Sums and squares of values near the end of the floats say nothing.
        if found is None or not all(map(math.isfinite, found.numbers.values())):
            return None
        return replace(found, rule=self.name, source=self.source, level=found.level or self.level)


def apply_rules(rules: Iterable[Rule[Subject]], subject: Subject) -> tuple[Finding, ...]:
    """What the rules find, in their order, without what another finding explains."""
    asked = list(rules)
    found = [finding for rule in asked if (finding := rule(subject)) is not None]
    named = {finding.rule for finding in found}
    explained = {other for rule in asked if rule.name in named for other in rule.instead_of}
    return tuple(finding for finding in found if finding.rule not in explained)
