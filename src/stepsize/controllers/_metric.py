"""What the rules over a metric share: which way is better, smoothing, non-finite values."""

import math
import re
import warnings
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final, Literal, TypeAlias

from stepsize.checks import Range
from stepsize.controllers._settings import (
    Configured,
    check_choice,
    check_count,
    check_name,
    check_number,
)
from stepsize.errors import InvalidValue, StepsizeWarning
from stepsize.messages import Message
from stepsize.signals import Decision, Observation, Stop

__all__ = ["ImprovementRule", "MetricRule"]

Mode: TypeAlias = Literal["min", "max"]
Memory: TypeAlias = Mapping[str, Any]
"""A controller's state: numbers, strings, lists and dictionaries, so that it can be saved."""

_MODES: Final[Mapping[str, Mode]] = {"loss": "min", "accuracy": "max"}


@dataclass(frozen=True, kw_only=True, repr=False)
class MetricRule(Configured, ABC):
    """A controller that follows one metric. The rules over a metric derive from it.

    Args:
        metric: The metric's name. An observation without it is passed over.
        mode: "min" or "max": which is better. May be left out where the name's last word is "loss"
            or "accuracy" and it is made of letters, digits, "_", "/", "." and spaces, such as
            "eval/val_loss"; every other name needs it: "-loss" may be the negative of one.
        smoothing: The mean of this many last numbers is judged; 1: each number itself.
        non_finite: What NaN and infinity mean. "ignore": passed over, with a warning at the
            first; "worse": an observation without improvement; "stop": the end of the training.
    """

    metric: str
    mode: Mode | None = None
    smoothing: int = 1
    non_finite: Literal["ignore", "worse", "stop"] = "ignore"

    def __post_init__(self) -> None:
        check_name(self, "metric")
        check_count(
            self, "smoothing", Range(minimum=1, remedy="It counts observations; 1 smooths nothing.")
        )
        check_choice(self, "non_finite", "ignore", "worse", "stop")
        if self.mode is not None:
            check_choice(self, "mode", "min", "max")
        elif _mode_of(self.metric) is None:
            raise InvalidValue(
                repr(self),
                "{mode} must be 'min' or 'max' unless the metric's name is plain words of which "
                "the last is 'loss' or 'accuracy'",
                f"is {self.mode!r} and the name is {self.metric!r}",
                "Say which is better: mode='min' or mode='max'.",
                "mode",
            )

    @cached_property
    def _sign(self) -> int:
        return 1 if (self.mode or _mode_of(self.metric)) == "min" else -1

    def init(self) -> dict[str, Any]:
        """The memory before the first observation."""
        return {"recent": [], "warned": False, **self._start()}

    def observe(
        self, state: Memory, observation: Observation, /
    ) -> tuple[Memory, Sequence[Decision]]:
        """The memory after ``observation``, and what to do."""
        value = observation.metrics.get(self.metric)
        if value is None:
            return state, ()
        if math.isfinite(value):
            recent = [*state["recent"], float(value)][-self.smoothing :]
            seen = {**state, "recent": recent}
            changes, decisions = self._judge(seen, self._sign * sum(recent) / len(recent))
            return {**seen, **changes}, decisions
        if self.non_finite == "stop":
            return state, (
                Stop(Message("{metric:name} is {value:number}", metric=self.metric, value=value)),
            )
        if self.non_finite == "worse":
            changes, decisions = self._judge(state, None)
            return {**state, **changes}, decisions
        if not state["warned"]:
            warnings.warn(
                f"{self!r}: {self.metric} is {value}, and was passed over, as it will be again. "
                "Guard() acts on it; here non_finite='worse' or 'stop' does.",
                StepsizeWarning,
                stacklevel=2,
            )
        return {**state, "warned": True}, ()

    @abstractmethod
    def _start(self) -> Memory:
        """What is remembered besides what all rules over a metric remember."""

    @abstractmethod
    def _judge(self, state: Memory, cost: float | None) -> tuple[Memory, Sequence[Decision]]:
        """What changes in the memory, and what to do, at ``cost``; None is worse than any number.

        The cost is the metric where less is better, and its negative where more is.
        """


@dataclass(frozen=True, kw_only=True, repr=False)
class ImprovementRule(MetricRule):
    """A rule that asks whether a metric is better than it has ever been.

    It is if it passes its best value by more than a margin, ``threshold * abs(best)`` or
    ``threshold`` itself: a metric and its negative, with the other mode, are judged alike.

    Args:
        threshold: What counts as an improvement, >= 0.
        threshold_mode: "relative" to the best value, or "absolute".
    """

    threshold: float = 1e-4
    threshold_mode: Literal["relative", "absolute"] = "relative"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_number(self, "threshold", Range(minimum=0, remedy="0 counts every improvement."))
        check_choice(self, "threshold_mode", "relative", "absolute")

    def _improves(self, cost: float | None, best: float | None) -> bool:
        if cost is None or best is None:
            return cost is not None
        if self.threshold_mode == "absolute":
            return cost < best - self.threshold
        # Not best - threshold * abs(best): torch multiplies, and this rounds as torch does.
        return cost < best * (1 - math.copysign(self.threshold, best))

    def _standing(self, best: float | None, count: int) -> Message:
        """The reason of a decision: no improvement for ``count`` observations."""
        return Message(
            "{metric:message} has not improved for {n:count|observation|observations}",
            metric=self._named(best),
            n=count,
        )

    def _named(self, best: float | None) -> Message:
        """The metric and its best value."""
        if best is None:
            return Message("{metric:name}", metric=self.metric)
        return Message(
            "{metric:name} (best: {best:number 6})", metric=self.metric, best=self._sign * best
        )


def _mode_of(name: str) -> Mode | None:
    """Which is better, where the name leaves no doubt."""
    if not re.fullmatch(r"[\w/. ]+", name):  # "1-accuracy" is a formula
        return None
    words = re.findall(r"[a-z]+", name.lower())
    # neg_log_loss and minus_loss are maximised.
    if not words or any(word.startswith(("neg", "minus")) for word in words):
        return None
    return _MODES.get(words[-1])
