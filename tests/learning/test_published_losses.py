"""Judge on the losses of published runs; skipped where STEPSIZE_CURVES names no folder."""

import pytest

from benchmarks.faulty_logs import PublishedRun, training_runs
from benchmarks.learning import first_trouble
from benchmarks.published_curves import curves_folder
from stepsize.learning import judged

FOLDER = curves_folder()
pytestmark = pytest.mark.skipif(
    FOLDER is None, reason="STEPSIZE_CURVES names no folder with the published curves"
)


@pytest.fixture(scope="module")
def runs() -> list[PublishedRun]:
    assert FOLDER is not None
    return training_runs(FOLDER)


def test_the_diverged_run_is_in_trouble_by_step_2550_of_50000(runs: list[PublishedRun]) -> None:
    (diverged,) = (run for run in runs if run.diverged)
    at = first_trouble(diverged.losses.tolist())
    assert at is not None
    assert 1_500 < diverged.steps[at] <= 2_550


def test_no_other_run_is_ever_in_trouble(runs: list[PublishedRun]) -> None:
    troubled = [run.name for run in runs if first_trouble(run.losses.tolist()) is not None]
    assert troubled == [run.name for run in runs if run.diverged]


def test_a_log_from_the_first_step_on_ends_learning_or_limited_by_noise(
    runs: list[PublishedRun],
) -> None:
    whole = [run for run in runs if not run.diverged and run.losses[0] > 6]
    assert len(whole) > 40
    assert {judged(run.losses.tolist()).kind for run in whole} <= {"learning", "noise-limited"}
