"""A rate carried over from one schedule and horizon to another."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stepsize import Constant, Cosine, InvalidType, InvalidValue, Linear, Schedule, wsd
from stepsize.estimates import Estimate
from stepsize.plan import bound, transfer

SCHEDULES = st.sampled_from(
    [
        Linear(1_000),
        Cosine(1_000),
        Cosine(1_000, end=0.1),
        wsd(1_000, warmup=50, cooldown=200),
        Constant(),
        Linear(1_000) * 0.5,
    ]
)
STEPS = st.integers(10, 1_000)
EXPONENTS = st.floats(0, 1 / 3)


@given(SCHEDULES, STEPS, SCHEDULES, STEPS, EXPONENTS)
def test_the_way_back_gives_the_old_rate(
    a: Schedule, m: int, b: Schedule, n: int, exponent: float
) -> None:
    there = transfer(1e-3, from_=(a, m), to=(b, n), exponent=exponent)
    back = transfer(there.value, from_=(b, n), to=(a, m), exponent=exponent)
    assert back.value == pytest.approx(1e-3)


@given(SCHEDULES, STEPS, SCHEDULES, STEPS, EXPONENTS)
def test_the_interval_holds_the_rate(
    a: Schedule, m: int, b: Schedule, n: int, exponent: float
) -> None:
    found = transfer(1e-3, from_=(a, m), to=(b, n), exponent=exponent)
    assert 0 < found.low <= found.value * (1 + 1e-12)
    assert found.value <= found.high * (1 + 1e-12)


@given(SCHEDULES, STEPS)
def test_the_same_run_keeps_its_rate_without_doubt(schedule: Schedule, steps: int) -> None:
    same = transfer(1e-3, from_=(schedule, steps), to=(schedule, steps))
    assert (same.value, same.low, same.high) == pytest.approx((1e-3, 1e-3, 1e-3))


def test_the_horizon_alone_follows_the_exponent() -> None:
    longer = transfer(1e-3, from_=(Linear(1_000), 1_000), to=(Linear(4_000), 4_000), exponent=0.25)
    assert longer.value == pytest.approx(1e-3 * 4**-0.25)
    assert (longer.low, longer.high) == pytest.approx((1e-3 * 4**-0.3, 1e-3 * 4**0.12))


def test_within_one_shape_and_batch_the_rate_stays_and_the_interval_covers_what_was_seen() -> None:
    longer = transfer(1e-3, from_=(Linear(1_000), 1_000), to=(Linear(4_000), 4_000))
    assert longer.value == pytest.approx(1e-3, rel=1e-3)
    assert (longer.low, longer.high) == pytest.approx((1e-3 * 4**-0.3, 1e-3 * 4**0.12), rel=1e-3)
    assert "184 pairs of runs at one batch size" in str(longer.reason)


def test_another_batch_size_widens_the_interval_and_the_reason_says_so() -> None:
    short, long = (Linear(1_000), 1_000), (Linear(4_000), 4_000)
    same, other = (transfer(1e-3, short, long, same_batch=each) for each in (True, False))
    assert other.value == same.value
    assert other.high > same.high
    assert other.low <= same.low
    assert "where the batch size changes" in str(other.reason)


def test_the_shape_alone_follows_the_bound() -> None:
    other = transfer(1e-3, from_=(Linear(1_000), 1_000), to=(Cosine(1_000), 1_000))
    ratio = bound(Cosine(1_000), 1_000).rate / bound(Linear(1_000), 1_000).rate
    assert other.value == pytest.approx(1e-3 * ratio)
    assert (other.low, other.high) == pytest.approx((other.value / 1.25, other.value * 1.25))


def test_a_schedule_of_half_the_height_wants_twice_the_rate() -> None:
    run = (Linear(1_000), 1_000)
    assert transfer(1e-3, from_=run, to=(Linear(1_000) * 0.5, 1_000)).value == pytest.approx(2e-3)


def test_the_doubt_about_the_given_rate_comes_along() -> None:
    raced = Estimate(1e-3, 5e-4, 2e-3, "a race", "this training")
    short, long = (Constant(), 100), (Linear(1_000), 1_000)
    found, exact = transfer(raced, short, long), transfer(1e-3, short, long)
    assert found.value == exact.value
    assert (found.low, found.high) == pytest.approx((exact.low / 2, exact.high * 2))
    assert "(a race)" in str(found.reason)


def test_reason_and_source_say_where_it_comes_from() -> None:
    printed = str(transfer(1e-3, from_=(Constant(), 100), to=(Linear(1_000), 1_000)))
    for part in ("0.001", "Constant() over 100 steps", "1,000 steps", "^-0", "2501.18965"):
        assert part in printed


@pytest.mark.parametrize(
    ("changed", "error", "message"),
    [
        ({"rate": 0}, InvalidValue, "rate must be a finite number and above 0"),
        ({"rate": math.nan}, InvalidValue, "rate must be a finite number and above 0"),
        ({"rate": "auto"}, InvalidType, "rate must be a finite number and above 0"),
        ({"exponent": 0.5}, InvalidValue, "0 leaves the horizon out"),
        ({"exponent": -0.1}, InvalidValue, "exponent must be a finite number and at least 0"),
        ({"to": Linear(10)}, InvalidType, r"to must be a pair \(schedule, steps\)"),
        ({"from_": ("Linear(10)", 10)}, InvalidType, "schedule must be a schedule"),
        ({"from_": (Linear(10), 0)}, InvalidValue, "the steps of from_ must be"),
        ({"to": (Linear(10, start=-1), 10)}, InvalidValue, "must not be negative"),
    ],
)
def test_what_cannot_be_transferred_is_named(
    changed: dict[str, object], error: type[Exception], message: str
) -> None:
    arguments = {"rate": 1e-3, "from_": (Linear(10), 10), "to": (Cosine(10), 10), **changed}
    with pytest.raises(error, match=message) as raised:
        transfer(**arguments)  # pyright: ignore[reportArgumentType]
    assert str(raised.value).startswith("transfer(")


@pytest.mark.parametrize(
    "interval", [(2e-3, 1e-3), (-1e-3, 1e-2), (0.0, 1e-2), (1e-4, math.nan), (1e-4, math.inf)]
)
def test_an_estimate_without_an_interval_above_0_is_named(interval: tuple[float, float]) -> None:
    odd = Estimate(1e-3, *interval, "as guessed", "nobody")
    with pytest.raises(InvalidValue, match="the rate's"):
        transfer(odd, from_=(Linear(10), 10), to=(Linear(20), 20))
