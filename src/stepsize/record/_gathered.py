"""Ticks as points: what a training hands over, turned into triples (series, position, value)."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from struct import Struct
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from stepsize.record._schema import encode_text
from stepsize.signals import Tick

__all__ = ["Gathered"]

Array: TypeAlias = NDArray[np.float64]
Names: TypeAlias = tuple[tuple[str, ...], tuple[str, ...]]

_TRIPLE = Struct("<3d")


class _Rows:
    """Ticks with the same names: position and values of each, one after the other.

    Args:
        series: The numbers of the series of the values.
    """

    def __init__(self, series: Sequence[int]) -> None:
        self._series = series
        self.content = bytearray()
        self.pack = Struct(f"<{1 + len(series)}d").pack

    def triples(self) -> Array:
        """Shape (n, 3); all points of a tick after all those of the tick before."""
        width = len(self._series)
        rows = np.frombuffer(bytes(self.content), "<f8").reshape(-1, 1 + width)
        triples = np.empty((len(rows), width, 3), "<f8")
        triples[:, :, 0] = self._series
        triples[:, :, 1] = rows[:, :1]
        triples[:, :, 2] = rows[:, 1:]
        return triples.reshape(-1, 3)


class Gathered:
    """The points of ticks, and the numbers of the series that they belong to.

    Most ticks of a run have the same names, so that a whole row is taken at once.

    Args:
        refuse: Called with the kind, name, position and value of what is not a number, and why.

    Attributes:
        series: The number of each series by kind and name, in the order in which they came.
    """

    def __init__(self, refuse: Callable[[str, object, object, object, Exception], None]) -> None:
        self.series: dict[tuple[str, str], int] = {}
        self._refuse = refuse
        self._rows: dict[Names, _Rows] = {}
        self._open: set[int] = set()
        self._taken: list[Array] = []

    def take(self, ticks: Iterable[Tick]) -> None:
        """Take the numbers of ticks, in their order."""
        of_quantities: tuple[str, ...] | None = None
        of_metrics: tuple[str, ...] | None = None
        rows: _Rows | None = None
        for tick in ticks:
            quantities, metrics = tick.quantities, tick.metrics
            if (*quantities,) != of_quantities or (*metrics,) != of_metrics:
                of_quantities, of_metrics = (*quantities,), (*metrics,)
                rows = self._rows_of(of_quantities, of_metrics)
            if rows is not None:
                try:
                    packed = rows.pack(tick.position, *quantities.values(), *metrics.values())
                    rows.content += packed
                    continue
                except Exception:  # something in it is not a number: taken one by one below
                    pass
            self._settle()
            self._take_one_by_one("quantity", tick.position, quantities)
            self._take_one_by_one("metric", tick.position, metrics)
            of_quantities = None

    def points(self) -> Array:
        """All that was taken since the last call; shape (n, 3)."""
        self._settle()
        taken, self._taken = self._taken, []
        return np.concatenate(taken) if taken else np.empty((0, 3), "<f8")

    def _rows_of(self, quantities: tuple[str, ...], metrics: tuple[str, ...]) -> _Rows | None:
        """Where ticks of these names go; None where a name cannot be one."""
        rows = self._rows.get((quantities, metrics))
        if rows is not None:
            return rows
        try:
            series = [self._number("quantity", name) for name in quantities]
            series += [self._number("metric", name) for name in metrics]
        except Exception:
            return None
        if not self._open.isdisjoint(series):
            self._settle()  # or the points of a series would come out of order
        self._open.update(series)
        rows = self._rows[quantities, metrics] = _Rows(series)
        return rows

    def _number(self, kind: str, name: str) -> int:
        number = self.series.get((kind, name))
        if number is None:
            encode_text(name)
            number = self.series[kind, name] = len(self.series)
        return number

    def _settle(self) -> None:
        self._taken += [rows.triples() for rows in self._rows.values() if rows.content]
        self._rows.clear()
        self._open.clear()

    def _take_one_by_one(self, kind: str, position: float, numbers: Mapping[str, float]) -> None:
        for name, value in numbers.items():
            try:
                triple = _TRIPLE.pack(self._number(kind, name), position, value)
            except Exception as error:
                self._refuse(kind, name, position, value, error)
            else:
                self._taken.append(np.frombuffer(triple, "<f8").reshape(1, 3))
