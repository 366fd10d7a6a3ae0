"""keras.optimizers.schedules"""

import os
from types import SimpleNamespace
from typing import Any

from oracle.drivers import from_values
from oracle.table import Pair, Peer
from stepsize import schedule_function

PEER = Peer("KE", "keras", package="keras")


@schedule_function("keras_halving")
def halved_every_ten(epoch: float) -> float:
    """A schedule of the user's own."""
    return 0.5 ** (epoch // 10)


def rates(call: str, count: int, base: float) -> list[float]:
    os.environ["KERAS_BACKEND"] = "torch"
    import keras

    # In single precision, Keras's default, the values would agree to 1e-6.
    keras.config.set_floatx("float64")
    names = {**vars(keras.optimizers.schedules), "halved_every_ten": halved_every_ten}
    if call.startswith("LearningRateScheduler"):
        names["LearningRateScheduler"] = keras.callbacks.LearningRateScheduler
        return _rates_of_callback(eval(call, names), keras.optimizers.SGD(base), count)
    return from_values(call, names, count)


def _rates_of_callback(callback: Any, optimizer: Any, count: int) -> list[float]:
    callback.set_model(SimpleNamespace(optimizer=optimizer))
    rates: list[float] = []
    for epoch in range(count):
        callback.on_epoch_begin(epoch)
        rates.append(float(optimizer.learning_rate))
    return rates


RATE = "initial_learning_rate is our base."

PAIRS = (
    Pair(
        4,
        "PolynomialDecay({b}, {n}, end_learning_rate={e}, power={p})",
        "Polynomial({n}, {p}, end={e / b})",
        (
            {"b": 0.1, "n": 100, "e": 1e-4, "p": 1.0},
            {"b": 1.0, "n": 13, "e": 0.0, "p": 0.5},
            {"b": 3e-4, "n": 31, "e": 1e-5, "p": 2.5},
        ),
        difference=RATE + " The end is a rate, by default 1e-4.",
        base="b",
    ),
    Pair(
        6,
        "PolynomialDecay({b}, {n}, end_learning_rate={e}, power={p}, cycle=True)",
        "(Hold(1) >> Polynomial({n}, {p}).skip(1).until({n}).repeat() * "
        "InversePower({n}, {p}).staircase({n})) * {1 - e / b} + {e / b}",
        (
            {"b": 0.1, "n": 10, "e": 1e-4, "p": 1.0},
            {"b": 1.0, "n": 7, "e": 0.1, "p": 0.5},
            {"b": 3e-4, "n": 31, "e": 0.0, "p": 2},
        ),
        difference="Cycle k falls from its share 1/k of the whole; a cycle ends at position k n "
        "and the next begins at k n + 1.",
        base="b",
    ),
    Pair(
        9,
        "CosineDecay({b}, {n}, alpha={e})",
        "Cosine({n}, end={e})",
        ({"b": 0.1, "n": 100, "e": 0.0}, {"b": 1.0, "n": 7, "e": 0.1}),
        difference=RATE + " alpha is a multiple of it.",
        base="b",
    ),
    Pair(
        16,
        "ExponentialDecay({b}, {n}, {g})",
        "Exponential({g}, {n})",
        ({"b": 0.1, "n": 100, "g": 0.96}, {"b": 1.0, "n": 7, "g": 0.5}),
        difference=RATE,
        base="b",
    ),
    Pair(
        17,
        "ExponentialDecay({b}, {n}, {g}, staircase=True)",
        "Exponential({g}, {n}).staircase({n})",
        ({"b": 0.1, "n": 49, "g": 0.96}, {"b": 1.0, "n": 7, "g": 0.5}),
        difference=RATE,
        base="b",
    ),
    Pair(
        21,
        "InverseTimeDecay({b}, {n}, {k})",
        "InversePower({n / k}, 1)",
        ({"b": 0.1, "n": 100, "k": 0.5}, {"b": 1.0, "n": 1, "k": 3.0}),
        difference=RATE,
        base="b",
    ),
    Pair(
        22,
        "InverseTimeDecay({b}, {n}, {k}, staircase=True)",
        "InversePower({n / k}, 1).staircase({n})",
        ({"b": 0.1, "n": 41, "k": 0.5}, {"b": 1.0, "n": 7, "k": 3.0}),
        difference=RATE,
        base="b",
    ),
    Pair(
        32,
        "PiecewiseConstantDecay([{i}, {j}], [{x}, {y}, {z}])",
        "Hold({i + 1}, {x}) >> Hold({j - i}, {y}) >> Constant({z})",
        (
            {"i": 30, "j": 60, "x": 1.0, "y": 0.5, "z": 0.1},
            {"i": 1, "j": 2, "x": 0.1, "y": 1.0, "z": 0.3},
        ),
        difference="A boundary still belongs to the value before it; the values are rates.",
        count="100",
    ),
    Pair(
        44,
        "LearningRateScheduler(halved_every_ten)",
        "Function('keras_halving')",
        ({},),
        difference="A function of the epoch, whose values are rates.",
        count="50",
    ),
    Pair(
        44,
        "LearningRateScheduler(lambda epoch, rate: rate * {g})",
        "Exponential({g}).skip(1)",
        ({"b": 0.1, "g": 0.95}, {"b": 1.0, "g": 0.5}),
        difference="A function of the epoch and the rate before: the first epoch is scaled, too.",
        base="b",
        count="50",
    ),
    Pair(
        55,
        "CosineDecayRestarts({b}, {n}, t_mul={m}, m_mul={g}, alpha={e})",
        "Cosine({n}).repeat(stretch={m}, shrink={g}) * {1 - e} + {e}",
        (
            {"b": 0.1, "n": 10, "m": 2.0, "g": 1.0, "e": 0.0},
            {"b": 1.0, "n": 7, "m": 1.0, "g": 0.5, "e": 0.0},
            {"b": 1.0, "n": 16, "m": 1.5, "g": 0.9, "e": 0.1},
        ),
        difference="The floor does not shrink with the peaks. t_mul is 2 by default.",
        base="b",
    ),
    Pair(
        71,
        "CosineDecay({a}, {n}, alpha={e}, warmup_target={b}, warmup_steps={w})",
        "Warmup({w}, start={a / b}) >> Cosine({n}, end={e})",
        (
            {"a": 0.0, "b": 0.1, "n": 100, "e": 0.0, "w": 10},
            {"a": 1e-5, "b": 3e-4, "n": 13, "e": 0.1, "w": 7},
        ),
        difference="decay_steps excludes the warmup; initial_learning_rate is where it starts.",
        base="b",
    ),
)
