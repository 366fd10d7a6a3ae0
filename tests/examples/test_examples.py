"""The examples are trainings that work: on this Python's text, on a small file like CIFAR-10's."""

import ast
import math
import pickle
import runpy
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from stepsize import Constant, TrainingError
from stepsize.record import read_runs
from stepsize.testing.training import check_training
from stepsize.training import run

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture(scope="module")
def text() -> dict[str, Any]:
    return runpy.run_path(str(EXAMPLES / "text.py"))


@pytest.fixture(scope="module")
def cifar10() -> dict[str, Any]:
    return runpy.run_path(str(EXAMPLES / "cifar10.py"))


# ------------------------------------------------------------------ text


def test_the_transformer_begins_knowing_nothing_and_learns(text: dict[str, Any]) -> None:
    training = text["training"](seed=1)
    before = training.evaluate()["val_loss"]
    assert before == pytest.approx(math.log(128), abs=0.4)
    assert run(training, Constant(3.0), steps=30).metrics["val_loss"] < before - 1.5


def test_the_transformer_sees_no_character_before_it_has_guessed_it(text: dict[str, Any]) -> None:
    torch.manual_seed(0)
    model = text["Transformer"]().eval()
    characters = torch.randint(128, (1, 64))
    changed = characters.clone()
    changed[0, 40:] = (changed[0, 40:] + 1) % 128
    before, after = model(characters), model(changed)
    torch.testing.assert_close(before[:, :40], after[:, :40])
    assert not torch.allclose(before[:, 40], after[:, 40])


def test_each_guess_is_judged_by_the_character_that_follows(text: dict[str, Any]) -> None:
    sequence = torch.arange(100, dtype=torch.uint8)
    seen, following = text["windows"](sequence, torch.tensor([0, 7]))
    assert seen[1].tolist() == list(range(7, 71))
    assert following[1].tolist() == list(range(8, 72))


def test_the_transformer_is_a_training(text: dict[str, Any]) -> None:
    check_training(lambda: text["training"](seed=2), steps=2)


def test_another_seed_is_another_training(text: dict[str, Any]) -> None:
    first, second = (text["training"](seed).step({"lr": [1.0]}).metrics["loss"] for seed in (0, 1))
    assert first != second


def test_stepsize_run_takes_the_file_as_it_is(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "stepsize.cli", "run", str(EXAMPLES / "text.py")]
    done = subprocess.run(
        [*command, "--steps", "20", "--rate", "0.003", "--record", "runs.db"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    (recorded,) = read_runs(tmp_path / "runs.db")
    assert len(recorded["loss"].values) == 20
    assert recorded.summary["val_loss"] < 4.5


# ------------------------------------------------------------------ CIFAR-10


def write_batch(path: Path, labels: list[int], pixel: Callable[..., int]) -> None:
    """A file of the binary version: per image a label, then three planes of 32 rows."""
    content = bytearray()
    for image, label in enumerate(labels):
        content.append(label)
        content.extend(
            pixel(image, channel, row, column) % 256
            for channel in range(3)
            for row in range(32)
            for column in range(32)
        )
    path.write_bytes(content)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for number in range(1, 6):
        write_batch(
            tmp_path / f"data_batch_{number}.bin",
            [number, 9, 0],
            lambda image, channel, row, column: 100 * channel + 3 * row + column + image,
        )
    write_batch(tmp_path / "test_batch.bin", [3, 4], lambda *place: sum(place))
    return tmp_path


def test_labels_and_pixels_are_where_the_format_says(folder: Path, cifar10: dict[str, Any]) -> None:
    images, labels = cifar10["read"](folder, cifar10["TRAIN"])
    assert labels.tolist() == [1, 9, 0, 2, 9, 0, 3, 9, 0, 4, 9, 0, 5, 9, 0]
    assert images.shape == (15, 3, 32, 32)
    for image, channel, row, column in np.random.default_rng(0).integers(
        0, [15, 3, 32, 32], (50, 4)
    ):
        wanted = (100 * channel + 3 * row + column + image % 3) % 256
        assert images[image, channel, row, column] == wanted


def test_the_network_is_a_training_and_fits_a_few_images(
    folder: Path, cifar10: dict[str, Any]
) -> None:
    check_training(lambda: cifar10["training"](0, folder), steps=2)
    training = cifar10["training"](0, folder)
    before = training.evaluate()
    outcome = run(training, Constant(0.3), steps=8)
    assert set(before) == {"val_loss", "accuracy"}
    assert outcome.steps == 8
    losses = [training.step({"lr": [0.0]}).metrics["loss"] for _ in range(2)]
    assert max(losses) < math.log(10)


def test_the_folder_can_be_named_in_the_environment(
    folder: Path, cifar10: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CIFAR10", str(folder))
    assert cifar10["training"]().evaluate()["accuracy"] in (0.0, 0.5, 1.0)


def test_a_missing_folder_names_the_public_origin(tmp_path: Path, cifar10: dict[str, Any]) -> None:
    with pytest.raises(TrainingError, match=r"no file .*data_batch_1\.bin.*cs\.toronto\.edu/~kriz"):
        cifar10["training"](0, tmp_path / "nowhere")


@pytest.mark.parametrize(
    "content",
    [b"", b"\0" * 3_072, bytes([10]) + b"\0" * 3_072, pickle.dumps({"data": [1, 2]})],
    ids=["empty", "a byte short", "label 10", "pickle"],
)
def test_another_file_is_refused(folder: Path, cifar10: dict[str, Any], content: bytes) -> None:
    (folder / "data_batch_3.bin").write_bytes(content)
    with pytest.raises(TrainingError, match=r"data_batch_3\.bin' is no file of CIFAR-10's binary"):
        cifar10["training"](0, folder)


def test_no_example_can_read_a_pickle() -> None:
    for path in EXAMPLES.glob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        named = {
            alias.name
            for node in ast.walk(tree)
            if isinstance(node, ast.Import | ast.ImportFrom)
            for alias in node.names
        }
        called = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
        assert named.isdisjoint({"pickle", "dill", "joblib"})
        assert called.isdisjoint({"load", "loads"})
