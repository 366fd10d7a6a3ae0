"""The runs of a file, and what belongs to one of them."""

import math
import sqlite3
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import cached_property
from typing import Any, NamedTuple

from stepsize.errors import StepsizeError
from stepsize.messages import Message
from stepsize.record._curves import StoredCurves
from stepsize.record._damage import damaged
from stepsize.record._fingerprint import Fingerprint
from stepsize.record._format import has_layout
from stepsize.record._process import is_alive
from stepsize.record._recorded import RecordedDecision, Segment
from stepsize.record._rows import run_checksum
from stepsize.record._verified import fingerprint_of, mapping_of, number_of, require

__all__ = ["RunRow", "StoredRun", "run_rows"]

_FIRST = "id, name, config, started, written, ended, status, summary"
_ADDED = "plan, fingerprint, failure, series, batches, decisions, segments, checksum"
_NOT_ADDED = ", ".join(["NULL"] * 8)


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
    require(call, what, str, name, config)
    require(call, what, float, started, written)
    require(call, what, str | None, status, summary, plan, fingerprint, failure)
    require(call, what, float | None, ended)
    segments = StoredRun(connection, number, call).segments if total is not None else ()
    killed = ended is None and bool(segments) and segments[-1].status == "abandoned"
    return RunRow(
        number,
        name,
        mapping_of(call, what, config),
        started,
        max(written, started),
        None if ended is None else max(ended, started),
        status if status is not None else "abandoned" if killed else "unfinished",
        {} if summary is None else mapping_of(call, what, summary),
        plan,
        None if fingerprint is None else fingerprint_of(call, what, fingerprint),
        failure,
        segments,
    )


class StoredRun(StoredCurves):
    """One run: its curves, its decisions and its segments."""

    def decisions(self) -> tuple[RecordedDecision, ...]:
        """What was decided, without what was superseded."""
        columns = "run, number, position, kind, factor, reason"
        columns += ", evidence, checksum" if self.has_layout else ""
        rows = self.rows(columns, "decisions")
        self.require_count("decisions", len(rows))
        found: list[RecordedDecision] = []
        for row in rows:
            self.verify("decisions", row)
            require(self.call, "a decision", str, row[3], row[5])
            require(self.call, "a decision", float | None, row[2], row[4])
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

    def limit_of(self, chunk: int) -> float:
        """The position from which a chunk is superseded."""
        return self._part(chunk).limit

    @cached_property
    def _segment_rows(self) -> list[tuple[Any, ...]]:
        if not self.has_layout:
            return []
        columns = (
            "run, number, start, started, ended, status, first_chunk, first_decision, process, "
            "checksum"
        )
        rows = self.rows(columns, "segments")
        self.require_count("segments", len(rows))
        for row in rows:
            self.verify("segments", row)
            require(self.call, "a segment", int, row[1], row[6], row[7])
            require(self.call, "a segment", float, row[3])
            require(self.call, "a segment", float | None, row[2], row[4])
            require(self.call, "a segment", str | None, row[5], row[8])
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

    def _decision(self, row: Sequence[Any]) -> RecordedDecision:
        message, evidence = None, {}
        if self.has_layout and row[6] is not None:
            require(self.call, "a decision", str, row[6])
            evidence = mapping_of(self.call, "a decision", row[6])
            said = evidence.pop("message", None)
            try:
                message = None if said is None else Message.from_dict(said)
            except (StepsizeError, AttributeError, RecursionError) as error:
                raise damaged(self.call, f"a decision's reason: {error}") from error
        return RecordedDecision(
            position=number_of(row[2]),
            kind=row[3],
            factor=None if row[3] == "stop" else number_of(row[4]),
            reason=row[5],
            message=message,
            evidence=evidence,
        )


def _unclosed(process: str | None) -> str:
    return "abandoned" if process is not None and is_alive(process) is False else "unfinished"
