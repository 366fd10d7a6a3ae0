"""torch.optim.lr_scheduler, and SWALR of torch.optim.swa_utils"""

import math

from oracle.drivers import from_optimizer
from oracle.table import Pair, Peer
from stepsize import schedule_function

PEER = Peer("T", "torch", package="torch")


@schedule_function("torch_ripple")
def ripple(t: float) -> float:
    """What a user may write: no peer and no algebra knows it."""
    return math.exp(-t / 50) * (1 + math.sin(t) ** 2 / 10)


def rates(call: str, count: int, base: float) -> list[float]:
    from torch.optim import lr_scheduler
    from torch.optim.swa_utils import SWALR

    def advance(scheduler: lr_scheduler.LRScheduler, _: int) -> None:
        try:
            scheduler.step()
        except (ValueError, ZeroDivisionError):
            # OneCycleLR past its end, ConstantLR from 0: there is no rate.
            scheduler.optimizer.param_groups[0]["lr"] = math.nan

    names = {**vars(lr_scheduler), "SWALR": SWALR, "ripple": ripple}
    return from_optimizer(call, names, count, base, advance)


RISES = "Past T_max it rises again."
EXTRA_STEP = "It allows one step more than total_steps, with a rising rate, and raises only then."
ABSOLUTE_FLOOR = "eta_min is a rate, our end a multiple of the base rate."
MULTIPLES = "base_lr and max_lr are rates; ours are multiples of the base rate, here max_lr."
LENGTHS = (
    "total_steps counts values, so the last one is at total_steps - 1 and the peak at "
    "pct_start · total_steps - 1."
)

PAIRS = (
    Pair(
        2,
        "ConstantLR(optimizer, factor={f}, total_iters={n})",
        "Hold({n}, {f}) >> Constant()",
        ({"n": 5, "f": 0.25}, {"n": 1, "f": 0.1}, {"n": 40, "f": 1.0}),
        count="2 * n + 20",
    ),
    Pair(
        2,
        "ConstantLR(optimizer, factor=0, total_iters={n})",
        "Hold({n}, 0) >> Constant()",
        ({"n": 5},),
        count="2 * n",
        fault="A factor of 0 is accepted, and divided by where it ends.",
        agrees_until="n",
    ),
    Pair(
        2,
        "ChainedScheduler([ConstantLR(optimizer, factor={f}, total_iters={n}), "
        "ExponentialLR(optimizer, gamma={g})], optimizer)",
        "(Hold({n}, {f}) >> Constant()) * Exponential({g})",
        ({"n": 5, "f": 0.25, "g": 0.9},),
        difference="ChainedScheduler is our product.",
    ),
    Pair(
        3,
        "LinearLR(optimizer, start_factor={s}, end_factor={e}, total_iters={n})",
        "Linear({n}, start={s}, end={e})",
        (
            {"n": 5, "s": 1 / 3, "e": 1.0},
            {"n": 100, "s": 1.0, "e": 0.0},
            {"n": 1, "s": 0.7, "e": 0.2},
            {"n": 37, "s": 1e-3, "e": 0.9},
        ),
        difference="Both factors are at most 1, and the first is above 0.",
    ),
    Pair(
        4,
        "PolynomialLR(optimizer, total_iters={n}, power={p})",
        "Polynomial({n}, {p})",
        ({"n": 5, "p": 1.0}, {"n": 100, "p": 2.0}, {"n": 33, "p": 0.9}, {"n": 12, "p": 0.5}),
        difference="The end is always 0.",
    ),
    Pair(
        9,
        "CosineAnnealingLR(optimizer, T_max={n}, eta_min={e})",
        "Cosine({n}, end={e / b})",
        (
            {"n": 100, "e": 0, "b": 1.0},
            {"n": 7, "e": 0.1, "b": 1.0},
            {"n": 50, "e": 1e-5, "b": 3e-4},
        ),
        difference=ABSOLUTE_FLOOR,
        base="b",
        fault=RISES,
        agrees_until="n + 1",
    ),
    Pair(
        16,
        "ExponentialLR(optimizer, gamma={g})",
        "Exponential({g})",
        ({"g": 0.95}, {"g": 0.5}, {"g": 1.01}),
    ),
    Pair(
        30,
        "StepLR(optimizer, step_size={k}, gamma={g})",
        "Step({k}, {g})",
        ({"k": 30, "g": 0.1}, {"k": 1, "g": 0.97}, {"k": 7, "g": 0.5}),
    ),
    Pair(
        31,
        "MultiStepLR(optimizer, milestones={list(m)}, gamma={g})",
        "MultiStep({dict.fromkeys(m, g)})",
        ({"m": (30, 80), "g": 0.1}, {"m": (1, 2, 250), "g": 0.5}),
        difference="A factor per position instead of one for all.",
    ),
    Pair(
        31,
        "MultiStepLR(optimizer, milestones=[{m}, {m}], gamma={g})",
        "MultiStep({dict([(m, g * g)])})",
        ({"m": 10, "g": 0.1},),
        difference="A milestone named twice drops twice; ours has one factor per position.",
    ),
    Pair(
        44,
        "LambdaLR(optimizer, lr_lambda=ripple)",
        "Function('torch_ripple')",
        ({},),
        difference="A function is saved by a name; theirs is not saved at all.",
    ),
    Pair(
        44,
        "LambdaLR(optimizer, lr_lambda=lambda t: {g} ** (t / {n}))",
        "Exponential({g}, {n})",
        ({"g": 0.9, "n": 10},),
        difference="Most lambdas that people write are an expression.",
    ),
    Pair(
        45,
        "MultiplicativeLR(optimizer, lr_lambda=lambda t: {g})",
        "Exponential({g})",
        ({"g": 0.95}, {"g": 0.5}),
        difference="A constant factor per step.",
    ),
    Pair(
        45,
        "MultiplicativeLR(optimizer, lr_lambda=lambda t: 1 - 1 / (t + 3) ** 2)",
        "MultiStep({dict((t, 1 - 1 / (t + 3) ** 2) for t in range(1, n))})",
        ({"n": 250},),
        difference="Ours lists the factors, which makes the value at any position known at once.",
        count="n",
    ),
    Pair(
        46,
        "SWALR(optimizer, swa_lr={s}, anneal_epochs={n}, anneal_strategy='cos')",
        "Cosine({n}, end={s / b})",
        ({"n": 10, "s": 0.05, "b": 1.0}, {"n": 33, "s": 5e-4, "b": 3e-4}),
        difference="swa_lr is a rate, our end a multiple of the base rate.",
        base="b",
    ),
    Pair(
        46,
        "SWALR(optimizer, swa_lr={s}, anneal_epochs={n}, anneal_strategy='linear')",
        "Linear({n}, end={s / b})",
        ({"n": 10, "s": 0.05, "b": 1.0}, {"n": 33, "s": 5e-4, "b": 3e-4}),
        difference="swa_lr is a rate, our end a multiple of the base rate.",
        base="b",
    ),
    Pair(
        51,
        "CyclicLR(optimizer, base_lr={lo}, max_lr={hi}, step_size_up={u}, step_size_down={d})",
        "cyclic({u}, {d}, low={lo / hi})",
        (
            {"u": 20, "d": 20, "lo": 0.1, "hi": 1.0},
            {"u": 7, "d": 12, "lo": 1e-5, "hi": 3e-4},
            {"u": 1, "d": 2, "lo": 0.0, "hi": 0.5},
        ),
        difference=MULTIPLES,
        base="hi",
    ),
    Pair(
        52,
        "CyclicLR(optimizer, base_lr={lo}, max_lr={hi}, step_size_up={u}, step_size_down={d}, "
        "mode='triangular2')",
        "cyclic({u}, {d}, low={lo / hi}, shrink=0.5)",
        ({"u": 20, "d": 20, "lo": 0.1, "hi": 1.0}, {"u": 7, "d": 12, "lo": 1e-5, "hi": 3e-4}),
        difference=MULTIPLES,
        base="hi",
    ),
    Pair(
        53,
        "CyclicLR(optimizer, base_lr={lo}, max_lr={hi}, step_size_up={u}, mode='exp_range', "
        "gamma={g})",
        "cyclic({u}, low={lo / hi}, factor={g})",
        (
            {"u": 20, "g": 0.99, "lo": 0.1, "hi": 1.0},
            {"u": 7, "g": 0.9994, "lo": 1e-5, "hi": 3e-4},
        ),
        difference=MULTIPLES,
        base="hi",
    ),
    Pair(
        54,
        "CyclicLR(optimizer, base_lr={lo}, max_lr={hi}, step_size_up={u}, "
        "scale_fn=lambda cycle: 1 / cycle, scale_mode='cycle')",
        "Triangular({u}).repeat() * InversePower(1, 1).per_epoch({2 * u}).staircase({2 * u}) "
        "* {(1 - lo / hi)} + {lo / hi}",
        ({"u": 20, "lo": 0.1, "hi": 1.0}, {"u": 7, "lo": 1e-5, "hi": 3e-4}),
        difference="A function of the cycle's number, from 1, is a schedule per_epoch(2 · up) "
        "whose staircase changes between cycles only.",
        base="hi",
    ),
    Pair(
        54,
        "CyclicLR(optimizer, base_lr={lo}, max_lr={hi}, step_size_up={u}, scale_fn=ripple, "
        "scale_mode='iterations')",
        "Triangular({u}).repeat() * Function('torch_ripple') * {(1 - lo / hi)} + {lo / hi}",
        ({"u": 20, "lo": 0.1, "hi": 1.0},),
        difference=MULTIPLES,
        base="hi",
    ),
    Pair(
        55,
        "CosineAnnealingWarmRestarts(optimizer, T_0={n}, T_mult={m}, eta_min={e})",
        "Cosine({n}, end={e / b}).repeat(stretch={m})",
        (
            {"n": 10, "m": 2, "e": 0, "b": 1.0},
            {"n": 7, "m": 1, "e": 0.1, "b": 1.0},
            {"n": 3, "m": 3, "e": 1e-5, "b": 3e-4},
        ),
        difference=ABSOLUTE_FLOOR,
        base="b",
    ),
    Pair(
        57,
        "CosineAnnealingLR(optimizer, T_max={n}, eta_min={e})",
        "(Cosine({n}, end={e / b}) >> Cosine({n}, start={e / b}, end=1)).repeat()",
        (
            {"n": 100, "e": 0, "b": 1.0},
            {"n": 7, "e": 0.1, "b": 1.0},
            {"n": 1, "e": 0, "b": 0.5},
            {"n": 30, "e": 1e-5, "b": 3e-4},
        ),
        difference=ABSOLUTE_FLOOR,
        base="b",
    ),
    Pair(
        61,
        "OneCycleLR(optimizer, max_lr={b}, total_steps={n}, pct_start={p}, div_factor={d}, "
        "final_div_factor={f})",
        "one_cycle({n - 1}, rise={(p * n - 1) / (n - 1)}, start={1 / d}, end={1 / d / f})",
        (
            {"n": 100, "p": 0.3, "d": 25.0, "f": 1e4, "b": 1.0},
            {"n": 37, "p": 0.3, "d": 10.0, "f": 100.0, "b": 3e-4},
            {"n": 50, "p": 0.5, "d": 25.0, "f": 1.0, "b": 0.1},
        ),
        difference=LENGTHS + " The end is a part of the start, not of the peak.",
        base="b",
        count="n + 1",
        fault=EXTRA_STEP,
        agrees_until="n",
    ),
    Pair(
        61,
        "OneCycleLR(optimizer, max_lr={b}, total_steps={n}, pct_start={p}, "
        "anneal_strategy='linear')",
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
        "OneCycleLR(optimizer, max_lr={b}, total_steps={n}, pct_start={p}, div_factor={d}, "
        "final_div_factor={f}, three_phase=True)",
        "Cosine({p * n - 1}, start={1 / d}, end=1) >> Cosine({p * n - 1}, end={1 / d}) "
        ">> Cosine({n + 1 - 2 * p * n}, start={1 / d}, end={1 / d / f})",
        (
            {"n": 100, "p": 0.3, "d": 25.0, "f": 1e4, "b": 1.0},
            {"n": 37, "p": 0.4, "d": 10.0, "f": 100.0, "b": 3e-4},
        ),
        difference=LENGTHS,
        base="b",
        count="n + 1",
        fault=EXTRA_STEP,
        agrees_until="n",
    ),
    Pair(
        62,
        "OneCycleLR(optimizer, max_lr={b}, total_steps={n}, pct_start={p}, "
        "anneal_strategy='linear', three_phase=True)",
        "Linear({p * n - 1}, start=0.04, end=1) >> Linear({p * n - 1}, end=0.04) "
        ">> Linear({n + 1 - 2 * p * n}, start=0.04, end=4e-06)",
        ({"n": 100, "p": 0.3, "b": 1.0}, {"n": 37, "p": 0.4, "b": 3e-4}),
        difference=LENGTHS,
        base="b",
        count="n + 1",
        fault="It allows one step more than total_steps, with a negative rate.",
        agrees_until="n",
    ),
    Pair(
        71,
        "LinearLR(optimizer, start_factor={s}, total_iters={w})",
        "Warmup({w}, start={s})",
        ({"w": 5, "s": 1 / 3}, {"w": 100, "s": 1e-3}, {"w": 1, "s": 0.5}),
        difference="The start must be above 0.",
    ),
    Pair(
        71,
        "SequentialLR(optimizer, [LinearLR(optimizer, start_factor={s}, total_iters={w}), "
        "CosineAnnealingLR(optimizer, T_max={n}, eta_min={e})], milestones=[{w}])",
        "Warmup({w}, start={s}) >> Cosine({n}, end={e / b})",
        (
            {"w": 5, "n": 40, "s": 0.1, "e": 0, "b": 1.0},
            {"w": 17, "n": 83, "s": 1e-3, "e": 1e-5, "b": 3e-4},
        ),
        difference="SequentialLR needs the milestone besides; ours follows from the lengths.",
        base="b",
        fault=RISES,
        agrees_until="w + n + 1",
    ),
    Pair(
        71,
        "ChainedScheduler([LinearLR(optimizer, start_factor={s}, total_iters={w}), "
        "StepLR(optimizer, step_size={k}, gamma={g})], optimizer)",
        "Warmup({w}, start={s}) * Step({k}, {g})",
        ({"w": 10, "s": 0.1, "k": 4, "g": 0.5},),
        difference="ChainedScheduler is our product.",
        count="100",
    ),
    Pair(
        73,
        "SequentialLR(optimizer, [ConstantLR(optimizer, factor={f}, total_iters={w}), "
        "ExponentialLR(optimizer, gamma={g})], milestones=[{w}])",
        "Hold({w}, {f}) >> Exponential({g})",
        ({"w": 5, "f": 0.1, "g": 0.95}, {"w": 31, "f": 1 / 3, "g": 0.99}),
    ),
    Pair(
        74,
        "OneCycleLR(optimizer, max_lr={b}, total_steps={n}, pct_start={p}, div_factor={d})",
        "Cosine({p * n - 1}, start={1 / d}, end=1)",
        ({"n": 100, "p": 0.3, "d": 25.0, "b": 1.0}, {"n": 40, "p": 0.75, "d": 10.0, "b": 3e-4}),
        difference="Its first phase only. " + LENGTHS,
        base="b",
        count="p * n",
    ),
)
