"""t5x.utils.create_learning_rate_scheduler, by its formulas: base_learning_rate is the base rate"""

from oracle.table import Pair, Peer

PEER = Peer("T5X", "T5X", why_not="on PyPI is only an empty placeholder.")

_FLOOR = "min_learning_rate, 1e-8 if not given, is a rate and cuts every curve off."


def _call(factors: str, more: str = "") -> str:
    return f'create_learning_rate_scheduler("{factors}", base_learning_rate={{b}}{more})'


_WARMUP = ", warmup_steps={w}"

PAIRS = (
    Pair(
        1,
        _call("constant"),
        "Constant()",
        ({"b": 0.3},),
        base="b",
        formula="b",
    ),
    Pair(
        3,
        _call("linear_decay", f"{_WARMUP}, decay_factor={{g}}"),
        "(Warmup({w}) >> Linear({1 / g})).clip(low={1e-8 / b})",
        ({"b": 0.5, "w": 5, "g": 0.025}, {"b": 0.1, "w": 3, "g": 0.03}),
        difference=f"The slope is given, 1 / g is the length. {_FLOOR}",
        base="b",
        formula="max(1e-8, b * min(t / w, 1 + g * (w - t)))",
    ),
    Pair(
        17,
        _call("constant * decay_every", ", steps_per_decay={n}, decay_factor={g}"),
        "Step({n}, {g}).clip(low={1e-8 / b})",
        ({"b": 0.5, "n": 10, "g": 0.5}, {"b": 0.1, "n": 7, "g": 0.1}),
        difference=_FLOOR,
        base="b",
        formula="max(1e-8, b * g ** (t // n))",
    ),
    Pair(
        23,
        _call("constant * linear_warmup * rsqrt_normalized_decay", _WARMUP),
        "(Warmup({w}) >> InverseSqrt({w})).clip(low={1e-8 / b})",
        ({"b": 0.5, "w": 10}, {"b": 0.1, "w": 3}),
        difference=_FLOOR,
        base="b",
        formula="max(1e-8, b * min(1, t / w) * sqrt(w) / sqrt(max(t, w)))",
    ),
    Pair(
        24,
        _call("constant * rsqrt_decay", f"{_WARMUP}, step_offset={{o}}"),
        "(Hold({w + o}) >> InverseSqrt({w})) * {1 / sqrt(w)}",
        ({"b": 0.5, "w": 10, "o": 0}, {"b": 0.1, "w": 3, "o": 4}),
        difference=_FLOOR,
        base="b",
        formula="b / sqrt(max(t - o, w))",
    ),
    Pair(
        55,
        _call("constant * cosine_decay", f"{_WARMUP}, steps_per_cycle={{n}}"),
        "(Hold({w}) >> Cosine({n}).repeat()).clip(low={1e-8 / b})",
        ({"b": 0.5, "w": 5, "n": 20}, {"b": 0.1, "w": 0, "n": 16}),
        difference=f"{_FLOOR} The warmup's length is held first: linear_warmup multiplies it.",
        base="b",
        formula="max(1e-8, b * (1 + cos(pi * (max(t - w, 0) % n / n))) / 2)",
    ),
)
