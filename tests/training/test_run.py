"""run owns the position: factors in, observations out, decisions carried out."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stepsize import (
    Absolute,
    Constant,
    InvalidType,
    InvalidValue,
    Linear,
    Policy,
    Scale,
    Stop,
    TrainingError,
)
from stepsize.signals import Decision, Observation, Tick
from stepsize.testing.training import Bowl, check_training
from stepsize.training import Factors, Group, run


class Scripted:
    """A training that remembers its factors and skips the calls it is told to skip."""

    def __init__(self, skips: Sequence[int] = (), bases: Sequence[float] = (0.1,)) -> None:
        self.groups = tuple(Group(str(i), base) for i, base in enumerate(bases))
        self.factors: list[Factors] = []
        self._skips = skips

    def step(self, factors: Factors) -> Observation:
        self.factors.append(factors)
        call = len(self.factors) - 1
        return Observation({"loss": float(call)}, stepped=call not in self._skips)

    def evaluate(self) -> Mapping[str, float]:
        return {"val_loss": 7.0}

    def snapshot(self) -> Any:
        return None

    def restore(self, snapshot: Any) -> None: ...


@dataclass(frozen=True)
class At:
    """A controller: decides once, at the n-th observation that has ``watches``."""

    n: int
    decision: Decision
    watches: str = "loss"

    def init(self) -> int:
        return 0

    def observe(self, state: int, observation: Observation) -> tuple[int, Sequence[Decision]]:
        if self.watches not in observation.metrics:
            return state, ()
        return state + 1, (self.decision,) if state == self.n else ()


def test_the_numpy_training_passes_the_exam() -> None:
    check_training(lambda: Bowl(noise=0.1))


def test_each_step_gets_the_value_at_its_position() -> None:
    training = Scripted()
    outcome = run(training, Linear(4), steps=5)
    assert [each["lr"] for each in training.factors] == [[1.0], [0.75], [0.5], [0.25], [0.0]]
    assert outcome.steps == 5
    assert outcome.metrics == {"val_loss": 7.0}


@given(st.sets(st.integers(0, 30), max_size=10))
def test_a_skipped_step_does_not_advance(skips: set[int]) -> None:
    training = Scripted(skips=sorted(skips))
    ticks: list[Tick] = []
    outcome = run(training, Linear(20), steps=20, sinks=[ticks.append])
    ran = [f["lr"][0] for call, f in enumerate(training.factors) if call not in skips]
    assert ran == [Linear(20)(t) for t in range(20)]
    assert outcome.skipped == len([s for s in skips if s < len(training.factors)])
    assert [tick.position for tick in ticks if tick.quantities] == list(range(20))


def test_sinks_see_rates_losses_and_evaluations() -> None:
    ticks: list[Tick] = []
    run(Scripted(bases=(0.1, 0.4)), Constant(0.5), steps=4, sinks=[ticks.append], evaluate_every=2)
    steps = [tick for tick in ticks if tick.quantities]
    assert [dict(tick.quantities) for tick in steps] == [{"lr/0": 0.05, "lr/1": 0.2}] * 4
    assert [tick.metrics["loss"] for tick in steps] == [0.0, 1.0, 2.0, 3.0]
    evaluations = [(t.position, dict(t.metrics)) for t in ticks if not t.quantities]
    assert evaluations == [(2, {"val_loss": 7.0}), (4, {"val_loss": 7.0})]


def test_a_scale_decision_acts_from_the_next_step_on_and_is_recorded() -> None:
    training, ticks = Scripted(), list[Tick]()
    cut = Scale(0.5, "flat")
    outcome = run(training, Policy(Constant(), [At(1, cut)]), 4, [ticks.append])
    assert [each["lr"][0] for each in training.factors] == [1.0, 1.0, 0.5, 0.5]
    assert outcome.decisions == ((1, cut),)
    assert ticks[1].decisions == (cut,)


def test_a_stop_decision_ends_the_run_with_its_reason() -> None:
    outcome = run(Scripted(), Policy(Constant(), [At(2, Stop("enough"))]), steps=100)
    assert (outcome.steps, outcome.stopped) == (3, "enough")


def test_controllers_see_evaluations_and_a_missing_metric_is_no_observation() -> None:
    training = Scripted()
    watching = At(0, Scale(0.1, "flat"), watches="val_loss")
    run(training, Policy(Constant(), [watching]), steps=4, evaluate_every=2)
    assert [each["lr"][0] for each in training.factors] == [1.0, 1.0, 0.1, 0.1]


def test_several_quantities_each_follow_their_own_policy() -> None:
    training = Scripted()
    run(training, {"lr": Linear(2), "weight_decay": Constant(3)}, steps=2)
    assert training.factors == [
        {"lr": [1.0], "weight_decay": [3.0]},
        {"lr": [0.5], "weight_decay": [3.0]},
    ]


def test_absolute_values_are_the_rates_of_every_group() -> None:
    training = Scripted(bases=(0.1, 0.4))
    run(training, Absolute(Constant(0.2)), steps=1)
    assert training.factors[0]["lr"] == [0.2 / 0.1, 0.2 / 0.4]
    with pytest.raises(TrainingError, match="base of '0' is 0"):
        run(Scripted(bases=(0.0,)), Absolute(Constant(0.2)), steps=1)


def test_endless_skipping_is_ended_with_the_cause() -> None:
    with pytest.raises(TrainingError, match=r"the last 1,000 were all skipped.*Lower the rate"):
        run(Scripted(skips=range(5_000)), Constant(), steps=10)


@pytest.mark.parametrize("steps", [-1, 2.5, True, None, "10"])
def test_a_bad_number_of_steps_is_named(steps: Any) -> None:
    with pytest.raises((InvalidValue, InvalidType), match=r"run\(\.\.\., steps=.*whole number"):
        run(Scripted(), Constant(), steps=steps)


def test_gradient_descent_is_stable_below_two_over_the_curvature_and_not_above() -> None:
    assert run(Bowl(rate=1.9, curvature=[1.0]), Constant(), 200).metrics["val_loss"] < 1e-9
    assert run(Bowl(rate=2.1, curvature=[1.0]), Constant(), 200).metrics["val_loss"] > 1e6
    assert math.isfinite(run(Bowl(rate=2.1, curvature=[1.0]), Constant(), 200).metrics["val_loss"])


def test_a_run_that_starts_later_takes_up_where_the_first_part_ended() -> None:
    whole, parts = Bowl(noise=0.1), Bowl(noise=0.1)
    ticks: list[Tick] = []
    straight = run(whole, Linear(30), 30)
    run(parts, Linear(30), 12)
    ended = run(parts, Linear(30), 30, [ticks.append], start=12, evaluate_every=10)
    assert ended.metrics == straight.metrics
    assert ended.steps == 30
    assert [tick.position for tick in ticks if tick.quantities] == list(range(12, 30))
    assert [tick.position for tick in ticks if not tick.quantities] == [20, 30]
    with pytest.raises(InvalidValue, match="start must be a whole number and at least 0"):
        run(parts, Linear(30), 30, start=-1)
