"""What was recorded, as arrays."""

import json
import math
import os
import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from stepsize.errors import InvalidType, InvalidValue, RunFileError
from stepsize.record._format import encode_text, locate, open_for_reading

__all__ = ["RecordedDecision", "Run", "Series", "read_runs"]

Array: TypeAlias = NDArray[np.float64]


class Series(NamedTuple):
    """One recorded curve, in the order in which it was recorded.

    After a rewind, positions come again.

    Attributes:
        positions: Shape (n,), float64, in the driver's clock.
        values: Shape (n,), float64.
    """

    positions: Array
    values: Array


@dataclass(frozen=True)
class RecordedDecision:
    """A decision as it was carried out.

    Attributes:
        position: Where it was taken, in the driver's clock.
        kind: ``"scale"``, ``"rewind"`` or ``"stop"``.
        factor: What a scale or a rewind multiplied by; None for a stop.
        reason: Why, in words.
    """

    position: float
    kind: str
    factor: float | None
    reason: str


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
        ended: When it was closed (UTC). None if it was not: it goes on, or was killed; ``written``
            tells the difference.
        status: How it ended: ``"finished"``, ``"stopped"``, ``"interrupted"``, ``"failed"``,
            ``"abandoned"``, or what was given to :meth:`Recorder.finish`. ``"unfinished"`` if it
            was never closed.
        summary: What was given to :meth:`Recorder.finish`.
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

    @property
    def names(self) -> tuple[str, ...]:
        """The names of its curves, in the order in which they first came."""
        with open_for_reading(self.path, f"{self._call}.names") as connection:
            return self._names(connection)

    @property
    def quantities(self) -> dict[str, Series]:
        """The curves of all driven quantities, for example the rates of all groups."""
        return self._curves("quantity", "quantities")

    @property
    def metrics(self) -> dict[str, Series]:
        """The curves of all metrics, for example of the losses."""
        return self._curves("metric", "metrics")

    def __getitem__(self, name: str) -> Series:
        """Return the curve of this name, be it a driven quantity or a metric.

        Raises:
            InvalidValue: There is no such curve, or a quantity and a metric share the name.
            RunFileError: The file can no longer be read.
        """
        call = f"{self._call}[{name!r}]"
        if not isinstance(name, str):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise InvalidType(f"{call}: a curve has a name, a str; got {type(name).__name__}.")
        with open_for_reading(self.path, call) as connection:
            numbers = connection.execute(
                "SELECT number FROM series WHERE run = ? AND name = CAST(? AS TEXT)",
                (self.id, encode_text(name)),
            ).fetchall()
            if not numbers:
                there = ", ".join(map(repr, self._names(connection))) or "none yet"
                raise InvalidValue(f"{call}: there is no such curve. There are: {there}.")
            if len(numbers) > 1:
                raise InvalidValue(
                    f"{call}: a quantity and a metric share this name. "
                    f"Use .quantities[{name!r}] or .metrics[{name!r}]."
                )
            return self._series(connection, numbers[0][0], self._batches(connection, call), call)

    def __contains__(self, name: object) -> bool:
        return name in self.names

    def __iter__(self) -> Iterator[str]:
        return iter(self.names)

    @property
    def decisions(self) -> tuple[RecordedDecision, ...]:
        """What was decided, in order."""
        with open_for_reading(self.path, f"{self._call}.decisions") as connection:
            rows = connection.execute(
                "SELECT position, kind, factor, reason FROM decisions WHERE run = ? "
                "ORDER BY number",
                (self.id,),
            )
            return tuple(
                RecordedDecision(
                    position=_real(position),
                    kind=kind,
                    factor=None if kind == "stop" else _real(factor),
                    reason=reason,
                )
                for position, kind, factor, reason in rows
            )

    @property
    def _call(self) -> str:
        return f"Run {self.id} ({self.name!r}) of {str(self.path)!r}"

    def _names(self, connection: sqlite3.Connection) -> tuple[str, ...]:
        found = connection.execute(
            "SELECT name FROM series WHERE run = ? ORDER BY number", (self.id,)
        )
        return tuple(dict.fromkeys(name for (name,) in found))

    def _curves(self, kind: str, what: str) -> dict[str, Series]:
        call = f"{self._call}.{what}"
        with open_for_reading(self.path, call) as connection:
            found = connection.execute(
                "SELECT name, number FROM series WHERE run = ? AND kind = ? ORDER BY number",
                (self.id, kind),
            ).fetchall()
            batches = self._batches(connection, call)
            return {name: self._series(connection, number, batches, call) for name, number in found}

    def _batches(self, connection: sqlite3.Connection, call: str) -> Array:
        rows = connection.execute(
            "SELECT points FROM batches WHERE run = ? ORDER BY number", (self.id,)
        )
        return _matrix(rows, 3, call)

    def _series(
        self, connection: sqlite3.Connection, number: int, batches: Array, call: str
    ) -> Series:
        rows = connection.execute(
            "SELECT points FROM chunks WHERE run = ? AND series = ? ORDER BY number",
            (self.id, number),
        )
        latest = batches[batches[:, 0] == number, 1:]
        points = np.concatenate([_matrix(rows, 2, call), latest])
        return Series(points[:, 0].copy(), points[:, 1].copy())


def read_runs(path: str | os.PathLike[str]) -> list[Run]:
    """Return all runs of a run file, in the order in which they began.

    The file may be read while runs are written to it, and is never changed. (SQLite may leave its
    two companions beside it, with the endings ``-wal`` and ``-shm``; the next writer clears them.)

    Args:
        path: A file that a :class:`Recorder` wrote.

    Raises:
        RunFileError: There is no such file, or it holds no runs that this version can read.

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
        rows = connection.execute(
            "SELECT id, name, config, started, written, ended, status, summary FROM runs "
            "ORDER BY id"
        )
        return [_run(file, call, row) for row in rows]


def _run(path: Path, call: str, row: tuple[Any, ...]) -> Run:
    number, name, config, started, written, ended, status, summary = row
    try:
        return Run(
            path=path,
            id=number,
            name=name,
            config=json.loads(config),
            started=datetime.fromtimestamp(started, UTC),
            written=datetime.fromtimestamp(written, UTC),
            ended=None if ended is None else datetime.fromtimestamp(ended, UTC),
            status="unfinished" if status is None else status,
            summary={} if summary is None else json.loads(summary),
        )
    except (TypeError, ValueError, OverflowError, OSError) as error:
        raise RunFileError(f"{call}: run {number} is damaged: {error}.") from error


def _matrix(rows: Iterable[tuple[bytes]], width: int, call: str) -> Array:
    try:
        return np.frombuffer(b"".join(row[0] for row in rows), "<f8").reshape(-1, width)
    except (TypeError, ValueError) as error:
        raise RunFileError(f"{call}: the recorded numbers are damaged: {error}.") from error


def _real(stored: float | None) -> float:
    """SQLite keeps NaN in a column as NULL."""
    return math.nan if stored is None else stored
