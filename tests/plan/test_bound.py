"""The convex bound: its definition, its closed forms, and what it must not depend on."""

import math
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from stepsize import Constant, Cosine, InvalidType, InvalidValue, Linear, Table, Warmup, wsd
from stepsize.plan import bound, rank

WEIGHTS = st.floats(0.001, 1e3)
PAIRS = st.lists(st.tuples(WEIGHTS, WEIGHTS), min_size=1, max_size=12)


def harmonic(n: int) -> float:
    return sum(1 / k for k in range(1, n + 1))


def terms_as_published(weights: list[float], norms: list[float]) -> tuple[float, float, float]:
    last, total = len(weights), sum(weights)
    noise = [(weight * norm) ** 2 for weight, norm in zip(weights, norms, strict=True)]
    third = 0.5 * sum(
        weights[k] / sum(weights[k + 1 :]) * sum(noise[k:]) / sum(weights[k:])
        for k in range(last - 1)
    )
    return 1 / (2 * total), sum(noise) / (2 * total), third


@given(PAIRS)
def test_it_is_the_published_formula(pairs: list[tuple[float, float]]) -> None:
    weights, norms = ([pair[side] for pair in pairs] for side in (0, 1))
    found = bound(Table([[1, weight] for weight in weights]), len(weights), norms)
    start, average, last = terms_as_published(weights, norms)
    assert (found.start, found.average, found.last) == pytest.approx((start, average, last))
    assert found.rate == pytest.approx(math.sqrt(start / (average + last)))
    assert found.gap == pytest.approx(2 * math.sqrt(start * (average + last)))


def test_the_published_value_for_a_linear_decay() -> None:
    found = bound(Linear(101), 100)
    assert (found.rate, found.gap) == pytest.approx((0.09676, 0.20268), abs=5e-6)


@pytest.mark.parametrize("steps", [1, 2, 100, 1_000_000])
def test_the_closed_forms_hold_up_to_a_million_steps(steps: int) -> None:
    constant = bound(Constant(), steps)
    assert constant.start == pytest.approx(1 / (2 * steps))
    assert constant.average == pytest.approx(1 / 2)
    assert constant.last == pytest.approx(harmonic(steps - 1) / 2)
    linear = bound(Linear(steps), steps)
    assert linear.start == pytest.approx(1 / (steps + 1))
    assert linear.average == pytest.approx((2 * steps + 1) / (6 * steps))
    assert linear.last == pytest.approx((2 * (steps - 1) + 3 * harmonic(steps - 1)) / (3 * steps))


@given(PAIRS, st.floats(0.01, 100))
def test_no_other_rate_has_a_lower_bound(pairs: list[tuple[float, float]], factor: float) -> None:
    weights, norms = ([pair[side] for pair in pairs] for side in (0, 1))
    found = bound(Table([[1, weight] for weight in weights]), len(weights), norms)
    assert found.at(found.rate) == pytest.approx(found.gap)
    assert found.at(factor * found.rate) >= found.gap * (1 - 1e-12)


@pytest.mark.parametrize("scale", [1e-20, 0.5, 1e20])
def test_a_scaled_schedule_wants_the_inverse_rate_and_reaches_the_same(scale: float) -> None:
    plain, scaled = bound(Cosine(50), 50), bound(Cosine(50) * scale, 50)
    assert scaled.rate * scale == pytest.approx(plain.rate)
    assert scaled.gap == pytest.approx(plain.gap)
    assert scaled.at(scaled.rate) == pytest.approx(scaled.gap)


def test_updates_of_rate_zero_change_nothing() -> None:
    assert bound(Linear(100), 150) == bound(Linear(100), 100)
    with_a_first_zero = bound(Warmup(10) >> Linear(90), 100)
    assert with_a_first_zero == bound((Warmup(10) >> Linear(90)).skip(1), 99)


def test_larger_gradients_ask_for_a_lower_rate() -> None:
    norms = np.full(100, 10.0)
    assert bound(Linear(100), 100, norms).rate == pytest.approx(bound(Linear(100), 100).rate / 10)


@pytest.mark.parametrize(
    ("schedule", "steps", "norms", "message"),
    [
        (Linear(10), 0, None, "steps must be a whole number and at least 1"),
        (Linear(10), 1.5, None, "steps must be a whole number"),
        (Linear(10), 10**9, None, "at most 100,000,000"),
        (Linear(10, start=-1), 10, None, r"is -1 at position 0. Write .clip\(low=0\)"),
        (Linear(10, start=0), 10, None, "above 0 somewhere"),
        (Linear(10), 10, np.ones(9), r"shape \(10,\), but has shape \(9,\)"),
        (Linear(10), 10, np.full(10, np.nan), "nan at position 0"),
        (Linear(10), 10, np.zeros(10), "any rate would do"),
        (Linear(10), 15, np.eye(15)[14], "where the schedule is above 0"),
        (Linear(10), 10, np.full(10, 1e-200), "any rate would do"),
        (Linear(10), 10, np.full(10, 1e200), "at most 1e30"),
        (Linear(10), 10, np.full(10, -1.0), "-1 at position 0"),
    ],
)
def test_what_has_no_bound_is_named(
    schedule: Linear, steps: int, norms: np.ndarray | None, message: str
) -> None:
    with pytest.raises(InvalidValue, match=message) as raised:
        bound(schedule, steps, norms)
    assert str(raised.value).startswith("bound(Linear(10")


def test_a_text_is_no_schedule() -> None:
    refused = r"is 'Linear\(10\)' \(str\). For a text use stepsize.parse"
    with pytest.raises(InvalidType, match=refused):
        bound("Linear(10)", 10)  # pyright: ignore[reportArgumentType]


def test_the_ranking_puts_a_long_decay_before_a_short_one_and_no_decay_last() -> None:
    long, short = Linear(1_000), wsd(1_000, warmup=0, cooldown=200)
    ranking = rank([Constant(), short, long], 1_000)
    assert [schedule for schedule, _ in ranking.rows] == [long, short, Constant()]
    gaps = [each.gap for _, each in ranking.rows]
    assert gaps == sorted(gaps)
    printed = str(ranking)
    assert "1. × 1 " in printed
    assert "may change places" in printed


def test_nothing_to_rank_is_refused() -> None:
    with pytest.raises(InvalidValue, match=r"rank\(\[\], 10\): schedules must have at least one"):
        rank([], 10)


@pytest.mark.parametrize(
    "norms",
    [["1", "2"], "12", [[1.0], [1.0, 2.0]], torch.ones(2, requires_grad=True), [None, 1.0]],
)
def test_gradient_norms_that_are_no_plain_numbers_are_named(norms: Any) -> None:
    with pytest.raises(InvalidType, match="a list or an array of numbers"):
        bound(Linear(2), 2, norms)


@pytest.mark.parametrize("scale", [1e-29, 1e29])
def test_very_small_and_very_large_gradients_have_a_bound(scale: float) -> None:
    plain, scaled = bound(Linear(9), 9), bound(Linear(9), 9, np.full(9, scale))
    assert math.isclose(scaled.rate, plain.rate / scale)
    assert math.isclose(scaled.gap, plain.gap * scale)


@pytest.mark.parametrize("rate", [0, -1, math.nan, math.inf])
def test_the_bound_exists_at_positive_rates_only(rate: float) -> None:
    with pytest.raises(InvalidValue, match=r"^bound\.at\("):
        bound(Linear(9), 9).at(rate)


def test_a_schedule_alone_cannot_be_ranked() -> None:
    with pytest.raises(InvalidType, match=r"Write rank\(\[Linear\(100\)\], 100\)"):
        rank(Linear(100), 100)  # pyright: ignore[reportArgumentType]
