"""The range test: reads a known answer, survives what goes wrong, leaves no trace."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stepsize import InvalidValue, TrainingError
from stepsize.find import range_test
from stepsize.signals import Observation
from stepsize.testing.training import Bowl
from stepsize.training import Factors, Group


class Altered:
    """A training whose observations pass through ``alter(call, observation)``."""

    def __init__(self, alter: Callable[[int, Observation], Observation], bases: Any = None) -> None:
        self._inner = Bowl(noise=0.05)
        self._alter = alter
        self.groups = self._inner.groups if bases is None else bases
        self.factors: list[Factors] = []

    def step(self, factors: Factors) -> Observation:
        self.factors.append(factors)
        return self._alter(len(self.factors) - 1, self._inner.step(factors))

    def evaluate(self) -> dict[str, float]:
        return {}

    def snapshot(self) -> Any:
        return self._inner.snapshot()

    def restore(self, snapshot: Any) -> None:
        self._inner.restore(snapshot)


def loss(value: float) -> Observation:
    return Observation({"loss": value})


@pytest.mark.parametrize("curvature", [0.01, 1.0, 300.0])
def test_the_suggestions_lie_below_where_gradient_descent_diverges(curvature: float) -> None:
    stable = 2 / curvature
    found = range_test(Bowl(curvature=[curvature]), low=1e-6 * stable, high=100 * stable)
    assert set(found.suggestions) == {"minimum/10", "steepest", "valley"}
    assert 0.01 * stable < found.rate < stable
    assert found.suggestions["steepest"].rate < stable


def test_the_recommendation_says_why_and_how_wrong_it_may_be() -> None:
    found = range_test(Bowl())
    assert found.recommended in found.suggestions
    assert "factor of 5 to 8" in found.reason
    assert "<- recommended" in repr(found)


def test_the_training_is_left_as_it_was() -> None:
    touched, untouched = Bowl(noise=0.3), Bowl(noise=0.3)
    range_test(touched)
    factors = {"lr": [1.0]}
    after = [touched.step(factors).metrics["loss"] for _ in range(20)]
    assert after == [untouched.step(factors).metrics["loss"] for _ in range(20)]


def test_the_training_is_left_as_it_was_after_an_error() -> None:
    def fail(call: int, seen: Observation) -> Observation:
        if call == 5:
            raise ZeroDivisionError
        return seen

    training = Altered(fail)
    before = training.snapshot()
    with pytest.raises(ZeroDivisionError):
        range_test(training)
    after = training.snapshot()
    assert np.array_equal(before[0], after[0])
    assert before[1] == after[1]


def test_all_groups_are_swept_with_their_ratios_kept() -> None:
    groups = (Group("body", 0.001), Group("head", 0.1))
    training = Altered(lambda call, seen: seen, bases=groups)
    found = range_test(training, low=0.01, high=1.0, steps=5)
    head = [each["lr"][1] * 0.1 for each in training.factors]
    body = [each["lr"][0] * 0.001 for each in training.factors]
    np.testing.assert_allclose(head, found.rates)
    np.testing.assert_allclose(np.array(head) / np.array(body), 100.0)


@given(st.sets(st.integers(3, 60), max_size=8))
def test_single_losses_that_are_not_finite_are_survived(bad: set[int]) -> None:
    lonely = {b for b in bad if not {b - 1, b - 2} & bad}
    found = range_test(Altered(lambda call, seen: loss(math.nan) if call in lonely else seen))
    assert math.isfinite(found.rate)
    assert set(np.flatnonzero(np.isnan(found.losses))) == {
        b for b in lonely if b < len(found.losses)
    }


def test_losses_that_stay_nan_end_the_sweep() -> None:
    found = range_test(Altered(lambda call, seen: loss(math.nan) if call >= 50 else seen))
    assert len(found.losses) == 53
    assert "not finite" in found.stopped
    assert math.isfinite(found.rate)


def test_divergence_ends_the_sweep() -> None:
    found = range_test(Bowl(curvature=[1.0], noise=0.1), high=1e6)
    assert "diverged" in found.stopped
    assert found.steps < 100


def test_negative_losses_are_no_divergence() -> None:
    found = range_test(Altered(lambda call, seen: loss(seen.metrics["loss"] - 5.0)), high=1.0)
    assert found.steps == 100


def test_skipped_steps_give_no_point() -> None:
    def skip(call: int, seen: Observation) -> Observation:
        return Observation(seen.metrics, stepped=call % 3 != 0)

    found = range_test(Altered(skip), high=1.0)
    assert found.steps == 100
    assert len(found.rates) == 66


def test_ten_points_are_enough() -> None:
    assert range_test(Bowl(), steps=10).rate > 0


def test_a_loss_that_never_moves_is_refused_with_the_reason() -> None:
    with pytest.raises(TrainingError, match=r"the loss did not move: it was 2\.5"):
        range_test(Altered(lambda call, seen: loss(2.5)))


def test_too_few_finite_losses_are_refused_with_the_reason() -> None:
    with pytest.raises(TrainingError, match="only 0 of 3 steps gave a finite loss"):
        range_test(Altered(lambda call, seen: loss(math.nan)))


def test_base_rates_of_zero_have_no_ratio() -> None:
    with pytest.raises(TrainingError, match="one must be above 0"):
        range_test(Bowl(rate=0.0))


@pytest.mark.parametrize(
    "arguments",
    [
        {"low": 0.0},
        {"low": 2.0, "high": 1.0},
        {"high": math.inf},
        {"low": math.nan},
        {"steps": 2},
        {"smoothing": 1.0},
        {"diverged": 1.0},
    ],
    ids=str,
)
def test_a_bad_argument_is_named(arguments: dict[str, Any]) -> None:
    with pytest.raises(InvalidValue, match=r"range_test\(\.\.\., low="):
        range_test(Bowl(), **arguments)
