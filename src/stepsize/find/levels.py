"""How much the search for a rate may cost."""

import math
from dataclasses import dataclass
from typing import Final

__all__ = ["LEVELS", "Level"]

_LONG_RUN = 1_000
_SHORT_RUN_FACTOR = 1.5


@dataclass(frozen=True)
class Level:
    """What may be spent, as parts of the run.

    Args:
        cost: Most steps on a run of 1,000 steps or more, the run itself included. The search for a
            shorter run may take half as much again.
        trial: Length of the run's beginning in each trial.
        fork: Length of each fork of the second look; 0 for no second look.
        forks: How many rates the second look compares.
        fewest: Steps of a run below which trials would be too short to tell anything.
    """

    cost: float
    trial: float
    fork: float
    forks: int
    fewest: int

    def most_steps(self, steps: int) -> int:
        """The most steps that the search for a run of ``steps`` may take beside the run's own."""
        factor = 1.0 if steps >= _LONG_RUN else _SHORT_RUN_FACTOR
        return math.floor((self.cost - 1) * factor * steps)


LEVELS: Final = {
    "fast": Level(1.25, 0.03, 0.0, 0, 200),
    "default": Level(1.7, 0.05, 0.05, 2, 200),
    "thorough": Level(2.4, 0.09, 0.08, 3, 200),
}
