"""The sink that keeps what a training did."""

import atexit
import json
import os
import sqlite3
import sys
import threading
import time
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache
from types import TracebackType
from typing import NoReturn, Self, TypeAlias, cast
from weakref import finalize

from stepsize.checks import checked_instance, checked_name
from stepsize.errors import (
    CopyRefused,
    InvalidType,
    RunFileError,
    StepsizeWarning,
    TrainingStopped,
)
from stepsize.record._damage import explained
from stepsize.record._fingerprint import Fingerprint
from stepsize.record._format import locate, open_for_writing
from stepsize.record._resuming import resumed_run
from stepsize.record._rows import Ending, OpenRun
from stepsize.record._schema import encode_text
from stepsize.record._writer import LONGEST_QUEUE, Writer
from stepsize.signals import Tick

__all__ = ["Recorder"]

_exiting = threading.Event()

Plain: TypeAlias = "bool | int | float | str | Sequence[Plain] | Mapping[str, Plain] | None"


class Recorder:
    """A sink that records a run: every rate, every metric, every decision with its reason.

    Calling it with a tick puts the tick on a queue; a thread of its own writes the queue to an
    SQLite file, five times per second. Numbers are kept bit by bit, NaN and the infinities too.
    Any number of recorders, in any number of processes of one machine, may write to one file.

    If the process is killed at any moment, the file is whole and what was recorded more than one
    second before is in it. (A power failure can take the last seconds, never the file. A single
    call that keeps all other Python threads waiting keeps the recorder's waiting too. While
    another program keeps the file locked, or the disk is full, what cannot be written stays in
    memory; a warning says so, once, and the recorder goes on trying.)

    Used as a context manager it ends the run as ``"finished"``; as ``"stopped"`` if a controller
    ended it (:class:`~stepsize.errors.TrainingStopped`), as ``"interrupted"`` after Ctrl-C, as
    ``"crashed"`` after any other exception, whose name and text are kept as the run's ``failure``.
    So does the end of a program that never closes its recorder. A process that was killed leaves
    the run ``"abandoned"``.

    Args:
        path: The file. It is created if it is missing; else the run is added to its runs.
        name: What the run is called. A name used before begins a new run with its own id.
        config: What should be known about the run later, for example its schedule as text: a
            mapping of what JSON can hold. Tuples are read back as lists. NaN is allowed.
        plan: The text of the schedule or the plan that the run follows.
        fingerprint: What is trained: runs of one fingerprint can learn from each other.
        resume: True to go on with the latest run of this name, or its id. Where there is none yet,
            a run begins. What was recorded before from the first position of the resumed part on
            is superseded: it stays in the file, marked. Settings that are given replace the others.

    Raises:
        RunFileError: The file cannot be written, or is something else than a run file; or the run
            to resume is recorded by another process at this moment, or is not there.
        InvalidType: An argument is of the wrong type, or ``config`` holds what JSON cannot.

    A tick is handed over, not copied: do not change its mappings afterwards. After a fork the
    recorder works on in the parent, and refuses to record in the child.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> from stepsize.record import read_runs
        >>> from stepsize.signals import Tick
        >>> with TemporaryDirectory() as folder:
        ...     with Recorder(f"{folder}/runs.db", "baseline", {"lr": 0.1}) as recorder:
        ...         for step in range(3):
        ...             recorder(Tick(step, {"lr": 0.1}, {"loss": 1 / (1 + step)}))
        ...     run = read_runs(f"{folder}/runs.db")[0]
        ...     run.name, run.status, run.config, run["loss"].positions
        ('baseline', 'finished', {'lr': 0.1}, array([0., 1., 2.]))
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        name: str = "run",
        config: Mapping[str, Plain] | None = None,
        *,
        plan: str | None = None,
        fingerprint: Fingerprint | None = None,
        resume: bool | int = False,
    ) -> None:
        call = f"Recorder({path!r}, name={name!r})"
        checked_instance(call, "name", name, str, "a str", "")
        self._call = call
        given = OpenRun(
            0,
            name,
            self._json("config", config or {}),
            started=time.time(),
            written=time.time(),
            plan=None if plan is None else checked_name(call, "plan", plan, "a text", "repr(plan)"),
            fingerprint=None if fingerprint is None else json.dumps(fingerprint.to_dict()),
        )
        file = locate(path, call)
        connection = open_for_writing(file, call)
        try:
            with explained(call), connection:
                connection.execute("BEGIN IMMEDIATE")
                run = None if resume is False else resumed_run(connection, given, resume, call)
                if run is None:
                    run = _begun_run(connection, given)
                elif config is not None:
                    run.config = given.config
                run.write(connection, 0, None, None)
        except BaseException:
            connection.close()
            raise
        self._run_id = run.id
        self._writer = Writer(connection, file, run, call)
        finalize(self, _abandon, self._writer)
        _notice_exit()

    @property
    def run_id(self) -> int:
        """The id of this run in its file."""
        return self._run_id

    def __call__(self, tick: Tick, /) -> None:
        """Record what the tick holds.

        Raises:
            RunFileError: The recorder is closed, or belongs to the parent of this process.
            InvalidType: An earlier tick held something else than numbers; all else is recorded.
        """
        writer = self._writer
        if writer.gone is not None:
            self._refuse(writer.gone)
        writer.queue.append(tick)
        if len(writer.queue) > LONGEST_QUEUE:
            writer.ask()
        if writer.mistake is not None or writer.trouble is not None:
            self._report()

    def flush(self) -> None:
        """Return when all that was recorded before this call is in the file.

        Raises:
            RunFileError: It could not be written; it is kept and tried again.
        """
        self._ask(None)

    def finish(
        self,
        status: str = "finished",
        summary: Mapping[str, Plain] | None = None,
        failure: str | None = None,
    ) -> None:
        """Write what is left, end the run and close the file.

        Args:
            status: How the run ended, in a word.
            summary: What came out of it, for example the final loss; as ``config``.
            failure: What was raised, if something was.

        Raises:
            RunFileError: It could not be written. The recorder stays open; finish it again.
        """
        checked_instance(f"{self._call}.finish", "status", status, str, "a str", "")
        self._ask(Ending(status, self._json("summary", summary or {}), failure))

    def close(self) -> None:
        """Finish the run as ``"finished"``, unless it is over already."""
        if self._writer.gone is None:
            self.finish()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._writer.gone is not None:
            return
        if error is None:
            self.finish()
            return
        status, failure = _ended_by(error)
        try:
            self.finish(status, failure=failure)
        except RunFileError as untold:  # must not hide what ended the training
            warnings.warn(StepsizeWarning(str(untold)), stacklevel=2)

    def __reduce__(self) -> NoReturn:
        raise CopyRefused(
            self._call,
            "a recorder has no copy",
            "it holds a thread and an open file",
            "Open a Recorder in each process that records; they may share the file.",
        )

    def __repr__(self) -> str:
        return self._call

    def _ask(self, ending: Ending | None) -> None:
        if self._writer.gone is not None:
            self._refuse(self._writer.gone)
        failure = self._writer.ask(ending)
        if failure is not None:
            self._writer.trouble = None  # told by the failure
            raise failure
        self._report()

    def _refuse(self, reason: tuple[str, str]) -> NoReturn:
        raise RunFileError(self._call, "an open recorder is needed", *reason)

    def _report(self) -> None:
        writer = self._writer
        mistake, writer.mistake = writer.mistake, None
        trouble, writer.trouble = writer.trouble, None
        if trouble is not None:
            warnings.warn(trouble, stacklevel=3)
        if mistake is not None:
            raise mistake

    def _json(self, what: str, value: Mapping[str, Plain]) -> str:
        try:
            return json.dumps(_plain(value))
        except (TypeError, ValueError, RecursionError) as error:
            raise InvalidType(
                self._call,
                f"{{{what}}} is a mapping of what JSON can hold",
                str(error),
                "Give str keys, and numbers, texts, lists and mappings; a schedule as its repr.",
                what,
            ) from error


def _plain(value: object) -> object:
    """Return dictionaries and lists; json would turn the key 1 into "1" and say nothing."""
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, list | tuple):
        return [_plain(item) for item in cast("Sequence[object]", value)]
    if isinstance(value, Mapping):
        return {
            _key(key): _plain(item) for key, item in cast("Mapping[object, object]", value).items()
        }
    raise TypeError(f"it holds {value!r}, of type {type(value).__name__}")


def _key(key: object) -> str:
    if isinstance(key, str):
        return key
    raise TypeError(f"it has the key {key!r}, of type {type(key).__name__}")


def _begun_run(connection: sqlite3.Connection, given: OpenRun) -> OpenRun:
    added = connection.execute(
        "INSERT INTO runs (name, config, started, written, plan, fingerprint) "
        "VALUES (CAST(? AS TEXT), ?, ?, ?, CAST(? AS TEXT), ?)",
        (
            encode_text(given.name),
            given.config,
            given.started,
            given.written,
            None if given.plan is None else encode_text(given.plan),
            given.fingerprint,
        ),
    )
    assert added.lastrowid is not None  # an INSERT has one
    return replace(given, id=added.lastrowid, segment_started=given.started)


def _ended_by(error: BaseException) -> tuple[str, str | None]:
    """The status of a run that an exception ended, and what was raised if it was a failure."""
    if isinstance(error, TrainingStopped):
        return "stopped", None
    if isinstance(error, KeyboardInterrupt):
        return "interrupted", None
    if isinstance(error, SystemExit) and not error.code:
        return "finished", None
    return "crashed", f"{type(error).__name__}: {error}".rstrip(": ")


@cache
def _notice_exit() -> None:
    # Functions are called in the opposite order: this one before those that finalize() calls.
    atexit.register(_exiting.set)


def _abandon(writer: Writer) -> None:
    """End a run whose recorder was never closed: the program ends, or has forgotten it."""
    if writer.gone is None:
        # What ends a program is here while Python shuts down.
        raised = getattr(sys, "last_value", None)
        status, failure = "abandoned", None
        if _exiting.is_set():
            status, failure = ("finished", None) if raised is None else _ended_by(raised)
        failed = writer.ask(Ending(status, "{}", failure)) or writer.mistake
        if failed is not None:
            warnings.warn(StepsizeWarning(str(failed)), stacklevel=2)
