"""The rule of ``Guard`` in version 0.1.0: runs that it began end by it."""

import math
from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any, Final, Protocol, TypeAlias

from stepsize.messages import Message
from stepsize.statistics import NORMAL_PER_MAD

__all__: list[str] = []

Memory: TypeAlias = Mapping[str, Any]

_RECENT: Final = 50  # losses that a spike is compared with
_ENOUGH: Final = 20  # of them, before anything is called a spike
_SMOOTHING: Final = 0.9  # of the loss
_STEADINESS: Final = 0.99  # of the noise
_PART_UNLEARNT: Final = 0.02
_PART_OF_A_SPIKE: Final = 0.1
_LITTLE: Final = 2
_FARTHER: Final = 6
_KNOWN: Final = 0.18  # the weight of a noise that was measured from about 20 losses
_DIFFERENCE_TO_DEVIATION: Final = math.sqrt(math.pi) / 2  # from the mean of absolute differences
_UNSETTLED: Final[Memory] = {"mean": 0.0, "weight": 0.0, "recent": [], "above": 0, "spiking": 0}


class Settings(Protocol):
    """What the rule reads of a guard."""

    @property
    def metric(self) -> str: ...
    @property
    def rise(self) -> float: ...
    @property
    def patience(self) -> int: ...
    @property
    def spike(self) -> float: ...
    @property
    def spike_patience(self) -> int: ...


def is_memory(memory: Memory) -> bool:
    """Whether a memory was saved by that version."""
    return "calm" in memory and "judge" not in memory


def after_alarm(memory: Memory) -> Memory:
    """The memory after an alarm."""
    return {**memory, **_UNSETTLED}


def observed(
    guard: Settings, memory: Memory, loss: float
) -> tuple[Memory, tuple[Message, int] | None]:
    """The memory after a loss; why there is an alarm, if there is one, and since when."""
    recent = memory["recent"]
    if len(recent) >= _ENOUGH and loss > max(recent):
        middle, deviation = _robust(recent)
        learnt = memory["first"] - memory["best"]
        if loss - middle > max(guard.spike * deviation, _PART_OF_A_SPIKE * learnt):
            return _after_spike(guard, memory, loss, middle)
    return _after_usual(guard, memory, loss)


def _after_spike(
    guard: Settings, memory: Memory, loss: float, usual: float
) -> tuple[Memory, tuple[Message, int] | None]:
    spiking = memory["spiking"] + 1
    if spiking < guard.spike_patience:
        return {**memory, "spiking": spiking}, None
    reason = Message(
        "{metric:name} spiked in {n:count|observation|observations in a row}, to {loss:number}, "
        "where {usual:number} is usual",
        metric=guard.metric,
        n=spiking,
        loss=loss,
        usual=usual,
    )
    return memory, (reason, spiking - 1)


def _after_usual(
    guard: Settings, memory: Memory, loss: float
) -> tuple[Memory, tuple[Message, int] | None]:
    weight = _SMOOTHING * memory["weight"] + 1 - _SMOOTHING
    # Of three, since one odd batch with a low loss would set a false lowest.
    middle = median([*memory["recent"][-2:], loss])
    # This form of the average stays exactly at a loss that stays.
    mean = memory["mean"] + (1 - _SMOOTHING) / weight * (middle - memory["mean"])
    first = mean if memory["first"] is None else memory["first"]
    best = mean if memory["best"] is None else min(mean, memory["best"])
    noise, noise_weight = memory["noise"], memory["noise_weight"]
    if memory["recent"]:
        difference = abs(loss - memory["recent"][-1])
        noise_weight = _STEADINESS * noise_weight + 1 - _STEADINESS
        noise += (1 - _STEADINESS) / noise_weight * (difference - noise)
    learnt = first - best
    margin = max(guard.rise * _DIFFERENCE_TO_DEVIATION * noise, _PART_UNLEARNT * learnt)
    calm = memory["calm"] if noise_weight < _KNOWN else min(noise, memory["calm"] or noise)
    if learnt < _LITTLE * margin:
        margin = _FARTHER * guard.rise * _DIFFERENCE_TO_DEVIATION * (calm or noise)
    above = memory["above"] + 1 if mean > best + margin else 0
    after = {
        "first": first,
        "best": best,
        "noise": noise,
        "noise_weight": noise_weight,
        "calm": calm,
        "mean": mean,
        "weight": weight,
        "recent": [*memory["recent"], loss][-_RECENT:],
        "above": above,
        "spiking": 0,
    }
    if above < guard.patience:
        return after, None
    reason = Message(
        "the smoothed {metric:name} has been above {limit:number} for "
        "{n:count|observation|observations}, now {now:number}; its lowest was {lowest:number}",
        metric=guard.metric,
        limit=best + margin,
        n=guard.patience,
        now=mean,
        lowest=best,
    )
    return after, (reason, guard.patience - 1)


def _robust(numbers: Sequence[float]) -> tuple[float, float]:
    """The median, and the deviation that the median absolute deviation stands for."""
    middle = median(numbers)
    return middle, NORMAL_PER_MAD * median(abs(number - middle) for number in numbers)
