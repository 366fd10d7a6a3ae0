"""The same piece at every integer position below 2**24, in every library and precision.

What is expected is computed with integers alone. The divisors are those whose reciprocal rounds
badly: XLA divides by multiplying with it, and once missed two boundaries in five.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch

from stepsize import Function, Hold, MultiStep, Schedule, Step, Table

LAST = 2**24 - 1
DIVISORS = [3, 7, 10, 41, 49, 147]
# One factor whose powers differ in single precision however often it was applied.
FACTOR = 1 - 2**-18


def in_numbers(schedule: Schedule, t: np.ndarray) -> np.ndarray:
    return np.array([schedule(each) for each in t.tolist()])


def in_numpy(schedule: Schedule, t: np.ndarray) -> np.ndarray:
    return schedule(t)


def in_numpy_singles(schedule: Schedule, t: np.ndarray) -> np.ndarray:
    return schedule(t.astype(np.float32))


def in_torch(schedule: Schedule, t: np.ndarray) -> np.ndarray:
    return schedule(torch.from_numpy(t).to(torch.float32)).numpy()


def in_torch_integers(schedule: Schedule, t: np.ndarray) -> np.ndarray:
    return schedule(torch.from_numpy(t)).numpy()


def in_jitted_jax(schedule: Schedule, t: np.ndarray) -> np.ndarray:
    return np.asarray(jax.jit(schedule)(jnp.asarray(t, dtype=jnp.float32)))


def in_jitted_jax_doubles(schedule: Schedule, t: np.ndarray) -> np.ndarray:
    with jax.enable_x64(True):
        return np.asarray(jax.jit(schedule)(jnp.asarray(t, dtype=jnp.float64)))


everywhere = pytest.mark.parametrize(
    "evaluate",
    [
        in_numbers,
        in_numpy,
        in_numpy_singles,
        in_torch,
        in_torch_integers,
        in_jitted_jax,
        in_jitted_jax_doubles,
    ],
)
Evaluate = Callable[[Schedule, np.ndarray], np.ndarray]


def around(edges: np.ndarray, evaluate: Evaluate) -> np.ndarray:
    """The edges below 2**24 and their neighbours; for single numbers only the first and last."""
    edges = edges[edges <= LAST]
    few = 300 if evaluate is in_numbers else 20_000
    edges = np.concatenate([edges[:few], edges[-few:]])
    near = np.concatenate([edges - 1, edges, edges + 1])
    return np.unique(near.clip(0, LAST))


def multiples(n: int, evaluate: Evaluate) -> np.ndarray:
    return around(np.arange(0, LAST + 1, n), evaluate)


def position(t: Any) -> Any:
    return t


@everywhere
@pytest.mark.parametrize("n", DIVISORS)
def test_step(n: int, evaluate: Evaluate) -> None:
    t = multiples(n, evaluate)
    drops = np.log(evaluate(Step(n, FACTOR), t).astype(np.float64)) / np.log(FACTOR)
    np.testing.assert_allclose(drops, t // n, rtol=0, atol=0.1)


@everywhere
@pytest.mark.parametrize("n", DIVISORS)
def test_staircase(n: int, evaluate: Evaluate) -> None:
    t = multiples(n, evaluate)
    np.testing.assert_array_equal(evaluate(Function(position).staircase(n), t), t // n * n)


@everywhere
@pytest.mark.parametrize("n", DIVISORS)
def test_repeat(n: int, evaluate: Evaluate) -> None:
    t = multiples(n, evaluate)
    np.testing.assert_array_equal(evaluate(Function(position, n).repeat(), t), t % n)


@everywhere
@pytest.mark.parametrize("n", DIVISORS)
def test_repeat_a_number_of_times(n: int, evaluate: Evaluate) -> None:
    times = 10_007
    t = around(np.array([n, times * n // 2, (times - 1) * n, times * n]), evaluate)
    expected = np.where(t < times * n, t % n, n)
    np.testing.assert_array_equal(evaluate(Function(position, n).repeat(times), t), expected)


@everywhere
@pytest.mark.parametrize("n", [7, 49])
def test_repeat_with_cycles_that_double(n: int, evaluate: Evaluate) -> None:
    starts = n * (2 ** np.arange(24) - 1)
    t = around(starts, evaluate)
    cycle = np.searchsorted(starts, t, side="right") - 1
    values = evaluate(Function(position, n).repeat(stretch=2), t)
    np.testing.assert_array_equal(values, (t - starts[cycle]) / 2.0**cycle)


@everywhere
@pytest.mark.parametrize("n", [41, 49])
def test_table(n: int, evaluate: Evaluate) -> None:
    t = around(n * np.arange(101), evaluate)
    table = Table([[n, row] for row in range(100)])
    np.testing.assert_array_equal(evaluate(table, t), np.minimum(t // n, 99))


@everywhere
@pytest.mark.parametrize("n", [41, 49])
def test_multi_step(n: int, evaluate: Evaluate) -> None:
    t = around(n * np.arange(1, 101), evaluate)
    steps = MultiStep({n * k: 2 if k % 2 else 0.5 for k in range(1, 101)})
    drops = np.minimum(t // n, 100)
    np.testing.assert_array_equal(evaluate(steps, t), np.where(drops % 2, 2, 1))


@everywhere
@pytest.mark.parametrize("n", [41, 49])
def test_then(n: int, evaluate: Evaluate) -> None:
    t = around(n * np.arange(8), evaluate)
    steps = Hold(n, 0) >> Hold(2 * n, 1) >> Hold(4 * n, 2) >> Hold(1, 3)
    expected = np.searchsorted([n, 3 * n, 7 * n], t, side="right")
    np.testing.assert_array_equal(evaluate(steps, t), expected)


@everywhere
@pytest.mark.parametrize(
    ("n", "total"),
    [(41, 9_973), (49, 1_000), (3, 49), (7, LAST), (10, 147), (1_000, 7), (9_973, 10_007)],
)
def test_over(n: int, total: int, evaluate: Evaluate) -> None:
    t = around(np.arange(n + 1) * total // n, evaluate)
    expected = np.where(t < total, t.astype(np.int64) * n // total, n)
    steps = Function(position, n).staircase(1)
    np.testing.assert_array_equal(evaluate(steps.over(total), t), expected)


@everywhere
@pytest.mark.parametrize("n", DIVISORS)
def test_a_stretched_staircase_of_repeats(n: int, evaluate: Evaluate) -> None:
    total = 100_003
    schedule = Function(position, n).repeat(7).staircase(3).over(total)
    t = around(np.arange(7 * n + 1) * total // (7 * n), evaluate)
    # Position 7n·t / total lies in the stair that starts at 3 · floor(7n·t / (3·total)).
    stair = 3 * (7 * n * t.astype(np.int64) // (3 * total))
    ended = t >= total
    expected = np.where(ended, (7 * n // 3 * 3) % n if 7 * n % 3 else n, stair % n)
    np.testing.assert_array_equal(evaluate(schedule, t), expected)


def in_torch_doubles(schedule: Schedule, t: np.ndarray) -> np.ndarray:
    return schedule(torch.from_numpy(t)).numpy()


@pytest.mark.parametrize("evaluate", [in_numpy, in_torch_doubles, in_jitted_jax_doubles])
@pytest.mark.parametrize("length", [0.1, 0.7, 7.3])
def test_fractional_lengths(length: float, evaluate: Evaluate) -> None:
    """The same piece as for a number even where no integer says which: XLA fuses a - b * c."""
    edges = np.arange(0, 2_000) * length / 2
    t = np.concatenate([np.nextafter(edges, 0), edges, np.nextafter(edges, np.inf)])
    table = Table([[length / 2, 1], [length / 2, 2]])
    for schedule in (
        table.repeat(),
        table.repeat(999),
        table.repeat(stretch=1.5),
        table.repeat(5).staircase(length / 3).skip(length / 7).over(100),
        Function(position).staircase(length).skip(length / 3),
    ):
        np.testing.assert_array_equal(evaluate(schedule, t), in_numbers(schedule, t))
