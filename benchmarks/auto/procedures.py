"""Ways to choose a rate and a plan, each run as a person would who knows nothing of the task.

A procedure is an optimizer (the task's own, or one it brings) and a function that trains. A new
one is an entry of ``PROCEDURES``; what it costs and how good it is are measured outside it.
"""

import importlib
import importlib.util
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from torch.optim import SGD, AdamW, Optimizer

from benchmarks.auto.task import MakeOptimizer, Task, drive
from stepsize import Constant, Cosine, Policy, Schedule, Step
from stepsize.controllers import Guard, Primed
from stepsize.errors import TrainingError
from stepsize.find import range_test, recommend
from stepsize.torch import TorchTraining
from stepsize.training import run

__all__ = ["PROCEDURES", "Procedure", "Result"]

Train = Callable[[TorchTraining, int], None]


@dataclass(frozen=True)
class Result:
    """One run of a procedure on one seed of a task.

    Args:
        loss: The judged loss; None if the run failed.
        cost: All work, trials included, in full runs.
        failed: Why it failed, else None.
    """

    loss: float | None
    cost: float
    failed: str | None = None


@dataclass(frozen=True)
class Procedure:
    """A way to train a task that it does not know.

    Args:
        name: What tables call it.
        train: ``train(training, steps)`` leaves the trained model; what it tries before counts.
        optimizer: The optimizer it brings; the task's own if not given.
        module: The module of an optional package without which it cannot run.
        package: What pip calls that package.
    """

    name: str
    train: Train
    optimizer: MakeOptimizer | None = None
    module: str | None = None
    package: str | None = None

    @property
    def installed(self) -> bool:
        return self.module is None or importlib.util.find_spec(self.module) is not None

    def run(self, task: Task, seed: int) -> Result:
        """Train ``task`` from ``seed``. What the procedure raises is a failed run, not an error."""
        started = task.start(seed, self.optimizer)
        try:
            self.train(started.training, task.steps)
        except Exception as error:
            return Result(None, started.cost, f"{type(error).__name__}: {error}")
        cost = started.cost
        loss = started.judge()
        if not math.isfinite(loss):
            return Result(None, cost, "the loss is not finite")
        return Result(loss, cost)


def _with(schedule: Callable[[int], Schedule]) -> Train:
    def train(training: TorchTraining, steps: int) -> None:
        _drive(training, schedule(steps), steps)

    return train


def _drive(training: TorchTraining, schedule: Schedule, steps: int) -> None:
    if not drive(training, schedule, steps):
        raise TrainingError("the training loss is not finite")


def _range_test_alone(training: TorchTraining, steps: int) -> None:
    found = range_test(training, steps=steps // 10)
    largest = max(group.base for group in training.groups)
    _drive(training, Cosine(steps) * (found.rate / largest), steps)


def _recommended(level: Literal["fast", "default", "thorough"]) -> Train:
    """As ``stepsize run --level`` does: the head start is kept, and a guard watches the rest."""

    def train(training: TorchTraining, steps: int) -> None:
        advice = recommend(training, steps, level)
        start = advice.resume(training)
        guard = Primed(Guard(), advice.head_start.losses.tolist())
        run(training, Policy(advice.schedule, [guard]), steps, start=start)

    return train


def _schedule_free(training: TorchTraining, steps: int) -> None:
    optimizer: Any = training.optimizer
    optimizer.train()
    _drive(training, Constant(1), steps)
    # Batch norm keeps the statistics of training: only the ResNet has them.
    optimizer.eval()


def _distance_over_gradients(training: TorchTraining, steps: int) -> None:
    averager = importlib.import_module("dog").PolynomialDecayAverager(training.model)
    handle = training.optimizer.register_step_post_hook(lambda *_: averager.step())
    _drive(training, Constant(1), steps)
    handle.remove()
    training.model.load_state_dict(averager.averaged_model.state_dict())


def _packaged(name: str, train: Train, package: str, module: str, optimizer: str) -> Procedure:
    """A procedure with the optimizer of an optional package, imported when it is made."""

    def make(groups: list[dict[str, Any]]) -> Optimizer:
        return getattr(importlib.import_module(module), optimizer)(groups)

    return Procedure(name, train, make, module, package)


PROCEDURES = {
    procedure.name: procedure
    for procedure in (
        Procedure("stepsize fast", _recommended("fast")),
        Procedure("stepsize default", _recommended("default")),
        Procedure("stepsize thorough", _recommended("thorough")),
        Procedure("AdamW 1e-3, cosine", _with(Cosine), lambda groups: AdamW(groups, lr=1e-3)),
        Procedure(
            "SGD 0.1, step decay",
            _with(lambda steps: Step(steps // 3, 0.1)),
            lambda groups: SGD(groups, lr=0.1, momentum=0.9),
        ),
        Procedure("range test alone, cosine", _range_test_alone),
        _packaged("Prodigy, cosine", _with(Cosine), "prodigyopt", "prodigyopt", "Prodigy"),
        _packaged(
            "D-Adapt Adam, cosine", _with(Cosine), "dadaptation", "dadaptation", "DAdaptAdam"
        ),
        _packaged(
            "Schedule-Free AdamW",
            _schedule_free,
            "schedulefree",
            "schedulefree",
            "AdamWScheduleFree",
        ),
        _packaged("DoG, averaged", _distance_over_gradients, "dog-optimizer", "dog", "DoG"),
    )
}
