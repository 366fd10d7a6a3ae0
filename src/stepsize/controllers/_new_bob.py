"""``NewBob``: cut the rate when an evaluation is barely better than the one before."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from stepsize.checks import Range
from stepsize.controllers._metric import Memory, MetricRule
from stepsize.controllers._settings import check_count, check_number
from stepsize.messages import Message
from stepsize.renames import renamed_arguments
from stepsize.signals import Decision, Scale

__all__ = ["NewBob"]


@renamed_arguments(watches="metric")
@dataclass(frozen=True, kw_only=True, repr=False)
class NewBob(MetricRule):
    """Multiply the rate by ``factor`` when ``(before - now) / abs(before) < threshold``.

    The metric is compared with the observation before, not with the best. Equal to SpeechBrain's
    ``NewBobScheduler`` for positive metrics; that one divides by ``before`` itself, and so takes
    worse for better where it is negative, and has no mode for metrics of which more is better.

    Args:
        metric: The metric's name. An observation without it is passed over.
        mode: "min" or "max": which is better. May be left out for a plain name whose last word is
            "loss" or "accuracy".
        factor: What the rate is multiplied by, > 0 and < 1.
        threshold: The relative improvement that is enough. May be negative: so much worse is
            allowed.
        patience: How many observations with too little improvement pass before a cut. They need not
            come in a row.
        smoothing: The mean of this many last numbers is judged.
        non_finite: What NaN and infinity mean: "ignore", "worse" or "stop".

    Raises:
        InvalidType: A setting is of the wrong kind.
        InvalidValue: A setting is out of range, or ``mode`` is missing.

    >>> from stepsize.controllers import NewBob, replay
    >>> replay(NewBob(metric="val_loss"), {"val_loss": [10, 2, 2.5, 1]}).scale
    [1.0, 1.0, 0.5, 0.5]
    """

    factor: float = 0.5
    threshold: float = 0.0025
    patience: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        check_number(self, "factor", Range(above=0, below=1, remedy="0.5 halves the rate."))
        check_number(self, "threshold", Range(below=1, remedy="0.0025 is a quarter of a percent."))
        check_count(self, "patience", Range(minimum=0, remedy="It counts observations."))

    def _start(self) -> Memory:
        return {"before": None, "left": self.patience}

    def _judge(self, state: Memory, cost: float | None) -> tuple[Memory, Sequence[Decision]]:
        before, left = state["before"], state["left"]
        if before is None:
            return {"before": cost}, ()
        gain = self._gain(before, cost)
        now = before if cost is None else cost
        if gain >= self.threshold:
            return {"before": now}, ()
        if left > 0:
            return {"before": now, "left": left - 1}, ()
        reason = Message(
            "{metric:name} went from {before:number 6} to {now:number 6}, less than "
            "{least:percent} better",
            metric=self.metric,
            before=self._sign * before,
            now=math.nan if cost is None else self._sign * cost,
            least=self.threshold,
        )
        return {"before": now, "left": self.patience}, (Scale(self.factor, reason),)

    def _gain(self, before: float, cost: float | None) -> float:
        """The relative improvement; beside a value of 0 every other is infinitely far."""
        if cost is None:
            return -math.inf
        if before == 0:
            return math.copysign(math.inf, before - cost) if cost != before else 0.0
        return (before - cost) / abs(before)
