"""From what a judge remembers to a verdict: each sign of trouble, and the course without any."""

import math
from collections.abc import Mapping
from statistics import median
from typing import Any, Final, TypeAlias

from stepsize.learning import _averages, _history
from stepsize.learning._noise import noise
from stepsize.learning._verdict import Verdict
from stepsize.messages import Message
from stepsize.statistics import expected_minimum

__all__: list[str] = []

Memory: TypeAlias = Mapping[str, Any]
"""What a judge remembers: numbers, lists and dictionaries, so that it can be saved."""

ENOUGH: Final = 20
"""Losses before one is usual."""

# All is lost, or the loss is far above its start, if so many of the last so many are up there.
_LAST: Final = 10
_MOST_OF_THEM: Final = 8
_FAR: Final = 4.0  # times the start
# What had been learnt before counts if it is this part of the start, and beyond what the lowest
# of so many noisy losses is.
_WORTH_LOSING: Final = 0.1
_CALM, _CALM_PER_MINIMUM = 4.0, 3.0
_AT_LOWEST: Final = 5.0
_LEARNT: Final = 4.0  # deviations
_FOR_GOOD: Final = 3  # losses in a row that are not finite
_LONG: Final = 60  # losses before "not left the start" says anything


def without_a_finite_loss(memory: Memory) -> Verdict | None:
    """Whether the last loss is not finite, or there is none."""
    times = memory["not_finite"]
    if times >= _FOR_GOOD:
        reason = Message("the last {times:count|loss is|losses are} not finite", times=times)
        return Verdict("dead", reason, times - 1, math.nan, math.nan)
    if times:
        return Verdict("unknown", Message("the last loss is not finite"), 0, math.nan, math.nan)
    if not memory["count"]:
        return Verdict("unknown", Message("there is no loss"), 0, math.nan, math.nan)
    return None


def spiking(memory: Memory, start: float, patience: int) -> Verdict | None:
    """Whether the last losses are far above the usual ones."""
    times = memory["spiking"]
    if times < patience:
        return None
    *usual, last = memory["recent"]
    reason = Message(
        "the last {times:count|loss is|losses are} far above the usual: {last:number}, where "
        "{usual:number} is usual",
        times=times,
        last=last,
        usual=median(usual),
    )
    return Verdict("spiking", reason, times - 1, last, start)


def far_above(memory: Memory, start: float) -> Verdict | None:
    """Whether most of the last losses are several times the first ones."""
    last = sorted(memory["recent"][-_LAST:])
    if len(last) < _LAST or not 0 < _FAR * start < last[_LAST - _MOST_OF_THEM]:
        return None
    level = median(last)
    reason = Message(
        "the loss stays above {times:number} times its start: it began at {start:number} and is "
        "{level:number}",
        times=_FAR,
        start=start,
        level=level,
    )
    return Verdict("dead", reason, memory["halfway"], level, start)


def lost(memory: Memory, start: float) -> Verdict | None:
    """Whether most of the last losses are where the loss began, after it had come down."""
    last, lowest = memory["recent"][-_LAST:], memory["lowest"]
    if len(last) < _LAST or sum(each >= start for each in last) < _MOST_OF_THEM:
        return None
    chance = _CALM + _CALM_PER_MINIMUM * expected_minimum(memory["count"])
    worth = max(
        _WORTH_LOSING * abs(start), chance * memory["calm"], _AT_LOWEST * memory["lowest_noise"]
    )
    if start - lowest <= worth:
        return None
    level = median(last)
    reason = Message(
        "all that was learnt is lost: the loss had come down from {start:number} to "
        "{lowest:number} and is {level:number}",
        start=start,
        lowest=lowest,
        level=level,
    )
    return Verdict("dead", reason, memory["halfway"], level, start)


def risen(memory: Memory, start: float) -> Verdict | None:
    """Whether an average has been above its lowest for long enough, by more than its bar."""
    for average, horizon in zip(memory["averages"], _averages.HORIZONS, strict=True):
        if average["above"] and average["above"] >= average["patience"]:
            reason = Message(
                "the loss, averaged over {horizon:number} observations, has been above "
                "{bar:number}: it is {level:number}, and its lowest was {lowest:number}",
                horizon=horizon,
                bar=average["lowest"] + average["bar"],
                level=average["mean"],
                lowest=average["lowest"],
            )
            return Verdict("unlearning", reason, average["since"], average["mean"], start)
    return None


def course(memory: Memory, start: float) -> Verdict:
    """What the case is where nothing is wrong."""
    count, trend = memory["count"], _history.trend(memory["history"])
    if count < ENOUGH or trend is None:
        reason = Message("{count:count|loss says|losses say} too little yet", count=count)
        return Verdict("early", reason, 0, memory["recent"][-1], start)
    if trend.falls:
        reason = Message("the loss falls and is {level:number}", level=trend.level)
        return Verdict("learning", reason, 0, trend.level, start)
    usual, _ = noise(memory["recent"])
    if start - trend.level > _LEARNT * math.hypot(trend.noise, usual):
        reason = Message(
            "the loss has come down from {start:number} to {level:number} and no longer falls "
            "beyond its noise",
            start=start,
            level=trend.level,
        )
        return Verdict("noise-limited", reason, 0, trend.level, start)
    reason = Message(
        "after {count:count|observation|observations} the loss has not left its first level: it "
        "is {level:number}, and began at {start:number}",
        count=count,
        level=trend.level,
        start=start,
    )
    return Verdict("early" if count < _LONG else "at chance", reason, 0, trend.level, start)
