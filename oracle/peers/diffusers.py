"""diffusers.optimization"""

from oracle.drivers import from_optimizer
from oracle.table import Pair, Peer

PEER = Peer("DF", "diffusers", package="diffusers")


def rates(call: str, count: int, base: float) -> list[float]:
    from diffusers import optimization

    return from_optimizer(call, vars(optimization), count, base)


INCLUDES = "num_training_steps includes the warmup."

PAIRS = (
    Pair(1, "get_constant_schedule(optimizer)", "Constant()", ({"b": 0.3},), base="b", count="20"),
    Pair(
        3,
        "get_linear_schedule_with_warmup(optimizer, {w}, {n})",
        "Warmup({w}) >> Linear({n - w})",
        ({"w": 10, "n": 100}, {"w": 0, "n": 7}, {"w": 3, "n": 4}),
        difference=INCLUDES,
    ),
    Pair(
        3,
        "get_linear_schedule_with_warmup(optimizer, {w}, {n}, f_min={e}, f_max={f})",
        "Warmup({w}) * {f} >> Linear({n - w}, {f}, {e})",
        ({"w": 10, "n": 100, "e": 0.1, "f": 1.0}, {"w": 3, "n": 31, "e": 0.2, "f": 1.5}),
        difference=INCLUDES,
    ),
    Pair(
        4,
        "get_polynomial_decay_schedule_with_warmup(optimizer, {w}, {n}, lr_end={e}, power={p})",
        "Warmup({w}) >> Polynomial({n - w}, {p}, end={e / b})",
        (
            {"w": 10, "n": 100, "b": 0.1, "e": 1e-7, "p": 1.0},
            {"w": 0, "n": 33, "b": 2e-3, "e": 1e-4, "p": 0.5},
            {"w": 7, "n": 50, "b": 1.0, "e": 0.25, "p": 2.5},
        ),
        difference=INCLUDES + " lr_end is a rate.",
        base="b",
    ),
    Pair(
        9,
        "get_cosine_schedule_with_warmup(optimizer, {w}, {n})",
        "Warmup({w}) >> Cosine({n - w})",
        ({"w": 10, "n": 100}, {"w": 0, "n": 31}),
        difference=INCLUDES,
        fault="Past the end the rate rises again.",
        agrees_until="n + 1",
    ),
    Pair(
        12,
        "get_cosine_schedule_with_warmup(optimizer, {w}, {n}, num_cycles={c})",
        "Warmup({w}) >> warmup_cosine({n - w}, num_cycles={c})",
        ({"w": 10, "n": 100, "c": 1.5}, {"w": 4, "n": 57, "c": 0.8}),
        difference=INCLUDES,
        fault="Past the end the wave goes on.",
        agrees_until="n + 1",
    ),
    Pair(
        32,
        'get_piecewise_constant_schedule(optimizer, "{x}:{i},{y}:{j},{z}")',
        "Table([[{i}, {x}], [{j - i}, {y}], [1, {z}]])",
        (
            {"x": 1, "i": 10, "y": 0.1, "j": 20, "z": 0.005, "b": 1.0},
            {"x": 0.3, "i": 1, "y": 2.0, "j": 33, "z": 0.25, "b": 3e-4},
        ),
        difference="Positions where a value ends, not lengths; the last value has none.",
        base="b",
    ),
    Pair(
        55,
        "get_cosine_with_hard_restarts_schedule_with_warmup(optimizer, {w}, {n}, num_cycles={c})",
        "Warmup({w}) >> Cosine({(n - w) / c}).repeat({c})",
        ({"w": 10, "n": 100, "c": 3}, {"w": 5, "n": 42, "c": 5}),
        difference=INCLUDES,
    ),
    Pair(
        71,
        "get_constant_schedule_with_warmup(optimizer, {w})",
        "Warmup({w})",
        ({"w": 10}, {"w": 1}, {"w": 37}),
    ),
)
