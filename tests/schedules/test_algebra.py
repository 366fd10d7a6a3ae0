"""The algebra: what each operator and method means, written out once more by other means."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from stepsize import (
    Constant,
    Cosine,
    Exponential,
    Function,
    Hold,
    Linear,
    MultiStep,
    Schedule,
    Step,
    Table,
    Triangular,
    Warmup,
    warmup_cosine,
    wsd,
)
from stepsize.errors import InvalidType
from stepsize.testing.schedules import any_schedule, positions

STEPS = st.integers(1, 200)
POSITIONS = st.integers(0, 1_000)
NUMBERS = st.integers(-10, 10) | st.floats(-10, 10)
ANY = any_schedule(max_leaves=3)
ENDING = st.builds(Schedule.until, ANY, STEPS)


def same(a: Schedule, b: Schedule) -> bool:
    """Equal, and equal in every bit."""
    t = positions(a)
    return a == b and hash(a) == hash(b) and a(t).tobytes() == b(t).tobytes()


# ------------------------------------------------------------------ laws


@given(ANY, ANY)
def test_products_and_sums_commute(a: Schedule, b: Schedule) -> None:
    assert same(a * b, b * a)
    assert same(a + b, b + a)


@given(ANY, NUMBERS)
def test_numbers_join_from_either_side(a: Schedule, number: float) -> None:
    assert same(a * number, number * a)
    assert same(a + number, number + a)


@given(ANY, ANY, ANY)
def test_products_and_sums_are_associative_and_flat(a: Schedule, b: Schedule, c: Schedule) -> None:
    assert same((a * b) * c, a * (b * c))
    assert same((a + b) + c, a + (b + c))
    assert repr((a * b) * c) == repr(a * (b * c))


@given(ENDING, ENDING, ANY)
def test_then_is_associative_and_flat(a: Schedule, b: Schedule, c: Schedule) -> None:
    assert same((a >> b) >> c, a >> (b >> c))
    assert repr((a >> b) >> c) == repr(a >> (b >> c))


@given(ENDING)
def test_a_phase_of_length_zero_vanishes(a: Schedule) -> None:
    assert Hold(0) >> a == a >> Hold(0) == a
    assert a >> Linear(0, 5, 7) >> Hold(1) == a >> Hold(1)
    assert a.until(0) >> a == a


def test_of_phases_that_all_vanish_the_last_one_stays() -> None:
    assert Hold(0, 3) >> Linear(0, 1, 2) == Linear(0, 1, 2)
    assert (Hold(0, 3) >> Linear(0, 1, 2)).length == 0
    assert (Hold(0, 3) >> Linear(0, 1, 2))(0) == 2


@pytest.mark.parametrize(
    ("a", "b"),
    [
        (Linear(10), Linear(11)),
        (Linear(10), Cosine(10)),
        (Linear(10, 0, 1), Warmup(10)),
        (Linear(10) * 2, Linear(10) + 2),
        (Linear(10) * 2, Linear(10) * 2 * 1),
        (Linear(10) + Linear(10), Linear(10)),
        (Linear(10).skip(1), Linear(10).until(1)),
        (Linear(10) >> Hold(1), Hold(1) >> Linear(10)),
        (Table([[1, 2]]), Table([[2, 1]])),
        (MultiStep({1: 2}), MultiStep({1: 3})),
    ],
)
def test_schedules_of_other_content_are_not_equal(a: Schedule, b: Schedule) -> None:
    assert a != b
    assert len({a, b}) == 2


def test_a_schedule_equals_nothing_else() -> None:
    assert Constant(1) != 1
    assert repr(Hold(1)) != Hold(1)


def test_equality_is_by_value_however_a_number_was_written() -> None:
    assert Hold(1.0) == Hold(1)
    assert repr(Hold(1.0, -0.0)) == "Hold(1, value=0)"
    assert MultiStep({4: 0.5, 2.0: 0.1}) == MultiStep({2: 0.1, 4: 0.5})
    assert Table(((1, 2.0),)) == Table([[1.0, 2]])


# ------------------------------------------------------------------ meanings


@given(ANY, ANY, POSITIONS)
def test_product_and_sum_are_taken_position_by_position(a: Schedule, b: Schedule, t: int) -> None:
    assert (a * b)(t) == pytest.approx(max(-1e30, min(a(t) * b(t), 1e30)), rel=1e-12)
    assert (a + b)(t) == pytest.approx(a(t) + b(t), rel=1e-12)


@given(ENDING, ENDING, ANY, POSITIONS)
def test_then_hands_over_at_each_length(a: Schedule, b: Schedule, c: Schedule, t: int) -> None:
    assume(c.length > 0)
    first, second = int(a.length), int(b.length)
    if t < first:
        expected = a(t)
    elif t < first + second:
        expected = b(t - first)
    else:
        expected = c(t - first - second)
    assert (a >> b >> c)(t) == expected
    assert (a >> b)(first) == b(0)
    assert (a >> b)(first + second + t) == b(second)


@given(ANY, st.integers(0, 200), POSITIONS)
def test_skip_starts_later(a: Schedule, n: int, t: int) -> None:
    assert a.skip(n)(t) == a(t + n)


@given(ANY, st.integers(0, 200), POSITIONS)
def test_until_stops_there(a: Schedule, n: int, t: int) -> None:
    assert a.until(n)(t) == a(min(t, n))


@given(ENDING, STEPS, POSITIONS)
def test_over_stretches_the_whole(a: Schedule, total: int, t: int) -> None:
    expected = a(t * a.length / total) if t < total else a(a.length)
    assert a.over(total)(t) == expected


@given(ENDING, STEPS, STEPS)
def test_stretching_twice_is_stretching_once(a: Schedule, first: int, second: int) -> None:
    assert a.over(first).over(second) == a.over(second)


@given(
    ENDING,
    st.none() | st.integers(1, 6),
    st.sampled_from([1, 1.5, 2, 3]),
    st.sampled_from([1, 0.5, 0]),
    POSITIONS,
)
def test_repeat_starts_again(
    a: Schedule, times: int | None, stretch: float, shrink: float, t: int
) -> None:
    start, length, cycle = 0.0, float(a.length), 0
    while t >= start + length and (times is None or cycle < times - 1):
        start, length, cycle = start + length, length * stretch, cycle + 1
    inside = min((t - start) / stretch**cycle, a.length)
    expected = shrink**cycle * a(inside)
    assert a.repeat(times, stretch, shrink)(t) == pytest.approx(expected, rel=1e-12)


@given(ENDING, st.integers(2, 5), POSITIONS)
def test_cycles_may_grow_shorter(a: Schedule, times: int, t: int) -> None:
    starts = [a.length * (2 - 2 ** (1 - cycle)) for cycle in range(times + 1)]
    cycle = sum(start <= t for start in starts[1:times])
    inside = min((t - starts[cycle]) * 2**cycle, a.length)
    shorter = a.repeat(times, stretch=0.5)
    assert shorter(t) == a(inside)
    assert shorter.length == starts[times]


@given(ANY, NUMBERS, st.floats(0, 5), POSITIONS)
def test_clip_keeps_between_its_limits(a: Schedule, low: float, span: float, t: int) -> None:
    high = low + span
    assert a.clip(low, high)(t) == min(max(a(t), low), high)
    assert a.clip(low)(t) == max(a(t), low)
    assert a.clip(high=high)(t) == min(a(t), high)


@given(ANY, STEPS, POSITIONS)
def test_staircase_holds_the_value_at_the_start_of_each_stair(
    a: Schedule, every: int, t: int
) -> None:
    reached = min(t, a.length)
    assert a.staircase(every)(t) == a(every * math.floor(reached / every))


@given(ANY, st.floats(0.01, 1_000))
def test_positions_below_zero_count_as_zero(a: Schedule, t: float) -> None:
    assert a(-t) == a(0)


# ------------------------------------------------------------------ lengths


@given(ANY, ANY, NUMBERS)
def test_products_and_sums_last_as_long_as_the_longest(
    a: Schedule, b: Schedule, number: float
) -> None:
    assert (a * b).length == (a + b).length == max(a.length, b.length)
    assert (a * number).length == (a + number).length == a.length


@given(ENDING, ENDING, st.integers(0, 300), st.integers(1, 5), STEPS)
def test_lengths_follow_from_the_meaning(
    a: Schedule, b: Schedule, n: int, times: int, total: int
) -> None:
    assert (a >> b).length == a.length + b.length
    assert a.skip(n).length == max(a.length - n, 0)
    assert a.until(n).length == n
    assert a.over(total).length == total
    assert a.over(total / 7).length == total / 7
    assert a.repeat(times).length == a.length * times
    assert a.repeat(times, stretch=2).length == a.length * (2**times - 1)
    assert a.clip(0).length == a.staircase(3).length == a.length


@pytest.mark.parametrize(
    "endless",
    [
        Constant(),
        Step(3, 0.1),
        Exponential(0.9),
        MultiStep({3: 0.1}),
        Function(math.cos),
        Linear(3).repeat(),
        Linear(3) * Constant(),
        Linear(3) + Step(3, 0.1),
        Linear(3) >> Constant(),
        Constant().skip(3).clip(0).staircase(3),
    ],
)
def test_what_never_reaches_a_last_value_is_endless(endless: Schedule) -> None:
    assert endless.length == math.inf


# ------------------------------------------------------------------ extremes


@pytest.mark.parametrize(
    "growing",
    [
        Exponential(1.1) * Exponential(1.1) * Linear(100),
        Constant(1e30) * Constant(1e30) * 1e30 * 0,
        MultiStep({1: 1e30, 2: 1e30, 3: 0}),
        Linear(3).repeat(shrink=1e30) * 0,
        Linear(3).repeat(100, stretch=1.01, shrink=1e30),
        Exponential(2) * -1 * Exponential(2) + Exponential(2) * Exponential(2),
        Step(1, 1e30),
    ],
)
def test_growth_is_held_short_of_infinity_and_nothing_is_nan(growing: Schedule) -> None:
    for t in (0, 1, 4, 1e5, 1e15):
        assert abs(growing(t)) <= 1e30
    assert abs(growing(positions(growing))).max() <= 1e30


@pytest.mark.parametrize(
    "schedule",
    [
        Hold(0.1) >> Step(0.0003, 0.5).until(0.0003),
        Hold(0.1) >> Linear(0.0003),
        Linear(0.9).skip(0.2),
        Step(0.1, 0.5).until(0.1).repeat(3),
        Table([[0.1, 1], [0.2, 2], [0.3, 3]]).skip(0.1).over(0.7) >> Linear(0.1),
    ],
)
def test_the_end_of_fractional_lengths_is_not_missed_by_rounding(schedule: Schedule) -> None:
    end = schedule.length
    assert schedule(end) == schedule(np.array([end]))[0] == schedule(1e9)


@given(st.floats(0.01, 10), st.integers(1, 10_000))
def test_rounding_never_looks_before_the_start_of_a_cycle(length: float, cycle: int) -> None:
    # Before it, Step would give 0 to the power of -1.
    steps = Step(length, 0).until(length).repeat()
    for t in (cycle * length, math.nextafter(cycle * length, 0)):
        assert steps(t) in (0, 1)


# ------------------------------------------------------------------ values


def test_a_schedule_cannot_be_changed() -> None:
    schedule = Hold(3)
    with pytest.raises(AttributeError):
        schedule.steps = 4  # type: ignore[misc]
    with pytest.raises(AttributeError):
        del schedule.steps
    with pytest.raises(AttributeError):
        schedule.note = "mine"  # type: ignore[attr-defined]
    assert schedule == Hold(3)


def test_the_factors_of_a_multi_step_cannot_be_changed() -> None:
    factors: Any = MultiStep({3: 0.1}).factors
    with pytest.raises(InvalidType, match="immutable"):
        factors[3] = 1
    with pytest.raises(InvalidType, match="immutable"):
        factors.update({4: 1})
    with pytest.raises(InvalidType, match="immutable"):
        factors |= {4: 1}
    assert factors == {3: 0.1}


def test_what_a_schedule_was_built_from_may_change_afterwards() -> None:
    rows, factors = [[1, 2], [3, 4]], {3: 0.1}
    table, steps = Table(rows), MultiStep(factors)
    rows[0][1] = 9
    factors[3] = 9
    assert table(0) == 2
    assert steps(3) == 0.1


def test_values_are_those_at_the_first_positions() -> None:
    schedule = Warmup(3) >> Cosine(4)
    assert schedule.values(9).tolist() == [schedule(t) for t in range(9)]
    assert schedule.values(0).shape == (0,)


# ------------------------------------------------------------------ phases


def test_phases_name_what_runs_when() -> None:
    def spans(schedule: Schedule, horizon: float = math.inf) -> list[tuple[str, float, float]]:
        return [tuple(phase) for phase in schedule.phases(horizon)]

    assert spans(wsd(100, warmup=10, cooldown=20)) == [
        ("Warmup", 0, 10),
        ("Hold", 10, 80),
        ("Linear", 80, 100),
    ]
    assert spans(warmup_cosine(100).over(10)) == [("Cosine", 0, 10)]
    assert spans(Linear(3).until(5)) == [("Linear", 0, 3), ("Hold", 3, 5)]
    assert spans(Triangular(1).repeat(2, stretch=2)) == [("cycle 1", 0, 2), ("cycle 2", 2, 6)]
    assert spans((Hold(2) >> Linear(2)) * Constant()) == [
        ("Hold × Constant", 0, 2),
        ("Linear × Constant", 2, 4),
        ("Constant", 4, math.inf),
    ]
    assert spans(Constant(), horizon=7) == [("Constant", 0, 7)]


def test_the_phases_of_countless_cycles_come_to_an_end() -> None:
    for repeated in (Linear(2).repeat(), Linear(2).repeat(10**9), Linear(2).repeat(10**9).over(1)):
        phases = repeated.phases()
        assert len(phases) < 2_000
        assert phases[-1].end == repeated.length
