"""The tasks are what the benchmark's numbers rest on: repeatable, fair, and counted honestly."""

import inspect
import math

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
    training = task.start(1).training
    default = inspect.signature(type(training.optimizer)).parameters["lr"].default
    assert max(group.base for group in training.groups) == default


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


@pytest.mark.parametrize(
    "name",
    ["character transformer, AdamW", "character LSTM, Adam", "character convolutions, NAdam"],
)
def test_a_guess_at_the_next_character_does_not_see_it(name: str) -> None:
    parts = TASKS[name].parts(1)
    seen, _ = next(iter(parts.batches(0)))
    other = seen.clone()
    other[:, 12:] = seen[:, 12:].flip(1)
    with torch.no_grad():
        before, after = parts.model(seen), parts.model(other)
    torch.testing.assert_close(after[:, :12], before[:, :12])
    assert not torch.allclose(after[:, 12:], before[:, 12:])


def test_a_lines_padding_says_nothing_of_its_module() -> None:
    parts = TASKS["module of a line, dropout, Adagrad"].parts(1)
    bags, _ = next(iter(parts.batches(0)))
    model = parts.model.eval()
    padded = torch.nn.functional.pad(bags, (0, 30))
    assert bool((bags != 0).any(1).all())
    torch.testing.assert_close(model(padded), model(bags))


def test_pairs_that_look_all_alike_are_found_by_guessing() -> None:
    parts = TASKS["pairs of digits, contrastive, SGD"].parts(1)
    (views,) = next(iter(parts.batches(0)))
    assert not torch.equal(views[:, 0], views[:, 1])
    alike = parts.loss(parts.model, (views[:1, :1].expand_as(views),))
    assert alike.item() == pytest.approx(math.log(len(views)))


def test_some_tasks_are_kept_aside() -> None:
    aside = [name for name, task in TASKS.items() if task.held_out]
    assert len(aside) >= 4
    assert len(TASKS) - len(aside) >= 10
