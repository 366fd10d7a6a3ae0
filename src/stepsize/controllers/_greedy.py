"""``Greedy``: raise the rate while a metric improves, cut it when it does not."""

from collections.abc import Sequence
from dataclasses import dataclass

from stepsize.checks import Range
from stepsize.controllers._metric import ImprovementRule, Memory
from stepsize.controllers._settings import check_count, check_number
from stepsize.messages import Message
from stepsize.renames import renamed_arguments
from stepsize.signals import Decision, Scale

__all__ = ["Greedy"]


@renamed_arguments(watches="metric")
@dataclass(frozen=True, kw_only=True, repr=False)
class Greedy(ImprovementRule):
    """Divide the rate by ``factor`` while a metric keeps improving, multiply by it where it stays.

    Equal to transformers' ``GreedyLR`` where the metric is positive and finite. There the bounds
    are rates, here multiples of what the schedule says; there the default threshold is absolute,
    here it is relative.

    Args:
        metric: The metric's name. An observation without it is passed over.
        mode: "min" or "max": which is better. May be left out for a plain name whose last word is
            "loss" or "accuracy".
        high: The most that the rate is raised to, a multiple >= 1 of what the schedule says. It has
            no default: how far a rate may rise depends on the training.
        low: The least that it is cut to, a multiple > 0 and <= 1.
        factor: One cut, > 0 and < 1; a rise is its inverse.
        patience: After more observations than this in a row with, or without, an improvement the
            rate changes.
        threshold: What counts as an improvement, >= 0.
        threshold_mode: "relative" to the best value so far, or "absolute".
        cooldown: How many observations after a cut are not looked at.
        pause: How many observations after a rise are not looked at.
        restart: After this many cuts in a row that end at ``low`` the rate, and the best value, are
            set back to the start. None: never.
        smoothing: The mean of this many last numbers is judged.
        non_finite: What NaN and infinity mean: "ignore", "worse" or "stop".

    Raises:
        InvalidType: A setting is of the wrong kind.
        InvalidValue: A setting is out of range, or ``mode`` is missing.

    Source: Subramanian et al. 2025, arXiv 2512.14527.

    >>> from stepsize.controllers import Greedy, replay
    >>> greedy = Greedy(metric="loss", high=2, factor=0.5, patience=1)
    >>> replay(greedy, {"loss": [4, 3, 2, 2, 2, 2]}).scale
    [1.0, 2.0, 2.0, 2.0, 1.0, 1.0]
    """

    high: float
    low: float = 0.01
    factor: float = 0.95
    patience: int = 10
    threshold: float = 1e-6
    cooldown: int = 0
    pause: int = 0
    restart: int | None = 500

    def __post_init__(self) -> None:
        super().__post_init__()
        multiple = "It is a multiple of what the schedule says."
        check_number(self, "high", Range(minimum=1, remedy=multiple))
        check_number(self, "low", Range(above=0, maximum=1, remedy=multiple))
        check_number(self, "factor", Range(above=0, below=1, remedy="0.95 cuts by a twentieth."))
        for name in ("patience", "cooldown", "pause"):
            check_count(self, name, Range(minimum=0, remedy="It counts observations."))
        if self.restart is not None:
            check_count(
                self, "restart", Range(minimum=1, remedy="It counts cuts; None never starts anew.")
            )

    def _start(self) -> Memory:
        return {"best": None, "good": 0, "bad": 0, "resting": 0, "at_low": 0, "scale": 1.0}

    def _judge(self, state: Memory, cost: float | None) -> tuple[Memory, Sequence[Decision]]:
        if state["resting"] > 0:
            return {"resting": state["resting"] - 1, "good": 0, "bad": 0}, ()
        best, good, bad = state["best"], state["good"], state["bad"]
        if self._improves(cost, best):
            best, good, bad = cost, good + 1, 0
        else:
            good, bad = 0, bad + 1
        seen = {**state, "best": best, "good": good, "bad": bad}
        if good > self.patience:
            return self._raised(seen)
        if bad > self.patience:
            return self._cut(seen)
        return seen, ()

    def _raised(self, state: Memory) -> tuple[Memory, Sequence[Decision]]:
        reason = Message(
            "{metric:message} improved in {n:count|observation|observations in a row}",
            metric=self._named(state["best"]),
            n=state["good"],
        )
        scale = min(state["scale"] / self.factor, self.high)
        after = {**state, "good": 0, "resting": self.pause, "at_low": 0, "scale": scale}
        return after, _change(state["scale"], scale, reason)

    def _cut(self, state: Memory) -> tuple[Memory, Sequence[Decision]]:
        reason = self._standing(state["best"], state["bad"])
        scale = max(state["scale"] * self.factor, self.low)
        at_low = state["at_low"] + (scale <= self.low)
        after = {**state, "bad": 0, "resting": self.cooldown, "at_low": at_low, "scale": scale}
        if at_low == self.restart:
            reason = Message(
                "{metric:name} has not improved in {n:count|cut|cuts} at {low:number}: start anew",
                metric=self.metric,
                n=at_low,
                low=self.low,
            )
            scale = 1.0
            after = {**state, **self._start(), "resting": self.cooldown, "recent": list[float]()}
        return after, _change(state["scale"], scale, reason)


def _change(before: float, after: float, reason: Message) -> Sequence[Decision]:
    return (Scale(after / before, reason),) if after != before else ()
