"""The race: a known answer, a bounded cost, no trace, and a sentence for what goes wrong."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from stepsize import Constant, InvalidType, InvalidValue, Linear, TrainingError
from stepsize.find import grid_search, race, random_search, range_test, recommend
from stepsize.find._race import lowest
from stepsize.plan import transfer
from stepsize.testing.training import Bowl
from stepsize.training import Training
from stepsize.words import percent_text


def losses_of(training: Training, steps: int = 12) -> list[float]:
    return [
        training.step({"lr": [1.0] * len(training.groups)}).metrics["loss"] for _ in range(steps)
    ]


@pytest.mark.parametrize("curvature", [0.05, 1.0, 40.0])
def test_the_bracket_is_widened_until_the_lowest_loss_lies_inside(curvature: float) -> None:
    stable = 2 / curvature
    found = race(Bowl(rate=0.1 * stable, curvature=[curvature, curvature / 50]), steps=1_000)
    losses = [each.loss for each in found.trials]
    assert found.bracketed
    assert 0 < losses.index(min(losses)) < len(losses) - 1
    assert 0.02 * stable < found.rate.value < stable


def test_a_training_in_any_framework_is_raced_and_left_bit_for_bit_as_it_was(
    build: Callable[[], Training],
) -> None:
    training = build()
    losses_of(training, 5)
    untouched = build()
    losses_of(untouched, 5)
    found = race(training, steps=800)
    assert found.rate.low < found.rate.value < found.rate.high
    assert str(found.judged_by) == "'val_loss' as evaluate() gives it"
    assert losses_of(training) == losses_of(untouched)
    assert training.evaluate() == untouched.evaluate()


@pytest.mark.parametrize("cost", [0.05, 0.15, 0.6])
def test_the_steps_stay_below_the_stated_part_of_the_run(cost: float) -> None:
    found = race(Bowl(rate=1e-4), steps=2_000, cost=cost)
    assert found.share == found.steps / 2_000 <= cost
    assert percent_text(found.share) in str(found.cost)


def test_trials_follow_the_runs_own_schedule_squeezed_and_see_the_same_batches() -> None:
    found = race(Bowl(noise=0.3), steps=1_000, schedule=Linear(1_000), rates=[1e-9, 2e-9, 4e-9])
    assert found.schedule(found.trial_steps) == 0
    first, second = (each.losses for each in found.trials[-2:])
    assert np.allclose(first, second)


def test_the_winner_is_transferred_to_the_run_with_the_exponent_of_its_trials() -> None:
    bowl = Bowl(curvature=[1.0, 0.02], noise=0.1)
    found = race(bowl, steps=1_000, trial=Constant(), schedule=Linear(1_000))
    at_constant = (Constant(), found.trial_steps)
    expected = transfer(found.best, at_constant, (Linear(1_000), 1_000), exponent=0.25)
    assert found.rate == expected
    squeezed = race(bowl, steps=1_000, schedule=Linear(1_000))
    factor = (1_000 / squeezed.trial_steps) ** -0.15
    assert math.isclose(squeezed.rate.value, squeezed.best.value * factor, rel_tol=1e-9)


def test_an_open_side_is_said_and_widens_the_interval() -> None:
    found = race(Bowl(rate=1e-8), steps=1_000)
    assert not found.bracketed
    assert "the best may lie above" in str(found.rate.reason)
    assert found.best.high / found.best.value > found.best.value / found.best.low


def test_the_parabolas_lowest_point_is_exact_in_log_rate() -> None:
    rates = [0.01, 0.03, 0.2]
    losses = [(math.log(rate) - math.log(0.05)) ** 2 for rate in rates]
    assert math.isclose(lowest(rates, losses), 0.05, rel_tol=1e-9)


def test_beside_a_diverged_neighbour_the_best_rate_itself_is_kept() -> None:
    assert lowest([0.1, 0.3, 1.0], [2.0, 1.0, math.inf]) == 0.3


def test_without_evaluate_trials_are_judged_by_their_training_loss() -> None:
    class Blind(Bowl):
        def evaluate(self) -> dict[str, float]:
            return {}

    found = race(Blind(curvature=[1.0, 0.02]), steps=1_000)
    assert str(found.judged_by).startswith("the training loss")
    assert 0.02 < found.rate.value < 2


def test_what_goes_wrong_is_named_and_leaves_the_training_as_it_was(
    fault: tuple[Callable[[Training], Training], str],
) -> None:
    make, message = fault
    inner = Bowl(noise=0.1)
    with pytest.raises(TrainingError, match=message):
        race(make(inner), steps=400)
    assert losses_of(inner) == losses_of(Bowl(noise=0.1))


def test_rates_that_all_diverge_are_refused() -> None:
    with pytest.raises(TrainingError, match=r"does not diverge.*Give lower rates"):
        race(Bowl(), steps=400, rates=[1e5, 3e5, 1e6])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"steps": 0}, "steps must be a whole number and at least 1"),
        ({"steps": 1_000, "cost": 0.0}, "cost must be a finite number and above 0"),
        ({"steps": 1_000, "rates": [0.1, 0.2]}, "at least 3 ascending"),
        ({"steps": 1_000, "rates": [0.3, 0.2, 0.1]}, "at least 3 ascending"),
        ({"steps": 100}, "for 7 trials are 35, but 15 % of the run are 15. Raise cost to 0.35"),
        ({"steps": 20}, "15 % of the run are 3. Plan a run of at least 35 steps"),
        ({"steps": 1_000, "rates": [0.1, 0.1, 0.2]}, "comes more than once"),
        ({"steps": 1_000, "metric": "accuracy"}, "metric must be one of"),
    ],
)
def test_bad_arguments_are_refused_with_a_remedy(arguments: Any, message: str) -> None:
    with pytest.raises(InvalidValue, match=message):
        race(Bowl(), **arguments)


@pytest.mark.parametrize(
    "find",
    [
        lambda it: race(it, 1_000),
        lambda it: recommend(it, 1_000),
        range_test,
        lambda it: grid_search(it, [0.1], 10),
        lambda it: random_search(it, 0.1, 1.0, 10),
    ],
    ids=["race", "recommend", "range_test", "grid_search", "random_search"],
)
def test_what_is_no_training_is_told_what_a_training_needs(find: Callable[[Any], Any]) -> None:
    with pytest.raises(InvalidType, match=r"Linear has no groups, step, .* Wrap a torch model"):
        find(torch.nn.Linear(1, 1))


def test_rates_and_steps_of_numpy_are_numbers() -> None:
    plain = race(Bowl(), 1_000, [0.01, 0.03, 0.1])
    assert repr(race(Bowl(), np.int64(1_000), np.array([0.01, 0.03, 0.1]))) == repr(plain)
    assert range_test(Bowl(), steps=np.int64(30)).rate == range_test(Bowl(), steps=30).rate
    with pytest.raises(InvalidType, match="steps must be"):
        race(Bowl(), True)
