"""``recommend`` at 1,000, 10,000 and 100,000 steps: near the best rate of each length.

The training is gradient descent on a quadratic with noisy gradients. Its expected loss after a
schedule follows a recursion, so the best rate of each length is known without running a grid.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from stepsize import Schedule
from stepsize.find import recommend
from stepsize.find._rate_sweep import RiseDetector, sweep_length
from stepsize.plan import default_plan
from stepsize.signals import Observation
from stepsize.training import Factors, Group

BASE = 0.01
RATES = np.geomspace(1e-4, 10, 101)
SEEDS = (21, 22)


class Quadratic:
    """x <- x - rate * (h x + noise) for each curvature h, from x = 1.

    Args:
        curvatures: h of each coordinate.
        noise: Standard deviation of the gradient's noise.
        seed: Of the noise.
    """

    def __init__(self, curvatures: NDArray[np.float64], noise: float, seed: int) -> None:
        self._curvatures = curvatures
        drawn = np.random.default_rng(seed).standard_normal((4_999, len(curvatures)))
        self._noise = noise * drawn
        self._x = np.ones(len(curvatures))
        self._position = 0

    @property
    def groups(self) -> Sequence[Group]:
        return (Group("x", BASE),)

    def step(self, factors: Factors) -> Observation:
        gradient = self._curvatures * self._x
        noise = self._noise[self._position % len(self._noise)]
        loss = 0.5 * float(gradient @ self._x)
        # A batch sees the loss with the noise of its gradient.
        seen = loss + float(noise @ self._x)
        with np.errstate(all="ignore"):
            self._x = self._x - BASE * factors["lr"][0] * (gradient + noise)
        self._position += 1
        return Observation({"loss": seen})

    def evaluate(self) -> Mapping[str, float]:
        with np.errstate(all="ignore"):
            return {"val_loss": 0.5 * float((self._curvatures * self._x) @ self._x)}

    def snapshot(self) -> Any:
        return self._x.copy(), self._position

    def restore(self, snapshot: Any) -> None:
        x, self._position = snapshot
        self._x = x.copy()


def expected_losses(
    schedule: Schedule, steps: int, curvatures: NDArray[np.float64], noise: float
) -> NDArray[np.float64]:
    """The expected final loss at each of ``RATES``."""
    h = curvatures[:, None]
    squares = np.ones((len(curvatures), len(RATES)))
    with np.errstate(over="ignore", invalid="ignore"):
        for multiple in schedule.values(steps):
            rate = multiple * RATES
            squares = (1 - rate * h) ** 2 * squares + (rate * noise) ** 2
        losses = (h * squares).sum(axis=0) / 2
    return np.where(np.isfinite(losses), losses, np.inf)


TASKS = {
    "the best rate falls with the length": (np.geomspace(1, 1e-3, 32), 0.1),
    "the best rate stays": (np.geomspace(1, 1e-6, 32), 1e-3),
}


@pytest.mark.parametrize("steps", [1_000, 10_000, 100_000])
@pytest.mark.parametrize("task", TASKS)
def test_the_recommended_rate_is_within_a_factor_of_3_of_the_best_of_its_length(
    task: str, steps: int
) -> None:
    curvatures, noise = TASKS[task]
    losses = expected_losses(default_plan(steps).schedule, steps, curvatures, noise)
    best = float(RATES[np.argmin(losses)])
    for seed in SEEDS:
        advice = recommend(Quadratic(curvatures, noise, seed), steps)
        assert best / 3 < advice.rate.value < best * 3


def test_the_best_rate_of_one_task_falls_with_the_length_and_that_of_the_other_stays() -> None:
    best = {
        name: [
            float(RATES[np.argmin(expected_losses(default_plan(n).schedule, n, *task))])
            for n in (1_000, 100_000)
        ]
        for name, task in TASKS.items()
    }
    falls, stays = best.values()
    assert falls[0] > 10 * falls[1]
    assert stays[0] < 2 * stays[1]


# ------------------------------------------------------------------ the sweep


def stop_of(losses: Iterable[float]) -> int | None:
    """The index at which the losses are said to have risen."""
    rise = RiseDetector()
    return next((index for index, loss in enumerate(losses) if rise.add(loss)), None)


@pytest.mark.parametrize("steps", [30, 100, 270, 1_000, 10_000, 100_000])
def test_pure_noise_is_not_taken_for_a_rise(steps: int) -> None:
    runs = max(4, min(400, 400_000 // steps))
    draw = np.random.default_rng(steps)
    stops = [stop_of(draw.normal(0.7, 0.2, steps).tolist()) for _ in range(runs)]
    assert sum(stop is not None for stop in stops) <= runs // 100


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
@pytest.mark.parametrize("offset", [-3.0, 0.0, 3.0])
def test_a_rise_is_seen_within_a_few_steps_whatever_the_unit_and_the_zero(
    scale: float, offset: float
) -> None:
    draw = np.random.default_rng(0)
    flat = draw.normal(offset, 0.1, 60)
    rising = flat[-1] + 2.0 ** np.arange(12)
    stop = stop_of((scale * np.concatenate([flat, rising])).tolist())
    assert stop is not None
    assert 60 <= stop < 66


@given(st.integers(200, 10_000_000))
def test_a_sweep_takes_its_share_of_any_run_and_spans_eight_decades_at_most(steps: int) -> None:
    most, ratio = sweep_length(steps)
    assert 40 <= most <= 133
    assert ratio ** (most - 1) <= 10**8
    assert ratio**most >= 10**7.9


def test_a_rate_far_above_that_of_the_optimizer_is_reached() -> None:
    """Best near 200, 20,000 times the rate in the optimizer."""
    advice = recommend(Quadratic(np.geomspace(1e-2, 1e-5, 32), 1e-3, seed=SEEDS[0]), 2_000)
    assert 20 < advice.rate.value < 400
