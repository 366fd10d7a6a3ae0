"""``stepsize runs``: what a run file holds, in a table and a picture."""

import json
import math
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from stepsize import Tick
from stepsize.record import Recorder

Call = Callable[..., Result]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "runs.db"
    for name, rate in (("constant", 0.1), ("[decay]", 0.2)):
        with Recorder(path, name, {"schedule": "Hold(50)"}) as recorder:
            for step in range(50):
                recorder(
                    Tick(step, {"lr/head": rate, "lr/body": rate / 2}, {"loss": 1 / (1 + step)})
                )
            recorder(Tick(50, {}, {"accuracy": 0.9, "val_loss": math.nan}))
            recorder.finish("finished", {"accuracy": 0.95, "seconds": 12.5, "note": "text"})
    return path


def test_the_table_has_a_row_per_run(stepsize: Call, file: Path) -> None:
    lines = [" ".join(line.split()) for line in stepsize("runs", file).stdout.splitlines()]
    assert lines == [
        "run steps peak rate loss accuracy val_loss seconds status name",
        "1 50 0.1 0.02 0.95 nan 12.5 finished constant",
        "2 50 0.2 0.02 0.95 nan 12.5 finished [decay]",
    ]


def test_the_json_has_the_same_and_what_was_stored_with_it(stepsize: Call, file: Path) -> None:
    first, second = json.loads(stepsize("runs", file, "--json").stdout)
    assert first["metrics"] == {"loss": 0.02, "accuracy": 0.95, "val_loss": None}
    assert (first["steps"], first["peak_rate"], first["seconds"]) == (50, 0.1, 12.5)
    assert first["config"] == {"schedule": "Hold(50)"}
    assert (second["name"], second["status"]) == ("[decay]", "finished")


def test_the_runs_are_drawn(stepsize: Call, file: Path, tmp_path: Path) -> None:
    picture = tmp_path / "runs.svg"
    result = stepsize("runs", file, "--plot", picture)
    assert result.exit_code == 0
    assert result.stderr == f"Wrote {picture}.\n"
    assert picture.stat().st_size > 1_000


def test_a_run_that_recorded_nothing_yet_is_listed(stepsize: Call, tmp_path: Path) -> None:
    with Recorder(tmp_path / "runs.db", "empty"):
        result = stepsize("runs", tmp_path / "runs.db")
        refused = stepsize("runs", tmp_path / "runs.db", "--plot", tmp_path / "runs.png")
    assert result.stdout.split()[-2:] == ["unfinished", "empty"]
    assert refused.exit_code == 2
    assert "nothing to draw" in refused.stderr
    assert not (tmp_path / "runs.png").exists()


@pytest.mark.parametrize("content", [None, b"", b"no database", b"SQLite format 3\0" + b"x" * 200])
def test_a_file_without_runs_is_refused(
    stepsize: Call, tmp_path: Path, content: bytes | None
) -> None:
    path = tmp_path / "runs.db"
    if content is not None:
        path.write_bytes(content)
    result = stepsize("runs", path)
    assert (result.exit_code, result.stdout) == (2, "")
    assert str(path) in result.stderr
    assert result.stderr.count("Error") == 1
