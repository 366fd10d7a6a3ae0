"""``stepsize run`` as a user meets it: real processes, real files, real mistakes."""

import math
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from html import escape
from pathlib import Path

import numpy as np
import pytest
from click.testing import Result

from stepsize.controllers import Guard
from stepsize.driving import Policy
from stepsize.find import recommend
from stepsize.record import read_runs
from stepsize.report.history import History
from stepsize.testing.training import Bowl
from stepsize.training import run

Call = Callable[..., Result]

BOWL = """
from stepsize.testing.training import Bowl
training = Bowl(rate=0.1, noise=0.01)
def fresh(): return Bowl(rate=0.2, noise=0.01)
number = 3
def broken(): raise ValueError("no data here")
"""

PAIR = """
from stepsize.testing.training import Bowl
from stepsize.training import Group
class Pair(Bowl):
    groups = (Group("a", 0.1, optimizer=0), Group("b", 0.025, optimizer=1))
training = Pair(rate=0.1, noise=0.01)
"""

HOPELESS = """
from stepsize.signals import Observation
from stepsize.testing.training import Bowl
class Flat(Bowl):
    def step(self, factors): return Observation({"loss": 1.0})
class Blind(Bowl):
    def evaluate(self): return {"val_loss": float("nan")}
class Stuck(Bowl):
    def step(self, factors): raise RuntimeError("out of memory")
class Rising(Bowl):
    def step(self, factors): return Observation({"loss": 1.0 + factors["lr"][0]})
class Falling(Bowl):
    def step(self, factors): return Observation({"loss": 1000.0 - factors["lr"][0]})
class Unlucky(Bowl):
    steps = 0
    def step(self, factors):
        self.steps += 1
        if self.steps > 20: raise ValueError("boom")
        return super().step(factors)
class Unmeasured(Bowl):
    def evaluate(self): raise ZeroDivisionError("no images")
flat, blind, stuck, rising, falling = Flat(), Blind(), Stuck(), Rising(), Falling()
unlucky, unmeasured, still = Unlucky(), Unmeasured(), Bowl(rate=0.0)
def seeded(seed, *rest): return flat
"""

SPIKING = """
from stepsize.signals import Observation
from stepsize.testing.training import Bowl
class Spiking(Bowl):
    steps = 0
    def step(self, factors):
        seen = super().step(factors)
        self.steps += 1
        if self.steps == 250 and Spiking.armed:
            Spiking.armed = False
            return Observation({"loss": float("nan")})
        return seen
    def snapshot(self): return self.steps, super().snapshot()
    def restore(self, snapshot):
        self.steps, inner = snapshot
        super().restore(inner)
Spiking.armed = True
training = Spiking(rate=0.1, noise=0.01)
"""

IMPATIENT = """
import os, signal
from stepsize.testing.training import Bowl
class Impatient(Bowl):
    calls = 0
    def step(self, factors):
        Impatient.calls += 1
        if Impatient.calls == 300:
            os.kill(os.getpid(), signal.SIGINT)
        return super().step(factors)
training = Impatient(rate=0.1, noise=0.01)
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


def started(*arguments: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "stepsize.cli", *map(str, arguments)]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "bowl.py").write_text(BOWL)
    return tmp_path


def test_a_run_finds_a_rate_plans_records_draws_reports_and_says_so(folder: Path) -> None:
    outputs = ["--record", "runs.db", "--plot", "out.png", "--report", "out.html"]
    done = started("run", "bowl.py", "--steps", 300, "--verbose", *outputs, cwd=folder)
    assert done.returncode == 0, done.stderr
    assert "bowl finished 300 steps" in done.stdout
    assert "The first 60 steps doubled as the rate search" in done.stdout
    assert "Evaluation: val_loss" in done.stdout
    said = " ".join(done.stderr.split())
    assert "was the best of" in said
    assert "Other rules: no other rule was measured" in said
    (recorded,) = read_runs(folder / "runs.db")
    assert (recorded.name, recorded.status) == ("bowl", "finished")
    assert recorded.config["guard"] is True
    assert recorded["lr"].values[90] == pytest.approx(recorded.config["rate"])
    assert (folder / "out.png").read_bytes().startswith(b"\x89PNG")
    page = (folder / "out.html").read_text()
    assert "The sweep" in page
    assert escape(recorded.config["schedule"]) in page


@pytest.mark.parametrize("level", ["fast", "default", "thorough"])
def test_what_the_search_did_is_the_beginning_of_the_recorded_run(folder: Path, level: str) -> None:
    command = ["run", "bowl.py:fresh", "--steps", "400", "--level", level, "--record", "runs.db"]
    assert started(*command, cwd=folder).returncode == 0
    training = Bowl(rate=0.2, noise=0.01)
    advice = recommend(training, 400, level)
    straight = History()
    outcome = run(training, Policy(advice.schedule, [Guard()]), 400, [straight])
    (recorded,) = read_runs(folder / "runs.db")
    assert recorded["loss"].positions.tolist() == list(range(400))
    assert recorded["loss"].values.tolist() == straight.loss_curve[1].tolist()
    assert recorded["lr"].values.tolist() == straight.rates
    assert recorded.summary["val_loss"] == outcome.metrics["val_loss"]


def test_a_run_without_room_for_trials_takes_its_rate_from_a_range_test(folder: Path) -> None:
    done = started("run", "bowl.py", "--steps", 199, "-v", "--record", "runs.db", cwd=folder)
    assert done.returncode == 0, done.stderr
    said = " ".join(done.stderr.split())
    assert "no room for trials, which begin at 200" in said
    assert "factor of 5 to 8" in said
    (recorded,) = read_runs(folder / "runs.db")
    assert len(recorded["lr"].values) == len(recorded["loss"].values) == 199
    assert recorded["lr"].values.max() == pytest.approx(recorded.config["rate"])
    assert recorded["lr"].values[0] > 0


def test_a_given_rate_is_planned_around_and_never_changed(folder: Path) -> None:
    command = ["run", "bowl.py", "--steps", "300", "--rate", "0.07", "-v", "--record", "runs.db"]
    done = started(*command, cwd=folder)
    assert done.returncode == 0, done.stderr
    assert "peak rate 0.07 (as given)" in done.stderr
    values = read_runs(folder / "runs.db")[0]["lr"].values
    assert values.max() == pytest.approx(0.07)
    assert values[-1] < 0.001


def test_several_optimizers_are_searched_together_and_keep_the_ratio_of_their_rates(
    folder: Path,
) -> None:
    (folder / "pair.py").write_text(PAIR)
    done = started("run", "pair.py", "--steps", 200, "--record", "runs.db", cwd=folder)
    assert done.returncode == 0, done.stderr
    (recorded,) = read_runs(folder / "runs.db")
    np.testing.assert_allclose(recorded["lr/b"].values, 0.25 * recorded["lr/a"].values)
    assert recorded["lr/a"].values[40:].max() == pytest.approx(recorded.config["rate"])


def test_several_optimizers_are_guarded_only_if_asked(folder: Path) -> None:
    (folder / "pair.py").write_text(PAIR)
    command = ["run", "pair.py", "--steps", 20, "--rate", "keep", "--record", "runs.db"]
    by_default = started(*command, cwd=folder)
    asked = started(*command, "--guard", cwd=folder)
    assert by_default.returncode == asked.returncode == 0, by_default.stderr
    assert "No guard: the losses of several optimizers" in by_default.stderr
    assert "No guard" not in asked.stderr
    assert [each.config["guard"] for each in read_runs(folder / "runs.db")] == [False, True]


def test_the_plan_on_the_screen_is_the_one_that_is_driven(folder: Path) -> None:
    done = started("run", "bowl.py", "--steps", 300, "--record", "runs.db", cwd=folder)
    said = " ".join(done.stderr.split())
    found = re.search(r"up to step (\d+) .* until step (\d+), .* zero at step (\d+)\.", said)
    assert found is not None, said
    assert "warmup over" not in said
    own, held, end = map(int, found.groups())
    (recorded,) = read_runs(folder / "runs.db")
    rates = recorded["lr"].values
    assert rates[own : held + 1] == pytest.approx(recorded.config["rate"])
    assert rates[held + 1] < rates[held]
    assert end == len(rates)


def test_the_doubts_of_a_range_test_are_said(folder: Path) -> None:
    (folder / "hopeless.py").write_text(HOPELESS)
    done = started("run", "hopeless.py:falling", "--steps", 100, "--no-guard", cwd=folder)
    assert done.returncode == 0, done.stderr
    said = " ".join(done.stderr.split())
    assert "Doubt: the loss was lowest at the highest rate" in said
    assert "Raise --high of 'stepsize find'." in said


@pytest.mark.parametrize(
    ("options", "steps", "raised"),
    [
        (["unlucky", "--schedule", "Constant()"], 20, "ValueError: boom (line"),
        (["unmeasured", "--rate", "keep"], 30, "ZeroDivisionError: no images (line"),
    ],
    ids=["step", "evaluate"],
)
def test_a_training_that_raises_ends_the_run_and_not_the_account(
    folder: Path, options: list[str], steps: int, raised: str
) -> None:
    (folder / "hopeless.py").write_text(HOPELESS)
    outputs = ["--record", "runs.db", "--plot", "out.png", "--report", "out.html"]
    target = f"hopeless.py:{options[0]}"
    done = started("run", target, "--steps", 30, *options[1:], *outputs, cwd=folder)
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    assert f"failed after {steps} steps" in done.stdout
    assert f"The training raised {raised}" in done.stdout
    (recorded,) = read_runs(folder / "runs.db")
    assert (recorded.status, len(recorded["loss"].values)) == ("crashed", steps)
    assert (folder / "out.png").read_bytes().startswith(b"\x89PNG")
    assert escape(raised) in (folder / "out.html").read_text()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["stuck", "--steps", "200"], "raised RuntimeError: out of memory. Correct the training"),
        (["still", "--steps", "200"], "base rates, but these are all 0"),
        (["still", "--steps", "5", "--rate", "keep"], "base rates, but these are all 0"),
        (["still", "--steps", "5", "--rate", "0.1"], "base rates, but these are all 0"),
        (["seeded", "--steps", "5"], r"needs seed. Give defaults: def seeded\(seed=0\)"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_no_rate_can_remedy_is_not_answered_with_a_rate(
    folder: Path,
    stepsize: Call,
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    message: str,
) -> None:
    monkeypatch.chdir(folder)
    (folder / "hopeless.py").write_text(HOPELESS)
    done = stepsize("run", f"hopeless.py:{arguments[0]}", *arguments[1:])
    said = " ".join(done.stderr.split())
    assert done.exit_code == 2, said
    assert re.search(message, said), said
    assert "--rate" not in said
    assert ".." not in said.replace("(...,", "")


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("flat", "the loss did not move"),
        ("blind", "evaluate.* must give a finite 'val_loss' before any step.*with --metric"),
        ("rising --steps 100", "among those that it tried, 1e-6 to .* lowest at the first rate"),
        ("flat --steps 100", "the loss did not move"),
    ],
)
def test_where_nothing_can_be_recommended_the_reason_and_the_remedy_are_said(
    folder: Path, stepsize: Call, monkeypatch: pytest.MonkeyPatch, name: str, reason: str
) -> None:
    monkeypatch.chdir(folder)
    (folder / "hopeless.py").write_text(HOPELESS)
    # Of two --steps the last one counts.
    command = ["run", "--steps", "200", *f"hopeless.py:{name}".split(), "--record", "runs.db"]
    done = stepsize(*command, "--report", "out.html")
    said = " ".join(done.stderr.split())
    assert done.exit_code == 2, said
    assert re.search(reason, said), said
    assert said.endswith("give a rate: --rate 3e-4, or --rate keep for the one in the file.")
    assert not (folder / "runs.db").exists()
    assert not (folder / "out.html").exists()


# ------------------------------------------------------------------ the guard


def test_the_guard_goes_back_and_the_record_and_the_report_say_so(folder: Path) -> None:
    (folder / "spiking.py").write_text(SPIKING)
    outputs = ["--record", "runs.db", "--report", "out.html"]
    done = started("run", "spiking.py", "--steps", 300, *outputs, cwd=folder)
    assert done.returncode == 0, done.stderr
    assert "The controllers acted once." in done.stdout
    (recorded,) = read_runs(folder / "runs.db")
    (decided,) = recorded.decisions
    assert (decided.kind, decided.position) == ("rewind", 249)
    assert "loss is nan" in decided.reason
    assert math.isfinite(recorded.summary["val_loss"])
    page = (folder / "out.html").read_text()
    assert "loss is nan" in page
    assert "<td>249</td><td>rewind" in page


def test_a_run_that_no_rewind_saves_is_stopped_with_exit_code_1(folder: Path) -> None:
    (folder / "wild.py").write_text(
        "from stepsize.testing.training import Bowl\ntraining = Bowl(rate=1e300)\n"
    )
    outputs = ["--record", "runs.db", "--report", "out.html"]
    command = ["run", "wild.py", "--steps", "50", "--rate", "keep", *outputs]
    done = started(*command, cwd=folder)
    assert done.returncode == 1, done.stderr
    assert "wild was stopped after" in done.stdout
    assert read_runs(folder / "runs.db")[0].status == "stopped"
    assert "was stopped after" in (folder / "out.html").read_text()


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
        assert started(*map(str, command), *options, cwd=folder).returncode == 0
    kept, given = read_runs(folder / "r.db")
    np.testing.assert_allclose(kept["lr"].values, [0.2, 0.15, 0.1, 0.05])
    np.testing.assert_allclose(given["lr"].values, [0.4, 0.3, 0.2, 0.1])


def test_an_absolute_schedule_gives_the_rates_themselves(folder: Path) -> None:
    command = ["run", "bowl.py", "--steps", "2", "--schedule", "Absolute(Linear(2, 0.3, 0.1))"]
    assert started(*command, "--record", "r.db", cwd=folder).returncode == 0
    np.testing.assert_allclose(read_runs(folder / "r.db")[0]["lr"].values, [0.3, 0.2])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere.py", "--steps", "5"], "nowhere.py: .*there is no such file"),
        (["bowl.py:missing", "--steps", "5"], "defines no 'missing'.*training"),
        (["bowl.py:number", "--steps", "5"], "must be a training.*int"),
        (
            ["bowl.py:broken", "--steps", "5"],
            r"broken\(\) must return a training, but raised ValueError: no data here.*line",
        ),
        (["bad.py", "--steps", "5"], "could not be run: SyntaxError"),
        (["bowl.py", "--steps", "0"], "--steps"),
        (["bowl.py", "--steps", "5", "--rate", "fast"], "'fast' is not a rate"),
        (["bowl.py", "--steps", "5", "--rate", "-1"], "'-1' is not a rate"),
        (["bowl.py", "--steps", "5", "--schedule", "Cosine(-1)"], "steps must be"),
        (["bowl.py", "--steps", "5", "--schedule", "Absolute(Hold(3))", "--rate", "1"], "Absolute"),
        (["bowl.py", "--steps", "5", "--plot", "out.bmp"], "out.bmp"),
        (["bowl.py", "--steps", "5", "--plot", "no/where.png"], "'--plot': no: .*no such folder"),
        (["bowl.py", "--steps", "5", "--report", "out.txt"], "must end in .html"),
        (
            ["bowl.py", "--steps", "5", "--report", "no/where.html"],
            "'--report': no: .*no such folder",
        ),
        (["bowl.py", "--steps", "5", "--record", "no/where.db"], "'--record': .*no such folder"),
        (["bowl.py", "--steps", "5", "--metric", "loss"], "--metric is about trials.* no room"),
        (
            ["bowl.py", "--steps", "399", "--level", "fast"],
            "--level is about trials.* begin at 400",
        ),
        (
            ["bowl.py", "--steps", "5", "--rate", "1", "--level", "fast"],
            "--level is about the search",
        ),
        (
            ["bowl.py", "--steps", "5", "--schedule", "Hold(5)", "--metric", "loss"],
            "--metric is about the search",
        ),
        (["bowl.py", "--steps", "300", "--metric", "bleu"], "--metric must be one of.*'val_loss'"),
        (["bowl.py", "--steps", "5", "--record", "bowl.py"], "'--record': .*bowl.py"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_mistake_is_one_message_with_exit_code_2_and_leaves_nothing(
    folder: Path,
    stepsize: Call,
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    message: str,
) -> None:
    monkeypatch.chdir(folder)
    (folder / "bad.py").write_text("def training(:\n")
    before = {path: path.read_bytes() for path in folder.iterdir()}
    done = stepsize("run", *arguments)
    said = " ".join(done.stderr.split())
    assert done.exit_code == 2, said
    assert "Traceback" not in said
    assert not done.stdout

    assert re.search(message, said), said
    after = {path: path.read_bytes() for path in folder.iterdir() if path.name != "__pycache__"}
    assert after == before


def test_ctrl_c_ends_the_run_cleanly_with_what_there_is(tmp_path: Path) -> None:
    (tmp_path / "forever.py").write_text(FOREVER)
    outputs = ["--record", "runs.db", "--plot", "out.png", "--report", "out.html"]
    command = ["run", "forever.py", "--steps", "1000000000", "--schedule", "Constant()", *outputs]
    said, errors = interrupted(command, tmp_path)
    assert "was interrupted after" in said
    assert "Evaluation: val_loss" in said
    assert "Traceback" not in errors
    (recorded,) = read_runs(tmp_path / "runs.db")
    assert recorded.status == "interrupted"
    assert len(recorded["loss"].values) >= 199
    assert (tmp_path / "out.png").read_bytes().startswith(b"\x89PNG")
    assert "was interrupted after" in (tmp_path / "out.html").read_text()


def test_ctrl_c_during_the_search_leaves_no_file(tmp_path: Path) -> None:
    (tmp_path / "forever.py").write_text(FOREVER)
    outputs = ["--record", "runs.db", "--plot", "out.png", "--report", "out.html"]
    command = ["run", "forever.py", "--steps", "1000000", *outputs]
    errors = interrupted(command, tmp_path)[1]
    assert "Interrupted." in errors
    assert "Traceback" not in errors
    assert {each.name for each in tmp_path.iterdir()} <= {"forever.py", "__pycache__"}


def test_ctrl_c_after_the_search_keeps_its_steps(tmp_path: Path) -> None:
    (tmp_path / "impatient.py").write_text(IMPATIENT)
    outputs = ["--record", "runs.db", "--report", "out.html"]
    done = started("run", "impatient.py", "--steps", 300, *outputs, cwd=tmp_path)
    assert done.returncode == 130, done.stderr
    assert "Traceback" not in done.stderr
    (recorded,) = read_runs(tmp_path / "runs.db")
    steps = len(recorded["loss"].values)
    assert 90 < steps < 300
    assert recorded["loss"].positions.tolist() == list(range(steps))
    assert recorded.status == "interrupted"
    assert f"was interrupted after {steps} steps" in done.stdout
    assert "The first 60 steps doubled as the rate search" in (tmp_path / "out.html").read_text()


def interrupted(command: list[str], folder: Path) -> tuple[str, str]:
    """What the command says if Ctrl-C comes after 200 steps."""
    with subprocess.Popen(
        [sys.executable, "-m", "stepsize.cli", *command],
        cwd=folder,
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
    return said, errors


@pytest.mark.parametrize(
    "options", [["--schedule", "Constant()"], ["--rate", "keep", "--no-guard"]], ids=" ".join
)
def test_without_a_guard_a_loss_that_is_not_finite_is_said(
    tmp_path: Path, options: list[str]
) -> None:
    (tmp_path / "wild.py").write_text(
        "from stepsize.testing.training import Bowl\ntraining = Bowl(rate=1e160)\n"
    )
    done = started("run", "wild.py", "--steps", 40, *options, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert re.search("The training loss is (nan|inf) from step", done.stdout)


def test_evaluations_on_the_way_are_recorded_where_they_were_made(folder: Path) -> None:
    command = ["run", "bowl.py", "--steps", "300", "--evaluate-every", "70", "--record", "runs.db"]
    assert started(*command, cwd=folder).returncode == 0
    (recorded,) = read_runs(folder / "runs.db")
    assert recorded["val_loss"].positions.tolist() == [70, 140, 210, 280, 300]
