"""Curves of many points, made fit for a picture."""

from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

__all__ = ["Array", "Curve", "smoothed", "thinned"]

Array: TypeAlias = NDArray[np.float64]
Curve: TypeAlias = tuple[Array, Array]

_SMOOTHED_SHARE: Final = 0.02


def thinned(positions: Array, values: Array, columns: int = 2_000) -> Curve:
    """The same picture from fewer points: per column the first, lowest, highest and last value.

    Args:
        positions: Shape (n,), in the order in which they were recorded.
        values: Shape (n,).
        columns: How many columns the picture can tell apart.

    Returns:
        Positions and values, at most ``4 * columns`` of them. No extreme is lost.

    >>> thinned(np.arange(8.0), np.array([0, 9, 1, 2, 3, 4, -5, 6.0]), columns=1)
    (array([0. , 3.5, 3.5, 7. ]), array([ 0., -5.,  9.,  6.]))

    Source: Jugel et al. 2014, "M4: A Visualization-Oriented Time Series Data Aggregation".
    """
    count = len(values)
    if count <= 4 * columns:
        return positions, values
    starts = np.arange(columns) * count // columns
    lasts = np.append(starts[1:], count) - 1
    first, last = values[starts], values[lasts]
    low, high = np.fmin.reduceat(values, starts), np.fmax.reduceat(values, starts)
    # In the order in which a steady curve has them, so that it stays a line.
    falls = first > last
    second, third = np.where(falls, high, low), np.where(falls, low, high)
    left, right = positions[starts], positions[lasts]
    middle = (left + right) / 2
    inner = np.where(second == first, left, middle), np.where(third == last, right, middle)
    x = np.stack([left, *inner, right], axis=1)
    return x.ravel(), np.stack([first, second, third, last], axis=1).ravel()


def smoothed(values: Array) -> Array:
    """The centred moving average over 2 % of the points, of the finite ones; it does not lag.

    >>> smoothed(np.array([0.0, 3.0, np.nan, 6.0]))
    array([1.5, 1.5, 4.5, 6. ])
    """
    reach = max(1, round(len(values) * _SMOOTHED_SHARE / 2))
    finite = np.isfinite(values)
    sums = np.concatenate([[0.0], np.cumsum(np.where(finite, values, 0.0))])
    counts = np.concatenate([[0], np.cumsum(finite)])
    index = np.arange(len(values))
    low, high = np.maximum(index - reach, 0), np.minimum(index + reach + 1, len(values))
    known = counts[high] - counts[low]
    means = (sums[high] - sums[low]) / np.maximum(known, 1)
    return np.where(known > 0, means, np.nan)
