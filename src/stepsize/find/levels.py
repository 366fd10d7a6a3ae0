"""How much the search for a rate may cost."""

import math
from dataclasses import dataclass
from typing import Final

__all__ = ["LEVELS", "Level"]

_LONG_RUN = 1_000
_SHORT_RUN_FACTOR = 1.5
_SHORTEST_TRIAL, _SHORTEST_TRIAL_PART = 40, 0.1
_SECOND_LOOK, _RAISE = 0.15, 0.04
_SHORTEST_RAISE = 10
_SHORTEST_FORK, _SHORTEST_FORK_COOLDOWN = 10, 5


@dataclass(frozen=True)
class Level:
    """What may be spent, as parts of the run.

    Args:
        cost: Most steps on a run of 1,000 steps or more, the run itself included. The search for a
            shorter run may take half as much again.
        trial: Length of the run's beginning in each trial.
        fork: Length of each fork of the second look.
        forks: The most rates that the second look compares; 0 for no second look.
        fewest: Steps of a run below which trials would be too short to tell anything.
    """

    cost: float
    trial: float
    fork: float
    forks: int
    fewest: int

    def trial_steps(self, steps: int) -> int:
        """The length of a trial without its cooldown."""
        shortest = min(_SHORTEST_TRIAL, round(_SHORTEST_TRIAL_PART * steps))
        return max(round(self.trial * steps), shortest)

    def fork_steps(self, steps: int) -> tuple[int, int]:
        """The held steps of a fork, and those of its cooldown."""
        held = max(_SHORTEST_FORK, round(self.fork * steps))
        return held, max(_SHORTEST_FORK_COOLDOWN, round(held / 2))

    def second_look(self, steps: int) -> int:
        """The position of the second look."""
        return max(round(_SECOND_LOOK * steps), self.trial_steps(steps))

    def raise_steps(self, steps: int) -> int:
        """How long the run is watched at a rate to which it was raised."""
        return max(_SHORTEST_RAISE, round(_RAISE * steps))

    def extra_steps(self, steps: int) -> int:
        """The most steps that the search may take beside those that are the run's own."""
        factor = 1.0 if steps >= _LONG_RUN else _SHORT_RUN_FACTOR
        return math.floor((self.cost - 1) * factor * steps)

    def most_steps(self, steps: int) -> int:
        """The most steps that the search may take in all."""
        own = self.trial_steps(steps)
        if self.forks:
            own = self.second_look(steps) + self.fork_steps(steps)[0]
        return self.extra_steps(steps) + own + self.raise_steps(steps)


LEVELS: Final = {
    "fast": Level(1.25, 0.03, 0.0, 0, 400),
    "default": Level(1.7, 0.05, 0.05, 4, 200),
    "thorough": Level(2.4, 0.09, 0.08, 5, 200),
}
