"""The summary is what one gets by adding up and looking at every step."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stepsize import Cosine, Exponential, Hold, Linear, Polynomial, Schedule, Table, Triangular
from stepsize.schedules.summary import (
    first_phases,
    steps_to_look_at,
    summarize,
    value_reached,
)

LENGTHS = st.integers(1, 60)
LEVELS = st.floats(-2, 2).map(lambda x: round(x, 3))
PIECES = st.one_of(
    st.builds(Hold, LENGTHS, LEVELS),
    st.builds(Linear, LENGTHS, LEVELS, LEVELS),
    st.builds(Cosine, LENGTHS, LEVELS, LEVELS),
    st.builds(Polynomial, LENGTHS, st.sampled_from([0.5, 2]), LEVELS, LEVELS),
    st.builds(lambda up, times: Triangular(up).repeat(times), LENGTHS, st.integers(1, 4)),
    st.builds(lambda n, v: Table([[n, v], [n, 0]]), LENGTHS, LEVELS),
)


def joined(pieces: list[Schedule]) -> Schedule:
    schedule = pieces[0]
    for piece in pieces[1:]:
        schedule = schedule >> piece
    return schedule


@given(st.lists(PIECES, min_size=1, max_size=4).map(joined), st.integers(1, 300))
def test_the_numbers_are_those_of_the_steps(schedule: Schedule, steps: int) -> None:
    summary = summarize(schedule, steps, scale=2.0)
    values = 2.0 * schedule.values(steps)
    seen = [*values, summary.end]
    assert summary.start == values[0]
    assert summary.quarters == tuple(2.0 * schedule(steps * k / 4) for k in (1, 2, 3))
    assert summary.area == pytest.approx(values.sum(), abs=1e-9)
    assert summary.average == pytest.approx(values.mean(), abs=1e-9)
    assert summary.peak == pytest.approx(max(seen))
    assert summary.floor == pytest.approx(min(seen))
    assert seen[int(summary.peak_at)] == summary.peak
    assert seen[int(summary.floor_at)] == summary.floor
    assert summary.steps_at_zero == np.count_nonzero(values == 0)
    assert summary.exact


@given(st.lists(PIECES, min_size=1, max_size=4).map(joined))
def test_the_phases_follow_each_other_and_contain_their_values(schedule: Schedule) -> None:
    phases = summarize(schedule, math.ceil(schedule.length)).phases
    assert phases[0].start == 0
    assert phases[-1].end == schedule.length
    for phase in phases:
        inside = schedule(np.linspace(phase.start, phase.end, 50, endpoint=False))
        slack = 1e-3 * (phase.high - phase.low) + 1e-9
        assert phase.low - slack <= inside.min()
        assert inside.max() <= phase.high + slack
        assert phase.first == schedule(phase.start)
        if phase.movement == "stays":
            assert phase.first == pytest.approx(phase.last)
        elif phase.movement != "moves":
            assert (phase.movement == "rises") == (phase.last > phase.first)


@given(PIECES, LEVELS)
def test_what_comes_after_does_not_change_what_was_reached(piece: Schedule, level: float) -> None:
    alone = value_reached(piece, piece.length)
    followed = value_reached(piece >> Hold(5, level), piece.length)
    assert followed == pytest.approx(alone, abs=1e-6)


def test_of_a_trillion_steps_a_million_tell_the_truth() -> None:
    steps = 10**12
    summary = summarize(Triangular(1).repeat(), steps)
    assert not summary.exact
    assert (summary.start, summary.peak, summary.floor) == (0, 1, 0)
    assert summary.average == pytest.approx(0.5, abs=0.005)
    assert summary.steps_at_zero == pytest.approx(steps / 2, rel=0.01)
    looked_at = steps_to_look_at(steps)
    assert (looked_at[0], looked_at[-1]) == (0, steps - 1)
    assert np.all(np.diff(looked_at) > 0)


def test_as_many_steps_as_a_double_can_count_are_summed_up() -> None:
    summary = summarize(Exponential(0.1), 2**53)
    assert 0.99 * 2**53 < summary.steps_at_zero <= 2**53


def test_endlessly_many_phases_are_counted_up_to_a_hundred() -> None:
    summary = summarize(Triangular(1).repeat(), 1_000_000)
    assert len(summary.phases) == 100
    assert summary.more_phases
    assert len(first_phases(Exponential(0.5), 10)) == 1
