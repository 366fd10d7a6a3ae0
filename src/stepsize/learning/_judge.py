"""``Judge``: is this loss being learnt from? One value after the other, in bounded memory."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any, Final

from stepsize.checks import Range, checked_number, checked_whole_number
from stepsize.learning import _averages, _history, _signs
from stepsize.learning._noise import FEWEST, noise
from stepsize.learning._signs import Memory
from stepsize.learning._verdict import Verdict
from stepsize.statistics import NORMAL_PER_MAD

__all__ = ["Judge", "judged"]

_RECENT: Final = 50
_FIRST: Final = 3
_SETTLED: Final = 10  # losses whose median is the present one
# A spike that is a smaller part of what was learnt stands out only because so little is left.
_PART_OF_A_SPIKE: Final = 0.1


@dataclass(frozen=True, kw_only=True)
class Judge:
    """Judges a loss as it comes: is the training learning, at its noise, or going wrong?

    A loss is judged against its own course, so neither its unit nor the place of its zero matters,
    but for losses that are positive and stay at four times their start, which are far above it.

    Un-learning is a rise of the smoothed loss (medians of three, averaged over 10, 40 and 160
    observations) above its lowest by more than

        E[n] σ₀ + rise (σ₀ + σ)

    for ``patience`` observations in a row, for half as many at twice that height. σ and σ₀ are the
    deviations of the average now and when it was lowest; E[n] is how far the lowest of n noisy
    averages lies below their level, about √(2 ln n). Rises that came back before raise the bar; so
    do the ups and downs of a loss that has not fallen, as in adversarial training. A rise below
    2 % of what was learnt is never trouble.

    Args:
        chance: The loss of a constant prediction, where it is known: ln(classes), the variance of
            the target. Otherwise the level that the loss begins at stands for it.
        rise: Un-learning: deviations of the smoothed loss, > 0.
        patience: Un-learning: observations in a row, >= 1.
        spike: A spike: robust deviations above the median of the last 50, > 0.
        spike_patience: A spike: losses in a row, >= 1.

    Raises:
        InvalidType: A setting is not a number.
        InvalidValue: A setting is out of range.

    >>> from stepsize.learning import Judge
    >>> judge = Judge()
    >>> memory = judge.init()
    >>> for step in range(100):
    ...     memory = judge.observe(memory, 1 + 2 * 0.97**step)
    >>> judge.verdict(memory).kind
    'learning'
    """

    chance: float | None = None
    rise: float = 3.5
    patience: int = 20
    spike: float = 10.0
    spike_patience: int = 3

    def __post_init__(self) -> None:
        call, above = "Judge(...)", Range(above=0)
        if self.chance is not None:
            checked_number(call, "chance", self.chance, Range())
        checked_number(call, "rise", self.rise, above)
        checked_number(call, "spike", self.spike, above)
        checked_whole_number(call, "patience", self.patience)
        checked_whole_number(call, "spike_patience", self.spike_patience)

    def init(self) -> Memory:
        """The memory before the first loss."""
        return {
            "count": 0,
            "first": [],
            "recent": [],
            "lowest": None,
            "lowest_noise": 0.0,
            "calm": None,
            "halfway": 0,
            "spiking": 0,
            "not_finite": 0,
            "averages": [_averages.unsettled() for _ in _averages.HORIZONS],
            "history": _history.empty(),
        }

    def observe(self, memory: Memory, loss: float, /) -> Memory:
        """The memory after one more loss."""
        loss = float(loss)
        if not math.isfinite(loss):
            return {**memory, "not_finite": memory["not_finite"] + 1}
        spiking = memory["spiking"] + 1 if self._is_spike(memory, loss) else 0
        if 0 < spiking < self.spike_patience:
            # A lone outlier leaves no trace in what is usual.
            return {**memory, "spiking": spiking, "not_finite": 0}
        return {**self._after(memory, loss), "spiking": spiking, "not_finite": 0}

    def restarted(self, memory: Memory) -> Memory:
        """The memory with what was learnt and its noise, but without the last losses.

        For a run whose weights or rate were changed: what comes now is judged afresh.
        """
        return {
            **memory,
            "recent": [],
            "spiking": 0,
            "not_finite": 0,
            "halfway": 0,
            "averages": [_averages.restarted(each) for each in memory["averages"]],
        }

    def accepted(self, memory: Memory) -> Memory:
        """The memory for which the present loss is good: a rise counts from here."""
        lowest = memory["lowest"]
        if lowest is not None and memory["recent"]:
            lowest = max(lowest, median(memory["recent"][-_SETTLED:]))
        return {
            **memory,
            "lowest": lowest,
            "spiking": 0,
            "not_finite": 0,
            "halfway": 0,
            "averages": [_averages.accepted(each) for each in memory["averages"]],
        }

    def trouble(self, memory: Memory) -> Verdict | None:
        """What is wrong now, if anything: the verdict where it is trouble."""
        start = self._start(memory["first"])
        return (
            _signs.spiking(memory, start, self.spike_patience)
            or _signs.far_above(memory, start)
            or _signs.lost(memory, start)
            or _signs.risen(memory, start)
        )

    def verdict(self, memory: Memory) -> Verdict:
        """What the losses so far show."""
        return (
            _signs.without_a_finite_loss(memory)
            or self.trouble(memory)
            or _signs.course(memory, self._start(memory["first"]))
        )

    def _is_spike(self, memory: Memory, loss: float) -> bool:
        recent = memory["recent"]
        if len(recent) < _signs.ENOUGH or loss <= max(recent):
            return False
        middle = median(recent)
        excess = loss - middle
        spread = NORMAL_PER_MAD * median(abs(each - middle) for each in recent)
        learnt = self._start(memory["first"]) - memory["lowest"]
        return excess > self.spike * spread and excess > _PART_OF_A_SPIKE * learnt

    def _after(self, memory: Memory, loss: float) -> dict[str, Any]:
        count = memory["count"] + 1
        first: list[float] = [*memory["first"], loss][:_FIRST]
        recent: list[float] = [*memory["recent"], loss][-_RECENT:]
        middle = _middle(recent[-3:])
        usual, low = noise(recent)
        start, lowest, lowest_noise = self._start(first), memory["lowest"], memory["lowest_noise"]
        if count >= _FIRST and (lowest is None or middle < lowest):
            lowest, lowest_noise = middle, low
        calm = memory["calm"]
        if count >= FEWEST:
            calm = low if calm is None else min(low, calm)
        is_halfway_up = lowest is not None and middle > (start + lowest) / 2
        return {
            "count": count,
            "first": first,
            "recent": recent,
            "lowest": lowest,
            "lowest_noise": lowest_noise,
            "calm": calm,
            "halfway": memory["halfway"] + 1 if is_halfway_up else 0,
            "averages": _averages.with_loss(
                memory["averages"], middle, usual, count, start, self.rise, self.patience
            ),
            "history": _history.extended(memory["history"], loss),
        }

    def _start(self, first: Sequence[float]) -> float:
        """The level that the loss began at, or chance where that is lower."""
        began = _middle(first) if first else math.nan
        return began if self.chance is None else min(began, self.chance)


def _middle(numbers: Sequence[float]) -> float:
    return sorted(numbers)[len(numbers) // 2]


def judged(losses: Iterable[float], judge: Judge | None = None) -> Verdict:
    """What a whole curve shows: the same as its values one by one.

    Args:
        losses: In the order of the steps; shape (steps,).
        judge: One with other settings than the defaults.

    >>> import numpy as np
    >>> judged(2.3 + 0.01 * np.random.default_rng(0).standard_normal(100)).kind
    'at chance'
    """
    judge = judge or Judge()
    memory = judge.init()
    for loss in losses:
        memory = judge.observe(memory, loss)
    return judge.verdict(memory)
