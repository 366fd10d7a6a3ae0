"""axolotl.utils.schedulers"""

from functools import cache
from typing import Any

from oracle.drivers import from_optimizer, without_init
from oracle.table import Pair, Peer

PEER = Peer("AX", "axolotl", package="axolotl")


@cache
def _names() -> dict[str, Any]:
    for package in ("axolotl", "axolotl.utils"):
        without_init(package)
    from axolotl.utils import schedulers

    return vars(schedulers)


def rates(call: str, count: int, base: float) -> list[float]:
    return from_optimizer(call, _names(), count, base)


_INCLUDES = "The number of training steps includes the warmup."
_RISES = "Past the end it rises again."

PAIRS = (
    Pair(
        9,
        "get_cosine_schedule_with_min_lr(optimizer, {w}, {n}, min_lr_ratio={e})",
        "Warmup({w}) >> Cosine({n - w}, end={e})",
        ({"w": 3, "n": 20, "e": 0}, {"w": 0, "n": 17, "e": 0.1}),
        difference=f"{_INCLUDES} min_lr_ratio is a multiple.",
        fault=_RISES,
        agrees_until="n + 1",
    ),
    Pair(
        9,
        "get_cosine_schedule_with_quadratic_warmup(optimizer, {w}, {n})",
        "Power({w}, 2, 0, 1) >> Cosine({n - w})",
        ({"w": 3, "n": 20}, {"w": 5, "n": 17}),
        difference=_INCLUDES,
        fault=_RISES,
        agrees_until="n + 1",
    ),
    Pair(
        12,
        "get_cosine_schedule_with_quadratic_warmup(optimizer, {w}, {n}, num_cycles={c})",
        "Power({w}, 2, 0, 1) >> warmup_cosine({n - w}, num_cycles={c})",
        ({"w": 3, "n": 43, "c": 1.5}, {"w": 0, "n": 40, "c": 2.25}),
        difference=_INCLUDES,
        fault="Past the end the wave goes on.",
        agrees_until="n + 1",
    ),
    Pair(
        14,
        "get_cosine_schedule_with_warmup_decay_constant(optimizer, {w}, {n}, "
        "constant_lr_ratio={r}, min_lr_ratio={e})",
        "Warmup({w}) >> Cosine({int(n * r) - w}, end={e})",
        ({"w": 5, "n": 50, "r": 0.8, "e": 0.1}, {"w": 3, "n": 37, "r": 0.55, "e": 0}),
        difference="constant_lr_ratio is the part of the run, warmup included, before the floor.",
        count="2 * n",
    ),
    Pair(
        19,
        "InterpolatingLogScheduler(optimizer, {n}, min_lr={a}, max_lr={b})",
        "Hold(1, {a}) >> Exponential({b / a}, {n - 1}).until({n - 1}) * {a}",
        ({"n": 20, "a": 1e-3, "b": 1}, {"n": 7, "a": 0.5, "b": 2}),
        difference="Whatever the base rate. The lowest rate stays for two positions; the range is "
        "of n - 1 steps.",
    ),
    Pair(
        38,
        "RexLR(optimizer, max_lr=1.0, min_lr={e}, total_steps={n}, num_warmup_steps={w})",
        "(Warmup({w}) >> Rex({n - w}, 0.9, end={e})).skip(1)",
        ({"w": 3, "n": 20, "e": 0}, {"w": 0, "n": 17, "e": 0.1}),
        difference="Counts from 1; total_steps includes the warmup; min_lr is a rate.",
    ),
    Pair(
        58,
        "JaggedLRRestartScheduler(optimizer, get_cosine_schedule_with_warmup_decay_constant("
        "optimizer, {w0}, {n}, 1.0, {e}), jagged_restart_steps={r}, "
        "jagged_restart_warmup_steps={w}, jagged_restart_anneal_steps={a}, min_lr_scale={m})",
        "((Warmup({w0}) >> Cosine({n - w0}, end={e})) * (Hold({r - a}) >> Linear({a}, 1, {m}) >> "
        "(Linear({w}, {m}, 1) >> Hold({r - w - a}) >> Linear({a}, 1, {m})).repeat())).skip(1)",
        (
            {"w0": 5, "n": 60, "e": 0.1, "r": 15, "w": 5, "a": 3, "m": 0.001},
            {"w0": 0, "n": 50, "e": 0, "r": 11, "w": 4, "a": 1, "m": 0.1},
        ),
        difference="Counts from 1. The first period has no restart warmup.",
        count="3 * n",
    ),
    Pair(
        76,
        "get_cosine_schedule_with_quadratic_warmup(optimizer, {w}, 10**9)",
        "Power({w}, 2, 0, 1)",
        ({"w": 9}, {"w": 4}),
        difference="The warmup alone.",
        count="w + 1",
    ),
)
