"""The configurations of the saved runs, one function each, as today's code spells them.

The saved files keep the spelling of version 0.1.0. Where an argument or a class is renamed, rename
it here and nowhere else: that the old text still belongs to the new object is what is tested.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from stepsize import Scale
from stepsize.controllers import (
    After,
    EarlyStop,
    GradientNorm,
    Greedy,
    Guard,
    NewBob,
    Plateau,
    Primed,
    When,
    Within,
)
from stepsize.signals import Controller, Observation

__all__ = ["CONTROLLERS"]


def plateau() -> Controller:
    return Plateau(metric="val_loss", factor=0.5, patience=1)


def plateau_in_full() -> Controller:
    return Plateau(
        metric="score",
        mode="max",
        smoothing=2,
        non_finite="worse",
        threshold=0.01,
        threshold_mode="absolute",
        factor=0.3,
        patience=2,
        cooldown=1,
        floor=0.05,
    )


def greedy() -> Controller:
    return Greedy(metric="loss", high=2, low=0.125, factor=0.5, patience=2)


def greedy_in_full() -> Controller:
    return Greedy(
        metric="score",
        mode="max",
        smoothing=3,
        non_finite="worse",
        threshold=0.02,
        threshold_mode="absolute",
        high=4.0,
        low=0.1,
        factor=0.6,
        patience=1,
        cooldown=1,
        pause=2,
        restart=3,
    )


def new_bob() -> Controller:
    return NewBob(metric="val_loss")


def new_bob_in_full() -> Controller:
    return NewBob(
        metric="score",
        mode="max",
        smoothing=2,
        non_finite="worse",
        factor=0.7,
        threshold=0.01,
        patience=2,
    )


def early_stop() -> Controller:
    return EarlyStop(metric="val_loss", patience=8)


def early_stop_in_full() -> Controller:
    return EarlyStop(
        metric="score",
        mode="max",
        smoothing=2,
        non_finite="worse",
        threshold=0.01,
        threshold_mode="absolute",
        patience=4,
    )


def gradient_norm() -> Controller:
    return GradientNorm(warmup=5)


def gradient_norm_in_full() -> Controller:
    return GradientNorm(metric="norm", threshold=1.5, ceiling=2.5, memory=0.9, warmup=6)


def guard() -> Controller:
    return Guard()


def guard_in_full() -> Controller:
    return Guard(
        metric="train_loss",
        finite=["norm"],
        rise=1.5,
        patience=6,
        spike=5.0,
        spike_patience=2,
        factor=0.25,
        warmup=4,
        limit=3,
    )


def after() -> Controller:
    return After(30, plateau())


def within() -> Controller:
    return Within(0.2, 1.5, greedy())


def is_fitted(seen: Observation) -> bool:
    return seen.metrics["loss"] < 2


def when() -> Controller:
    return When(is_fitted, plateau())


def experienced() -> Controller:
    return Primed(early_stop(), [2.9, 1.5, 1.25], metric="val_loss")


def experienced_guard() -> Controller:
    return Primed(guard(), [4.0, 3.5, 3.6, 3.4])


def nested() -> Controller:
    return Within(0.1, 2, After(10, When(is_fitted, Primed(greedy(), [3.0, 2.75]))))


class Alternating:
    """A controller of the user's own, without a text: halves and doubles in turn."""

    def init(self) -> dict[str, Any]:
        return {"seen": 0}

    def observe(
        self, state: Mapping[str, Any], observation: Observation, /
    ) -> tuple[Mapping[str, Any], Sequence[Scale]]:
        seen = state["seen"] + 1
        return {"seen": seen}, (Scale(0.5 if seen % 2 else 2.0, "by turns"),)


def _alone(build: Callable[[], Controller]) -> Callable[[], Sequence[Controller]]:
    return lambda: [build()]


CONTROLLERS: Mapping[str, Callable[[], Sequence[Controller]]] = {
    "none": list,
    "plateau": _alone(plateau),
    "plateau_in_full": _alone(plateau_in_full),
    "greedy": _alone(greedy),
    "greedy_in_full": _alone(greedy_in_full),
    "new_bob": _alone(new_bob),
    "new_bob_in_full": _alone(new_bob_in_full),
    "early_stop": _alone(early_stop),
    "early_stop_in_full": _alone(early_stop_in_full),
    "gradient_norm": _alone(gradient_norm),
    "gradient_norm_in_full": _alone(gradient_norm_in_full),
    "guard": _alone(guard),
    "guard_in_full": _alone(guard_in_full),
    "after": _alone(after),
    "within": _alone(within),
    "when": _alone(when),
    "experienced": _alone(experienced),
    "experienced_guard": _alone(experienced_guard),
    "nested": _alone(nested),
    "own": _alone(Alternating),
    "several": lambda: [guard(), plateau(), within(), gradient_norm(), early_stop()],
    "alike": lambda: [plateau(), plateau(), new_bob()],
}
"""By name, the controllers of one policy."""
