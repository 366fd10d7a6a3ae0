"""optax.schedules"""

from oracle.drivers import from_values
from oracle.table import Pair, Peer
from stepsize import schedule_function

PEER = Peer("OX", "optax", package="optax")


@schedule_function("optax_sawtooth")
def sawtooth(count: float) -> float:
    """A schedule of the user's own."""
    return 1 - (count % 10) / 10


def rates(call: str, count: int, base: float) -> list[float]:
    import jax
    import optax

    # In single precision, JAX's default, the values would agree to 1e-6.
    with jax.enable_x64():
        return from_values(call, {**vars(optax.schedules), "sawtooth": sawtooth}, count)


VALUES = "The values are rates; the first one is our base."

PAIRS = (
    Pair(
        1,
        "constant_schedule({b})",
        "Constant()",
        ({"b": 0.3},),
        difference=VALUES,
        base="b",
        count="20",
    ),
    Pair(
        3,
        "linear_schedule({b}, {e}, {n}, transition_begin={d})",
        "Hold({d}) >> Linear({n}, end={e / b})",
        ({"b": 1.0, "e": 0, "n": 100, "d": 0}, {"b": 3e-4, "e": 1e-5, "n": 13, "d": 7}),
        difference=VALUES + " transition_begin comes on top of the length.",
        base="b",
    ),
    Pair(
        4,
        "polynomial_schedule({b}, {e}, {p}, {n}, transition_begin={d})",
        "Hold({d}) >> Polynomial({n}, {p}, end={e / b})",
        (
            {"b": 1.0, "e": 0, "p": 2, "n": 100, "d": 0},
            {"b": 3e-4, "e": 1e-5, "p": 0.5, "n": 13, "d": 7},
        ),
        difference=VALUES + " transition_begin comes on top of the length.",
        base="b",
    ),
    Pair(
        9,
        "cosine_decay_schedule({b}, {n}, alpha={e})",
        "Cosine({n}, end={e})",
        ({"b": 1.0, "n": 100, "e": 0}, {"b": 3e-4, "n": 7, "e": 0.1}),
        difference="init_value is a rate, alpha a multiple of it.",
        base="b",
    ),
    Pair(
        9,
        "warmup_cosine_decay_schedule({a}, {b}, {w}, {n}, end_value={e})",
        "Warmup({w}, start={a / b}) >> Cosine({n - w}, end={e / b})",
        (
            {"a": 0.0, "b": 1.0, "w": 10, "n": 100, "e": 0},
            {"a": 1e-5, "b": 3e-4, "w": 3, "n": 17, "e": 3e-5},
        ),
        difference="decay_steps includes the warmup; all values are rates.",
        base="b",
    ),
    Pair(
        10,
        "cosine_decay_schedule({b}, {n}, alpha={e}, exponent={p})",
        "Cosine({n}, end={e}, power={p})",
        ({"b": 1.0, "n": 100, "e": 0, "p": 2}, {"b": 3e-4, "n": 7, "e": 0.1, "p": 0.7}),
        difference="init_value is a rate, alpha a multiple of it.",
        base="b",
    ),
    Pair(
        16,
        "exponential_decay({b}, {n}, {g}, transition_begin={d})",
        "Hold({d}) >> Exponential({g}, {n})",
        ({"b": 1.0, "n": 10, "g": 0.5, "d": 0}, {"b": 3e-4, "n": 7, "g": 0.96, "d": 4}),
        difference=VALUES,
        base="b",
    ),
    Pair(
        16,
        "exponential_decay({b}, {n}, {g}, end_value={e})",
        "Exponential({g}, {n}).clip(low={e / b})",
        (
            {"b": 0.1, "n": 10, "g": 0.5, "e": 0.002},
            {"b": 1.0, "n": 3, "g": 0.9, "e": 0.3},
        ),
        difference="end_value is a bound, and a rate.",
        base="b",
    ),
    Pair(
        16,
        "warmup_exponential_decay_schedule({a}, {b}, {w}, {n}, {g}, transition_begin={d})",
        "Warmup({w}, start={a / b}) >> Hold({d}) >> Exponential({g}, {n})",
        (
            {"a": 0, "b": 1.0, "w": 10, "n": 20, "g": 0.5, "d": 0},
            {"a": 1e-5, "b": 3e-4, "w": 3, "n": 7, "g": 0.96, "d": 4},
        ),
        difference="transition_steps is the time per factor; all values are rates.",
        base="b",
    ),
    Pair(
        17,
        "exponential_decay({b}, {n}, {g}, staircase=True)",
        "Exponential({g}, {n}).staircase({n})",
        ({"b": 1.0, "n": 10, "g": 0.5}, {"b": 3e-4, "n": 7, "g": 0.96}),
        difference=VALUES,
        base="b",
    ),
    Pair(
        32,
        "piecewise_constant_schedule({b}, {dict([(i, f), (j, g)])})",
        "MultiStep({dict([(i, f), (j, g)])})",
        (
            {"b": 1.0, "i": 30, "f": 0.1, "j": 60, "g": 0.5},
            {"b": 3e-4, "i": 1, "f": 2.0, "j": 7, "g": 0.3},
        ),
        difference=VALUES + " The scales act from their position on, as ours do.",
        base="b",
        count="100",
    ),
    Pair(
        35,
        'piecewise_interpolate_schedule("linear", {b}, {dict([(i, f), (j, g)])})',
        "Linear({i}, 1, {f}) >> Linear({j - i}, {f}, {f * g})",
        (
            {"b": 0.04, "i": 30, "f": 25.0, "j": 100, "g": 0.01},
            {"b": 1.0, "i": 5, "f": 0.3, "j": 12, "g": 2.0},
        ),
        difference=VALUES + " Each knot is a multiple of the one before.",
        base="b",
    ),
    Pair(
        36,
        'piecewise_interpolate_schedule("cosine", {b}, {dict([(i, f), (j, g)])})',
        "Cosine({i}, 1, {f}) >> Cosine({j - i}, {f}, {f * g})",
        (
            {"b": 0.04, "i": 30, "f": 25.0, "j": 100, "g": 0.01},
            {"b": 1.0, "i": 5, "f": 0.3, "j": 12, "g": 2.0},
        ),
        difference=VALUES + " Each knot is a multiple of the one before.",
        base="b",
    ),
    Pair(
        44,
        "sawtooth",
        "Function('optax_sawtooth')",
        ({},),
        difference="Any function of the position; its values are rates there.",
        count="50",
    ),
    Pair(
        55,
        "sgdr_schedule([dict(init_value=0.0, peak_value={b} * {g}**i, decay_steps={n}, "
        "warmup_steps={w}) for i in range({c})])",
        "(Warmup({w}) >> Cosine({n - w})).repeat({c}, shrink={g})",
        (
            {"b": 1.0, "n": 20, "w": 0, "g": 1, "c": 3},
            {"b": 3e-4, "n": 17, "w": 5, "g": 0.5, "c": 4},
        ),
        difference="decay_steps includes the warmup of each cycle; a list, a cycle per entry.",
        base="b",
    ),
    Pair(
        55,
        "sgdr_schedule([dict(init_value=0.0, peak_value={b}, decay_steps={n} * 2**i, "
        "warmup_steps={w} * 2**i) for i in range({c})])",
        "(Warmup({w}) >> Cosine({n - w})).repeat({c}, stretch=2)",
        (
            {"b": 0.1, "n": 10, "w": 3, "c": 4},
            {"b": 1.0, "n": 7, "w": 0, "c": 3},
        ),
        difference="As above.",
        base="b",
    ),
    Pair(
        61,
        "cosine_onecycle_schedule({n}, {b}, pct_start={p}, div_factor={d}, final_div_factor={f})",
        "one_cycle({n}, rise={p}, start={1 / d}, end={1 / (d * f)})",
        (
            {"n": 100, "b": 0.1, "p": 0.3, "d": 25.0, "f": 1e4},
            {"n": 48, "b": 1.0, "p": 0.25, "d": 10.0, "f": 100.0},
        ),
        difference="The values are rates, the peak is our base.",
        base="b",
    ),
    Pair(
        61,
        "cosine_onecycle_schedule({n}, {b}, pct_start={p})",
        "Cosine({int(p * n)}, 0.04, 1) >> Cosine({n - int(p * n)}, end=4e-6)",
        ({"n": 33, "b": 0.1, "p": 0.3}, {"n": 101, "b": 1.0, "p": 0.77}),
        difference="pct_start * n is cut to a whole number.",
        base="b",
    ),
    Pair(
        62,
        "linear_onecycle_schedule({n}, {b}, pct_start={p}, pct_final={q}, div_factor={d}, "
        "final_div_factor={f})",
        "Linear({int(p * n)}, {1 / d}, 1) >> Linear({int(q * n) - int(p * n)}, 1, {1 / d}) >> "
        "Linear({n - int(q * n)}, {1 / d}, {1 / (d * f)})",
        (
            {"n": 100, "b": 0.1, "p": 0.3, "q": 0.85, "d": 25.0, "f": 1e4},
            {"n": 47, "b": 1.0, "p": 0.2, "q": 0.5, "d": 10.0, "f": 100.0},
        ),
        difference="The boundaries are cut to whole numbers; the peak is our base.",
        base="b",
    ),
    Pair(
        71,
        "linear_schedule({a}, {b}, {w})",
        "Warmup({w}, start={a / b})",
        ({"a": 0.0, "b": 1.0, "w": 10}, {"a": 1e-5, "b": 3e-4, "w": 7}),
        difference="The values are rates, the last one is our base.",
        base="b",
    ),
    Pair(
        71,
        "warmup_constant_schedule({a}, {b}, {w})",
        "Warmup({w}, start={a / b})",
        ({"a": 0.0, "b": 1.0, "w": 10}, {"a": 1e-5, "b": 3e-4, "w": 7}),
        difference="The values are rates, the peak is our base.",
        base="b",
    ),
)
