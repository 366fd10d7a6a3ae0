"""The rows of the census: what each curve is called, its formula, and our expression for it.

A formula gives the value at position ``t`` as a multiple of the base rate (rows 24, 25 and 29: the
rate itself), with ``n`` for a length, ``w`` for a warmup's, ``e`` for the floor.
"""

from oracle.table import Row

__all__ = ["ROWS"]

_U = "min(t / n, 1)"

OPEN_LOOP = (
    Row(1, "constant", "Constant()", "1"),
    Row(
        2,
        "partial constant",
        "Hold({n}, {f}) >> Constant()",
        "f if t < n else 1",
        {"n": 5, "f": 0.1},
    ),
    Row(3, "linear", "Linear({n}, end={e})", f"1 + (e - 1) * {_U}", {"n": 50, "e": 0.1}),
    Row(
        4,
        "polynomial",
        "Polynomial({n}, {p}, end={e})",
        f"e + (1 - e) * (1 - {_U}) ** p",
        {"n": 50, "p": 2, "e": 0.1},
    ),
    Row(
        5,
        "power of the elapsed time (1-sqrt, 1-square)",
        "Power({n}, {p}, end={e})",
        f"1 + (e - 1) * {_U} ** p",
        {"n": 50, "p": 0.5, "e": 0.1},
    ),
    Row(
        6,
        "polynomial whose cycle is stretched",
        "Hold(1) >> Polynomial({n}, {p}).skip(1).until({n}).repeat()"
        " * InversePower({n}, {p}).staircase({n})",
        "1 if t == 0 else (1 - t / (n * ceil(t / n))) ** p",
        {"n": 10, "p": 2},
    ),
    Row(
        7,
        "polynomial that restarts",
        "Polynomial({n}, {p}).repeat()",
        "(1 - t % n / n) ** p",
        {"n": 10, "p": 0.5},
    ),
    Row(
        8,
        "k-decay polynomial",
        "Polynomial({n}, {p}, end={e}, k={k})",
        f"e + (1 - e) * (1 - {_U} ** k) ** p",
        {"n": 50, "p": 0.9, "k": 3, "e": 0.1},
    ),
    Row(
        9,
        "cosine",
        "Cosine({n}, end={e})",
        f"e + (1 - e) * (1 + cos(pi * {_U})) / 2",
        {"n": 50, "e": 0.1},
    ),
    Row(
        10,
        "power of a cosine",
        "Cosine({n}, end={e}, power={p})",
        f"e + (1 - e) * ((1 + cos(pi * {_U})) / 2) ** p",
        {"n": 50, "e": 0.1, "p": 2},
    ),
    Row(
        11,
        "k-decay cosine",
        "Cosine({n}, end={e}, k={k})",
        f"e + (1 - e) * (1 + cos(pi * {_U} ** k)) / 2",
        {"n": 50, "e": 0.1, "k": 1.5},
    ),
    Row(
        12,
        "several waves of a cosine",
        "warmup_cosine({n}, num_cycles={c})",
        f"(1 + cos(2 * pi * c * {_U})) / 2",
        {"n": 60, "c": 1.5},
    ),
    Row(
        13,
        "second half of a cosine",
        "Cosine({2 * n}).skip({n})",
        f"(1 + cos(pi * (1 + {_U}) / 2)) / 2",
        {"n": 50},
    ),
    Row(
        14,
        "cosine, then its floor",
        "Cosine({r * n}, end={e})",
        "e + (1 - e) * (1 + cos(pi * min(t / (r * n), 1))) / 2",
        {"n": 50, "r": 0.8, "e": 0.1},
    ),
    Row(
        15,
        "cosine cut short, linear to 0",
        "Cosine({n}).until({n - d}) >> Linear({d}, start={(1 + cos(pi * (n - d) / n)) / 2})",
        "(1 + cos(pi * min(t, n - d) / n)) / 2 * min(max((n - t) / d, 0), 1)",
        {"n": 50, "d": 20},
    ),
    Row(16, "exponential", "Exponential({g}, {n})", "g ** (t / n)", {"g": 0.5, "n": 10}),
    Row(
        17,
        "exponential in stairs",
        "Exponential({g}, {n}).staircase({n})",
        "g ** floor(t / n)",
        {"g": 0.5, "n": 10},
    ),
    Row(18, "natural exponential", "Exponential({exp(-g)})", "exp(-g * t)", {"g": 0.03}),
    Row(
        19,
        "geometric interpolation",
        "Exponential({b / a}, {n}).until({n}) * {a}",
        f"a * (b / a) ** {_U}",
        {"a": 1e-3, "b": 2.0, "n": 50},
    ),
    Row(
        20,
        "normalised exponential to 0",
        "Exponential({r}, {n}).until({n}) * {1 / (1 - r)} + {-r / (1 - r)}",
        f"(r ** {_U} - r) / (1 - r)",
        {"r": 0.5, "n": 50},
    ),
    Row(21, "inverse time", "InversePower({n / k}, 1)", "1 / (1 + k * t / n)", {"k": 0.5, "n": 10}),
    Row(
        22,
        "inverse time in stairs",
        "InversePower({n / k}, 1).staircase({n})",
        "1 / (1 + k * floor(t / n))",
        {"k": 0.5, "n": 10},
    ),
    Row(
        23,
        "inverse square root",
        "Warmup({w}) >> InverseSqrt({w})",
        "t / w if t < w else sqrt(w / t)",
        {"w": 10},
    ),
    Row(
        24,
        "inverse square root, not normalised",
        "(Hold({w}) >> InverseSqrt({w})) * {1 / sqrt(w)}",
        "1 / sqrt(max(t, w))",
        {"w": 10},
    ),
    Row(
        25,
        "Noam",
        "noam({d}, {w}, scale={s})",
        "s * d ** -0.5 * min((t + 1) ** -0.5, (t + 1) * w ** -1.5)",
        {"s": 2, "d": 512, "w": 10},
    ),
    Row(
        26,
        "Noam with a hold and an exponent",
        "Warmup({w}) >> Hold({h}) >> InversePower({w}, {a})",
        "t / w if t < w else 1 if t < w + h else (w / (t - h)) ** a",
        {"w": 10, "h": 5, "a": 0.7},
    ),
    Row(
        27,
        "Noam with anneals at intervals",
        "(Warmup({w}) >> InverseSqrt({w})) * MultiStep({dict([(20, 0.5), (30, 0.1)])})",
        "min(t / w, sqrt(w / max(t, 1))) * (0.5 if t >= 20 else 1) * (0.1 if t >= 30 else 1)",
        {"w": 10},
    ),
    Row(
        28,
        "power law",
        "Warmup({w}) >> InversePower({w}, {a})",
        "t / w if t < w else (t / w) ** -a",
        {"w": 10, "a": 0.3},
    ),
    Row(
        29,
        "power scheduler",
        "(InversePower(1, {c}) * {a}).clip(high={b})",
        "min(b, a * (t + 1) ** -c)",
        {"a": 4.6, "c": 0.51, "b": 1.5},
    ),
    Row(30, "steps", "Step({n}, {g})", "g ** floor(t / n)", {"n": 10, "g": 0.1}),
    Row(
        31,
        "steps at chosen positions",
        "MultiStep({dict([(10, g), (25, g)])})",
        "g ** ((t >= 10) + (t >= 25))",
        {"g": 0.1},
    ),
    Row(
        32,
        "piecewise constant",
        "Table([[10, 1], [15, 0.5], [5, 0.05]])",
        "1 if t < 10 else 0.5 if t < 25 else 0.05",
    ),
    Row(
        33,
        "a rate per epoch or range of epochs",
        "Absolute(Table([[3, 0.1], [1, 0.05], [6, 0.01]]))",
        "0.1 if t < 3 else 0.05 if t < 4 else 0.01",
    ),
    Row(
        34,
        "a list, then forced annealing",
        "Hold({f}) >> Exponential({s}).skip(1)",
        "1 if t < f else s ** (t + 1 - f)",
        {"f": 10, "s": 0.9},
    ),
    Row(
        35,
        "piecewise linear",
        "Linear(10, 0, 1) >> Linear(20, 1, 0.3) >> Linear(5, 0.3, 0)",
        "t / 10 if t < 10 else 1 - 0.7 * (t - 10) / 20 if t < 30 else 0.3 * max(35 - t, 0) / 5",
    ),
    Row(
        36,
        "piecewise cosine",
        "Cosine(10, 0, 1) >> Cosine(20, 1, 0.3)",
        "(1 - cos(pi * t / 10)) / 2 if t < 10 "
        "else 0.3 + 0.35 * (1 + cos(pi * min((t - 10) / 20, 1)))",
    ),
    Row(
        37,
        "hyperbolic tangent",
        "Tanh({n}, {l}, {r}, end={e})",
        f"e + (1 - e) * (1 - tanh(l * (1 - {_U}) + r * {_U})) / 2",
        {"n": 50, "l": -6, "r": 3, "e": 0.1},
    ),
    Row(
        38,
        "REX",
        "Rex({n}, {d})",
        f"(1 - {_U}) / (1 - d + d * (1 - {_U}))",
        {"n": 50, "d": 0.9},
    ),
    Row(
        39,
        "hyperbolic",
        "Hyperbolic({n}, {m}, end={e})",
        "1 + (1 - e) * (sqrt(max(n - t, 0) / m * (2 - (n + t) / m)) - sqrt(n / m * (2 - n / m)))",
        {"n": 50, "m": 80, "e": 0.1},
    ),
    Row(
        40,
        "hyperbolic in the exponent",
        "ExpHyperbolic({n}, {m}, end={e})",
        "(1 / e) ** (sqrt(max(n - t, 0) / m * (2 - (n + t) / m)) - sqrt(n / m * (2 - n / m)))",
        {"n": 50, "m": 80, "e": 0.1},
    ),
    Row(
        41,
        "Chebyshev steps, permuted",
        "Table({[[1, 1 / (0.525 - 0.475 * cos(pi * (i + 0.5) / 4))] for i in (0, 3, 1, 2)]})",
        "1 / (0.525 - 0.475 * cos(pi * ((0, 3, 1, 2)[min(int(t), 3)] + 0.5) / 4))",
    ),
    Row(
        42,
        "Chebyshev nodes, falling",
        "Cosine({n}).skip(0.5).until({n - 1})",
        "(1 + cos(pi * (2 * min(t, n - 1) + 1) / (2 * n))) / 2",
        {"n": 20},
    ),
    Row(
        43,
        "slanted triangular",
        "Linear({c}, {1 / r}, 1) >> Linear({n - c}, 1, {1 / r})",
        "(1 + min(t / c, 1 - min((t - c) / (n - c), 1)) * (r - 1)) / r",
        {"c": 10, "n": 50, "r": 32},
    ),
    Row(44, "a function", "Function('half-life')", "0.5 ** (t / 100)"),
    Row(
        45,
        "a product of a function's values",
        "Table([[1, 1], [1, 0.9], [1, 0.9 * 0.8]])".replace("0.9 * 0.8", "0.72"),
        "1 if t < 1 else 0.9 if t < 2 else 0.72",
    ),
    Row(
        46,
        "anneal to a constant (SWA)",
        "Cosine({n}).until({s}) >> Cosine({a}, start={(1 + cos(pi * s / n)) / 2}, end={e})",
        "(1 + cos(pi * t / n)) / 2 if t < s else e + "
        "((1 + cos(pi * s / n)) / 2 - e) * (1 + cos(pi * min((t - s) / a, 1))) / 2",
        {"n": 50, "s": 30, "a": 10, "e": 0.05},
    ),
    Row(
        47,
        "a quantity proportional to the rate",
        "Cosine({n}) * {b - a} + {a}",
        f"a + (b - a) * (1 + cos(pi * {_U})) / 2",
        {"n": 50, "a": 0.02, "b": 0.3},
    ),
    Row(
        48,
        "ramp of the weight decay",
        "Cosine({n}, start={a}, end={b})",
        f"b + (a - b) * (1 + cos(pi * {_U})) / 2",
        {"n": 50, "a": 0.01, "b": 0.1},
    ),
    Row(
        49,
        "the optimizer's own relative step (Adafactor)",
        "InverseSqrt(1).clip(high=0.01)",
        "min(0.01, 1 / sqrt(t + 1))",
    ),
    Row(
        50,
        "power growth without a norm",
        exception="a defect: the value is not divided by the length's power and reaches 9.4 times "
        "the peak at step 100. Its documentation describes `Warmup(w) >> Polynomial(n - w, p)`",
    ),
)

CYCLES = (
    Row(
        51,
        "triangular",
        "cyclic({n}, low={l})",
        "l + (1 - l) * max(0, 1 - abs(t / n - 2 * floor(1 + t / (2 * n)) + 1))",
        {"n": 10, "l": 0.1},
    ),
    Row(
        52,
        "triangular, shrinking",
        "cyclic({n}, low={l}, shrink={s})",
        "l + (1 - l) * max(0, 1 - abs(t / n - 2 * floor(1 + t / (2 * n)) + 1)) "
        "* s ** floor(t / (2 * n))",
        {"n": 10, "l": 0.1, "s": 0.5},
    ),
    Row(
        53,
        "triangular, decaying with every step",
        "cyclic({n}, low={l}, factor={g})",
        "l + (1 - l) * max(0, 1 - abs(t / n - 2 * floor(1 + t / (2 * n)) + 1)) * g ** t",
        {"n": 10, "l": 0.1, "g": 0.99},
    ),
    Row(
        54,
        "triangular, scaled by a function",
        "Triangular({n}).repeat() * Function('half-life')",
        "max(0, 1 - abs(t / n - 2 * floor(1 + t / (2 * n)) + 1)) * 0.5 ** (t / 100)",
        {"n": 10},
    ),
    Row(
        55,
        "cosine with warm restarts",
        "Cosine({n}).repeat(stretch=2, shrink={d})",
        "d ** floor(log2(t / n + 1)) * (1 + cos(pi * "
        "(t - n * (2 ** floor(log2(t / n + 1)) - 1)) / (n * 2 ** floor(log2(t / n + 1))))) / 2",
        {"n": 8, "d": 0.5},
    ),
    Row(
        56,
        "hyperbolic tangent with restarts",
        "Tanh({n}, {l}, {r}).repeat(shrink={d})",
        "d ** floor(t / n) * (1 - tanh(l * (1 - t % n / n) + r * (t % n / n))) / 2",
        {"n": 10, "l": -6, "r": 3, "d": 0.8},
    ),
    Row(
        57,
        "cosine that rises again",
        "(Cosine({n}) >> Cosine({n}, 0, 1)).repeat()",
        "(1 + cos(pi * t / n)) / 2",
        {"n": 10},
    ),
    Row(
        58,
        "jagged restarts over a schedule",
        "Cosine({n}) * (Linear({w}, 0, 1) >> Hold({r - w})).repeat()",
        "(1 + cos(pi * min(t / n, 1))) / 2 * min(t % r / w, 1)",
        {"n": 60, "r": 15, "w": 5},
    ),
    Row(
        59,
        "several periods of warmup, stable, decay",
        "Warmup({w}) >> (Hold({s}) >> Linear({d})).repeat({3})",
        "t / w if t < w else min(1, (s + d - (t - w) % (s + d)) / d) if t < w + 3 * (s + d) else 0",
        {"w": 5, "s": 10, "d": 4},
    ),
    Row(
        60,
        "schedules that take turns",
        "Cosine({n}) * (Hold(1, 1) >> Hold(1, 0)).repeat() "
        "+ Constant({c}) * (Hold(1, 0) >> Hold(1, 1)).repeat()",
        "c if t % 2 else (1 + cos(pi * min(t / n, 1))) / 2",
        {"n": 50, "c": 0.2},
    ),
    Row(
        61,
        "one cycle in two phases",
        "one_cycle({n}, rise={p}, start={a}, end={e})",
        "(a + (1 - a) * (1 - cos(pi * t / (p * n))) / 2) if t < p * n "
        "else e + (1 - e) * (1 + cos(pi * min((t - p * n) / (n - p * n), 1))) / 2",
        {"n": 50, "p": 0.3, "a": 0.04, "e": 4e-6},
    ),
    Row(
        62,
        "one cycle in three phases",
        "Linear({n}, {a}, 1) >> Linear({n}, 1, {a}) >> Linear({m}, {a}, {e})",
        "a + (1 - a) * t / n if t < n else 1 + (a - 1) * (t - n) / n if t < 2 * n "
        "else a + (e - a) * min((t - 2 * n) / m, 1)",
        {"n": 20, "m": 10, "a": 0.04, "e": 1e-4},
    ),
    Row(
        63,
        "one cycle in stairs, then inverse time",
        "Linear({n}, {a}, 1).staircase({k}) >> Linear({n}, 1, {a}).staircase({k}) "
        ">> InversePower({m / r}, 1) * {a}",
        "a + (1 - a) * k * floor(t / k) / n if t < n "
        "else 1 + (a - 1) * k * floor((t - n) / k) / n if t < 2 * n "
        "else a / (1 + r * (t - 2 * n) / m)",
        {"n": 20, "k": 5, "a": 0.1, "m": 10, "r": 0.5},
    ),
)

PLANS = (
    Row(
        64,
        "flat, then cosine",
        "Hold({f}) >> Cosine({n}, end={e})",
        "e + (1 - e) * (1 + cos(pi * min(max(t - f, 0) / n, 1))) / 2",
        {"f": 20, "n": 50, "e": 0.1},
    ),
    Row(
        65,
        "warmup, hold, cosine",
        "Warmup({w}) >> Hold({h}) >> Cosine({n})",
        "t / w if t < w else (1 + cos(pi * min(max(t - w - h, 0) / n, 1))) / 2",
        {"w": 5, "h": 20, "n": 50},
    ),
    Row(
        66,
        "warmup, stable, decay (WSD)",
        "Warmup({w}) >> Hold({h}) >> Linear({n}, end={e})",
        "t / w if t < w else 1 + (e - 1) * min(max(t - w - h, 0) / n, 1)",
        {"w": 5, "h": 20, "n": 30, "e": 0.1},
    ),
    Row(
        67,
        "WSD with another cooldown",
        "Warmup({w}) >> Hold({h}) >> Power({n}, 0.5)",
        "t / w if t < w else 1 - sqrt(min(max(t - w - h, 0) / n, 1))",
        {"w": 5, "h": 20, "n": 30},
    ),
    Row(
        68,
        "warmup, hold, exponential",
        "Linear({w}, {a}, 1) >> Hold({h}) >> Exponential({e}, {n}).until({n})",
        "a + (1 - a) * t / w if t < w else e ** min(max(t - w - h, 0) / n, 1)",
        {"a": 0.01, "w": 5, "h": 20, "n": 30, "e": 0.05},
    ),
    Row(
        69,
        "decaying plateau, linear cooldown",
        "Warmup({w}) >> InverseSqrt({w}).until({h}) >> Linear({n}, start={sqrt(w / (w + h))})",
        "t / w if t < w else sqrt(w / min(t, w + h)) * (1 - min(max(t - w - h, 0) / n, 1))",
        {"w": 5, "h": 20, "n": 30},
    ),
    Row(
        70,
        "late decay from any step",
        "Cosine({n}).until({s}) >> Linear({d}, start={(1 + cos(pi * s / n)) / 2}, end={e})",
        "(1 + cos(pi * t / n)) / 2 if t < s "
        "else (1 + cos(pi * s / n)) / 2 + (e - (1 + cos(pi * s / n)) / 2) * min((t - s) / d, 1)",
        {"n": 50, "s": 20, "d": 10, "e": 0.01},
    ),
)

WARMUPS = (
    Row(
        71,
        "linear warmup from a",
        "Warmup({w}, start={a})",
        "a + (1 - a) * min(t / w, 1)",
        {"w": 9, "a": 0.1},
    ),
    Row(
        72,
        "linear warmup that is never 0",
        "Warmup({w}).skip(1)",
        "min((t + 1) / w, 1)",
        {"w": 9},
    ),
    Row(
        73,
        "constant warmup",
        "Hold({w}, {c}) >> Constant()",
        "c if t < w else 1",
        {"w": 9, "c": 0.1},
    ),
    Row(74, "cosine warmup", "Cosine({w}, 0, 1)", "(1 - cos(pi * min(t / w, 1))) / 2", {"w": 9}),
    Row(
        75,
        "1-sqrt warmup",
        "Polynomial({w}, 0.5, start=0, end=1)",
        "1 - sqrt(1 - min(t / w, 1))",
        {"w": 9},
    ),
    Row(76, "quadratic warmup", "Power({w}, 2, start=0, end=1)", "min(t / w, 1) ** 2", {"w": 9}),
    Row(
        77,
        "geometric warmup",
        "Exponential({1 / a}, {w}).until({w}) * {a}",
        "a ** (1 - min(t / w, 1))",
        {"a": 0.01, "w": 9},
    ),
    Row(
        78,
        "logarithmic warmup",
        "LogWarmup({w - 1})",
        "min(log(t + 1) / log(w), 1)",
        {"w": 9},
    ),
    Row(
        79,
        "saturating warmup",
        "Exponential({exp(-1 / w)}).skip(1) * -1 + 1",
        "1 - exp(-(t + 1) / w)",
        {"w": 9},
    ),
    Row(
        80,
        "untuned linear warmup, from beta2",
        "Warmup({2 / (1 - b)}).skip(1)",
        "min((t + 1) * (1 - b) / 2, 1)",
        {"b": 0.99},
    ),
    Row(
        81,
        "untuned exponential warmup, from beta2",
        "Exponential({exp(b - 1)}).skip(1) * -1 + 1",
        "1 - exp(-(t + 1) * (1 - b))",
        {"b": 0.99},
    ),
    Row(
        82,
        "RAdam's rectification",
        "RectifiedWarmup({b})",
        "(lambda m, r: sqrt((r - 4) * (r - 2) * m / ((m - 4) * (m - 2) * r)) if r > 4 else 0)("
        "2 / (1 - b) - 1, 2 / (1 - b) - 1 - 2 * (t + 1) * b ** (t + 1) / (1 - b ** (t + 1)))",
        {"b": 0.99},
    ),
    Row(
        83,
        "warmup beyond the base rate",
        "Linear({w}, 1, {m})",
        "1 + (m - 1) * min(t / w, 1)",
        {"m": 8, "w": 9},
    ),
)

ROWS = OPEN_LOOP + CYCLES + PLANS + WARMUPS
