"""``Guard``: notice that a training goes wrong, and ask to go back."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import ClassVar, Final, cast

from stepsize.checks import Range
from stepsize.controllers._metric import Memory
from stepsize.controllers._settings import Configured, check_count, check_name, check_number
from stepsize.errors import InvalidType
from stepsize.messages import Message
from stepsize.renames import renamed_arguments
from stepsize.signals import Decision, Observation, Rewind
from stepsize.statistics import NORMAL_PER_MAD

__all__ = ["Guard"]

_RECENT: Final = 50  # losses that a spike is compared with
_ENOUGH: Final = 20  # of them, before anything is called a spike
_SMOOTHING: Final = 0.9  # of the loss
_STEADINESS: Final = 0.99  # of the noise
# What a rise has to be at least, as a part of what was learnt so far. The first matters where a log
# has hardly any noise, the second where the loss is so low that single batches stand out.
_PART_UNLEARNT: Final = 0.02
_PART_OF_A_SPIKE: Final = 0.1
# Where less was learnt than this many margins, the bar is so many times that of the calmest noise:
# a loss that grows from the start takes its noise along.
_LITTLE: Final = 2
_FARTHER: Final = 6
_KNOWN: Final = 0.18  # the weight of a noise that was measured from about 20 losses

_DIFFERENCE_TO_DEVIATION: Final = math.sqrt(math.pi) / 2  # from the mean of absolute differences


@renamed_arguments(watches="metric")
@dataclass(frozen=True, kw_only=True, repr=False)
class Guard(Configured):
    """Ask for a ``Rewind`` when the loss, gradients or parameters show that a training goes wrong.

    Three signs, of which the first counts at once:

    - a number that is not finite;
    - a **spike**: ``spike_patience`` losses in a row, each above all of the last 50 and more than
      ``spike`` robust deviations (1.4826 times the median absolute one) above their median;
    - **un-learning**: the smoothed loss (a moving average of medians of three) was, for
      ``patience`` observations in a row, more than ``rise`` times the log's noise above its lowest.
      The noise is what the loss differs by from one observation to the next, so a noisy log raises
      the bar by itself. Where it wanders, neighbours being alike, ``rise`` has to be larger.

    A rise that is small beside what was learnt since the beginning does not count: less than 2 % of
    it for un-learning, 10 % for a spike. Where the loss has fallen by less than twice what would be
    called a rise, there is little to un-learn, and the bar for it is six times as high: the losses
    of adversarial trainings go up and down. No threshold depends on the loss's unit or on its zero,
    so negative losses are guarded like positive ones. A loss that is *meant* to rise (warm restarts
    of a converged model, a task that changes) looks like un-learning: wrap the guard in ``When``.

    An update that was skipped, as an AMP scaler does, is not looked at.

    Args:
        metric: The name of the training's loss.
        finite: Further metrics that have to be finite where they are measured.
        rise: Un-learning: multiples of the noise, > 0.
        patience: Un-learning: observations in a row, >= 1.
        spike: Robust deviations above the median, > 0.
        spike_patience: Losses in a row, >= 1. One alone is mostly one odd batch.
        factor: What every rewind multiplies the rate by, > 0 and <= 1.
        warmup: Over how many steps the rate climbs to it.
        limit: How many rewinds in a row may fail to end the trouble; then the run is stopped.

    Raises:
        InvalidType: A setting is of the wrong kind.
        InvalidValue: A setting is out of range.

    The rates of false alarms over the thresholds are measured in docs/en/guard.md.

    >>> from stepsize.controllers import Guard, replay
    >>> position, decision = replay(Guard(), {"loss": [2.0, 1.5, float("nan")]}).decisions[0]
    >>> print(position, decision.factor, decision.reason)
    2.0 0.5 loss is nan
    """

    rewinds: ClassVar[bool] = True

    metric: str = "loss"
    finite: Sequence[str] = ("grad_norm", "parameter_norm")
    rise: float = 2.5
    patience: int = 20
    spike: float = 10.0
    spike_patience: int = 3
    factor: float = 0.5
    warmup: int = 10
    limit: int = 10

    def __post_init__(self) -> None:
        check_name(self, "metric")
        object.__setattr__(self, "finite", self._checked_finite())
        check_number(self, "rise", Range(above=0, remedy="It is a multiple of the log's noise."))
        check_count(self, "patience", Range(minimum=1, remedy="It counts observations."))
        check_number(self, "spike", Range(above=0, remedy="It counts robust deviations."))
        check_count(self, "spike_patience", Range(minimum=1, remedy="It counts observations."))
        check_number(self, "factor", Range(above=0, maximum=1, remedy="0.5 halves the rate."))
        check_count(self, "warmup", Range(minimum=0, remedy="It counts steps."))
        check_count(self, "limit", Range(minimum=0, remedy="It counts rewinds."))

    def _checked_finite(self) -> tuple[str, ...]:
        given: object = self.finite
        names = tuple(cast(Iterable[object], given)) if isinstance(given, Iterable) else None
        plain = not isinstance(given, str) and names is not None
        if not plain or not all(isinstance(name, str) and name for name in names or ()):
            raise InvalidType(
                f"Guard(finite={given!r})",
                "{finite} must be a sequence of metrics' names",
                f"is {given!r}",
                f"Write finite=[{given!r}]."
                if isinstance(given, str)
                else "Example: finite=['grad_norm']; finite=() for none.",
                "finite",
            )
        return cast(tuple[str, ...], names)

    def init(self) -> Memory:
        """The memory before the first observation."""
        return {
            "first": None,
            "best": None,
            "noise": 0.0,
            "noise_weight": 0.0,
            "calm": None,
            **_UNSETTLED,
        }

    def observe(
        self, state: Memory, observation: Observation, /
    ) -> tuple[Memory, Sequence[Decision]]:
        """The memory after ``observation``, and what to do."""
        if not observation.stepped:
            return state, ()
        for name in (self.metric, *self.finite):
            value = observation.metrics.get(name)
            if value is not None and not math.isfinite(value):
                reason = Message("{metric:name} is {value:number}", metric=name, value=value)
                return self._alarm(state, reason, since=0)
        loss = observation.metrics.get(self.metric)
        if loss is None:
            return state, ()
        if self._is_spike(state, loss):
            return self._after_spike(state, loss)
        return self._after_usual(state, float(loss))

    def _is_spike(self, state: Memory, loss: float) -> bool:
        recent = state["recent"]
        if len(recent) < _ENOUGH or loss <= max(recent):
            return False
        middle, deviation = _robust(recent)
        excess = loss - middle
        learnt = state["first"] - state["best"]
        return excess > self.spike * deviation and excess > _PART_OF_A_SPIKE * learnt

    def _after_spike(self, state: Memory, loss: float) -> tuple[Memory, Sequence[Decision]]:
        spiking = state["spiking"] + 1
        if spiking < self.spike_patience:
            # A lone outlier leaves no trace in what is usual.
            return {**state, "spiking": spiking}, ()
        middle, deviation = _robust(state["recent"])
        reason = Message(
            "{metric:name} spiked in {n:count|observation|observations in a row}, to "
            "{loss:number}, {size:number 3} deviations above its usual {usual:number}",
            metric=self.metric,
            n=spiking,
            loss=loss,
            size=math.inf if deviation == 0 else (loss - middle) / deviation,
            usual=middle,
        )
        return self._alarm(state, reason, since=spiking - 1)

    def _after_usual(self, state: Memory, loss: float) -> tuple[Memory, Sequence[Decision]]:
        weight = _SMOOTHING * state["weight"] + 1 - _SMOOTHING
        # Of three, since one odd batch with a low loss would set a false lowest.
        middle = median([*state["recent"][-2:], loss])
        # This form of the average stays exactly at a loss that stays.
        mean = state["mean"] + (1 - _SMOOTHING) / weight * (middle - state["mean"])
        first = mean if state["first"] is None else state["first"]
        best = mean if state["best"] is None else min(mean, state["best"])
        noise, noise_weight = state["noise"], state["noise_weight"]
        if state["recent"]:
            difference = abs(loss - state["recent"][-1])
            noise_weight = _STEADINESS * noise_weight + 1 - _STEADINESS
            noise += (1 - _STEADINESS) / noise_weight * (difference - noise)
        learnt = first - best
        margin = max(self.rise * _DIFFERENCE_TO_DEVIATION * noise, _PART_UNLEARNT * learnt)
        calm = state["calm"] if noise_weight < _KNOWN else min(noise, state["calm"] or noise)
        if learnt < _LITTLE * margin:
            margin = _FARTHER * self.rise * _DIFFERENCE_TO_DEVIATION * (calm or noise)
        above = state["above"] + 1 if mean > best + margin else 0
        after = {
            "first": first,
            "best": best,
            "noise": noise,
            "noise_weight": noise_weight,
            "calm": calm,
            "mean": mean,
            "weight": weight,
            "recent": [*state["recent"], loss][-_RECENT:],
            "above": above,
            "spiking": 0,
        }
        if above < self.patience:
            return after, ()
        reason = Message(
            "the smoothed {metric:name} has been above {limit:number} for "
            "{n:count|observation|observations}, now {now:number}; its lowest was {lowest:number}",
            metric=self.metric,
            limit=best + margin,
            n=self.patience,
            now=mean,
            lowest=best,
        )
        return self._alarm(after, reason, since=self.patience - 1)

    def _alarm(
        self, state: Memory, reason: Message, since: int
    ) -> tuple[Memory, Sequence[Decision]]:
        # A driver that cannot go back only cuts the rate, and the guard goes on from this memory:
        # the loss may be anywhere, but its lowest and its noise are known.
        decision = Rewind(self.factor, reason, since=since, warmup=self.warmup, limit=self.limit)
        return {**state, **_UNSETTLED}, (decision,)


_UNSETTLED: Final[Memory] = {"mean": 0.0, "weight": 0.0, "recent": [], "above": 0, "spiking": 0}


def _robust(numbers: Sequence[float]) -> tuple[float, float]:
    """The median, and the deviation that the median absolute deviation stands for."""
    middle = median(numbers)
    return middle, NORMAL_PER_MAD * median(abs(number - middle) for number in numbers)
