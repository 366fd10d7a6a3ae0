"""``Greedy``: raise the rate while a metric improves, cut it when it does not."""

from collections.abc import Sequence
from dataclasses import dataclass

from stepsize.controllers._checks import check_count, check_number
from stepsize.controllers._metric import ImprovementRule, Memory
from stepsize.signals import Decision, Scale

__all__ = ["Greedy"]


@dataclass(frozen=True, kw_only=True, repr=False)
class Greedy(ImprovementRule):
    """Divide the rate by ``factor`` while a metric keeps improving, multiply by it where it stays.

    Equal to transformers' ``GreedyLR`` where the metric is positive and finite. There the bounds
    are rates, here multiples of what the schedule says; there the default threshold is absolute,
    here it is relative.

    Args:
        watches: The metric's name. An observation without it is none.
        mode: "min" or "max": which is better. May be left out for a plain name whose last word is
            "loss" or "accuracy".
        high: The most that the rate is raised to, a multiple >= 1 of what the schedule says. It has
            no default: how far a rate may rise is for the one who knows the training.
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
    >>> greedy = Greedy(watches="loss", high=2, factor=0.5, patience=1)
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
        check_number(self, "high", multiple, minimum=1)
        check_number(self, "low", multiple, above=0, maximum=1)
        check_number(self, "factor", "0.95 cuts by a twentieth.", above=0, below=1)
        for name in ("patience", "cooldown", "pause"):
            check_count(self, name, 0, "It counts observations.")
        if self.restart is not None:
            check_count(self, "restart", 1, "It counts cuts; None never starts anew.")

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
        times = "once" if state["good"] == 1 else f"{state['good']} times in a row"
        reason = f"{self._named(state['best'])} improved {times}"
        scale = min(state["scale"] / self.factor, self.high)
        after = {**state, "good": 0, "resting": self.pause, "at_low": 0, "scale": scale}
        return after, _change(state["scale"], scale, reason)

    def _cut(self, state: Memory) -> tuple[Memory, Sequence[Decision]]:
        reason = self._standing(state["best"], state["bad"])
        scale = max(state["scale"] * self.factor, self.low)
        at_low = state["at_low"] + (scale <= self.low)
        after = {**state, "bad": 0, "resting": self.cooldown, "at_low": at_low, "scale": scale}
        if at_low == self.restart:
            reason = f"{self.watches} has not improved in {at_low} cuts at {self.low:g}: start anew"
            scale = 1.0
            after = {**state, **self._start(), "resting": self.cooldown, "recent": list[float]()}
        return after, _change(state["scale"], scale, reason)


def _change(before: float, after: float, reason: str) -> Sequence[Decision]:
    return (Scale(after / before, reason),) if after != before else ()
