"""``stepsize trials``: a table, a picture, a record and JSON from one file and some schedules."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from stepsize import Linear
from stepsize.record import read_runs
from stepsize.testing.training import Bowl
from stepsize.training import trials

Call = Callable[..., Result]

BOWL = """
from stepsize.testing.training import Bowl
def training(seed): return Bowl(rate=0.3, noise=0.2, seed=seed)
def unseeded(seed): return Bowl(rate=0.3, noise=0.2)
ready = Bowl()
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "bowl.py").write_text(BOWL)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_table_the_picture_and_the_record_are_of_the_same_runs(
    stepsize: Call, folder: Path
) -> None:
    outputs = ["--record", "runs.db", "--plot", "out.png"]
    schedules = ["Linear(30)", "flat = Constant()"]
    done = stepsize("trials", "bowl.py", *schedules, "--steps", 30, "--seeds", 2, *outputs)
    assert done.exit_code == 0, done.stderr
    assert "difference from 'Linear(30)' on the same seeds:" in done.stdout
    assert (folder / "out.png").read_bytes().startswith(b"\x89PNG")
    recorded = read_runs(folder / "runs.db")
    assert [(each.name, each.config["seed"]) for each in recorded] == [
        ("Linear(30)", 0),
        ("flat", 0),
        ("Linear(30)", 1),
        ("flat", 1),
    ]
    alone = trials(lambda seed: Bowl(rate=0.3, noise=0.2, seed=seed), {"a": Linear(30)}, 30, 2)
    assert [each["loss"].values.tolist() for each in recorded if each.name != "flat"] == [
        one.losses.tolist() for one in alone.runs["a"]
    ]


def test_json_is_all_there_is_on_standard_output(stepsize: Call, folder: Path) -> None:
    command = ["trials", "bowl.py", "a = Linear(9)", "b = Constant()", "--steps", "9", "--json"]
    done = stepsize(*command, "--plot", "out.png")
    assert done.exit_code == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["seeds"] == [0, 1, 2]
    assert set(told["policies"]) == {"a", "b"}
    measured = told["policies"]["b"]["val_loss"]
    assert len(measured["values"]) == 3
    assert measured["interval"]["count"] == 3


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere.py", "Linear(9)"], "there is no such file"),
        (
            ["bowl.py:missing", "Linear(9)"],
            "returns a TorchTraining, but defines no 'missing'",
        ),
        (["bowl.py:ready", "Linear(9)"], "must be a function of the seed"),
        (["bowl.py:unseeded", "Linear(9)"], "the seed must decide"),
        (["bowl.py", "Linear(-1)"], "steps must be"),
        (["bowl.py"], "Missing argument 'SPEC...'"),
        (
            ["bowl.py", "Linear(9)", "--metric", "bleu", "--plot", "out.png"],
            "metric must be",
        ),
        (["bowl.py", "Linear(9)", "--plot", "out.bmp"], "out.bmp"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_mistake_is_one_message_with_exit_code_2(
    stepsize: Call, folder: Path, arguments: list[str], message: str
) -> None:
    done = stepsize("trials", *arguments, "--steps", 9)
    assert done.exit_code == 2
    assert message in " ".join(done.stderr.split())
    assert {each.name for each in folder.iterdir()} <= {"bowl.py", "__pycache__"}
