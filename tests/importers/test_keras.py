"""``from_keras``: Keras's published formulas, from its configurations."""

import math
from typing import Any

import numpy as np
import pytest

from stepsize import Absolute, InvalidType, InvalidValue, parse
from stepsize.importers import Imported, from_keras


def read(name: str, /, **config: Any) -> Imported:
    return from_keras({"class_name": name, "config": config})


def rates(found: Imported, count: int) -> np.ndarray[Any, Any]:
    assert found.base is not None
    assert not isinstance(found.schedule, Absolute)
    return found.base * found.schedule.values(count)


def test_cosine_decay_warms_up_to_its_target_and_decays_from_there() -> None:
    found = read(
        "CosineDecay",
        initial_learning_rate=0.01,
        decay_steps=10,
        alpha=0.1,
        warmup_target=0.2,
        warmup_steps=4,
        name="CosineDecay",
    )
    expected = [0.01 + 0.19 * t / 4 for t in range(4)]
    expected += [0.2 * (0.9 * 0.5 * (1 + math.cos(math.pi * t / 10)) + 0.1) for t in range(11)]
    assert rates(found, 15) == pytest.approx(expected, rel=1e-14)
    assert found.base == 0.2


def test_a_warmup_without_a_target_is_ignored_as_keras_does_and_said() -> None:
    found = read("CosineDecay", initial_learning_rate=0.1, decay_steps=9, warmup_steps=4)
    assert found.schedule == parse("Cosine(9)")
    assert "ignores warmup_steps" in found.notes[0]


def test_the_peaks_of_restarts_shrink_and_the_floor_does_not() -> None:
    found = read(
        "CosineDecayRestarts",
        initial_learning_rate=0.1,
        first_decay_steps=4,
        t_mul=2.0,
        m_mul=0.5,
        alpha=0.1,
    )
    expected = [
        0.1 * (0.9 * 0.5**cycle * 0.5 * (1 + math.cos(math.pi * u / length)) + 0.1)
        for cycle, length in enumerate((4, 8))
        for u in range(length)
    ]
    assert rates(found, 12) == pytest.approx(expected, rel=1e-14)


def test_a_value_still_holds_at_its_boundary() -> None:
    found = read("PiecewiseConstantDecay", boundaries=[2, 4.5], values=[1, 0.5, 0.1])
    assert isinstance(found.schedule, Absolute)
    assert found.base is None
    assert found.schedule.schedule.values(7).tolist() == [1, 1, 1, 0.5, 0.5, 0.1, 0.1]


@pytest.mark.parametrize("staircase", [False, True])
def test_exponential_and_inverse_time_decay(staircase: bool) -> None:
    config = {"initial_learning_rate": 0.1, "decay_steps": 3, "staircase": staircase}
    p = np.arange(10) / 3
    p = np.floor(p) if staircase else p
    exponential = read("ExponentialDecay", decay_rate=0.5, **config)
    assert rates(exponential, 10) == pytest.approx(0.1 * 0.5**p, rel=1e-13)
    inverse = read("InverseTimeDecay", decay_rate=0.5, **config)
    assert rates(inverse, 10) == pytest.approx(0.1 / (1 + 0.5 * p), rel=1e-13)


def test_polynomial_decay_in_cycles_stretches_the_curve_and_says_how_far() -> None:
    found = read(
        "PolynomialDecay",
        initial_learning_rate=0.1,
        decay_steps=4,
        end_learning_rate=0.01,
        power=2.0,
        cycle=True,
    )
    t = np.arange(128)
    stretched = 4 * np.maximum(np.ceil(t / 4), 1)
    assert rates(found, 128) == pytest.approx(0.09 * (1 - t / stretched) ** 2 + 0.01, rel=1e-12)
    assert "first 32, 128 steps" in found.notes[0]


def test_an_object_is_read_by_its_configuration() -> None:
    class PolynomialDecay:
        def get_config(self) -> dict[str, Any]:
            return {"initial_learning_rate": 0.1, "decay_steps": 4, "end_learning_rate": 0}

    PolynomialDecay.__module__ = "keras.src.optimizers.schedules.learning_rate_schedule"
    assert from_keras(PolynomialDecay()).schedule == parse("Polynomial(4, 1)")


def test_a_class_of_the_users_own_is_refused_even_under_a_name_of_kerass() -> None:
    class CosineDecay:
        def get_config(self) -> dict[str, Any]:
            return {"initial_learning_rate": 0.1, "decay_steps": 4}

    with pytest.raises(InvalidValue, match=r"CosineDecay.*Function\(its formula\)"):
        from_keras(CosineDecay())
    registered = {"class_name": "CosineDecay", "registered_name": "mine>CosineDecay", "config": {}}
    with pytest.raises(InvalidValue, match="mine>CosineDecay"):
        from_keras(registered)


def test_a_function_is_refused_with_what_to_write_instead() -> None:
    with pytest.raises(InvalidType, match=r"A function of the position is read as Function"):
        from_keras(lambda step: 0.1 / (1 + step))


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"initial_learning_rate": 0.1}, "'decay_steps' is needed"),
        ({"initial_learning_rate": 0.1, "decay_steps": 0}, "decay_steps must be .* above 0"),
        ({"initial_learning_rate": 0, "decay_steps": 5}, "initial_learning_rate must be .* above"),
        ({"initial_learning_rate": 0.1, "decay_steps": 5, "alfa": 1}, "'alfa' is not.*Known here"),
    ],
)
def test_a_missing_wrong_or_unknown_key_is_named(config: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidValue, match=message):
        read("CosineDecay", **config)


def test_values_and_boundaries_must_fit() -> None:
    with pytest.raises(InvalidValue, match="one value more than boundaries"):
        read("PiecewiseConstantDecay", boundaries=[2], values=[1])
    with pytest.raises(InvalidValue, match="ascend"):
        read("PiecewiseConstantDecay", boundaries=[4, 2], values=[1, 2, 3])
