"""The climb: it ends where the loss surely rises, goes back far enough, knows a broken start."""

from collections.abc import Mapping

import numpy as np
import pytest

from stepsize.find._climb import Climb, climb
from stepsize.find._trial import Lane
from stepsize.schedules import Exponential
from stepsize.signals import Observation
from stepsize.testing.training import Bowl
from stepsize.training import Factors, Training

PER = 20
RISING = Exponential(10 ** (1 / 3), PER)


def climbed(training: Training, start: float, steps: int = 400) -> Climb:
    return climb(Lane(training, "climb"), start, RISING, steps, window=6, every=PER // 2)


class Drifting(Bowl):
    """A training loss that only rises, by ``to`` of itself in 300 steps, while the model improves.

    So it is with adversarial trainings.
    """

    def __init__(self, to: float) -> None:
        super().__init__(curvature=[1.0])
        self._to, self._taken = to, 0

    def step(self, factors: Factors) -> Observation:
        self._taken += 1
        return Observation({"loss": 1 + self._to * self._taken / 300})

    def evaluate(self) -> Mapping[str, float]:
        return {"val_loss": 1 / (1 + self._taken)}


@pytest.mark.parametrize("curvature", [0.1, 1.0, 30.0])
def test_it_ends_above_the_stable_rate_and_goes_on_below_it(curvature: float) -> None:
    stable = 2 / curvature
    training = Bowl(curvature=[curvature, curvature / 10], noise=0.001)
    found = climbed(training, start=stable / 200)
    assert found.edge is not None
    assert stable / 2 < found.edge < 4 * stable
    assert np.isclose(found.edge / found.rate, 10 ** (2 / 3))
    assert not found.is_broken


def test_the_run_goes_on_from_where_the_rate_was_passed() -> None:
    training = Bowl(curvature=[1.0, 0.1], noise=0.1)
    found = climbed(training, start=0.01)
    before = found.rates[found.position - 1]
    assert found.rate / 10 ** (1 / 3) < before <= found.rate
    training.restore(found.snapshot)
    again = training.step({"lr": [found.rates[found.position] / 0.1]})
    assert again.metrics["loss"] == found.losses[found.position]


def test_a_start_that_breaks_the_model_is_known() -> None:
    found = climbed(Bowl(curvature=[1.0]), start=3.0)
    assert found.is_broken
    assert len(found.losses) < 50


def test_a_loss_that_never_fell_may_rise_while_the_model_improves() -> None:
    assert climbed(Drifting(to=0.2), start=0.001, steps=300).edge is None
    assert climbed(Drifting(to=1.5), start=0.001, steps=300).edge is not None


def test_without_an_edge_it_goes_on_at_the_last_rate() -> None:
    found = climbed(Bowl(curvature=[1.0]), start=0.003, steps=60)
    assert found.edge is None
    assert found.rate == found.rates[-1]
    assert found.position == 60
    assert "did not rise" in found.reason
