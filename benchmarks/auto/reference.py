"""The tuned best of each task: a grid of rates × schedules; other seeds choose than judge."""

import math
import statistics
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from benchmarks.auto.runs import Runs
from benchmarks.auto.task import Task, drive
from stepsize import Constant, Schedule, Warmup, linear_to_zero, warmup_cosine, wsd

__all__ = ["JUDGING_SEEDS", "SCHEDULES", "TUNING_SEEDS", "bracket", "make_reference", "run_at"]

TUNING_SEEDS = (1, 2)
JUDGING_SEEDS = (101, 102, 103, 104, 105)

_WARMUP, _COOLDOWN = 0.05, 0.2
_RATES, _HALF_RATES, _HALF_SCHEDULES = 9, 5, 2
_FURTHEST = 12


def _warmed(steps: int) -> int:
    return max(1, round(_WARMUP * steps))


SCHEDULES: Mapping[str, Callable[[int], Schedule]] = {
    "constant": lambda n: Warmup(_warmed(n) + 1).skip(1) >> Constant(1),
    "cosine": lambda n: warmup_cosine(n, _warmed(n)),
    "linear": lambda n: linear_to_zero(n, _warmed(n)),
    "wsd": lambda n: wsd(n, _warmed(n), round(_COOLDOWN * n)),
}
"""From a number of steps to the schedule: warmup over 5 %, wsd's cooldown over 20 %, to zero."""


def run_at(task: Task, schedule: str, rate: float, steps: int, seed: int) -> float:
    """The judged loss after ``steps`` at ``rate``, of the group with the largest base rate.

    Returns:
        The loss; infinity if the training loss was not finite.
    """
    started = task.start(seed)
    largest = max(group.base for group in started.training.groups)
    if not drive(started.training, SCHEDULES[schedule](steps) * (rate / largest), steps):
        return math.inf
    loss = started.judge()
    return loss if math.isfinite(loss) else math.inf


def rate_of(index: int) -> float:
    """Rates are 10^(index/3): a factor of 2.15 apart, the same ones for all tasks."""
    return float(f"{10 ** (index / 3):.4g}")


def bracket(
    loss_at: Callable[[int], float], centre: int, count: int, furthest: int = _FURTHEST
) -> dict[int, float]:
    """Losses at ``count`` neighbouring indices, and beyond until the lowest is not at an end.

    Args:
        loss_at: From an index to a loss; infinity where there is none.
        centre: Where to begin.
        count: How many at least, odd.
        furthest: Distance from the centre at which to give up.
    """
    low, high = centre - count // 2, centre + count // 2
    losses = {index: loss_at(index) for index in range(low, high + 1)}
    while True:
        best = min(losses, key=lambda index: losses[index])
        if best == low and centre - low < furthest:
            low -= 1
            losses[low] = loss_at(low)
        elif best == high and high - centre < furthest:
            high += 1
            losses[high] = loss_at(high)
        else:
            return dict(sorted(losses.items()))


class _Grid:
    """The runs of one task at one length."""

    def __init__(self, task: Task, steps: int, runs: Runs) -> None:
        self._task, self._steps, self._runs = task, steps, runs
        self.seconds: list[float] = []

    def loss(self, schedule: str, index: int, seed: int) -> float:
        task, steps = self._task, self._steps
        rate = rate_of(index)

        def compute() -> dict[str, Any]:
            began = time.process_time()
            loss = run_at(task, schedule, rate, steps, seed)
            seconds = round(time.process_time() - began, 3)
            return {"loss": loss if math.isfinite(loss) else None, "seconds": seconds}

        key = {
            "task": task.name,
            "steps": steps,
            "schedule": schedule,
            "rate": rate,
            "seed": seed,
        }
        found = self._runs.once(key, compute)
        if found["loss"] is None:
            return math.inf
        self.seconds.append(found["seconds"])
        return float(found["loss"])

    def tuning(
        self, schedules: Iterable[str], centre: int, count: int
    ) -> dict[str, dict[int, float]]:
        return {
            schedule: bracket(
                lambda index, schedule=schedule: statistics.fmean(
                    self.loss(schedule, index, seed) for seed in TUNING_SEEDS
                ),
                centre,
                count,
            )
            for schedule in schedules
        }

    def judged(self, grid: Mapping[str, Mapping[int, float]]) -> dict[str, Any]:
        """The grid's best on the seeds that judge."""
        schedule = _ranked(grid)[0]
        index = _lowest(grid[schedule])
        losses = {str(seed): _short(self.loss(schedule, index, seed)) for seed in JUDGING_SEEDS}
        return {"schedule": schedule, "rate": rate_of(index), "losses": losses}


def make_reference(task: Task, runs: Runs) -> dict[str, Any]:
    """Everything that ``reference.json`` says about one task; runs that are known are not repeated.

    At the full length a grid of at least 9 rates × 4 schedules; at half the length at least 5 rates
    around the full length's best × its 2 best schedules. Each grid is widened until its best rate
    is not at an end.
    """
    full = _Grid(task, task.steps, runs)
    grid = full.tuning(SCHEDULES, round(3 * math.log10(task.guess)), _RATES)
    best = _ranked(grid)
    half = _Grid(task, task.steps // 2, runs)
    half_grid = half.tuning(best[:_HALF_SCHEDULES], _lowest(grid[best[0]]), _HALF_RATES)
    return {
        "steps": task.steps,
        "judged_by": task.judged_by,
        "held_out": task.held_out,
        "tuned": full.judged(grid),
        "half": half.judged(half_grid),
        "seconds": _short(statistics.median(full.seconds)),
        "grid": _readable(grid),
        "half_grid": _readable(half_grid),
    }


def _lowest(losses: Mapping[int, float]) -> int:
    return min(losses, key=lambda index: losses[index])


def _ranked(grid: Mapping[str, Mapping[int, float]]) -> Sequence[str]:
    return sorted(grid, key=lambda schedule: min(grid[schedule].values()))


def _readable(grid: Mapping[str, Mapping[int, float]]) -> dict[str, dict[str, float | None]]:
    return {
        schedule: {f"{rate_of(index):g}": _short(loss) for index, loss in losses.items()}
        for schedule, losses in grid.items()
    }


def _short(loss: float) -> float | None:
    return float(f"{loss:.5g}") if math.isfinite(loss) else None
