"""A run as another tool's log has it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np

from stepsize.columns import loss_columns, rate_columns, schedule_column
from stepsize.messages import Message
from stepsize.record import Series

__all__ = ["LoggedRun", "Points", "count_anything", "non_finite"]

_LAST_POSITION: Final = 2.0**53
"""What is beyond cannot be counted in doubles."""
_NAMED: Final = 3


@dataclass(frozen=True)
class LoggedRun:
    """The curves of one run that were found in a log.

    Attributes:
        name: What the log calls the run, or the file's name.
        path: The file or folder that was read.
        form: What it is: ``"run file"``, ``"CSV"``, ``"JSON"``, ``"JSON lines"``, ``"printed"``,
            ``"trainer_state.json"``, ``"TensorBoard"``, ``"W&B"`` or ``"MLflow"``.
        quantities: The rates: ``"lr"``, or ``"lr/<group>"``. Of a run file, all driven quantities.
        metrics: All other curves, by the names in the log.
        steps: How many steps the run was to have, in its unit, where the log says so.
        notes: What was left out or is strange, each a sentence.
        cut_short: Whether the log is known to have lost its end: the run may have gone on.
        unfinished: Whether the run itself had not ended when the log was written.
        counter: The column that counts positions; None if the log has none.
        unit: What positions count: one of ``stepsize.columns.UNITS``.
        rate_names: By quantity, the name of its column in the log.
        settings: Columns that look like a rate and never change: settings of one.
    """

    name: str
    path: Path
    form: str
    quantities: Mapping[str, Series] = field(hash=False)
    metrics: Mapping[str, Series] = field(hash=False)
    steps: float | None = None
    notes: tuple[Message, ...] = ()
    cut_short: bool = False
    unfinished: bool = False
    counter: str | None = None
    unit: str = "step"
    rate_names: Mapping[str, str] = field(default_factory=dict[str, str], hash=False)
    settings: tuple[str, ...] = ()

    @property
    def training_loss(self) -> Series | None:
        """The curve of the training loss, or of the sum of its parts; None if there is none."""
        names = loss_columns(self.metrics).training
        if not names:
            return None
        positions, total = self.metrics[names[0]]
        for name in names[1:]:  # parts were logged together
            total = total + self.metrics[name].values
        return Series(positions, total)

    @property
    def rate(self) -> Series | None:
        """The rate of the group that shows the schedule; None if no rate was logged."""
        rates = {
            name: curve
            for name, curve in self.quantities.items()
            if name == "lr" or name.startswith("lr/")
        }
        name = schedule_column(rates)
        return None if name is None else rates[name]


class Points:
    """Gathers the points of a log, and makes curves of them."""

    def __init__(self) -> None:
        self._points: dict[str, list[tuple[float, float]]] = {}

    def add(self, name: str, position: float, value: float) -> None:
        """One more point of a curve."""
        self._points.setdefault(name, []).append((position, value))

    def __bool__(self) -> bool:
        return bool(self._points)

    @property
    def names(self) -> tuple[str, ...]:
        """Of the curves so far."""
        return tuple(self._points)

    def run(
        self,
        name: str,
        path: Path,
        form: str,
        *,
        steps: float | None = None,
        notes: Iterable[Message] = (),
        cut_short: bool = False,
        unfinished: bool = False,
        counter: str | None = "step",
        unit: str = "step",
    ) -> LoggedRun:
        """The run that they make.

        Where positions cannot tell points apart, because all are equal or beyond 2^53, the points
        are numbered.
        """
        said = list(notes)
        if any(len(points) > 1 for points in self._points.values()) and not count_anything(
            position for points in self._points.values() for position, _ in points
        ):
            said.append(
                Message(
                    "All steps that were logged are equal, or beyond 2^53: positions are the "
                    "numbers of the points of each curve."
                )
            )
            self._points = {each: _numbered(points) for each, points in self._points.items()}
            counter, unit = None, "row"
        curves = {each: _series(points) for each, points in self._points.items()}
        rates = rate_columns(curves)
        return LoggedRun(
            name=name,
            path=path,
            form=form,
            quantities={ours: curves[each] for each, ours in rates.names.items() if each in curves},
            metrics={each: curve for each, curve in curves.items() if each not in rates.names},
            steps=steps,
            notes=(*said, *_beyond(curves), *_repeated(curves), *non_finite(curves)),
            cut_short=cut_short,
            unfinished=unfinished,
            counter=counter,
            unit=unit,
            rate_names={ours: each for each, ours in rates.names.items()},
            settings=rates.settings,
        )


def count_anything(positions: Iterable[float]) -> bool:
    """Whether two positions differ that can be told apart."""
    return len({each for each in positions if abs(each) <= _LAST_POSITION}) > 1


def non_finite(curves: Mapping[str, Series]) -> tuple[Message, ...]:
    """A sentence for each curve with values that are not finite."""
    counts = {name: int((~np.isfinite(curve.values)).sum()) for name, curve in curves.items()}
    return tuple(
        Message(
            "'{curve:name}': {count:count} of {points:count} values are not finite.",
            curve=name,
            count=count,
            points=len(curves[name].values),
        )
        for name, count in counts.items()
        if count
    )


def _beyond(curves: Mapping[str, Series]) -> tuple[Message, ...]:
    counts = [int((np.abs(curve.positions) > _LAST_POSITION).sum()) for curve in curves.values()]
    if not any(counts):
        return ()
    return (
        Message(
            "{count:count|point lies|points lie} at positions beyond 2^53, where rules do not "
            "look.",
            count=sum(counts),
        ),
    )


def _repeated(curves: Mapping[str, Series]) -> tuple[Message, ...]:
    """A sentence if a later value stands in the place of another one, as in a log of two runs."""
    counts: dict[str, int] = {}
    for name, (positions, values) in curves.items():
        order = np.lexsort((values, positions))
        at, seen = positions[order], values[order]
        counts[name] = len(np.unique(at[1:][(at[1:] == at[:-1]) & (seen[1:] != seen[:-1])]))
    found = [name for name, count in counts.items() if count]
    if not found:
        return ()
    return (
        Message(
            "Up to {count:count|position comes|positions come} again with other values "
            "({curves:names}): rules see the last of each. If the log holds several runs, one "
            "after the other, write each to its own file.",
            count=max(counts.values()),
            curves=tuple(map(repr, found[:_NAMED])),
        ),
    )


def _numbered(points: list[tuple[float, float]]) -> list[tuple[float, float]]:
    return [(float(index), value) for index, (_, value) in enumerate(points)]


def _series(points: list[tuple[float, float]]) -> Series:
    array = np.array(points, np.float64).reshape(-1, 2)
    return Series(array[:, 0].copy(), array[:, 1].copy())
