"""No false alarms: good plans give no findings, and no schedule makes the rules fail."""

import math
import warnings

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stepsize import Schedule, linear_to_zero, one_cycle, parse, warmup_cosine, wsd
from stepsize.lint import review
from stepsize.plan import default_plan
from stepsize.testing.schedules import any_schedule

STEPS = st.integers(10, 50_000)
WARMUP = st.floats(0, 0.2)
BASE = st.floats(1e-6, 1e-2)


def assert_clean(schedule: Schedule, steps: int, optimizer: str | None, base: float) -> None:
    findings = review(schedule, steps, steps_per_epoch=1_000, optimizer=optimizer, base=base)
    assert [str(finding) for finding in findings] == []


@given(STEPS, WARMUP, st.floats(0, 0.1), BASE)
def test_warmup_cosine_is_clean(steps: int, warmup: float, end: float, base: float) -> None:
    schedule = warmup_cosine(steps, warmup=math.floor(warmup * steps), end=end)
    assert_clean(schedule, steps, None, base)


@given(STEPS, WARMUP, BASE)
def test_linear_to_zero_is_clean(steps: int, warmup: float, base: float) -> None:
    schedule = linear_to_zero(steps, warmup=math.floor(warmup * steps))
    assert_clean(schedule, steps, None, base)


@given(STEPS, WARMUP, st.floats(0.1, 0.8), st.floats(0, 0.1), BASE)
def test_wsd_is_clean(steps: int, warmup: float, cooldown: float, end: float, base: float) -> None:
    schedule = wsd(steps, math.floor(warmup * steps), math.ceil(cooldown * steps), end)
    assert_clean(schedule, steps, None, base)


@given(STEPS, st.floats(0.1, 0.5), BASE)
def test_one_cycle_is_clean(steps: int, rise: float, base: float) -> None:
    assert_clean(one_cycle(steps, rise=rise), steps, "adamw", base)


@given(STEPS, st.none() | st.sampled_from([0.9, 0.95, 0.99, 0.999]), BASE)
def test_the_default_plan_is_clean(steps: int, beta2: float | None, base: float) -> None:
    optimizer = "sgd" if beta2 is None else "adamw"
    assert_clean(default_plan(steps, beta2).schedule, steps, optimizer, max(base, 1e-4))


@pytest.mark.parametrize(
    "text",
    [
        "MultiStep({30000: 0.1, 60000: 0.1, 80000: 0.1})",
        "Step(30, 0.1).per_epoch(1000)",
        "Exponential(0.95).per_epoch(1000)",
        "Warmup(5001).skip(1) >> InverseSqrt(5000)",
        "Warmup(5001).skip(1) >> Exponential(0.99995)",
        "Warmup(901).skip(1) >> Cosine(78000, end=0.1)",
        "Linear(27000, start=0.04, end=1) >> Linear(63000)",
        "Polynomial(90000, power=2)",
        "Rex(90000)",
        "Tanh(90000)",
        "(Warmup(5).per_epoch(1000) >> Cosine(86).per_epoch(1000)).staircase(1000).skip(1000)",
        "Table([[30, 1], [30, 0.1], [30, 0.01]]).per_epoch(1000)",
    ],
)
def test_published_recipes_are_clean(text: str) -> None:
    schedule = parse(text)
    assert isinstance(schedule, Schedule)
    assert_clean(schedule, 90_000, "sgd-momentum", 0.1)


@settings(max_examples=200)
@given(
    any_schedule(),
    st.none() | st.integers(1, 3_000),
    st.none() | st.floats(0.5, 1e4),
    st.none() | st.sampled_from(["sgd", "adamw"]),
    st.none() | st.floats(1e-9, 1e9),
)
def test_every_schedule_can_be_reviewed(
    schedule: Schedule,
    steps: int | None,
    steps_per_epoch: float | None,
    optimizer: str | None,
    base: float | None,
) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        findings = review(
            schedule, steps, steps_per_epoch=steps_per_epoch, optimizer=optimizer, base=base
        )
    for finding in findings:
        assert math.isfinite(finding.start)
        assert finding.start <= finding.end
        assert all(math.isfinite(number) for number in finding.numbers.values())
