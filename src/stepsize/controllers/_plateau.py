"""``Plateau``: cut the rate when a metric has stopped improving."""

from collections.abc import Sequence
from dataclasses import dataclass

from stepsize.checks import Range
from stepsize.controllers._metric import ImprovementRule, Memory
from stepsize.controllers._settings import check_count, check_number
from stepsize.renames import renamed_arguments
from stepsize.signals import Decision, Scale

__all__ = ["Plateau"]


@renamed_arguments(watches="metric")
@dataclass(frozen=True, kw_only=True, repr=False)
class Plateau(ImprovementRule):
    """Multiply the rate by ``factor`` when a metric has not improved for a while.

    Equal to torch's ``ReduceLROnPlateau`` where the metric is positive and finite. Where it is
    negative, torch takes worse for better (a best of -1 has to be *passed upwards*); here the
    margin is ``threshold * abs(best)``. Keras counts differently: its ``patience`` p is p - 1 here,
    and its ``cooldown`` c > 0 is c - 1.

    Args:
        metric: The metric's name. An observation without it is passed over.
        mode: "min" or "max": which is better. May be left out for a plain name whose last word is
            "loss" or "accuracy".
        factor: What the rate is multiplied by, > 0 and < 1.
        patience: How many observations in a row may pass without improvement.
        threshold: What counts as an improvement, >= 0.
        threshold_mode: "relative" to the best value so far, or "absolute".
        cooldown: How many observations after a cut are not counted.
        floor: The least that all cuts together leave of the rate, a multiple of it.
        smoothing: The mean of this many last numbers is judged.
        non_finite: What NaN and infinity mean: "ignore", "worse" or "stop".

    Raises:
        InvalidType: A setting is of the wrong kind.
        InvalidValue: A setting is out of range, or ``mode`` is missing.

    >>> from stepsize.controllers import Plateau, replay
    >>> plateau = Plateau(metric="val_loss", factor=0.5, patience=1)
    >>> replay(plateau, {"val_loss": [3, 2, 2, 2, 1]}).scale
    [1.0, 1.0, 1.0, 0.5, 0.5]
    """

    factor: float = 0.1
    patience: int = 10
    cooldown: int = 0
    floor: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        check_number(self, "factor", Range(above=0, below=1, remedy="0.1 divides by ten."))
        check_count(self, "patience", Range(minimum=0, remedy="It counts observations."))
        check_count(self, "cooldown", Range(minimum=0, remedy="It counts observations."))
        check_number(
            self, "floor", Range(minimum=0, maximum=1, remedy="It is a multiple of the rate.")
        )

    def _start(self) -> Memory:
        return {"best": None, "bad": 0, "resting": 0, "scale": 1.0}

    def _judge(self, state: Memory, cost: float | None) -> tuple[Memory, Sequence[Decision]]:
        best, bad, resting, scale = (state[name] for name in ("best", "bad", "resting", "scale"))
        if self._improves(cost, best):
            best, bad = cost, 0
        else:
            bad += 1
        if resting > 0:
            resting, bad = resting - 1, 0
        decisions: list[Decision] = []
        if bad > self.patience:
            lower = max(scale * self.factor, self.floor)
            if lower < scale:
                decisions.append(Scale(lower / scale, self._standing(best, bad)))
            scale, resting, bad = lower, self.cooldown, 0
        return {"best": best, "bad": bad, "resting": resting, "scale": scale}, decisions
