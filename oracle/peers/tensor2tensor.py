"""tensor2tensor.utils.learning_rate, by its formulas: the base rate is 1"""

from oracle.table import Pair, Peer

PEER = Peer("T2", "tensor2tensor", why_not="it calculates in TensorFlow, which is not installed.")

_WAVE = "(Cosine({d}) >> Cosine({d}, 0, 1)).repeat()"


def _legacy(scheme: str, more: str = "") -> str:
    return (
        f'learning_rate_schedule="legacy", learning_rate_decay_scheme="{scheme}", '
        f"learning_rate_warmup_steps={{w}}{more}"
    )


def _factor(name: str, more: str = "") -> str:
    return f'learning_rate_schedule="{name}", learning_rate_warmup_steps={{w}}{more}'


_DECAY = ", learning_rate_decay_steps={d}"
_RATE = f"{_DECAY}, learning_rate_decay_rate={{g}}"
_AFTER = "The warmup's length is held at the peak first: the factor linear_warmup multiplies it."

PAIRS = (
    Pair(1, 'learning_rate_schedule="constant"', "Constant()", ({},), formula="1"),
    Pair(
        3,
        'learning_rate_schedule="linear_decay", train_steps={n}, learning_rate_decay_steps={d}',
        "Hold({n - d}) >> Linear({d})",
        ({"n": 30, "d": 30}, {"n": 30, "d": 7}),
        difference="learning_rate_decay_steps are the last of train_steps.",
        formula="min(1, max(0, (n - t) / d))",
    ),
    Pair(
        9,
        _factor("single_cycle_cos_decay", ", train_steps={n}"),
        "Hold({w}) >> Cosine({n - w})",
        ({"w": 3, "n": 20}, {"w": 0, "n": 17}),
        difference=_AFTER,
        fault="Past the end it rises again.",
        agrees_until="n + 1",
        formula="cos((max(t, w) - w) * pi / (n - w)) / 2 + 0.5",
    ),
    Pair(
        9,
        _factor("cosdecay", _DECAY),
        f"Hold({{w + 1}}) >> {_WAVE}.skip({{w + 1}})",
        ({"w": 3, "d": 20}, {"w": 0, "d": 17}),
        difference=f"{_AFTER} The cosine counts from 0, so the rate jumps down after the warmup; "
        "past the end the wave goes on.",
        formula="1 if t <= w else 0.5 * (1 + cos(pi * t / d))",
        count="100",
    ),
    Pair(
        12,
        _factor("multi_cycle_cos_decay", _DECAY),
        f"Hold({{w}}) >> {_WAVE}",
        ({"w": 3, "d": 20}, {"w": 0, "d": 17}),
        difference=f"{_AFTER} Half a wave lasts learning_rate_decay_steps.",
        formula="cos((max(t, w) - w) * pi / d) / 2 + 0.5",
    ),
    Pair(
        16,
        _factor("exp_decay", _RATE),
        "Hold({w}) >> Exponential({g}, {d})",
        ({"w": 3, "d": 20, "g": 0.5}, {"w": 0, "d": 7, "g": 0.9}),
        difference=_AFTER,
        formula="g ** max((t - w) / d, 0)",
    ),
    Pair(
        17,
        _factor("exp_decay", f"{_RATE}, learning_rate_decay_staircase=True"),
        "Hold({w}) >> Exponential({g}, {d}).staircase({d})",
        ({"w": 3, "d": 20, "g": 0.5}, {"w": 0, "d": 7, "g": 0.9}),
        difference=_AFTER,
        formula="g ** floor(max((t - w) / d, 0))",
    ),
    Pair(
        23,
        _factor("rsqrt_normalized_decay"),
        "Hold({w}) >> InverseSqrt({w})",
        ({"w": 10}, {"w": 3}),
        difference=_AFTER,
        formula="sqrt(w) / sqrt(max(t, w))",
    ),
    Pair(
        24,
        _factor("rsqrt_decay"),
        "(Hold({w}) >> InverseSqrt({w})) * {1 / sqrt(w)}",
        ({"w": 10}, {"w": 3}),
        difference=_AFTER,
        formula="1 / sqrt(max(t, w))",
    ),
    Pair(
        24,
        _legacy("sqrt"),
        "(Hold(1) >> InverseSqrt(1)) * 500",
        ({"w": 0},),
        difference="Times 0.002 with Adam, and so 1.",
        formula="500 / sqrt(max(t, 1))",
    ),
    Pair(
        25,
        _legacy("noam", ", hidden_size={d}"),
        "noam({d}, {w}, scale=5000)",
        ({"d": 512, "w": 10}, {"d": 64, "w": 7}),
        difference="Times 0.002 with Adam, so scale=10.",
        formula="5000 * d ** -0.5 * min((t + 1) * w ** -1.5, (t + 1) ** -0.5)",
    ),
    Pair(
        25,
        _factor("linear_warmup * rsqrt_decay * rsqrt_hidden_size", ", hidden_size={d}"),
        "(Warmup({w}) >> InverseSqrt({w})) * {1 / sqrt(d * w)}",
        ({"d": 512, "w": 10}, {"d": 64, "w": 7}),
        difference="Counts from 0.",
        formula="min(1, t / w) / sqrt(max(t, w)) * d ** -0.5",
    ),
    Pair(
        32,
        _legacy(
            "piecewise",
            ", learning_rate_boundaries=[{a}, {b}], learning_rate_multiples=[{x}, {y}]",
        ),
        "Table([[{a + 1}, 1], [{b - a}, {x}], [1, {y}]])",
        ({"w": 0, "a": 10, "b": 25, "x": 0.5, "y": 0.05},),
        difference="A boundary still has the value before it.",
        formula="1 if t <= a else x if t <= b else y",
    ),
    Pair(
        51,
        _legacy("cyclelinear10x"),
        "Exponential(100, {w}).until({w}) * 0.01 >> cyclic({w}, low=0.3, high=3.3).skip({w})",
        ({"w": 10}, {"w": 7}),
        difference="The first rise is replaced by the geometric warmup.",
        formula="0.01 ** ((w - t) / w) if t < w else (1.1 - abs((t % (2 * w) - w) / w)) * 3",
    ),
    Pair(
        57,
        _legacy("cosine", ", learning_rate_cosine_cycle_steps={d}"),
        _WAVE,
        ({"w": 0, "d": 20}, {"w": 0, "d": 7}),
        difference="The same numbers.",
        formula="0.5 * (1 + cos(pi * (d - abs(d - t % (2 * d))) / d))",
    ),
    Pair(
        71,
        _factor("linear_warmup"),
        "Warmup({w})",
        ({"w": 9}, {"w": 1}),
        difference="The same numbers.",
        formula="min(1, t / w)",
    ),
    Pair(
        73,
        _factor("rsqrt_decay"),
        "Hold({w}, {1 / sqrt(w)}) >> InverseSqrt({w}) * {1 / sqrt(w)}",
        ({"w": 9},),
        difference="The constant is the peak itself.",
        formula="1 / sqrt(max(t, w))",
    ),
    Pair(
        77,
        _legacy("none"),
        "Exponential(100, {w}).until({w}) * 0.01",
        ({"w": 9}, {"w": 4}),
        difference="It starts at 0.01.",
        formula="0.01 ** ((w - t) / w) if t < w else 1",
    ),
)
