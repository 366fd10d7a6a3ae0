"""What holds for every command: one message and exit code 2, quiet pipes, a clean Ctrl-C."""

import importlib
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import click
import pytest
from click.testing import Result

import stepsize as package
from stepsize.cli import COMMANDS

Call = Callable[..., Result]
Start = Callable[..., "subprocess.Popen[str]"]

SEEING = ["plot", "compare", "describe"]


def test_the_version_is_the_package_s(stepsize: Call) -> None:
    assert stepsize("--version").output == f"stepsize, version {package.__version__}\n"


def test_every_listed_command_exists_and_shows_examples(stepsize: Call) -> None:
    for name in COMMANDS:
        command = importlib.import_module(f"stepsize.cli.{name}").command
        assert isinstance(command, click.Command)
        assert command.name == name
        assert f"\n  stepsize {name} " in stepsize(name, "--help").output.replace("\n    ", "\n  ")


def test_the_help_lists_all_commands_and_loads_none_of_them() -> None:
    program = """
import sys
from stepsize.cli import COMMANDS, program
program.main(["--help"], standalone_mode=False)
commands = {f"stepsize.cli.{name}" for name in COMMANDS}
loaded = commands & set(sys.modules), {"rich", "matplotlib", "torch"} & set(sys.modules)
assert loaded == (set(), set()), loaded
"""
    listing = subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert all(f"  {name} " in listing.stdout for name in COMMANDS)


def test_plotting_in_the_terminal_loads_neither_torch_nor_matplotlib() -> None:
    program = """
import sys
from stepsize.cli import program
program.main(["plot", "Cosine(100)"], standalone_mode=False)
loaded = {"torch", "matplotlib", "jax", "sqlite3"} & set(sys.modules)
assert not loaded, loaded
"""
    subprocess.run(
        [sys.executable, "-W", "error", "-c", program], check=True, stdout=subprocess.DEVNULL
    )


@pytest.mark.parametrize("name", SEEING)
@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([], "Missing argument 'SPEC...'"),
        (["Cosin(10)"], "'Cosin' is not a schedule or recipe"),
        (["Cosine(-1)"], "steps must be a finite number and at least 0"),
        (["__import__('os')"], "'__import__' is not a schedule or recipe"),
        (["(" * 10_000], "nest more than 64 levels"),
        (
            ["missing.txt"],
            "'missing.txt': a schedule, or a file of schedules, is needed, but there is no",
        ),
        (["Cosine(10)", "--steps", "0"], "N is at least 1"),
        (["Cosine(10)", "--steps", "1e9"], "not a valid integer"),
        (["Cosine(10)", "--steps", str(2**53 + 1)], "at most 2^53"),
        (["Cosine(10)", "--base", "-1"], "above 0"),
        (["Cosine(10)", "--base", "nan"], "above 0"),
        (["Cosine(10)", "--base", "inf"], "at most 1,000,000"),
        (["Cosine(10)", "--json", "--csv"], "exclude each other"),
        (["Step(30, 0.1)"], "endless. Say how much of it to look at, for example --steps 1000"),
    ],
)
def test_bad_input_is_one_message_and_exit_code_2(
    stepsize: Call, name: str, arguments: list[str], says: str
) -> None:
    result = stepsize(name, *arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert says in " ".join(result.stderr.split())
    assert result.stderr.count("Error:") == 1
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize("name", ["plot", "compare"])
@pytest.mark.parametrize(
    ("target", "says"),
    [
        ("missing/rate.png", "There is no such folder"),
        ("rate.bmp", "must end in .png, .svg, .pdf"),
        ("folder.png", "Is a directory"),
    ],
)
def test_a_picture_that_cannot_be_written_is_refused_before_anything_is_printed(
    stepsize: Call, tmp_path: Path, name: str, target: str, says: str
) -> None:
    (tmp_path / "folder.png").mkdir()
    result = stepsize(name, "Cosine(10)", "--csv", "-o", tmp_path / target)
    assert (result.exit_code, result.stdout) == (2, "")
    assert says in result.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["folder.png"]


def test_a_missing_extra_is_one_sentence_with_the_command(
    stepsize: Call, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    result = stepsize("plot", "Cosine(10)", "-o", tmp_path / "rate.png")
    assert result.exit_code == 2
    assert "pip install 'stepsize[plot]'" in result.stderr


def test_the_real_command_fails_without_a_traceback(process: Start) -> None:
    command = process("plot", "Cosine(10) >>")
    out, err = command.communicate()
    assert (command.returncode, out) == (2, "")
    assert err.startswith("Error: ")
    assert "Traceback" not in err


def test_a_reader_that_goes_away_is_met_quietly(process: Start) -> None:
    command = process("plot", "Cosine(100)")
    assert command.stdout is not None
    command.stdout.close()
    command.stdout = None
    _, err = command.communicate()
    assert err == ""


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_ctrl_c_ends_with_code_130_and_no_traceback(process: Start, tmp_path: Path) -> None:
    pipe = tmp_path / "schedules"
    os.mkfifo(pipe)
    command = process("plot", pipe)
    with pipe.open("w"):  # returns when the command has opened its end: now it waits for text
        command.send_signal(signal.SIGINT)
        out, err = command.communicate()
    assert (command.returncode, out) == (130, "")
    assert err.strip() == "Interrupted."


def test_a_terminal_without_unicode_gets_a_chart_of_letters(process: Start) -> None:
    command = process("plot", "Cosine(100) >> Hold(50, 0)", PYTHONIOENCODING="ascii")
    out, err = command.communicate()
    assert (command.returncode, err) == (0, "")
    assert out.isascii()
    assert "AAAA" in out


@pytest.mark.parametrize(
    ("arguments", "meant"),
    [
        (["rnu"], "There is no command 'rnu'. Did you mean 'run'?"),
        (["descrbe", "Cosine(10)"], "Did you mean 'describe'?"),
        (
            ["plot", "Cosine(10)", "--stesp", "3"],
            "No such option '--stesp'. Did you mean '--steps'",
        ),
        (["training.py"], "Did you mean 'stepsize run training.py'?"),
        (["runs.db"], "Did you mean 'stepsize runs runs.db'?"),
        (["plot", "shedules.txt"], "there is no such file. Did you mean 'schedules.txt'?"),
        (["plot", "missing/x.txt"], "Nor is there a folder 'missing'."),
        (["find", "training.py", "--watch", "val_loss"], "--watch is now --metric. Write --metric"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_is_misspelt_is_answered_with_what_may_be_meant(
    stepsize: Call,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    meant: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("training.py", "runs.db", "schedules.txt"):
        (tmp_path / name).touch()
    result = stepsize(*arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    # Click's versions quote differently.
    said = " ".join(result.stderr.split()).replace("--stesp.", "'--stesp'.")
    assert meant in said.replace("(Did", "Did").replace("mean --steps?", "mean '--steps'?")


def test_an_argument_is_named_by_its_option_and_a_user_s_own_text_is_left_alone(
    stepsize: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.py").write_text(
        "from stepsize.testing.training import Bowl\n"
        "training = Bowl()\n"
        "class Raises(Bowl):\n"
        "    def step(self, factors): raise ValueError('threshold low=-1, metric=: high must')\n"
        "raises = Raises()\n"
    )
    own = " ".join(stepsize("find", "mine.py", "--low=-1").stderr.split())
    assert "stepsize find: --low must be a finite number and above 0" in own
    for command in (["find"], ["run", "--steps", "300"]):
        users = " ".join(stepsize(*command, "mine.py:raises").stderr.split())
        assert "threshold low=-1, metric=: high must" in users
