"""What a run did, kept in memory while it goes on."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from stepsize.plot.points import Curve
from stepsize.signals import Decision, Tick

__all__ = ["History", "kept"]


@dataclass
class History:
    """A sink that keeps a run's curves and decisions in memory.

    Args:
        positions: Of each executed step.
        rates: The highest group's, at each.
        peaks: By quantity and group as ticks name them, the highest value.
        measured: By metric, positions and values.
        decisions: Each with its position.
    """

    positions: list[float] = field(default_factory=list[float])
    rates: list[float] = field(default_factory=list[float])
    peaks: dict[str, float] = field(default_factory=dict[str, float])
    measured: dict[str, tuple[list[float], list[float]]] = field(
        default_factory=dict[str, tuple[list[float], list[float]]]
    )
    decisions: list[tuple[float, Decision]] = field(default_factory=list[tuple[float, Decision]])

    def __call__(self, tick: Tick) -> None:
        """Take one tick."""
        if tick.quantities:
            self.positions.append(tick.position)
            self.rates.append(_highest_rate(tick.quantities))
            for name, value in tick.quantities.items():
                self.peaks[name] = max(value, self.peaks.get(name, -math.inf))
        for name, value in tick.metrics.items():
            positions, values = self.measured.setdefault(name, ([], []))
            positions.append(tick.position)
            values.append(value)
        self.decisions.extend((tick.position, decision) for decision in tick.decisions)

    @property
    def rate_curve(self) -> Curve:
        """The highest group's rate at each executed step."""
        return np.array(self.positions), np.array(self.rates)

    @property
    def curves(self) -> Mapping[str, Curve]:
        """By metric, its positions and values."""
        return {name: (np.array(x), np.array(y)) for name, (x, y) in self.measured.items()}

    @property
    def kept_curves(self) -> Mapping[str, Curve]:
        """By metric, its positions and values, without what a rewind took back."""
        return {name: kept(curve) for name, curve in self.curves.items()}

    @property
    def loss_curve(self) -> Curve:
        """The training loss, without steps that were taken back; empty if it was not measured."""
        return kept(self.curves.get("loss", (np.array([]), np.array([]))))


def kept(curve: Curve) -> Curve:
    """A curve without what a rewind took back: without what earlier positions follow on.

    >>> kept((np.array([0, 1, 2, 1, 2]), np.array([5.0, 6, 7, 8, 9])))
    (array([0, 1, 2]), array([5., 8., 9.]))
    """
    positions, values = curve
    if not len(positions):
        return curve
    earliest_after = np.minimum.accumulate(np.append(positions, np.inf)[:0:-1])[::-1]
    stays = positions < earliest_after
    return positions[stays], values[stays]


def _highest_rate(quantities: Mapping[str, float]) -> float:
    rates = [each for name, each in quantities.items() if name == "lr" or name.startswith("lr/")]
    return max(rates, default=math.nan)
