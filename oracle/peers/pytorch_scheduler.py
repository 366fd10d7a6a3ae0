"""pytorch_scheduler"""

from oracle.drivers import from_optimizer
from oracle.table import Pair, Peer

PEER = Peer("PS", "pytorch-scheduler", package="pytorch-scheduler")


def rates(call: str, count: int, base: float) -> list[float]:
    import pytorch_scheduler

    return from_optimizer(call, vars(pytorch_scheduler), count, base)


ABSOLUTE_FLOOR = "min_lr is a rate."
INCLUDES = "total_steps includes the warmup; min_lr is a rate."
OWN_RATES = "max_lr and min_lr are rates; the optimizer's own is overwritten."

PAIRS = (
    Pair(1, "IdentityScheduler(optimizer)", "Constant()", ({"b": 0.3},), base="b", count="20"),
    Pair(
        3,
        "LinearDecayScheduler(optimizer, {n}, {w}, min_lr={e})",
        "Warmup({w}) >> Linear({n - w}, end={e / b})",
        (
            {"n": 100, "w": 10, "e": 0.0, "b": 1.0},
            {"n": 13, "w": 0, "e": 1e-5, "b": 3e-4},
            {"n": 4, "w": 3, "e": 0.01, "b": 0.1},
        ),
        difference=INCLUDES,
        base="b",
    ),
    Pair(
        4,
        "PolynomialScheduler(optimizer, {n}, {p}, warmup_steps={w}, min_lr={e})",
        "Warmup({w}) >> Polynomial({n - w}, {p}, end={e / b})",
        (
            {"n": 100, "p": 2.0, "w": 10, "e": 0.0, "b": 1.0},
            {"n": 13, "p": 0.5, "w": 0, "e": 1e-5, "b": 3e-4},
        ),
        difference=INCLUDES,
        base="b",
    ),
    Pair(
        5,
        'WSDScheduler(optimizer, {n}, 0, 0, decay_type="sqrt", min_lr={e})',
        "Power({n}, 0.5, end={e / b})",
        ({"n": 40, "e": 0.0, "b": 1.0}, {"n": 13, "e": 1e-5, "b": 3e-4}),
        difference=ABSOLUTE_FLOOR,
        base="b",
    ),
    Pair(
        7,
        "PolynomialScheduler(optimizer, {n}, {p}, warmup_steps={w}, min_lr={e}, cycle=True)",
        "(Warmup({w}) >> Polynomial({n - w}, {p}, end={e / b})).repeat()",
        (
            {"n": 10, "p": 2.0, "w": 0, "e": 0.0, "b": 1.0},
            {"n": 13, "p": 0.5, "w": 4, "e": 1e-5, "b": 3e-4},
        ),
        difference="total_steps is one cycle, its warmup included; min_lr is a rate.",
        base="b",
    ),
    Pair(
        9,
        "CosineWithWarmupScheduler(optimizer, {n}, {w}, min_lr={e})",
        "Warmup({w}) >> Cosine({n - w}, end={e / b})",
        (
            {"n": 100, "w": 10, "e": 0.0, "b": 1.0},
            {"n": 13, "w": 0, "e": 1e-5, "b": 3e-4},
        ),
        difference=INCLUDES,
        base="b",
    ),
    Pair(
        11,
        "KDecayScheduler(optimizer, {n}, {k}, min_lr={e})",
        "Cosine({n}, end={e / b}, k={k})",
        ({"n": 100, "k": 2.0, "e": 0.0, "b": 1.0}, {"n": 31, "k": 0.7, "e": 1e-5, "b": 3e-4}),
        difference=ABSOLUTE_FLOOR,
        base="b",
    ),
    Pair(
        23,
        "InverseSqrtScheduler(optimizer, {w})",
        "Warmup({w}) >> InverseSqrt({w})",
        ({"w": 100}, {"w": 7}, {"w": 1}),
        count="1000",
    ),
    Pair(
        28,
        "PowerDecayScheduler(optimizer, 1000, {w}, {a}, min_lr={e})",
        "Warmup({w}) >> InversePower({w}, {a}).clip(low={e / b})",
        (
            {"w": 20, "a": 0.5, "e": 0.0, "b": 1.0},
            {"w": 7, "a": 1.3, "e": 1e-4, "b": 3e-3},
        ),
        difference="total_steps does nothing; min_lr is a rate.",
        base="b",
        count="1200",
    ),
    Pair(
        28,
        "PowerDecayScheduler(optimizer, 1000, 0, {a}, min_lr={e})",
        "InversePower(1, {a}).clip(low={e / b})",
        ({"a": 0.5, "e": 0.0, "b": 1.0}, {"a": 1.3, "e": 1e-4, "b": 3e-3}),
        difference="Without a warmup the time scale is one step: half at position 1 for a = 1.",
        base="b",
        count="1200",
    ),
    Pair(
        37,
        "TanhDecayScheduler(optimizer, {n}, {s}, min_lr={e})",
        "Tanh({n}, {-s}, {s}, end={e / b}) >> Constant({e / b})",
        ({"n": 100, "s": 3.0, "e": 0.0, "b": 1.0}, {"n": 31, "s": 1.5, "e": 1e-5, "b": 3e-4}),
        difference="Its last value falls short of min_lr, which follows; min_lr is a rate.",
        base="b",
        count="2 * n",
    ),
    Pair(38, "RexScheduler(optimizer, {n})", "Rex({n})", ({"n": 100}, {"n": 33})),
    Pair(
        39,
        "HyperbolicLRScheduler(optimizer, {n}, {m}, min_lr={e}, warmup_steps={w})",
        "Warmup({w}, start={e / b}) >> Hyperbolic({n - w}, {m}, end={e / b})",
        (
            {"n": 100, "m": 250, "e": 1e-6, "w": 0, "b": 1.0},
            {"n": 33, "m": 33, "e": 1e-5, "w": 5, "b": 3e-4},
        ),
        difference="total_steps includes the warmup, which starts at min_lr; min_lr is a rate.",
        base="b",
    ),
    Pair(
        40,
        "ExpHyperbolicLRScheduler(optimizer, {n}, {m}, min_lr={e}, warmup_steps={w})",
        "Warmup({w}, start={e / b}) >> ExpHyperbolic({n - w}, {m}, end={e / b})",
        (
            {"n": 100, "m": 250, "e": 1e-6, "w": 0, "b": 1.0},
            {"n": 33, "m": 33, "e": 1e-5, "w": 5, "b": 3e-4},
        ),
        difference="total_steps includes the warmup, which starts at min_lr; min_lr is a rate.",
        base="b",
    ),
    Pair(
        42,
        "ChebyshevScheduler(optimizer, {n}, min_lr={e})",
        "Cosine({n}, end={e / b}).skip(0.5).until({n - 1})",
        ({"n": 100, "e": 0.0, "b": 1.0}, {"n": 7, "e": 1e-5, "b": 3e-4}),
        difference="A cosine read half a step late, its last value at n - 1; min_lr is a rate.",
        base="b",
    ),
    Pair(
        43,
        "SlantedTriangularScheduler(optimizer, {n}, {f}, {r})",
        "Triangular({int(n * f)}, {n - int(n * f)}, low={1 / r})",
        ({"n": 100, "f": 0.1, "r": 32.0}, {"n": 33, "f": 0.4, "r": 5.0}),
        difference="cut_frac * total_steps is cut to a whole number.",
    ),
    Pair(
        55,
        "CosineAnnealingWarmupRestarts(optimizer, {n}, {w}, max_lr={b}, min_lr={e}, gamma={g})",
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
        "CosineAnnealingWarmupRestarts(optimizer, {n}, max_lr={b}, min_lr={e}, gamma={g})",
        "(Hold(1, 0) >> Cosine({n}).skip(1)).repeat(shrink={g}) + "
        "(Hold(1, {e / b}) >> Cosine({n}, 0, {e / b}).skip(1)).repeat()",
        (
            {"n": 20, "b": 1.0, "e": 0.0, "g": 1.0},
            {"n": 13, "b": 3e-4, "e": 1e-5, "g": 0.5},
        ),
        difference="Without a warmup the first update of every cycle is at min_lr.",
        base="b",
    ),
    Pair(
        55,
        "CosineAnnealingWarmupRestarts(optimizer, {n}, {w}, max_lr={b}, min_lr={e}, "
        "cycle_mult={m}, gamma={g})",
        "Linear({w}, {e / b}, 1) >> Cosine({n - w}, 1, {e / b}) >> "
        "Linear({w}, {e / b}, {g}) >> Cosine({n * m - w}, {g}, {e / b}) >> "
        "Linear({w}, {e / b}, {g**2}) >> Cosine({n * m**2 - w}, {g**2}, {e / b})",
        (
            {"n": 15, "m": 2, "b": 1.0, "e": 0.01, "w": 5, "g": 0.5},
            {"n": 7, "m": 3, "b": 3e-4, "e": 0.0, "w": 1, "g": 0.9},
        ),
        difference="The cycle is stretched, the warmup in it is not: a part per cycle.",
        base="b",
        count="n * (1 + m + m**2)",
    ),
    Pair(
        64,
        "FlatCosineScheduler(optimizer, {n}, {f}, min_lr={e})",
        "Hold({int(n * f)}) >> Cosine({n - int(n * f)}, end={e / b})",
        ({"n": 100, "f": 0.7, "e": 0.0, "b": 1.0}, {"n": 33, "f": 0.5, "e": 1e-5, "b": 3e-4}),
        difference="flat_fraction * total_steps is cut to a whole number; min_lr is a rate.",
        base="b",
    ),
    Pair(
        65,
        "WarmupHoldCosineScheduler(optimizer, {n}, {w}, {h}, min_lr={e})",
        "Warmup({w}) >> Hold({h}) >> Cosine({n - w - h}, end={e / b})",
        (
            {"n": 100, "w": 10, "h": 50, "e": 0.0, "b": 1.0},
            {"n": 33, "w": 0, "h": 7, "e": 1e-5, "b": 3e-4},
        ),
        difference="total_steps includes the warmup and the hold; min_lr is a rate.",
        base="b",
    ),
    Pair(
        66,
        'WSDScheduler(optimizer, {n}, {w}, {h}, decay_type="linear", min_lr={e})',
        "Warmup({w}) >> Hold({h}) >> Linear({n - w - h}, end={e / b})",
        (
            {"n": 100, "w": 10, "h": 50, "e": 0.0, "b": 1.0},
            {"n": 33, "w": 0, "h": 7, "e": 1e-5, "b": 3e-4},
        ),
        difference="total_steps includes all three parts; min_lr is a rate.",
        base="b",
    ),
    Pair(
        66,
        "TrapezoidalScheduler(optimizer, {n}, {w}, {d}, min_lr={e})",
        "Warmup({w}) >> Hold({n - w - d}) >> Linear({d}, end={e / b})",
        (
            {"n": 100, "w": 10, "d": 20, "e": 0.0, "b": 1.0},
            {"n": 33, "w": 0, "d": 7, "e": 1e-5, "b": 3e-4},
        ),
        difference="total_steps includes all three parts; min_lr is a rate.",
        base="b",
    ),
    Pair(
        67,
        'WSDScheduler(optimizer, {n}, {w}, {h}, decay_type="sqrt", min_lr={e})',
        "Warmup({w}) >> Hold({h}) >> Power({n - w - h}, 0.5, end={e / b})",
        (
            {"n": 100, "w": 10, "h": 50, "e": 0.0, "b": 1.0},
            {"n": 33, "w": 0, "h": 7, "e": 1e-5, "b": 3e-4},
        ),
        difference="total_steps includes all three parts; min_lr is a rate.",
        base="b",
    ),
    Pair(
        67,
        "WSDScheduler(optimizer, {n}, {w}, {h}, min_lr={e})",
        "Warmup({w}) >> Hold({h}) >> Cosine({n - w - h}, end={e / b})",
        (
            {"n": 100, "w": 10, "h": 50, "e": 0.01, "b": 0.1},
            {"n": 33, "w": 0, "h": 7, "e": 0.0, "b": 1.0},
        ),
        difference="total_steps includes all three parts; min_lr is a rate.",
        base="b",
    ),
    Pair(
        71,
        "WarmupScheduler(optimizer, CosineWithWarmupScheduler(optimizer, {n}), {w})",
        "Warmup({w}) >> Cosine({n})",
        ({"n": 50, "w": 10, "b": 1.0}, {"n": 13, "w": 7, "b": 3e-4}),
        difference="The warmup comes on top of the wrapped schedule.",
        base="b",
    ),
    Pair(
        74,
        'WarmupScheduler(optimizer, IdentityScheduler(optimizer), {w}, "cosine")',
        "Cosine({w}, start=0, end=1)",
        ({"w": 10, "b": 1.0}, {"w": 37, "b": 3e-4}),
        base="b",
    ),
    Pair(
        76,
        'WarmupScheduler(optimizer, IdentityScheduler(optimizer), {w}, "exponential")',
        "Power({w}, 2, start=0, end=1)",
        ({"w": 10, "b": 1.0}, {"w": 37, "b": 3e-4}),
        difference='Called "exponential" there; it is a square.',
        base="b",
    ),
)
