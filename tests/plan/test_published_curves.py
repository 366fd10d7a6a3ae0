"""The plans replayed on published runs; skipped where STEPSIZE_CURVES names no folder with them."""

from statistics import mean

import pytest

from benchmarks.plan import RACES, gaps_and_losses, priors, race, rank_correlation, transferred
from benchmarks.published_curves import Cell, cells, constant_runs, curves_folder

FOLDER = curves_folder()
pytestmark = pytest.mark.skipif(
    FOLDER is None, reason="STEPSIZE_CURVES names no folder with the published curves"
)


@pytest.fixture(scope="module")
def decaying() -> list[Cell]:
    assert FOLDER is not None
    return [cell for cell in cells(FOLDER) if cell.shape != "constant"]


def test_a_tuned_rate_transfers_to_every_other_cell(decaying: list[Cell]) -> None:
    carried = transferred(decaying)
    assert len(carried) == 30
    assert mean(each.regret for each in carried) <= 0.0006
    assert max(each.regret for each in carried) <= 0.004
    assert mean(each.kept for each in carried) >= 0.0025


def test_the_interval_holds_the_best_rate_of_all_cells_but_one(decaying: list[Cell]) -> None:
    carried = transferred(decaying)
    inside = [each for each in carried if each.rate.low <= each.best <= each.rate.high]
    assert len(inside) == len(carried) - 1


@pytest.mark.parametrize("steps", RACES)
def test_a_race_s_winner_transfers_to_every_cell(decaying: list[Cell], steps: int) -> None:
    assert FOLDER is not None
    carried = race(decaying, constant_runs(FOLDER)[steps], steps)
    assert len(carried) == 31
    assert mean(each.regret for each in carried) <= 0.0005
    assert max(each.regret for each in carried) <= 0.004


def test_the_ranking_s_correlations_are_those_that_it_states(decaying: list[Cell]) -> None:
    by_steps = gaps_and_losses(decaying)
    within = [rank_correlation(*each) for each in by_steps.values()]
    gaps = [gap for each, _ in by_steps.values() for gap in each]
    losses = [loss for _, each in by_steps.values() for loss in each]
    assert rank_correlation(gaps, losses) == pytest.approx(0.99, abs=0.005)
    assert (min(within), max(within)) == pytest.approx((0.49, 0.87), abs=0.005)


def test_the_priors_intervals_hold_the_best_rate(decaying: list[Cell]) -> None:
    best, said = priors(decaying)
    assert all(each.low <= best <= each.high for each in said.values())
