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
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from stepsize.errors import InvalidType, StateError, StateMismatch, StepsizeWarning
from stepsize.files import ContentStore, remove_all_but, write_whole
from stepsize.messages import Message
from stepsize.policy import Policy, PolicyState
from stepsize.signals import Decision, Rewind, Scale, Stop
from stepsize.training._abilities import Packs
from stepsize.training._loop import Beside, Loop, Progress
from stepsize.training._protocol import Training
from stepsize.training.snapshots import Kept

__all__ = ["Checkpoints"]

_VERSION = 1
_KEPT = 2
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
                f"run(..., checkpoints={folder!r}): a folder is a str or an os.PathLike, but is a "
                f"{type(folder).__name__}."
            )
        if not isinstance(training, Packs):
            raise InvalidType(
                f"run(..., checkpoints={str(folder)!r}): checkpoints need a training with "
                f"pack(snapshot) and unpack(bytes), but {type(training).__name__} has none. Write "
                "them, or use TorchTraining."
            )
        self._folder = Path(folder)
        self._training: Training = training
        self._packer: Packs = training
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
        kept = loop.kept
        snapshots: Sequence[str] = () if kept is None else kept.store(self._blobs)
        body: Mapping[str, Any] = {
            "version": _VERSION,
            "evaluated": evaluated,
            "progress": _saved_progress(loop.progress),
            "schedules": {q: policy.text for q, policy in loop.drive.policies.items()},
            "states": _saved_states(loop.drive.states, loop.drive.policies),
            "training": training,
            "ring": [] if kept is None else _saved_ring(kept, snapshots, loop.drive.policies),
        }
        text = json.dumps(body).encode()
        path = self._folder / f"checkpoint-{loop.progress.position:012d}.json"
        write_whole(path, hashlib.sha256(text).hexdigest().encode() + b"\n" + text)
        # After a rewind the position may be lower than that of checkpoints of the given-up future.
        self._named.pop(path, None)
        self._named[path] = frozenset([training, *snapshots])
        self._remove_all_but_the_last()

    def _remove_all_but_the_last(self) -> None:
        wanted = dict(list(self._named.items())[-_KEPT:])
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
                warnings.warn(
                    f"run(..., checkpoints={str(self._folder)!r}): going on from {path.name}, "
                    f"because {failures[0]}",
                    StepsizeWarning,
                    stacklevel=3,
                )
            # Absent in checkpoints of before it was saved.
            return not body.get("evaluated", True)
        if failures:
            raise failures[0]
        return False

    def _load(self, loop: Loop, path: Path, body: Mapping[str, Any]) -> None:
        differences: list[str] = []
        policies = loop.drive.policies
        try:
            progress = _read_progress(body["progress"])
            states = _read_states(body["states"], policies, differences)
            ring = [
                (
                    each["position"],
                    str(each["snapshot"]),
                    Beside(
                        each["consumed"],
                        tuple(each["losses"]),
                        _read_states(each["states"], policies, []),
                    ),
                )
                for each in body["ring"]
            ]
            schedules: Mapping[str, str] = body["schedules"]
            name: str = body["training"]
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise _no_checkpoint(path, error) from error
        snapshot = self._packer.unpack(self._blobs.get(name))
        if loop.kept is not None:
            loop.kept.load(self._blobs, ring)
        self._training.restore(snapshot)
        loop.progress = progress
        loop.drive.states = states
        self._named[path] = frozenset([name, *(stored for _, stored, _ in ring)])
        differences.extend(
            f"{quantity}: saved with {schedules.get(quantity)}, now {policy.text}"
            for quantity, policy in policies.items()
            if schedules.get(quantity) != policy.text
        )
        if differences:
            warnings.warn(
                f"run(..., checkpoints={str(self._folder)!r}): the checkpoint belongs to another "
                "configuration; the position is taken from it, and what the code says holds.\n  "
                + "\n  ".join(differences),
                StateMismatch,
                stacklevel=4,
            )


def _no_checkpoint(path: Path, error: Exception) -> StateError:
    return StateError(
        f"reading {str(path)!r}: this is no checkpoint of such a run ({error!r}). Give each run a "
        "folder of its own."
    )


def _age(path: Path) -> tuple[int, str]:
    return path.lstat().st_mtime_ns, path.name


def _read(path: Path) -> Mapping[str, Any]:
    try:
        checksum, _, text = path.read_bytes().partition(b"\n")
    except OSError as error:
        raise StateError(
            f"reading {str(path)!r}: a checkpoint must be a file that can be read, but {error}. "
            "Restore it from a copy, or delete it."
        ) from error
    if hashlib.sha256(text).hexdigest().encode() != checksum:
        raise StateError(
            f"reading {str(path)!r}: a checkpoint must have the checksum in its first line, but "
            "has another: it was damaged or cut short. Restore it from a copy, or delete it."
        )
    try:
        body: Mapping[str, Any] = json.loads(text)
        version = body.get("version")
    except (ValueError, AttributeError) as error:
        raise _no_checkpoint(path, error) from error
    if version != _VERSION:
        raise StateError(
            f"reading {str(path)!r}: the checkpoint has version {version!r}, and this "
            f"stepsize reads version {_VERSION}. Resume with the stepsize that wrote it."
        )
    return body


# ------------------------------------------------------------------ plain data


def _saved_progress(progress: Progress) -> dict[str, Any]:
    return {
        **asdict(progress),
        "passing": sorted(progress.passing),
        "decisions": [
            [at, type(decision).__name__, _plain(decision)] for at, decision in progress.decisions
        ],
    }


def _read_progress(saved: Mapping[str, Any]) -> Progress:
    decisions: Sequence[tuple[int, str, Mapping[str, Any]]] = saved["decisions"]
    given = {key: value for key, value in saved.items() if key not in ("passing", "decisions")}
    return Progress(
        **given,
        passing=set(saved["passing"]),
        decisions=[(at, _decided(kind, fields)) for at, kind, fields in decisions],
    )


def _saved_ring(
    kept: Kept[Beside], snapshots: Sequence[str], policies: Mapping[str, Policy]
) -> Sequence[Mapping[str, Any]]:
    return [
        {
            "position": position,
            "snapshot": name,
            "consumed": beside.consumed,
            "losses": list(beside.losses),
            "states": _saved_states(beside.states, policies),
        }
        for position, name, beside in zip(kept.positions, snapshots, kept.besides, strict=True)
    ]


def _saved_states(
    states: Mapping[str, PolicyState], policies: Mapping[str, Policy]
) -> dict[str, Any]:
    saved = {quantity: policies[quantity].save(state) for quantity, state in states.items()}
    for state in saved.values():
        for memory in state["memories"]:
            _require_plain(memory)
    return saved


def _require_plain(memory: object) -> None:
    try:
        back = json.loads(json.dumps(memory))
    except (TypeError, ValueError, RecursionError) as error:
        back = error
    # By their texts: NaN is not equal to itself.
    if repr(back) != repr(memory):
        raise StateError(
            f"run(..., checkpoints=...): a controller's memory is plain data, numbers, strings, "
            f"lists and dictionaries with string keys, but is {memory!r}. Keep no tuples, arrays "
            "or objects in it."
        )


def _read_states(
    saved: Mapping[str, Any], policies: Mapping[str, Policy], differences: list[str]
) -> dict[str, PolicyState]:
    states: dict[str, PolicyState] = {}
    for quantity, policy in policies.items():
        if quantity not in saved:
            differences.append(f"{quantity}: now driven, in the saved run not")
            states[quantity] = policy.init()
            continue
        states[quantity], other = policy.load(saved[quantity])
        differences.extend(f"{quantity}: {each}" for each in other)
    return states


def _plain(decision: Decision) -> dict[str, Any]:
    reason = decision.reason
    saved = reason.to_dict() if isinstance(reason, Message) else reason
    return {**asdict(replace(decision, reason="")), "reason": saved}


def _decided(kind: str, fields: Mapping[str, Any]) -> Decision:
    saved: Any = fields["reason"]
    reason: Any = saved if isinstance(saved, str) else Message.from_dict(saved)
    return _DECISIONS[kind](**{**fields, "reason": reason})
