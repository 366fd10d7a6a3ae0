"""Grid and random search: the best of what was tried, hopeless trials given up, no trace."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from stepsize import Constant, InvalidType, InvalidValue, TrainingError
from stepsize.find import grid_search, random_search
from stepsize.testing.training import Bowl
from stepsize.training import Training

RATES = [1.0, 0.5, 0.25, 0.01, 0.001, 1e-4]


def test_the_lowest_loss_wins_and_all_trials_are_shown_by_rate() -> None:
    found = grid_search(Bowl(curvature=[1.0]), RATES, steps=40)
    assert found.rate == 1.0
    assert [each.rate for each in found.trials] == sorted(RATES)
    assert "the last on its side" in str(found.reason)


def test_hopeless_trials_are_given_up_and_the_winner_is_the_same() -> None:
    patient = grid_search(Bowl(noise=0.02), RATES, steps=40, give_up=False)
    hasty = grid_search(Bowl(noise=0.02), RATES, steps=40)
    given_up = [each for each in hasty.trials if each.ended is not None]
    assert given_up
    assert all("given up after 20 steps" in str(each.ended) for each in given_up)
    assert hasty.steps < patient.steps == 40 * len(RATES)
    assert hasty.rate == patient.rate


def test_a_trial_that_diverges_ends_at_once() -> None:
    found = grid_search(Bowl(), [0.1, 1e9], steps=50)
    assert math.isinf(found.trials[-1].loss)
    assert found.steps < 60


def test_a_random_search_is_the_seeds_and_stays_in_its_range() -> None:
    first, again, other = (
        random_search(Bowl(), 1e-3, 1.0, steps=20, seed=seed) for seed in (1, 1, 2)
    )
    rates = [each.rate for each in first.trials]
    assert rates == [each.rate for each in again.trials] != [each.rate for each in other.trials]
    assert len(rates) == 8
    assert all(1e-3 <= rate <= 1.0 for rate in rates)


def test_the_training_is_as_it_was_in_any_framework(build: Callable[[], Training]) -> None:
    training, untouched = build(), build()
    grid_search(training, [0.001, 0.1], steps=15, schedule=Constant())
    factors = {"lr": [1.0]}
    losses = [
        [each.step(factors).metrics["loss"] for _ in range(9)] for each in (training, untouched)
    ]
    assert losses[0] == losses[1]


def test_what_goes_wrong_is_refused() -> None:
    with pytest.raises(TrainingError, match="at all of 2 rates"):
        grid_search(Bowl(), [1e8, 1e9], steps=30)
    with pytest.raises(InvalidValue, match="at least one"):
        grid_search(Bowl(), [], steps=30)
    with pytest.raises(InvalidValue, match="length of one trial"):
        grid_search(Bowl(), [0.1], steps=0)
    with pytest.raises(InvalidValue, match="low must lie below high"):
        random_search(Bowl(), 1.0, 0.1, steps=30)


@pytest.mark.parametrize("make", [np.array, torch.tensor, tuple])
def test_rates_may_come_in_an_array_or_a_tensor(make: Callable[[list[float]], Any]) -> None:
    found = grid_search(Bowl(), make([0.125, 0.5]), np.int64(20))
    assert [each.rate for each in found.trials] == [0.125, 0.5]


@pytest.mark.parametrize("rates", ["0.1", [0.1, "0.2"], 0.3, [None], [True]])
def test_rates_that_are_no_numbers_are_named(rates: Any) -> None:
    with pytest.raises(InvalidType, match="rates must be"):
        grid_search(Bowl(), rates, 20)


def test_a_rate_that_comes_twice_and_half_a_trial_are_refused() -> None:
    with pytest.raises(InvalidValue, match=r"0\.1 comes more than once"):
        grid_search(Bowl(), [0.1, 0.2, 0.1], 20)
    with pytest.raises(InvalidValue, match="trials must be a whole number"):
        random_search(Bowl(), 0.1, 1.0, 20, trials=2.5)  # pyright: ignore[reportArgumentType]
    with pytest.raises(InvalidType, match="low must be"):
        random_search(Bowl(), "0.1", 1.0, 20)  # pyright: ignore[reportArgumentType]


def test_rates_that_move_nothing_are_not_recommended() -> None:
    class Still(Bowl):
        def evaluate(self) -> dict[str, float]:
            return {"val_loss": 0.5}

    with pytest.raises(TrainingError, match="some rate must move 'val_loss'"):
        grid_search(Still(), [0.1, 0.2], 20)


def test_one_rate_is_enough_also_where_only_training_losses_are_known() -> None:
    class Blind(Bowl):
        def evaluate(self) -> dict[str, float]:
            return {}

    assert grid_search(Blind(), [0.1], 20).rate == 0.1
