"""The plan for whoever names none."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stepsize import InvalidValue
from stepsize.plan import default_plan


@given(st.integers(1, 1_000_000), st.none() | st.floats(0, 0.9999999))
def test_it_peaks_within_a_tenth_of_the_run_and_ends_at_zero(
    steps: int, beta2: float | None
) -> None:
    schedule = default_plan(steps, beta2).schedule
    peak = steps // 10 if steps >= 10 else 0
    assert schedule.length == steps
    assert schedule(steps) == 0
    assert 0 < schedule(0) <= 1
    assert max(schedule(t) for t in (0, peak)) == pytest.approx(1, abs=0.11)


@pytest.mark.parametrize(("beta2", "warmup"), [(0.9, 20), (0.99, 200), (0.999, 1_000), (None, 500)])
def test_the_warmup_follows_the_second_moment_up_to_a_tenth(
    beta2: float | None, warmup: int
) -> None:
    plan = default_plan(10_000, beta2)
    assert plan.schedule(warmup) == 1
    assert plan.schedule(warmup - 1) < 1
    assert f"over {warmup} steps" in plan.reason


@pytest.mark.parametrize(("steps", "beta2"), [(0, None), (10, 1.0), (10, -0.1), (10, math.nan)])
def test_a_number_out_of_range_is_named(steps: int, beta2: float | None) -> None:
    with pytest.raises(InvalidValue, match=r"default_plan\("):
        default_plan(steps, beta2)
