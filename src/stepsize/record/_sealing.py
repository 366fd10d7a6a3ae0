"""Points on their way into a run file: first in batches, then sealed in a chunk per series."""

import sqlite3
from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from stepsize.record._extremes import levels_of, packed
from stepsize.record._rows import OpenRun
from stepsize.record._schema import checksum

__all__ = ["Unsealed", "write_chunks"]

Array: TypeAlias = NDArray[np.float64]

_CHUNK = (
    "INSERT OR REPLACE INTO chunks (run, series, number, points, extremes, checksum) "
    "VALUES (?, ?, ?, ?, ?, ?)"
)
_BATCH = "INSERT OR REPLACE INTO batches (run, number, points, checksum) VALUES (?, ?, ?, ?)"


class Unsealed:
    """The points since the last seal, and how far they are in the file as batches.

    Attributes:
        points: How many there are.
        unwritten: How many of them are in no batch yet.
    """

    def __init__(self) -> None:
        self._arrays: list[Array] = []
        self._in_batches = 0
        self._batches = 0
        self.points = 0
        self.unwritten = 0

    def add(self, triples: Array) -> None:
        """Take points of shape (n, 3): series, position, value."""
        if len(triples):
            self._arrays.append(triples)
            self.points += len(triples)
            self.unwritten += len(triples)

    def write_batch(self, connection: sqlite3.Connection, run: OpenRun) -> None:
        """Put what is in no batch yet into one."""
        if self.unwritten:
            points = b"".join(each.tobytes() for each in self._arrays[self._in_batches :])
            row = run.id, self._batches, points
            connection.execute(_BATCH, (*row, checksum(*row)))

    def seal(self, connection: sqlite3.Connection, run: OpenRun) -> Mapping[int, int]:
        """Replace the batches by a chunk per series; returns the points of each series."""
        connection.execute("DELETE FROM batches WHERE run = ?", (run.id,))
        triples = np.concatenate([np.empty((0, 3), "<f8"), *self._arrays])
        return write_chunks(connection, run.id, run.chunks, triples)

    def batches_after(self, seals: bool) -> int:
        """How many batches the file holds then."""
        return 0 if seals else self._batches + bool(self.unwritten)

    def written(self, sealed: bool) -> None:
        """What was written is safe: forget it, or count it."""
        self._batches = self.batches_after(sealed)
        if sealed:
            self._arrays.clear()
            self.points = 0
        self._in_batches = len(self._arrays)
        self.unwritten = 0


def write_chunks(
    connection: sqlite3.Connection, run: int, number: int, triples: Array
) -> Mapping[int, int]:
    """Write a chunk of this number for each series; returns the points of each."""
    written: dict[int, int] = {}

    def rows() -> Iterator[tuple[int, int, int, bytes, bytes, int]]:
        for series, points in _by_series(triples):
            written[series] = len(points)
            key = run, series, number
            extremes = packed(levels_of(*points.T.copy()), *key)
            content = points.tobytes()
            yield (*key, content, extremes, checksum(*key, content))

    connection.executemany(_CHUNK, rows())
    return written


def _by_series(triples: Array) -> Iterator[tuple[int, Array]]:
    numbers = triples[:, 0].astype(np.int32)
    ordered = triples[np.argsort(numbers, kind="stable"), 1:]
    ends = np.cumsum(np.bincount(numbers)).tolist()
    for number, (first, end) in enumerate(pairwise([0, *ends])):
        if end > first:
            yield number, ordered[first:end]
