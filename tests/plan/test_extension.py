"""A run made longer while it is under way."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stepsize import (
    Constant,
    Cosine,
    EndlessSchedule,
    InvalidValue,
    Linear,
    Schedule,
    linear_to_zero,
    parse,
    warmup_cosine,
    wsd,
)
from stepsize.plan import bound, extension

WSD = wsd(10_000, warmup=0, cooldown=2_000)
RUNS = st.sampled_from(
    [
        wsd(1_000, warmup=50, cooldown=200),
        warmup_cosine(1_000, warmup=50, end=0.1),
        linear_to_zero(1_000, warmup=10),
        Cosine(1_000),
        Cosine(250).repeat(4, shrink=0.5),
    ]
)


@pytest.mark.parametrize(("times", "published"), [(2, 0.525), (4, 0.375)])
def test_the_multipliers_are_those_of_the_published_runs(times: int, published: float) -> None:
    longer = extension(WSD, at=5_000, new_total=times * 10_000)
    assert longer.multiplier.value == pytest.approx(published, abs=0.015)
    assert f"× {longer.multiplier.value:.3g} from step 8,000 on" in str(longer.reason)


def test_a_cooldown_of_63_percent_does_the_same_for_twice_the_length() -> None:
    longer = extension(WSD, at=5_000, new_total=20_000)
    assert longer.is_derived
    assert longer.cooldown.value / 20_000 == pytest.approx(0.63, abs=0.015)


@pytest.mark.parametrize(("at", "new_total"), [(5_000, 40_000), (7_900, 20_000)])
def test_where_no_cooldown_is_long_enough_the_longest_that_is_left_is_offered(
    at: int, new_total: int
) -> None:
    longer = extension(WSD, at=at, new_total=new_total)
    assert not longer.is_derived
    assert longer.cooldown.value == new_total - at
    assert longer.prolonged.length == new_total
    assert bound(longer.prolonged, new_total).rate < bound(WSD, 10_000).rate
    assert f"the longest that is left from step {at:,} on" in str(longer.reason)


@given(RUNS, st.integers(0, 990), st.integers(1_001, 5_000))
def test_the_past_stays_the_rate_never_rises_above_it_and_the_new_end_is_met(
    schedule: Schedule, at: int, new_total: int
) -> None:
    longer = extension(schedule, at, new_total)
    before = schedule.values(1_000)
    ways = [(longer.lowered, longer.multiplier.value), (longer.prolonged, 1.0)]
    for plan, scale in ways:
        values = plan.values(new_total)
        assert plan.length == new_total
        assert values[:at] == pytest.approx(before[:at])
        assert values[at:].max() <= before[at:].max() * (1 + 1e-9)
        assert plan(new_total) == pytest.approx(schedule(1_000) * scale)
        assert parse(repr(plan)) == plan


@given(st.integers(2_000, 5_000))
def test_both_ways_bring_the_best_rate_back(new_total: int) -> None:
    schedule = wsd(1_000, warmup=20, cooldown=200)
    longer = extension(schedule, at=100, new_total=new_total)
    target = bound(schedule, 1_000).rate
    assert bound(longer.lowered, new_total).rate == pytest.approx(target, rel=1e-3)
    if longer.is_derived:
        assert bound(longer.prolonged, new_total).rate == pytest.approx(target, rel=1e-2)


def test_a_run_in_its_cooldown_goes_on_at_the_rate_it_has() -> None:
    longer = extension(WSD, at=9_000, new_total=20_000)
    after = longer.lowered.values(20_000)[9_000:]
    assert after.max() == pytest.approx(0.5 * longer.multiplier.value)
    assert np.all(np.diff(after) <= 0)


def test_the_interval_reaches_from_the_bound_to_no_change() -> None:
    multiplier = extension(WSD, at=5_000, new_total=20_000).multiplier
    assert (multiplier.low, multiplier.high) == (multiplier.value, 1.0)


@pytest.mark.parametrize(
    ("schedule", "at", "new_total", "message"),
    [
        (Linear(10), -1, 20, "at must be a whole number and at least 0"),
        (Linear(10), 10, 20, "at most 9, but is 10. The run must not have ended"),
        (Linear(10), 5, 10, "new_total must be a whole number and above 10"),
        (Linear(10), 5, math.inf, "new_total must be a whole number"),
        (Linear(5) >> Linear(5, start=0), 7, 20, "no rate is left from step 7 on"),
    ],
)
def test_what_cannot_be_extended_is_named(
    schedule: Schedule, at: int, new_total: int, message: str
) -> None:
    with pytest.raises(InvalidValue, match=message) as raised:
        extension(schedule, at, new_total)
    assert str(raised.value).startswith("extension(")


def test_an_endless_schedule_needs_no_extension() -> None:
    with pytest.raises(EndlessSchedule, match="it goes on by itself"):
        extension(Constant(), 5, 20)
