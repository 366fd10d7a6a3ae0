"""The tuned reference is what it claims: bracketed, and judged on seeds that did not choose it."""

import json
import math
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.nn.functional import mse_loss
from torch.optim import SGD

from benchmarks.auto import reference
from benchmarks.auto.reference import (
    JUDGING_SEEDS,
    SCHEDULES,
    TUNING_SEEDS,
    bracket,
    make_reference,
    run_at,
)
from benchmarks.auto.runs import Runs
from benchmarks.auto.task import Parts, Task
from benchmarks.auto.tasks import TASKS

STORED = json.loads(
    (Path(reference.__file__).parent / "reference.json").read_text(encoding="utf-8")
)
every_stored = pytest.mark.parametrize("task", STORED["tasks"].values(), ids=STORED["tasks"])


def line(seed: int) -> Parts:
    """y = 2x by one weight: stable below a rate of 2."""
    x = torch.linspace(-1.7, 1.7, 8).unsqueeze(1)

    def loss(model: nn.Module, batch: tuple[torch.Tensor, ...]) -> torch.Tensor:
        return mse_loss(model(batch[0]), 2 * batch[0]) / 2

    def judged(model: nn.Module) -> float:
        return loss(model, (x,)).item()

    return Parts(nn.Linear(1, 1), loss, lambda epoch: [(x,)], 8, judged, judged)


LINE = Task("line", line, SGD, 20, guess=1e-3, judged_by="squared error")


@given(st.integers(-8, 8), st.integers(-5, 5), st.sampled_from([3, 5, 9]))
def test_a_bracket_widens_until_the_lowest_loss_is_inside(best: int, centre: int, n: int) -> None:
    losses = bracket(lambda index: abs(index - best), centre, n, furthest=20)
    indices = list(losses)
    assert len(indices) >= n
    assert indices == list(range(indices[0], indices[-1] + 1))
    assert indices[0] < best < indices[-1]


def test_a_bracket_gives_up_where_the_loss_falls_for_ever() -> None:
    assert list(bracket(lambda index: -index, centre=0, count=3, furthest=6))[-1] == 6


def test_diverged_rates_are_no_candidates() -> None:
    losses = bracket(lambda index: math.inf if index > 0 else -index, centre=3, count=5)
    assert min(losses, key=lambda index: losses[index]) == 0


def test_the_reference_finds_the_rate_of_a_line_from_a_guess_far_off(tmp_path: Path) -> None:
    runs = Runs(tmp_path / "runs.jsonl")
    made = make_reference(LINE, runs)
    assert 0.2 < made["tuned"]["rate"] < 2
    assert list(made["tuned"]["losses"]) == [str(seed) for seed in JUDGING_SEEDS]
    assert all(len(rates) >= 9 for rates in made["grid"].values())
    lines = (tmp_path / "runs.jsonl").read_text(encoding="utf-8")
    assert make_reference(LINE, Runs(tmp_path / "runs.jsonl")) == made
    assert (tmp_path / "runs.jsonl").read_text(encoding="utf-8") == lines, "nothing was repeated"


def test_a_run_that_diverges_is_infinitely_bad_and_stops() -> None:
    assert run_at(LINE, "constant", 1e25, 20, seed=1) == math.inf


@pytest.mark.parametrize("steps", [200, 501])
def test_schedules_start_above_zero_and_reach_the_peak(steps: int) -> None:
    for name, make in SCHEDULES.items():
        values = make(steps).values(steps)
        assert 0 < values[0] < values.max() == 1
        assert bool(values[-1] < 0.03) is (name != "constant")


# ---------------------------------------------------------------- what is stored


def test_every_task_has_a_stored_reference() -> None:
    assert list(STORED["tasks"]) == list(TASKS)
    for name, task in TASKS.items():
        stored = STORED["tasks"][name]
        assert (stored["steps"], stored["held_out"]) == (task.steps, task.held_out)


def test_no_seed_both_chooses_and_judges() -> None:
    assert not set(TUNING_SEEDS) & set(JUDGING_SEEDS)
    assert STORED["tuning_seeds"] == list(TUNING_SEEDS)
    assert STORED["judging_seeds"] == list(JUDGING_SEEDS)


@every_stored
def test_the_stored_best_is_the_lowest_of_its_grid_and_not_at_its_end(task: Any) -> None:
    assert set(task["grid"]) == set(SCHEDULES)
    for best, grid in ((task["tuned"], task["grid"]), (task["half"], task["half_grid"])):
        rates = {float(rate): loss for rate, loss in grid[best["schedule"]].items()}
        finite = {rate: loss for rate, loss in rates.items() if loss is not None}
        lowest = min(min(each) for each in map(_losses, grid.values()))
        assert finite[best["rate"]] == lowest
        assert min(rates) < best["rate"] < max(rates)


def _losses(rates: dict[str, float | None]) -> list[float]:
    return [loss for loss in rates.values() if loss is not None]
