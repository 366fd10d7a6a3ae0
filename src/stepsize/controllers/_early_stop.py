"""``EarlyStop``: end the training when a metric has stopped improving."""

from collections.abc import Sequence
from dataclasses import dataclass

from stepsize.checks import Range
from stepsize.controllers._metric import ImprovementRule, Memory
from stepsize.controllers._settings import check_count
from stepsize.renames import renamed_arguments
from stepsize.signals import Decision, Stop

__all__ = ["EarlyStop"]


@renamed_arguments(watches="metric")
@dataclass(frozen=True, kw_only=True, repr=False)
class EarlyStop(ImprovementRule):
    """End the training when a metric has not improved for a while.

    Args:
        metric: The metric's name. An observation without it is passed over.
        mode: "min" or "max": which is better. May be left out for a plain name whose last word is
            "loss" or "accuracy".
        patience: How many observations in a row may pass without improvement.
        threshold: What counts as an improvement, >= 0.
        threshold_mode: "relative" to the best value so far, or "absolute".
        smoothing: The mean of this many last numbers is judged.
        non_finite: What NaN and infinity mean: "ignore", "worse" or "stop".

    Raises:
        InvalidType: A setting is of the wrong kind.
        InvalidValue: A setting is out of range, or ``mode`` is missing.

    >>> from stepsize.controllers import EarlyStop, replay
    >>> seen = replay(EarlyStop(metric="val_loss", patience=1), {"val_loss": [3, 2, 2, 2, 1]})
    >>> print(seen.positions[-1], seen.decisions[0][1].reason)
    3.0 val_loss (best: 2) has not improved for 2 observations
    """

    patience: int = 10
    threshold: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        check_count(self, "patience", Range(minimum=0, remedy="It counts observations."))

    def _start(self) -> Memory:
        return {"best": None, "bad": 0}

    def _judge(self, state: Memory, cost: float | None) -> tuple[Memory, Sequence[Decision]]:
        if self._improves(cost, state["best"]):
            return {"best": cost, "bad": 0}, ()
        bad = state["bad"] + 1
        if bad <= self.patience:
            return {"bad": bad}, ()
        return {"bad": bad}, (Stop(self._standing(state["best"], bad)),)
