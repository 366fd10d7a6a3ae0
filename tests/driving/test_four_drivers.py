"""Whoever drives, the plan is the same: a run, an attachment, returned states, pulled values.

Each of the four follows one script: two quantities, a plateau that cuts, an extension, a cooldown
that begins now, and a resume in another process. All use the same values, to the last bit.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
import pytest
import torch

from stepsize import Cosine, Linear, Observation, Policy, Scale
from stepsize.controllers import Plateau
from stepsize.driving import Driven, Driver, Progress, load, save
from stepsize.torch import attach
from stepsize.training import Group
from stepsize.training._checkpoints import Checkpoints
from stepsize.training._factors import driver_of
from stepsize.training._loop import Loop

RATE, DECAY = 0.5, 0.25
LOSSES = [4.0, 3.0, 2.0, 2.5, 2.5, 2.5, 1.5, 1.25, 1.0, 1.0, 1.0, 1.0, 1.0, *[0.75] * 40]
EXTENDED_AT, COOLED_AT, RESUMED_AT, STEPS = 10, 26, 18, 32


def plans() -> dict[str, Any]:
    plateau = Plateau(metric="loss", patience=2, factor=0.5)
    return {
        "lr": Policy(Linear(20), [plateau]),
        "weight_decay": Cosine(30),
    }


class Values(NamedTuple):
    lr: float
    weight_decay: float


class Followed(Protocol):
    """What the script does to each driver."""

    def step(self, loss: float) -> Values: ...
    def extend(self, total: float) -> None: ...
    def start_cooldown(self, steps: float) -> None: ...
    def resumed(self) -> "Followed": ...


def script(follower: Followed) -> Iterator[Values]:
    for step in range(STEPS):
        if step == EXTENDED_AT:
            follower.extend(40)
        if step == COOLED_AT:
            follower.start_cooldown(4)
        if step == RESUMED_AT:
            follower = follower.resumed()
        yield follower.step(LOSSES[step])


# ------------------------------------------------------------------ pulled


class Pulled:
    """A schedule that an optimizer calls with its own count, as Keras does."""

    def __init__(self, saved: str | None = None) -> None:
        self.driver = Driver.of(plans(), [{"lr": RATE, "weight_decay": DECAY}])
        self.progress, self.position = self.driver.init(), 0
        if saved is not None:
            [found] = load([self.driver], saved)
            self.progress, self.position = found.progress, int(found.position)

    def __call__(self, position: int) -> Values:
        values = self.driver.values(self.progress, position)
        return Values(values["lr"][0], values["weight_decay"][0])

    def step(self, loss: float) -> Values:
        used = self(self.position)
        seen = Observation({"loss": loss}, position=self.position)
        self.progress, _ = self.driver.observe(self.progress, seen)
        self.position += 1
        return used

    def extend(self, total: float) -> None:
        self.progress = self.driver.extend(self.progress, "lr", self.position, total)

    def start_cooldown(self, steps: float) -> None:
        self.progress = self.driver.start_cooldown(self.progress, "lr", self.position, steps)

    def resumed(self) -> "Pulled":
        return Pulled(save([Driven(self.driver, self.progress, self.position)]))


# ------------------------------------------------------------------ state in, state out


class State(NamedTuple):
    """The state of a functional optimizer."""

    velocity: Any
    count: int
    progress: Progress


def init(driver: Driver, weights: Any) -> State:
    return State(np.zeros_like(weights), 0, driver.init())


def update(driver: Driver, gradient: Any, state: State, weights: Any) -> tuple[Any, State]:
    """Momentum with decoupled weight decay: what is added to the weights, and the next state."""
    values = driver.values(state.progress, state.count)
    velocity = 0.9 * state.velocity + gradient
    change = -values["lr"][0] * (velocity + values["weight_decay"][0] * weights)
    return change, state._replace(velocity=velocity, count=state.count + 1)


def observe(driver: Driver, state: State, **metrics: float) -> tuple[State, Sequence[Any]]:
    seen = Observation(metrics, position=state.count - 1)
    progress, decided = driver.observe(state.progress, seen)
    return state._replace(progress=progress), decided


class Functional:
    """Drives such an optimizer."""

    def __init__(self) -> None:
        self.driver = Driver.of(plans(), [{"lr": RATE, "weight_decay": DECAY}])
        self.weights = np.array([1.0, -2.0])
        self.state = init(self.driver, self.weights)

    def step(self, loss: float) -> Values:
        values = self.driver.values(self.state.progress, self.state.count)
        change, self.state = update(self.driver, self.weights, self.state, self.weights)
        self.weights = self.weights + change
        self.state, _ = observe(self.driver, self.state, loss=loss)
        return Values(values["lr"][0], values["weight_decay"][0])

    def extend(self, total: float) -> None:
        longer = self.driver.extend(self.state.progress, "lr", self.state.count, total)
        self.state = self.state._replace(progress=longer)

    def start_cooldown(self, steps: float) -> None:
        cooled = self.driver.start_cooldown(self.state.progress, "lr", self.state.count, steps)
        self.state = self.state._replace(progress=cooled)

    def resumed(self) -> "Functional":
        again = Functional()
        text = save([Driven(self.driver, self.state.progress, self.state.count)])
        [found] = load([again.driver], text)
        again.weights = self.weights
        again.state = State(self.state.velocity, int(found.position), found.progress)
        return again


# ------------------------------------------------------------------ attach


class Attached:
    """A torch optimizer that is attached to."""

    def __init__(self) -> None:
        parameter = torch.nn.Parameter(torch.ones(1))
        self.optimizer = torch.optim.SGD([parameter], lr=RATE, weight_decay=DECAY)
        self.rate = attach(self.optimizer, **plans())

    def step(self, loss: float) -> Values:
        group = self.optimizer.param_groups[0]
        used = Values(group["lr"], group["weight_decay"])
        self.optimizer.step()
        self.rate.observe(loss=loss)
        return used

    def extend(self, total: float) -> None:
        self.rate.extend(total)

    def start_cooldown(self, steps: float) -> None:
        self.rate.start_cooldown(steps)

    def resumed(self) -> "Attached":
        again = Attached()
        again.optimizer.load_state_dict(self.optimizer.state_dict())
        return again


# ------------------------------------------------------------------ run


class Scripted:
    """A training whose losses are the script's."""

    groups = (Group("0", RATE),)

    def __init__(self) -> None:
        self.step_number = 0
        self.factors: Any = None

    def step(self, factors: Any) -> Observation:
        self.factors = factors
        self.step_number += 1
        return Observation({"loss": LOSSES[self.step_number - 1]})

    def evaluate(self) -> dict[str, float]:
        return {}

    def snapshot(self) -> int:
        return self.step_number

    def restore(self, snapshot: int) -> None:
        self.step_number = snapshot

    def pack(self, snapshot: int) -> bytes:
        return str(snapshot).encode()

    def unpack(self, packed: bytes) -> int:
        return int(packed)


class Run:
    """The loop of ``run``, step by step."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.training = folder, Scripted()
        policies = {
            key: [plan if isinstance(plan, Policy) else Policy(plan)]
            for key, plan in plans().items()
        }
        driver = driver_of(self.training.groups, policies)
        self.loop = Loop(self.training, driver, (), None, lambda seen: seen)

    def step(self, loss: float) -> Values:
        assert self.loop.step()
        factors = self.training.factors
        return Values(RATE * factors["lr"][0], DECAY * factors["weight_decay"][0])

    def extend(self, total: float) -> None:
        at = self.loop.progress.position
        self.loop.driven = self.loop.driver.extend(self.loop.driven, "lr", at, total)

    def start_cooldown(self, steps: float) -> None:
        at = self.loop.progress.position
        self.loop.driven = self.loop.driver.start_cooldown(self.loop.driven, "lr", at, steps)

    def resumed(self) -> "Run":
        Checkpoints(self.folder, self.training).save(self.loop)
        again = Run(self.folder)
        Checkpoints(self.folder, again.training).resume(again.loop)
        return again


@pytest.mark.filterwarnings("ignore:lr of SGD. .* ended:stepsize.StepsizeWarning")
@pytest.mark.parametrize("kind", [Functional, Attached, Run])
def test_each_driver_uses_the_values_of_a_pulled_schedule(kind: Any, tmp_path: Path) -> None:
    follower = kind(tmp_path) if kind is Run else kind()
    assert [*script(follower)] == [*script(Pulled())]


def test_the_script_cuts_extends_and_cools_down() -> None:
    rates = [values.lr for values in script(Pulled())]
    assert rates[5] == 0.5 * (1 - 5 / 20)
    assert rates[6] == 0.5 * 0.5 * (1 - 6 / 20)  # after the plateau
    assert rates[12] > 0.5 * 0.25 * (1 - 12 / 20)  # stretched
    assert rates[COOLED_AT + 4 :] == [0.0] * (STEPS - COOLED_AT - 4)
    assert rates[COOLED_AT] > 0


def test_a_decision_comes_with_the_track_that_took_it() -> None:
    driver = Driver.of(plans(), [{"lr": RATE, "weight_decay": DECAY}])
    progress, seen = driver.init(), list[Any]()
    for position in range(6):
        metrics = {"loss": LOSSES[position]}
        progress, decided = driver.observe(progress, Observation(metrics, position=position))
        seen.extend(decided)
    [(track, decision)] = seen
    assert (track.key, type(decision)) == ("lr", Scale)
