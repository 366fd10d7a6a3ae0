"""The points of a run's curves as they lie in its file."""

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import NamedTuple

import numpy as np

from stepsize.record._damage import damaged
from stepsize.record._extremes import FINEST, Overview, joined, reduced, unpacked
from stepsize.record._recorded import Array, Series
from stepsize.record._verified import VerifiedRows, bytes_of, matrix_of, require

__all__ = ["SeriesRow", "StoredCurves"]


class SeriesRow(NamedTuple):
    """A curve's name."""

    number: int
    kind: str
    name: str
    points: int | None


class StoredCurves(VerifiedRows, ABC):
    """The curves of one run. Its segments say what of them was superseded."""

    @property
    def names(self) -> tuple[str, ...]:
        """The names of all curves, in the order in which they first came."""
        return tuple(dict.fromkeys(each.name for each in self.series_rows))

    @cached_property
    def series_rows(self) -> list[SeriesRow]:
        """The curves, in the order in which they first came."""
        columns = "run, number, kind, name" + (", points, checksum" if self.has_layout else "")
        rows = self.rows(columns, "series")
        self.require_count("series", len(rows))
        found: list[SeriesRow] = []
        for row in rows:
            self.verify("series", row)
            require(self.call, "a curve", int, row[1])
            require(self.call, "a curve", str, row[2], row[3])
            found.append(SeriesRow(row[1], row[2], row[3], row[4] if self.has_layout else None))
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

    @cached_property
    def _batches(self) -> Array:
        columns = "run, number, points" + (", checksum" if self.has_layout else "")
        rows = self.rows(columns, "batches")
        self.require_count("batches", len(rows))
        for row in rows:
            self.verify("batches", row)
        return matrix_of(b"".join(bytes_of(self.call, row[2]) for row in rows), 3, self.call)

    def _latest(self, number: int) -> Array:
        return self._batches[self._batches[:, 0] == number, 1:]

    def _chunks(self, number: int) -> Iterator[tuple[Array, float]]:
        """The chunks of a curve, and the position from which each is superseded."""
        for chunk, _ in self._chunk_sizes(number):
            yield self._chunk(number, chunk), self.limit_of(chunk)

    def _chunk_sizes(self, number: int) -> list[tuple[int, int]]:
        """The number of each chunk of a curve, and its points: without reading these."""
        rows = self.connection.execute(
            "SELECT number, length(points) FROM chunks WHERE run = ? AND series = ? "
            "ORDER BY number",
            (self.run, number),
        ).fetchall()
        sizes = [(chunk, (length or 0) // 16) for chunk, length in rows]
        seen = sum(points for _, points in sizes)
        written = next(each.points for each in self.series_rows if each.number == number)
        if self.counts is not None and seen != written:
            raise damaged(self.call, f"{seen} points are there, and {written} were written")
        return sizes

    def _chunk(self, number: int, chunk: int) -> Array:
        """The points of a chunk; shape (n, 2)."""
        columns = "run, series, number, points" + (", checksum" if self.has_layout else "")
        query = f"SELECT {columns} FROM chunks WHERE run = ? AND series = ? AND number = ?"  # noqa: S608
        row = self.connection.execute(query, (self.run, number, chunk)).fetchone()
        if row is None:  # found by its index, but not there
            raise damaged(self.call, "a chunk is missing")
        self.verify("chunks", row)
        return matrix_of(bytes_of(self.call, row[3]), 2, self.call)

    def _chunk_overview(self, number: int, chunk: int, points: int, together: int) -> Overview:
        """A chunk's extremes as recorded, where they serve; else found anew."""
        limit = self.limit_of(chunk)
        if self.has_layout and together >= FINEST and limit == math.inf:
            key = self.run, number, chunk
            query = "SELECT extremes FROM chunks WHERE run = ? AND series = ? AND number = ?"
            (extremes,) = self.connection.execute(query, key).fetchone()
            if isinstance(extremes, bytes):
                return _at_resolution(unpacked(extremes, points, *key), together)
            if extremes is not None or self.counts is not None:
                raise damaged(self.call, "a chunk's extremes are missing")
        counting = _counting(self._chunk(number, chunk), limit, superseded=False)
        return reduced(_raw_overview(counting), together)

    @abstractmethod
    def limit_of(self, chunk: int) -> float:
        """The position from which a chunk is superseded."""


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
