"""What was recorded, as arrays."""

import os
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from stepsize.errors import InvalidType, InvalidValue
from stepsize.record._damage import damaged
from stepsize.record._extremes import Overview
from stepsize.record._fingerprint import Fingerprint
from stepsize.record._format import locate, open_for_reading
from stepsize.record._recorded import RecordedDecision, Segment, Series
from stepsize.record._stored import RunRow, StoredRun, run_rows
from stepsize.words import closest

__all__ = ["Run", "read_runs"]


@dataclass(frozen=True)
class Run:
    """A recorded run. Its curves are read from the file when they are asked for.

    The attributes are those of the moment of :func:`read_runs`; the curves, names and decisions
    are those of the moment they are asked for, so a run that still goes on can be followed.

    Attributes:
        path: The file.
        id: The run's number in its file, in the order in which the runs began.
        name: What it was called. Several runs may share a name.
        config: What was stored about it when it began.
        started: When it began (UTC).
        written: When something of it was last written (UTC).
        ended: When it was closed (UTC). None if it was not: it goes on, or was killed.
        status: How it ended: ``"finished"``, ``"stopped"``, ``"interrupted"``, ``"crashed"``, or
            what was given to :meth:`Recorder.finish`. Where it was never closed, ``"abandoned"``
            if the process that recorded it is gone, else ``"unfinished"``.
        summary: What was given to :meth:`Recorder.finish`.
        plan: The text of the schedule or the plan that it followed; None if nothing was said.
        fingerprint: What was trained; None if nothing was said.
        failure: What was raised, by name and text; None if nothing was.
        segments: Its parts: more than one if it was resumed; none in files of version 1.
    """

    path: Path
    id: int
    name: str
    config: dict[str, Any] = field(hash=False)
    started: datetime
    written: datetime
    ended: datetime | None
    status: str
    summary: dict[str, Any] = field(hash=False)
    plan: str | None = None
    fingerprint: Fingerprint | None = None
    failure: str | None = None
    segments: tuple[Segment, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """The names of its curves, in the order in which they first came."""
        with self._stored("names") as stored:
            return stored.names

    @property
    def quantities(self) -> dict[str, Series]:
        """The curves of all driven quantities, for example the rates of all groups."""
        with self._stored("quantities") as stored:
            return stored.curves("quantity")

    @property
    def metrics(self) -> dict[str, Series]:
        """The curves of all metrics, for example of the losses."""
        with self._stored("metrics") as stored:
            return stored.curves("metric")

    @property
    def superseded(self) -> dict[str, Series]:
        """By name, what was recorded and then done again when the run was resumed before it."""
        with self._stored("superseded") as stored:
            return stored.curves("quantity", superseded=True) | stored.curves(
                "metric", superseded=True
            )

    def overview(self, name: str, stretches: int = 2_000) -> Overview:
        """A curve for a picture: the lowest and highest value of each of its stretches.

        Args:
            name: The curve's.
            stretches: How many the picture can tell apart, >= 1; there are at most about as many.

        Raises:
            InvalidValue: There is no such curve, or a quantity and a metric share the name.
            RunFileError: The file can no longer be read.
        """
        with self._stored(f"overview({name!r})") as stored:
            return stored.overview(self._number(stored, name), stretches)

    def __getitem__(self, name: str) -> Series:
        """Return the curve of this name, be it a driven quantity or a metric.

        Raises:
            InvalidValue: There is no such curve, or a quantity and a metric share the name.
            RunFileError: The file can no longer be read.
        """
        if not isinstance(name, str):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise InvalidType(
                f"{self._call}[{name!r}]",
                "a curve has a name, a str",
                f"this is a {type(name).__name__}",
            )
        with self._stored(f"[{name!r}]") as stored:
            return stored.series(self._number(stored, name))

    def __contains__(self, name: object) -> bool:
        return name in self.names

    def __iter__(self) -> Iterator[str]:
        return iter(self.names)

    @property
    def decisions(self) -> tuple[RecordedDecision, ...]:
        """What was decided, in order, without what a resumed run did again."""
        with self._stored("decisions") as stored:
            return stored.decisions()

    @property
    def _call(self) -> str:
        return f"Run {self.id} ({self.name!r}) of {str(self.path)!r}"

    @contextmanager
    def _stored(self, what: str) -> Generator[StoredRun]:
        call = f"{self._call}{what}" if what.startswith("[") else f"{self._call}.{what}"
        with open_for_reading(self.path, call) as connection:
            yield StoredRun(connection, self.id, call)

    def _number(self, stored: StoredRun, name: str) -> int:
        found = [each.number for each in stored.series_rows if each.name == name]
        if not found:
            there = stored.names
            meant = closest(name, there)
            raise InvalidValue(
                stored.call,
                "a curve must have been recorded",
                f"there are {', '.join(map(repr, there)) or 'none yet'}",
                "" if meant is None else f"Did you mean {meant!r}?",
            )
        if len(found) > 1:
            raise InvalidValue(
                stored.call,
                "a name must mean one curve",
                "a quantity and a metric share this name",
                f"Use .quantities[{name!r}] or .metrics[{name!r}].",
            )
        return found[0]


def read_runs(path: str | os.PathLike[str]) -> list[Run]:
    """Return all runs of a run file, in the order in which they began.

    The file may be read while runs are written to it, and is never changed. (SQLite may leave its
    two companions beside it, with the endings ``-wal`` and ``-shm``; the next writer clears them.)

    Args:
        path: A file that a :class:`Recorder` wrote.

    Raises:
        RunFileError: There is no such file, it holds no runs that this version can read, or it is
            damaged.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> from stepsize.record import Recorder
        >>> from stepsize.signals import Scale, Tick
        >>> with TemporaryDirectory() as folder:
        ...     with Recorder(f"{folder}/runs.db", "baseline") as recorder:
        ...         recorder(Tick(7, {"lr": 0.2}, {"loss": float("nan")}, (Scale(0.5, "NaN"),)))
        ...     [run] = read_runs(f"{folder}/runs.db")
        ...     run.names, run["loss"].values, run.decisions[0].reason
        (('lr', 'loss'), array([nan]), 'NaN')
    """
    call = f"read_runs({path!r})"
    file = locate(path, call)
    with open_for_reading(file, call) as connection:
        return [_run(file, call, row) for row in run_rows(connection, call)]


def _run(path: Path, call: str, row: RunRow) -> Run:
    try:
        return Run(
            path=path,
            id=row.id,
            name=row.name,
            config=row.config,
            started=datetime.fromtimestamp(row.started, UTC),
            written=datetime.fromtimestamp(row.written, UTC),
            ended=None if row.ended is None else datetime.fromtimestamp(row.ended, UTC),
            status=row.status,
            summary=row.summary,
            plan=row.plan,
            fingerprint=row.fingerprint,
            failure=row.failure,
            segments=row.segments,
        )
    except (ValueError, OverflowError, OSError) as error:
        raise damaged(call, f"run {row.id}: {error}") from error
