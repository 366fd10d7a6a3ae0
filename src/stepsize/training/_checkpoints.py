"""Checkpoints of a run, from which it goes on as if it had not been interrupted.

    folder/checkpoint-<position>.json   the progress, after a line with the SHA-256 of the rest
    folder/snapshots/<sha256>.blob      the training, and the ring that a rewind would go back to

Snapshots are written before the checkpoint that names them, and removed after the last one that
does. So a kill at any moment leaves the last checkpoint whole.
"""

import hashlib
import json
import os
import re
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Any, Final

from stepsize.checks import MOST_STEPS, Range, checked_instance, checked_whole_number
from stepsize.driving import Driven, Driver, Progress, load, reasons_of, save
from stepsize.errors import InvalidType, StateError, StateMismatch, StepsizeWarning
from stepsize.files import ContentStore, remove_all_but, write_whole
from stepsize.messages import Message, Text
from stepsize.signals import Decision, Rewind, Scale, Stop
from stepsize.training._abilities import CanPack
from stepsize.training._loop import Loop, RunProgress, SavedBeside
from stepsize.training._protocol import Training
from stepsize.training.snapshots import Snapshots

__all__ = ["Checkpoints"]

_VERSIONS: Final = (1, 2)
_CHECKPOINTS_KEPT: Final = 2
_COUNTS: Final = ("position", "consumed", "skipped", "skipped_in_a_row")
_FROM_0: Final = Range(minimum=0, maximum=MOST_STEPS)
_NAMES = r"checkpoint-\d{12,}\.json"
_DECISIONS: Mapping[str, type[Decision]] = {each.__name__: each for each in (Scale, Rewind, Stop)}


class Checkpoints:
    """The checkpoints of one run.

    Args:
        folder: Where they lie.
        training: What is saved; it packs its snapshots.

    Raises:
        InvalidType: It cannot.
        InvalidValue: There can be no such folder.
    """

    def __init__(self, folder: str | os.PathLike[str], training: Training) -> None:
        if not isinstance(folder, str | os.PathLike):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise InvalidType(
                f"run(..., checkpoints={folder!r})",
                "{checkpoints} is a folder: a str or an os.PathLike",
                f"is a {type(folder).__name__}",
                argument="checkpoints",
            )
        if not isinstance(training, CanPack):
            raise InvalidType(
                f"run(..., checkpoints={str(folder)!r})",
                "{checkpoints} need a training with pack(snapshot) and unpack(bytes)",
                f"{type(training).__name__} has none",
                "Write them, or use TorchTraining.",
                "checkpoints",
            )
        self._folder = Path(folder)
        self._training: Training = training
        self._packer: CanPack = training
        self._blobs = ContentStore(
            self._folder / "snapshots", f"run(..., checkpoints={str(folder)!r})"
        )
        self._named: dict[Path, frozenset[str]] = {}

    # ---------------------------------------------------------------- writing

    def save(self, loop: Loop, *, evaluated: bool = True) -> None:
        """Write the run as it is now.

        Args:
            loop: The run.
            evaluated: Whether the evaluation at this position, if there is one, is done.
        """
        training = self._blobs.put(self._packer.pack(self._training.snapshot()))
        ring = loop.snapshots
        snapshots: Sequence[str] = () if ring is None else ring.store(self._blobs)
        body: Mapping[str, Any] = {
            "version": _VERSIONS[-1],
            "evaluated": evaluated,
            "progress": _saved_progress(loop.progress),
            "driven": save([Driven(loop.driver, loop.driven, loop.progress.position)]),
            "training": training,
            "ring": [] if ring is None else _saved_ring(loop.driver, ring, snapshots),
            "ring_has_start": ring is not None and ring.has_start,
        }
        text = json.dumps(body).encode()
        path = self._folder / f"checkpoint-{loop.progress.position:012d}.json"
        write_whole(path, hashlib.sha256(text).hexdigest().encode() + b"\n" + text)
        # After a rewind the position may be lower than that of checkpoints of the given-up future.
        self._named.pop(path, None)
        self._named[path] = frozenset([training, *snapshots])
        self._remove_all_but_the_last()

    def _remove_all_but_the_last(self) -> None:
        wanted = dict(list(self._named.items())[-_CHECKPOINTS_KEPT:])
        remove_all_but({path.name for path in wanted}, self._folder, _NAMES)
        self._named = wanted
        self._blobs.keep_only(frozenset[str]().union(*wanted.values()))

    # ---------------------------------------------------------------- reading

    def resume(self, loop: Loop) -> bool:
        """Go on from the last checkpoint that is whole; without any, from the start.

        Returns:
            Whether the evaluation at the position reached, if there is one, is still to come.
        """
        written = (path for path in self._folder.iterdir() if re.fullmatch(_NAMES, path.name))
        paths = sorted(written, key=_age, reverse=True)
        failures: list[StateError] = []
        for path in paths:
            try:
                body = _read(path)
                self._load(loop, path, body)
            except StateError as failure:
                failures.append(failure)
                continue
            if failures:
                message = Message(
                    "run(..., checkpoints={folder:code}): going on from {path:name}, because "
                    "{failure:text}",
                    folder=repr(str(self._folder)),
                    path=path.name,
                    failure=str(failures[0]),
                )
                warnings.warn(str(message), StepsizeWarning, stacklevel=3)
            # Absent in checkpoints of before it was saved.
            return not body.get("evaluated", True)
        if failures:
            raise failures[0]
        return False

    def _load(self, loop: Loop, path: Path, body: Mapping[str, Any]) -> None:
        read = _read_driven if body.get("version") != 1 else _read_driven_of_version_1
        try:
            progress = _read_progress(body["progress"])
            driven, differences = read(loop, body)
            ring = [
                (
                    _count("position", each["position"]),
                    str(each["snapshot"]),
                    SavedBeside(
                        _count("consumed", each["consumed"]),
                        tuple(map(_loss, each["losses"])),
                        loop.driver.states(read(loop, each)[0]),
                    ),
                )
                for each in body["ring"]
            ]
            name: str = body["training"]
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
            raise _no_checkpoint(path, error) from error
        snapshot = self._packer.unpack(self._blobs.get(name))
        if loop.snapshots is not None:
            loop.snapshots.load(self._blobs, ring, bool(body.get("ring_has_start", False)))
        self._training.restore(snapshot)
        loop.progress, loop.driven = progress, driven
        self._named[path] = frozenset([name, *(stored for _, stored, _ in ring)])
        if differences:
            message = Message(
                "run(..., checkpoints={folder:code}): the checkpoint belongs to another "
                "configuration; the position is taken from it, and what the code says holds. "
                "{differences:message}.",
                folder=repr(str(self._folder)),
                differences=reasons_of(differences),
            )
            warnings.warn(str(message), StateMismatch, stacklevel=4)


def _no_checkpoint(path: Path, error: Exception) -> StateError:
    return StateError(
        f"reading {str(path)!r}",
        "the folder holds checkpoints of this run",
        f"reading one fails with {error!r}",
        "Give each run a folder of its own.",
    )


def _age(path: Path) -> tuple[int, str]:
    return path.lstat().st_mtime_ns, path.name


def _read(path: Path) -> Mapping[str, Any]:
    try:
        checksum, _, text = path.read_bytes().partition(b"\n")
    except OSError as error:
        raise StateError(
            f"reading {str(path)!r}",
            "a checkpoint must be a file that can be read",
            str(error),
            "Restore it from a copy, or delete it.",
        ) from error
    if hashlib.sha256(text).hexdigest().encode() != checksum:
        raise StateError(
            f"reading {str(path)!r}",
            "a checkpoint must have the checksum in its first line",
            "has another: it was damaged or cut short",
            "Restore it from a copy, or delete it.",
        )
    try:
        body: Mapping[str, Any] = json.loads(text)
        version = body.get("version")
    except (ValueError, AttributeError) as error:
        raise _no_checkpoint(path, error) from error
    if version not in _VERSIONS:
        raise StateError(
            f"reading {str(path)!r}",
            f"this stepsize reads the versions {_VERSIONS[0]} to {_VERSIONS[-1]}",
            f"the checkpoint has version {version!r}",
            "Resume with the stepsize that wrote it.",
        )
    return body


# ------------------------------------------------------------------ plain data


def _saved_progress(progress: RunProgress) -> dict[str, Any]:
    return {
        **asdict(replace(progress, decisions=[])),
        "passing": sorted(progress.passing),
        "decisions": [
            [at, type(decision).__name__, _saved_decision(decision)]
            for at, decision in progress.decisions
        ],
    }


def _saved_decision(decision: Decision) -> dict[str, Any]:
    saved = {each.name: getattr(decision, each.name) for each in fields(decision)}
    reason = saved["reason"]
    return {**saved, "reason": reason.to_dict() if isinstance(reason, Message) else reason}


def _read_progress(saved: Mapping[str, Any]) -> RunProgress:
    first, stopped = saved["first_loss"], saved["stopped"]
    return RunProgress(
        **{name: _count(name, saved[name]) for name in _COUNTS},
        passing={_count("passing", each) for each in saved["passing"]},
        first_loss=None if first is None else _loss(first),
        losses=[_loss(each) for each in saved["losses"]],
        stopped=None if stopped is None else _text(stopped),
        decisions=[
            (_count("position", at), _read_decision(kind, given))
            for at, kind, given in saved["decisions"]
        ],
    )


def _count(name: str, saved: Any) -> int:
    return checked_whole_number("RunProgress(...)", name, saved, _FROM_0)


def _loss(saved: Any) -> float:
    """Any number, NaN too."""
    if isinstance(saved, bool) or not isinstance(saved, int | float):
        raise InvalidType("RunProgress(...)", "a loss is a number", f"is {saved!r}")
    return float(saved)


def _text(saved: Any) -> str:
    return checked_instance("RunProgress(...)", "stopped", saved, str, "a text", "")


def _read_decision(kind: str, saved: Mapping[str, Any]) -> Decision:
    reason = saved["reason"]
    told: Text = reason if isinstance(reason, str) else Message.from_dict(reason)
    given: dict[str, Any] = {**saved, "reason": told}
    return _DECISIONS[kind](**given)


def _saved_ring(
    driver: Driver, ring: Snapshots[SavedBeside], names: Sequence[str]
) -> Sequence[Mapping[str, Any]]:
    return [
        {
            "position": position,
            "snapshot": name,
            "consumed": beside.consumed,
            "losses": list(beside.losses),
            "driven": save([Driven(driver, Progress(beside.states), position)]),
        }
        for position, name, beside in zip(ring.positions, names, ring.besides, strict=True)
    ]


def _read_driven(loop: Loop, saved: Mapping[str, Any]) -> tuple[Progress, Sequence[Message]]:
    [loaded] = load([loop.driver], saved["driven"])
    return loaded.progress, (*loaded.bases, *loaded.differences)


def _read_driven_of_version_1(
    loop: Loop, saved: Mapping[str, Any]
) -> tuple[Progress, Sequence[Message]]:
    """As the driver saves it today: then each track had a name, and no clock of its own."""
    names = {track: name for track, name in loop.track_names.items() if name in saved["states"]}
    schedules: Mapping[str, str] = saved.get("schedules", {})
    quantities: dict[str, Any] = {
        str(key): {
            "bases": {},
            "by_hand": {},
            "tracks": [
                {
                    "rule": track.rule,
                    "start": 0,
                    "schedule": schedules.get(name, repr(loop.driver.policy(track).schedule)),
                    "progress": saved["states"][name],
                }
                for track, name in names.items()
                if track.key == key
            ],
        }
        for key in dict.fromkeys(track.key for track in names)
    }
    optimizer: dict[str, Any] = {"position": 0, "starts": {}, "quantities": quantities}
    [loaded] = load([loop.driver], {"version": 1, "optimizers": [optimizer]})
    return loaded.progress, loaded.differences
