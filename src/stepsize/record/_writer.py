"""The thread that writes one run.

The training appends ticks to a queue and goes on; everything else happens here. The thread wakes a
few times per second, moves the ticks into one array of numbers, and writes what is new in one short
transaction. Every row has a key that the writer chose, so a transaction whose fate is unknown is
simply done again.
"""

import os
import sqlite3
import threading
import time
from array import array
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Final
from weakref import WeakSet

import numpy as np

from stepsize.errors import InvalidType, RunFileError, StepsizeWarning
from stepsize.record._format import encode_text, explained, reopen_for_writing
from stepsize.signals import Decision, Rewind, Scale, Stop, Tick

__all__ = ["Ending", "Writer"]

FLUSH_SECONDS: Final = 0.2
RETRY_SECONDS: Final = 2.0
POINTS_PER_SEAL: Final = 65_536
LONGEST_QUEUE: Final = 100_000


@dataclass(frozen=True)
class Ending:
    """How a run ended; ``summary`` is JSON."""

    status: str
    summary: str


@dataclass
class _Request:
    """Somebody waits until all that is queued is written, and the run ended if so asked."""

    ending: Ending | None
    failure: RunFileError | None = None
    done: threading.Event = field(default_factory=threading.Event)


class Writer:
    """Owns the connection and the numbers of one run that are not yet sealed in the file.

    Attributes:
        queue: What the training has handed over and the thread has not yet seen.
        gone: Why nothing more can be recorded, if so.
        mistake: A tick that held something else than numbers; to be raised, once.
        trouble: The file cannot be written at present; to be shown, once.
    """

    def __init__(self, connection: sqlite3.Connection, path: Path, run: int, call: str) -> None:
        self.queue: deque[Tick] = deque()
        self.gone: str | None = None
        self.mistake: InvalidType | None = None
        self.trouble: StepsizeWarning | None = None
        self._connection: sqlite3.Connection | None = connection
        self._path = path
        self._file = _identity(path)
        self._run = run
        self._call = call
        self._series: dict[tuple[str, str], int] = {}
        self._series_written = 0
        self._points = array("d")  # (series, position, value), since the last seal
        self._points_written = 0
        self._batches = 0
        self._seals = 0
        self._decisions: list[tuple[int, int, float, str, float | None, bytes]] = []
        self._decisions_seen = 0
        self._failing = False
        self._requests: SimpleQueue[_Request] = SimpleQueue()
        self._writing = threading.Lock()
        # A daemon, or an exit without close() would wait for it for ever.
        self._thread = threading.Thread(
            target=self._serve, name=f"stepsize recorder of run {run}", daemon=True
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
            f"it belongs to process {parent}, and this is a fork of it. "
            "Open a Recorder in each process that records; they may share the file"
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
                self.gone = "it was closed. Open another Recorder: it begins a new run"
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
                cause = error if isinstance(error, RunFileError) else f"{self._call}: {error!r}."
                return RunFileError(
                    f"{cause} {self._unwritten()} points and {len(self._decisions)} decisions are "
                    f"kept in memory and tried again every {RETRY_SECONDS:g} s."
                )
        return None

    def _unwritten(self) -> int:
        return (len(self._points) - self._points_written) // 3

    def _take_queue(self) -> None:
        for _ in range(len(self.queue)):
            tick = self.queue.popleft()
            self._take_numbers("quantity", tick.position, tick.quantities)
            self._take_numbers("metric", tick.position, tick.metrics)
            for decision in tick.decisions:
                self._take_decision(tick.position, decision)

    def _take_numbers(self, kind: str, position: float, numbers: Mapping[str, float]) -> None:
        series, points = self._series, self._points
        for name, value in numbers.items():
            number = series.get((kind, name))
            try:
                if number is None:
                    encode_text(name)
                    number = series[kind, name] = len(series)
                points.extend((number, position, value))
            except Exception as error:
                del points[len(points) - len(points) % 3 :]
                self._refuse(f"the {kind} {name!r} at position {position!r} is {value!r}", error)

    def _take_decision(self, position: float, decision: Decision) -> None:
        try:
            match decision:
                case Scale():
                    kind, factor = "scale", float(decision.factor)
                case Rewind():
                    kind, factor = "rewind", float(decision.factor)
                case Stop():
                    kind, factor = "stop", None
            row = (float(position), kind, factor, encode_text(str(decision.reason)))
        except Exception as error:
            self._refuse(f"a decision at position {position!r} is {decision!r}", error)
        else:
            self._decisions.append((self._run, self._decisions_seen, *row))
            self._decisions_seen += 1

    def _refuse(self, what: str, error: Exception) -> None:
        self.mistake = InvalidType(
            f"{self._call}: positions and values are numbers, names and reasons are str, "
            f"but {what} ({error}). It was left out; all else is recorded."
        )

    def _write(self, ending: Ending | None) -> None:
        if ending is None and not self._unwritten() and not self._decisions:
            return
        if _identity(self._path) != self._file:
            raise RunFileError(
                f"{self._call}: the file was moved, removed or replaced during the run. "
                "Put it back, or open another Recorder."
            )
        if self._connection is None:
            self._connection = reopen_for_writing(self._path)
        now = time.time()
        sealing = ending is not None or len(self._points) >= 3 * POINTS_PER_SEAL
        connection = self._connection
        with connection:
            connection.execute("BEGIN IMMEDIATE")
            connection.executemany(
                "INSERT OR REPLACE INTO series VALUES (?, ?, ?, CAST(? AS TEXT))",
                self._new_series(),
            )
            if sealing:
                connection.execute("DELETE FROM batches WHERE run = ?", (self._run,))
                connection.executemany(
                    "INSERT OR REPLACE INTO chunks VALUES (?, ?, ?, ?)", self._chunks()
                )
            elif self._unwritten():
                connection.execute(
                    "INSERT OR REPLACE INTO batches VALUES (?, ?, ?)",
                    (self._run, self._batches, _bytes(self._points[self._points_written :])),
                )
            connection.executemany(
                "INSERT OR REPLACE INTO decisions VALUES (?, ?, ?, ?, ?, CAST(? AS TEXT))",
                self._decisions,
            )
            connection.execute("UPDATE runs SET written = ? WHERE id = ?", (now, self._run))
            if ending is not None:
                connection.execute(
                    "UPDATE runs SET ended = ?, status = CAST(? AS TEXT), summary = ? WHERE id = ?",
                    (now, encode_text(ending.status), ending.summary, self._run),
                )
        if sealing:
            self._points = array("d")
            self._seals += 1
        else:
            self._batches += 1
        self._points_written = len(self._points)
        self._series_written = len(self._series)
        self._decisions.clear()

    def _new_series(self) -> Iterator[tuple[int, int, str, bytes]]:
        for (kind, name), number in self._series.items():
            if number >= self._series_written:
                yield self._run, number, kind, encode_text(name)

    def _chunks(self) -> Iterator[tuple[int, int, int, bytes]]:
        # A copy: an array cannot grow while NumPy looks into it.
        points = np.array(self._points, "<f8").reshape(-1, 3)
        points = points[np.argsort(points[:, 0], kind="stable")]
        numbers, starts = np.unique(points[:, 0], return_index=True)
        for number, (first, end) in zip(numbers, pairwise([*starts, len(points)]), strict=True):
            yield self._run, int(number), self._seals, points[first:end, 1:].tobytes()

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


def _bytes(points: "array[float]") -> bytes:
    return np.array(points, "<f8").tobytes()


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
