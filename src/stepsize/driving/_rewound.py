"""One rewind that was carried out: what it changed, how long, and when it counts as failed."""

from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from stepsize.messages import Message
from stepsize.schedules import Hold, Linear, Schedule

__all__ = ["LONGEST_WARMUP", "Answer", "Rewound"]

Answer: TypeAlias = Literal["repeat", "pass over", "cut"]
"""What is changed after going back: nothing, the batches, the rate."""

_GIVEN_BACK_WARMUPS: Final = 10
"""A cut is given back over this many times the warmup, if the trouble stays away."""

LONGEST_WARMUP: Final = 4
"""Each further cut doubles the warmup, up to this many times."""


@dataclass(frozen=True)
class Rewound:
    """A rewind that was carried out.

    Args:
        at: The position that the run went back to.
        seen: The position at which the trouble was noticed.
        answer: What was changed: "repeat", nothing; "pass over", the batches that did it; "cut",
            the rate.
        factor: What the values were multiplied by; 1 unless they were cut.
        warmup: Over how many steps they climb to that.
        repeats: How many rewinds in a row had not ended the same trouble before.
        cuts: How many of these had cut.
    """

    at: float
    seen: float
    answer: Answer
    factor: float = 1.0
    warmup: int = 0
    repeats: int = 0
    cuts: int = 0

    @property
    def lasting(self) -> float:
        """What the values stay multiplied by. The first cut is given back."""
        return self.factor if self.cuts else 1.0

    def about(self, quantity: str) -> Message:
        """What was done to ``quantity``."""
        if self.answer == "repeat":
            return Message(
                "{quantity:name} is unchanged, in case that this was chance", quantity=quantity
            )
        if self.answer == "pass over":
            return Message("{quantity:name} is unchanged", quantity=quantity)
        if not self.cuts:
            return Message(
                "{quantity:name} is cut by {factor:number} until the trouble stays away, after a "
                "warmup of {warmup:count|step|steps}",
                quantity=quantity,
                factor=self.factor,
                warmup=self.warmup,
            )
        return Message(
            "{quantity:name} is cut by {factor:number}, cut number {number:count} in a row, after "
            "a warmup of {warmup:count|step|steps}",
            quantity=quantity,
            factor=self.factor,
            number=self.cuts + 1,
            warmup=self.warmup,
        )

    def ramp(self) -> Schedule:
        """The multiple over time: up to the cut, and from the first cut back to 1."""
        level = 1.0 if self.cuts else self.factor
        climb = Linear(self.warmup, start=level / (self.warmup + 1), end=level)
        if self.cuts:
            return Hold(self.at) >> climb
        back = Linear(_GIVEN_BACK_WARMUPS * max(1, self.warmup), start=level, end=1)
        return Hold(self.at) >> climb >> Hold(max(0, self.seen - self.at), level) >> back

    def is_repeated(self, seen: float) -> bool:
        """Whether trouble at ``seen`` is the same trouble again."""
        if self.answer == "pass over":  # a run that gets past these batches is past their trouble
            return seen <= self.seen
        near = max(_GIVEN_BACK_WARMUPS * self.warmup, self.seen - self.at)
        # A rate that is a little too high diverges slowly, at every age of a run.
        return seen <= self.seen + (near if self.answer == "repeat" else max(near, self.seen / 2))
