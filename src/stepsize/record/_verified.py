"""Rows as they were written, or refused: checksums, counts and types."""

import json
import math
import sqlite3
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any, cast

import numpy as np

from stepsize.errors import StepsizeError
from stepsize.record._damage import damaged
from stepsize.record._fingerprint import Fingerprint
from stepsize.record._format import has_layout
from stepsize.record._recorded import Array
from stepsize.record._schema import checksum

__all__ = [
    "VerifiedRows",
    "bytes_of",
    "fingerprint_of",
    "mapping_of",
    "matrix_of",
    "number_of",
    "require",
]


class VerifiedRows:
    """The rows that belong to one run, as one transaction sees them.

    Args:
        connection: Inside the transaction.
        run: The run's id.
        call: What asks, as messages name it.

    Attributes:
        has_layout: Whether the file has what version 2 added.
    """

    def __init__(self, connection: sqlite3.Connection, run: int, call: str) -> None:
        self.connection = connection
        self.run = run
        self.call = call
        self.has_layout = has_layout(connection)

    @cached_property
    def counts(self) -> Mapping[str, int] | None:
        """How many rows each table holds of this run; None where version 1 wrote it."""
        if not self.has_layout:
            return None
        row = self.connection.execute(
            "SELECT series, batches, decisions, segments, checksum FROM runs WHERE id = ?",
            (self.run,),
        ).fetchone()
        if row is None:
            raise damaged(self.call, f"run {self.run} is missing")
        if row[4] is None:
            return None
        return dict(zip(("series", "batches", "decisions", "segments"), row[:4], strict=True))

    def rows(self, columns: str, table: str) -> list[tuple[Any, ...]]:
        query = f"SELECT {columns} FROM {table} WHERE run = ? ORDER BY number"  # noqa: S608
        return self.connection.execute(query, (self.run,)).fetchall()

    def require_count(self, table: str, count: int) -> None:
        if self.counts is not None and count != self.counts[table]:
            raise damaged(
                self.call, f"{count} {table} are there, and {self.counts[table]} were written"
            )

    def verify(self, table: str, row: Sequence[Any]) -> None:
        if not self.has_layout:
            return
        total = row[-1]
        if total is None and self.counts is None:
            return
        if total != checksum(*row[:-1]):
            raise damaged(self.call, f"a row of {table} has another checksum")


def require(call: str, what: str, wanted: Any, *values: object) -> None:
    """Refuse values of another type than was written."""
    for value in values:
        if not isinstance(value, wanted):
            raise damaged(call, f"{what} holds {str(value)[:40]!r}")


def mapping_of(call: str, what: str, text: str) -> dict[str, Any]:
    """The mapping that a JSON text holds."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise damaged(call, f"{what} holds text that is not JSON: {error}") from error
    if not isinstance(value, dict):
        raise damaged(call, f"{what} holds a {type(value).__name__} where a mapping should be")
    return cast("dict[str, Any]", value)


def fingerprint_of(call: str, what: str, text: str) -> Fingerprint:
    """The fingerprint that a JSON text holds."""
    try:
        return Fingerprint.from_dict(mapping_of(call, what, text))
    except (TypeError, StepsizeError) as error:
        raise damaged(call, f"{what} has a damaged fingerprint: {error}") from error


def bytes_of(call: str, stored: object) -> bytes:
    """A BLOB; nothing else."""
    if not isinstance(stored, bytes):
        raise damaged(call, "points are not stored as bytes")
    return stored


def matrix_of(content: bytes, width: int, call: str) -> Array:
    """Numbers as rows of this width."""
    try:
        return np.frombuffer(content, "<f8").reshape(-1, width)
    except ValueError as error:
        raise damaged(call, f"the recorded numbers: {error}") from error


def number_of(stored: float | None) -> float:
    """SQLite keeps NaN in a column as NULL."""
    return math.nan if stored is None else stored
