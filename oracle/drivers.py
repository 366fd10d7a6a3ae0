"""How the peers' objects are asked for their rates."""

import importlib.util
import sys
from collections.abc import Callable, Mapping
from typing import Any

__all__ = ["from_optimizer", "from_values", "without_init"]


def without_init(package: str) -> None:
    """Let the modules of ``package`` be imported without its ``__init__``, which wants more."""
    spec = importlib.util.find_spec(package)
    assert spec, f"{package} is not installed"
    sys.modules[package] = importlib.util.module_from_spec(spec)


def from_values(call: str, names: Mapping[str, Any], count: int) -> list[float]:
    """For peers whose schedule is a function of the position."""
    schedule = eval(call, dict(names))
    return [float(schedule(t)) for t in range(count)]


def from_optimizer(
    call: str,
    names: Mapping[str, Any],
    count: int,
    base: float = 1.0,
    advance: Callable[[Any, int], Any] = lambda scheduler, _: scheduler.step(),
) -> list[float]:
    """For peers that write into a torch optimizer; the call names it ``optimizer``."""
    import torch

    parameter = torch.nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.SGD([parameter], lr=base)
    scheduler = eval(call, {**names, "optimizer": optimizer})
    rates: list[float] = []
    for t in range(count):
        rates.append(float(optimizer.param_groups[0]["lr"]))
        optimizer.step()
        advance(scheduler, t)
    return rates
