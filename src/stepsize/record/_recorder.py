"""The sink that keeps what a training did."""

import json
import os
import sqlite3
import time
import warnings
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import NoReturn, Self, TypeAlias, cast
from weakref import finalize

from stepsize.errors import CopyRefused, InvalidType, RunFileError, TrainingStopped
from stepsize.record._format import encode_text, explained, locate, open_for_writing
from stepsize.record._writer import LONGEST_QUEUE, Ending, Writer
from stepsize.signals import Tick

__all__ = ["Recorder"]

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
    ``"failed"`` after any other exception. A program that ends without closing its recorder
    leaves the run ``"abandoned"``, with nothing lost.

    Args:
        path: The file. It is created if it is missing; else the run is added to its runs.
        name: What the run is called. A name used before begins a new run with its own id.
        config: What should be known about the run later, for example its schedule as text: a
            mapping of what JSON can hold. Tuples are read back as lists. NaN is allowed.

    Raises:
        RunFileError: The file cannot be written, or is something else than a run file.
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
    ) -> None:
        call = f"Recorder({path!r}, name={name!r})"
        if not isinstance(name, str):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise InvalidType(f"{call}: a name is a str, got {type(name).__name__}.")
        self._call = call
        config_text = self._json("config", config or {})
        file = locate(path, call)
        connection = open_for_writing(file, call)
        try:
            with explained(call):
                self._run_id = _begin_run(connection, name, config_text)
        except BaseException:
            connection.close()
            raise
        self._writer = Writer(connection, file, self._run_id, call)
        finalize(self, _abandon, self._writer)

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

    def finish(self, status: str = "finished", summary: Mapping[str, Plain] | None = None) -> None:
        """Write what is left, end the run and close the file.

        Args:
            status: How the run ended, in a word.
            summary: What came out of it, for example the final loss; as ``config``.

        Raises:
            RunFileError: It could not be written. The recorder stays open; finish it again.
        """
        if not isinstance(status, str):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise InvalidType(
                f"{self._call}.finish: a status is a str, got {type(status).__name__}."
            )
        self._ask(Ending(status, self._json("summary", summary or {})))

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
        if kind is None:
            self.finish()
        elif issubclass(kind, TrainingStopped):
            self.finish("stopped")
        elif issubclass(kind, KeyboardInterrupt):
            self.finish("interrupted")
        else:
            self.finish("failed")

    def __reduce__(self) -> NoReturn:
        raise CopyRefused(
            f"{self._call}: a recorder holds a thread and an open file, which have no copy. "
            "Open a Recorder in each process that records; they may share the file."
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

    def _refuse(self, reason: str) -> NoReturn:
        raise RunFileError(f"{self._call} records nothing more: {reason}.")

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
                f"{self._call}: {what} is a mapping of what JSON can hold, but {error}. "
                "Give str keys, and numbers, texts, lists and mappings; a schedule as its repr."
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


def _begin_run(connection: sqlite3.Connection, name: str, config: str) -> int:
    now = time.time()
    with connection:
        connection.execute("BEGIN IMMEDIATE")
        added = connection.execute(
            "INSERT INTO runs (name, config, started, written) VALUES (CAST(? AS TEXT), ?, ?, ?)",
            (encode_text(name), config, now, now),
        )
    run = added.lastrowid
    assert run is not None  # an INSERT has one
    return run


def _abandon(writer: Writer) -> None:
    """Write what a recorder holds that nobody closed: the program ends, or forgot it."""
    if writer.gone is None:
        failure = writer.ask(Ending("abandoned", "{}")) or writer.mistake
        if failure is not None:
            raise failure
