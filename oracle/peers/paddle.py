"""paddle.optimizer.lr"""

import math

from oracle.isolation import absent
from oracle.table import Pair, Peer
from stepsize import schedule_function

PEER = Peer("PD", "Paddle", package="paddlepaddle")


@schedule_function("paddle_ripple")
def ripple(t: float) -> float:
    """What a user may write: no peer and no algebra knows it."""
    return math.exp(-t / 50) * (1 + math.sin(t) ** 2 / 10)


def rates(call: str, count: int, base: float) -> list[float]:
    # Its data sets and model hub need them.
    absent("httpx", "PIL")
    from paddle.optimizer import lr

    scheduler = eval(call, {**vars(lr), "ripple": ripple})
    seen: list[float] = []
    for t in range(count):
        seen.append(float(scheduler()))
        # OneCycleLR raises one step further on.
        if t + 1 < count:
            scheduler.step()
    return seen


RISES = "Past T_max it rises again."
EXTRA_STEP = "It allows one step more than total_steps, with a rising rate, and raises only then."
RATES = "All values are rates; ours are multiples of the base rate."
CYCLE = "base_learning_rate and max_learning_rate are rates; ours are multiples of the latter."
LENGTHS = (
    "total_steps counts values, so the last one is at total_steps - 1 and the peak at "
    "phase_pct · total_steps - 1. end_learning_rate is a rate."
)
STAIRS = (
    "In dynamic mode, the default, it ignores decay_steps and staircase; in static mode the "
    "staircase raises (version 3.3.1)."
)

PAIRS = (
    Pair(
        3,
        "LinearLR({b}, total_steps={n}, start_factor={s}, end_factor={e})",
        "Linear({n}, start={s}, end={e})",
        (
            {"b": 1.0, "n": 100, "s": 1.0, "e": 0.0},
            {"b": 3e-4, "n": 37, "s": 1e-3, "e": 0.9},
            {"b": 0.1, "n": 1, "s": 1 / 3, "e": 1.0},
        ),
        difference="Both factors are at most 1, and the first is above 0.",
        base="b",
    ),
    Pair(
        4,
        "PolynomialDecay({b}, decay_steps={n}, end_lr={e}, power={p})",
        "Polynomial({n}, {p}, end={e / b})",
        (
            {"b": 1.0, "n": 100, "e": 0.0, "p": 2.0},
            {"b": 3e-4, "n": 37, "e": 1e-5, "p": 0.9},
        ),
        difference=RATES,
        base="b",
    ),
    Pair(
        6,
        "PolynomialDecay({b}, decay_steps={n}, end_lr={e}, power={p}, cycle=True)",
        "(Hold(1) >> Polynomial({n}, {p}).skip(1).until({n}).repeat() "
        "* InversePower({n}, {p}).staircase({n})) * {(1 - e / b)} + {e / b}",
        (
            {"b": 1.0, "n": 10, "e": 0.0, "p": 2.0},
            {"b": 3e-4, "n": 37, "e": 1e-5, "p": 0.5},
            {"b": 0.3, "n": 1, "e": 0.1, "p": 1.0},
        ),
        difference="Each cycle ends with the floor itself, so it begins one step later. " + RATES,
        base="b",
    ),
    Pair(
        9,
        "CosineAnnealingDecay({b}, T_max={n}, eta_min={e})",
        "Cosine({n}, end={e / b})",
        ({"b": 1.0, "n": 100, "e": 0.0}, {"b": 3e-4, "n": 37, "e": 1e-5}),
        difference=RATES,
        base="b",
        fault=RISES,
        agrees_until="n + 1",
    ),
    Pair(
        16,
        "ExponentialDecay({b}, gamma={g})",
        "Exponential({g})",
        ({"b": 1.0, "g": 0.95}, {"b": 3e-4, "g": 0.999}),
        base="b",
    ),
    Pair(
        17,
        "exponential_decay({b}, decay_steps={n}, decay_rate={g}, staircase=True)",
        "Exponential({g}, {n}).staircase({n})",
        ({"b": 1.0, "n": 10, "g": 0.5}, {"b": 3e-4, "n": 33, "g": 0.96}),
        base="b",
        fault=STAIRS,
        agrees_until="1",
    ),
    Pair(
        17,
        "exponential_decay({b}, decay_steps={n}, decay_rate={g}, staircase=True)",
        "Exponential({g}, {n}).staircase({n})",
        ({"b": 1.0, "n": 10, "g": 0.5}, {"b": 3e-4, "n": 33, "g": 0.96}),
        difference="As it is documented.",
        base="b",
        formula="b * g ** floor(t / n)",
    ),
    Pair(
        18,
        "NaturalExpDecay({b}, gamma={g})",
        "Exponential({exp(-g)})",
        ({"b": 1.0, "g": 0.1}, {"b": 3e-4, "g": 0.003}),
        base="b",
    ),
    Pair(
        21,
        "InverseTimeDecay({b}, gamma={k})",
        "InversePower({1 / k}, 1)",
        ({"b": 1.0, "k": 0.1}, {"b": 3e-4, "k": 3.0}),
        base="b",
    ),
    Pair(
        22,
        "inverse_time_decay({b}, decay_steps={n}, decay_rate={k}, staircase=True)",
        "InversePower({n / k}, 1).staircase({n})",
        ({"b": 1.0, "n": 10, "k": 0.5}, {"b": 3e-4, "n": 33, "k": 2.0}),
        base="b",
        fault=STAIRS,
        agrees_until="1",
    ),
    Pair(
        22,
        "inverse_time_decay({b}, decay_steps={n}, decay_rate={k}, staircase=True)",
        "InversePower({n / k}, 1).staircase({n})",
        ({"b": 1.0, "n": 10, "k": 0.5}, {"b": 3e-4, "n": 33, "k": 2.0}),
        difference="As it is documented.",
        base="b",
        formula="b / (1 + k * floor(t / n))",
    ),
    Pair(
        25,
        "NoamDecay({d}, {w}, learning_rate={b})",
        "Hold(1, 0) >> noam({d}, {w}, scale={b})",
        ({"d": 512, "w": 40, "b": 1.0}, {"d": 64, "w": 7, "b": 2.0}),
        difference="It counts steps from 0, so its first value is 0 and everything is one step "
        "later.",
    ),
    Pair(
        30,
        "StepDecay({b}, step_size={k}, gamma={g})",
        "Step({k}, {g})",
        ({"b": 1.0, "k": 30, "g": 0.1}, {"b": 3e-4, "k": 7, "g": 0.5}),
        base="b",
    ),
    Pair(
        31,
        "MultiStepDecay({b}, milestones={list(m)}, gamma={g})",
        "MultiStep({dict.fromkeys(m, g)})",
        ({"b": 1.0, "m": (30, 80), "g": 0.1}, {"b": 3e-4, "m": (1, 2, 250), "g": 0.5}),
        difference="A factor per position instead of one for all.",
        base="b",
    ),
    Pair(
        32,
        "PiecewiseDecay(boundaries={[p, q]}, values={list(v)})",
        "Hold({p}, {v[0]}) >> Hold({q - p}, {v[1]}) >> Constant({v[2]})",
        (
            {"v": (0.1, 0.01, 0.001), "p": 30, "q": 80},
            {"v": (1.0, 0.5, 0.7), "p": 1, "q": 2},
        ),
        difference="Boundaries at positions; ours are lengths.",
    ),
    Pair(
        44,
        "LambdaDecay({b}, lr_lambda=ripple)",
        "Function('paddle_ripple')",
        ({"b": 0.5},),
        difference="A function is saved by a name; theirs is not saved at all.",
        base="b",
    ),
    Pair(
        45,
        "MultiplicativeDecay({b}, lr_lambda=lambda t: {g})",
        "Exponential({g})",
        ({"b": 0.5, "g": 0.95},),
        difference="A constant factor per step.",
        base="b",
        count="100",
    ),
    Pair(
        45,
        "MultiplicativeDecay({b}, lr_lambda=lambda t: 1 - 1 / (t + 3) ** 2)",
        "MultiStep({dict((t, 1 - 1 / (t + 3) ** 2) for t in range(1, n))})",
        ({"b": 0.5, "n": 100},),
        difference="Ours lists the factors; theirs multiplies all of them again at each step.",
        base="b",
        count="n",
    ),
    Pair(
        51,
        "CyclicLR({lo}, {hi}, step_size_up={u}, step_size_down={d})",
        "cyclic({u}, {d}, low={lo / hi})",
        (
            {"lo": 0.1, "hi": 1.0, "u": 20, "d": 20},
            {"lo": 1e-5, "hi": 3e-4, "u": 7, "d": 12},
        ),
        difference=CYCLE,
        base="hi",
    ),
    Pair(
        52,
        "CyclicLR({lo}, {hi}, step_size_up={u}, step_size_down={d}, mode='triangular2')",
        "cyclic({u}, {d}, low={lo / hi}, shrink=0.5)",
        (
            {"lo": 0.1, "hi": 1.0, "u": 20, "d": 20},
            {"lo": 1e-5, "hi": 3e-4, "u": 7, "d": 12},
        ),
        difference=CYCLE,
        base="hi",
    ),
    Pair(
        53,
        "CyclicLR({lo}, {hi}, step_size_up={u}, mode='exp_range', exp_gamma={g})",
        "cyclic({u}, low={lo / hi}, factor={g})",
        ({"lo": 0.1, "hi": 1.0, "u": 20, "g": 0.99}, {"lo": 1e-5, "hi": 3e-4, "u": 7, "g": 0.9994}),
        difference=CYCLE,
        base="hi",
    ),
    Pair(
        54,
        "CyclicLR({lo}, {hi}, step_size_up={u}, scale_fn=lambda cycle: 1 / cycle, "
        "scale_mode='cycle')",
        "Triangular({u}).repeat() * InversePower(1, 1).per_epoch({2 * u}).staircase({2 * u}) "
        "* {(1 - lo / hi)} + {lo / hi}",
        ({"lo": 0.1, "hi": 1.0, "u": 20}, {"lo": 1e-5, "hi": 3e-4, "u": 7}),
        difference="A function of the cycle's number, from 1, is a schedule per_epoch(2 · up) "
        "whose staircase changes between cycles only.",
        base="hi",
    ),
    Pair(
        54,
        "CyclicLR({lo}, {hi}, step_size_up={u}, scale_fn=ripple, scale_mode='iterations')",
        "Triangular({u}).repeat() * Function('paddle_ripple') * {(1 - lo / hi)} + {lo / hi}",
        ({"lo": 0.1, "hi": 1.0, "u": 20},),
        difference=CYCLE,
        base="hi",
    ),
    Pair(
        55,
        "CosineAnnealingWarmRestarts({b}, T_0={n}, T_mult={m}, eta_min={e})",
        "Cosine({n}, end={e / b}).repeat(stretch={m})",
        (
            {"b": 1.0, "n": 10, "m": 2, "e": 0},
            {"b": 3e-4, "n": 7, "m": 1, "e": 1e-5},
            {"b": 0.1, "n": 3, "m": 3, "e": 0.01},
        ),
        difference=RATES,
        base="b",
    ),
    Pair(
        57,
        "CosineAnnealingDecay({b}, T_max={n}, eta_min={e})",
        "(Cosine({n}, end={e / b}) >> Cosine({n}, start={e / b}, end=1)).repeat()",
        ({"b": 1.0, "n": 100, "e": 0}, {"b": 3e-4, "n": 7, "e": 1e-5}),
        difference=RATES,
        base="b",
    ),
    Pair(
        61,
        "OneCycleLR({b}, total_steps={n}, divide_factor={d}, end_learning_rate={e}, phase_pct={p})",
        "one_cycle({n - 1}, rise={(p * n - 1) / (n - 1)}, start={1 / d}, end={e / b})",
        (
            {"b": 1.0, "n": 100, "d": 25.0, "e": 1e-4, "p": 0.3},
            {"b": 3e-4, "n": 37, "d": 10.0, "e": 1e-6, "p": 0.3},
        ),
        difference=LENGTHS,
        base="b",
        count="n + 1",
        fault=EXTRA_STEP,
        agrees_until="n",
    ),
    Pair(
        61,
        "OneCycleLR({b}, total_steps={n}, end_learning_rate={e}, phase_pct={p}, "
        "anneal_strategy='linear')",
        "Linear({p * n - 1}, start=0.04, end=1) >> Linear({n - p * n}, end={e / b})",
        ({"b": 1.0, "n": 100, "e": 1e-4, "p": 0.3}, {"b": 3e-4, "n": 37, "e": 0, "p": 0.25}),
        difference=LENGTHS,
        base="b",
        count="n + 1",
        fault="It allows one step more than total_steps, with a negative rate.",
        agrees_until="n",
    ),
    Pair(
        62,
        "OneCycleLR({b}, total_steps={n}, divide_factor={d}, end_learning_rate={e}, "
        "phase_pct={p}, three_phase=True)",
        "Cosine({p * n - 1}, start={1 / d}, end=1) >> Cosine({p * n - 1}, end={1 / d}) "
        ">> Cosine({n + 1 - 2 * p * n}, start={1 / d}, end={e / b})",
        (
            {"b": 1.0, "n": 100, "d": 25.0, "e": 1e-4, "p": 0.3},
            {"b": 3e-4, "n": 37, "d": 10.0, "e": 1e-6, "p": 0.4},
        ),
        difference=LENGTHS,
        base="b",
        count="n + 1",
        fault=EXTRA_STEP,
        agrees_until="n",
    ),
    Pair(
        71,
        "LinearWarmup({b}, warmup_steps={w}, start_lr={s}, end_lr={b})",
        "Warmup({w}, start={s / b})",
        ({"b": 1.0, "w": 10, "s": 0.0}, {"b": 3e-4, "w": 37, "s": 1e-5}),
        difference=RATES,
        base="b",
    ),
    Pair(
        71,
        "LinearWarmup(PolynomialDecay({b}, decay_steps={n}, end_lr={e}, power={p}), "
        "warmup_steps={w}, start_lr={s}, end_lr={b})",
        "Warmup({w}, start={s / b}) >> Polynomial({n}, {p}, end={e / b})",
        (
            {"b": 1.0, "w": 10, "s": 0.0, "n": 40, "e": 0.0, "p": 2.0},
            {"b": 3e-4, "w": 3, "s": 1e-5, "n": 37, "e": 1e-6, "p": 0.9},
        ),
        difference=RATES,
        base="b",
    ),
    Pair(
        71,
        "LinearWarmup(CosineAnnealingDecay({b}, T_max={n}), warmup_steps={w}, start_lr={s}, "
        "end_lr={b})",
        "Warmup({w}, start={s / b}) >> Cosine({n})",
        ({"b": 1.0, "w": 10, "s": 0.0, "n": 40}, {"b": 3e-4, "w": 3, "s": 1e-5, "n": 37}),
        difference=RATES,
        base="b",
        fault=RISES,
        agrees_until="w + n + 1",
    ),
)
