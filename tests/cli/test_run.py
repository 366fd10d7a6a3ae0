"""``stepsize run`` as a user meets it: real processes, real files, real mistakes."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from stepsize.record import read_runs

BOWL = """
from stepsize.testing.training import Bowl
training = Bowl(rate=0.1, noise=0.01)
def fresh(): return Bowl(rate=0.2, noise=0.01)
number = 3
def broken(): raise ValueError("no data here")
"""

FOREVER = """
import sys
from stepsize.testing.training import Bowl
class Slow(Bowl):
    calls = 0
    def step(self, factors):
        Slow.calls += 1
        if Slow.calls == 200:
            print("going", flush=True)
        return super().step(factors)
training = Slow(rate=0.1)
"""


def stepsize(*arguments: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "stepsize.cli", *map(str, arguments)]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "bowl.py").write_text(BOWL)
    return tmp_path


def test_a_run_finds_a_rate_plans_records_draws_and_says_so(folder: Path) -> None:
    done = stepsize(
        "run", "bowl.py", "--steps", 200, "--record", "runs.db", "--plot", "out.png", cwd=folder
    )
    assert done.returncode == 0, done.stderr
    assert "bowl finished 200 steps" in done.stdout
    assert "Evaluation: val_loss" in done.stdout
    assert "factor of 5 to 8" in " ".join(done.stderr.split())
    (recorded,) = read_runs(folder / "runs.db")
    assert (recorded.name, recorded.status) == ("bowl", "finished")
    assert len(recorded["lr"].values) == len(recorded["loss"].values) == 200
    assert recorded["lr"].values.max() == pytest.approx(recorded.config["rate"])
    assert recorded["lr"].values[0] > 0
    assert (folder / "out.png").read_bytes().startswith(b"\x89PNG")


def test_a_given_schedule_keeps_the_rate_of_the_file_unless_another_is_given(folder: Path) -> None:
    for options in ([], ["--rate", "0.4"]):
        command = [
            "run",
            "bowl.py:fresh",
            "--steps",
            4,
            "--schedule",
            "Linear(4)",
            "--record",
            "r.db",
        ]
        assert stepsize(*map(str, command), *options, cwd=folder).returncode == 0
    kept, given = read_runs(folder / "r.db")
    np.testing.assert_allclose(kept["lr"].values, [0.2, 0.15, 0.1, 0.05])
    np.testing.assert_allclose(given["lr"].values, [0.4, 0.3, 0.2, 0.1])


def test_an_absolute_schedule_gives_the_rates_themselves(folder: Path) -> None:
    command = ["run", "bowl.py", "--steps", "2", "--schedule", "Absolute(Linear(2, 0.3, 0.1))"]
    assert stepsize(*command, "--record", "r.db", cwd=folder).returncode == 0
    np.testing.assert_allclose(read_runs(folder / "r.db")[0]["lr"].values, [0.3, 0.2])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere.py", "--steps", "5"], "There is no file 'nowhere.py'"),
        (["bowl.py:missing", "--steps", "5"], "defines no 'missing'.*training"),
        (["bowl.py:number", "--steps", "5"], "must be a training.*int"),
        (
            ["bowl.py:broken", "--steps", "5"],
            r"broken\(\) failed with ValueError: no data here.*line",
        ),
        (["bad.py", "--steps", "5"], "could not be run: SyntaxError"),
        (["bowl.py", "--steps", "0"], "--steps"),
        (["bowl.py", "--steps", "5", "--rate", "fast"], "'fast' is no rate"),
        (["bowl.py", "--steps", "5", "--rate", "-1"], "'-1' is no rate"),
        (["bowl.py", "--steps", "5", "--schedule", "Cosine(-1)"], "steps must be"),
        (["bowl.py", "--steps", "5", "--schedule", "Absolute(Hold(3))", "--rate", "1"], "Absolute"),
        (["bowl.py", "--steps", "5", "--plot", "out.bmp"], "out.bmp"),
        (["bowl.py", "--steps", "5", "--plot", "no/where.png"], "no"),
        (["bowl.py", "--steps", "5", "--record", "bowl.py"], "bowl.py"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_mistake_is_one_message_with_exit_code_2_and_leaves_nothing(
    folder: Path, arguments: list[str], message: str
) -> None:
    (folder / "bad.py").write_text("def training(:\n")
    before = {path: path.read_bytes() for path in folder.iterdir()}
    done = stepsize("run", *arguments, cwd=folder)
    said = " ".join(done.stderr.split())
    assert done.returncode == 2, said
    assert "Traceback" not in said
    assert not done.stdout

    assert re.search(message, said), said
    after = {path: path.read_bytes() for path in folder.iterdir() if path.name != "__pycache__"}
    assert after == before


def test_ctrl_c_ends_the_run_cleanly_with_what_there_is(tmp_path: Path) -> None:
    (tmp_path / "forever.py").write_text(FOREVER)
    command = [sys.executable, "-m", "stepsize.cli", "run", "forever.py", "--steps", "1000000000"]
    command += ["--schedule", "Constant()", "--record", "runs.db", "--plot", "out.png"]
    with subprocess.Popen(
        command,
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "going\n"
        process.send_signal(signal.SIGINT)
        said, errors = process.communicate(timeout=60)
    assert process.returncode == 130, errors
    assert "was interrupted after" in said
    assert "Evaluation: val_loss" in said
    assert "Traceback" not in errors
    (recorded,) = read_runs(tmp_path / "runs.db")
    assert recorded.status == "interrupted"
    assert len(recorded["loss"].values) >= 199
    assert (tmp_path / "out.png").read_bytes().startswith(b"\x89PNG")


def test_a_loss_that_is_not_finite_is_said(tmp_path: Path) -> None:
    (tmp_path / "wild.py").write_text(
        "from stepsize.testing.training import Bowl\ntraining = Bowl(rate=1e160)\n"
    )
    done = stepsize("run", "wild.py", "--steps", 9, "--schedule", "Constant()", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "The loss was not finite from step" in done.stdout
