"""The curves of the four articles that the project began with, by the articles' own formulas.

Each test writes out what the article has: its formula, or its code as it stands there.
"""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import torch

from stepsize import (
    Absolute,
    Constant,
    Cosine,
    Exponential,
    Function,
    MultiStep,
    Polynomial,
    Schedule,
    Step,
    Table,
    Triangular,
    Warmup,
    cyclic,
    warmup_cosine,
)

EPOCHS = 100


def assert_rates(schedule: Schedule, rates: Sequence[float]) -> None:
    np.testing.assert_allclose(schedule.values(len(rates)), rates, rtol=0, atol=1e-12 * max(rates))


# ------------------------------------------------------------------ step decay


def test_step_decay_by_whole_epochs() -> None:
    """param_group['lr'] = self.learning_rate * (self.gamma ** (epoch // self.lr_decay))"""
    learning_rate, gamma, lr_decay = 0.1, 0.3, 7
    lr = [learning_rate * (gamma ** (epoch // lr_decay)) for epoch in range(EPOCHS)]
    assert_rates(learning_rate * Step(lr_decay, gamma), lr)


def test_step_decay_counting_epochs_from_one() -> None:
    initial_lr, decay_factor, step_size, max_epochs = 1.0, 0.5, 10, 100
    lr = [
        initial_lr * (decay_factor ** np.floor((1 + epoch) / step_size))
        for epoch in range(max_epochs)
    ]
    assert_rates(initial_lr * Step(step_size, decay_factor).skip(1), lr)


def test_step_decay_as_the_article_prints_it_is_another_curve_than_its_code() -> None:
    """lr = lr_0 · d^(floor(1 + epoch) / s): the floor is around the epoch, so nothing steps."""
    d, s = 0.5, 10
    lr = [d ** (math.floor(1 + epoch) / s) for epoch in range(EPOCHS)]
    assert_rates(Exponential(d, s).skip(1), lr)


def test_step_decay_by_hand_at_one_epoch() -> None:
    """if epoch == 15: optimizer.param_groups[0]['lr'] *= 0.1"""
    lr, rate = [], 0.1
    for epoch in range(30):
        if epoch == 15:
            rate *= 0.1
        lr.append(rate)
    assert_rates(0.1 * MultiStep({15: 0.1}), lr)


def test_multi_step_decay() -> None:
    """In epochs 10 and 20: lr_new = lr_old * 0.5"""
    lr, rate = [], 0.1
    for epoch in range(EPOCHS):
        if epoch in (10, 20):
            rate = rate * 0.5
        lr.append(rate)
    assert_rates(0.1 * MultiStep({10: 0.5, 20: 0.5}), lr)


# ------------------------------------------------------------------ exponential decay


@pytest.mark.parametrize("gamma", [0.9, 0.95, 0.99])
def test_exponential_decay_by_a_factor_per_epoch(gamma: float) -> None:
    lr = [0.1 * gamma**epoch for epoch in range(EPOCHS)]
    assert_rates(0.1 * Exponential(gamma), lr)


def test_exponential_decay_by_a_constant() -> None:
    initial_lr, decay_rate, max_epochs = 1.0, 0.05, 100
    lr = [initial_lr * np.exp(-decay_rate * epoch) for epoch in range(max_epochs)]
    assert_rates(initial_lr * Exponential(math.exp(-decay_rate)), lr)


def test_exponential_decay_by_a_rate_per_decay_steps() -> None:
    """learning_rate = initial_learning_rate * decay_rate ^ (global_step / decay_steps)"""
    initial, decay_rate, decay_steps = 0.1, 0.96, 30
    lr = [initial * decay_rate ** (step / decay_steps) for step in range(1_000)]
    assert_rates(initial * Exponential(decay_rate, decay_steps), lr)


def test_exponential_decay_as_a_staircase() -> None:
    initial, decay_rate, decay_steps = 0.1, 0.96, 30
    lr = [initial * decay_rate ** (step // decay_steps) for step in range(1_000)]
    assert_rates(initial * Exponential(decay_rate, decay_steps).staircase(decay_steps), lr)


# ------------------------------------------------------------------ polynomial and cosine


@pytest.mark.parametrize("p", [0.5, 1, 2, 3.5])
def test_polynomial_decay(p: float) -> None:
    lr = [0.1 * (1 - epoch / EPOCHS) ** p for epoch in range(EPOCHS + 1)]
    assert_rates(0.1 * Polynomial(EPOCHS, p), lr)


def test_cosine_annealing_between_two_rates() -> None:
    lr_min, lr_max, max_epochs = 0.001, 0.1, 100
    lr = [
        lr_min + 0.5 * (lr_max - lr_min) * (1 + np.cos(epoch / max_epochs * np.pi))
        for epoch in range(max_epochs)
    ]
    assert_rates(Absolute(Cosine(max_epochs, start=lr_max, end=lr_min)).schedule, lr)
    assert_rates(lr_max * Cosine(max_epochs, end=lr_min / lr_max), lr)


# ------------------------------------------------------------------ warmup


@pytest.mark.parametrize("num_cycles", [0.5, 1.0, 1.5, 3.0, 0.25, 0.8])
@pytest.mark.parametrize(("num_warmup_steps", "num_training_steps"), [(10, 110), (0, 97), (30, 31)])
def test_cosine_with_warmup(
    num_warmup_steps: int, num_training_steps: int, num_cycles: float
) -> None:
    def lr_lambda(current_step: int) -> float:
        # Warmup
        if current_step < num_warmup_steps:
            return float(current_step) / float(max(1, num_warmup_steps))
        # decadence
        progress = float(current_step - num_warmup_steps) / float(
            max(1, num_training_steps - num_warmup_steps)
        )
        return max(0.0, 0.5 * (1.0 + math.cos(math.pi * float(num_cycles) * 2.0 * progress)))

    lr = [lr_lambda(step) for step in range(num_training_steps + 1)]
    decay = warmup_cosine(num_training_steps - num_warmup_steps, num_cycles=num_cycles)
    assert_rates(Warmup(num_warmup_steps) >> decay, lr)


def test_the_recipe_wastes_no_first_step_and_follows_the_article_after_the_warmup() -> None:
    recipe, article = warmup_cosine(110, warmup=10), Warmup(10) >> Cosine(100)
    assert article(0) == 0
    assert recipe(0) > 0
    np.testing.assert_array_equal(recipe.values(120)[10:], article.values(120)[10:])


def test_linear_warmup() -> None:
    """lr = lr_warmup * min(step / warmup_steps, 1)"""
    lr_warmup, warmup_steps = 0.1, 37
    lr = [lr_warmup * min(step / warmup_steps, 1) for step in range(EPOCHS)]
    assert_rates(lr_warmup * Warmup(warmup_steps), lr)


# ------------------------------------------------------------------ cycles


def smith(t: int, stepsize: int, base_lr: float, max_lr: float, scale: Any) -> float:
    """Algorithm 1 of "Cyclical Learning Rates" (arXiv 1506.01186), which the article cites."""
    cycle = math.floor(1 + t / (2 * stepsize))
    x = abs(t / stepsize - 2 * cycle + 1)
    return base_lr + (max_lr - base_lr) * max(0, 1 - x) * scale(cycle, t)


@pytest.mark.parametrize(
    ("mode", "scale", "settings"),
    [
        ("triangular", lambda cycle, t: 1, {}),
        ("triangular2", lambda cycle, t: 1 / 2 ** (cycle - 1), {"shrink": 0.5}),
        ("exp_range", lambda cycle, t: 0.999**t, {"factor": 0.999}),
    ],
    ids=["triangular", "triangular2", "exp_range"],
)
def test_cyclical_rates(mode: str, scale: Any, settings: dict[str, float]) -> None:
    lr = [smith(t, 100, 0.001, 0.1, scale) for t in range(1_000)]
    assert_rates(cyclic(100, low=0.001, high=0.1, **settings), lr)
    assert_rates(0.1 * cyclic(100, low=0.01, **settings), lr)
    assert_rates(cyclic_lr(mode, 100, 100), lr)


def cyclic_lr(mode: Any, up: int, down: int) -> Schedule:
    """The rates of the scheduler that the article uses, as a table."""
    optimizer = torch.optim.SGD([torch.zeros(1)], lr=0.01)
    scheduler = torch.optim.lr_scheduler.CyclicLR(
        optimizer,
        base_lr=0.001,
        max_lr=0.1,
        step_size_up=up,
        step_size_down=down,
        mode=mode,
        gamma=0.999,
        cycle_momentum=False,
    )
    rows = []
    for _ in range(1_000):
        rows.append([1, optimizer.param_groups[0]["lr"]])
        optimizer.step()
        scheduler.step()
    return Table(rows)


@pytest.mark.parametrize(("up", "down"), [(100, 100), (150, 50), (1, 99)])
def test_cycles_that_rise_and_fall_at_other_speeds(up: int, down: int) -> None:
    rates = cyclic_lr("triangular2", up, down).values(1_000)
    assert_rates(cyclic(up, down, low=0.001, high=0.1, shrink=0.5), rates.tolist())


# ------------------------------------------------------------------ tables and functions


def test_the_table_of_epochs_and_rates() -> None:
    lr_set_list = [[1, 1e-1], [2, 1e-2], [3, 1e-3], [4, 1e-4], [5, 1e-5]]

    def adjust_learning_rate_list(param_groups: list[dict[str, float]], epoch: int) -> None:
        lr_list = []
        for i in lr_set_list:
            for _ in range(i[0]):
                lr_list.append(i[1])
        for param_group in param_groups:
            if epoch < len(lr_list) - 1:
                param_group["lr"] = lr_list[epoch]
            else:
                param_group["lr"] = lr_list[-1]

    groups = [{"lr": 0.5}]
    lr = []
    for epoch in range(EPOCHS):
        adjust_learning_rate_list(groups, epoch)
        lr.append(groups[0]["lr"])
    assert Table(lr_set_list).values(EPOCHS).tolist() == lr


def test_any_function_of_the_position() -> None:
    def by_hand(epoch: float) -> float:
        return 0.1 if epoch < 3 else 0.1 / math.sqrt(1 + epoch)

    assert Function(by_hand).values(EPOCHS).tolist() == [by_hand(epoch) for epoch in range(EPOCHS)]


# ------------------------------------------------------------------ and the classes not in them


@pytest.mark.parametrize("low", [0.0, 0.2])
def test_one_triangle(low: float) -> None:
    lr = [low + (1 - low) * (t / 4 if t < 4 else max(0, 1 - (t - 4) / 6)) for t in range(20)]
    assert_rates(Triangular(4, 6, low=low), lr)


def test_a_constant_is_its_value() -> None:
    assert Constant(0.3).values(3).tolist() == [0.3, 0.3, 0.3]
