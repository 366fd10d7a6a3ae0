"""mesh_tensorflow.transformer.learning_rate_schedules (T5), by its formulas: the base rate is 1"""

from oracle.table import Pair, Peer

PEER = Peer(
    "MT", "Mesh TensorFlow (T5)", why_not="it calculates in TensorFlow, which is not installed."
)

_BELOW = "Past the end it falls on, below 0."
_ROOT = "(Hold({w}) >> InverseSqrt({w}))"

PAIRS = (
    Pair(1, "constant(step, total, value=1.0)", "Constant()", ({},), formula="1"),
    Pair(
        1,
        "constant_learning_rate(step, total, learning_rate={b})",
        "Constant()",
        ({"b": 0.3},),
        base="b",
        formula="b",
    ),
    Pair(
        3,
        "linear_decay(step, {n}, steps_or_fraction={f})",
        "Hold({n - n * f}) >> Linear({n * f})",
        ({"n": 40, "f": 0.25}, {"n": 40, "f": 1}),
        difference="The decay is the last part of the run.",
        fault=_BELOW,
        agrees_until="n + 1",
        formula="min(1, (n - t) / (n * f))",
    ),
    Pair(
        3,
        "linear_decay_learning_rate(step, {n}, initial_lr={b}, offset={o})",
        "Hold({o}) >> Linear({n - o})",
        ({"n": 40, "b": 0.1, "o": 0}, {"n": 41, "b": 0.1, "o": 13}),
        difference="The total includes the offset.",
        base="b",
        fault=_BELOW,
        agrees_until="n + 1",
        formula="b * min(1, (n - t) / (n - o))",
    ),
    Pair(
        24,
        "truncated_rsqrt(step, total, warmup_steps={w})",
        f"{_ROOT} * {{1 / sqrt(w)}}",
        ({"w": 10}, {"w": 3}),
        difference="The same numbers.",
        formula="1 / sqrt(max(t, w))",
    ),
    Pair(
        24,
        "learning_rate_schedule_noam(step, {n}, warmup_steps={w}, linear_decay_fraction=0, "
        "multiplier={m}, offset={o})",
        "(Hold({w + o}) >> InverseSqrt({w})) * {m / sqrt(w)}",
        ({"w": 10, "n": 99, "m": 1, "o": 0}, {"w": 3, "n": 99, "m": 2, "o": 4}),
        difference="No warmup: constant first. It counts from the offset.",
        formula="m / sqrt(max(t - o, w))",
    ),
    Pair(
        43,
        "slanted_triangular(step, {n}, cut_fraction={f}, ratio={r}, max_learning_rate={b})",
        "Linear({floor(n * f)}, {1 / r}, 1) >> Linear({floor(n * f) * (1 / f - 1)}, 1, {1 / r})",
        ({"n": 40, "f": 0.25, "r": 32, "b": 0.01}, {"n": 50, "f": 0.5, "r": 5, "b": 1}),
        difference="The rise is cut to whole steps.",
        base="b",
        fault=_BELOW,
        agrees_until="n + 1",
        formula="(lambda c: b * (1 + (r - 1) * (t / c if t < c else "
        "1 - (t - c) / (c * (1 / f - 1)))) / r)(floor(n * f))",
    ),
    Pair(
        66,
        "product_learning_rate(step, {n}, factors=[constant, linear_decay(steps_or_fraction={d})])",
        "Hold({n - d}) >> Linear({d})",
        ({"n": 40, "d": 10}, {"n": 41, "d": 2.5}),
        difference="steps_or_fraction above 1 counts steps.",
        fault=_BELOW,
        agrees_until="n + 1",
        formula="min(1, (n - t) / d)",
    ),
    Pair(
        66,
        "product_learning_rate(step, {n}, factors=[truncated_rsqrt(warmup_steps={w}), "
        "linear_decay(steps_or_fraction={d})])",
        f"{_ROOT} * (Hold({{n - d}}) >> Linear({{d}})) * {{1 / sqrt(w)}}",
        ({"n": 40, "d": 10, "w": 10}, {"n": 41, "d": 2.5, "w": 3}),
        difference="The plateau falls on during the decay.",
        fault=_BELOW,
        agrees_until="n + 1",
        formula="1 / sqrt(max(t, w)) * min(1, (n - t) / d)",
    ),
    Pair(
        69,
        "learning_rate_schedule_noam(step, {n}, warmup_steps={w}, linear_decay_fraction={f}, "
        "multiplier={m})",
        f"{_ROOT} * (Hold({{n - n * f}}) >> Linear({{n * f}})) * {{m / sqrt(w)}}",
        ({"n": 40, "f": 0.25, "w": 10, "m": 1}, {"n": 50, "f": 0.1, "w": 3, "m": 2}),
        difference="The plateau falls on during the decay.",
        fault=_BELOW,
        agrees_until="n + 1",
        formula="m / sqrt(max(t, w)) * min(1, (n - t) / (n * f))",
    ),
    Pair(
        71,
        "linear_warmup(step, total, steps_or_fraction={w})",
        "Warmup({w})",
        ({"w": 9}, {"w": 2.5}),
        difference="steps_or_fraction up to 1 is a part of the run.",
        formula="min(1, t / w)",
    ),
    Pair(
        73,
        "truncated_rsqrt(step, total, warmup_steps={w})",
        "Hold({w}, {1 / sqrt(w)}) >> InverseSqrt({w}) * {1 / sqrt(w)}",
        ({"w": 9},),
        difference="The constant is the peak itself.",
        formula="1 / sqrt(max(t, w))",
    ),
)
