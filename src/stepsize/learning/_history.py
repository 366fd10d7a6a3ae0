"""A whole curve in at most 32 means of equally many losses, and the trend of its second half."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from stepsize.statistics import neighbour_deviation

__all__: list[str] = []

History: TypeAlias = Mapping[str, Any]
"""Plain data: complete means, and the sum of the losses that are not a whole one yet."""

_MOST: Final = 32
_FEWEST: Final = 8
_CERTAIN: Final = 2.0


@dataclass(frozen=True)
class Trend:
    """What the second half of a curve does.

    Args:
        level: The mean of its last quarter.
        noise: The standard deviation of that mean.
        falls: Whether its last quarter lies below the one before.
    """

    level: float
    noise: float
    falls: bool


def empty() -> History:
    """The history before the first loss."""
    return {"size": 1, "means": [], "sum": 0.0, "held": 0}


def extended(history: History, loss: float) -> History:
    """The history that has seen one more loss. Where it grows too long, neighbours are joined."""
    size, total, held = history["size"], history["sum"] + loss, history["held"] + 1
    if held < size:
        return {**history, "sum": total, "held": held}
    means = [*history["means"], total / size]
    if len(means) == _MOST:
        means = [(one + other) / 2 for one, other in zip(means[::2], means[1::2], strict=True)]
        size *= 2
    return {"size": size, "means": means, "sum": 0.0, "held": 0}


def trend(history: History) -> Trend | None:
    """What the second half does; None where there are too few losses to tell."""
    means: Sequence[float] = history["means"]
    if len(means) < _FEWEST:
        return None
    quarter = len(means) // 4
    before, last = means[-2 * quarter : -quarter], means[-quarter:]
    spread = neighbour_deviation(means[-2 * quarter :])
    level = sum(last) / quarter
    fall = sum(before) / quarter - level
    return Trend(
        level, spread / math.sqrt(quarter), fall > _CERTAIN * spread * math.sqrt(2 / quarter)
    )
