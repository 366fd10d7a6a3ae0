"""lrsched"""

from oracle.drivers import from_values
from oracle.table import Pair, Peer

PEER = Peer("LS", "lrsched", package="lrsched")


def rates(call: str, count: int, base: float) -> list[float]:
    import lrsched

    return from_values(call, vars(lrsched), count)


RATES = "All values are rates; ours are multiples of the base rate."
CYCLE = RATES + " step_size is the way up only."

PAIRS = (
    Pair(1, "constant(lr={b})", "Constant()", ({"b": 1.0}, {"b": 3e-4}), base="b"),
    Pair(
        3,
        "linear(base_lr={b}, end_lr={e}, total_steps={n})",
        "Linear({n}, end={e / b})",
        ({"b": 1.0, "e": 0.0, "n": 100}, {"b": 3e-4, "e": 1e-5, "n": 37}, {"b": 1, "e": 2, "n": 1}),
        difference=RATES,
        base="b",
    ),
    Pair(
        4,
        "polynomial(base_lr={b}, end_lr={e}, total_steps={n}, power={p})",
        "Polynomial({n}, {p}, end={e / b})",
        ({"b": 1.0, "e": 0.0, "n": 100, "p": 2}, {"b": 3e-4, "e": 1e-5, "n": 37, "p": 0.9}),
        difference=RATES,
        base="b",
    ),
    Pair(
        4,
        "polynomial_decay(start_lr={b}, end_lr={e}, total_steps={n}, power={p})",
        "Polynomial({n}, {p}, end={e / b})",
        ({"b": 1.0, "e": 0.0, "n": 100, "p": 2}, {"b": 3e-4, "e": 1e-5, "n": 37, "p": 0.9}),
        difference=RATES,
        base="b",
    ),
    Pair(
        5,
        "warmup_stable_decay(base_lr={b}, warmup_steps=0, decay_steps={n}, total_steps={n}, "
        "final_lr={e}, warmup_start=0.0, decay_shape='1-sqrt')",
        "Power({n}, 0.5, end={e / b})",
        ({"b": 1.0, "e": 0.0, "n": 100}, {"b": 3e-4, "e": 1e-5, "n": 37}),
        difference="Its decay alone. " + RATES,
        base="b",
    ),
    Pair(
        9,
        "cosine(base_lr={b}, min_lr={e}, total_steps={n})",
        "Cosine({n}, end={e / b})",
        ({"b": 1.0, "e": 0.0, "n": 100}, {"b": 3e-4, "e": 1e-5, "n": 37}),
        difference=RATES,
        base="b",
    ),
    Pair(
        16,
        "exponential(base_lr={b}, gamma={g})",
        "Exponential({g})",
        ({"b": 1.0, "g": 0.95}, {"b": 3e-4, "g": 0.999}),
        base="b",
    ),
    Pair(
        16,
        "exponential_decay(base_lr={b}, decay_rate={g}, decay_steps={n})",
        "Exponential({g}, {n})",
        ({"b": 1.0, "g": 0.5, "n": 10}, {"b": 3e-4, "g": 0.96, "n": 33}),
        base="b",
    ),
    Pair(
        23,
        "inverse_sqrt(base_lr={b}, warmup_steps={w})",
        "Warmup({w}) >> InverseSqrt({w})",
        ({"b": 1.0, "w": 10}, {"b": 3e-4, "w": 1}, {"b": 0.01, "w": 137}),
        base="b",
    ),
    Pair(
        30,
        "step_decay(base_lr={b}, drop={g}, step_size={k})",
        "Step({k}, {g})",
        ({"b": 1.0, "k": 30, "g": 0.1}, {"b": 3e-4, "k": 7, "g": 0.5}),
        base="b",
    ),
    Pair(
        31,
        "multi_step(base_lr={b}, milestones={list(m)}, gamma={g})",
        "MultiStep({dict.fromkeys(m, g)})",
        ({"b": 1.0, "m": (30, 80), "g": 0.1}, {"b": 3e-4, "m": (1, 2, 250), "g": 0.5}),
        difference="A factor per position instead of one for all.",
        base="b",
    ),
    Pair(
        51,
        "triangular(min_lr={lo}, max_lr={hi}, step_size={u})",
        "cyclic({u}, low={lo / hi})",
        ({"lo": 0.1, "hi": 1.0, "u": 20}, {"lo": 1e-5, "hi": 3e-4, "u": 7}),
        difference=CYCLE,
        base="hi",
    ),
    Pair(
        52,
        "triangular2(min_lr={lo}, max_lr={hi}, step_size={u})",
        "cyclic({u}, low={lo / hi}, shrink=0.5)",
        ({"lo": 0.1, "hi": 1.0, "u": 20}, {"lo": 1e-5, "hi": 3e-4, "u": 7}),
        difference=CYCLE,
        base="hi",
    ),
    Pair(
        53,
        "exp_range(min_lr={lo}, max_lr={hi}, step_size={u}, gamma={g})",
        "cyclic({u}, low={lo / hi}, factor={g})",
        ({"lo": 0.1, "hi": 1.0, "u": 20, "g": 0.99}, {"lo": 1e-5, "hi": 3e-4, "u": 7, "g": 0.9994}),
        difference=CYCLE,
        base="hi",
    ),
    Pair(
        55,
        "cosine_restarts(base_lr={b}, min_lr={e}, period={n}, t_mult={m})",
        "Cosine({n}, end={e / b}).repeat(stretch={m})",
        ({"b": 1.0, "e": 0.0, "n": 10, "m": 2}, {"b": 3e-4, "e": 1e-5, "n": 37, "m": 1}),
        difference=RATES,
        base="b",
    ),
    Pair(
        61,
        "one_cycle(max_lr={b}, total_steps={n}, pct_start={p}, initial_div={d}, final_div={f})",
        "one_cycle({n}, rise={round(p * n) / n}, start={1 / d}, end={1 / f})",
        (
            {"b": 1.0, "n": 100, "p": 0.3, "d": 25, "f": 1e4},
            {"b": 3e-4, "n": 37, "p": 0.3, "d": 10, "f": 100},
        ),
        difference="The length counts steps, the rise is rounded to whole ones, and the end is a "
        "part of the peak.",
        base="b",
    ),
    Pair(
        66,
        "warmup_stable_decay(base_lr={b}, warmup_steps={w}, decay_steps={d}, total_steps={n}, "
        "final_lr={e}, warmup_start={s}, decay_shape='linear')",
        "Warmup({w}, start={s / b}) >> Hold({n - w - d}) >> Linear({d}, end={e / b})",
        (
            {"b": 1.0, "w": 10, "d": 20, "n": 100, "e": 0.0, "s": 0.0},
            {"b": 3e-4, "w": 3, "d": 34, "n": 37, "e": 1e-5, "s": 2e-6},
            {"b": 1.0, "w": 0, "d": 0, "n": 10, "e": 0.1, "s": 0.0},
        ),
        difference="total_steps includes the warmup. " + RATES,
        base="b",
        count="2 * n",
    ),
    Pair(
        67,
        "warmup_stable_decay(base_lr={b}, warmup_steps={w}, decay_steps={d}, total_steps={n}, "
        "final_lr={e}, warmup_start={s}, decay_shape='1-sqrt')",
        "Warmup({w}, start={s / b}) >> Hold({n - w - d}) >> Power({d}, 0.5, end={e / b})",
        (
            {"b": 1.0, "w": 10, "d": 20, "n": 100, "e": 0.0, "s": 0.0},
            {"b": 3e-4, "w": 3, "d": 34, "n": 37, "e": 1e-5, "s": 2e-6},
        ),
        difference="total_steps includes the warmup. " + RATES,
        base="b",
    ),
    Pair(
        71,
        "with_warmup(cosine(base_lr={b}, min_lr={e}, total_steps={n}), warmup_steps={w}, "
        "start_lr={s})",
        "Warmup({w}, start={s / b}) >> Cosine({n}, end={e / b})",
        (
            {"b": 1.0, "e": 0.0, "n": 100, "w": 10, "s": 0.0},
            {"b": 3e-4, "e": 1e-5, "n": 37, "w": 3, "s": 1e-6},
        ),
        difference=RATES,
        base="b",
    ),
    Pair(
        71,
        "sequential([({w}, linear(base_lr={s}, end_lr={b}, total_steps={w})), "
        "({n}, cosine(base_lr={b}, min_lr={e}, total_steps={n}))])",
        "Warmup({w}, start={s / b}) >> Cosine({n}, end={e / b}).until({n - 1})",
        (
            {"b": 1.0, "e": 0.0, "n": 100, "w": 10, "s": 0.0},
            {"b": 3e-4, "e": 1e-5, "n": 37, "w": 3, "s": 1e-6},
        ),
        difference="Past the end it holds the last value before the end.",
        base="b",
    ),
)
