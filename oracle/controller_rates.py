"""The rates that a peer's own feedback rule leaves after each value of a metric.

    python -m oracle.controller_rates keras < cases.json     # a JSON list of lists of rates

One process per peer: what is put in place of one peer's heavy parts would mislead others.
"""

import json
import os
import sys
from collections.abc import Callable, Mapping
from functools import cache
from types import SimpleNamespace
from typing import Any, Final

from oracle.drivers import without_init
from oracle.isolation import absent

__all__ = ["PEERS"]


def torch(curve: list[float], base: float, **arguments: Any) -> list[float]:
    from torch.optim.lr_scheduler import ReduceLROnPlateau

    optimizer = _optimizer(base)
    scheduler = ReduceLROnPlateau(optimizer, **arguments)
    return [_rate_after(optimizer, scheduler.step, value) for value in curve]


def ignite(curve: list[float], base: float, **arguments: Any) -> list[float]:
    from ignite.handlers.param_scheduler import ReduceLROnPlateauScheduler

    optimizer = _optimizer(base)
    trainer = SimpleNamespace(state=SimpleNamespace(metrics={}, param_history={}))
    scheduler = ReduceLROnPlateauScheduler(optimizer, "m", trainer=trainer, **arguments)

    def evaluated(value: float) -> None:
        trainer.state.metrics["m"] = value
        scheduler(trainer)

    return [_rate_after(optimizer, evaluated, value) for value in curve]


def timm(curve: list[float], base: float, **arguments: Any) -> list[float]:
    without_init("timm")
    from timm.scheduler.plateau_lr import PlateauLRScheduler

    optimizer = _optimizer(base)
    scheduler = PlateauLRScheduler(optimizer, **arguments)
    rates: list[float] = []
    for epoch, value in enumerate(curve, start=1):
        scheduler.step(epoch, value)
        rates.append(optimizer.param_groups[0]["lr"])
    return rates


def transformers(curve: list[float], base: float, **arguments: Any) -> list[float]:
    from transformers.optimization import GreedyLR

    optimizer = _optimizer(base)
    scheduler = GreedyLR(optimizer, **arguments)
    return [_rate_after(optimizer, scheduler.step, value) for value in curve]


def keras(curve: list[float], base: float, **arguments: Any) -> list[float]:
    os.environ["KERAS_BACKEND"] = "torch"
    from keras.callbacks import ReduceLROnPlateau

    optimizer = SimpleNamespace(learning_rate=base)
    callback = ReduceLROnPlateau(monitor="m", **arguments)
    callback.set_model(SimpleNamespace(optimizer=optimizer))
    callback.on_train_begin()
    rates: list[float] = []
    for epoch, value in enumerate(curve):
        callback.on_epoch_end(epoch, {"m": value})
        rates.append(optimizer.learning_rate)
    return rates


def optax(curve: list[float], base: float, **arguments: Any) -> list[float]:
    import jax
    from optax.contrib import reduce_on_plateau

    jax.config.update("jax_enable_x64", True)
    rule = reduce_on_plateau(**arguments)
    ones = jax.numpy.ones((), dtype="float64")
    update, state = _compiled(tuple(arguments.items())), rule.init(ones)
    rates: list[float] = []
    for value in curve:
        scaled, state = update(ones, state, value=value)
        rates.append(base * float(scaled))
    return rates


@cache
def _compiled(arguments: tuple[tuple[str, Any], ...]) -> Callable[..., Any]:
    import jax
    from optax.contrib import reduce_on_plateau

    return jax.jit(reduce_on_plateau(**dict(arguments)).update)


def new_bob(curve: list[float], base: float, **arguments: Any) -> list[float]:
    scheduler = _speechbrain().NewBobScheduler(base, **arguments)
    return [scheduler(value)[1] for value in curve]


def speechbrain(curve: list[float], base: float, **arguments: Any) -> list[float]:
    optimizer = _optimizer(base)
    scheduler = _speechbrain().ReduceLROnPlateau(**arguments)
    rates: list[float] = []
    for epoch, value in enumerate(curve, start=1):
        _, rate = scheduler([optimizer], epoch, value)
        optimizer.param_groups[0]["lr"] = rate  # as the package's update_learning_rate does
        rates.append(rate)
    return rates


def _speechbrain() -> Any:
    if "speechbrain.nnet.schedulers" not in sys.modules:
        for package in ("speechbrain", "speechbrain.nnet"):
            without_init(package)
        absent("speechbrain.utils")
    from speechbrain.nnet import schedulers

    return schedulers


def _optimizer(base: float) -> Any:
    from torch import nn, optim, zeros

    return optim.SGD([nn.Parameter(zeros(1))], lr=base)


def _rate_after(optimizer: Any, step: Callable[[float], Any], value: float) -> float:
    step(value)
    return optimizer.param_groups[0]["lr"]


PEERS: Final[Mapping[str, Callable[..., list[float]]]] = {
    "ignite": ignite,
    "keras": keras,
    "new_bob": new_bob,
    "optax": optax,
    "speechbrain": speechbrain,
    "timm": timm,
    "torch": torch,
    "transformers": transformers,
}


def main() -> None:
    rates = PEERS[sys.argv[1]]
    json.dump([rates(**case) for case in json.load(sys.stdin)], sys.stdout)


if __name__ == "__main__":
    main()
