"""Schedules over a number of steps, and the two ways of showing them: a picture or a chart."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from stepsize.cli.chart import print_chart
from stepsize.cli.screen import notice
from stepsize.cli.spec import Spec
from stepsize.errors import EndlessSchedule, InvalidValue
from stepsize.plot import plot_curves, save
from stepsize.schedules import Phase
from stepsize.schedules.summary import (
    MOST_PHASES,
    Summary,
    first_phases,
    steps_to_look_at,
    summarize,
    value_reached,
)

__all__ = ["View", "view"]

Array: TypeAlias = NDArray[np.float64]

_FEWEST_POSITIONS: Final = 2_000
_ENDLESS_CONFIGURATION: Final = 1_000  # what is shown of a configuration that holds the rate
_MOST_VALUES: Final = 1_000_000
_MOST_CURVES: Final = 50


@dataclass(frozen=True)
class View:
    """Schedules over the same steps, in the same unit.

    Args:
        specs: The schedules.
        steps: How many steps.
        base: The base rate, if rates are shown and not multiples.
    """

    specs: tuple[Spec, ...]
    steps: int
    base: float | None

    @property
    def unit(self) -> str:
        """What the values are."""
        are_rates = self.base is not None or self.specs[0].absolute
        return "learning rate" if are_rates else "multiple of the base rate"

    def summary(self, spec: Spec) -> Summary:
        """The numbers of one schedule."""
        return summarize(spec.schedule, self.steps, self._scale(spec))

    def table(self) -> dict[str, Array]:
        """Every step's value, by name: shape (steps,).

        Raises:
            InvalidValue: It would be too large.
        """
        if self.steps * len(self.specs) > _MOST_VALUES:
            raise InvalidValue(
                f"--steps {self.steps}",
                f"a list holds at most {_MOST_VALUES:,} values",
                f"{len(self.specs)} × {self.steps:,} are asked for",
                "Look at fewer with --steps, or squeeze the schedule with .over(total).",
            )
        steps = np.arange(self.steps, dtype=np.float64)
        return {spec.name: self._values(spec, steps) for spec in self.specs}

    def show(self, output: Path | None, log: bool) -> None:
        """Write a picture to ``output``, or draw in the terminal.

        Raises:
            InvalidValue: There are too many schedules for one picture.
        """
        if len(self.specs) > _MOST_CURVES:
            raise InvalidValue(
                "SPEC...",
                f"a picture shows at most {_MOST_CURVES} schedules",
                f"there are {len(self.specs)}",
                "Give fewer, or print them with --csv.",
            )
        positions = self._positions_to_draw()
        curves = {
            spec.name: np.append(
                self._values(spec, positions[:-1]),
                self._scale(spec) * value_reached(spec.schedule, self.steps),
            )
            for spec in self.specs
        }
        if output is None:
            print_chart(curves, self._phases(), positions, log=log, unit=self.unit)
            return
        picture = plot_curves(
            curves, self._phases(), log=log, positions=positions, ylabel=self.unit
        )
        notice(f"Wrote {save(picture, output)}.")

    def _positions_to_draw(self) -> Array:
        """0 .. steps; in between also, where these are few, so that a jump is drawn upright."""
        if self.steps >= _FEWEST_POSITIONS:
            return np.append(steps_to_look_at(self.steps), self.steps)
        return np.linspace(0, self.steps, self.steps * (_FEWEST_POSITIONS // self.steps) + 1)

    def _phases(self) -> list[Phase]:
        """Those of a single schedule, if one could tell them apart."""
        if len(self.specs) != 1:
            return []
        phases = first_phases(self.specs[0].schedule, self.steps)
        return phases if len(phases) <= MOST_PHASES else []

    def _scale(self, spec: Spec) -> float:
        return 1.0 if spec.absolute or self.base is None else self.base

    def _values(self, spec: Spec, positions: Array) -> Array:
        return self._scale(spec) * spec.schedule(positions)


def view(specs: tuple[Spec, ...], steps: int | None, base: float | None) -> View:
    """The view that a command's arguments ask for.

    Raises:
        EndlessSchedule: All schedules are endless and ``steps`` is not given.
        InvalidValue: Rates and multiples would be mixed.
    """
    if base is None and len({spec.absolute for spec in specs}) > 1:
        names = {spec.absolute: spec.name for spec in reversed(specs)}
        raise InvalidValue(
            "SPEC...",
            "curves can be compared if all are rates, or all multiples of the base rate",
            f"{names[True]} gives rates and {names[False]} multiples",
            "Give the base rate, for example --base 3e-4.",
        )
    if steps is None:
        lengths = [spec.schedule.length for spec in specs]
        ending = [length for length in lengths if math.isfinite(length)]
        if not ending and all(spec.imported for spec in specs):
            ending = [_ENDLESS_CONFIGURATION]
        if not ending:
            raise EndlessSchedule(
                specs[0].name,
                "a curve is drawn up to its end",
                "the schedule is endless",
                "Say how much of it to look at, for example --steps 1000.",
            )
        steps = max(1, math.ceil(max(ending)))
    return View(specs, steps, _read_base(specs) if base is None else base)


def _read_base(specs: tuple[Spec, ...]) -> float | None:
    """The base rate that all configurations name, if nothing else is shown."""
    bases = {None if spec.imported is None else spec.imported.base for spec in specs}
    return bases.pop() if len(bases) == 1 else None
