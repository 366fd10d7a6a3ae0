"""The rates that a peer's own code gives for its own configurations.

    python -m oracle.importer_rates timm < cases.json     # a JSON list of lists of rates

One process per peer: what is put in place of one peer's heavy parts would mislead others.
"""

import argparse
import importlib
import importlib.util
import json
import os
import sys
import types
from collections.abc import Callable, Mapping
from typing import Any, Final

__all__ = ["PEERS"]


def keras(config: Any, count: int, **_: Any) -> list[float]:
    os.environ["KERAS_BACKEND"] = "torch"
    import keras

    keras.config.set_floatx("float64")
    schedule = keras.optimizers.schedules.deserialize(config)
    return [float(schedule(t)) for t in range(count)]


def timm(config: Any, count: int, base: float, per_epoch: int) -> list[float]:
    _without_init("timm")
    from timm.scheduler.scheduler_factory import create_scheduler, create_scheduler_v2

    optimizer = _optimizer(base)
    if "epochs" in config:
        script = argparse.Namespace(**config)
        scheduler, _ = create_scheduler(script, optimizer, updates_per_epoch=per_epoch)
    else:
        scheduler, _ = create_scheduler_v2(optimizer, **config, updates_per_epoch=per_epoch)

    def after_update(done: int) -> None:
        scheduler.step_update(done)
        if done % per_epoch == 0:
            scheduler.step(done // per_epoch)

    return _driven(optimizer, count, after_update)


def mmengine(config: Any, count: int, base: float, per_epoch: int) -> list[float]:
    from mmengine.registry import PARAM_SCHEDULERS

    importlib.import_module("mmengine.optim.scheduler")  # registers them

    optimizer = _optimizer(base)
    defaults = {"optimizer": optimizer, "epoch_length": per_epoch}
    schedulers = [PARAM_SCHEDULERS.build(dict(each), default_args=defaults) for each in config]

    def after_update(done: int) -> None:
        for each in schedulers:
            if not each.by_epoch or done % per_epoch == 0:
                each.step()

    quantity = "momentum" if "Momentum" in config[0]["type"] else "lr"
    return _driven(optimizer, count, after_update, quantity)


def deepspeed(config: Any, count: int, base: float, **_: Any) -> list[float]:
    os.environ["DS_ACCELERATOR"] = "cpu"
    from deepspeed.runtime import lr_schedules

    optimizer = _optimizer(base, "AdamW")
    scheduler = getattr(lr_schedules, config["type"])(optimizer, **config["params"])
    return _driven(optimizer, count, lambda _: scheduler.step())


def megatron(config: Any, count: int, **_: Any) -> list[float]:
    from megatron.core.optimizer_param_scheduler import OptimizerParamScheduler

    group: dict[str, float] = {}
    batch = config.pop("global_batch_size")
    scheduler = OptimizerParamScheduler(
        types.SimpleNamespace(param_groups=[group]),
        start_wd=0.0,
        end_wd=0.0,
        wd_incr_steps=1,
        wd_incr_style="constant",
        **config,
    )
    rates: list[float] = []
    for _ in range(count):
        rates.append(group["lr"])
        scheduler.step(batch)
    return rates


PEERS: Final[Mapping[str, Callable[..., list[float]]]] = {
    "deepspeed": deepspeed,
    "keras": keras,
    "megatron": megatron,
    "mmengine": mmengine,
    "timm": timm,
}


def _without_init(package: str) -> None:
    """An empty package in place of one whose ``__init__`` imports more than its schedulers need."""
    if package in sys.modules:
        return
    spec = importlib.util.find_spec(package)
    assert spec is not None, f"{package} is not installed"
    shell = types.ModuleType(package)
    shell.__path__ = list(spec.submodule_search_locations or ())
    sys.modules[package] = shell


def _optimizer(base: float, kind: str = "SGD") -> Any:
    import torch

    parameter = torch.nn.Parameter(torch.zeros(1))
    settings = {"momentum": 0.9} if kind == "SGD" else {}
    return getattr(torch.optim, kind)([parameter], lr=base, **settings)


def _driven(
    optimizer: Any, count: int, after_update: Callable[[int], None], quantity: str = "lr"
) -> list[float]:
    rates: list[float] = []
    for t in range(count):
        group = optimizer.param_groups[0]
        rates.append([float(group["lr"]), float(group.get("momentum", 0))][quantity != "lr"])
        optimizer.step()
        after_update(t + 1)
    return rates


def main() -> None:
    rates = [PEERS[sys.argv[1]](**case) for case in json.load(sys.stdin)]
    json.dump(rates, sys.stdout)


if __name__ == "__main__":
    main()
