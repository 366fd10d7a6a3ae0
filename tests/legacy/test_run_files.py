"""A run file of version 0.1.0 is read to the last bit, and takes further runs."""

import json
import shutil
from pathlib import Path

import pytest

from stepsize.record import Recorder, read_runs
from stepsize.signals import Tick
from tests.legacy.plain import plain_run

DATA = Path(__file__).parent / "data" / "run_files"


@pytest.fixture(params=["several", "killed"])
def name(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Of a run file, copied: SQLite leaves its companions beside the file that it reads.

    ``several`` holds finished, stopped, failed, interrupted and abandoned runs; of ``killed`` the
    last steps are still in SQLite's log, since its process died.
    """
    for part in DATA.glob(f"{request.param}.runs*"):
        shutil.copy(part, tmp_path)
    return request.param


def test_a_run_file_says_what_was_recorded(name: str, tmp_path: Path) -> None:
    expected = json.loads((DATA / f"{name}.json").read_text())
    assert [plain_run(each) for each in read_runs(tmp_path / f"{name}.runs")] == expected


def test_a_run_file_takes_a_further_run_and_keeps_the_others(name: str, tmp_path: Path) -> None:
    expected = json.loads((DATA / f"{name}.json").read_text())
    with Recorder(tmp_path / f"{name}.runs", "further") as recorder:
        recorder(Tick(0, {"lr": 0.5}, {"loss": 2.0}))
    *before, further = read_runs(tmp_path / f"{name}.runs")
    assert [plain_run(each) for each in before] == expected
    assert (further.name, further["loss"].values.tolist()) == ("further", [2.0])
