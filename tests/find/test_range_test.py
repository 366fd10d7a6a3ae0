"""The range test: reads a known answer, survives what goes wrong, leaves no trace."""

import math
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stepsize import InvalidType, InvalidValue, TrainingError
from stepsize.find import range_test
from stepsize.signals import Observation, Tick
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
    assert "factor of 5 to 8" in str(found.reason)
    assert "<- recommended" in repr(found)


def test_the_training_is_left_as_it_was() -> None:
    touched, untouched = Bowl(noise=0.3), Bowl(noise=0.3)
    range_test(touched)
    factors = {"lr": [1.0]}
    after = [touched.step(factors).metrics["loss"] for _ in range(20)]
    assert after == [untouched.step(factors).metrics["loss"] for _ in range(20)]


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
    assert "not finite" in str(found.stopped)
    assert math.isfinite(found.rate)


def test_divergence_ends_the_sweep() -> None:
    found = range_test(Bowl(curvature=[1.0], noise=0.1), high=1e6)
    assert "diverged" in str(found.stopped)
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


@pytest.mark.parametrize("linear", [False, True])
def test_the_rates_have_equal_ratios_or_equal_distances(linear: bool) -> None:
    found = range_test(Bowl(), low=0.01, high=1.0, steps=12, linear=linear)
    spaced = np.linspace if linear else np.geomspace
    np.testing.assert_allclose(found.rates, spaced(0.01, 1.0, 12))
    assert found.linear is linear


def test_progress_is_told_of_each_look_while_it_runs() -> None:
    training = Altered(lambda call, seen: Observation(seen.metrics, stepped=call != 4))
    told: list[tuple[int, float, float]] = []

    def progress(tick: Tick) -> None:
        taken = int(tick.position) + 1
        assert len(training.factors) == taken
        told.append((taken, tick.quantities["lr"], tick.metrics["loss"]))

    found = range_test(training, high=1.0, steps=20, sinks=[progress])
    expected = zip(found.positions + 1, found.rates, found.losses, strict=True)
    assert told == [tuple(each) for each in expected]
    assert [taken for taken, _, _ in told] == [1, 2, 3, 4, *range(6, 21)]


def test_the_average_reaches_back_as_many_steps_where_looks_are_few() -> None:
    found = range_test(Bowl(), metric="val_loss", evaluate_every=4, steps=20, high=0.1)
    weights = 0.9 ** (4 * np.arange(4, -1, -1))
    assert found.smoothed[-1] == pytest.approx(np.average(found.losses, weights=weights))


# ------------------------------------------------------------------ how sure it is


def test_the_text_says_that_a_range_test_brackets_and_does_not_choose() -> None:
    found = range_test(Bowl(), high=1e3)
    low, high = found.bracket
    assert low < found.rate < high
    assert f"from {low:.2g} to {high:.2g}. A range test brackets the rate" in str(found.reason)
    assert "it does not choose it" in repr(found)
    assert found.doubts == ()


@pytest.mark.parametrize(
    ("arguments", "doubt"),
    [
        ({"high": 0.1}, r"lowest at the highest rate, .* Raise high="),
        ({"low": 2.1, "high": 4.0}, r"never fell, .* Lower low="),
        ({"low": 0.5, "high": 100.0, "smoothing": 0.0}, r"lies below 0\.5, .* Lower low="),
        ({"linear": True, "low": 0.01}, r"which is not what was done here"),
        ({"metric": "val_loss"}, r"which is not what was done here"),
    ],
    ids=str,
)
def test_what_makes_a_suggestion_less_sure_is_said(arguments: dict[str, Any], doubt: str) -> None:
    found = range_test(Bowl(curvature=[1.0]), **arguments)
    assert any(re.search(doubt, str(each)) for each in found.doubts), found.doubts
    assert all(str(each) in repr(found) for each in found.doubts)


# ------------------------------------------------------------------ what is refused


def test_a_loss_that_never_moves_is_refused_with_the_reason() -> None:
    with pytest.raises(TrainingError, match=r"the loss did not move: 'loss' was 2\.5"):
        range_test(Altered(lambda call, seen: loss(2.5)))


def test_a_sweep_that_begins_too_high_is_refused_with_the_reason() -> None:
    with pytest.raises(
        TrainingError, match=r"only 2 of 2 measurements .* ended because the loss diverged"
    ):
        range_test(Bowl(curvature=[1.0]), low=50.0, high=60.0)


def test_too_few_finite_losses_are_refused_with_the_reason() -> None:
    with pytest.raises(TrainingError, match=r"only 0 of 3 measurements .* gave a finite 'loss'"):
        range_test(Altered(lambda call, seen: loss(math.nan)))


def test_base_rates_of_zero_have_no_ratio() -> None:
    with pytest.raises(TrainingError, match="one of them must be above 0"):
        range_test(Bowl(rate=0.0))


@pytest.mark.parametrize(
    "arguments",
    [
        {"low": 0.0},
        {"low": 2.0, "high": 1.0},
        {"high": math.inf},
        {"low": math.nan},
        {"steps": 2},
        {"evaluate_every": 0},
        {"smoothing": 1.0},
        {"diverged": 1.0},
    ],
    ids=str,
)
def test_a_bad_argument_is_named(arguments: dict[str, Any]) -> None:
    with pytest.raises(InvalidValue, match=r"range_test\(\.\.\., low="):
        range_test(Bowl(), **arguments)


@pytest.mark.parametrize(
    "arguments",
    [{"steps": True}, {"low": "1e-3"}, {"high": None}, {"smoothing": "0.9"}, {"metric": 3}],
    ids=str,
)
def test_an_argument_of_the_wrong_type_is_named(arguments: dict[str, Any]) -> None:
    (name,) = arguments
    with pytest.raises(InvalidType, match=rf"range_test\(\.\.\., low=.*: {name} must be"):
        range_test(Bowl(), **arguments)


def test_numbers_of_numpy_are_numbers() -> None:
    plain = range_test(Bowl(), low=0.001, high=1.0, steps=30, evaluate_every=2)
    found = range_test(
        Bowl(),
        low=np.float64(0.001),
        high=np.float64(1.0),
        steps=np.int64(30),
        evaluate_every=np.int32(2),
    )
    assert repr(found) == repr(plain)


@pytest.mark.parametrize(("old", "new"), [("watch", "metric"), ("progress", "sinks")])
def test_an_old_name_of_an_argument_is_refused_with_the_new_one(old: str, new: str) -> None:
    call: Any = range_test
    with pytest.raises(InvalidType, match=f"the argument '{old}' is now '{new}'"):
        call(Bowl(), **{old: "val_loss"})
