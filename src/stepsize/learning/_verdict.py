"""``Verdict``: what is the case with a loss, since when, and in words."""

from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from stepsize.messages import Message

__all__ = ["Kind", "Verdict"]

Kind: TypeAlias = Literal[
    "early",
    "at chance",
    "learning",
    "noise-limited",
    "spiking",
    "unlearning",
    "dead",
    "unknown",
]

_TROUBLE: Final = ("spiking", "unlearning", "dead")


@dataclass(frozen=True)
class Verdict:
    """What a loss shows.

    Args:
        kind: What is the case:
            "early": there are too few losses for a usual one, and nothing is wrong so far.
            "at chance": the loss has not left the level that it began at, or that of a constant
            prediction.
            "learning": it falls.
            "noise-limited": it has fallen, and its noise hides whether it still does.
            "spiking": the last losses are far above the usual ones.
            "unlearning": a part of what was learnt is lost.
            "dead": all of it is lost, or the loss is far above where it began, or not finite.
            "unknown": there is no finite loss.
        reason: What was seen.
        since: How many observations before the last one the trouble began; 0 where there is none.
        level: The loss now, smoothed; NaN where it is not known.
        start: The loss at the beginning; NaN where it is not known.
    """

    kind: Kind
    reason: Message
    since: int
    level: float
    start: float

    @property
    def is_trouble(self) -> bool:
        """Whether the training goes wrong: the loss spikes, is un-learnt or dead."""
        return self.kind in _TROUBLE
