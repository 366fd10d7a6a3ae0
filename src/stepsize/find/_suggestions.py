"""What can be read off the curve of a range test: rates, and what makes them less sure."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from stepsize.errors import TrainingError
from stepsize.find._sweep import Array, Sweep
from stepsize.messages import Message
from stepsize.training import Group
from stepsize.words import list_text, number_text

__all__ = [
    "DEVIATION",
    "FEWEST_POINTS",
    "RECOMMENDED",
    "Suggestion",
    "doubts",
    "named",
    "suggestions",
]

FEWEST_POINTS: Final = 3
RECOMMENDED: Final = "minimum/10"

# Medians and spread over 12 small tasks (CNN, transformer, LSTM, MLP, ResNet, ...), AdamW and SGD,
# against the best of eight rates: "What 2,966 small trainings say".
DEVIATION: Final = 8.0


@dataclass(frozen=True)
class Suggestion:
    """A rate read off the curve.

    Args:
        rate: The rate.
        rule: How it was read.
        usually: How far off such a suggestion usually is.
    """

    rate: float
    rule: Message
    usually: Message


def suggestions(seen: Sweep, metric: str, call: str) -> tuple[dict[str, Suggestion], int]:
    """The suggestions by rule, and at which of the finite losses the average was lowest.

    Raises:
        TrainingError: Too few losses were finite, or all were the same.
    """
    finite = np.isfinite(seen.losses)
    _require_points(seen, metric, call, int(finite.sum()), len(finite))
    x, y, losses = np.log(seen.rates[finite]), seen.smoothed[finite], seen.losses[finite]
    if np.ptp(losses) <= 1e-12 * np.max(np.abs(losses)):
        raise TrainingError(
            call,
            "the loss must move with the rate",
            f"the loss did not move: {metric!r} was {number_text(float(losses[0]))} at every rate "
            f"up to {number_text(float(seen.rates[-1]))}",
            "Check that it depends on the optimizer's parameters, or raise {high=}.",
        )
    lowest = int(np.argmin(y))
    return {
        "minimum/10": Suggestion(
            math.exp(x[lowest]) / 10,
            Message("a tenth of the rate at the lowest loss"),
            _usually(0.8),
        ),
        "steepest": Suggestion(
            math.exp(x[_steepest(x, y)]), Message("where the loss falls fastest"), _usually(0.7)
        ),
        "valley": Suggestion(
            math.exp(x[_valley(y)]), Message("two thirds along the longest descent"), _usually(0.1)
        ),
    }, lowest


def _usually(times: float) -> Message:
    return Message(
        "about {times:number} × the best rate; one standard deviation is a factor of {least:number}"
        " to {most:number} either way",
        times=times,
        least=5,
        most=DEVIATION,
    )


def _require_points(seen: Sweep, metric: str, call: str, count: int, measured: int) -> None:
    if count >= FEWEST_POINTS:
        return
    skipped = f" ({seen.skipped} updates were skipped)" if seen.skipped else ""
    raise TrainingError(
        call,
        f"a range test needs {FEWEST_POINTS} finite losses",
        f"only {count} of {measured} measurements in {seen.steps} steps{skipped} gave a finite "
        f"{metric!r}; the sweep ended because {seen.stopped}",
        "Lower {low=}, take more steps, or check the data and the model for NaN.",
    )


def _steepest(x: Array, y: Array) -> int:
    # What comes after the lowest loss is divergence, not learning.
    end = max(int(np.argmin(y)) + 1, 2)
    return int(np.argmin(np.gradient(y[:end], x[:end])))


def _valley(y: Array) -> int:
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


def doubts(
    seen: Sweep,
    lowest: int,
    found: Mapping[str, Suggestion],
    held: Sequence[Group],
    *,
    measured: bool,
) -> tuple[Message, ...]:
    """What makes the suggestions less sure than usual.

    Args:
        seen: The sweep.
        lowest: As :func:`suggestions` gives it.
        found: As :func:`suggestions` gives them.
        held: The groups that were not swept.
        measured: Whether the sweep was of the kind whose errors were measured.
    """
    said: list[Message] = []
    last = int(np.isfinite(seen.losses).sum()) - 1
    low = float(seen.rates[0])
    if lowest == 0:
        said.append(
            Message(
                "Doubt: the loss was lowest at the first rate and never fell, so the suggestions "
                "only say where the sweep began. Lower low=, or check that this training learns at "
                "all."
            )
        )
    elif found[RECOMMENDED].rate < low:
        said.append(
            Message(
                "Doubt: the suggestion lies below {low:rate}, where the sweep began, so nothing "
                "was seen there. Lower low=.",
                low=low,
            )
        )
    if 0 < lowest == last and not seen.diverged:
        said.append(
            Message(
                "Doubt: the loss was lowest at the highest rate, so the curve never turned and the "
                "best rate may be higher than any of these. Raise high=."
            )
        )
    if held:
        said.append(
            Message(
                "Doubt: {groups:names} went on learning at their own base rates, so part of the "
                "loss's fall is theirs.",
                groups=[repr(group.name) for group in held],
            )
        )
    if not measured:
        said.append(
            Message(
                "Doubt: how wrong such suggestions are was measured with the training loss, rates "
                "in equal ratios and all groups swept together, which is not what was done here."
            )
        )
    return tuple(said)


def named(groups: Sequence[Group]) -> str:
    """The groups' names."""
    return list_text(repr(group.name) for group in groups)
