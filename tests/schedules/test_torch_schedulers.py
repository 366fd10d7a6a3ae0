"""Torch's own schedulers as oracles: each of their shapes is a short expression."""

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch.optim import Optimizer
from torch.optim import lr_scheduler as theirs

from stepsize import (
    Constant,
    Cosine,
    Exponential,
    Function,
    Hold,
    InverseSqrt,
    Linear,
    MultiStep,
    Polynomial,
    Schedule,
    Step,
    Warmup,
    one_cycle,
)

BASE = 0.3
Build = Callable[[Optimizer], theirs.LRScheduler]


def rates(build: Build, steps: int) -> list[float]:
    optimizer = torch.optim.SGD([torch.zeros(1)], lr=BASE)
    scheduler = build(optimizer)
    rates = []
    for _ in range(steps):
        rates.append(float(optimizer.param_groups[0]["lr"]))
        optimizer.step()
        scheduler.step()
    return rates


def assert_same(build: Build, schedule: Schedule, steps: int = 100) -> None:
    # Most of torch's schedulers multiply the last rate, which gathers rounding errors.
    expected = rates(build, steps)
    np.testing.assert_allclose(BASE * schedule.values(steps), expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize(("size", "gamma"), [(1, 0.9), (7, 0.3), (10, 0.1), (30, 1.5)])
def test_step_lr(size: int, gamma: float) -> None:
    assert_same(lambda o: theirs.StepLR(o, size, gamma), Step(size, gamma))


def test_multi_step_lr() -> None:
    schedule = MultiStep({5: 0.4, 12: 0.4, 40: 0.4})
    assert_same(lambda o: theirs.MultiStepLR(o, [5, 12, 40], gamma=0.4), schedule)


def test_multi_step_lr_with_a_milestone_given_twice() -> None:
    schedule = MultiStep({5: 0.4 * 0.4, 12: 0.4})
    assert_same(lambda o: theirs.MultiStepLR(o, [5, 5, 12], gamma=0.4), schedule)


def test_exponential_lr() -> None:
    assert_same(lambda o: theirs.ExponentialLR(o, 0.93), Exponential(0.93))


def test_constant_lr() -> None:
    schedule = Hold(4, 1 / 3) >> Constant()
    assert_same(lambda o: theirs.ConstantLR(o, 1 / 3, total_iters=4), schedule)


def test_linear_lr() -> None:
    assert_same(lambda o: theirs.LinearLR(o, 1 / 3, 1, total_iters=5), Linear(5, 1 / 3, 1))
    assert_same(lambda o: theirs.LinearLR(o, 1e-3, 1, total_iters=50), Warmup(50, start=1e-3))
    assert_same(lambda o: theirs.LinearLR(o, 1, 0.1, total_iters=50), Linear(50, end=0.1))


@pytest.mark.parametrize("power", [0.5, 1, 2, 3])
def test_polynomial_lr(power: float) -> None:
    assert_same(lambda o: theirs.PolynomialLR(o, 20, power), Polynomial(20, power))


def test_cosine_annealing_lr_until_its_end() -> None:
    schedule = Cosine(20, end=0.01 / BASE)
    assert_same(lambda o: theirs.CosineAnnealingLR(o, 20, eta_min=0.01), schedule, steps=21)


def test_cosine_annealing_lr_rises_again_past_its_end_and_cosine_does_not() -> None:
    def build(optimizer: Optimizer) -> theirs.LRScheduler:
        return theirs.CosineAnnealingLR(optimizer, 20)

    assert rates(build, 41)[40] == pytest.approx(BASE)
    assert Cosine(20)(40) == 0
    assert_same(build, (Cosine(20) >> Cosine(20, 0, 1)).repeat())


@pytest.mark.parametrize("growth", [1, 2, 3])
def test_cosine_annealing_warm_restarts(growth: int) -> None:
    assert_same(
        lambda o: theirs.CosineAnnealingWarmRestarts(o, 5, T_mult=growth, eta_min=0.03),
        Cosine(5, end=0.1).repeat(stretch=growth),
        steps=300,
    )


@pytest.mark.parametrize("total", [10, 100, 137])
@pytest.mark.parametrize("rise", [0.3, 0.5])
def test_one_cycle_lr_is_one_step_shorter_than_it_says(total: int, rise: float) -> None:
    # Its peak is at rise · total - 1 and its end at total - 1, so it lasts total - 1 steps.
    schedule = Cosine(rise * total - 1, 1 / 25, 1) >> Cosine(total - rise * total, end=4e-6)
    assert schedule.length == pytest.approx(total - 1)
    assert_same(lambda o: theirs.OneCycleLR(o, BASE, total, pct_start=rise), schedule, total)
    recipe = one_cycle(total - 1, rise=(rise * total - 1) / (total - 1))
    np.testing.assert_allclose(recipe.values(total), schedule.values(total), rtol=0, atol=1e-12)


def test_one_cycle_lr_with_straight_lines() -> None:
    assert_same(
        lambda o: theirs.OneCycleLR(o, BASE, 100, anneal_strategy="linear"),
        Linear(29, 1 / 25, 1) >> Linear(70, end=4e-6),
    )


def test_lambda_lr() -> None:
    def noam(step: float) -> float:
        return min((step + 1) / 10, math.sqrt(10 / (step + 1)))

    assert_same(lambda o: theirs.LambdaLR(o, noam), Function(noam))
    schedule = (Warmup(10) >> InverseSqrt(10)).skip(1)
    np.testing.assert_allclose(schedule.values(100), Function(noam).values(100), rtol=0, atol=1e-12)


def test_sequential_lr_is_then() -> None:
    def build(optimizer: Optimizer) -> theirs.LRScheduler:
        parts: list[theirs.LRScheduler] = [
            theirs.LinearLR(optimizer, 0.1, 1, total_iters=5),
            theirs.ExponentialLR(optimizer, 0.9),
        ]
        return theirs.SequentialLR(optimizer, parts, milestones=[5])

    assert_same(build, Linear(5, 0.1, 1) >> Exponential(0.9))


def test_chained_scheduler_is_a_product() -> None:
    def build(optimizer: Optimizer) -> theirs.LRScheduler:
        parts: list[theirs.LRScheduler] = [
            theirs.LinearLR(optimizer, 0.1, 1, total_iters=5),
            theirs.ExponentialLR(optimizer, 0.9),
        ]
        return theirs.ChainedScheduler(parts)

    assert_same(build, Linear(5, 0.1, 1) * Exponential(0.9))
