"""The rows of a run that change while it is recorded, and what ends it."""

import json
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from stepsize.messages import Message
from stepsize.record._process import this_process
from stepsize.record._schema import Stored, checksum, encode_text, stored_number
from stepsize.signals import Decision, Rewind, Scale, Stop

__all__ = [
    "DecisionRow",
    "Ending",
    "OpenRun",
    "decision_row",
    "run_checksum",
    "write_segment",
]

DecisionRow: TypeAlias = tuple[int, int, float | None, str, float | None, bytes, bytes, int]

_RUN = """
    UPDATE runs SET config = ?, written = ?, ended = ?, status = CAST(? AS TEXT), summary = ?,
        failure = CAST(? AS TEXT), series = ?, batches = ?, decisions = ?, segments = ?,
        checksum = ?
    WHERE id = ?"""
_SEGMENT = """
    INSERT OR REPLACE INTO segments (run, number, start, started, ended, status, first_chunk,
        first_decision, process, checksum)
    VALUES (?, ?, ?, ?, ?, CAST(? AS TEXT), ?, ?, ?, ?)"""
_SERIES = """
    INSERT OR REPLACE INTO series (run, number, kind, name, points, checksum)
    VALUES (?, ?, ?, CAST(? AS TEXT), ?, ?)"""


@dataclass(frozen=True)
class Ending:
    """How a run ended.

    Args:
        status: In a word.
        summary: JSON of what came out.
        failure: What was raised; None if nothing was.
    """

    status: str
    summary: str
    failure: str | None = None


@dataclass
class OpenRun:
    """A run that is recorded, as far as it is in the file.

    Args:
        id: Its number.
        name: What it is called.
        config: JSON of its settings.
        started: When it began.
        written: When it was last written.
        plan: The text of its plan; None if nothing was said.
        fingerprint: JSON of what was trained; None if nothing was said.
        segment: The number of its present segment.
        segment_started: When that began.
        start: The position at which that began; None until it is known.
        first_chunk: The number of that segment's first chunk.
        first_decision: The number of its first decision.
        series: The number of each series, by kind and name.
        points: The sealed points of each series.
        chunks: The number of the next chunk.
        decisions: How many decisions there are.
        series_written: How many series are in the file.
        is_checked: Whether all its rows have checksums; not where version 1 began it.
    """

    id: int
    name: str
    config: str
    started: float
    written: float
    plan: str | None = None
    fingerprint: str | None = None
    segment: int = 0
    segment_started: float = 0.0
    start: float | None = None
    first_chunk: int = 0
    first_decision: int = 0
    series: dict[tuple[str, str], int] = field(default_factory=dict[tuple[str, str], int])
    points: dict[int, int] = field(default_factory=dict[int, int])
    chunks: int = 0
    decisions: int = 0
    series_written: int = 0
    is_checked: bool = True

    def write(
        self,
        connection: sqlite3.Connection,
        batches: int,
        sealed: Mapping[int, int] | None,
        ending: Ending | None,
    ) -> None:
        """Write the run's rows of all tables that hold one row for each of something.

        Args:
            connection: Inside a transaction.
            batches: How many batches the file holds.
            sealed: By series, the points that were just sealed; None if none were.
            ending: How the run ended, if it did.
        """
        self._write_series(connection, sealed or {})
        ended = None if ending is None else self.written
        status = None if ending is None else ending.status
        summary = None if ending is None else ending.summary
        failure = None if ending is None else ending.failure
        counts = len(self.series), batches, self.decisions, self.segment + 1
        total = run_checksum(
            (self.id, self.name, self.config, self.started, self.written, ended, status, summary),
            (self.plan, self.fingerprint, failure, *counts),
        )
        texts = [None if text is None else encode_text(text) for text in (status, failure)]
        changed = self.config, self.written, ended, texts[0], summary, texts[1]
        connection.execute(_RUN, (*changed, *counts, total if self.is_checked else None, self.id))
        self._write_segment(connection, ended, status)

    def sealed(self, points: Mapping[int, int] | None) -> None:
        """What :meth:`write` was told to be sealed is in the file."""
        self.series_written = len(self.series)
        if points is not None:
            for number, count in points.items():
                self.points[number] = self.points.get(number, 0) + count
            self.chunks += 1

    def _write_series(self, connection: sqlite3.Connection, sealed: Mapping[int, int]) -> None:
        for (kind, name), number in self.series.items():
            if number >= self.series_written or number in sealed:
                row = (
                    self.id,
                    number,
                    kind,
                    name,
                    self.points.get(number, 0) + sealed.get(number, 0),
                )
                values = *row[:3], encode_text(name), row[4], checksum(*row)
                connection.execute(_SERIES, values)

    def _write_segment(
        self, connection: sqlite3.Connection, ended: float | None, status: str | None
    ) -> None:
        row = (
            self.id,
            self.segment,
            stored_number(self.start),
            self.segment_started,
            ended,
            status,
            self.first_chunk,
            self.first_decision,
            this_process(),
        )
        write_segment(connection, row)


def write_segment(connection: sqlite3.Connection, row: tuple[Stored, ...]) -> None:
    """Write a row of ``segments``: all its columns but the checksum."""
    word = None if row[5] is None else encode_text(str(row[5]))
    connection.execute(_SEGMENT, (*row[:5], word, *row[6:], checksum(*row)))


def run_checksum(first: tuple[Stored, ...], added: tuple[Stored, ...]) -> int:
    """The checksum of a run's row: the columns of version 1, then those that version 2 added."""
    return checksum(*first, *added)


def decision_row(run: int, number: int, position: float, decision: Decision) -> DecisionRow:
    """A decision as the file keeps it.

    Raises:
        TypeError, ValueError: It holds something else than numbers and texts.
    """
    evidence: dict[str, object] = {}
    match decision:
        case Scale():
            kind, factor = "scale", float(decision.factor)
        case Rewind():
            kind, factor = "rewind", float(decision.factor)
            evidence = {name: getattr(decision, name) for name in ("since", "warmup", "limit")}
        case Stop():
            kind, factor = "stop", None
    if isinstance(decision.reason, Message):
        evidence["message"] = decision.reason.to_dict()
    reason, details = str(decision.reason), json.dumps(evidence)
    row = run, number, stored_number(float(position)), kind, stored_number(factor), reason, details
    return (*row[:5], encode_text(reason), encode_text(details), checksum(*row))
