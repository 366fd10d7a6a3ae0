"""Files and arguments that are not what they should be."""

import copy
import os
import pickle
import sqlite3
import tempfile
from contextlib import closing, suppress
from itertools import count
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stepsize.errors import CopyRefused, InvalidType, RunFileError, StepsizeWarning
from stepsize.record import Recorder, _format, _writer, read_runs
from stepsize.signals import Scale, Tick


@pytest.fixture
def path(tmp_path):
    return tmp_path / "runs.db"


@pytest.fixture(scope="module")
def run_file_bytes(tmp_path_factory):
    path = tmp_path_factory.mktemp("good") / "runs.db"
    with Recorder(path, "good", {"lr": 0.1}) as recorder:
        for step in range(2_000):
            recorder(Tick(step, {"lr": 0.1}, {"loss": 1.0}, (Scale(0.5, "flat"),)))
    return path.read_bytes()


def foreign_database(path):
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE songs (title)")


def newer_run_file(path):
    Recorder(path).close()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA user_version = 3")


@pytest.mark.parametrize("use", [Recorder, read_runs])
@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda path: path.write_text("step,lr\n0,0.1\n" * 100), "is not an SQLite database"),
        (foreign_database, "of another program"),
        (newer_run_file, "up to 2, but the file has layout 3. Upgrade stepsize"),
        (Path.mkdir, "the path is a folder"),
    ],
    ids=["text", "foreign", "newer", "folder"],
)
def test_what_is_no_run_file_is_refused_and_left_as_it_is(path, use, make, message):
    make(path)
    before = path.is_dir() or path.read_bytes()
    with pytest.raises(RunFileError, match=message) as refusal:
        use(path)
    assert str(refusal.value).startswith(f"{use.__name__}({path!r}")
    assert (path.is_dir() or path.read_bytes()) == before


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda path: None, "No such file"),
        (lambda path: path.touch(), "no run was ever recorded"),
        (lambda path: sqlite3.connect(path).execute("VACUUM").connection.close(), "no run was"),
    ],
    ids=["missing", "empty", "empty database"],
)
def test_nothing_is_read_from_nothing(path, make, message):
    make(path)
    with pytest.raises(RunFileError, match=message):
        read_runs(path)


def test_an_empty_file_is_recorded_into(path):
    path.touch()
    Recorder(path).close()
    assert read_runs(path)[0].status == "finished"


@pytest.mark.parametrize("bad", ["no\0path", "missing/runs.db"])
@pytest.mark.parametrize("use", [Recorder, read_runs])
def test_a_path_that_cannot_be_is_one_clear_error(tmp_path, monkeypatch, use, bad):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(RunFileError, match=use.__name__):
        use(bad)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("use", [Recorder, read_runs])
def test_a_path_of_the_wrong_type_is_refused(use):
    with pytest.raises(InvalidType, match=r"a path is a str or an os\.PathLike, but is a int"):
        use(3)


@pytest.mark.parametrize("use", [Recorder, read_runs])
@given(length=st.integers(min_value=1))
def test_a_file_cut_anywhere_is_refused(tmp_path_factory, run_file_bytes, use, length):
    path = tmp_path_factory.mktemp("cut") / "runs.db"
    path.write_bytes(run_file_bytes[: 1 + length % (len(run_file_bytes) - 1)])
    with pytest.raises(RunFileError, match=r"cut short|not an SQLite database"):
        use(path)


@given(
    damages=st.lists(st.tuples(st.integers(min_value=0), st.binary(min_size=1, max_size=16))),
)
def test_reading_a_damaged_file_gives_runs_or_one_clear_error(
    tmp_path_factory, run_file_bytes, damages
):
    damaged = bytearray(run_file_bytes)
    for number, damage in damages:
        place = number % (len(damaged) - len(damage))
        damaged[place : place + len(damage)] = damage
    path = tmp_path_factory.mktemp("damaged") / "runs.db"
    path.write_bytes(damaged)
    with suppress(RunFileError):
        for run in read_runs(path):
            _ = run.names, run.quantities, run.metrics, run.decisions


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"schedule": object()}, "of type object"),
        ({"table": {1: 0.1}}, "the key 1, of type int"),
        ({"rates": np.float32(1)}, "of type float32"),
        (3, "of type int"),
    ],
)
def test_a_config_or_summary_that_json_cannot_hold_is_refused_before_anything_is_written(
    path, config, message
):
    if isinstance(config, dict):
        with pytest.raises(InvalidType, match=f"config .* {message}"):
            Recorder(path, config=config)
        assert not path.exists()
        with Recorder(path) as recorder, pytest.raises(InvalidType, match=f"summary .* {message}"):
            recorder.finish(summary=config)


@pytest.mark.parametrize("bad", [7, None, b"bytes"])
def test_a_name_or_status_that_is_no_text_is_refused(path, bad):
    with pytest.raises(InvalidType, match=rf"name must be a str, .* \({type(bad).__name__}\)"):
        Recorder(path, bad)
    with Recorder(path) as recorder, pytest.raises(InvalidType, match="status must be a str"):
        recorder.finish(bad)


def test_a_closed_recorder_says_so(path):
    recorder = Recorder(path, "over")
    recorder.close()
    for act in (lambda: recorder(Tick(0)), recorder.flush, recorder.finish):
        with pytest.raises(
            RunFileError,
            match=r"name='over'\): an open recorder is needed, .* closed",
        ):
            act()


@pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy, pickle.dumps])
def test_a_copy_is_refused_with_the_remedy(path, duplicate):
    with Recorder(path) as recorder, pytest.raises(CopyRefused, match="in each process"):
        duplicate(recorder)


@pytest.mark.skipif(os.name == "nt", reason="an open file cannot be removed")
def test_a_file_moved_during_the_run_is_told_and_not_begun_anew(path):
    recorder = Recorder(path)
    recorder(Tick(0, {"lr": 1.0}))
    recorder.flush()
    kept = path.rename(path.with_name("moved.db"))
    recorder(Tick(1, {"lr": 1.0}))
    with pytest.raises(RunFileError, match="moved, removed or replaced"):
        recorder.flush()
    assert not path.exists()
    kept.rename(path)
    recorder.close()
    assert len(read_runs(path)[0]["lr"].values) == 2


def record_until_it_objects(recorder, steps):
    for step in steps:
        recorder(Tick(step, {"lr": 1.0}))


def test_while_another_program_locks_the_file_it_warns_once_and_keeps_everything(path, monkeypatch):
    monkeypatch.setattr(_format, "BUSY_SECONDS", 0.01)
    monkeypatch.setattr(_writer, "RETRY_SECONDS", 0.01)
    recorder = Recorder(path)
    steps = count()
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StepsizeWarning, match="another process keeps the file locked"):
            record_until_it_objects(recorder, steps)
        for _ in range(1_000):
            recorder(Tick(next(steps), {"lr": 1.0}))
        with pytest.raises(RunFileError, match=r"locked.* points .* are kept in memory"):
            recorder.flush()
    recorder.close()
    assert len(read_runs(path)[0]["lr"].values) == next(steps)


@pytest.fixture
def folder_that_may_not_be_written():
    """Also for root, which for the time of the test is nobody. pytest's own folder is private."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "runs").mkdir()
        folder.chmod(0o755)
        yield folder / "runs"
        if os.geteuid() != os.getuid():
            os.seteuid(os.getuid())
        (folder / "runs").chmod(0o755)


def take_away_the_right_to_write(folder):
    folder.chmod(0o555)
    if os.getuid() == 0:
        os.seteuid(65534)


@pytest.mark.skipif(os.name == "nt", reason="permissions of folders are another matter there")
def test_a_file_in_a_folder_that_may_not_be_written_can_be_read(folder_that_may_not_be_written):
    path = folder_that_may_not_be_written / "runs.db"
    with Recorder(path) as recorder:
        recorder(Tick(0, {"lr": 1.0}))
    take_away_the_right_to_write(path.parent)
    assert read_runs(path)[0]["lr"].values == 1.0
    with pytest.raises(RunFileError, match="may not be written by you"):
        Recorder(path)
    with pytest.raises(RunFileError, match="cannot be opened"):
        Recorder(path.with_name("new.db"))
    assert [file.name for file in path.parent.iterdir()] == ["runs.db"]
