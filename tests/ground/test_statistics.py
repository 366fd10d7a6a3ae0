"""Robust statistics: half of the values may be anything, and minima know their counts."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stepsize.statistics import (
    MovingAverage,
    RunningMinimum,
    deviation,
    expected_minimum,
    neighbour_deviation,
)

values = st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=50)


def test_the_deviation_is_that_of_normal_noise_whatever_a_third_of_it_is() -> None:
    noise = np.random.default_rng(1).normal(5, 2, 10_000)
    assert deviation(noise) == pytest.approx(2, rel=0.03)
    noise[:3_000] = 1e9
    assert deviation(noise) < 4


def test_a_trend_does_not_enter_the_deviation_of_neighbours() -> None:
    noise = np.random.default_rng(2).normal(0, 2, 10_000)
    assert neighbour_deviation(noise + np.linspace(0, 500, 10_000)) == pytest.approx(2, rel=0.03)


@pytest.mark.parametrize("count", [2, 10, 100, 1_000])
def test_the_lowest_of_n_normal_values_lies_where_it_is_expected(count: int) -> None:
    samples = np.random.default_rng(3).normal(size=(4_000, count))
    assert -samples.min(axis=1).mean() == pytest.approx(expected_minimum(count), abs=0.05)


@given(values)
def test_a_running_minimum_counts_what_it_was_taken_over(given_values: list[float]) -> None:
    minimum = RunningMinimum()
    for value in given_values:
        minimum = minimum.add(value)
    assert (minimum.value, minimum.count) == (min(given_values), len(given_values))


@given(values, st.floats(0, 0.99))
def test_a_moving_average_lies_between_the_extremes(
    given_values: list[float], decay: float
) -> None:
    average = MovingAverage(decay)
    assert math.isnan(average.value)
    for value in given_values:
        average = average.add(value)
    tolerance = 1e-6 * max(1.0, *map(abs, given_values))
    assert min(given_values) - tolerance <= average.value <= max(given_values) + tolerance


def test_a_moving_average_is_not_biased_towards_zero_at_its_beginning() -> None:
    assert MovingAverage(0.9).add(3.0).value == pytest.approx(3.0)
