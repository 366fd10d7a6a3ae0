"""Nothing that came from outside steers the terminal: every command, both streams, pipes too."""

import ast
import json
import re
import unicodedata
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result
from hypothesis import given
from hypothesis import strategies as st

from stepsize.cli import COMMANDS, program
from stepsize.cli import __file__ as cli_file
from stepsize.errors import StepsizeWarning
from stepsize.record import Recorder
from stepsize.signals import Stop, Tick
from stepsize.terminal import Terminal
from stepsize.words import written_out

Call = Callable[..., Result]

CLEAR = "\x1b[2J\x1b]0;title\x07"
HOSTILE = f"evil{CLEAR}\r\u202e\x9b31m"
STEERING = {"Cc", "Cf", "Cs", "Zl", "Zp"}  # controls, formats, surrogates, other line ends
ALLOWED = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")  # what rich writes itself: colours and moves

TRAINING = f"""
from stepsize.signals import Observation
from stepsize.testing.training import Bowl
from stepsize.training import Group

NAME = {HOSTILE!r}
class Hostile(Bowl):
    groups = (Group(NAME, 0.1, 0), Group("other", 0.1, 1))
    def step(self, factors):
        seen = super().step({{"lr": [factors["lr"][0]]}})
        return Observation({{**seen.metrics, NAME: seen.metrics["loss"]}})
    def evaluate(self): return {{NAME: 1.0, **super().evaluate()}}
hostile = Hostile(rate=0.1)
def raising(): raise ValueError(NAME)
class Raises(Bowl):
    def step(self, factors): raise ValueError(NAME)
raises = Raises()
def seeded(seed): return Bowl(rate=0.3, noise=0.1, seed=seed)
globals()[NAME] = 1
"""


def is_steering(text: str) -> bool:
    """Whether a text holds what could steer a terminal."""
    return any(unicodedata.category(each) in STEERING and each != "\n" for each in text)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "evil.py").write_text(TRAINING)
    with Recorder("runs.db", HOSTILE, {"file": HOSTILE}) as recorder:
        for step in range(30):
            recorder(Tick(step, {f"lr/{HOSTILE}": 0.1}, {"loss": 1.0, HOSTILE: 2.0}))
        recorder(Tick(30, {}, {}, (Stop(HOSTILE),)))
        recorder.finish(HOSTILE, {HOSTILE: 3.0})
    header = ",".join(["step", "lr", "loss", HOSTILE.replace("\r", "")])
    rows = [f"{step},0.1,{30 - step},1" for step in range(30)]
    Path("log.csv").write_text("\n".join([header, *rows]))
    Path("config.json").write_text(json.dumps({"scheduler": HOSTILE, "type": HOSTILE}))
    Path("schedules.txt").write_text(f"{HOSTILE.replace(chr(13), '')} = Cosine(10)\nb = Hold(10)\n")
    Path("broken.txt").write_text(HOSTILE)
    return tmp_path


COMMAND_LINES = [
    ["runs", "runs.db"],
    ["runs", "runs.db", "--json"],
    ["runs", HOSTILE],
    ["diagnose", "runs.db"],
    ["diagnose", "log.csv"],
    ["diagnose", "log.csv", "--json"],
    ["diagnose", "log.csv", "--csv"],
    ["diagnose", HOSTILE],
    ["describe", "config.json"],
    ["describe", "schedules.txt"],
    ["describe", "schedules.txt", "--csv"],
    ["describe", "broken.txt"],
    ["plot", "schedules.txt"],
    ["plot", "schedules.txt", "--csv"],
    ["plot", HOSTILE],
    ["compare", "schedules.txt"],
    ["compare", "schedules.txt", "--json"],
    ["compare", HOSTILE],
    ["check", "schedules.txt", "--steps", "20"],
    ["check", HOSTILE, "--steps", "20"],
    ["find", "evil.py:hostile"],
    ["find", "evil.py:hostile", "--per-group", "--metric", HOSTILE],
    ["find", "evil.py:hostile", "--json"],
    ["find", "evil.py:raising"],
    ["find", "evil.py:raises"],
    ["find", f"evil.py:{HOSTILE}"],
    ["run", "evil.py:hostile", "--steps", "20", "--rate", "0.1", "--name", HOSTILE, "-v"],
    ["run", "evil.py:raises", "--steps", "20", "--rate", "0.1"],
    ["run", "evil.py:hostile", "--steps", "300", "--metric", HOSTILE + "?"],
    ["run", "evil.py", "--steps", "20"],
    ["trials", "evil.py:seeded", "schedules.txt", "--steps", "20", "--seeds", "2"],
    ["trials", "evil.py:raising", "Hold(5)", "--steps", "20"],
    [HOSTILE],
    ["runs", "runs.db", f"--{HOSTILE}"],
]


@pytest.mark.parametrize("arguments", COMMAND_LINES, ids=lambda each: " ".join(map(ascii, each)))
def test_a_hostile_name_is_written_out_on_both_streams_and_into_pipes(
    stepsize: Call, folder: Path, arguments: list[str]
) -> None:
    result = stepsize(*arguments)
    assert not isinstance(result.exception, Exception), result.exception
    assert result.output
    assert not is_steering(result.stdout), ascii(result.stdout)
    assert not is_steering(result.stderr), ascii(result.stderr)


def test_every_command_is_among_the_hostile_ones() -> None:
    assert {line[0] for line in COMMAND_LINES} >= set(COMMANDS)


@pytest.mark.parametrize("arguments", [["runs", "runs.db"], ["plot", "schedules.txt"]])
def test_on_a_terminal_in_colour_only_our_own_escapes_remain(
    folder: Path, arguments: list[str]
) -> None:
    environment = {"FORCE_COLOR": "1", "COLUMNS": "120", "TERM": "xterm-256color"}
    result = CliRunner(env=environment).invoke(program, arguments)
    assert "\x1b[" in result.stdout
    assert not is_steering(ALLOWED.sub("", result.stdout))
    assert "\x1b[2J" not in result.stdout


def test_a_name_cannot_pretend_to_be_another_line(stepsize: Call, folder: Path) -> None:
    with Recorder("lines.db", "one\n2  9,999  forged"):
        pass
    assert len(stepsize("runs", "lines.db").stdout.splitlines()) == 2


def test_warnings_are_one_clean_line_each(monkeypatch: pytest.MonkeyPatch) -> None:
    @click.command("warns")
    def warns() -> None:
        warnings.warn(HOSTILE, StepsizeWarning, stacklevel=1)
        warnings.warn(HOSTILE, UserWarning, stacklevel=1)

    monkeypatch.setattr(type(program), "get_command", lambda *_: warns)
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        result = CliRunner().invoke(program, ["runs"])
    first, second, *_ = result.stderr.splitlines()
    assert first == f"Warning: {written_out(HOSTILE)}"
    assert "UserWarning: evil" in second
    assert not is_steering(result.stderr)


@given(st.text(st.characters()))
def test_whatever_is_drawn_cannot_steer(text: str) -> None:
    console = Terminal()
    with console.capture() as captured:
        console.print(text, soft_wrap=True)
    assert not is_steering(captured.get())


def printing_calls() -> Iterator[tuple[str, str]]:
    for path in Path(cli_file).parent.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call):
                yield path.name, ast.unparse(node.func)


def test_no_command_prints_by_another_way() -> None:
    ways = {"print", "click.echo", "click.secho", "Console", "sys.stdout.write", "sys.stderr.write"}
    calls = list(printing_calls())
    assert ("screen.py", "click.echo") in calls
    assert [place for place, call in calls if call in ways and place != "screen.py"] == []
