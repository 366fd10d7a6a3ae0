"""Seeded noise: the same for everyone who asks, and noise."""

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from stepsize import Constant, Noise


def test_the_draws_fill_the_spread_evenly_and_do_not_follow_from_each_other() -> None:
    draws = (Noise(1, seed=3).values(100_000) - 1) / 2 + 0.5
    counts, _ = np.histogram(draws, bins=20, range=(0, 1))
    # 5,000 are expected in each, with a standard deviation of 69.
    assert np.abs(counts - 5_000).max() < 5 * 69
    for lag in (1, 2, 7, 100):
        # Uncorrelated draws have a correlation of 0 with a standard deviation of 0.0032.
        assert abs(np.corrcoef(draws[:-lag], draws[lag:])[0, 1]) < 5 * 0.0032


@given(st.floats(0, 1), st.integers(0, 2**53), st.integers(1, 1000))
def test_it_stays_within_its_spread_and_holds_each_draw(spread: float, seed: int, n: int) -> None:
    noise = Noise(spread, seed=seed, every=n)
    values = noise.values(3 * n).reshape(3, n)
    assert np.all(np.abs(values - 1) <= spread)
    assert np.all(values == values[:, :1])


def test_seeds_differ_and_one_seed_is_one_noise() -> None:
    assert not np.any(Noise(0.1, seed=1).values(50) == Noise(0.1, seed=2).values(50))
    assert Noise(0.1, seed=1) == Noise(0.1, seed=1)


def test_every_library_draws_the_same_bits_and_any_position_can_be_asked_for() -> None:
    noise = Noise(0.3, seed=11, every=7)
    t = np.concatenate([np.arange(1_000.0), [2.0**26 - 5, 2.0**40, 2.0**53]])
    numbers = np.array([noise(each) for each in t.tolist()])
    np.testing.assert_array_equal(noise(t), numbers)
    np.testing.assert_array_equal(noise(torch.from_numpy(t)).numpy(), numbers)


def test_a_window_of_noise_is_an_expression() -> None:
    windowed = Constant(0.5) * (Constant(1).until(10) >> Noise(0.1).until(5) >> Constant(1))
    values = windowed.values(30)
    assert np.all(values[:10] == 0.5)
    assert np.all(values[10:15] != 0.5)
    assert np.all(values[15:] == 0.5)
