"""Judge: what a loss shows, and what it does not show."""

import json
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stepsize.errors import InvalidType, InvalidValue
from stepsize.learning import Judge, Verdict, judged

seeds = st.integers(0, 2**32 - 1)


def falling(seed: int, count: int = 400, noise: float = 0.1) -> np.ndarray:
    """A healthy loss: it falls from 4 to 1."""
    drawn = noise * np.random.default_rng(seed).standard_normal(count)
    return 1 + 3 * np.exp(-np.arange(count) / 80) + drawn


def verdicts(losses: Any, judge: Judge | None = None) -> list[Verdict]:
    judge = judge or Judge()
    memory, seen = judge.init(), list[Verdict]()
    for loss in np.asarray(losses, float).tolist():
        memory = judge.observe(memory, loss)
        seen.append(judge.verdict(memory))
    return seen


def first_trouble(losses: Any, judge: Judge | None = None) -> int | None:
    return next((at for at, each in enumerate(verdicts(losses, judge)) if each.is_trouble), None)


# ------------------------------------------------------------------ one summary


losses_of_any_kind = st.lists(
    st.one_of(st.floats(-1e6, 1e6), st.sampled_from([math.nan, math.inf])), max_size=120
)


@settings(max_examples=50)
@given(losses_of_any_kind, st.integers(0, 120))
def test_a_curve_gives_the_verdict_of_its_values_one_by_one_also_through_a_checkpoint(
    losses: list[float], cut: int
) -> None:
    judge = Judge()
    memory = judge.init()
    for at, loss in enumerate(losses):
        if at == cut:
            memory = json.loads(json.dumps(memory, allow_nan=False))
        memory = judge.observe(memory, loss)
    assert repr(judge.verdict(memory)) == repr(judged(np.array(losses)))


def test_the_memory_does_not_grow_with_the_run() -> None:
    judge = Judge()
    memory, sizes = judge.init(), list[int]()
    for loss in falling(0, 4_000).tolist():
        memory = judge.observe(memory, loss)
        sizes.append(len(json.dumps(memory)))
    assert max(sizes[2_000:]) <= 1.1 * max(sizes[:2_000]) < 8_000


# ------------------------------------------------------------------ healthy losses


@pytest.mark.parametrize("seed", range(40))
def test_noise_about_a_level_is_no_trouble_however_long_it_lasts(seed: int) -> None:
    random = np.random.default_rng(seed)
    count = round(math.exp(random.uniform(math.log(30), math.log(3_000))))
    losses = random.normal(1, random.uniform(0.02, 0.3), count)
    assert first_trouble(losses) is None


@settings(max_examples=30)
@given(seeds, st.floats(0.001, 1))
def test_a_loss_that_falls_is_no_trouble_at_any_noise(seed: int, noise: float) -> None:
    assert first_trouble(falling(seed, noise=noise)) is None


@settings(max_examples=20)
@given(seeds)
def test_heavy_tails_are_no_trouble(seed: int) -> None:
    tails = 0.1 * np.random.default_rng(seed).standard_t(2, size=600)
    assert first_trouble(falling(seed, 600, 0.0) + tails) is None


@settings(max_examples=20)
@given(seeds)
def test_noise_whose_neighbours_are_alike_is_no_trouble(seed: int) -> None:
    drawn = np.random.default_rng(seed).standard_normal(800)
    for at in range(1, len(drawn)):
        drawn[at] = 0.5 * drawn[at - 1] + math.sqrt(0.75) * drawn[at]
    assert first_trouble(falling(seed, 800, 0.0) + 0.1 * drawn) is None


@settings(max_examples=20)
@given(seeds, st.floats(5, 1e6))
def test_a_spike_of_two_losses_leaves_no_trace(seed: int, height: float) -> None:
    losses = falling(seed)
    assert judged(np.insert(losses, np.array([250, 250]), height)) == judged(losses)


def test_rises_that_came_back_are_no_trouble_when_they_come_again() -> None:
    wave = 0.3 * np.sin(np.arange(2_000) / 30)
    troubled = [each.is_trouble for each in verdicts(falling(0, 2_000, 0.02) + wave)]
    came_back = 700  # by then each horizon has seen one
    assert any(troubled[:came_back])
    assert not any(troubled[came_back:])


def test_the_waves_of_a_loss_that_never_fell_are_no_trouble() -> None:
    drawn = np.random.default_rng(0).standard_normal(600) * 0.05
    assert first_trouble(2 + 0.1 * np.sin(np.arange(600) / 40) + drawn) is None


# ------------------------------------------------------------------ what else is the case


def test_a_loss_that_falls_is_learning() -> None:
    assert judged(falling(0, 150)).kind == "learning"


def test_a_loss_that_fell_and_stays_is_limited_by_its_noise() -> None:
    assert judged(falling(0, 3_000)).kind == "noise-limited"


def test_a_loss_that_stays_where_it_began_is_at_chance() -> None:
    stays = math.log(10) + 0.02 * np.random.default_rng(0).standard_normal(200)
    assert judged(stays).kind == "at chance"


def test_a_loss_that_fell_to_a_constant_prediction_is_at_chance_where_that_is_known() -> None:
    drawn = 0.05 * np.random.default_rng(0).standard_normal(300)
    collapsed = 4.7 + 9 * np.exp(-np.arange(300) / 5) + drawn
    assert judged(collapsed).kind == "noise-limited"
    assert judged(collapsed, Judge(chance=4.7)).kind == "at chance"


def test_the_first_losses_say_too_little() -> None:
    assert {each.kind for each in verdicts([2.3, 2.2, 2.4, 2.1])} == {"early"}


def test_without_a_finite_loss_nothing_is_known() -> None:
    assert judged([]).kind == "unknown"
    assert judged([math.nan]).kind == "unknown"


# ------------------------------------------------------------------ trouble


def blown_up(seed: int, learnt: float = 1.0) -> tuple[np.ndarray, int]:
    """As a network dies at a rate far too high: it learns, jumps, and predicts chance."""
    random = np.random.default_rng(seed)
    begins = 2.3 + 0.01 * random.standard_normal(8)
    falls = 2.3 - learnt * np.linspace(0.1, 1, 6)
    jumps = np.array([5.6, 3.1, 2.7])
    dead = 2.33 + 0.05 * np.abs(random.standard_normal(100))
    return np.concatenate([begins, falls, jumps, dead]), 14


@settings(max_examples=20)
@given(seeds, st.floats(0.4, 2))
def test_a_blow_up_before_there_is_a_usual_loss_is_noticed_within_twenty_steps(
    seed: int, learnt: float
) -> None:
    losses, onset = blown_up(seed, learnt)
    seen = verdicts(losses)
    at = next(at for at, each in enumerate(seen) if each.is_trouble)
    assert onset < at <= onset + 20
    assert seen[at].kind == "dead"
    assert onset - 6 <= at - seen[at].since <= onset + 2
    assert seen[-1].kind == "dead"


def test_a_loss_that_stays_far_above_its_start_is_dead() -> None:
    losses = [2.3, 2.3, *(20 + np.random.default_rng(0).standard_normal(30))]
    assert first_trouble(losses) in range(9, 20)
    assert judged(losses).kind == "dead"


@settings(max_examples=20)
@given(seeds, st.floats(0.02, 0.5))
def test_slow_un_learning_is_noticed_whatever_the_noise(seed: int, noise: float) -> None:
    climb = np.maximum(0, np.arange(900) - 400) * noise / 5
    at = first_trouble(falling(seed, 900, noise) + climb, Judge(spike=1e9))
    assert at is not None
    assert 400 < at < 470


@settings(max_examples=20)
@given(seeds, st.floats(3, 1e6))
def test_three_losses_far_above_the_usual_are_a_spike(seed: int, height: float) -> None:
    losses = falling(seed)
    losses[200:203] += height
    seen = verdicts(losses[:203])
    assert (seen[-1].kind, seen[-1].since) == ("spiking", 2)


def test_a_jump_that_stays_remains_trouble() -> None:
    losses = falling(1, 600, 0.05)
    losses[400:] += 1.5
    seen = verdicts(losses)
    assert seen[402].kind == "spiking"
    assert seen[430].kind == "unlearning"


def test_a_loss_that_is_not_finite_for_good_is_dead() -> None:
    healthy = falling(0).tolist()
    assert judged([*healthy, math.nan]).kind == "unknown"
    assert judged([*healthy, math.nan, 1.1]).kind == judged([*healthy, 1.1]).kind
    assert judged([*healthy, *[math.nan] * 5]).kind == "dead"
    assert judged([*healthy, *[math.inf] * 5]).since == 4


@settings(max_examples=20)
@given(seeds, st.integers(-8, 8), st.sampled_from([0.0, -64.0, 1024.0]))
def test_neither_the_unit_nor_the_zero_of_the_loss_matters(
    seed: int, power: int, shift: float
) -> None:
    losses = np.round(falling(seed, 300) * 64) / 64  # on a grid: the shift rounds nothing away
    losses[150:] += np.arange(150) / 64
    moved = first_trouble((losses + shift) * 2.0**power)
    assert moved == pytest.approx(first_trouble(losses), abs=1)


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        ({"rise": 0}, InvalidValue),
        ({"patience": 0}, InvalidValue),
        ({"spike": -1}, InvalidValue),
        ({"spike_patience": 1.5}, InvalidValue),
        ({"chance": math.nan}, InvalidValue),
        ({"chance": "ln(10)"}, InvalidType),
    ],
)
def test_a_wrong_setting_is_refused(wrong: dict[str, Any], error: type[Exception]) -> None:
    with pytest.raises(error, match=next(iter(wrong))):
        Judge(**wrong)
