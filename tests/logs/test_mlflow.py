"""MLflow's file store: written here in its format, and by MLflow where it is installed."""

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from stepsize.errors import RunFileError
from stepsize.logs import read_logs


def store(folder: Path) -> Path:
    """One experiment with two runs, of which the second was cut short."""
    for run in ("a1", "b2"):
        metrics = folder / "mlruns" / "0" / run / "metrics"
        (metrics / "train").mkdir(parents=True)
        (metrics.parent / "tags").mkdir()
        (metrics.parent / "meta.yaml").write_text("run_id: " + run)
        (metrics.parent / "tags" / "mlflow.runName").write_text(f"name of {run}")
        (metrics / "train" / "loss").write_text("1700000 2.5 0\n1700001 1.5 1\n")
        (metrics / "lr").write_text("1700000 0.1 0\n1700001 0.2 1\n")
    (folder / "mlruns" / "0" / "b2" / "metrics" / "lr").write_text("1700000 0.1 0\n1700001 0.")
    (folder / "mlruns" / "0" / "meta.yaml").write_text("experiment_id: '0'")
    return folder / "mlruns"


def test_a_store_an_experiment_and_a_run_are_read(tmp_path: Path) -> None:
    folder = store(tmp_path)
    for place, count in ((folder, 2), (folder / "0", 2), (folder / "0" / "a1", 1)):
        runs = read_logs(place)
        assert [run.name for run in runs] == ["name of a1", "name of b2"][:count]
        assert runs[0].form == "MLflow"
        assert runs[0].metrics["train/loss"].values.tolist() == [2.5, 1.5]
        assert runs[0].quantities["lr"].positions.tolist() == [0, 1]


def test_a_line_that_was_cut_short_is_left_out_and_noted(tmp_path: Path) -> None:
    _, cut = read_logs(store(tmp_path))
    assert cut.quantities["lr"].values.tolist() == [0.1]
    assert tuple(map(str, cut.notes)) == ("Left out: 1 line is not whole.",)


def test_a_run_without_metrics_is_refused(tmp_path: Path) -> None:
    (tmp_path / "run" / "metrics").mkdir(parents=True)
    (tmp_path / "run" / "meta.yaml").write_text("")
    with pytest.raises(RunFileError, match="has no metrics yet"):
        read_logs(tmp_path)


def test_a_run_without_metrics_does_not_hide_the_others(tmp_path: Path) -> None:
    folder = store(tmp_path)
    (folder / "0" / "a0" / "metrics").mkdir(parents=True)
    (folder / "0" / "a0" / "meta.yaml").write_text("")
    first, _ = read_logs(folder)
    assert first.name == "name of a1"
    assert f"Left out: {str(folder / '0' / 'a0')!r}" in str(first.notes[0])


@pytest.mark.skipif(find_spec("mlflow") is None, reason="MLflow is not installed")
def test_what_mlflow_writes_is_read(tmp_path: Path) -> None:
    code = """
import mlflow
mlflow.set_tracking_uri("file:./mlruns")
with mlflow.start_run(run_name="real"):
    for step in range(20):
        mlflow.log_metrics({"train/loss": 1 / (1 + step), "lr": 0.5}, step=step)
"""
    subprocess.run(
        [sys.executable, "-c", code],
        check=True,
        cwd=tmp_path,
        env=os.environ | {"MLFLOW_ALLOW_FILE_STORE": "true"},
        capture_output=True,
    )
    [run] = read_logs(tmp_path / "mlruns")
    assert run.name == "real"
    assert run.metrics["train/loss"].values.tolist() == [1 / (1 + step) for step in range(20)]
    assert run.quantities["lr"].values.tolist() == [0.5] * 20
