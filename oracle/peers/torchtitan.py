"""torchtitan.components.optimizer.lr_scheduler"""

from functools import cache
from typing import Any

from oracle.drivers import from_optimizer, without_init
from oracle.isolation import absent
from oracle.table import Pair, Peer

PEER = Peer("TT", "torchtitan", package="torchtitan")


@cache
def _names() -> dict[str, Any]:
    for package in ("torchtitan", "torchtitan.components", "torchtitan.components.optimizer"):
        without_init(package)
    absent("torchtitan.components.optimizer.optimizer", "torchtitan.tools", "tyro")
    from torchtitan.components.optimizer import lr_scheduler

    return vars(lr_scheduler)


def rates(call: str, count: int, base: float) -> list[float]:
    return from_optimizer(call, _names(), count, base)


_FALLS = ({"w": 3, "n": 20, "e": 0}, {"w": 1, "n": 17, "e": 0.1})
_PLANS = ({"w": 3, "n": 30, "r": 0.2, "e": 0}, {"w": 5, "n": 40, "r": 0.61, "e": 0.1})
_INCLUDES = "training_steps includes the warmup; the warmup is at its peak at position w - 1."


def _config(decay: str, ratio: str = "") -> str:
    return (
        f"LRSchedulersContainer.Config(warmup_steps={{w}}, {ratio}"
        f'decay_type="{decay}", min_lr_factor={{e}})'
        ".build(optimizers=[optimizer], training_steps={n})"
    )


def _fall(row: int, decay: str, ours: str, fault: str) -> Pair:
    return Pair(
        row,
        _config(decay),
        f"Warmup({{w}}).skip(1) >> Hold(1) >> {ours}",
        _FALLS,
        difference=_INCLUDES,
        fault=fault,
        agrees_until="n + 1",
    )


def _plan(row: int, decay: str, ours: str, fault: str) -> Pair:
    return Pair(
        row,
        _config(decay, "decay_ratio={r}, "),
        f"Warmup({{w}}).skip(1) >> Hold({{n - w - round(n * r) + 1}}) >> {ours}",
        _PLANS,
        difference=f"{_INCLUDES} The decay is a part of training_steps.",
        fault=fault,
        agrees_until="n + 1",
    )


_BELOW = "Past the end it falls on, below 0."
_RISES = "Past the end it rises again."

PAIRS = (
    _fall(3, "linear", "Linear({n - w}, end={e})", _BELOW),
    _fall(5, "sqrt", "Power({n - w}, 0.5, end={e})", _BELOW),
    _fall(9, "cosine", "Cosine({n - w}, end={e})", _RISES),
    _plan(66, "linear", "Linear({round(n * r)}, end={e})", _BELOW),
    _plan(67, "sqrt", "Power({round(n * r)}, 0.5, end={e})", _BELOW),
    _plan(67, "cosine", "Cosine({round(n * r)}, end={e})", _RISES),
    Pair(
        72,
        "LRSchedulersContainer.Config(warmup_steps={w}).build(optimizers=[optimizer], "
        "training_steps=10**9)",
        "Warmup({w}).skip(1)",
        ({"w": 9}, {"w": 1}),
        difference="The same numbers.",
        count="w",
    ),
)
