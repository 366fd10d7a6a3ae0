"""Checkpoints: whole or absent, checked when read, and the way on is the one not interrupted."""

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stepsize import Constant, InvalidValue, Linear, Policy, StateMismatch
from stepsize.controllers import Guard
from stepsize.errors import InvalidType, StateError, StepsizeWarning
from stepsize.signals import Observation, Tick
from stepsize.testing.training import Bowl
from stepsize.training import run

POLICY = Policy(Linear(150), [Guard()])
STEPS = 130


class Killed(BaseException):
    """Stands for the end of a process: nothing may catch it and go on."""


def faulty(stream: Any) -> Any:
    """A run with rewinds of all kinds."""
    bad = dict.fromkeys([33, 70, 71], lambda batch: (batch[0], batch[1] * math.nan))
    return stream(rate=1.5, changed=bad)


@settings(max_examples=8)
@given(every=st.integers(5, 60), ticks=st.integers(0, 250))
def test_an_interrupted_run_goes_on_as_if_it_had_not_been(
    stream: Any, tmp_path_factory: pytest.TempPathFactory, every: int, ticks: int
) -> None:
    straight, interrupted, resumed = faulty(stream), faulty(stream), faulty(stream)
    whole = run(straight, POLICY, STEPS)
    assert {1.0} < {each.factor for _, each in whole.decisions}
    folder = tmp_path_factory.mktemp("checkpoints")

    left = iter(range(ticks))

    def kill(tick: Tick) -> None:
        if next(left, None) is None:
            raise Killed

    with suppress(Killed):
        run(interrupted, POLICY, STEPS, [kill], checkpoints=folder, every=every)
    outcome = run(resumed, POLICY, STEPS, checkpoints=folder, every=every)
    assert np.array_equal(resumed.weights, straight.weights)
    assert resumed.used == straight.used
    assert outcome == whole


def test_a_finished_run_that_is_called_again_takes_no_step(stream: Any, tmp_path: Path) -> None:
    first = run(stream(), POLICY, 60, checkpoints=tmp_path, every=20)
    again = stream()
    ticks: list[Tick] = []
    second = run(again, POLICY, 60, [ticks.append], checkpoints=tmp_path, every=20)
    assert second == first
    assert (again.taken, ticks) == (0, [])


def test_a_longer_run_goes_on_where_the_shorter_ended(stream: Any, tmp_path: Path) -> None:
    straight = stream()
    run(straight, POLICY, 90)
    run(stream(), POLICY, 45, checkpoints=tmp_path)
    longer = stream()
    run(longer, POLICY, 90, checkpoints=tmp_path)
    assert np.array_equal(longer.weights, straight.weights)


def test_the_last_two_checkpoints_are_kept_and_nothing_else(stream: Any, tmp_path: Path) -> None:
    (tmp_path / "snapshots").mkdir()
    (tmp_path / "snapshots" / "dead.blob.123.part").write_bytes(b"half")
    run(stream(), POLICY, 100, checkpoints=tmp_path, every=10)
    names = sorted(path.name for path in tmp_path.iterdir() if path.is_file())
    assert names == ["checkpoint-000000000090.json", "checkpoint-000000000100.json"]
    named = set[str]()
    for name in names:
        body = json.loads((tmp_path / name).read_bytes().partition(b"\n")[2])
        named |= {body["training"], *(each["snapshot"] for each in body["ring"])}
    assert {path.name for path in (tmp_path / "snapshots").iterdir()} == {
        f"{n}.blob" for n in named
    }


# ------------------------------------------------------------------ damage


def _cut_short(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-7])


def _flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def _snapshot_of(path: Path) -> Path:
    name = json.loads(path.read_bytes().partition(b"\n")[2])["training"]
    return path.parent / "snapshots" / f"{name}.blob"


@pytest.mark.parametrize("damage", [_cut_short, _flip, lambda path: path.write_bytes(b"")])
@pytest.mark.parametrize("of", [lambda path: path, _snapshot_of])
def test_a_damaged_newest_checkpoint_is_said_and_the_one_before_taken(
    stream: Any, tmp_path: Path, damage: Any, of: Any
) -> None:
    straight = stream()
    run(straight, POLICY, 100)
    run(stream(), POLICY, 80, checkpoints=tmp_path, every=20)
    damage(of(max(tmp_path.glob("*.json"))))
    resumed = stream()
    with pytest.warns(
        StepsizeWarning, match=r"going on from checkpoint-0*60\.json, because .*dama"
    ):
        run(resumed, POLICY, 100, checkpoints=tmp_path, every=20)
    assert resumed.taken == 40
    assert np.array_equal(resumed.weights, straight.weights)


def test_where_all_are_damaged_nothing_is_guessed(stream: Any, tmp_path: Path) -> None:
    run(stream(), POLICY, 40, checkpoints=tmp_path, every=20)
    for path in tmp_path.glob("*.json"):
        _flip(path)
    with pytest.raises(StateError, match="must have the checksum in its first line"):
        run(stream(), POLICY, 60, checkpoints=tmp_path)


def _with_checksum(text: bytes) -> bytes:
    return hashlib.sha256(text).hexdigest().encode() + b"\n" + text


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"[]", "no checkpoint"),
        (b"{", "no checkpoint"),
        (b'{"version": 9}', "version 9, and this stepsize reads version 1"),
        (b'{"version": 1, "progress": 3}', "no checkpoint of such a run"),
    ],
)
def test_a_file_that_is_no_checkpoint_is_named(
    stream: Any, tmp_path: Path, text: bytes, message: str
) -> None:
    (tmp_path / "checkpoint-000000000010.json").write_bytes(_with_checksum(text))
    with pytest.raises(StateError, match=message):
        run(stream(), POLICY, 20, checkpoints=tmp_path)


# ------------------------------------------------------------------ another configuration


def test_another_schedule_is_said_and_the_code_holds(stream: Any, tmp_path: Path) -> None:
    run(stream(), Linear(100), 40, checkpoints=tmp_path)
    ticks: list[Tick] = []
    with pytest.warns(StateMismatch, match=r"saved with Linear\(100\), now Constant\(value=0\.5\)"):
        run(stream(), Constant(0.5), 50, [ticks.append], checkpoints=tmp_path)
    assert [tick.quantities["lr"] for tick in ticks] == [0.05] * 10


def test_other_controllers_start_anew(stream: Any, tmp_path: Path) -> None:
    run(stream(), Policy(Linear(100)), 40, checkpoints=tmp_path)
    with pytest.warns(StateMismatch, match=r"0 controller\(s\), now 1, which start anew"):
        run(stream(), Policy(Linear(100), [Guard()]), 50, checkpoints=tmp_path)


class Untidy:
    """A controller whose memory is no plain data."""

    def init(self) -> Any:
        return (0, 0)

    def observe(self, state: Any, observation: Observation) -> tuple[Any, Sequence[Any]]:
        return state, ()


def test_a_memory_that_is_no_plain_data_is_refused(stream: Any, tmp_path: Path) -> None:
    with pytest.raises(StateError, match=r"memory is plain data.*but is \(0, 0\)"):
        run(stream(), Policy(Constant(), [Untidy()]), 10, checkpoints=tmp_path)


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        ({"checkpoints": 3}, InvalidType, "a folder is a str"),
        ({"every": 0}, InvalidValue, "every must be a whole number"),
    ],
)
def test_a_bad_argument_is_named(
    stream: Any, given: Mapping[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        run(stream(), POLICY, 10, **given)


def test_a_training_that_cannot_be_packed_is_refused_before_the_first_step(tmp_path: Path) -> None:
    with pytest.raises(InvalidType, match=r"pack\(snapshot\) and unpack\(bytes\), but Bowl has"):
        run(Bowl(), POLICY, 10, checkpoints=tmp_path)
