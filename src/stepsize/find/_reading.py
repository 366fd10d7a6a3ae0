"""What can be read off the curve of a range test: rates, and what makes them less sure."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from stepsize.errors import TrainingError
from stepsize.find._sweep import Curve, Sweep
from stepsize.training import Group

__all__ = [
    "DEVIATION",
    "FEWEST_POINTS",
    "RECOMMENDED",
    "Suggestion",
    "doubts_of",
    "named",
    "read",
]

FEWEST_POINTS = 3
RECOMMENDED = "minimum/10"


@dataclass(frozen=True)
class Suggestion:
    """A rate read off the curve.

    Args:
        rate: The rate.
        rule: How it was read.
        usually: How far off such a suggestion usually is.
    """

    rate: float
    rule: str
    usually: str


# Medians and spread over 12 small tasks (CNN, transformer, LSTM, MLP, ResNet, ...), AdamW and SGD,
# against the best of eight rates: "What 2,966 small trainings say".
DEVIATION = 8.0
_SPREAD = "one standard deviation is a factor of 5 to 8 either way"
_USUALLY = {
    "minimum/10": f"about 0.8 × the best rate; {_SPREAD}",
    "steepest": f"about 0.7 × the best rate; {_SPREAD}",
    "valley": f"about 0.1 × the best rate; {_SPREAD}",
}


def read(seen: Sweep, watch: str, call: str) -> tuple[dict[str, Suggestion], int]:
    """The suggestions, and at which of the finite losses the average was lowest.

    Raises:
        TrainingError: Too few losses were finite, or none differed from another.
    """
    finite = np.isfinite(seen.losses)
    count = int(finite.sum())
    if count < FEWEST_POINTS:
        skipped = f" ({seen.skipped} updates were skipped)" if seen.skipped else ""
        raise TrainingError(
            f"{call}: only {count} of {len(finite)} looks in {seen.steps} steps{skipped} gave a "
            f"finite {watch!r}, and {FEWEST_POINTS} are needed; the sweep ended because "
            f"{seen.stopped}. Lower low=, take more steps, or check the data and the model for NaN."
        )
    x, y, losses = np.log(seen.rates[finite]), seen.smoothed[finite], seen.losses[finite]
    if np.ptp(losses) <= 1e-12 * np.max(np.abs(losses)):
        raise TrainingError(
            f"{call}: the loss did not move: {watch!r} was {losses[0]:g} at every rate up to "
            f"{seen.rates[-1]:g}. Check that it depends on the optimizer's parameters, or raise "
            "high=."
        )
    turn = int(np.argmin(y))
    readings = {
        "minimum/10": (math.exp(x[turn]) / 10, "a tenth of the rate at the lowest loss"),
        "steepest": (math.exp(x[_steepest(x, y)]), "where the loss falls fastest"),
        "valley": (math.exp(x[_valley(y)]), "two thirds along the longest descent"),
    }
    suggestions = {
        name: Suggestion(rate, rule, _USUALLY[name]) for name, (rate, rule) in readings.items()
    }
    return suggestions, turn


def _steepest(x: Curve, y: Curve) -> int:
    # What comes after the lowest loss is divergence, not learning.
    end = max(int(np.argmin(y)) + 1, 2)
    return int(np.argmin(np.gradient(y[:end], x[:end])))


def _valley(y: Curve) -> int:
    """Two thirds along the longest strictly falling subsequence."""
    length = np.ones(len(y), dtype=int)
    before = np.full(len(y), -1)
    for i in range(1, len(y)):
        longer = np.flatnonzero(y[:i] > y[i])
        if len(longer):
            best = longer[np.argmax(length[longer])]
            length[i], before[i] = length[best] + 1, best
    path = [int(np.argmax(length))]
    while before[path[-1]] >= 0:
        path.append(int(before[path[-1]]))
    path.reverse()
    return path[min(len(path) * 2 // 3, len(path) - 1)]


def doubts_of(
    seen: Sweep,
    turn: int,
    suggestions: Mapping[str, Suggestion],
    held: Sequence[Group],
    *,
    usual: bool,
) -> tuple[str, ...]:
    """What makes the suggestions less sure than usual, in sentences.

    Args:
        seen: The sweep.
        turn: As :func:`read` gives it.
        suggestions: As :func:`read` gives them.
        held: The groups that were not swept.
        usual: Whether the sweep was of the kind whose errors were measured.
    """
    doubts: list[str] = []
    last = int(np.isfinite(seen.losses).sum()) - 1
    low = float(seen.rates[0])
    if turn == 0:
        doubts.append(
            "Doubt: the loss was lowest at the first rate and never fell, so the suggestions only "
            "say where the sweep began. Lower low=, or check that this training learns at all."
        )
    elif suggestions[RECOMMENDED].rate < low:
        doubts.append(
            f"Doubt: the suggestion lies below {low:.3g}, where the sweep began, so nothing was "
            "seen there. Lower low=."
        )
    if 0 < turn == last and not seen.diverged:
        doubts.append(
            "Doubt: the loss was lowest at the highest rate, so the curve never turned and the "
            "best rate may be higher than any of these. Raise high=."
        )
    if held:
        doubts.append(
            f"Doubt: {named(held)} went on learning at their own base rates, so part of the loss's "
            "fall is theirs."
        )
    if not usual:
        doubts.append(
            "Doubt: how wrong such suggestions are was measured with the training loss, rates in "
            "equal ratios and all groups swept together, which is not what was done here."
        )
    return tuple(doubts)


def named(groups: Sequence[Group]) -> str:
    """The groups' names."""
    return ", ".join(repr(group.name) for group in groups)
