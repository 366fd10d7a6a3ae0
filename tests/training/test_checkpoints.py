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

from stepsize import Constant, InvalidValue, Linear, Policy, Scale, StateMismatch
from stepsize.controllers import EarlyStop, Guard, Plateau
from stepsize.errors import InvalidType, StateError, StepsizeWarning
from stepsize.signals import Observation, Tick
from stepsize.testing.training import Bowl
from stepsize.training import Ring, run

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
    (tmp_path / "snapshots" / f"{'0a' * 32}.blob.123.part").write_bytes(b"half")
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


def test_nothing_is_removed_that_somebody_else_wrote(stream: Any, tmp_path: Path) -> None:
    checkpoints, ring = tmp_path / "checkpoints", tmp_path / "ring"
    files = [
        checkpoints / "checkpoint-best.pt",
        checkpoints / "checkpoint-500" / "model.pt",
        checkpoints / "checkpoint-000000000001.json.bak",
        checkpoints / "snapshots" / "mine.blob",
        checkpoints / "snapshots" / "download.part",
        checkpoints / "snapshots" / f"{'0a' * 32}.blob" / "a_folder",
        ring / "data.blob",
        ring / "data.part",
    ]
    for path in files:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("mine")
    run(stream(), POLICY, 60, checkpoints=checkpoints, every=10, ring=Ring(10, folder=ring))
    assert [path.read_text() for path in files] == ["mine"] * len(files)
    assert len([*checkpoints.glob("checkpoint-*0.json")]) == 2


class Ears:
    """A controller that remembers the evaluations, and cuts at every second one."""

    def init(self) -> list[float]:
        return []

    def observe(
        self, state: list[float], observation: Observation
    ) -> tuple[list[float], Sequence[Any]]:
        if "val_loss" not in observation.metrics:
            return state, ()
        heard = [*state, observation.metrics["val_loss"]]
        return heard, () if len(heard) % 2 else (Scale(0.8, f"heard {heard}"),)


@pytest.mark.parametrize("end", [0, 50, 60, 100])
def test_a_longer_run_sees_the_evaluations_of_the_one_that_was_never_shorter(
    stream: Any, tmp_path: Path, end: int
) -> None:
    class Evaluated(stream):
        def evaluate(self) -> Mapping[str, float]:
            return {"val_loss": float(np.abs(self.weights).sum())}

    policy, straight, longer = Policy(Constant(), [Ears()]), Evaluated(), Evaluated()
    whole = run(straight, policy, 160, evaluate_every=20)
    run(Evaluated(), policy, end, evaluate_every=20, checkpoints=tmp_path, every=20)
    outcome = run(longer, policy, 160, evaluate_every=20, checkpoints=tmp_path, every=20)
    assert outcome == whole
    assert np.array_equal(longer.weights, straight.weights)


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


def test_a_newest_checkpoint_that_cannot_be_read_is_passed_over(
    stream: Any, tmp_path: Path
) -> None:
    run(stream(), POLICY, 80, checkpoints=tmp_path, every=20)
    (tmp_path / "checkpoint-000000000090.json").mkdir()
    (tmp_path / "checkpoint-000000000095.json").symlink_to(tmp_path / "nowhere")
    resumed = stream()
    with pytest.warns(StepsizeWarning, match=r"080\.json, because .*a file that can be read"):
        run(resumed, POLICY, 100, checkpoints=tmp_path, every=20)
    assert resumed.taken == 20


def test_a_damaged_snapshot_is_written_anew(stream: Any, tmp_path: Path) -> None:
    run(stream(), POLICY, 60, checkpoints=tmp_path, every=20)
    damaged = _snapshot_of(max(tmp_path.glob("*.json")))
    _cut_short(damaged)
    with pytest.warns(StepsizeWarning, match="going on from"):
        run(stream(), POLICY, 60, checkpoints=tmp_path, every=20)
    resumed = stream()
    run(resumed, POLICY, 70, checkpoints=tmp_path, every=20)
    assert resumed.taken == 10


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
        (b"[]", "holds checkpoints of this run"),
        (b"{", "holds checkpoints of this run"),
        (b'{"version": 9}', "reads the versions 1 to 2, but the checkpoint has version 9"),
        (b'{"version": 1, "progress": 3}', "holds checkpoints of this run"),
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
    with pytest.warns(StateMismatch, match=r"controllers \[\], now \[Guard.*start anew"):
        run(stream(), Policy(Linear(100), [Guard()]), 50, checkpoints=tmp_path)


def test_of_other_controllers_each_that_stayed_keeps_its_memory(
    stream: Any, tmp_path: Path
) -> None:
    early, late = Plateau(metric="val_loss", patience=3), Plateau(metric="loss", patience=60)
    stop = EarlyStop(metric="loss", patience=100)
    run(stream(), Policy(Linear(100), [early, late]), 40, checkpoints=tmp_path)
    ticks: list[Tick] = []
    with pytest.warns(StateMismatch) as caught:
        run(stream(), Policy(Linear(100), [stop, late]), 50, [ticks.append], checkpoints=tmp_path)
    assert f"saved with the controllers [{early!r}, {late!r}]" in str(caught[0].message)
    assert f"now [{stop!r}, {late!r}]; those that differ start anew" in str(caught[0].message)
    body = json.loads(max(tmp_path.glob("*.json")).read_bytes().partition(b"\n")[2])
    fresh = stop.observe(stop.init(), Observation(ticks[0].metrics))[0].keys()
    first, second = _progress_of_lr(body["driven"])["memories"]
    assert first.keys() == fresh
    assert second.keys() == late.init().keys()


def _progress_of_lr(driven: Any) -> Any:
    saved = json.loads(driven) if isinstance(driven, str) else driven
    return saved["optimizers"][0]["quantities"]["lr"]["tracks"][0]["progress"]


def test_a_checkpoint_from_before_controllers_had_texts_is_read(
    stream: Any, tmp_path: Path
) -> None:
    run(stream(), POLICY, 40, checkpoints=tmp_path)
    (path,) = tmp_path.glob("*.json")
    body = json.loads(path.read_bytes().partition(b"\n")[2])
    del body["evaluated"]
    for each in (body, *body["ring"]):
        driven = json.loads(each["driven"])
        del _progress_of_lr(driven)["controllers"]
        each["driven"] = json.dumps(driven)
    path.write_bytes(_with_checksum(json.dumps(body).encode()))
    resumed = stream()
    run(resumed, POLICY, 50, checkpoints=tmp_path)
    assert resumed.taken == 10


def test_an_object_without_a_text_of_its_own_is_the_same_controller_in_another_process() -> None:
    one, other = Policy(Constant(), [Ears()]), Policy(Constant(), [Ears()])
    state, _ = one.observe(one.init(), Observation({"val_loss": 3.0}))
    assert repr(one.controllers[0]) != repr(other.controllers[0])
    assert other.load(one.save(state)) == (state, ())


@pytest.mark.parametrize(
    ("controllers", "message"),
    [
        (Guard(), r"controllers must be a list, but is a Guard\. Write \[Guard\(\)\]\."),
        ([Guard], r"but <class '.*Guard'> is a class\. Write Guard\(\.\.\.\)\."),
        (["guard"], r"has init\(\) and observe.* but 'guard' is a str\."),
    ],
)
def test_what_is_no_list_of_controllers_is_named(controllers: Any, message: str) -> None:
    with pytest.raises(InvalidType, match=rf"Policy\(\.\.\., controllers=.*{message}"):
        Policy(Constant(), controllers)


class Untidy:
    """A controller whose memory is no plain data."""

    def init(self) -> Any:
        return (0, 0)

    def observe(self, state: Any, observation: Observation) -> tuple[Any, Sequence[Any]]:
        return state, ()


def test_a_memory_that_is_no_plain_data_is_refused(stream: Any, tmp_path: Path) -> None:
    with pytest.raises(StateError, match=r"memory: it is plain data.*but is \(0, 0\)"):
        run(stream(), Policy(Constant(), [Untidy()]), 10, checkpoints=tmp_path)


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        ({"checkpoints": 3}, InvalidType, "is a folder: a str"),
        ({"every": 0}, InvalidValue, "every must be a whole number"),
        (
            {"checkpoints": __file__},
            InvalidValue,
            r"checkpoints='.*\.py'\): files are written into a folder, .* Name a folder",
        ),
        (
            {"ring": Ring(folder=__file__)},
            InvalidValue,
            r"ring=Ring\(.*\)\): files are written into a folder, .* Name a folder",
        ),
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
