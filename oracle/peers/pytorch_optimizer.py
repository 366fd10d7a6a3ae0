"""pytorch_optimizer.lr_scheduler"""

import math
from typing import Any

from oracle.drivers import from_optimizer
from oracle.table import Pair, Peer

PEER = Peer("PO", "pytorch-optimizer", package="pytorch-optimizer")


def rates(call: str, count: int, base: float) -> list[float]:
    from pytorch_optimizer import lr_scheduler

    if not call.startswith("ProportionScheduler"):
        return from_optimizer(call, vars(lr_scheduler), count, base)

    values: list[float] = []

    def advance(scheduler: Any, _: int) -> None:
        values.append(scheduler.get_lr())
        scheduler.lr_scheduler.step()
        scheduler.step()

    from_optimizer(call, vars(lr_scheduler), count, base, advance)
    return values


def chebyshev_rows(count: int) -> list[list[float]]:
    """The rows of a ``Table``: reciprocal Chebyshev nodes of [0.05, 1] in the fractal order."""
    order = [0]
    while len(order) < count:
        order = [each for i in order for each in (i, 2 * len(order) - 1 - i)]
    values = [1 / (0.525 - 0.475 * math.cos(math.pi * (i + 0.5) / count)) for i in order]
    return [[3, values[0]], *([1, value] for value in values[1:])]


LAGS = (
    "t_max includes the warmup. Stepped after the update, as torch's, it lags by one: the first "
    "update is at min_lr."
)
JUMPS_UP = "The cooldown runs to 0 and only then jumps to min_lr_ratio."
OWN_RATES = "max_lr and min_lr are rates; the optimizer's own is overwritten."

PAIRS = (
    Pair(
        2,
        "ConstantLR(optimizer, factor={f}, total_iters={n})",
        "Hold({n}, {f}) >> Constant()",
        ({"n": 5, "f": 0.25}, {"n": 1, "f": 0.1}),
        count="20",
    ),
    Pair(
        3,
        "LinearScheduler(optimizer, t_max={n}, max_lr={b}, min_lr={e}, init_lr={a}, "
        "warmup_steps={w})",
        "Hold(1, {e / b}) >> Warmup({w}, start={a / b}) >> Linear({n - w}, end={e / b})",
        (
            {"n": 100, "b": 1.0, "e": 0.0, "a": 0.0, "w": 10},
            {"n": 31, "b": 3e-4, "e": 1e-5, "a": 1e-6, "w": 3},
        ),
        difference=LAGS,
        base="b",
        fault="Past the end it goes on falling, to negative rates.",
        agrees_until="n + 2",
    ),
    Pair(
        5,
        "get_wsd_schedule(optimizer, 0, 0, {d})",
        "Power({d}, 0.5)",
        ({"d": 40}, {"d": 7}),
    ),
    Pair(
        5,
        'get_wsd_schedule(optimizer, 0, 0, {d}, cooldown_type="1-square")',
        "Power({d}, 2)",
        ({"d": 40}, {"d": 7}),
    ),
    Pair(
        9,
        "CosineScheduler(optimizer, t_max={n}, max_lr={b}, min_lr={e}, init_lr={a}, "
        "warmup_steps={w})",
        "Hold(1, {e / b}) >> Warmup({w}, start={a / b}) >> Cosine({n - w}, end={e / b})",
        (
            {"n": 100, "b": 1.0, "e": 0.0, "a": 0.0, "w": 10},
            {"n": 31, "b": 3e-4, "e": 1e-5, "a": 1e-6, "w": 3},
        ),
        difference=LAGS,
        base="b",
        fault="Past the end it rises again.",
        agrees_until="n + 2",
    ),
    Pair(
        12,
        'get_wsd_schedule(optimizer, {w}, {s}, {d}, cooldown_type="cosine", num_cycles={c}, '
        "min_lr_ratio={e})",
        "Warmup({w}) >> Hold({s}) >> warmup_cosine({d}, end={e}, num_cycles={c}) >> Constant({e})",
        (
            {"w": 10, "s": 20, "d": 30, "c": 1.5, "e": 0},
            {"w": 3, "s": 5, "d": 41, "c": 2, "e": 0.1},
        ),
        difference="Whatever the wave ends at, the floor follows.",
        count="2 * (w + s + d)",
    ),
    Pair(
        30,
        "StepLR(optimizer, step_size={k}, gamma={g})",
        "Step({k}, {g})",
        ({"k": 30, "g": 0.1}, {"k": 1, "g": 0.97}),
    ),
    Pair(
        31,
        "MultiStepLR(optimizer, milestones=[{i}, {j}], gamma={g})",
        "MultiStep({dict.fromkeys([i, j], g)})",
        ({"i": 30, "j": 80, "g": 0.1}, {"i": 1, "j": 4, "g": 0.3}),
    ),
    Pair(
        38,
        "REXScheduler(optimizer, total_steps={n}, max_lr={b}, min_lr={e})",
        "Hold(1, {e / b}) >> Rex({n}, end={e / b}).skip(1)",
        ({"n": 100, "b": 1.0, "e": 0.0}, {"n": 33, "b": 3e-4, "e": 1e-5}),
        difference="The first update is at min_lr, then it goes on at 1/n. " + OWN_RATES,
        base="b",
    ),
    Pair(
        41,
        "get_chebyshev_schedule(optimizer, num_epochs={n})",
        "Table({rows})",
        ({"n": 10, "rows": chebyshev_rows(16)}, {"n": 33, "rows": chebyshev_rows(64)}),
        difference="1 / (0.525 - 0.475 cos(pi (i + 0.5) / m)), m = num_epochs rounded up to a "
        "power of two, in the order 0 m-1 m/2-1 m/2 ...; the first value lasts three steps.",
    ),
    Pair(
        45,
        "MultiplicativeLR(optimizer, lambda t: {g})",
        "Exponential({g})",
        ({"g": 0.95}, {"g": 1.01}),
    ),
    Pair(
        45,
        "MultiplicativeLR(optimizer, lambda t: t / (t + 1))",
        "InversePower(1, 1)",
        ({},),
        difference="A product of the values so far; for other functions, Function or Table.",
    ),
    Pair(
        47,
        "ProportionScheduler(CosineAnnealingLR(optimizer, {n}, eta_min={e}), max_lr=1, "
        "min_lr={e}, max_value={y}, min_value={x})",
        "Cosine({n}) * {y - x} + {x}",
        (
            {"n": 50, "e": 0.0, "x": 0.02, "y": 0.3},
            {"n": 31, "e": 0.1, "x": 2.0, "y": 0.5},
        ),
        difference="The other quantity is computed from the rate at every step.",
        count="n + 1",
    ),
    Pair(
        50,
        "PolyScheduler(optimizer, poly_order={p}, t_max={n}, max_lr={b}, min_lr={e}, "
        "warmup_steps={w})",
        "Hold(1, {e / b}) >> Warmup({w}) >> Polynomial({n - w}, {p}, end={e / b})",
        (
            {"p": 0.5, "n": 100, "b": 1.0, "e": 0.0, "w": 10},
            {"p": 2.0, "n": 31, "b": 3e-4, "e": 1e-5, "w": 3},
        ),
        difference=LAGS,
        base="b",
        fault="After the warmup it grows as (t - w)^p, without end, instead of falling.",
        agrees_until="w + 2",
    ),
    Pair(
        51,
        "CyclicLR(optimizer, base_lr={l}, max_lr={b}, step_size_up={u}, step_size_down={d}, "
        "cycle_momentum=False)",
        "cyclic({u}, {d}, low={l / b})",
        ({"l": 0.1, "b": 1.0, "u": 10, "d": 10}, {"l": 1e-5, "b": 3e-4, "u": 3, "d": 7}),
        difference="base_lr and max_lr are rates; max_lr is our base.",
        base="b",
    ),
    Pair(
        55,
        "CosineAnnealingWarmupRestarts(optimizer, {n}, max_lr={b}, min_lr={e}, warmup_steps={w}, "
        "gamma={g})",
        "(Warmup({w}) >> Cosine({n - w})).repeat(shrink={g}) + "
        "(Linear({w}, {e / b}, 0) >> Cosine({n - w}, 0, {e / b})).repeat()",
        (
            {"n": 20, "b": 1.0, "e": 0.0, "w": 5, "g": 1.0},
            {"n": 13, "b": 3e-4, "e": 1e-5, "w": 1, "g": 0.9},
        ),
        difference="The peaks shrink, the floor stays; each cycle includes its warmup. "
        + OWN_RATES,
        base="b",
    ),
    Pair(
        55,
        "CosineAnnealingWarmupRestarts(optimizer, {n}, {m}, max_lr={b}, min_lr={e}, gamma={g})",
        "Hold(1, {e / b}) >> Cosine({n}).repeat(stretch={m}, shrink={g}).skip(1) + "
        "Cosine({n}, 0, {e / b}).repeat(stretch={m}).skip(1)",
        (
            {"n": 10, "m": 2.0, "b": 1.0, "e": 0.01, "g": 0.5},
            {"n": 16, "m": 1.5, "b": 3e-4, "e": 0.0, "g": 1.0},
        ),
        difference="Without a warmup the very first update, and no later restart, is at min_lr; "
        "cycle lengths are cut to whole numbers.",
        base="b",
        count="n * (1 + m + m * m)",
    ),
    Pair(
        55,
        "CosineAnnealingWarmupRestarts(optimizer, {n}, {m}, max_lr={b}, min_lr={e}, "
        "warmup_steps={w}, gamma={g})",
        "Linear({w}, {e / b}, 1) >> Cosine({n - w}, 1, {e / b}) >> "
        "Linear({w}, {e / b}, {g}) >> Cosine({(n - w) * m}, {g}, {e / b}) >> "
        "Linear({w}, {e / b}, {g**2}) >> Cosine({(n - w) * m**2}, {g**2}, {e / b})",
        (
            {"n": 15, "m": 2, "b": 1.0, "e": 0.01, "w": 5, "g": 0.5},
            {"n": 7, "m": 3, "b": 3e-4, "e": 0.0, "w": 1, "g": 0.9},
        ),
        difference="The cosine is stretched, the warmup is not: a part per cycle.",
        base="b",
        count="3 * w + (n - w) * (1 + m + m**2)",
    ),
    Pair(
        61,
        "OneCycleLR(optimizer, max_lr={b}, total_steps={n}, pct_start={p}, cycle_momentum=False)",
        "one_cycle({n - 1}, rise={(p * n - 1) / (n - 1)})",
        ({"n": 100, "b": 1.0, "p": 0.3}, {"n": 37, "b": 3e-4, "p": 0.4}),
        difference="total_steps counts values: the last one is at total_steps - 1, the peak at "
        "pct_start * total_steps - 1; one step past the end it raises.",
        base="b",
        count="n",
    ),
    Pair(
        66,
        'get_wsd_schedule(optimizer, {w}, {s}, {d}, cooldown_type="linear", min_lr_ratio={e})',
        "Warmup({w}) >> Hold({s}) >> Linear({d}) >> Constant({e})",
        ({"w": 10, "s": 50, "d": 20, "e": 0.0}, {"w": 3, "s": 5, "d": 7, "e": 0.1}),
        difference=JUMPS_UP,
        count="2 * (w + s + d)",
    ),
    Pair(
        67,
        "get_wsd_schedule(optimizer, {w}, {s}, {d}, min_lr_ratio={e})",
        "Warmup({w}) >> Hold({s}) >> Power({d}, 0.5) >> Constant({e})",
        ({"w": 10, "s": 50, "d": 20, "e": 0.0}, {"w": 3, "s": 5, "d": 7, "e": 0.1}),
        difference=JUMPS_UP,
        count="2 * (w + s + d)",
    ),
    Pair(
        67,
        'get_wsd_schedule(optimizer, {w}, {s}, {d}, cooldown_type="1-square", min_lr_ratio={e})',
        "Warmup({w}) >> Hold({s}) >> Power({d}, 2) >> Constant({e})",
        ({"w": 10, "s": 50, "d": 20, "e": 0.0}, {"w": 3, "s": 5, "d": 7, "e": 0.1}),
        difference=JUMPS_UP,
        count="2 * (w + s + d)",
    ),
    Pair(
        67,
        'get_wsd_schedule(optimizer, {w}, {s}, {d}, cooldown_type="cosine", min_lr_ratio={e})',
        "Warmup({w}) >> Hold({s}) >> Cosine({d}, end={e})",
        ({"w": 10, "s": 50, "d": 20, "e": 0.0}, {"w": 3, "s": 5, "d": 7, "e": 0.1}),
        difference="This cooldown alone ends at min_lr_ratio.",
    ),
    Pair(
        71,
        "LinearScheduler(optimizer, t_max=10_000, max_lr={b}, min_lr={b}, init_lr={a}, "
        "warmup_steps={w})",
        "Hold(1) >> Warmup({w}, start={a / b})",
        ({"b": 1.0, "a": 0.0, "w": 10}, {"b": 3e-4, "a": 1e-5, "w": 7}),
        difference=LAGS,
        base="b",
    ),
)
