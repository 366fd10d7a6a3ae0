"""A run as another tool's log has it."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from stepsize.logs._rates import rate_names
from stepsize.record import Series

__all__ = ["LoggedRun"]


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
    """

    name: str
    path: Path
    form: str
    quantities: Mapping[str, Series] = field(hash=False)
    metrics: Mapping[str, Series] = field(hash=False)
    steps: float | None = None
    notes: tuple[str, ...] = ()


class Points:
    """Gathers the points of a log, and makes curves of them."""

    def __init__(self) -> None:
        self._points: defaultdict[str, list[tuple[float, float]]] = defaultdict(list)

    def add(self, name: str, position: float, value: float) -> None:
        """One more point of a curve."""
        self._points[name].append((position, value))

    def __bool__(self) -> bool:
        return bool(self._points)

    def run(
        self,
        name: str,
        path: Path,
        form: str,
        steps: float | None = None,
        notes: tuple[str, ...] = (),
    ) -> LoggedRun:
        """The run that they make."""
        curves = {each: _series(points) for each, points in self._points.items()}
        rates = rate_names(curves)
        return LoggedRun(
            name=name,
            path=path,
            form=form,
            quantities={rates[each]: curve for each, curve in curves.items() if each in rates},
            metrics={each: curve for each, curve in curves.items() if each not in rates},
            steps=steps,
            notes=notes + non_finite(curves),
        )


def non_finite(curves: Mapping[str, Series]) -> tuple[str, ...]:
    """A sentence for each curve with values that are no finite numbers."""
    counts = {name: int((~np.isfinite(curve.values)).sum()) for name, curve in curves.items()}
    return tuple(
        f"{name!r}: {count} of {len(curves[name].values)} values are not finite."
        for name, count in counts.items()
        if count
    )


def _series(points: list[tuple[float, float]]) -> Series:
    array = np.array(points, np.float64).reshape(-1, 2)
    return Series(array[:, 0].copy(), array[:, 1].copy())
