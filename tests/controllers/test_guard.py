"""Guard: what is a sign of trouble, and what is none."""

import math
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stepsize import InvalidType, InvalidValue, Observation, Rewind
from stepsize.controllers import Guard, replay


def noisy(
    seed: int, count: int = 400, noise: float = 0.1, levels: tuple[float, float] = (4.0, 1.0)
) -> np.ndarray:
    """A healthy log: it falls from one level to another."""
    drawn = noise * np.random.default_rng(seed).standard_normal(count)
    return levels[1] + (levels[0] - levels[1]) * np.exp(-np.arange(count) / 80) + drawn


def alarms(losses: Any, guard: Guard | None = None) -> list[float]:
    return [at for at, _ in replay(guard or Guard(), {"loss": losses}).decisions]


seeds = st.integers(0, 2**32 - 1)


@pytest.mark.parametrize("odd", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("name", ["loss", "grad_norm", "parameter_norm"])
def test_a_number_that_is_not_finite_is_an_alarm_at_once(name: str, odd: float) -> None:
    guard = Guard(factor=0.25, warmup=7, limit=3)
    metrics = {"loss": 1.0, "grad_norm": 1.0, "parameter_norm": 1.0, name: odd}
    _, decisions = guard.observe(guard.init(), Observation(metrics))
    (decision,) = decisions
    assert replace(decision, reason="") == Rewind(0.25, "", since=0, warmup=7, limit=3)
    assert str(decision.reason) == f"{name} is {odd}"


def test_what_else_has_to_be_finite_can_be_said() -> None:
    guard = Guard(finite=["reward"])
    _, decisions = guard.observe(guard.init(), Observation({"reward": math.nan}))
    assert len(decisions) == 1
    _, decisions = guard.observe(guard.init(), Observation({"grad_norm": math.nan}))
    assert decisions == ()


def test_an_update_that_was_skipped_is_not_looked_at() -> None:
    guard = Guard()
    skipped = Observation({"loss": math.inf, "grad_norm": math.nan}, stepped=False)
    assert guard.observe(guard.init(), skipped) == (guard.init(), ())


@settings(max_examples=50)
@given(seeds, st.floats(0.001, 3), st.sampled_from([(4.0, 1.0), (1.0, -2.0), (1.0, 1.0)]))
def test_a_healthy_log_of_any_noise_is_left_alone(
    seed: int, noise: float, levels: tuple[float, float]
) -> None:
    assert alarms(noisy(seed, noise=noise, levels=levels)) == []


@settings(max_examples=50)
@given(seeds)
def test_losses_with_heavy_tails_are_left_alone(seed: int) -> None:
    tails = 0.1 * np.random.default_rng(seed).standard_t(2, size=1_000)
    assert alarms(noisy(seed, 1_000, 0.0) + tails) == []


@settings(max_examples=50)
@given(seeds, st.integers(100, 300), st.integers(1, 2), st.floats(1, 1e6))
def test_one_or_two_odd_batches_leave_no_trace(
    seed: int, at: int, count: int, height: float
) -> None:
    losses = noisy(seed)
    guard = Guard()

    def memory(seen: Any) -> Any:
        state = guard.init()
        for loss in seen:
            state, decisions = guard.observe(state, Observation({"loss": float(loss)}))
            assert decisions == ()
        return state

    odd = np.insert(losses, [at] * count, losses.max() + 3 + height)
    assert memory(odd) == memory(losses)


@given(seeds, st.integers(60, 300), st.floats(3, 1e6))
def test_three_losses_far_above_the_usual_are_a_spike(seed: int, at: int, height: float) -> None:
    losses = noisy(seed)
    losses[at : at + 3] += height + 4
    replayed = replay(Guard(), {"loss": losses})
    position, decision = replayed.decisions[0]
    assert position == at + 2
    assert isinstance(decision, Rewind)
    assert decision.since == 2  # the first of the three is where the trouble began
    assert "the last 3 losses are far above the usual" in str(decision.reason)


@settings(max_examples=25)
@given(seeds, st.integers(0, 50), st.floats(0.02, 0.5))
def test_a_slow_climb_is_noticed_whatever_the_noise(seed: int, at: int, noise: float) -> None:
    start = 350 + at
    climb = np.maximum(0, np.arange(500) - start) * noise / 5
    first = alarms(noisy(seed, 500, noise) + climb, Guard(spike=1e9))[0]
    assert start < first < start + 80


def test_the_bar_rises_with_the_noise_of_the_log() -> None:
    climb = np.maximum(0, np.arange(400) - 200) * 0.01
    calm, rough = (alarms(noisy(3, noise=noise) + climb)[0] for noise in (0.05, 0.4))
    assert 200 < calm < rough


@settings(max_examples=25)
@given(seeds, st.integers(-8, 8), st.sampled_from([0.0, -64.0, 1024.0]))
def test_neither_the_unit_nor_the_zero_of_the_loss_matters(
    seed: int, power: int, shift: float
) -> None:
    # On a grid, so that the shift rounds nothing away; the smoothing does round.
    losses = np.round(noisy(seed, 300) * 64) / 64
    losses[150:] += np.arange(150) / 64
    assert alarms((losses + shift) * 2.0**power) == pytest.approx(alarms(losses), abs=1)


def test_a_rise_that_is_small_beside_what_was_learnt_is_none() -> None:
    # No noise at all: every rise is infinitely many deviations.
    learnt = np.concatenate([np.linspace(5, 1, 100), np.full(50, 1.0)])
    assert alarms([*learnt, *[1.07] * 60]) == []
    assert alarms([*learnt, *[1.2] * 60]) != []


def test_a_constant_log_is_healthy() -> None:
    assert alarms([0.1] * 300) == []


def test_who_cannot_go_back_is_warned_again_only_after_as_long() -> None:
    losses = np.concatenate([noisy(1, 300), np.full(300, 3.0)])
    found = alarms(losses, Guard(spike=1e9))
    assert found
    assert all(later - earlier >= Guard().patience for earlier, later in pairwise(found))


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"metric": ""}, InvalidType, "must be the name of a metric"),
        ({"finite": "grad_norm"}, InvalidType, r"Write finite=\['grad_norm'\]"),
        ({"finite": None}, InvalidType, "names, but is None. Example: finite="),
        ({"finite": [1]}, InvalidType, r"names, but is \[1\]"),
        ({"finite": [""]}, InvalidType, "a sequence of metrics' names"),
        ({"rise": 0}, InvalidValue, "above 0, but is 0"),
        ({"patience": 0}, InvalidValue, "at least 1, but is 0"),
        ({"spike": -1}, InvalidValue, "It counts robust deviations"),
        ({"spike_patience": 0}, InvalidValue, "at least 1, but is 0"),
        ({"factor": 1.5}, InvalidValue, "at most 1, but is 1.5"),
        ({"warmup": -1}, InvalidValue, "at least 0, but is -1"),
        ({"limit": 2.5}, InvalidValue, "a whole number"),
    ],
)
def test_a_wrong_setting_is_refused(
    settings: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        Guard(**settings)


def test_a_loss_that_never_fell_may_rise_and_fall_as_in_adversarial_training() -> None:
    drawn = np.random.default_rng(0).standard_normal(600) * 0.05
    wave = 2 + 0.1 * np.sin(np.arange(600) / 40)
    assert alarms(wave + drawn) == []
    fallen = np.concatenate([noisy(0, 200, noise=0.05), wave + drawn - 1])
    assert alarms(fallen), "the same waves after something was learnt are a loss of it"
    assert alarms(wave + drawn + np.maximum(0, np.arange(600) - 300) * 0.02)
