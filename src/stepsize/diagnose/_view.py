"""What a rule sees: the curves of a run, told apart and cleaned."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final, Protocol, TypeAlias

import numpy as np

from stepsize.diagnose._names import UPDATE_RATIO
from stepsize.diagnose._trend import Array, Trend

__all__ = ["Curve", "RecordedCurves", "RunView"]

Curve: TypeAlias = tuple[Array, Array]
"""Positions and values, each of shape (n,)."""

AT_PEAK: Final = 0.999
"""From this part of the peak on, a rate is at its peak."""

_FEWEST_EPOCH_POINTS: Final = 2
_LAST_POSITION: Final = 2.0**53
"""What is beyond cannot be counted in doubles."""


class RecordedCurves(Protocol):
    """Anything with curves by name: a recorded run, a log that was read, a test's stand-in."""

    @property
    def quantities(self) -> Mapping[str, Curve]:
        """The driven quantities: ``"lr"``, or ``"lr/<group>"`` where there are several."""
        ...

    @property
    def metrics(self) -> Mapping[str, Curve]:
        """What was measured."""
        ...


@dataclass(frozen=True)
class RunView:
    """The curves of a run by the part they play; a curve that is not there is empty.

    Args:
        training: The training loss in the order of its positions; values may be non-finite.
        validation: The loss on other data.
        rates: The rate of each group by name.
        gradient_norm: The norm of the gradient.
        metrics: All metrics by name.
        planned: How many steps the run was to have, if that is known.
        steps_per_epoch: Optimizer steps per epoch, if that is known.
        cut_short: Whether the log is known to have lost its end: the run may have gone on.
    """

    training: Curve
    validation: Curve
    rates: Mapping[str, Curve]
    gradient_norm: Curve
    metrics: Mapping[str, Curve] = field(hash=False)
    planned: float | None = None
    steps_per_epoch: float | None = None
    cut_short: bool = False

    # ---------------------------------------------------------------- the loss

    @cached_property
    def loss(self) -> Trend:
        """The finite points of the training loss."""
        return cleaned(self.training)

    @cached_property
    def evaluation(self) -> Trend:
        """The finite points of the validation loss."""
        return cleaned(self.validation)

    @cached_property
    def begins(self) -> float:
        """The level of the loss at its first points."""
        return float(np.median(self.loss.values[:3])) if len(self.loss) else math.nan

    @cached_property
    def descent(self) -> float:
        """How far the loss came down, from its first points to its lowest window."""
        return self.begins - float(self.loss.windows[1].min()) if len(self.loss) else math.nan

    # ---------------------------------------------------------------- the rate

    @cached_property
    def rate(self) -> Trend:
        """The rate of the group whose rate is highest: the groups share one shape."""
        curves = [cleaned(each) for each in self.rates.values()]
        known = [each for each in curves if len(each)]
        return max(known, key=lambda each: each.values.max(), default=cleaned(EMPTY))

    @cached_property
    def has_rate(self) -> bool:
        """Whether a rate above 0 is known at two points or more."""
        return len(self.rate) > 1 and self.peak > 0

    @cached_property
    def peak(self) -> float:
        """The highest rate."""
        return float(self.rate.values.max())

    @cached_property
    def peak_at(self) -> float:
        """The first position at the peak."""
        return float(self.rate.positions[np.argmax(self._at_peak)])

    @cached_property
    def leaves_peak_at(self) -> float:
        """The last position at the peak."""
        return float(self.rate.positions[self._at_peak][-1])

    @cached_property
    def _at_peak(self) -> "np.typing.NDArray[np.bool_]":
        return self.rate.values >= AT_PEAK * self.peak

    @cached_property
    def last_rate(self) -> float:
        """The last rate that was recorded."""
        return float(self.rate.values[-1])

    def rate_at(self, position: float) -> float | None:
        """The rate that was in use at a position, if one is known."""
        if not len(self.rate):
            return None
        index = int(np.searchsorted(self.rate.positions, position, side="right")) - 1
        return float(self.rate.values[max(index, 0)])

    # ---------------------------------------------------------------- the run

    @cached_property
    def first(self) -> float:
        """The first position of any curve."""
        return min((float(each.positions[0]) for each in self._known), default=0.0)

    @cached_property
    def last(self) -> float:
        """The last position of any curve."""
        return max((float(each.positions[-1]) for each in self._known), default=0.0)

    @property
    def length(self) -> float:
        """How many steps the run had, as far as its curves tell: from position 0 to the last."""
        return self.last - min(self.first, 0.0)

    @cached_property
    def _known(self) -> list[Trend]:
        return [each for each in (self.rate, self.loss, self.evaluation) if len(each)]

    @cached_property
    def per_epoch(self) -> float | None:
        """Optimizer steps per epoch: as given, or from a curve ``epoch`` that was logged."""
        if self.steps_per_epoch is not None:
            return self.steps_per_epoch
        epochs = cleaned(self.metrics.get("epoch", EMPTY))
        if len(epochs) < _FEWEST_EPOCH_POINTS:
            return None
        passed = float(epochs.values[-1] - epochs.values[0])
        return float(epochs.positions[-1] - epochs.positions[0]) / passed if passed > 0 else None

    @cached_property
    def update_ratios(self) -> dict[str, Trend]:
        """By group, the norm of an update over the norm of its weights."""
        found = {name: UPDATE_RATIO.fullmatch(name) for name in self.metrics}
        return {
            str(match["group"] or match["group2"]): cleaned(self.metrics[name])
            for name, match in found.items()
            if match
        }


EMPTY: Final[Curve] = (np.empty(0), np.empty(0))


def ordered(curve: Curve) -> Curve:
    """The points in the order of their positions, whatever their values are.

    Of points at one position the last counts: after a rewind, positions come again.
    """
    positions, values = (np.asarray(each, np.float64) for each in curve)
    placed = np.abs(positions) <= _LAST_POSITION
    unique, latest = np.unique(positions[placed][::-1], return_index=True)
    return unique, values[placed][::-1][latest]


def cleaned(curve: Curve) -> Trend:
    """The finite points in the order of their positions."""
    positions, values = ordered(curve)
    finite = np.isfinite(values)
    return Trend(positions[finite], values[finite])
