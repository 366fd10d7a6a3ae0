"""mmengine.optim.scheduler: rates, and momenta by the same classes"""

import math
from dataclasses import replace

from oracle.table import Pair, Peer

PEER = Peer("MM", "mmengine", package="mmengine-lite")


def rates(call: str, count: int, base: float) -> list[float]:
    import torch
    from mmengine.optim import scheduler as of_mmengine

    parameter = torch.nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.SGD([parameter], lr=base, momentum=base)
    value = eval(call, {**vars(of_mmengine), "optimizer": optimizer})
    # A list, as in a config's param_scheduler: each one steps after each iteration.
    schedulers = value if isinstance(value, list) else [value]
    scheduled = schedulers[0].param_name
    seen: list[float] = []
    for _ in range(count):
        seen.append(float(optimizer.param_groups[0][scheduled]))
        optimizer.step()
        try:
            for scheduler in schedulers:
                scheduler.step()
        except (ValueError, ZeroDivisionError):
            # OneCycleLR past its end, LinearLR from 0: there is no rate.
            optimizer.param_groups[0][scheduled] = math.nan
    return seen


WINDOW = "end counts values, so the end is reached at end - 1."
ABSOLUTE_FLOOR = "eta_min is a rate, our end a multiple of the base rate."
RISES = "Past T_max it rises again."
EXTRA_STEP = "It allows one step more than total_steps, with a rising rate, and raises only then."
LENGTHS = (
    "total_steps counts values, so the last one is at total_steps - 1 and the peak at "
    "pct_start · total_steps - 1."
)

_OF_RATE_AND_MOMENTUM = (
    Pair(
        2,
        "ConstantLR(optimizer, factor={f}, begin=0, end={n}, by_epoch=False)",
        "Hold({n - 1}, {f}) >> Constant()",
        ({"n": 5, "f": 0.25}, {"n": 2, "f": 0.1}, {"n": 40, "f": 1.0}),
        difference="The base rate is back at end - 1.",
        count="2 * n",
    ),
    Pair(
        2,
        "ConstantLR(optimizer, factor={f}, begin=0, end=1, by_epoch=False)",
        "Constant()",
        ({"f": 0.25},),
        count="10",
        fault="In a window of one step the factor comes, and never goes.",
        agrees_until="0",
    ),
    Pair(
        3,
        "LinearLR(optimizer, start_factor={s}, end_factor={e}, begin=0, end={n}, by_epoch=False)",
        "Linear({n - 1}, start={s}, end={e})",
        (
            {"n": 5, "s": 1 / 3, "e": 1.0},
            {"n": 100, "s": 1.0, "e": 0.0},
            {"n": 2, "s": 0.7, "e": 0.2},
        ),
        difference=WINDOW,
    ),
    Pair(
        3,
        "LinearLR(optimizer, start_factor=0, end_factor={e}, begin=0, end={n}, by_epoch=False)",
        "Linear({n - 1}, start=0, end={e})",
        ({"n": 5, "e": 1.0},),
        fault="A start of 0 is accepted, and divided by at the next step.",
        agrees_until="1",
    ),
    Pair(
        4,
        "PolyLR(optimizer, power={p}, eta_min={e}, begin=0, end={n}, by_epoch=False)",
        "Polynomial({n - 1}, {p}, end={e / b})",
        (
            {"n": 100, "p": 2.0, "e": 0, "b": 1.0},
            {"n": 33, "p": 0.9, "e": 1e-5, "b": 3e-4},
        ),
        difference=f"{WINDOW} {ABSOLUTE_FLOOR}",
        base="b",
    ),
    Pair(
        9,
        "CosineAnnealingLR(optimizer, T_max={n}, eta_min={e}, by_epoch=False)",
        "Cosine({n}, end={e / b})",
        ({"n": 100, "e": 0, "b": 1.0}, {"n": 37, "e": 1e-5, "b": 3e-4}),
        difference=ABSOLUTE_FLOOR,
        base="b",
        fault=RISES,
        agrees_until="n + 1",
    ),
    Pair(
        9,
        "CosineAnnealingLR(optimizer, T_max={n}, eta_min_ratio={r}, by_epoch=False)",
        "Cosine({n}, end={r})",
        ({"n": 100, "r": 0.1, "b": 0.3}, {"n": 7, "r": 0.01, "b": 0.3}),
        base="b",
        fault=RISES,
        agrees_until="n + 1",
    ),
    Pair(
        9,
        "CosineAnnealingLR(optimizer, eta_min={e}, begin=0, end={n}, by_epoch=False)",
        "Cosine({n}, end={e}).until({n - 1})",
        ({"n": 100, "e": 0.01}, {"n": 7, "e": 0.1}),
        difference="With end and without T_max it stops one step above the floor, and stays there.",
    ),
    Pair(
        16,
        "ExponentialLR(optimizer, gamma={g}, by_epoch=False)",
        "Exponential({g})",
        ({"g": 0.95}, {"g": 0.5}),
    ),
    Pair(
        16,
        "ExponentialLR(optimizer, gamma={g}, begin={a}, end={z}, by_epoch=False)",
        "Hold({a}) >> Exponential({g}).until({z - a - 1})",
        ({"g": 0.95, "a": 5, "z": 30},),
        difference="begin and end are a Hold before and an end.",
    ),
    Pair(
        30,
        "StepLR(optimizer, step_size={k}, gamma={g}, by_epoch=False)",
        "Step({k}, {g})",
        ({"k": 30, "g": 0.1}, {"k": 1, "g": 0.97}, {"k": 7, "g": 0.5}),
    ),
    Pair(
        31,
        "MultiStepLR(optimizer, milestones={list(m)}, gamma={g}, by_epoch=False)",
        "MultiStep({dict.fromkeys(m, g)})",
        ({"m": (30, 80), "g": 0.1}, {"m": (1, 2, 250), "g": 0.5}),
        difference="A factor per position instead of one for all.",
    ),
    Pair(
        55,
        "CosineRestartLR(optimizer, periods=[{p}, {q}, {r}], restart_weights=[1, {v}, {w}], "
        "eta_min={e}, by_epoch=False)",
        "(Cosine({p}, end={e / b}) >> Cosine({q}, start={v}, end={e / b}) "
        ">> Cosine({r}, start={w}, end={e / b})).until({p + q + r - 1})",
        (
            {"p": 10, "q": 20, "r": 40, "v": 0.5, "w": 0.25, "e": 0, "b": 1.0},
            {"p": 7, "q": 3, "r": 12, "v": 1.5, "w": 0.3, "e": 1e-5, "b": 3e-4},
        ),
        difference="Past the last period it keeps that period's last value, one step above the "
        "floor.",
        base="b",
    ),
)

PAIRS = (
    *_OF_RATE_AND_MOMENTUM,
    *(replace(pair, call=pair.call.replace("LR(", "Momentum(")) for pair in _OF_RATE_AND_MOMENTUM),
    Pair(
        57,
        "CosineAnnealingLR(optimizer, T_max={n}, eta_min={e}, by_epoch=False)",
        "(Cosine({n}, end={e / b}) >> Cosine({n}, start={e / b}, end=1)).repeat()",
        ({"n": 100, "e": 0, "b": 1.0}, {"n": 7, "e": 0.1, "b": 1.0}),
        difference=ABSOLUTE_FLOOR,
        base="b",
    ),
    Pair(
        61,
        "OneCycleLR(optimizer, eta_max={b}, total_steps={n}, pct_start={p}, div_factor={d}, "
        "final_div_factor={f}, by_epoch=False)",
        "one_cycle({n - 1}, rise={(p * n - 1) / (n - 1)}, start={1 / d}, end={1 / d / f})",
        (
            {"n": 100, "p": 0.3, "d": 25.0, "f": 1e4, "b": 1.0},
            {"n": 37, "p": 0.3, "d": 10.0, "f": 100.0, "b": 3e-4},
        ),
        difference=LENGTHS + " The end is a part of the start, not of the peak.",
        base="b",
        count="n + 1",
        fault=EXTRA_STEP,
        agrees_until="n",
    ),
    Pair(
        61,
        "OneCycleLR(optimizer, eta_max={b}, total_steps={n}, pct_start={p}, "
        "anneal_strategy='linear', by_epoch=False)",
        "Linear({p * n - 1}, start=0.04, end=1) >> Linear({n - p * n}, end=4e-06)",
        ({"n": 100, "p": 0.3, "b": 1.0}, {"n": 37, "p": 0.25, "b": 3e-4}),
        difference=LENGTHS,
        base="b",
        count="n + 1",
        fault="It allows one step more than total_steps, with a negative rate.",
        agrees_until="n",
    ),
    Pair(
        62,
        "OneCycleLR(optimizer, eta_max={b}, total_steps={n}, pct_start={p}, three_phase=True, "
        "by_epoch=False)",
        "Cosine({p * n - 1}, start=0.04, end=1) >> Cosine({p * n - 1}, end=0.04) "
        ">> Cosine({n + 1 - 2 * p * n}, start=0.04, end=4e-06)",
        ({"n": 100, "p": 0.3, "b": 1.0}, {"n": 37, "p": 0.4, "b": 3e-4}),
        difference=LENGTHS,
        base="b",
        count="n + 1",
        fault=EXTRA_STEP,
        agrees_until="n",
    ),
    Pair(
        71,
        "LinearLR(optimizer, start_factor={s}, begin=0, end={w}, by_epoch=False)",
        "Warmup({w - 1}, start={s})",
        ({"w": 5, "s": 1 / 3}, {"w": 100, "s": 1e-3}),
        difference=WINDOW,
    ),
    Pair(
        71,
        "[LinearLR(optimizer, start_factor={s}, begin=0, end={w}, by_epoch=False), "
        "CosineAnnealingLR(optimizer, T_max={n}, eta_min={e}, begin={w}, end={w + n}, "
        "by_epoch=False)]",
        "Warmup({w - 1}, start={s}) >> Hold(1) >> Cosine({n}, end={e / b}).until({n - 1})",
        (
            {"w": 5, "n": 40, "s": 0.1, "e": 0, "b": 1.0},
            {"w": 17, "n": 83, "s": 1e-3, "e": 1e-5, "b": 3e-4},
        ),
        difference="The peak is there twice, at end - 1 of the warmup and at begin of the cosine, "
        "and the floor is missed by one step.",
        base="b",
    ),
    Pair(
        71,
        "[LinearLR(optimizer, start_factor={s}, begin=0, end={w}, by_epoch=False), "
        "StepLR(optimizer, step_size={k}, gamma={g}, by_epoch=False)]",
        "Warmup({w - 1}, start={s}) * Step({k}, {g})",
        ({"w": 10, "s": 0.1, "k": 4, "g": 0.5},),
        difference="Overlapping windows multiply, as our product does.",
        count="100",
    ),
    Pair(
        73,
        "[ConstantLR(optimizer, factor={f}, begin=0, end={w}, by_epoch=False), "
        "ExponentialLR(optimizer, gamma={g}, begin={w}, by_epoch=False)]",
        "Hold({w - 1}, {f}) >> Hold(1) >> Exponential({g})",
        ({"w": 5, "f": 0.1, "g": 0.95}, {"w": 31, "f": 1 / 3, "g": 0.99}),
        difference="The base rate is back at end - 1, so the peak is there twice.",
    ),
)
