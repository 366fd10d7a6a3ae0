"""How a rate ends: on its way down, or at a level."""

import numpy as np

from stepsize.diagnose._view import RunView

__all__ = ["ends_in_the_middle", "has_no_end", "is_short", "last_slope"]

_LACKING = 0.05
_NO_END = 0.02
_FEWEST_TO_TELL = 8


def is_short(run: RunView) -> bool:
    """Whether more than 5 % of the planned length is missing."""
    return run.planned is not None and run.last + 1 < (1 - _LACKING) * run.planned


def last_slope(run: RunView) -> float:
    """The change of the rate per position over the last 5 % of the run, of at least 3 points."""
    tail = run.rate.between(run.last - 0.05 * run.length, run.last)
    if len(tail) < 3:
        positions, values = run.rate.positions[-3:], run.rate.values[-3:]
    else:
        positions, values = tail.positions, tail.values
    if len(values) < 3 or positions[-1] <= positions[0]:
        return 0.0
    return float((values[-1] - values[0]) / (positions[-1] - positions[0]))


def ends_in_the_middle(run: RunView) -> bool:
    """Whether the rate was falling at the end, by more than a hundredth of its peak per 5 %.

    A staircase that has just made a step is not on its way down, and neither is a decay that never
    ends, such as an exponential one or an inverse square root.
    """
    if -last_slope(run) * 0.05 * run.length <= 0.01 * run.peak:
        return False
    tail = run.rate.between(run.last - 0.05 * run.length, run.last)
    values = tail.values if len(tail) > 3 else run.rate.values[-5:]
    steps = -np.diff(values)
    smooth = len(steps) > 2 and steps.max() < 0.6 * max(steps.sum(), 1e-300)
    return bool(smooth) and not has_no_end(run)


def has_no_end(run: RunView) -> bool:
    """Whether the fall is an exponential or a power of time, better than a line or a cosine."""
    falling = run.rate.between(run.leaves_peak_at, run.last)
    positions, values = falling.positions, falling.values
    if len(values) < _FEWEST_TO_TELL or values.min() <= 0 or values[-1] > 0.95 * values[0]:
        return False
    straight = _bend(positions, values)
    endless = min(_bend(positions, form) for form in (np.log(values), 1 / values, values**-2.0))
    return endless < _NO_END and endless < straight / 2


def _bend(positions: np.ndarray, values: np.ndarray) -> float:
    """How far a curve is from the straight line through its ends, as a part of its range."""
    line = np.interp(positions, positions[[0, -1]], values[[0, -1]])
    return float(np.abs(values - line).max() / max(float(np.ptp(values)), 1e-300))
