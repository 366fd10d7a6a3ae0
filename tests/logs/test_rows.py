"""Rows made runs: panels, tables of runs, phases, counters that begin again."""

import json
import sqlite3
from pathlib import Path

import pytest

from stepsize.errors import RunFileError
from stepsize.logs import LoggedRun, read_logs


def written(folder: Path, text: str, name: str = "log.csv", encoding: str = "utf-8") -> Path:
    path = folder / name
    path.write_bytes(text.encode(encoding))
    return path


def points(run: LoggedRun, name: str) -> list[tuple[float, float]]:
    curve = (dict(run.quantities) | dict(run.metrics))[name]
    return list(zip(curve.positions.tolist(), curve.values.tolist(), strict=True))


def test_a_panel_holds_a_run_per_group_of_columns(tmp_path: Path) -> None:
    columns = ("a - b - loss", "a - b - loss__MIN", "a - b - loss__MAX", "c - loss")
    header = ",".join(["Step", *columns])
    runs = read_logs(written(tmp_path, f"{header}\n0,3,1,9,4\n10,2,1,9,\n"))
    assert [run.name for run in runs] == ["a - b", "c"]
    assert points(runs[0], "loss") == [(0, 3), (10, 2)]
    assert points(runs[1], "loss") == [(0, 4)]
    assert list(runs[0].metrics) == ["loss"]


@pytest.mark.parametrize(
    "text",
    [
        "Name,State,lr,step,loss\na,finished,1,500,3\nb,crashed,1,500,2\nc,finished,1,500,1\n",
        "run,lr,val_loss\nfox,1e-3,3\nowl,3e-3,2\nelk,1e-2,1\n",
        "trial,lr,batch_size,val_loss\n0,1e-3,8,3\n1,3e-3,8,2\n2,1e-2,8,1\n",
        "lr,loss\n1,3\n9,2\n1,3\n9,2\n1,3\n9,2\n1,3\n9,2\n",
    ],
)
def test_a_table_with_a_line_per_run_is_refused_with_what_to_export(
    tmp_path: Path, text: str
) -> None:
    with pytest.raises(RunFileError, match=r"is a run of its own.*Export the history of one run"):
        read_logs(written(tmp_path, text))


@pytest.mark.parametrize(
    "text",
    [
        "step,name,loss\n0,a,3\n1,a,2\n2,a,1\n",
        "step,time,loss\n0,10:00:01,3\n1,10:00:02,2\n2,10:00:03,1\n",
        "id,step,loss\nx,0,3\ny,1,2\nz,2,1\n",
    ],
)
def test_a_log_with_texts_in_it_is_a_log(tmp_path: Path, text: str) -> None:
    [run] = read_logs(written(tmp_path, text))
    assert points(run, "loss") == [(0, 3), (1, 2), (2, 1)]


def test_a_column_that_names_the_run_makes_runs(tmp_path: Path) -> None:
    rows = "".join(f"{name},{step},{loss}\n" for name in "ab" for step, loss in ((0, 3), (1, 2)))
    runs = read_logs(written(tmp_path, f"run,step,loss\n{rows}"))
    assert [(run.name, points(run, "loss")) for run in runs] == [
        ("a", [(0, 3), (1, 2)]),
        ("b", [(0, 3), (1, 2)]),
    ]


def test_a_column_that_names_the_phase_tells_evaluations_apart(tmp_path: Path) -> None:
    rows = "".join(f"{n},train,{3 - n}\n{n},val,{4 - n}\n" for n in range(3))
    [run] = read_logs(written(tmp_path, f"epoch,phase,loss\n{rows}"))
    assert points(run, "loss") == [(n, 3 - n) for n in range(3)]
    assert points(run, "val/loss") == [(n, 4 - n) for n in range(3)]


def test_a_counter_that_begins_again_with_each_epoch_goes_on(tmp_path: Path) -> None:
    rows = [
        {"mode": mode, "epoch": epoch, "iter": step, "loss": 1.0}
        for epoch in (1, 2, 3)
        for mode, step in (("train", 50), ("train", 100), ("val", 30))
    ]
    text = "\n".join([json.dumps({"env": "x"}), *map(json.dumps, rows)]) + "\n"
    [run] = read_logs(written(tmp_path, text, "log.json"))
    assert [at for at, _ in points(run, "loss")] == [50, 100, 150, 200, 250, 300]
    assert [at for at, _ in points(run, "val/loss")] == [100, 200, 300]
    assert "'iter' begins again" in str(run.notes[0])


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_utf_16_is_read_without_a_mark(tmp_path: Path, encoding: str) -> None:
    [run] = read_logs(written(tmp_path, "step,loss\n0,3\n1,2\n", encoding=encoding))
    assert points(run, "loss") == [(0, 3), (1, 2)]


@pytest.mark.parametrize(
    "text",
    [
        "step lr loss\n0 0.1 3\n1 0.1 2\n",
        "  step    lr   loss\n     0   0.1      3\n     1   0.1      2\n",
        "| step | lr | loss |\n|---|---|---|\n| 0 | 0.1 | 3 |\n| 1 | 0.1 | 2 |\n",
    ],
)
def test_tables_for_people_are_tables(tmp_path: Path, text: str) -> None:
    [run] = read_logs(written(tmp_path, text))
    assert points(run, "loss") == [(0, 3), (1, 2)]
    assert points(run, "lr") == [(0, 0.1), (1, 0.1)]


def test_tensorboards_export_is_named_by_its_file(tmp_path: Path) -> None:
    text = "Wall time,Step,Value\n1.6e9,0,3\n1.6e9,10,2\n"
    [run] = read_logs(written(tmp_path, text, "run-1-tag-train_loss.csv"))
    assert points(run, "train_loss") == [(0, 3), (10, 2)]


def test_a_state_before_its_last_step_is_unfinished(tmp_path: Path) -> None:
    state = {"max_steps": 100, "global_step": 50, "log_history": [{"step": 50, "loss": 1.0}]}
    [run] = read_logs(written(tmp_path, json.dumps(state), "trainer_state.json"))
    assert run.unfinished
    [run] = read_logs(
        written(tmp_path, json.dumps(state | {"global_step": 100}), "trainer_state.json")
    )
    assert not run.unfinished


def test_mlflows_database_is_read(tmp_path: Path) -> None:
    path = tmp_path / "mlflow.db"
    with sqlite3.connect(path) as database:
        database.executescript("""
            CREATE TABLE experiments (experiment_id INTEGER);
            CREATE TABLE runs (run_uuid TEXT, name TEXT, status TEXT, start_time INTEGER);
            CREATE TABLE metrics (key TEXT, value REAL, timestamp INTEGER, run_uuid TEXT,
                                  step INTEGER, is_nan INTEGER);
            INSERT INTO runs VALUES ('1', 'fox', 'FINISHED', 1), ('2', 'owl', 'RUNNING', 2);
            INSERT INTO metrics VALUES ('loss', 3, 1, '1', 0, 0), ('loss', 0, 2, '1', 1, 1),
                                       ('lr', 0.1, 1, '2', 5, 0);
        """)
    database.close()
    fox, owl = read_logs(path)
    assert (fox.name, fox.form, fox.unfinished) == ("fox", "MLflow", False)
    assert str(fox.notes[0]) == "'loss': 1 of 2 values are not finite."
    assert (owl.name, owl.unfinished, points(owl, "lr")) == ("owl", True, [(5, 0.1)])
