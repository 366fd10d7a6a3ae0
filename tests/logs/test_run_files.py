"""Our own run files, read as any other log."""

from pathlib import Path

import pytest

from stepsize import Tick
from stepsize.errors import RunFileError
from stepsize.logs import read_logs
from stepsize.record import Recorder


def test_the_runs_of_a_file_come_in_their_order_with_what_they_planned(tmp_path: Path) -> None:
    path = tmp_path / "runs.db"
    for name in ("first", "second"):
        with Recorder(path, name, {"steps": 20}) as recorder:
            for step in range(3):
                recorder(Tick(step, {"lr": 0.1, "momentum": 0.9}, {"loss": 1 / (1 + step)}))
    first, second = read_logs(path)
    assert [first.name, second.name] == ["first", "second"]
    assert (first.form, first.steps, tuple(map(str, first.notes))) == ("run file", 20, ())
    assert first.quantities["lr"].values.tolist() == [0.1] * 3
    assert first.metrics["loss"].values.tolist() == [1, 1 / 2, 1 / 3]


def test_a_file_can_be_read_while_its_run_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "runs.db"
    with Recorder(path, "run") as recorder:
        recorder(Tick(0, {"lr": 0.1}, {"loss": 1}))
        recorder.flush()
        [run] = read_logs(path)
        recorder(Tick(1, {"lr": 0.1}, {"loss": 1}))
    assert len(run.metrics["loss"].values) == 1


def test_a_damaged_database_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "runs.db"
    path.write_bytes(b"SQLite format 3\0" + b"x" * 4_000)
    with pytest.raises(RunFileError, match=r"runs\.db"):
        read_logs(path)
