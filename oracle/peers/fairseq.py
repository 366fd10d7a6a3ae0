"""fairseq.optim.lr_scheduler, by its formulas: a position is num_updates, or an epoch less 1"""

from oracle.table import Pair, Peer

PEER = Peer(
    "FS",
    "fairseq",
    why_not="its last release, 0.12.2, has no wheel and its configuration does not load on "
    "Python 3.11.",
)

_INCLUDES = "max-update includes the warmup; min-lr is a rate."
_RESTARTS = (
    "(lambda c: a + (1 - a) * t / w if t < w else "
    "s ** (c // n) * (e + (1 - e) * (1 + cos(pi * (c % n) / n)) / 2))(t - w)"
)
_STRETCHED = (
    "(lambda c: t / w if t < w else (lambda i: s ** i * (e + (1 - e) * (1 + cos("
    "pi * (c - (1 - m ** i) / (1 - m) * n) / (m ** i * n))) / 2))"
    "(floor(log(1 - c / n * (1 - m), m))))(t - w)"
)
_TRIANGLE = "max(0, 1 - abs(t / n - 2 * floor(t / (2 * n)) - 1))"
_THREE_STAGES = (
    "a + (1 - a) * t / w if t < w else 1 if t < w + h "
    "else exp(log(e) / n * (t - w - h)) if t <= w + h + n else e"
)

PAIRS = (
    Pair(
        4,
        "--lr-scheduler polynomial_decay --lr 1 --warmup-updates {w} --total-num-update {n} "
        "--power {p} --end-learning-rate {e}",
        "Warmup({w}) >> Polynomial({n - w}, {p}, end={e})",
        ({"w": 3, "n": 20, "p": 2, "e": 0}, {"w": 0, "n": 17, "p": 0.7, "e": 0.1}),
        difference="total-num-update includes the warmup; end-learning-rate is a rate.",
        formula="t / w if 0 < w and t <= w else e if t >= n "
        "else (1 - e) * (1 - (t - w) / (n - w)) ** p + e",
    ),
    Pair(
        9,
        "--lr-scheduler cosine --lr 1 --warmup-updates {w} --warmup-init-lr {a} --min-lr {e} "
        "--max-update {w + n} --lr-shrink {s}",
        "Warmup({w}, start={a}) >> Cosine({n}, end={e}).repeat(shrink={s})",
        (
            {"w": 3, "n": 20, "e": 0, "a": 0, "s": 0.1},
            {"w": 0, "n": 17, "e": 0.1, "a": 0.1, "s": 1},
        ),
        difference=f"{_INCLUDES} Past the end it restarts, lr-shrink times as high.",
        formula=_RESTARTS,
        count="4 * n",
    ),
    Pair(
        19,
        "--lr-scheduler tri_stage --lr 1 --warmup-steps {w} --hold-steps {h} --decay-steps {n} "
        "--final-lr-scale {e}",
        "Exponential({e}, {n}).until({n})",
        ({"w": 0, "h": 0, "n": 20, "e": 0.01}, {"w": 0, "h": 0, "n": 17, "e": 0.5}),
        difference="final-lr-scale is a multiple.",
        formula="exp(log(e) / n * t) if t <= n else e",
    ),
    Pair(
        23,
        "--lr-scheduler inverse_sqrt --lr 1 --warmup-updates {w} --warmup-init-lr {a}",
        "Warmup({w}, start={a}) >> InverseSqrt({w})",
        ({"w": 10, "a": 0}, {"w": 7, "a": 0.1}),
        difference="warmup-init-lr is a rate.",
        formula="a + (1 - a) / w * t if t < w else w ** 0.5 * t ** -0.5",
    ),
    Pair(
        30,
        "--lr-scheduler step --lr 1 --warmup-updates {w} --warmup-init-lr {a} --min-lr {e} "
        "--lr-deacy-period {n} --lr-decay {g}",
        "Warmup({w}, start={a}) >> Step({n}, {g}).clip(low={e})",
        (
            {"w": 0, "n": 10, "g": 0.5, "e": 0, "a": 0},
            {"w": 5, "n": 7, "g": 0.1, "e": 0.005, "a": 0.01},
        ),
        difference="min-lr cuts the steps off and is a rate; the period counts after the warmup.",
        formula="a + (1 - a) / w * t if t < w else max(g ** ((t - w) // n), e)",
    ),
    Pair(
        32,
        "--lr-scheduler fixed --lr 1,{x},{y}",
        "Table([[1, 1], [1, {x}], [1, {y}]])",
        ({"x": 0.5, "y": 0.05},),
        difference="Positions are epochs; in steps: .per_epoch(m).",
        formula="1 if t < 1 else x if t < 2 else y",
    ),
    Pair(
        33,
        "--lr-scheduler manual --epoch2lr \"{{'1-{a}': {x}, '{a + 1}': {y}, '{b},{b + 1}': {z}}}\"",
        "Table([[{a}, {x}], [{b - a - 1}, {y}], [1, {z}]])",
        ({"a": 3, "b": 7, "x": 0.1, "y": 0.05, "z": 0.01},),
        difference="Rates per epoch, counted from 1; in steps: .per_epoch(m).",
        formula="x if t + 1 <= a else y if t + 1 < b else z",
    ),
    Pair(
        33,
        "--lr-scheduler manual --update2lr \"{{'0': {x}, '{a}': {y}, '{b}': {z}}}\"",
        "Table([[{a}, {x}], [{b - a}, {y}], [1, {z}]])",
        ({"a": 3, "b": 7, "x": 0.1, "y": 0.05, "z": 0.01},),
        difference="Rates per update, counted from 0.",
        formula="x if t < a else y if t < b else z",
    ),
    Pair(
        34,
        "--lr-scheduler fixed --lr 1,{x} --force-anneal {f} --lr-shrink {s}",
        "Hold(1) >> (Hold({f - 2}) >> Exponential({s}).skip(1)) * {x}",
        ({"f": 10, "s": 0.9, "x": 1}, {"f": 4, "s": 0.1, "x": 0.5}),
        difference="Positions are epochs, force-anneal counts from 1: the first lower rate is at "
        "f - 1. In steps: .per_epoch(m).staircase(m).",
        formula="(1 if t == 0 else x) if t + 1 < f else x * s ** (t + 2 - f)",
    ),
    Pair(
        51,
        "--lr-scheduler triangular --lr {l} --max-lr 1 --lr-period-updates {2 * n} --lr-shrink 1",
        "cyclic({n}, low={l})",
        ({"n": 10, "l": 0.1}, {"n": 7, "l": 0.01}),
        difference="lr and max-lr are rates; the period is both ways.",
        formula=f"l + (1 - l) * {_TRIANGLE}",
    ),
    Pair(
        52,
        "--lr-scheduler triangular --lr {l} --max-lr 1 --lr-period-updates {2 * n} "
        "--lr-shrink {s} --shrink-min",
        "Triangular({n}, low={l}).repeat(shrink={s})",
        ({"n": 10, "l": 0.1, "s": 0.5}, {"n": 7, "l": 0.01, "s": 0.9}),
        difference="The low end shrinks, too.",
        formula=f"s ** floor(t / (2 * n)) * (l + (1 - l) * {_TRIANGLE})",
    ),
    Pair(
        52,
        "--lr-scheduler triangular --lr {l} --max-lr 1 --lr-period-updates {2 * n} --lr-shrink {s}",
        "Triangular({n}, low={l}, high=0).repeat() + Triangular({n}).repeat(shrink={s})",
        ({"n": 10, "l": 0.1, "s": 0.5}, {"n": 7, "l": 0.01, "s": 0.9}),
        difference="The peaks shrink, not the heights: from a cycle whose peak is below lr on, the "
        "triangles hang down.",
        formula=f"l + (s ** floor(t / (2 * n)) - l) * {_TRIANGLE}",
    ),
    Pair(
        55,
        "--lr-scheduler cosine --lr 1 --warmup-updates {w} --min-lr {e} --lr-period-updates {n} "
        "--t-mult {m} --lr-shrink {s}",
        "Warmup({w}) >> Cosine({n}, end={e}).repeat(stretch={m}, shrink={s})",
        (
            {"w": 3, "n": 8, "m": 2, "s": 0.5, "e": 0},
            {"w": 0, "n": 7, "m": 1.5, "s": 0.9, "e": 0.1},
        ),
        difference="min-lr is a rate and shrinks, too; a first warmup is not in the period.",
        formula=_STRETCHED,
        count="150",
    ),
    Pair(
        68,
        "--lr-scheduler tri_stage --lr 1 --warmup-steps {w} --hold-steps {h} --decay-steps {n} "
        "--init-lr-scale {a} --final-lr-scale {e}",
        "Linear({w}, {a}, 1) >> Hold({h}) >> Exponential({e}, {n}).until({n})",
        (
            {"w": 5, "h": 20, "n": 30, "a": 0.01, "e": 0.05},
            {"w": 3, "h": 0, "n": 17, "a": 0.5, "e": 0.5},
        ),
        difference="The same numbers.",
        formula=_THREE_STAGES,
    ),
    Pair(
        71,
        "--lr-scheduler inverse_sqrt --lr 1 --warmup-updates {w} --warmup-init-lr {a}",
        "Warmup({w}, start={a})",
        ({"w": 9, "a": 0}, {"w": 4, "a": 0.1}),
        difference="The warmup alone; warmup-init-lr is a rate.",
        formula="a + (1 - a) / w * t",
        count="w",
    ),
    Pair(
        72,
        "--lr-scheduler fixed --lr 1 --warmup-updates {w}",
        "Warmup({w}).skip(1)",
        ({"w": 9}, {"w": 1}),
        difference="The same numbers.",
        formula="(t + 1) / w if t < w else 1",
    ),
)
