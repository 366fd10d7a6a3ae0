"""What version 2 of run files adds: checksums, segments, extremes, plans, evidence."""

import json
import os
import random
import sqlite3
import subprocess
import sys
import tempfile
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stepsize.errors import RunFileError
from stepsize.messages import Message
from stepsize.record import Fingerprint, Recorder, Run, _writer, read_runs
from stepsize.signals import Rewind, Scale, Stop, Tick


def record(path: Path, steps: range, **given: object) -> None:
    with Recorder(path, **given) as recorder:
        for step in steps:
            recorder(Tick(step, {"lr": 0.1}, {"loss": 1.0 / (1 + step)}))


def content(path: Path) -> str:
    """All that can be read of a file, as text."""
    return repr(
        [
            (
                run,
                run.config,
                run.summary,
                run.names,
                [(name, *map(np.ndarray.tolist, each)) for name, each in run.quantities.items()],
                [(name, *map(np.ndarray.tolist, each)) for name, each in run.metrics.items()],
                [(each, each.message, each.evidence) for each in run.decisions],
            )
            for run in read_runs(path)
        ]
    )


def altered(path: Path, *statements: str) -> Path:
    with closing(sqlite3.connect(path)) as connection, connection:
        for statement in statements:
            connection.execute(statement)
    return path


# ------------------------------------------------------------------ what is kept


def test_a_decision_keeps_its_message_and_its_numbers(tmp_path: Path) -> None:
    said = Message("The {name:name} is {loss:number}.", name="loss", loss=3.5)
    decisions = (Rewind(0.5, said, since=3, warmup=4, limit=5), Scale(0.1, "flat"), Stop(said))
    with Recorder(tmp_path / "runs.db") as recorder:
        recorder(Tick(7, {"lr": 1.0}, {}, decisions))
    rewind, scale, stop = read_runs(tmp_path / "runs.db")[0].decisions
    assert (rewind.message, rewind.reason) == (said, "The loss is 3.5.")
    assert rewind.evidence == {"since": 3, "warmup": 4, "limit": 5}
    assert (scale.message, scale.reason, scale.evidence) == (None, "flat", {})
    assert stop.message == said


def test_a_run_keeps_its_plan_and_what_it_trained(tmp_path: Path) -> None:
    trained = Fingerprint("mlp", "digits", 64)
    record(tmp_path / "runs.db", range(3), plan="Linear(3)", fingerprint=trained)
    [run] = read_runs(tmp_path / "runs.db")
    assert (run.plan, run.fingerprint) == ("Linear(3)", trained)


def test_files_of_version_1_gain_what_they_lack_and_keep_their_runs(tmp_path: Path) -> None:
    """Version 1 reads them as before: its queries name their columns."""
    record(tmp_path / "runs.db", range(5))
    with closing(sqlite3.connect(tmp_path / "runs.db")) as connection:
        [version] = connection.execute("PRAGMA user_version").fetchone()
        for query in (
            "SELECT id, name, config, started, written, ended, status, summary FROM runs",
            "SELECT number, kind, name FROM series",
            "SELECT points FROM batches",
            "SELECT points FROM chunks",
            "SELECT position, kind, factor, reason FROM decisions",
        ):
            connection.execute(query).fetchall()
    assert version == 1


# ------------------------------------------------------------------ segments


def test_a_resumed_run_is_one_run_and_what_it_does_again_is_superseded(tmp_path: Path) -> None:
    path = tmp_path / "runs.db"
    with Recorder(path, "a") as recorder:
        for step in range(100):
            decided = (Scale(0.5, "first"),) if step in (20, 90) else ()
            recorder(Tick(step, {"lr": 0.1}, {"loss": 1.0}, decided))
    with Recorder(path, "a", resume=True) as recorder:
        for step in range(80, 120):
            decided = (Scale(0.5, "second"),) if step == 90 else ()
            recorder(Tick(step, {"lr": 0.2}, {"loss": 2.0}, decided))
    [run] = read_runs(path)
    assert run["loss"].positions.tolist() == list(range(120))
    assert run["loss"].values.tolist() == [1.0] * 80 + [2.0] * 40
    assert run.superseded["loss"].positions.tolist() == list(range(80, 100))
    assert [(each.position, each.reason) for each in run.decisions] == [
        (20, "first"),
        (90, "second"),
    ]
    assert [each.start for each in run.segments] == [0.0, 80.0]
    assert run.status == "finished"


@given(
    starts=st.lists(st.integers(0, 60), min_size=1, max_size=4),
    length=st.integers(1, 40),
    points_per_seal=st.sampled_from([1, 7, 100_000]),
)
def test_however_often_it_is_resumed_each_position_counts_once_with_its_last_value(
    tmp_path_factory: pytest.TempPathFactory, starts: list[int], length: int, points_per_seal: int
) -> None:
    path = tmp_path_factory.mktemp("resumed") / "runs.db"
    expected: dict[int, float] = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_writer, "POINTS_PER_SEAL", points_per_seal)
        for number, start in enumerate(starts):
            expected = {step: value for step, value in expected.items() if step < start}
            with Recorder(path, resume=True) as recorder:
                for step in range(start, start + length):
                    expected[step] = float(number)
                    recorder(Tick(step, {"lr": float(number)}))
                    if step % 5 == 0:
                        recorder.flush()
    [run] = read_runs(path)
    found = run["lr"]
    assert dict(zip(found.positions.tolist(), found.values.tolist(), strict=True)) == expected
    assert len(found.positions) == len(expected)


def test_a_killed_run_is_resumed_with_all_that_was_written(tmp_path: Path) -> None:
    path = tmp_path / "runs.db"
    script = """
import os, sys
from stepsize.record import Recorder
from stepsize.signals import Tick
recorder = Recorder(sys.argv[1], "killed")
for step in range(50):
    recorder(Tick(step, {"lr": 1.0}))
recorder.flush()
os._exit(9)
"""
    subprocess.run([sys.executable, "-c", script, path], check=False)
    [killed] = read_runs(path)
    assert (killed.status, killed.ended) == ("abandoned", None)
    record(path, range(50, 60), name="killed", resume=True)
    [run] = read_runs(path)
    assert run["lr"].positions.tolist() == list(range(60))
    assert [each.status for each in run.segments] == ["abandoned", "finished"]


def test_a_run_of_version_1_is_resumed(tmp_path: Path) -> None:
    data = Path(__file__).parents[1] / "legacy" / "data" / "run_files" / "several.runs"
    path = tmp_path / "runs.db"
    path.write_bytes(data.read_bytes())
    first = read_runs(path)[0]
    before = {name: len(each.values) for name, each in first.metrics.items()}
    with Recorder(path, resume=first.id) as recorder:
        recorder(Tick(1e6, {"lr": 0.5}, dict.fromkeys(before, 0.25)))
    run = read_runs(path)[0]
    assert {name: len(each.values) - 1 for name, each in run.metrics.items()} == before


def test_a_run_that_is_recorded_at_this_moment_is_not_resumed(tmp_path: Path) -> None:
    with (
        Recorder(tmp_path / "runs.db", "a"),
        pytest.raises(RunFileError, match="one process at a time, but run 1 is still recorded"),
    ):
        Recorder(tmp_path / "runs.db", "a", resume=True)
    with pytest.raises(RunFileError, match="resume must be the id of a run, but is 7"):
        Recorder(tmp_path / "runs.db", resume=7)


# ------------------------------------------------------------------ extremes


@given(
    values=st.lists(st.floats(), min_size=1, max_size=2_000),
    stretches=st.integers(1, 300),
    points_per_seal=st.sampled_from([150, 700, 100_000]),
    is_open=st.booleans(),
)
def test_an_overview_loses_no_extreme_and_no_position(
    tmp_path_factory: pytest.TempPathFactory,
    values: list[float],
    stretches: int,
    points_per_seal: int,
    is_open: bool,
) -> None:
    path = tmp_path_factory.mktemp("overview") / "runs.db"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_writer, "POINTS_PER_SEAL", points_per_seal)
        recorder = Recorder(path)
        for step, value in enumerate(values):
            recorder(Tick(step, {}, {"loss": value}))
            if step % 400 == 399:
                recorder.flush()
        recorder.flush()
        if not is_open:
            recorder.close()
        seen = read_runs(path)[0].overview("loss", stretches)
        recorder.close()
    np.testing.assert_equal(np.fmin.reduce(seen.low), np.fmin.reduce(values))
    np.testing.assert_equal(np.fmax.reduce(seen.high), np.fmax.reduce(values))
    assert (seen.starts[0], seen.ends[-1]) == (0, len(values) - 1)
    assert len(seen.low) <= stretches
    for start, end, low, high in zip(*seen, strict=True):
        own = values[int(start) : int(end) + 1]
        np.testing.assert_equal((low, high), (np.fmin.reduce(own), np.fmax.reduce(own)))


# ------------------------------------------------------------------ damage and malice


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("sound") / "runs.db"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_writer, "POINTS_PER_SEAL", 600)
        with Recorder(path, "first", {"lr": 0.1}, plan="Linear(400)") as recorder:
            for step in range(400):
                decided = (Scale(0.5, "flat"),) if step % 50 == 0 else ()
                recorder(Tick(step, {"lr": 0.1}, {"loss": 1.0 / (1 + step)}, decided))
            recorder.finish(summary={"val_loss": 0.25})
        record(path, range(5), name="second")
    return path


def test_a_flipped_bit_is_noticed_or_changes_nothing(sound: Path, tmp_path: Path) -> None:
    original = sound.read_bytes()
    expected = content(sound)
    chance = random.Random(0)
    path = tmp_path / "runs.db"
    readable = 0
    for _ in range(400):
        damaged = bytearray(original)
        damaged[chance.randrange(len(damaged))] ^= 1 << chance.randrange(8)
        path.write_bytes(damaged)
        try:
            found = content(path)
        except RunFileError:
            continue
        readable += 1
        assert found.replace(repr(path), repr(sound)) == expected
    assert readable > 20  # what is not used, and the indexes


NESTED = "[" * 100_000
HOSTILE = {
    "a configuration that is a list": ["UPDATE runs SET config = '[1, 2]', checksum = NULL"],
    "nested too deep": ["UPDATE runs SET config = '[', checksum = NULL".replace("[", NESTED)],
    "a blob for a name": ["UPDATE runs SET name = x'ff00', checksum = NULL"],
    "a blob for a curve's name": [
        "UPDATE runs SET checksum = NULL",
        "UPDATE series SET name = x'ff00', checksum = NULL",
    ],
    "a text for points": [
        "UPDATE runs SET checksum = NULL",
        "UPDATE chunks SET points = 'text', checksum = NULL",
    ],
    "a view of three million rows": [
        "ALTER TABLE runs RENAME TO kept",
        "CREATE VIEW runs AS WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r "
        "LIMIT 3000000) SELECT n AS id, 'x' AS name, '{}' AS config, 0.0 AS started, 0.0 AS "
        "written, NULL AS ended, NULL AS status, NULL AS summary FROM r",
    ],
    "a computed column": [
        "ALTER TABLE runs DROP COLUMN plan",
        "ALTER TABLE runs ADD COLUMN plan TEXT AS (hex(zeroblob(100000000)))",
    ],
    "a time that no calendar has": ["UPDATE runs SET started = 1e300, checksum = NULL"],
    "a decision's reason without a template": [
        "UPDATE runs SET checksum = NULL",
        """UPDATE decisions SET evidence = '{"message": 3}', checksum = NULL""",
    ],
    "extremes of another size": [
        "UPDATE runs SET checksum = NULL",
        "UPDATE chunks SET extremes = x'00', checksum = NULL",
    ],
    "a row too many": ["DELETE FROM runs WHERE id = 1"],
    "a missing chunk": ["DELETE FROM chunks WHERE series = 0"],
    "a missing decision": ["DELETE FROM decisions WHERE number = 0"],
}


def read_all(run: Run) -> None:
    _ = run.names, run.quantities, run.metrics, run.decisions, run.superseded, run.segments
    for name in run.names:
        run.overview(name, 3)


@pytest.mark.parametrize("statements", HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_file_is_refused(sound: Path, tmp_path: Path, statements: list[str]) -> None:
    path = tmp_path / "runs.db"
    path.write_bytes(sound.read_bytes())
    altered(path, *statements)

    def read() -> None:
        for run in read_runs(path):
            read_all(run)

    with pytest.raises(RunFileError, match="damaged"):
        read()


def test_a_curve_without_points_is_left_out(sound: Path, tmp_path: Path) -> None:
    path = tmp_path / "runs.db"
    path.write_bytes(sound.read_bytes())
    altered(path, "UPDATE runs SET checksum = NULL", "DELETE FROM chunks WHERE series = 1")
    assert list(read_runs(path)[0].metrics) == []


def test_a_clock_that_goes_back_gives_no_negative_duration(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    times = iter([1_000.0 - step for step in range(1_000)])
    monkeypatch.setattr("time.time", lambda: next(times))
    record(tmp_path / "runs.db", range(3))
    [run] = read_runs(tmp_path / "runs.db")
    assert run.ended is not None
    assert run.started <= run.written <= run.ended
    assert run.segments[0].started <= run.ended


@pytest.mark.skipif(os.name == "nt", reason="permissions of folders are another matter there")
def test_on_a_medium_that_may_not_be_written_a_killed_run_is_read_whole(tmp_path: Path) -> None:
    folder = tmp_path / "medium"
    folder.mkdir()
    script = """
import os, sys
from stepsize.record import Recorder
from stepsize.signals import Tick
recorder = Recorder(sys.argv[1])
for step in range(50):
    recorder(Tick(step, {"lr": 1.0}))
recorder.flush()
os._exit(9)
"""
    subprocess.run([sys.executable, "-c", script, folder / "runs.db"], check=False)
    read = """
import os, sys
from stepsize.record import read_runs
if os.getuid() == 0:
    os.seteuid(65534)
[run] = read_runs(sys.argv[1])
print(len(run["lr"].values))
"""
    for part in folder.iterdir():
        part.chmod(0o444)
    (folder / "runs.db-shm").unlink(missing_ok=True)
    folder.chmod(0o555)
    temporary = Path(tempfile.gettempdir()).resolve()
    for above in (tmp_path, *tmp_path.parents):
        if temporary in above.resolve().parents:
            above.chmod(0o755)  # the reader is another user
    try:
        done = subprocess.run(
            [sys.executable, "-c", read, folder / "runs.db"],
            capture_output=True,
            text=True,
            check=False,
        )
    finally:
        folder.chmod(0o755)
    assert done.stdout == "50\n", done.stderr


def test_a_forecast_has_a_place(tmp_path: Path) -> None:
    record(tmp_path / "runs.db", range(3))
    with closing(sqlite3.connect(tmp_path / "runs.db")) as connection:
        columns = connection.execute("SELECT name FROM pragma_table_info('forecasts')").fetchall()
    assert json.dumps([name for (name,) in columns]) == (
        '["run", "number", "position", "made", "forecast", "checksum"]'
    )
