"""How much the search for a rate may cost."""

import math
from dataclasses import dataclass
from typing import Final

__all__ = ["LEVELS", "Level"]


@dataclass(frozen=True)
class Level:
    """What may be spent; all but the last in parts of the run.

    Args:
        cost: Most steps, the run itself included.
        sweep: Most steps of the opening sweep.
        beginning: Length of the run's beginning in each trial.
        cooldown: Length of the cooldown that follows it.
        compares: Whether trials go on once one has helped; else they only go down until then.
        fewest: Steps of a run below which trials would be too short to tell anything.
    """

    cost: float
    sweep: float
    beginning: float
    cooldown: float
    compares: bool
    fewest: int

    def most(self, steps: int) -> int:
        """The most steps that the search for a run of ``steps`` may take."""
        return math.ceil((self.cost - 1 + self.beginning) * steps) + 1


LEVELS: Final = {
    "fast": Level(1.095, 0.03, 0.04, 0.01, False, 400),
    "default": Level(1.27, 0.03, 0.09, 0.02, True, 200),
    "thorough": Level(2.05, 0.03, 0.15, 0.06, True, 200),
}
