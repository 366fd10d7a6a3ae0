"""The range test in trainings with several groups and several optimizers, such as a GAN."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from stepsize import InvalidType, InvalidValue, TrainingError
from stepsize.find import range_test
from stepsize.signals import Observation
from stepsize.training import Factors, Group


class Players:
    """Two players with an optimizer each, in NumPy: a GAN whose answers are known.

    The first lowers x²/2 + xy/10 in x, the second raises xy/10 - 50y² in y: the first is stable
    below a rate of about 2, the second below about 0.02, as long as the other moves slowly.
    """

    CURVATURES = (1.0, 100.0)

    def __init__(self, groups: tuple[Group, ...] | None = None) -> None:
        self.groups = groups or (Group("weights", 0.05, 0), Group("weights", 0.001, 1))
        self.at = np.array([1.0, 0.1])
        self.factors: list[list[float]] = []

    def step(self, factors: Factors) -> Observation:
        self.factors.append(list(factors["lr"]))
        x, y = self.at
        measured = {"loss": self._loss(), "critic": 50 * y**2 - x * y / 10}
        gradient = np.array([x + y / 10, 100 * y - x / 10])
        rates = [g.base * f for g, f in zip(self.groups, factors["lr"], strict=True)]
        self.at = self.at - rates * gradient
        return Observation(measured)

    def evaluate(self) -> Mapping[str, float]:
        return {"val_loss": self._loss()}

    def snapshot(self) -> Any:
        return self.at.copy()

    def restore(self, snapshot: Any) -> None:
        self.at = snapshot.copy()

    def _loss(self) -> float:
        return float(self.at[0] ** 2 / 2 + 50 * self.at[1] ** 2)


@pytest.mark.parametrize("optimizer", [0, 1])
@pytest.mark.parametrize("metric", ["loss", "val_loss"])
def test_each_optimizer_is_searched_with_the_others_held_at_their_own_rates(
    optimizer: int, metric: str
) -> None:
    training = Players()
    stable = 2 / Players.CURVATURES[optimizer]
    found = range_test(training, optimizer=optimizer, metric=metric, high=100 * stable)
    factors = np.array(training.factors)
    assert np.all(factors[:, 1 - optimizer] == 1.0)
    swept = factors[:, optimizer] * training.groups[optimizer].base
    np.testing.assert_allclose(swept, np.geomspace(1e-6, 100 * stable, 100)[: len(swept)])
    assert 0.01 * stable < found.rate < stable
    assert found.title == f"range test of optimizer {optimizer}"
    assert "diverged" in str(found.stopped)


def test_the_loss_of_one_player_alone_can_be_watched() -> None:
    found = range_test(Players(), optimizer=1, metric="critic")
    assert found.evaluations == 1
    assert found.losses[0] == pytest.approx(0.5 - 0.01)


def test_what_was_held_is_named_as_a_doubt() -> None:
    groups = (Group("encoder", 0.05), Group("head", 0.001))
    found = range_test(Players(groups), groups=["head"])
    assert [group.name for group in found.held] == ["encoder"]
    assert "'encoder' went on learning" in repr(found)
    assert "all groups swept together, which is not what was done" in repr(found)
    assert found.title == "range test of 'head'"
    assert not range_test(Players(groups)).doubts


def test_groups_swept_together_have_a_rate_each_in_the_ratio_of_their_bases() -> None:
    groups = (Group("encoder", 0.05), Group("head", 0.001))
    found = range_test(Players(groups))
    assert found.rate == found.group_rates[0]
    assert found.group_rates == pytest.approx((found.rate, found.rate / 50))
    assert f"'head' {found.rate / 50:.3g}" in repr(found)


def test_a_group_can_be_given_by_its_number_where_names_repeat() -> None:
    found = range_test(Players(), groups=[1])
    assert found.swept == (Players().groups[1],)
    by_optimizer = range_test(Players(), optimizer=1)
    np.testing.assert_array_equal(found.losses, by_optimizer.losses)
    same = (Group("layer", 0.05, 0), Group("layer", 0.001, 0))
    assert range_test(Players(same), groups=[1]).title == "range test of 'layer'"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            {"optimizer": 2},
            r"optimizer=2\): optimizer must be the number of an optimizer, 0 or 1, but",
        ),
        ({"optimizer": 0, "groups": [0]}, "can say what is swept"),
        ({"groups": []}, "must name at least one group"),
        ({"groups": ["weights"]}, "several groups have the name 'weights'"),
        ({"groups": ["head"]}, "there is no group 'head'. The groups are 'weights' and 'weights'"),
        ({"groups": [2]}, "0 to 1, but there is no group 2"),
        ({"groups": [-1]}, "there is no group -1"),
        (
            {"metric": "accuracy"},
            "'accuracy' is not one: step.. measures 'critic', 'loss', evaluate",
        ),
    ],
    ids=str,
)
def test_what_is_not_there_is_refused(arguments: dict[str, Any], message: str) -> None:
    training = Players()
    with pytest.raises(InvalidValue, match=message):
        range_test(training, **arguments)
    np.testing.assert_array_equal(training.at, Players().at)


def test_a_name_instead_of_a_list_of_names_is_refused() -> None:
    with pytest.raises(InvalidType, match=r"Write \['weights'\]"):
        range_test(Players(), groups="weights")


def test_a_swept_group_needs_a_base_rate_and_a_held_one_does_not() -> None:
    groups = (Group("frozen", 0.0), Group("head", 0.001))
    assert range_test(Players(groups), groups=["head"]).rate > 0
    assert range_test(Players(groups)).group_rates[0] == 0
    with pytest.raises(TrainingError, match="one of them must be above 0"):
        range_test(Players(groups), groups=["frozen"])
