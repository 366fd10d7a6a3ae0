"""What a rule of diagnosis is, and how sure its findings are."""

from collections.abc import Callable, Mapping
from typing import Final, Literal, TypeAlias

from stepsize.diagnose._view import RunView
from stepsize.rules import Finding, Rule

__all__ = ["LEVELS", "Level", "RunRule", "rule"]

Level: TypeAlias = Literal["certain", "likely", "possible"]

LEVELS: Final[Mapping[Level, str]] = {
    "certain": "The numbers leave no other reading.",
    "likely": "It stands out of the curve's own noise; the cause may be another than the rate.",
    "possible": "It is worth a look.",
}
"""What a finding of each level means."""

RunRule: TypeAlias = Rule[RunView]
"""A question to the curves of a run."""


def rule(
    *,
    needs: str,
    source: str,
    instead_of: tuple[str, ...] = (),
    applies: Callable[[RunView], bool],
) -> Callable[[Callable[[RunView], Finding | None]], RunRule]:
    """Make a rule of a function: its name is the rule's.

    The first paragraph of its docstring says what the finding means, the second when it speaks.

    Args:
        needs: The least evidence without which it says nothing: words for the page.
        source: Where the advice comes from.
        instead_of: The rules that say nothing where this one speaks.
        applies: Whether a run has that evidence.
    """

    def make(look: Callable[[RunView], Finding | None]) -> RunRule:
        means, speaks = (" ".join(each.split()) for each in (look.__doc__ or "").split("\n\n"))
        return Rule(
            name=look.__name__,
            means=means,
            speaks=speaks,
            needs=needs,
            source=source,
            level="likely",
            instead_of=instead_of,
            applies=applies,
            look=look,
        )

    return make
