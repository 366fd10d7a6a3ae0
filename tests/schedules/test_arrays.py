"""One formula for every kind of number: the Python float is the oracle of each array library."""

import math
from functools import lru_cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
from hypothesis import given, settings

from stepsize import (
    Cosine,
    Exponential,
    Function,
    Hold,
    Linear,
    MultiStep,
    Polynomial,
    Schedule,
    Step,
    Table,
    Warmup,
)
from stepsize.errors import InvalidType
from stepsize.testing.schedules import Library, any_schedule, check_schedule

EXAMPLES = settings().max_examples
SCHEDULE = (Warmup(5) >> Cosine(20, end=0.1)) * MultiStep({7: 0.5, 11: 0.1}) + Table([[3, 1]])


# ------------------------------------------------------------------ agreement


def in_torch(schedule: Schedule, t: np.ndarray) -> np.ndarray:
    return schedule(torch.from_numpy(t)).numpy()


def slope_in_torch(schedule: Schedule, t: np.ndarray) -> np.ndarray:
    positions = torch.tensor(t, requires_grad=True)
    # The term keeps the graph whole where the schedule does not depend on the position.
    (schedule(positions) + 0 * positions).sum().backward()
    return positions.grad.numpy()


def in_jax(schedule: Schedule, t: np.ndarray) -> np.ndarray:
    return np.asarray(schedule(jnp.asarray(t)))


@lru_cache(maxsize=1)
def compiled(schedule: Schedule) -> Any:
    """One compilation for the array, and for the value and the slope at each position alone."""
    alone = jax.vmap(jax.value_and_grad(schedule))
    return jax.jit(lambda t: (schedule(t), *alone(t)))


def jitted(schedule: Schedule, t: np.ndarray) -> np.ndarray:
    return np.asarray(compiled(schedule)(jnp.asarray(t))[0])


def vmapped(schedule: Schedule, t: np.ndarray) -> np.ndarray:
    return np.asarray(compiled(schedule)(jnp.asarray(t))[1])


def slope_in_jax(schedule: Schedule, t: np.ndarray) -> np.ndarray:
    return np.asarray(compiled(schedule)(jnp.asarray(t))[2])


def traced(dtype: str) -> list[Library]:
    return [
        Library("jitted JAX", jitted, slope_in_jax, dtypes=[dtype]),
        Library("vmapped JAX", vmapped, dtypes=[dtype]),
    ]


@settings(max_examples=2 * EXAMPLES)
@given(any_schedule())
def test_numpy_and_torch_agree_with_numbers_and_no_slope_is_nan(schedule: Schedule) -> None:
    check_schedule(schedule, [Library("torch", in_torch, slope_in_torch)])


@settings(max_examples=EXAMPLES // 3)
@given(any_schedule(max_leaves=4))
def test_jax_traced_in_double_precision_agrees_with_numbers(schedule: Schedule) -> None:
    with jax.enable_x64(True):
        check_schedule(schedule, traced("float64"))


@settings(max_examples=EXAMPLES // 5)
@given(any_schedule(max_leaves=4))
def test_jax_traced_in_single_precision_agrees_with_numbers(schedule: Schedule) -> None:
    check_schedule(schedule, traced("float32"))


@settings(max_examples=EXAMPLES // 10)
@given(any_schedule(max_leaves=3))
def test_jax_not_traced_agrees_with_numbers(schedule: Schedule) -> None:
    check_schedule(schedule, [Library("JAX", in_jax, dtypes=["float32", "int32"])])
    with jax.enable_x64(True):
        check_schedule(schedule, [Library("JAX in doubles", in_jax, dtypes=["float64"])])


def test_a_schedule_traces_inside_a_scan() -> None:
    def step(total: jax.Array, t: jax.Array) -> tuple[jax.Array, jax.Array]:
        return total + SCHEDULE(t), SCHEDULE(t)

    total, values = jax.lax.scan(step, jnp.zeros(()), jnp.arange(30))
    np.testing.assert_allclose(values, SCHEDULE.values(30), rtol=1e-6)
    assert float(total) == pytest.approx(SCHEDULE.values(30).sum())


@pytest.mark.parametrize(
    ("schedule", "t", "slope"),
    [
        (Linear(10), 3.0, -0.1),
        (Linear(10), -3.0, 0.0),
        (Linear(10), 12.0, 0.0),
        (Cosine(10), 2.5, -math.pi / 20 * math.sin(math.pi / 4)),
        (Polynomial(10, 2), 5.0, -0.1),
        (Polynomial(10, 0.5), 10.0, 0.0),
        (Exponential(0.5, every=2), 4.0, math.log(0.5) / 8),
        (Step(3, 0.1), 4.0, 0.0),
        (Hold(3) >> Linear(10), 4.0, -0.1),
        (Linear(10).repeat(), 13.0, -0.1),
        (Linear(10).over(20).skip(1), 13.0, -0.05),
        (Linear(10) * Linear(10) + Linear(10).clip(high=0.6), 5.0, -0.2),
    ],
)
def test_slopes_are_those_of_the_formula(schedule: Schedule, t: float, slope: float) -> None:
    (in_torch,) = slope_in_torch(schedule, np.array([t]))
    assert in_torch == pytest.approx(slope, abs=1e-12)
    assert jax.grad(schedule)(t) == pytest.approx(slope, abs=1e-6)


# ------------------------------------------------------------------ kinds, dtypes, shapes

SHAPES = [(), (1,), (0,), (0, 3), (7,), (2, 3), (2, 1, 3)]


@pytest.mark.parametrize("shape", SHAPES)
def test_an_array_of_the_same_kind_and_shape_comes_back(shape: tuple[int, ...]) -> None:
    t = np.arange(math.prod(shape)).reshape(shape)
    expected = SCHEDULE.values(7)[: t.size].reshape(shape)
    for array, kind in (
        (t, np.ndarray),
        (torch.from_numpy(t), torch.Tensor),
        (jnp.asarray(t), jax.Array),
    ):
        # A NumPy function gives a NumPy scalar for an array without dimensions; so do we.
        kinds = (np.ndarray, np.floating) if kind is np.ndarray else kind
        values = SCHEDULE(array)
        assert isinstance(values, kinds)
        assert tuple(values.shape) == shape
        np.testing.assert_allclose(np.asarray(values), expected, rtol=1e-6)


def test_transposed_and_strided_arrays_are_read_in_their_order() -> None:
    t = np.arange(12).reshape(3, 4)
    expected = SCHEDULE.values(12).reshape(3, 4)
    np.testing.assert_array_equal(SCHEDULE(t.T), expected.T)
    np.testing.assert_array_equal(SCHEDULE(t[:, ::2]), expected[:, ::2])
    tensor = torch.arange(12.0, dtype=torch.float64).reshape(3, 4)
    np.testing.assert_array_equal(SCHEDULE(tensor.T), expected.T)
    np.testing.assert_array_equal(SCHEDULE(tensor[:, ::2]), expected[:, ::2])


def test_a_number_gives_a_plain_float() -> None:
    assert type(SCHEDULE(3)) is type(SCHEDULE(3.0)) is type(Hold(3, 2)(0)) is float
    assert SCHEDULE(10**400) == SCHEDULE(1e15)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_numpy_keeps_a_floating_dtype(dtype: str) -> None:
    assert SCHEDULE(np.arange(5, dtype=dtype)).dtype == dtype
    assert SCHEDULE(np.array(5, dtype=dtype)[()]).dtype == dtype


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int16", "int32", "int64", "uint64"])
def test_numpy_integers_give_doubles(dtype: str) -> None:
    assert SCHEDULE(np.arange(5, dtype=dtype)).dtype == np.float64


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_torch_keeps_a_floating_dtype(dtype: torch.dtype) -> None:
    assert SCHEDULE(torch.arange(5, dtype=dtype)).dtype == dtype


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int16, torch.int32, torch.int64])
def test_torch_integers_give_the_default_dtype(dtype: torch.dtype) -> None:
    t = torch.arange(5, dtype=dtype)
    assert SCHEDULE(t).dtype == torch.float32
    torch.set_default_dtype(torch.float64)
    try:
        assert SCHEDULE(t).dtype == torch.float64
    finally:
        torch.set_default_dtype(torch.float32)


def test_jax_keeps_a_floating_dtype_and_gives_its_default_for_integers() -> None:
    for dtype in (jnp.float16, jnp.bfloat16, jnp.float32):
        assert SCHEDULE(jnp.arange(5, dtype=dtype)).dtype == dtype
    assert SCHEDULE(jnp.arange(5)).dtype == jnp.float32
    with jax.enable_x64(True):
        assert SCHEDULE(jnp.arange(5)).dtype == jnp.float64
        assert SCHEDULE(jnp.arange(5, dtype=jnp.float32)).dtype == jnp.float32


def test_a_value_beyond_a_small_dtype_is_inf_and_no_warning() -> None:
    growth = Exponential(10)
    assert growth(np.array([20], dtype=np.float16))[0] == np.inf
    assert growth(torch.tensor([20], dtype=torch.float16))[0] == torch.inf


@pytest.mark.parametrize(
    "t",
    [
        None,
        True,
        "3",
        [1, 2],
        np.array([True]),
        np.array([1j]),
        torch.tensor([True]),
        jnp.array([1j]),
    ],
)
def test_what_is_no_position_is_refused(t: Any) -> None:
    with pytest.raises(InvalidType, match="position"):
        SCHEDULE(t)


# ------------------------------------------------------------------ any function


def written_for_numbers(t: float) -> float:
    return math.cos(t) if t < 3 else 0.5


def test_a_function_written_for_numbers_takes_arrays_position_by_position() -> None:
    schedule = Function(written_for_numbers)
    expected = [written_for_numbers(t) for t in range(6)]
    assert schedule.values(6).tolist() == expected
    assert schedule(torch.arange(6.0, dtype=torch.float64)).tolist() == expected
    assert schedule(np.zeros((0, 2))).shape == (0, 2)
    assert schedule(np.arange(6).reshape(2, 3)).tolist() == [expected[:3], expected[3:]]


def test_a_function_written_for_arrays_is_called_once() -> None:
    calls: list[Any] = []

    def halved(t: Any) -> Any:
        calls.append(t)
        return t / 2

    assert Function(halved, steps=3).values(5).tolist() == [0, 0.5, 1, 1.5, 1.5]
    assert len(calls) == 1


def test_a_function_that_gives_one_number_for_all_positions_is_constant() -> None:
    for t in (np.arange(3.0), torch.arange(3.0), jnp.arange(3.0)):
        assert Function(lambda t: 0.25)(t).tolist() == [0.25, 0.25, 0.25]


def test_a_function_that_changes_the_shape_is_refused() -> None:
    with pytest.raises(InvalidType, match=r"one value per position.*\(3,\).*\(1, 3\)"):
        Function(lambda t: t[None])(np.arange(3.0))
