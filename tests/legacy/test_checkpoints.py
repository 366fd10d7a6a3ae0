"""A run that version 0.1.0 began goes on, and ends, as it would have with that version."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.legacy.runs import RUNS

DATA = Path(__file__).parent / "data" / "checkpoints"

ROUNDED = ["torch_adamw"]
"""Whose numbers are rounded, and so may differ in their last digits on another processor."""


@pytest.mark.parametrize("name", RUNS)
def test_an_interrupted_run_goes_on_as_if_it_had_not_been(name: str, tmp_path: Path) -> None:
    folder = shutil.copytree(DATA / name, tmp_path / name)
    expected = json.loads((DATA / f"{name}.json").read_text())
    went_on = RUNS[name].go_on(folder)
    # The words of what is decided now may be others; those of what was decided then are not.
    reasons, expected_reasons = went_on.pop("reasons"), expected.pop("reasons")
    decided = len(_checkpoint(DATA / name)["progress"]["decisions"])
    assert reasons[:decided] == expected_reasons[:decided]
    if name in ROUNDED:
        assert _digits(went_on) == _digits(expected)
    else:
        assert went_on == expected


def test_what_is_gone_on_from_was_saved_in_the_middle() -> None:
    for name, each in RUNS.items():
        progress = _checkpoint(DATA / name)["progress"]
        assert 0 < progress["position"] < each.steps


def _checkpoint(folder: Path) -> Any:
    [path] = folder.glob("checkpoint-*.json")
    return json.loads(path.read_bytes().partition(b"\n")[2])


def _digits(value: Any) -> Any:
    """Twelve digits of every number."""
    if isinstance(value, dict):
        return {key: _digits(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_digits(each) for each in value]
    return f"{value:.11e}" if isinstance(value, float) else value
