"""The thread that writes one run.

The training appends ticks to a queue and goes on; everything else happens here. The thread wakes a
few times per second, moves the ticks into arrays of numbers, and writes what is new in one short
transaction. Every row has a key that the writer chose, so a transaction whose fate is unknown is
simply done again.
"""

import os
import sqlite3
import threading
import time
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Final
from weakref import WeakSet

from stepsize.errors import InvalidType, RunFileError, StepsizeWarning
from stepsize.record._damage import explained
from stepsize.record._format import reopen_for_writing
from stepsize.record._gathered import Gathered
from stepsize.record._rows import DecisionRow, Ending, OpenRun, decision_row
from stepsize.record._sealing import Unsealed
from stepsize.signals import Decision, Tick

__all__ = ["Writer"]

FLUSH_SECONDS: Final = 0.2
RETRY_SECONDS: Final = 2.0
POINTS_PER_SEAL: Final = 65_536
LONGEST_QUEUE: Final = 100_000


@dataclass
class _Request:
    """Somebody waits until all that is queued is written, and the run ended if so asked."""

    ending: Ending | None
    failure: RunFileError | None = None
    done: threading.Event = field(default_factory=threading.Event)


class Writer:
    """Owns the connection and the numbers of one run that are not yet sealed in the file.

    Args:
        connection: To the file.
        path: The file.
        run: The run, as far as it is in the file.
        call: What began it, as messages name it.

    Attributes:
        queue: What the training has handed over and the thread has not yet seen.
        gone: Why nothing more can be recorded, if so, and what to do.
        mistake: A tick that held something else than numbers; to be raised, once.
        trouble: The file cannot be written at present; to be shown, once.
    """

    def __init__(self, connection: sqlite3.Connection, path: Path, run: OpenRun, call: str) -> None:
        self.queue: deque[Tick] = deque()
        self.gone: tuple[str, str] | None = None
        self.mistake: InvalidType | None = None
        self.trouble: StepsizeWarning | None = None
        self._connection: sqlite3.Connection | None = connection
        self._path = path
        self._file = _identity(path)
        self._run = run
        self._call = call
        self._gathered = Gathered(self._refuse_number)
        self._gathered.series.update(run.series)
        self._unsealed = Unsealed()
        self._decisions: list[DecisionRow] = []
        self._failing = False
        self._requests: SimpleQueue[_Request] = SimpleQueue()
        self._writing = threading.Lock()
        # A daemon, or an exit without close() would wait for it for ever.
        self._thread = threading.Thread(
            target=self._serve, name=f"stepsize recorder of run {run.id}", daemon=True
        )
        _live_writers.add(self)
        self._thread.start()

    def ask(self, ending: Ending | None = None) -> RunFileError | None:
        """Wait until what was queued before this call is written; return what went wrong."""
        request = _Request(ending)
        self._requests.put(request)
        # The garbage collector may close a forgotten recorder from within the thread itself.
        if threading.current_thread() is not self._thread:
            # The thread leaves once the run has ended, which an interrupted caller may not know.
            while not request.done.wait(FLUSH_SECONDS) and self._thread.is_alive():
                pass
        return request.failure

    def hold_for_fork(self) -> None:
        """Let no connection be open while the process forks.

        The copy would share SQLite's idea of who holds which lock, without holding any: even a
        recorder that the child opens for itself could then damage the file.
        """
        self._writing.acquire()
        self._disconnect()

    def resume_after_fork(self) -> None:
        self._writing.release()

    def leave_to_parent(self, parent: int) -> None:
        self.gone = (
            f"this one belongs to process {parent}, and this is a fork of it",
            "Open a Recorder in each process that records; they may share the file.",
        )

    def _serve(self) -> None:
        while self.gone is None:
            try:
                seconds = RETRY_SECONDS if self._failing else FLUSH_SECONDS
                request = self._requests.get(timeout=seconds)
            except Empty:
                request = None
            ending = request.ending if request else None
            failure = self._try_to_write(ending)
            if failure is None and ending is not None:
                self.gone = "this one was closed", "Open another Recorder: it begins a new run."
            if failure is None:
                self.trouble = None
            elif not self._failing:
                self.trouble = StepsizeWarning(str(failure))
            self._failing = failure is not None
            if request is not None:
                request.failure = failure
                request.done.set()
        _live_writers.discard(self)

    def _try_to_write(self, ending: Ending | None) -> RunFileError | None:
        """Return the failure, without its traceback: that would keep the frames' arrays alive."""
        with self._writing:
            try:
                self._take_queue()
                with explained(self._call):
                    self._write(ending)
                    if ending is not None:
                        self._disconnect()
            except Exception as error:  # the thread must outlive whatever happens
                return self._failed(error)
        return None

    def _failed(self, error: Exception) -> RunFileError:
        known = isinstance(error, RunFileError)
        kept = (
            f"{self._unsealed.unwritten} points and {len(self._decisions)} decisions are kept in "
            f"memory and tried again every {RETRY_SECONDS:g} s."
        )
        return RunFileError(
            self._call,
            error.rule if known else "what is recorded is written into the file",
            error.value if known else f"{error!r}",
            f"{error.remedy} {kept}" if known else kept,
        )

    def _take_queue(self) -> None:
        take = self.queue.popleft
        ticks = [take() for _ in range(len(self.queue))]
        if ticks and self._run.start is None:
            self._begin_segment(ticks[0])
        self._gathered.take(ticks)
        for tick in ticks:
            for decision in tick.decisions:
                self._take_decision(tick.position, decision)
        self._unsealed.add(self._gathered.points())

    def _begin_segment(self, tick: Tick) -> None:
        try:
            self._run.start = float(tick.position)
        except (TypeError, ValueError, OverflowError):
            return  # refused where its numbers are taken

    def _take_decision(self, position: float, decision: Decision) -> None:
        try:
            row = decision_row(self._run.id, self._run.decisions, position, decision)
        except Exception as error:
            self._refuse(f"a decision at position {position!r} is {decision!r}", error)
        else:
            self._decisions.append(row)
            self._run.decisions += 1

    def _refuse_number(
        self, kind: str, name: object, position: object, value: object, error: Exception
    ) -> None:
        self._refuse(f"the {kind} {name!r} at position {position!r} is {value!r}", error)

    def _refuse(self, what: str, error: Exception) -> None:
        self.mistake = InvalidType(
            self._call,
            "positions and values are numbers, names and reasons are str",
            f"{what} ({error})",
            "It was left out; all else is recorded.",
        )

    def _write(self, ending: Ending | None) -> None:
        unsealed = self._unsealed
        if ending is None and not unsealed.unwritten and not self._decisions:
            return
        if _identity(self._path) != self._file:
            raise RunFileError(
                self._call,
                "the file must stay where it is during the run",
                "was moved, removed or replaced",
                "Put it back, or open another Recorder.",
            )
        if self._connection is None:
            self._connection = reopen_for_writing(self._path)
        run, connection = self._run, self._connection
        run.series = dict(self._gathered.series)
        run.written = max(time.time(), run.written)  # also where the clock was set back
        seals = ending is not None or unsealed.points >= POINTS_PER_SEAL
        with connection:
            connection.execute("BEGIN IMMEDIATE")
            if seals:
                sealed = unsealed.seal(connection, run)
            else:
                sealed = None
                unsealed.write_batch(connection, run)
            connection.executemany(
                "INSERT OR REPLACE INTO decisions "
                "(run, number, position, kind, factor, reason, evidence, checksum) "
                "VALUES (?, ?, ?, ?, ?, CAST(? AS TEXT), CAST(? AS TEXT), ?)",
                self._decisions,
            )
            run.write(connection, unsealed.batches_after(seals), sealed, ending)
        run.sealed(sealed)
        unsealed.written(seals)
        self._decisions.clear()

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


_live_writers: WeakSet[Writer] = WeakSet()
_held_writers: list[Writer] = []
_forking = threading.Lock()


def _before_fork() -> None:
    _forking.acquire()
    _held_writers.extend(_live_writers)
    for writer in _held_writers:
        writer.hold_for_fork()


def _after_fork_in_parent() -> None:
    for writer in _held_writers:
        writer.resume_after_fork()
    _held_writers.clear()
    _forking.release()


def _after_fork_in_child() -> None:
    parent = os.getppid()
    for writer in _held_writers:
        writer.leave_to_parent(parent)
    _live_writers.clear()
    _held_writers.clear()
    _forking.release()


if hasattr(os, "register_at_fork"):  # absent on Windows, which has no fork
    os.register_at_fork(
        before=_before_fork,
        after_in_parent=_after_fork_in_parent,
        after_in_child=_after_fork_in_child,
    )
