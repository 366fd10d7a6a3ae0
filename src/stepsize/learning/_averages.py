"""Moving averages over several horizons, and what their rise above their lowest means.

A long horizon sees a slow rise through noise that a short one cannot tell it from; a short horizon
sees a fast one early.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from stepsize.statistics import expected_minimum

__all__: list[str] = []

Average: TypeAlias = Mapping[str, Any]
"""Plain data: an average over one horizon and what is remembered of its course."""

HORIZONS: Final = (10, 40, 160)

_SETTLED: Final = 10  # losses before an average counts as a level
# A median of three comes before the average; independent medians would have less noise.
_MEDIANS: Final = 1.1
# From the mean rise over a horizon of an average of pure noise to the deviation of that average.
_RISE_TO_DEVIATION: Final = 2.24
_MEMORY: Final = 0.9  # for rises, per horizon
_FEW_RISES: Final = 0.4
# A rise under this part of the bar is taken for noise and enters what is usual.
_USUAL_RISE: Final = 0.5
# A rise as large as one that came back before, or half as large again, may come back too.
_BEYOND_SWING: Final = 1.5
_BEYOND_SWING_OF_LITTLE: Final = 2.5
_CAME_BACK: Final = 0.5
# Where less was learnt than so many bars, there is little to lose: the loss has to rise by so many
# deviations of its own ups and downs, over so many times the patience.
_LITTLE: Final = 2
_WANDERING: Final = 3.0
_LITTLE_PATIENCE: Final = 1.5
# A rise that is twice the bar needs half the patience.
_MOST_URGENT: Final = 2.0
# A smaller part of what was learnt is never a loss of it.
_PART: Final = 0.02
# ... where the loss has fallen by orders of magnitude, of this many times what is left.
_LEFT: Final = 10


@dataclass(frozen=True)
class Bar:
    """How far an average has to rise above its lowest, and for how long.

    Args:
        height: Above the lowest.
        patience: Observations in a row.
    """

    height: float
    patience: float


def unsettled() -> Average:
    """An average before the first loss."""
    return {
        "mean": 0.0,
        "weight": 0.0,
        "squares": 0.0,
        "lowest": None,
        "lowest_noise": 0.0,
        "peak": 0.0,
        "swing": 0.0,
        "mark": None,
        "rises": 0.0,
        "rises_weight": 0.0,
        "wander": 0.0,
        "wander_weight": 0.0,
        "above": 0.0,
        "since": 0,
        "patience": 0.0,
        "bar": 0.0,
    }


def restarted(average: Average) -> Average:
    """The average without its present, but with what it knows of its course."""
    fresh = ("mean", "weight", "squares", "mark", "above", "since", "patience")
    begun = unsettled()
    return {**average, **{name: begun[name] for name in fresh}}


def accepted(average: Average) -> Average:
    """The average for which its present is its lowest."""
    if average["lowest"] is None:
        return average
    present = max(average["lowest"], average["mean"])
    return {**average, "lowest": present, "peak": present, "above": 0.0, "since": 0}


def with_loss(
    averages: Sequence[Average],
    loss: float,
    noise: float,
    count: int,
    start: float,
    rise: float,
    patience: int,
) -> list[Average]:
    """The averages that have seen one more loss.

    Args:
        averages: One for each horizon.
        loss: Of the last three, the middle one.
        noise: Of single losses.
        count: How many losses there are now.
        start: The level that the loss began at.
        rise: Deviations of the average that a rise has to exceed.
        patience: For how many observations.
    """
    fastest = averages[0]
    wander = fastest["wander"] / max(_FEW_RISES, fastest["wander_weight"]) * _RISE_TO_DEVIATION
    seen: list[Average] = []
    for average, horizon in zip(averages, HORIZONS, strict=True):
        moved = _moved(average, horizon, loss)
        if count >= _SETTLED:
            deviation = _deviation(moved, noise)
            bar = _bar(moved, horizon, deviation, wander, count, start, rise, patience)
            moved = _compared(moved, deviation, bar)
            if count % horizon == 0:
                moved = _marked(moved)
        seen.append(moved)
    return seen


def _moved(average: Average, horizon: int, loss: float) -> dict[str, Any]:
    part = 1 / horizon
    weight = (1 - part) * average["weight"] + part
    return {
        **average,
        "weight": weight,
        "squares": (1 - part) ** 2 * average["squares"] + part**2,
        # This form stays exactly at a loss that stays.
        "mean": average["mean"] + part / weight * (loss - average["mean"]),
    }


def _deviation(average: Average, noise: float) -> float:
    """Of the average: from the noise of single losses, or from its own rises if they are larger."""
    independent = _MEDIANS * noise * math.sqrt(average["squares"]) / average["weight"]
    rises = average["rises"] / max(_FEW_RISES, average["rises_weight"])
    return max(independent, _RISE_TO_DEVIATION * rises)


def _bar(
    average: Average,
    horizon: int,
    deviation: float,
    wander: float,
    count: int,
    start: float,
    rise: float,
    patience: int,
) -> Bar:
    if average["lowest"] is None:
        return Bar(math.inf, patience)
    lowest, lowest_noise = average["lowest"], average["lowest_noise"]
    # The lowest of many noisy averages lies below the level that they are about.
    independent = max(count // horizon * 2, int(2 * math.log2(count)))
    learnt = max(0.0, start - lowest)
    height = max(
        expected_minimum(independent) * lowest_noise + rise * (lowest_noise + deviation),
        _PART * min(learnt, _LEFT * abs(lowest)),
    )
    needed = float(patience)
    beyond = _BEYOND_SWING
    if learnt < _LITTLE * height:
        height, needed = max(height, _WANDERING * wander), _LITTLE_PATIENCE * patience
        beyond = _BEYOND_SWING_OF_LITTLE
    return Bar(max(height, beyond * average["swing"]), needed)


def _compared(average: dict[str, Any], deviation: float, bar: Bar) -> dict[str, Any]:
    mean, lowest = average["mean"], average["lowest"]
    if lowest is None or mean < lowest:
        came_back = 0.0 if lowest is None else average["peak"] - lowest
        return {
            **average,
            "lowest": mean,
            "lowest_noise": deviation,
            "peak": mean,
            "swing": max(average["swing"], came_back),
            "above": 0.0,
            "since": 0,
            "bar": 0.0 if lowest is None else bar.height,
        }
    height, peak, swing = mean - lowest, max(average["peak"], mean), average["swing"]
    if height < _CAME_BACK * (peak - lowest):
        peak, swing = mean, max(swing, peak - lowest)
    return {
        **average,
        "peak": peak,
        "swing": swing,
        "above": average["above"] + _urgency(height, bar) if height > bar.height else 0.0,
        "since": average["since"] + 1 if height > _USUAL_RISE * bar.height else 0,
        "patience": bar.patience,
        "bar": bar.height,
    }


def _urgency(height: float, bar: Bar) -> float:
    """For how many observations this one counts."""
    return min(height / bar.height, _MOST_URGENT) if bar.height > 0 else _MOST_URGENT


def _marked(average: dict[str, Any]) -> dict[str, Any]:
    """Once per horizon: by how much the average has risen since it was marked last."""
    mark, mean = average["mark"], average["mean"]
    if mark is None:
        return {**average, "mark": mean}
    rise = max(0.0, mean - mark)
    marked = {
        **average,
        "mark": mean,
        "wander": _MEMORY * average["wander"] + (1 - _MEMORY) * rise,
        "wander_weight": _MEMORY * average["wander_weight"] + 1 - _MEMORY,
    }
    # A rise that may be an alarm must not raise the bar for itself.
    if mean - average["lowest"] < _USUAL_RISE * average["bar"]:
        marked["rises"] = _MEMORY * average["rises"] + (1 - _MEMORY) * rise
        marked["rises_weight"] = _MEMORY * average["rises_weight"] + 1 - _MEMORY
    return marked
