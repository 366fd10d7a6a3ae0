"""Durability and sharing, with real processes."""

import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import ExitStack

import numpy as np
import pytest

from stepsize.record import Recorder, read_runs
from stepsize.signals import Tick

PRELUDE = """
import itertools, os, sys, time
from stepsize.errors import *
from stepsize.record import Recorder, read_runs
from stepsize.signals import Tick

def tick(step):
    return Tick(step, {"lr": 1 / (1 + step)}, {"loss": float(-step)})
"""


@pytest.fixture
def start():
    """Start a process that says "ready" when it has imported, and goes on when told to."""
    with ExitStack() as stack:

        def start_one(script, *arguments):
            source = f"{PRELUDE}\nprint('ready', flush=True)\ninput()\n{script}"
            process = subprocess.Popen(
                [sys.executable, "-c", source, *map(str, arguments)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
            stack.enter_context(process)
            stack.callback(process.kill)  # before the context waits for its end
            return process

        yield start_one


def begin(*processes):
    for process in processes:
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        process.stdin.write("\n")
        process.stdin.flush()


def end(*processes):
    outputs = [process.communicate(timeout=60)[0] for process in processes]
    assert [process.returncode for process in processes] == [0] * len(processes)
    return outputs


def kill(process):
    moment = time.monotonic()
    process.kill()
    process.communicate()
    return moment


def assert_whole(path):
    connection = sqlite3.connect(path)
    assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    connection.close()


def assert_steps(run, steps):
    positions = np.arange(steps, dtype=np.float64)
    np.testing.assert_array_equal(run["lr"], (positions, 1 / (1 + positions)))
    np.testing.assert_array_equal(run["loss"], (positions, -positions))


RECORD_FOR_EVER = """
path, name, log = sys.argv[1:]
log = os.open(log, os.O_WRONLY | os.O_CREAT)
recorder = Recorder(path, name)
for step in itertools.count():
    recorder(tick(step))
    os.write(log, f"{step} {time.monotonic()}\\n".encode())
    if step == 0:
        print("recording", flush=True)
    time.sleep(0.001)  # a step of a training takes time
"""


def test_a_kill_at_any_moment_takes_less_than_the_last_second(tmp_path, start):
    path = tmp_path / "runs.db"
    names = [f"run {number}" for number in range(10)]
    processes = {name: start(RECORD_FOR_EVER, path, name, tmp_path / name) for name in names}
    begin(*processes.values())
    for process in processes.values():
        assert process.stdout.readline() == "recording\n"
    killed = {}
    for name, process in processes.items():
        if name == names[0]:
            time.sleep(1.2)  # so that every process has something older than a second
        time.sleep(random.uniform(0, 0.3))
        killed[name] = kill(process)

    runs = {run.name: run for run in read_runs(path)}
    for name in names:
        run = runs[name]
        assert (run.ended, run.status) == (None, "abandoned")
        # The last line may be cut.
        log = [line.split() for line in (tmp_path / name).read_text().split("\n")[:-1]]
        older = [int(step) for step, moment in log if float(moment) < killed[name] - 1]
        kept = len(run["lr"].positions)
        assert 0 < older[-1] < kept
        assert_steps(run, kept)
    assert_whole(path)
    with Recorder(path, "afterwards") as recorder:
        recorder(Tick(0, {"lr": 1.0}))
    assert read_runs(path)[-1].status == "finished"


def test_a_kill_while_a_file_is_created_leaves_one_that_can_be_used(tmp_path, start):
    paths = [tmp_path / f"{number}.db" for number in range(10)]
    processes = [start(RECORD_FOR_EVER, path, "killed", os.devnull) for path in paths]
    for path, process in zip(paths, processes, strict=True):
        begin(process)
        time.sleep(random.uniform(0, 0.02))
        kill(process)
        with Recorder(path, "afterwards") as recorder:
            recorder(Tick(0, {"lr": 1.0}))
        assert_whole(path)
        assert read_runs(path)[-1]["lr"].values == 1.0


@pytest.mark.parametrize("processes", [2, 4])
def test_processes_that_create_and_write_one_file_at_once_lose_nothing(tmp_path, start, processes):
    path = tmp_path / "runs.db"
    script = """
path, name = sys.argv[1:]
with Recorder(path, name) as recorder:
    for step in range(20_000):
        recorder(tick(step))
        if step % 500 == 0:
            recorder.flush()
"""
    names = [f"run {number}" for number in range(processes)]
    started = [start(script, path, name) for name in names]
    begin(*started)
    end(*started)
    assert_whole(path)
    runs = read_runs(path)
    assert sorted(run.name for run in runs) == names
    for run in runs:
        assert run.status == "finished"
        assert_steps(run, 20_000)


def test_processes_that_create_the_same_files_at_once_agree(tmp_path, start):
    paths = [tmp_path / f"{number}.db" for number in range(30)]
    script = """
for path in sys.argv[1:]:
    with Recorder(path) as recorder:
        recorder(tick(0))
"""
    started = [start(script, *paths) for _ in range(3)]
    begin(*started)
    end(*started)
    for path in paths:
        runs = read_runs(path)
        assert len(runs) == 3
        for run in runs:
            assert_steps(run, 1)


def test_a_reader_sees_one_moment_while_the_writer_rearranges_the_file(tmp_path, start):
    path = tmp_path / "runs.db"
    script = """
from stepsize.record import _writer
_writer.POINTS_PER_SEAL = 20
recorder = Recorder(sys.argv[1])
print("open", flush=True)
for step in itertools.count():
    recorder(tick(step))
    recorder.flush()
"""
    writer = start(script, path)
    begin(writer)
    assert writer.stdout.readline() == "open\n"
    [run] = read_runs(path)
    lengths = set()
    for _ in range(300):
        quantities = run.quantities
        if quantities:
            steps = len(quantities["lr"].positions)
            np.testing.assert_array_equal(quantities["lr"].positions, np.arange(steps))
            lengths.add(steps)
    assert len(lengths) > 10


@pytest.mark.parametrize(
    ("last_words", "code", "status", "failure"),
    [
        ("", 0, "finished", None),
        ("sys.exit()", 0, "finished", None),
        ("raise SystemError('on purpose')", 1, "crashed", "SystemError: on purpose"),
        ("raise KeyboardInterrupt", 130, "interrupted", None),
    ],
)
def test_a_program_that_never_closes_loses_nothing_and_ends(
    tmp_path, last_words, code, status, failure
):
    path = tmp_path / "runs.db"
    script = f"""
recorder = Recorder(sys.argv[1])
for step in range(1_000):
    recorder(tick(step))
{last_words}
"""
    ended = subprocess.run(
        [sys.executable, "-c", PRELUDE + script, path], capture_output=True, timeout=60, check=False
    )
    assert ended.returncode in (code, -signal.SIGINT)
    [run] = read_runs(path)
    assert (run.status, run.failure) == (status, failure)
    assert run.ended is not None
    assert_steps(run, 1_000)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the system has no fork")
def test_a_fork_leaves_the_run_to_the_parent_and_may_record_its_own(tmp_path, start):
    path = tmp_path / "runs.db"
    script = """
path = sys.argv[1]
recorder = Recorder(path, "parent")
steps = itertools.count()
children = []
for number in range(8):
    for _ in range(1_000):
        recorder(tick(next(steps)))
    child = os.fork()
    if child == 0:
        folder = "/proc/self/fd"  # the copy of an open connection is a danger to the file
        if os.path.isdir(folder):
            links = [os.path.join(folder, name) for name in os.listdir(folder)]
            opened = [os.readlink(link) for link in links if os.path.lexists(link)]
            assert not [name for name in opened if name.startswith(path)], opened
        try:
            recorder(tick(0))
        except RunFileError as error:
            assert f"process {os.getppid()}" in str(error), error
        else:
            os._exit(1)
        recorder.close()
        with Recorder(path, f"child {number}") as own:
            for step in range(1_000):
                own(tick(step))
        sys.exit(0)  # with all that Python does at an exit
    children.append(child)
assert [os.waitpid(child, 0)[1] for child in children] == [0] * 8
recorder.close()
print(next(steps))
"""
    process = start(script, path)
    begin(process)
    assert end(process) == ["8000\n"]
    assert_whole(path)
    runs = {run.name: run for run in read_runs(path)}
    assert runs.keys() == {"parent", *(f"child {number}" for number in range(8))}
    assert {run.status for run in runs.values()} == {"finished"}
    assert_steps(runs.pop("parent"), 8_000)
    for run in runs.values():
        assert_steps(run, 1_000)


@pytest.mark.skipif(sys.platform == "win32", reason="a limit on file sizes stands for a full disk")
def test_a_full_disk_warns_keeps_everything_and_goes_on_when_there_is_room(tmp_path, start):
    path = tmp_path / "runs.db"
    script = """
import resource, warnings
warnings.simplefilter("error")
recorder = Recorder(sys.argv[1])
unlimited = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, unlimited[1]))
steps = itertools.count()
for warned in "once", "and not again":
    try:
        for _ in range(20_000) if warned == "and not again" else itertools.count():
            recorder(tick(next(steps)))
    except StepsizeWarning as warning:
        assert warned == "once", warning
        assert "disk" in str(warning), warning
for method in recorder.flush, recorder.close:
    try:
        method()
    except RunFileError as error:
        assert "kept in memory" in str(error), error
    else:
        raise SystemExit("there was room")
resource.setrlimit(resource.RLIMIT_FSIZE, unlimited)
recorder.close()
print(next(steps))
"""
    process = start(script, path)
    begin(process)
    [steps] = end(process)
    assert_whole(path)
    [run] = read_runs(path)
    assert run.status == "finished"
    assert_steps(run, int(steps))
