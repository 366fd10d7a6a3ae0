"""deepspeed.runtime.lr_schedules"""

import os
from typing import Any

from oracle.drivers import from_optimizer
from oracle.table import Pair, Peer

PEER = Peer("DS", "deepspeed", package="deepspeed")


def rates(call: str, count: int, base: float) -> list[float]:
    os.environ["DS_ACCELERATOR"] = "cpu"
    from deepspeed.runtime import lr_schedules

    if "cycle_max_mom" in call:
        return _momenta(call, vars(lr_schedules), count)
    return from_optimizer(call, vars(lr_schedules), count, base)


def _momenta(call: str, names: dict[str, Any], count: int) -> list[float]:
    import torch

    optimizer = torch.optim.Adam([torch.nn.Parameter(torch.zeros(1))])
    scheduler = eval(call, {**names, "optimizer": optimizer})
    momenta: list[float] = []
    for _ in range(count):
        momenta.append(optimizer.param_groups[0]["betas"][0])
        optimizer.step()
        scheduler.step()
    return momenta


LAGS = "The first rate is used twice: all positions count from the second update."
INCLUDES = "total_num_steps includes the warmup. " + LAGS
PEAK = "The values are rates; the peak is our base. "

PAIRS = (
    Pair(
        3,
        "WarmupDecayLR(optimizer, {n}, warmup_min_lr={a}, warmup_max_lr={b}, "
        'warmup_num_steps={w}, warmup_type="linear")',
        "Hold(1, {a / b}) >> Warmup({w}, start={a / b}) >> Linear({n - w}, end={a / b})",
        (
            {"n": 100, "a": 0.0, "b": 1.0, "w": 10},
            {"n": 31, "a": 1e-5, "b": 3e-4, "w": 3},
        ),
        difference=PEAK + "It ends where the warmup starts. " + INCLUDES,
        base="b",
    ),
    Pair(
        3,
        "WarmupDecayLR(optimizer, {n}, warmup_min_lr={a}, warmup_max_lr={b}, warmup_num_steps={w})",
        "Hold(1, {a / b}) >> LogWarmup({w - 1}, start={a / b}) >> Hold(1) >> "
        "Linear({n - w}, end={a / b})",
        (
            {"n": 100, "a": 0.0, "b": 1.0, "w": 10},
            {"n": 31, "a": 1e-5, "b": 3e-4, "w": 3},
        ),
        difference=PEAK
        + "The warmup, by default a logarithm, reaches the peak one step early. "
        + INCLUDES,
        base="b",
    ),
    Pair(
        9,
        "WarmupCosineLR(optimizer, {n}, warmup_min_ratio={a}, warmup_num_steps={w}, "
        'cos_min_ratio={e}, warmup_type="linear")',
        "Hold(1, 0) >> Warmup({w}, start={a}) >> Cosine({n - w}, end={e}).skip(1)",
        (
            {"n": 100, "a": 0.0, "w": 10, "e": 1e-4, "b": 1.0},
            {"n": 31, "a": 0.1, "w": 3, "e": 0.2, "b": 3e-4},
        ),
        difference="The first update is at rate 0; the cosine starts at its second value. "
        + INCLUDES,
        base="b",
    ),
    Pair(
        9,
        "WarmupCosineLR(optimizer, {n}, warmup_min_ratio={a}, warmup_num_steps={w}, "
        "cos_min_ratio={e})",
        "Hold(1, 0) >> LogWarmup({w - 1}, start={a}) >> Cosine({n - w}, end={e})",
        (
            {"n": 100, "a": 0.0, "w": 10, "e": 1e-4, "b": 1.0},
            {"n": 31, "a": 0.1, "w": 3, "e": 0.2, "b": 3e-4},
        ),
        difference="The first update is at rate 0; the warmup, by default a logarithm, reaches "
        "the peak one step early. " + INCLUDES,
        base="b",
    ),
    Pair(
        21,
        "OneCycle(optimizer, {a}, {a}, decay_lr_rate={k}, cycle_first_step_size={u}, "
        "decay_step_size={d})",
        "Hold({2 * u}) >> InversePower({d / k}, 1)",
        ({"a": 1e-3, "k": 0.5, "u": 1, "d": 10}, {"a": 0.1, "k": 3.0, "u": 4, "d": 7}),
        difference="The decay after the cycle.",
        base="a",
    ),
    Pair(
        63,
        "OneCycle(optimizer, {a}, {b}, decay_lr_rate={k}, cycle_first_step_size={u}, "
        "cycle_second_step_size={v}, decay_step_size={d})",
        "Triangular({u}, {v}, low={a / b}) >> InversePower({d / k}, 1) * {a / b}",
        (
            {"a": 0.1, "b": 1.0, "k": 0.5, "u": 20, "v": 20, "d": 10},
            {"a": 1e-5, "b": 3e-4, "k": 0.1, "u": 7, "v": 12, "d": 3},
        ),
        difference=PEAK + "Without decay_step_size the low value holds.",
        base="b",
    ),
    Pair(
        63,
        "OneCycle(optimizer, {a}, {b}, decay_lr_rate={k}, cycle_first_step_size={u}, "
        "cycle_second_step_size={v}, cycle_first_stair_count={i}, cycle_second_stair_count={j}, "
        "decay_step_size={d})",
        "Linear({u}, {a / b}, 1).staircase({u / i}) >> "
        "Linear({v}, 1, {a / b}).staircase({v / j}).skip({v / j - 0.5 / j}).until({v}) >> "
        "InversePower({d / k}, 1) * {a / b}",
        (
            {"a": 0.1, "b": 1.0, "k": 0.5, "u": 20, "v": 20, "i": 4, "j": 5, "d": 10},
            {"a": 1e-5, "b": 3e-4, "k": 0.1, "u": 7, "v": 12, "i": 3, "j": 5, "d": 3},
            {"a": 0.0, "b": 1.0, "k": 0.1, "u": 11, "v": 9, "i": 4, "j": 9, "d": 3},
        ),
        difference=PEAK + "A stair going down begins at once, one going up when it is reached.",
        base="b",
    ),
    Pair(
        63,
        "OneCycle(optimizer, 0.1, 1.0, cycle_min_mom={x}, cycle_max_mom={y}, "
        "decay_mom_rate={k}, cycle_first_step_size={u}, cycle_second_step_size={v}, "
        "decay_step_size={d})",
        "Hold(1, {x}) >> Triangular({u}, {v}, low={y}, high={x}).skip(1) >> "
        "Linear({m}, {y}, {y * (1 + k * m / d)})",
        (
            {"x": 0.85, "y": 0.99, "k": 0.001, "u": 20, "v": 20, "d": 10, "m": 90},
            {"x": 0.8, "y": 0.9, "k": 0.1, "u": 7, "v": 12, "d": 3, "m": 31},
        ),
        difference="The momentum, Adam's first beta. Its first value is the lowest, not the "
        "highest; its decay is a growth without end, m steps of it here.",
        count="u + v + m",
    ),
    Pair(
        71,
        'WarmupLR(optimizer, {a}, {b}, {w}, "linear")',
        "Hold(1, {a / b}) >> Warmup({w}, start={a / b})",
        ({"a": 0.0, "b": 1.0, "w": 10}, {"a": 1e-5, "b": 3e-4, "w": 37}),
        difference=PEAK + LAGS,
        base="b",
    ),
    Pair(
        78,
        "WarmupLR(optimizer, {a}, {b}, {w})",
        "Hold(1, {a / b}) >> LogWarmup({w - 1}, start={a / b})",
        ({"a": 0.0, "b": 1.0, "w": 10}, {"a": 1e-5, "b": 3e-4, "w": 37}),
        difference=PEAK + "The peak is reached one step early. " + LAGS,
        base="b",
    ),
)
