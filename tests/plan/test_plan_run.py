"""A whole run: warmup, peak and cooldown, with reasons."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stepsize import Constant, InvalidType, InvalidValue, Linear, Power, parse
from stepsize.plan import default_plan, plan_run, transfer

BETAS = st.none() | st.floats(0, 0.9999999)


@given(st.integers(1, 1_000_000), BETAS, st.floats(0.001, 1))
def test_it_peaks_within_a_tenth_of_the_run_and_ends_at_zero(
    steps: int, beta2: float | None, cooldown: float
) -> None:
    plan = default_plan(steps, beta2, cooldown)
    warmup = round(plan.warmup.value)
    assert warmup <= steps / 10
    assert plan.schedule.length == steps
    assert plan.schedule(steps) == 0
    assert 0 < plan.schedule(0) <= 1
    assert plan.schedule(warmup) == 1
    assert parse(repr(plan.schedule)) == plan.schedule


@given(st.integers(1, 1_000_000), BETAS, st.floats(0.001, 1))
def test_every_interval_holds_its_number(steps: int, beta2: float | None, cooldown: float) -> None:
    plan = default_plan(steps, beta2, cooldown)
    for part in (plan.warmup, plan.cooldown):
        assert 0 <= part.low <= part.value <= part.high <= steps


@pytest.mark.parametrize(("beta2", "warmup"), [(0.9, 20), (0.99, 200), (0.999, 1_000), (None, 500)])
def test_the_warmup_follows_the_second_moment_up_to_a_tenth(
    beta2: float | None, warmup: int
) -> None:
    plan = default_plan(10_000, beta2)
    assert plan.schedule(warmup) == 1
    assert plan.schedule(warmup - 1) < 1
    assert f"warmup over {warmup:,} steps" in str(plan.reason)


def test_a_long_cooldown_is_a_line_and_a_short_one_falls_as_one_minus_the_root() -> None:
    long, short = (default_plan(1_000, cooldown=part).schedule for part in (0.7, 0.2))
    assert long.skip(300).values(701) == pytest.approx(Linear(700).values(701))
    assert short.skip(800).values(201) == pytest.approx(Power(200, 0.5).values(201))


@pytest.mark.parametrize(
    ("optimizer", "warmup"), [("AdamW", 2_000), ("adam", 2_000), ("RMSprop", 200), ("SGD", 1_000)]
)
def test_the_optimizer_s_usual_second_moment_is_taken(optimizer: str, warmup: int) -> None:
    assert plan_run(1e-3, optimizer, 20_000).warmup.value == warmup


def test_a_given_second_moment_wins() -> None:
    assert plan_run(1e-3, "AdamW", 20_000, beta2=0.95).warmup.value == 40


def test_without_where_it_was_tuned_the_rate_is_the_peak() -> None:
    peak = plan_run(1e-3, "AdamW", 20_000).peak
    assert peak is not None
    assert (peak.low, peak.value, peak.high) == (1e-3, 1e-3, 1e-3)


def test_a_raced_rate_is_transferred_to_the_planned_schedule() -> None:
    race = (Constant(), 2_000)
    plan = plan_run(1e-3, "AdamW", 20_000, tuned=race, exponent=0.25)
    assert plan.peak == transfer(1e-3, from_=race, to=(plan.schedule, 20_000), exponent=0.25)


def test_it_prints_its_schedule_and_every_number_with_interval_reason_and_source() -> None:
    printed = str(plan_run(1e-3, "AdamW", 20_000, tuned=(Constant(), 2_000)))
    first, *lines = printed.splitlines()
    assert first == "Warmup(2001).skip(1) >> Hold(4000) >> Linear(14000), 20,000 steps"
    assert [line.split()[0] for line in lines] == ["peak", "warmup", "cooldown"]
    for line in lines:
        assert " to " in line
        assert "Source: " in line


@pytest.mark.parametrize(("steps", "beta2"), [(0, None), (10, 1.0), (10, -0.1), (10, math.nan)])
def test_a_number_out_of_range_is_named(steps: int, beta2: float | None) -> None:
    with pytest.raises(InvalidValue, match=r"^default_plan\("):
        default_plan(steps, beta2)
    with pytest.raises(InvalidValue, match=r"^plan_run\("):
        plan_run(1e-3, "AdamW", steps, beta2=beta2)


@pytest.mark.parametrize("cooldown", [0, -0.1, 1.1, math.nan])
def test_a_cooldown_that_is_no_part_of_the_run_is_named(cooldown: float) -> None:
    with pytest.raises(InvalidValue, match="It is the cooldown's part of the run"):
        default_plan(100, cooldown=cooldown)


@pytest.mark.parametrize("optimizer", ["Adamw2", "", None])
def test_an_unknown_optimizer_is_named_with_the_known_ones(optimizer: str) -> None:
    with pytest.raises(InvalidValue, match=r"must be one of 'SGD', 'Adam', .* nearest relative"):
        plan_run(1e-3, optimizer, 100)


def test_a_rate_that_is_none_is_named() -> None:
    with pytest.raises(InvalidType, match=r"^plan_run\('auto'"):
        plan_run("auto", "SGD", 100)  # pyright: ignore[reportArgumentType]


def test_the_second_moments_decay_is_said_to_lie_below_1() -> None:
    with pytest.raises(InvalidValue, match=r"at least 0 and below 1, but is 1\b"):
        plan_run(1e-3, "AdamW", 100, beta2=1)
