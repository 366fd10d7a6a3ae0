"""praxis.schedules, by its formulas"""

from oracle.table import Pair, Peer

PEER = Peer(
    "PX", "praxis", why_not="its schedules are built by fiddle and lingvo, which are not installed."
)

_LINE = ({"a": 0, "n": 20, "y": 1, "z": 0.1}, {"a": 5, "n": 12, "y": 0.3, "z": 2})
_STAGES = ({"w": 5, "s": 20, "n": 50, "e": 0.1}, {"w": 0, "s": 7, "n": 24, "e": 0.01})
_POSITIONS = "start and limit are (position, value)."
_RAMPUP = "warmup_steps={w}, decay_start={s}, decay_end={n}, min_ratio={e}, max=1.0"
_ENDS = "decay_start and decay_end are positions."
_RISEN = "t / w if t < w else 1 if t < s else"
_U = "min((t - s) / (n - s), 1)"
_FROM_A = "(lambda u: y if t < a else {})(min((t - a) / n, 1))"

PAIRS = (
    Pair(1, "Constant(value=1.0)", "Constant()", ({},), formula="1"),
    Pair(
        3,
        "Linear(start=({a}, {y}), limit=({a + n}, {z}))",
        "Hold({a}, {y}) >> Linear({n}, {y}, {z})",
        _LINE,
        difference=_POSITIONS,
        formula=_FROM_A.format("y + u * (z - y)"),
    ),
    Pair(
        4,
        'Polynomial(start=({a}, {y}), limit=({a + n}, {z}), power={p}, origin="limit")',
        "Hold({a}, {y}) >> Polynomial({n}, {p}, {y}, {z})",
        tuple({**case, "p": p} for case, p in zip(_LINE, (2, 3), strict=True)),
        difference=_POSITIONS,
        formula=_FROM_A.format("y + (1 - (1 - u) ** p) * (z - y)"),
    ),
    Pair(
        5,
        'Polynomial(start=({a}, {y}), limit=({a + n}, {z}), power={p}, origin="start")',
        "Hold({a}, {y}) >> Power({n}, {p}, {y}, {z})",
        tuple({**case, "p": p} for case, p in zip(_LINE, (2, 3), strict=True)),
        difference=_POSITIONS,
        formula=_FROM_A.format("y + u ** p * (z - y)"),
    ),
    Pair(
        9,
        "Cosine(initial_value={a}, final_value={e}, total_steps={n})",
        "Cosine({n}, {a}, {e})",
        ({"a": 1, "e": 0, "n": 20}, {"a": 0.3, "e": 0.1, "n": 7}),
        difference="The same numbers.",
        formula="e + 0.5 * (a - e) * (1 + cos(pi * min(1, t / n)))",
    ),
    Pair(
        9,
        "DelayedCosine(start=({a}, {y}), limit=({a + n}, {z}))",
        "Hold({a}, {y}) >> Cosine({n}, {y}, {z})",
        _LINE,
        difference=_POSITIONS,
        formula=_FROM_A.format("z + 0.5 * (y - z) * (1 + cos(pi * u))"),
    ),
    Pair(
        19,
        "Exponential(start=({a}, {y}), limit=({a + n}, {z}))",
        "Hold({a}, {y}) >> Exponential({z / y}, {n}).until({n}) * {y}",
        _LINE,
        difference=_POSITIONS,
        formula=_FROM_A.format("exp(log(y) + u * (log(z) - log(y)))"),
    ),
    Pair(
        19,
        "ContinuousSchedule(initial_value=1.0, start_step={s}, half_life_steps={h}, min={m})",
        "Hold({s}) >> Exponential(0.5, {h}).clip(low={m})",
        ({"s": 10, "h": 20, "m": 0.1}, {"s": 0, "h": 7, "m": 0.01}),
        difference="min is a multiple.",
        formula="1 if t < s else exp(log(m) * min((t - s) / (h * log(m) / log(0.5)), 1))",
    ),
    Pair(
        23,
        "LinearRampupSqrtDecay(peak=1.0, warmup_steps={w})",
        "Hold(1, {1 / w}) >> Warmup({w}).skip(1) >> InverseSqrt({w})",
        ({"w": 10}, {"w": 3}),
        difference="Position 0 has the rate of position 1.",
        formula="min(max(t, 1) / w, sqrt(w / max(t, 1)))",
    ),
    Pair(
        24,
        "SqrtDecay(decay_start={s}, multiplier={m}, offset={o})",
        "(Hold({s + o}) >> InverseSqrt({s})) * {m / sqrt(s)}",
        ({"s": 10, "m": 1, "o": 0}, {"s": 3, "m": 2, "o": 4.5}),
        difference="decay_start counts from the offset.",
        formula="m / sqrt(max(t - o, s))",
    ),
    Pair(
        25,
        "Transformer(warmup_steps={w}, model_dim={d})",
        "noam({d}, {w})",
        ({"d": 512, "w": 10}, {"d": 64, "w": 7}),
        difference="worker_replicas multiplies warmup_steps.",
        formula="d ** -0.5 * min((t + 1) * w ** -1.5, (t + 1) ** -0.5)",
    ),
    Pair(
        25,
        "Transformer(warmup_steps={w}, model_dim={d}, decay_end={n})",
        "noam({d}, {w}).until({n})",
        ({"d": 512, "w": 10, "n": 50},),
        difference="The value at decay_end holds.",
        formula="d ** -0.5 * min((min(t, n) + 1) * w ** -1.5, (min(t, n) + 1) ** -0.5)",
    ),
    Pair(
        32,
        "PiecewiseConstant(boundaries=[{a}, {b}], values=[1.0, {x}, {y}])",
        "Table([[{a}, 1], [{b - a}, {x}], [1, {y}]])",
        ({"a": 10, "b": 25, "x": 0.5, "y": 0.05},),
        difference="Boundaries are positions, not lengths.",
        formula="1 if t < a else x if t < b else y",
        count="50",
    ),
    Pair(
        32,
        "LinearRampupPiecewiseConstant(boundaries=[{w}, {a}, {b}], values=[1.0, {x}, {y}])",
        "Warmup({w}) >> Table([[{a - w}, 1], [{b - a}, {x}], [1, {y}]])",
        ({"w": 5, "a": 10, "b": 25, "x": 0.5, "y": 0.05},),
        difference="Boundaries are positions, not lengths; the first ends the warmup.",
        formula="t / w if t < w else 1 if t < a else x if t < b else y",
        count="50",
    ),
    Pair(
        60,
        "CycleSchedule(schedules=[Cosine(total_steps={n}), Constant(value={c})], steps=[{a}, {b}])",
        "Cosine({n}) * (Hold({a}, 1) >> Hold({b}, 0)).repeat() "
        "+ Constant({c}) * (Hold({a}, 0) >> Hold({b}, 1)).repeat()",
        ({"n": 50, "c": 0.2, "a": 1, "b": 1}, {"n": 70, "c": 0.5, "a": 7, "b": 4}),
        difference="Each schedule sees the position in the run, not that in its turn.",
        formula="(1 + cos(pi * min(t / n, 1))) / 2 if t % (a + b) < a else c",
    ),
    Pair(
        65,
        f"LinearRampupCosineDecay({_RAMPUP})",
        "Warmup({w}) >> Hold({s - w}) >> Cosine({n - s}, end={e})",
        _STAGES,
        difference=_ENDS,
        formula=f"{_RISEN} e + (1 - e) * (1 + cos(pi * {_U})) / 2",
    ),
    Pair(
        66,
        f"LinearRampupPolynomialDecay({_RAMPUP}, power=1)",
        "Warmup({w}) >> Hold({s - w}) >> Linear({n - s}, end={e})",
        _STAGES,
        difference=_ENDS,
        formula=f"{_RISEN} 1 + {_U} * (e - 1)",
    ),
    Pair(
        66,
        f"LinearRampupPolynomialDecay({_RAMPUP}, power={{p}})",
        "Warmup({w}) >> Hold({s - w}) >> Power({n - s}, {p}, end={e})",
        tuple({**case, "p": p} for case, p in zip(_STAGES, (2, 3), strict=True)),
        difference=f"{_ENDS} The power is of the elapsed time.",
        formula=f"{_RISEN} 1 + {_U} ** p * (e - 1)",
    ),
    Pair(
        68,
        f"LinearRampupExponentialDecay({_RAMPUP})",
        "Warmup({w}) >> Hold({s - w}) >> Exponential({e}, {n - s}).until({n - s})",
        _STAGES,
        difference=_ENDS,
        formula=f"{_RISEN} exp({_U} * log(e))",
    ),
)
