"""``stepsize find`` as a user meets it."""

import io
import json
import math
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from rich.console import Console

from stepsize.progress import LiveCurve
from stepsize.signals import Tick

Call = Callable[..., Result]

TRAININGS = """
from stepsize.signals import Observation
from stepsize.testing.training import Bowl
from stepsize.training import Group

training = Bowl(rate=0.1, curvature=[1.0])

class Several:
    def __init__(self, *groups):
        self.groups = groups
        self.bowls = [Bowl(group.base, [curve]) for group, curve in zip(groups, (1.0, 100.0))]
    def step(self, factors):
        each = [bowl.step({"lr": [f]}) for bowl, f in zip(self.bowls, factors["lr"])]
        losses = [one.metrics["loss"] for one in each]
        return Observation({"loss": sum(losses), "critic": losses[1]})
    def evaluate(self):
        return {"val_loss": sum(bowl.evaluate()["val_loss"] for bowl in self.bowls)}
    def snapshot(self):
        return [bowl.snapshot() for bowl in self.bowls]
    def restore(self, snapshot):
        for bowl, each in zip(self.bowls, snapshot):
            bowl.restore(each)

def gan(): return Several(Group("weights", 0.1, 0), Group("weights", 0.001, 1))
def grouped(): return Several(Group("body", 0.1), Group("head", 0.001))

class Constant(Bowl):
    def step(self, factors): return Observation({"loss": 2.5})
constant = Constant()
class Invalid(Bowl):
    def evaluate(self): return {"val_loss": float("nan")}
invalid = Invalid()
class Raises(Bowl):
    def step(self, factors): raise ValueError("shapes (3,) and (4,) differ")
raises = Raises()
class Ends(Bowl):
    def step(self, factors): return next(iter(()))
ends = Ends()
"""


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    # Running a user's file makes it a module: it shall be gone for the next test.
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setitem(sys.modules, "trainings", None)
    path = tmp_path / "trainings.py"
    path.write_text(TRAININGS)
    return path


def found(result: Result) -> list[dict[str, Any]]:
    assert result.exit_code == 0, result.stderr
    return json.loads(result.stdout)


def test_it_prints_a_curve_suggestions_the_recommended_one_and_how_wrong_it_may_be(
    stepsize: Call, file: Path
) -> None:
    result = stepsize("find", file)
    assert result.exit_code == 0, result.stderr
    lines = result.stdout.splitlines()
    assert lines[0].strip().startswith("range test: loss, smoothed, over ")
    assert lines[1].split()[:3] == ["1e-6", "1e-5", "1e-4"]
    assert any(0x2800 < ord(character) < 0x2900 for character in result.stdout)
    suggested = [line.split()[0] for line in lines if re.match(r"  \S+ +\S+ +usually", line)]
    assert suggested == ["minimum/10", "steepest", "valley"]
    assert re.search(r"minimum/10 .* factor of 5 to 8 either way  <- recommended", result.stdout)
    assert "A range test brackets the rate; it does not choose it." in result.stdout


def test_scripts_get_json_and_nothing_else(stepsize: Call, file: Path) -> None:
    (one,) = found(stepsize("find", file, "--json", "--steps", 50))
    assert one["rate"] == one["suggestions"][one["recommended"]]["rate"]
    assert 0.02 < one["rate"] < 2
    assert one["swept"][0]["rate"] == one["rate"]
    assert len(one["rates"]) == len(one["losses"]) == len(one["smoothed"])
    assert one["bracket"][0] < one["rate"] < one["bracket"][1]


def test_the_sweep_is_as_asked_for(stepsize: Call, file: Path) -> None:
    asked = ["--low", 0.1, "--high", 1.0, "--steps", 10, "--linear"]
    (one,) = found(stepsize("find", file, "--json", *asked))
    assert one["rates"] == pytest.approx([0.1 * number for number in range(1, 11)])
    assert "0.28" in stepsize("find", file, *asked).stdout.splitlines()[1].split()


def test_the_validation_loss_can_be_watched(stepsize: Call, file: Path) -> None:
    (one,) = found(stepsize("find", file, "--json", "--metric", "val_loss", "--evaluate-every", 10))
    assert one["metric"] == "val_loss"
    assert one["positions"] == list(range(9, one["steps"], 10))
    assert any("which is not what was done" in doubt for doubt in one["doubts"])


def test_each_optimizer_is_searched_in_turn_and_one_if_asked(stepsize: Call, file: Path) -> None:
    both = found(stepsize("find", f"{file}:gan", "--json"))
    assert [each["title"] for each in both] == [f"range test of optimizer {n}" for n in (0, 1)]
    assert 0.02 < both[0]["rate"] < 2
    assert 0.0002 < both[1]["rate"] < 0.02
    (one,) = found(
        stepsize("find", f"{file}:gan", "--json", "--optimizer", 1, "--metric", "critic")
    )
    assert one["held"][0]["optimizer"] == 0
    assert one["metric"] == "critic"


def test_each_group_is_searched_in_turn_if_asked(stepsize: Call, file: Path) -> None:
    together = found(stepsize("find", f"{file}:grouped", "--json"))
    assert [group["name"] for group in together[0]["swept"]] == ["body", "head"]
    each = found(stepsize("find", f"{file}:grouped", "--json", "--per-group"))
    assert [one["title"] for one in each] == ["range test of 'body'", "range test of 'head'"]
    (last,) = found(stepsize("find", f"{file}:gan", "--json", "--per-group", "--optimizer", 1))
    assert last["swept"][0]["optimizer"] == 1


@pytest.mark.parametrize("name", ["training", "gan"])
def test_a_picture_can_be_had_of_one_sweep_and_of_several(
    stepsize: Call, file: Path, name: str
) -> None:
    picture = file.parent / "found.png"
    result = stepsize("find", f"{file}:{name}", "--plot", picture)
    assert result.exit_code == 0, result.stderr
    assert f"Wrote {picture}." in result.stderr
    assert picture.read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("training", ["--low", "2", "--high", "1"], "--low must lie below --high"),
        ("training", ["--steps", "2"], "at least 3"),
        ("training", ["--metric", "accuracy"], "'accuracy' is not one: step() measures 'loss'"),
        ("training", ["--plot", "found.bmp"], ".png, .svg, .pdf"),
        ("gan", ["--optimizer", "2"], "N must be the number of an optimizer, 0, 1"),
        ("constant", [], "the loss did not move: 'loss' was 2.5"),
        ("invalid", ["--metric", "val_loss"], "finite 'val_loss' before any step, but gave nan"),
        ("raises", [], "raised ValueError: shapes (3,) and (4,) differ"),
        ("ends", [], "the batches ended after 0 steps"),
        ("missing", [], "defines no 'missing'"),
    ],
    ids=str,
)
def test_a_mistake_is_one_message_with_exit_code_2(
    stepsize: Call, file: Path, name: str, options: list[str], message: str
) -> None:
    result = stepsize("find", f"{file}:{name}", *options)
    assert (result.exit_code, result.stdout) == (2, "")
    assert message in " ".join(result.stderr.split())
    assert "Traceback" not in result.stderr


# ------------------------------------------------------------------ while it runs


def shown_after(losses: list[float], screen: Console) -> str:
    """What the terminal shows after these losses of a sweep of 20 steps."""
    with LiveCurve(20, "range test", screen) as live:
        for taken, loss in enumerate(losses, 1):
            live(Tick(taken - 1, {"lr": 10.0**-taken}, {"loss": loss}))
    assert isinstance(screen.file, io.StringIO)
    return re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", screen.file.getvalue())


def test_on_a_terminal_the_curve_grows_while_it_runs() -> None:
    def terminal() -> Console:
        return Console(file=io.StringIO(), force_terminal=True, width=120)

    falling = [1 / taken for taken in range(1, 11)]
    half_way = shown_after(falling, terminal())
    assert re.search(r"█+[▂-▇]+▁+ +10/20 rate 1e-10  loss 0.1", half_way)
    rising = [1.0, 2.0, math.nan, 1e30, *[5.0] * 6]
    at_the_end = shown_after(falling + rising, terminal())
    assert re.search(r"▇+[▂-▆]+▁+[▂-█]+ +█+ 20/20 rate 1e-20  loss 5", at_the_end)
    assert re.search(r"range test +0/20 rate -  loss -", shown_after([], terminal()))
    assert re.search(r"range test +1/20 rate .*  loss nan", shown_after([math.nan], terminal()))


def test_a_terminal_without_blocks_gets_other_heights() -> None:
    class Plain(io.StringIO):
        encoding = "ascii"

    screen = Console(file=Plain(), force_terminal=True, width=120)
    assert re.search(r"#+[-.~=+*]+_+ +10/20 ", shown_after([2.0**-i for i in range(10)], screen))


def test_a_pipe_gets_no_control_characters(stepsize: Call, file: Path) -> None:
    result = stepsize("find", file)
    assert "\x1b" not in result.output
