"""The rows of a run file as they are read: whole, as they were written, or refused."""

import json
import math
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from typing import Any, NamedTuple, TypeAlias, cast

import numpy as np
from numpy.typing import NDArray

from stepsize.errors import StepsizeError
from stepsize.messages import Message
from stepsize.record._extremes import FINEST, Overview, joined, reduced, unpacked
from stepsize.record._fingerprint import Fingerprint
from stepsize.record._format import damaged, has_layout
from stepsize.record._process import is_alive
from stepsize.record._rows import run_checksum
from stepsize.record._schema import checksum

__all__ = ["RecordedDecision", "RunRow", "Segment", "Series", "StoredRun", "run_rows"]

Array: TypeAlias = NDArray[np.float64]

_FIRST = "id, name, config, started, written, ended, status, summary"
_ADDED = "plan, fingerprint, failure, series, batches, decisions, segments, checksum"
_NOT_ADDED = ", ".join(["NULL"] * 8)


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
        message: Why, as a template and its fields; None where the reason was a plain text.
        evidence: What else was decided, such as a rewind's ``since``, ``warmup`` and ``limit``.
    """

    position: float
    kind: str
    factor: float | None
    reason: str
    message: Message | None = field(default=None, repr=False)
    evidence: Mapping[str, Any] = field(
        default_factory=dict[str, Any], repr=False, hash=False, compare=False
    )


@dataclass(frozen=True)
class Segment:
    """A part of a run, recorded by one process.

    Attributes:
        start: The first position that it recorded; None if it recorded nothing. What earlier
            segments recorded from there on is superseded.
        started: When it began (UTC).
        ended: When it was closed (UTC), or was last written before its process was killed.
        status: As a run's.
    """

    start: float | None
    started: datetime
    ended: datetime | None
    status: str


class RunRow(NamedTuple):
    """A run's row, and its segments."""

    id: int
    name: str
    config: dict[str, Any]
    started: float
    written: float
    ended: float | None
    status: str
    summary: dict[str, Any]
    plan: str | None
    fingerprint: Fingerprint | None
    failure: str | None
    segments: tuple[Segment, ...]


class SeriesRow(NamedTuple):
    """A curve's name."""

    number: int
    kind: str
    name: str
    points: int | None


class _Part(NamedTuple):
    """What of a segment counts: from these chunks and decisions on, up to a position."""

    first_chunk: int
    first_decision: int
    limit: float


def run_rows(connection: sqlite3.Connection, call: str) -> list[RunRow]:
    """All runs, in the order in which they began.

    Raises:
        RunFileError: A row is damaged, or one is missing.
    """
    added = _ADDED if has_layout(connection) else _NOT_ADDED
    rows = connection.execute(f"SELECT {_FIRST}, {added} FROM runs ORDER BY id").fetchall()  # noqa: S608
    known = {row[0] for row in rows}
    owners = {run for (run,) in connection.execute("SELECT DISTINCT run FROM series")}
    if not owners <= known:
        raise damaged(call, "the row of a run is missing")
    return [_run_row(connection, call, row) for row in rows]


def _run_row(connection: sqlite3.Connection, call: str, row: tuple[Any, ...]) -> RunRow:
    number, name, config, started, written, ended, status, summary, *added = row
    plan, fingerprint, failure, *_, total = added
    what = f"run {number}"
    if total is not None and total != run_checksum(row[:8], tuple(added[:-1])):
        raise damaged(call, f"{what} has another checksum")
    _require(call, what, str, name, config)
    _require(call, what, float, started, written)
    _require(call, what, str | None, status, summary, plan, fingerprint, failure)
    _require(call, what, float | None, ended)
    segments = StoredRun(connection, number, call).segments if total is not None else ()
    killed = ended is None and bool(segments) and segments[-1].status == "abandoned"
    return RunRow(
        number,
        name,
        _mapping(call, what, config),
        started,
        max(written, started),
        None if ended is None else max(ended, started),
        status if status is not None else "abandoned" if killed else "unfinished",
        {} if summary is None else _mapping(call, what, summary),
        plan,
        None if fingerprint is None else _fingerprint(call, what, fingerprint),
        failure,
        segments,
    )


class StoredRun:
    """The rows that belong to one run, as one transaction sees them.

    Args:
        connection: Inside the transaction.
        run: The run's id.
        call: What asks, as messages name it.
    """

    def __init__(self, connection: sqlite3.Connection, run: int, call: str) -> None:
        self.call = call
        self._connection = connection
        self._run = run
        self._has_layout = has_layout(connection)

    @property
    def names(self) -> tuple[str, ...]:
        """The names of all curves, in the order in which they first came."""
        return tuple(dict.fromkeys(each.name for each in self.series_rows))

    @cached_property
    def series_rows(self) -> list[SeriesRow]:
        """The curves, in the order in which they first came."""
        columns = "run, number, kind, name" + (", points, checksum" if self._has_layout else "")
        rows = self._rows(columns, "series")
        self._require_count("series", len(rows))
        found: list[SeriesRow] = []
        for row in rows:
            self._verify("series", row)
            _require(self.call, "a curve", int, row[1])
            _require(self.call, "a curve", str, row[2], row[3])
            found.append(SeriesRow(row[1], row[2], row[3], row[4] if self._has_layout else None))
        return found

    def curves(self, kind: str, *, superseded: bool = False) -> dict[str, Series]:
        """The curves of a kind by name, those without a point left out."""
        curves = {
            each.name: self.series(each.number, superseded=superseded)
            for each in self.series_rows
            if each.kind == kind
        }
        return {name: series for name, series in curves.items() if len(series.values)}

    def series(self, number: int, *, superseded: bool = False) -> Series:
        """A curve: what counts of it, or what was superseded."""
        parts = [*self._chunks(number), (self._latest(number), math.inf)]
        points = np.concatenate([_counting(each, limit, superseded) for each, limit in parts])
        return Series(points[:, 0].copy(), points[:, 1].copy())

    def overview(self, number: int, stretches: int) -> Overview:
        """A curve in at most about so many stretches."""
        latest = self._latest(number)
        chunks = self._chunk_sizes(number)
        together = (sum(points for _, points in chunks) + len(latest)) // max(stretches, 1)
        try:
            parts = [
                self._chunk_overview(number, chunk, points, together) for chunk, points in chunks
            ]
        except ValueError as error:
            raise damaged(self.call, str(error)) from error
        return joined([*parts, _raw_overview(latest)], stretches)

    def decisions(self) -> tuple[RecordedDecision, ...]:
        """What was decided, without what was superseded."""
        columns = "run, number, position, kind, factor, reason"
        columns += ", evidence, checksum" if self._has_layout else ""
        rows = self._rows(columns, "decisions")
        self._require_count("decisions", len(rows))
        found: list[RecordedDecision] = []
        for row in rows:
            self._verify("decisions", row)
            _require(self.call, "a decision", str, row[3], row[5])
            _require(self.call, "a decision", float | None, row[2], row[4])
            decision = self._decision(row)
            if not decision.position >= self._part(row[1], of_decisions=True).limit:
                found.append(decision)
        return tuple(found)

    @cached_property
    def segments(self) -> tuple[Segment, ...]:
        """The parts of the run."""
        try:
            return tuple(
                Segment(
                    row[2],
                    datetime.fromtimestamp(row[3], UTC),
                    None if row[4] is None else datetime.fromtimestamp(max(row[3], row[4]), UTC),
                    row[5] if row[5] is not None else _unclosed(row[8]),
                )
                for row in self._segment_rows
            )
        except (ValueError, OverflowError, OSError) as error:
            raise damaged(self.call, f"a segment: {error}") from error

    # -------------------------------------------------------------- rows

    @cached_property
    def _segment_rows(self) -> list[tuple[Any, ...]]:
        if not self._has_layout:
            return []
        columns = (
            "run, number, start, started, ended, status, first_chunk, first_decision, process, "
            "checksum"
        )
        rows = self._rows(columns, "segments")
        self._require_count("segments", len(rows))
        for row in rows:
            self._verify("segments", row)
            _require(self.call, "a segment", int, row[1], row[6], row[7])
            _require(self.call, "a segment", float, row[3])
            _require(self.call, "a segment", float | None, row[2], row[4])
            _require(self.call, "a segment", str | None, row[5], row[8])
        return rows

    @cached_property
    def _parts(self) -> list[_Part]:
        starts = [math.inf if row[2] is None else row[2] for row in self._segment_rows]
        return [
            _Part(row[6], row[7], min(starts[index + 1 :], default=math.inf))
            for index, row in enumerate(self._segment_rows)
        ] or [_Part(0, 0, math.inf)]

    def _part(self, number: int, *, of_decisions: bool = False) -> _Part:
        """The part of the run that a chunk or a decision belongs to."""
        firsts = [each.first_decision if of_decisions else each.first_chunk for each in self._parts]
        return self._parts[max(sum(first <= number for first in firsts) - 1, 0)]

    @cached_property
    def _counts(self) -> Mapping[str, int] | None:
        """How many rows each table holds of this run; None where version 1 wrote it."""
        if not self._has_layout:
            return None
        row = self._connection.execute(
            "SELECT series, batches, decisions, segments, checksum FROM runs WHERE id = ?",
            (self._run,),
        ).fetchone()
        if row is None:
            raise damaged(self.call, f"run {self._run} is missing")
        if row[4] is None:
            return None
        return dict(zip(("series", "batches", "decisions", "segments"), row[:4], strict=True))

    def _rows(self, columns: str, table: str) -> list[tuple[Any, ...]]:
        query = f"SELECT {columns} FROM {table} WHERE run = ? ORDER BY number"  # noqa: S608
        return self._connection.execute(query, (self._run,)).fetchall()

    def _require_count(self, table: str, count: int) -> None:
        if self._counts is not None and count != self._counts[table]:
            raise damaged(
                self.call, f"{count} {table} are there, and {self._counts[table]} were written"
            )

    def _verify(self, table: str, row: Sequence[Any]) -> None:
        if not self._has_layout:
            return
        total = row[-1]
        if total is None and self._counts is None:
            return
        if total != checksum(*row[:-1]):
            raise damaged(self.call, f"a row of {table} has another checksum")

    @cached_property
    def _batches(self) -> Array:
        columns = "run, number, points" + (", checksum" if self._has_layout else "")
        rows = self._rows(columns, "batches")
        self._require_count("batches", len(rows))
        for row in rows:
            self._verify("batches", row)
        return _matrix(b"".join(_blob(self.call, row[2]) for row in rows), 3, self.call)

    def _latest(self, number: int) -> Array:
        return self._batches[self._batches[:, 0] == number, 1:]

    def _chunks(self, number: int) -> Iterator[tuple[Array, float]]:
        """The chunks of a curve, and the position from which each is superseded."""
        for chunk, _ in self._chunk_sizes(number):
            yield self._chunk(number, chunk), self._part(chunk).limit

    def _chunk_sizes(self, number: int) -> list[tuple[int, int]]:
        """The number of each chunk of a curve, and its points: without reading these."""
        rows = self._connection.execute(
            "SELECT number, length(points) FROM chunks WHERE run = ? AND series = ? "
            "ORDER BY number",
            (self._run, number),
        ).fetchall()
        sizes = [(chunk, (length or 0) // 16) for chunk, length in rows]
        seen = sum(points for _, points in sizes)
        written = next(each.points for each in self.series_rows if each.number == number)
        if self._counts is not None and seen != written:
            raise damaged(self.call, f"{seen} points are there, and {written} were written")
        return sizes

    def _chunk(self, number: int, chunk: int) -> Array:
        """The points of a chunk; shape (n, 2)."""
        columns = "run, series, number, points" + (", checksum" if self._has_layout else "")
        query = f"SELECT {columns} FROM chunks WHERE run = ? AND series = ? AND number = ?"  # noqa: S608
        row = self._connection.execute(query, (self._run, number, chunk)).fetchone()
        if row is None:  # found by its index, but not there
            raise damaged(self.call, "a chunk is missing")
        self._verify("chunks", row)
        return _matrix(_blob(self.call, row[3]), 2, self.call)

    def _chunk_overview(self, number: int, chunk: int, points: int, together: int) -> Overview:
        """A chunk's extremes as recorded, where they serve; else found anew."""
        limit = self._part(chunk).limit
        if self._has_layout and together >= FINEST and limit == math.inf:
            key = self._run, number, chunk
            query = "SELECT extremes FROM chunks WHERE run = ? AND series = ? AND number = ?"
            (extremes,) = self._connection.execute(query, key).fetchone()
            if isinstance(extremes, bytes):
                return _at_resolution(unpacked(extremes, points, *key), together)
            if extremes is not None or self._counts is not None:
                raise damaged(self.call, "a chunk's extremes are missing")
        counting = _counting(self._chunk(number, chunk), limit, superseded=False)
        return reduced(_raw_overview(counting), together)

    def _decision(self, row: Sequence[Any]) -> RecordedDecision:
        message, evidence = None, {}
        if self._has_layout and row[6] is not None:
            _require(self.call, "a decision", str, row[6])
            evidence = _mapping(self.call, "a decision", row[6])
            said = evidence.pop("message", None)
            try:
                message = None if said is None else Message.from_dict(said)
            except (StepsizeError, AttributeError, RecursionError) as error:
                raise damaged(self.call, f"a decision's reason: {error}") from error
        return RecordedDecision(
            position=_real(row[2]),
            kind=row[3],
            factor=None if row[3] == "stop" else _real(row[4]),
            reason=row[5],
            message=message,
            evidence=evidence,
        )


# ------------------------------------------------------------------ values


def _counting(points: Array, limit: float, superseded: bool) -> Array:
    """Of a chunk's points those that count, or those that do not."""
    if limit == math.inf:
        return points[:0] if superseded else points
    late = points[:, 0] >= limit
    return points[late if superseded else ~late]


def _at_resolution(levels: Sequence[Overview], together: int) -> Overview:
    """The coarsest level whose stretches are no longer than wanted."""
    chosen, size = levels[0], FINEST
    for level in levels[1:]:
        size *= FINEST
        if size > together:
            break
        chosen = level
    return chosen


def _raw_overview(points: Array) -> Overview:
    positions, values = points.T.copy()
    return Overview(positions, positions, values, values)


def _unclosed(process: str | None) -> str:
    return "abandoned" if process is not None and is_alive(process) is False else "unfinished"


def _require(call: str, what: str, wanted: Any, *values: object) -> None:
    for value in values:
        if not isinstance(value, wanted):
            raise damaged(call, f"{what} holds {str(value)[:40]!r}")


def _mapping(call: str, what: str, text: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise damaged(call, f"{what} holds text that is not JSON: {error}") from error
    if not isinstance(value, dict):
        raise damaged(call, f"{what} holds a {type(value).__name__} where a mapping should be")
    return cast("dict[str, Any]", value)


def _fingerprint(call: str, what: str, text: str) -> Fingerprint:
    try:
        return Fingerprint.from_dict(_mapping(call, what, text))
    except (TypeError, StepsizeError) as error:
        raise damaged(call, f"{what} has a damaged fingerprint: {error}") from error


def _blob(call: str, stored: object) -> bytes:
    if not isinstance(stored, bytes):
        raise damaged(call, "points are not stored as bytes")
    return stored


def _matrix(content: bytes, width: int, call: str) -> Array:
    try:
        return np.frombuffer(content, "<f8").reshape(-1, width)
    except ValueError as error:
        raise damaged(call, f"the recorded numbers: {error}") from error


def _real(stored: float | None) -> float:
    """SQLite keeps NaN in a column as NULL."""
    return math.nan if stored is None else stored
