"""A run as another tool's log has it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np

from stepsize.logs._rates import rate_names
from stepsize.record import Series

__all__ = ["LoggedRun"]

NO_COUNT: Final = "All steps that were logged are equal, or beyond 2^53:"

_LAST_POSITION: Final = 2.0**53
"""What is beyond cannot be counted in doubles."""
_NAMED: Final = 3


@dataclass(frozen=True)
class LoggedRun:
    """The curves of one run that were found in a log.

    Attributes:
        name: What the log calls the run, or the file's name.
        path: The file or folder that was read.
        form: What it is: ``"run file"``, ``"CSV"``, ``"JSON"``, ``"JSON lines"``,
            ``"trainer_state.json"``, ``"TensorBoard"``, ``"W&B"`` or ``"MLflow"``.
        quantities: The rates: ``"lr"``, or ``"lr/<group>"``. Of a run file, all driven quantities.
        metrics: All other curves, by the names in the log.
        steps: How many steps the run was to have, where the log says so.
        notes: What was left out or is strange, each a sentence.
        cut_short: Whether the log is known to have lost its end: the run may have gone on.
    """

    name: str
    path: Path
    form: str
    quantities: Mapping[str, Series] = field(hash=False)
    metrics: Mapping[str, Series] = field(hash=False)
    steps: float | None = None
    notes: tuple[str, ...] = ()
    cut_short: bool = False


class Points:
    """Gathers the points of a log, and makes curves of them."""

    def __init__(self) -> None:
        self._points: dict[str, list[tuple[float, float]]] = {}

    def add(self, name: str, position: float, value: float) -> None:
        """One more point of a curve."""
        self._points.setdefault(name, []).append((position, value))

    def __bool__(self) -> bool:
        return bool(self._points)

    def run(
        self,
        name: str,
        path: Path,
        form: str,
        steps: float | None = None,
        notes: tuple[str, ...] = (),
        *,
        cut_short: bool = False,
    ) -> LoggedRun:
        """The run that they make.

        Where no position counts, because all are one or beyond 2^53, the points are numbered.
        """
        if any(len(points) > 1 for points in self._points.values()) and not count_anything(
            position for points in self._points.values() for position, _ in points
        ):
            notes = (*notes, f"{NO_COUNT} positions are the numbers of the points of each curve.")
            self._points = {name: _numbered(points) for name, points in self._points.items()}
        curves = {each: _series(points) for each, points in self._points.items()}
        rates = rate_names(curves)
        return LoggedRun(
            name=name,
            path=path,
            form=form,
            quantities={rates[each]: curve for each, curve in curves.items() if each in rates},
            metrics={each: curve for each, curve in curves.items() if each not in rates},
            steps=steps,
            notes=notes + _beyond(curves) + _repeated(curves) + non_finite(curves),
            cut_short=cut_short,
        )


def count_anything(positions: Iterable[float]) -> bool:
    """Whether two positions differ that can be told apart."""
    return len({each for each in positions if abs(each) <= _LAST_POSITION}) > 1


def non_finite(curves: Mapping[str, Series]) -> tuple[str, ...]:
    """A sentence for each curve with values that are no finite numbers."""
    counts = {name: int((~np.isfinite(curve.values)).sum()) for name, curve in curves.items()}
    return tuple(
        f"{name!r}: {count} of {len(curves[name].values)} values are not finite."
        for name, count in counts.items()
        if count
    )


def _beyond(curves: Mapping[str, Series]) -> tuple[str, ...]:
    counts = [int((np.abs(curve.positions) > _LAST_POSITION).sum()) for curve in curves.values()]
    if not any(counts):
        return ()
    return (f"{sum(counts)} points lie at steps beyond 2^53, where rules do not look.",)


def _repeated(curves: Mapping[str, Series]) -> tuple[str, ...]:
    """A sentence if a later value stands in the place of another one, as in a log of two runs."""
    counts: dict[str, int] = {}
    for name, (positions, values) in curves.items():
        order = np.lexsort((values, positions))
        at, seen = positions[order], values[order]
        counts[name] = len(np.unique(at[1:][(at[1:] == at[:-1]) & (seen[1:] != seen[:-1])]))
    found = [name for name, count in counts.items() if count]
    if not found:
        return ()
    named = ", ".join(map(repr, found[:_NAMED])) + (", …" if len(found) > _NAMED else "")
    return (
        f"Up to {max(counts.values())} steps come again with other values ({named}): rules see the "
        "last of each. If the log holds several runs, one after the other, write each to its own "
        "file.",
    )


def _numbered(points: list[tuple[float, float]]) -> list[tuple[float, float]]:
    return [(float(index), value) for index, (_, value) in enumerate(points)]


def _series(points: list[tuple[float, float]]) -> Series:
    array = np.array(points, np.float64).reshape(-1, 2)
    return Series(array[:, 0].copy(), array[:, 1].copy())
