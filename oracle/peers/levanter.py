"""levanter.optim.config, by its formulas: learning_rate is the base rate"""

from oracle.table import Pair, Peer

PEER = Peer("LV", "levanter", why_not="on PyPI is only its 1.1 of 2023, with other schedules.")

_PARTS = "Whole numbers are steps, others parts of the run; min_lr_ratio is a multiple."
_INCLUDES = f"The run includes the warmup. {_PARTS}"
_CYCLES = f"The first cycle includes the warmup, the others the rewarmup. {_PARTS}"
_FALLS = ({"w": 3, "n": 20, "e": 0.1}, {"w": 0, "n": 17, "e": 0})
_PLANS = ({"w": 5, "n": 50, "d": 20, "e": 0.1}, {"w": 0, "n": 37, "d": 11, "e": 0})
_COSINE = "(1 + cos(pi * min((t - w) / (n - w), 1))) / 2"
_U = "min((t - n + d) / d, 1)"


def _call(schedule: str, more: str = "") -> str:
    return f"AdamConfig(learning_rate=1.0, warmup={{w}}, min_lr_ratio={{e}}, {more}" + (
        f"lr_schedule={schedule}).lr_scheduler({{n}})"
    )


PAIRS = (
    Pair(
        1,
        'AdamConfig(learning_rate=1.0, warmup=0, lr_schedule="constant").lr_scheduler({n})',
        "Constant()",
        ({"n": 10},),
        formula="1",
    ),
    Pair(
        3,
        _call('"linear"'),
        "Warmup({w}) >> Linear({n - w}, end={e})",
        _FALLS,
        difference=_INCLUDES,
        formula="t / w if t < w else 1 + (e - 1) * min((t - w) / (n - w), 1)",
    ),
    Pair(
        9,
        _call('"cosine"'),
        "Warmup({w}) >> Cosine({n - w}, end={e})",
        _FALLS,
        difference=_INCLUDES,
        formula=f"t / w if t < w else (1 - e) * {_COSINE} + e",
    ),
    Pair(
        10,
        _call("CosineLrSchedule(exponent={p})"),
        "Warmup({w}) >> Cosine({n - w}, end={e}, power={p})",
        ({"w": 3, "n": 20, "e": 0.1, "p": 2}, {"w": 0, "n": 17, "e": 0, "p": 0.7}),
        difference=_INCLUDES,
        formula=f"t / w if t < w else (1 - e) * ({_COSINE}) ** p + e",
    ),
    Pair(
        21,
        _call('"inv"'),
        "Warmup({w}) >> (Hold(1, {1 / (1 + (1 / e - 1) / (n - w))})"
        " >> InversePower({(n - w) / (1 / e - 1)}, 1).skip(1)).clip(low={e})",
        ({"w": 3, "n": 20, "e": 0.1}, {"w": 0, "n": 17, "e": 0.4}),
        difference=f"{_INCLUDES} It reaches the floor at the end of the run; the first position "
        "after the warmup has the rate of the second.",
        formula="t / w if t < w else max(1 / ((1 / e - 1) * max(t - w, 1) / (n - w) + 1), e)",
    ),
    Pair(
        23,
        _call("InvSqrtLrSchedule(timescale={k})"),
        "Warmup({w}) >> (InverseSqrt({w}) * {sqrt(k / w)}).clip({e}, 1)",
        ({"w": 10, "k": 10, "n": 99, "e": 0.1}, {"w": 7, "k": 20, "n": 99, "e": 0.3}),
        difference="The peak holds until the timescale; the floor cuts the curve off.",
        formula="t / w if t < w else max(min(1, 1 / sqrt(t / k)), e)",
    ),
    Pair(
        29,
        "AdamConfig(learning_rate={b}, warmup=0, lr_schedule=PowerLrSchedule(batch_size={m}, "
        "seq_length={s}, a={a}, b={-c})).lr_scheduler({n})",
        "Hold(1, {b}) >> (InversePower(1, {c}) * {m * a * (m * s) ** -c}).clip(high={b})",
        (
            {"b": 0.02, "m": 8, "s": 1024, "a": 4.6, "c": 0.51, "n": 99},
            {"b": 0.1, "m": 64, "s": 512, "a": 0.3, "c": 0.51, "n": 99},
        ),
        difference="Counts tokens: steps times batch_size times seq_length. A rate.",
        formula="b if t == 0 else min(b, m * a * (t * m * s) ** -c)",
    ),
    Pair(
        55,
        _call('"cosine"', "rewarmup={r}, cycle_length={m}, "),
        "Warmup({w}) >> Cosine({m - w}, end={e}) >> "
        "(Linear({r}, {e}, 1) >> Cosine({m - r}, end={e})).repeat({n // m - 1})",
        (
            {"w": 3, "n": 60, "m": 20, "r": 0, "e": 0.1},
            {"w": 5, "n": 68, "m": 17, "r": 4, "e": 0},
        ),
        difference=_CYCLES,
        formula="e + (1 - e) * (1 + cos(pi)) / 2 if t >= n else t / w if t < w else "
        "(lambda x, k: e + (1 - e) * x / k if x < k else e + (1 - e) * (1 + cos("
        "pi * (x - k) / (m - k))) / 2)(t % m, w if t < m else r)",
    ),
    Pair(
        59,
        _call('"linear"', "rewarmup={r}, decay={d}, cycle_length={m}, "),
        "Warmup({w}) >> Hold({m - w - d}) >> Linear({d}, end={e}) >> "
        "(Linear({r}, {e}, 1) >> Hold({m - r - d}) >> Linear({d}, end={e})).repeat({n // m - 1})",
        (
            {"w": 3, "n": 60, "m": 20, "r": 0, "d": 5, "e": 0.1},
            {"w": 5, "n": 68, "m": 17, "r": 4, "d": 6, "e": 0},
        ),
        difference=_CYCLES,
        formula="e if t >= n else t / w if t < w else (lambda x, k: "
        "e + (1 - e) * x / k if x < k else 1 + (e - 1) * max(x - m + d, 0) / d)"
        "(t % m, w if t < m else r)",
    ),
    Pair(
        65,
        _call('"cosine"', "decay={d}, "),
        "Warmup({w}) >> Hold({n - w - d}) >> Cosine({d}, end={e})",
        _PLANS,
        difference=_INCLUDES,
        formula=f"t / w if t < w else 1 if t < n - d else e + (1 - e) * (1 + cos(pi * {_U})) / 2",
    ),
    Pair(
        66,
        _call('"linear"', "decay={d}, "),
        "Warmup({w}) >> Hold({n - w - d}) >> Linear({d}, end={e})",
        _PLANS,
        difference=_INCLUDES,
        formula=f"t / w if t < w else 1 if t < n - d else 1 + (e - 1) * {_U}",
    ),
    Pair(
        70,
        _call("InvSqrtLrSchedule(timescale={w})", "cooldown={d}, "),
        "Warmup({w}) >> InverseSqrt({w}).until({n - d - w})"
        " >> Linear({d}, start={sqrt(w / (n - d))}, end={e})",
        ({"w": 10, "n": 60, "d": 20, "e": 0}, {"w": 3, "n": 41, "d": 7, "e": 0.1}),
        difference=f"{_INCLUDES} cooldown is deprecated there.",
        formula="t / w if t < w else 1 / sqrt(t / w) if t < n - d else "
        f"1 / sqrt((n - d) / w) * (1 - {_U}) + e * {_U}",
    ),
    Pair(
        71,
        _call('"constant"'),
        "Warmup({w})",
        ({"w": 9, "n": 20, "e": 0}, {"w": 1, "n": 20, "e": 0}),
        difference=_PARTS,
        formula="t / w if t < w else 1",
    ),
)
