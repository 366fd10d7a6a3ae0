"""What can go wrong in a training is named in a sentence, and the training is as it was."""

import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import pytest

from stepsize import TrainingError
from stepsize.find import range_test
from stepsize.signals import Observation
from stepsize.testing.training import Bowl, check_training
from stepsize.training import Factors, Group, Training


class Regression:
    """Linear regression with momentum on shuffled batches, in NumPy alone."""

    def __init__(self) -> None:
        draw = np.random.default_rng(5)
        self._x = draw.standard_normal((40, 3))
        self._y = self._x @ [1.0, -2.0, 0.5] + 0.1 * draw.standard_normal(40)
        self._random = np.random.default_rng(6)
        self._order: list[int] = []
        self._weights = np.zeros(3)
        self._momentum = np.zeros(3)

    @property
    def groups(self) -> tuple[Group, ...]:
        return (Group("weights", 0.01),)

    def step(self, factors: Factors) -> Observation:
        if len(self._order) < 8:
            self._order = self._random.permutation(40).tolist()
        batch, self._order = self._order[:8], self._order[8:]
        error = self._x[batch] @ self._weights - self._y[batch]
        self._momentum = 0.9 * self._momentum + self._x[batch].T @ error / 8
        self._weights = self._weights - 0.01 * factors["lr"][0] * self._momentum
        return Observation({"loss": float(np.mean(error**2))})

    def evaluate(self) -> Mapping[str, float]:
        return {"val_loss": float(np.mean((self._x @ self._weights - self._y) ** 2))}

    def snapshot(self) -> Any:
        random = self._random.bit_generator.state
        return list(self._order), self._weights.copy(), self._momentum.copy(), random

    def restore(self, snapshot: Any) -> None:
        order, weights, momentum, random = snapshot
        self._order, self._weights, self._momentum = list(order), weights.copy(), momentum.copy()
        self._random.bit_generator.state = random


class Faulty:
    """A training that really steps, and whose observations and evaluations pass through a fault."""

    def __init__(self, inner: Training, fault: "Fault") -> None:
        self._inner = inner
        self._fault = fault
        self._steps = 0
        self.groups = inner.groups

    def step(self, factors: Factors) -> Observation:
        self._steps += 1
        return self._fault.step(self._steps, self._inner.step(factors))

    def evaluate(self) -> Mapping[str, float]:
        return self._fault.evaluate(self._inner.evaluate())

    def snapshot(self) -> Any:
        return self._inner.snapshot()

    def restore(self, snapshot: Any) -> None:
        self._inner.restore(snapshot)


class Fault:
    """None: everything passes."""

    metric = "val_loss"
    says = ""

    def step(self, number: int, seen: Observation) -> Observation:
        return seen

    def evaluate(self, seen: Mapping[str, float]) -> Mapping[str, float]:
        return seen


class NanAtOnce(Fault):
    says = r"must give a finite 'val_loss' before any step, but gave nan.*leave out metric="

    def evaluate(self, seen: Mapping[str, float]) -> Mapping[str, float]:
        return {"val_loss": math.nan}


class NanAfterTheFirst(Fault):
    says = r"only 0 of 3 measurements in 15 steps gave a finite 'val_loss'; .* 3 losses in a row"

    def __init__(self) -> None:
        self._evaluations = 0

    def evaluate(self, seen: Mapping[str, float]) -> Mapping[str, float]:
        self._evaluations += 1
        return {"val_loss": math.nan} if self._evaluations > 1 else seen


class EvaluationRaises(Fault):
    says = r"evaluate\(\) must measure the model, but raised KeyError: 'labels'. Correct it"

    def evaluate(self, seen: Mapping[str, float]) -> Mapping[str, float]:
        raise KeyError("labels")


class ConstantEvaluation(Fault):
    says = r"the loss did not move: 'val_loss' was 2.5 at every rate up to .* Check that it depends"

    def evaluate(self, seen: Mapping[str, float]) -> Mapping[str, float]:
        return {"val_loss": 2.5}


class BatchesEnd(Fault):
    metric = "loss"
    says = r"the batches ended after 40 steps. Give data that begins anew .* or steps=40 at most"

    def step(self, number: int, seen: Observation) -> Observation:
        return seen if number <= 40 else next(iter(()))


class StepRaises(Fault):
    metric = "loss"
    says = r"step number 30, at rate [\d.]+e-4, raised ZeroDivisionError. Correct the training"

    def step(self, number: int, seen: Observation) -> Observation:
        if number == 30:
            raise ZeroDivisionError
        return seen


class ConstantLoss(Fault):
    metric = "loss"
    says = r"the loss did not move: 'loss' was 2.5 at every rate up to 10. Check that it depends"

    def step(self, number: int, seen: Observation) -> Observation:
        return Observation({"loss": 2.5})


class NoLoss(Fault):
    metric = "loss"
    says = r"step\(\) must measure 'loss', but measured 'cost'. Put it into the observation's"

    def step(self, number: int, seen: Observation) -> Observation:
        return Observation({"cost": 1.0})


class AllSkipped(Fault):
    metric = "loss"
    says = (
        r"only 0 of 0 measurements in 100 steps \(100 updates were skipped\) gave a finite 'loss'"
    )

    def step(self, number: int, seen: Observation) -> Observation:
        return Observation(seen.metrics, stepped=False)


class Interrupted(Fault):
    metric = "loss"

    def step(self, number: int, seen: Observation) -> Observation:
        if number == 30:
            raise KeyboardInterrupt
        return seen


FAULTS = [
    NanAtOnce,
    NanAfterTheFirst,
    EvaluationRaises,
    ConstantEvaluation,
    BatchesEnd,
    StepRaises,
    ConstantLoss,
    NoLoss,
    AllSkipped,
]
TRAININGS: dict[str, Callable[[], Training]] = {
    "regression in NumPy": Regression,
    "bowl": lambda: Bowl(noise=0.1),
}


def future(training: Training) -> Iterator[float]:
    for _ in range(12):
        yield training.step({"lr": [1.0]}).metrics["loss"]
        yield training.evaluate()["val_loss"]


def test_the_training_in_numpy_keeps_the_protocol() -> None:
    check_training(Regression)


@pytest.mark.parametrize("build", TRAININGS.values(), ids=TRAININGS)
@pytest.mark.parametrize("steps_before", [0, 3])
@pytest.mark.parametrize("fault", FAULTS)
def test_the_cause_is_named_and_the_training_is_as_it_was(
    build: Callable[[], Training], steps_before: int, fault: Callable[[], Fault]
) -> None:
    touched, untouched = build(), build()
    for _ in range(steps_before):
        assert touched.step({"lr": [1.0]}) == untouched.step({"lr": [1.0]})
    chosen = fault()
    with pytest.raises(TrainingError, match=chosen.says) as refusal:
        range_test(Faulty(touched, chosen), metric=chosen.metric)
    assert str(refusal.value).startswith("range_test(..., low=1e-06, high=10.0, steps=100): ")
    assert list(future(touched)) == list(future(untouched))


def test_an_interruption_passes_through_and_leaves_no_trace() -> None:
    touched = Regression()
    with pytest.raises(KeyboardInterrupt):
        range_test(Faulty(touched, Interrupted()))
    assert list(future(touched)) == list(future(Regression()))


def test_the_cause_of_a_failing_step_is_kept() -> None:
    with pytest.raises(TrainingError) as refusal:
        range_test(Faulty(Bowl(), StepRaises()))
    assert isinstance(refusal.value.__cause__, ZeroDivisionError)
