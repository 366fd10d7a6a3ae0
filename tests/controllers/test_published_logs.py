"""Guard on published logs; skipped where STEPSIZE_CURVES names no folder with them."""

import pytest

from benchmarks.faulty_logs import PublishedRun, training_runs
from benchmarks.guard import first_alarm
from benchmarks.published_curves import curves_folder
from stepsize.controllers import Guard

FOLDER = curves_folder()
pytestmark = pytest.mark.skipif(
    FOLDER is None, reason="STEPSIZE_CURVES names no folder with the published curves"
)


@pytest.fixture(scope="module")
def runs() -> list[PublishedRun]:
    assert FOLDER is not None
    return training_runs(FOLDER)


def test_the_diverged_run_is_flagged_before_step_3000_of_50000(runs: list[PublishedRun]) -> None:
    (diverged,) = (run for run in runs if run.diverged)
    alarm = first_alarm(Guard(), diverged.losses)
    assert alarm is not None
    assert 1_500 < diverged.steps[alarm] < 3_000 < 50_000 == diverged.steps[-1]


def test_no_other_run_is_flagged(runs: list[PublishedRun]) -> None:
    healthy = [run for run in runs if not run.diverged]
    assert len(healthy) >= 141
    assert [run.name for run in healthy if first_alarm(Guard(), run.losses) is not None] == []


@pytest.mark.parametrize("rise", [1.5, 3.5])
def test_neither_depends_on_the_exact_threshold(runs: list[PublishedRun], rise: float) -> None:
    for run in runs:
        alarm = first_alarm(Guard(rise=rise), run.losses)
        assert (alarm is not None) == run.diverged
        assert alarm is None or run.steps[alarm] < 3_000
