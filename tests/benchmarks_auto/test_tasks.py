"""The tasks are what the benchmark's numbers rest on: repeatable, fair, and counted honestly."""

import pytest
import torch
from torch.optim import SGD

from benchmarks.auto.task import Started, Task
from benchmarks.auto.tasks import TASKS
from stepsize.testing.training import check_training

every_task = pytest.mark.parametrize("task", TASKS.values(), ids=list(TASKS))


def losses(started: Started, steps: int = 3) -> list[float]:
    factors = {"lr": [1.0] * len(started.training.groups)}
    return [started.training.step(factors).metrics["loss"] for _ in range(steps)]


@every_task
def test_a_task_passes_the_exam_for_trainings(task: Task) -> None:
    check_training(lambda: task.start(1).training, steps=3)


@every_task
def test_a_seed_decides_everything_whatever_was_drawn_before(task: Task) -> None:
    first = losses(task.start(7))
    torch.rand(5)
    assert losses(task.start(7)) == first
    assert losses(task.start(8)) != first


@every_task
def test_judging_measures_the_model_whatever_was_drawn_before(task: Task) -> None:
    started = task.start(1)
    judged = started.judge()
    torch.rand(5)
    assert started.judge() == judged
    losses(started)
    assert started.judge() != judged


@every_task
def test_one_run_costs_one_and_evaluations_cost_something(task: Task) -> None:
    started = task.start(1)
    losses(started, 5)
    steps = started.cost
    assert steps == pytest.approx(5 / task.steps)
    started.training.evaluate()
    assert steps < started.cost < steps + 0.05


@every_task
def test_going_back_does_not_refund_the_cost_of_a_trial(task: Task) -> None:
    started = task.start(1)
    snapshot = started.training.snapshot()
    losses(started, 2)
    started.training.restore(snapshot)
    losses(started, 2)
    assert started.cost == pytest.approx(4 / task.steps)


@every_task
def test_the_rate_that_an_optimizer_starts_with_says_nothing_about_the_answer(task: Task) -> None:
    largest = max(group.base for group in task.start(1).training.groups)
    assert largest in (1e-3, 1e-2), "torch's defaults"


def test_ratios_between_groups_belong_to_the_tasks_own_optimizer() -> None:
    task = TASKS["fine-tuning, body at a tenth, AdamW"]
    head, body = task.start(1).training.groups
    assert body.base == pytest.approx(head.base / 10)
    rates = [g.base for g in task.start(1, lambda groups: SGD(groups, lr=0.5)).training.groups]
    assert rates == [0.5, 0.5]


def test_a_frozen_body_does_not_move() -> None:
    started = TASKS["fine-tuning, frozen body, Adam"].start(1)
    body, head = started.training.model
    before = [parameter.clone() for parameter in (*body.parameters(), *head.parameters())]
    losses(started)
    after = [*body.parameters(), *head.parameters()]
    moved = [not torch.equal(one, other) for one, other in zip(before, after, strict=True)]
    assert moved == [False] * 4 + [True] * 2


def test_each_player_of_the_gan_learns_from_its_own_loss_alone() -> None:
    for factors in ([1.0, 0.0], [0.0, 1.0]):
        started = TASKS["digits GAN, Adam"].start(1)
        model = started.training.model
        players = (model.generator, model.critic)
        before = [[parameter.clone() for parameter in player.parameters()] for player in players]
        noise = torch.randn(200, 16)
        fooled = model.critic(model(noise)).mean()
        for _ in range(200):
            started.training.step({"lr": factors})
        still = [
            all(map(torch.equal, each, p.parameters()))
            for each, p in zip(before, players, strict=True)
        ]
        assert still == [factor == 0 for factor in factors]
        gained = model.critic(model(noise)).mean() - fooled
        assert gained > 0.1 if factors[0] else gained < -0.1


def test_some_tasks_are_kept_aside() -> None:
    aside = [name for name, task in TASKS.items() if task.held_out]
    assert len(aside) >= 5
    assert len(TASKS) - len(aside) >= 10
