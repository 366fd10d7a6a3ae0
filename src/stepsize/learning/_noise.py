"""The noise of a loss, from the differences of neighbours."""

import math
from collections.abc import Sequence
from statistics import NormalDist
from typing import Final

__all__: list[str] = []

FEWEST: Final = 7
"""Losses before their noise is known at all."""

_USUAL, _LOW = 0.7, 0.4
# So few differences may all be small by chance.
_DOUBT: Final = 4


def _of_normal(quantile: float) -> float:
    """This quantile of the absolute difference of two standard normal numbers."""
    return math.sqrt(2) * NormalDist().inv_cdf((1 + quantile) / 2)


_USUAL_SIZE, _LOW_SIZE = _of_normal(_USUAL), _of_normal(_LOW)


def noise(losses: Sequence[float]) -> tuple[float, float]:
    """The standard deviation of independent noise about a slow curve, from the last losses.

    Returns:
        An estimate from a high quantile, which tails enter, and one from a low quantile, which up
        to half of the losses being wild leaves alone. 0 each for fewer than two losses.
    """
    count = len(losses) - 1
    if count < 1:
        return 0.0, 0.0
    sizes = sorted(map(abs, map(float.__sub__, losses[1:], losses[:-1])))
    doubt = 1 + _DOUBT / count
    return (
        sizes[int(_USUAL * count)] / _USUAL_SIZE * doubt,
        sizes[int(_LOW * count)] / _LOW_SIZE * doubt,
    )
