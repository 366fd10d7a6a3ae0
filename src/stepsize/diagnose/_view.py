"""What a rule sees: the curves of a run, told apart and cleaned."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from stepsize.columns import schedule_column
from stepsize.diagnose._names import UPDATE_RATIO
from stepsize.diagnose._trend import Array, Trend
from stepsize.messages import Message

__all__ = ["EMPTY", "Curve", "RunView", "cleaned", "ordered"]

Curve: TypeAlias = tuple[Array, Array]
"""Positions and values, each of shape (n,)."""

EMPTY: Final[Curve] = (np.empty(0), np.empty(0))

_AT_PEAK: Final = 0.999
"""From this part of the peak on, a rate is at its peak."""
_FEWEST_EPOCH_POINTS: Final = 2
_LAST_POSITION: Final = 2.0**53
"""What is beyond cannot be counted in doubles."""
_UNKNOWN_END: Final = 0.05
_BEGINS_LATE: Final = 0.05
_FEW: Final = 100


@dataclass(frozen=True)
class RunView:
    """The curves of a run by the part they play; a curve that is not there is empty.

    Args:
        training: The training loss in the order of its positions; values may be non-finite.
        validation: The loss on other data.
        rates: The rate of each group by name.
        gradient_norm: The norm of the gradient.
        metrics: All metrics by name.
        evaluated: The loss on training data at the evaluations.
        policy: The loss of a policy or of rivals, which need not fall.
        planned: How many steps the run was to have, if that is known.
        steps_per_epoch: Optimizer steps per epoch, if that is known.
        may_go_on: Whether the run may have gone on after the log's end.
        unit: What positions count: one of ``stepsize.columns.UNITS``.
        optimizer: Its name in small letters, if the log tells it.
    """

    training: Curve
    validation: Curve
    rates: Mapping[str, Curve]
    gradient_norm: Curve
    metrics: Mapping[str, Curve] = field(hash=False)
    evaluated: Curve = EMPTY
    policy: Curve = EMPTY
    planned: float | None = None
    steps_per_epoch: float | None = None
    may_go_on: bool = False
    unit: str = "step"
    optimizer: str = ""

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
        if not len(self.loss):
            return math.nan
        # A log of few points has means in it, one of many may begin with an odd batch.
        first = 1 if len(self.loss) < _FEW else 3
        return float(np.median(self.loss.values[:first]))

    @cached_property
    def descent(self) -> float:
        """How far the loss came down: from the highest level before its lowest window to that."""
        if not len(self.loss):
            return math.nan
        levels = self.loss.windows[1]
        lowest = int(np.argmin(levels))
        highest = max(self.begins, float(levels[: lowest + 1].max()))
        return highest - float(levels[lowest])

    @cached_property
    def begins_late(self) -> bool:
        """Whether the log does not hold the beginning of the run, as one that was resumed."""
        at = self.loss.positions if len(self.loss) else np.zeros(1)
        return bool(at[0] > max(2 * self.loss.spacing, _BEGINS_LATE * at[-1], 1))

    # ---------------------------------------------------------------- the rate

    @cached_property
    def rate(self) -> Trend:
        """The rate of the group that shows the schedule."""
        name = schedule_column({name: ordered(curve) for name, curve in self.rates.items()})
        return cleaned(EMPTY if name is None else self.rates[name])

    @cached_property
    def has_rate(self) -> bool:
        """Whether a rate above 0 is known at two points or more."""
        return len(self.rate) > 1 and self.peak > 0

    @cached_property
    def rate_is_whole(self) -> bool:
        """Whether the rate is known to the end of the run: what comes later is not extended."""
        if not self.has_rate:
            return False
        unknown = self.last - float(self.rate.positions[-1])
        return unknown <= max(_UNKNOWN_END * self.length, 2 * self.rate.spacing)

    @cached_property
    def is_multiple(self) -> bool:
        """Whether the rate multiplies another by design: it is 1 at its peak, and never more."""
        return self.has_rate and self.peak == 1.0

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
    def _at_peak(self) -> NDArray[np.bool_]:
        return self.rate.values >= _AT_PEAK * self.peak

    @cached_property
    def last_rate(self) -> float:
        """The last rate that was recorded."""
        return float(self.rate.values[-1])

    def rate_at(self, position: float) -> float | None:
        """The rate that was in use at a position, if one is known there."""
        if not len(self.rate) or position > self.rate.positions[-1] + 2 * self.rate.spacing:
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
        """How long the run was, as far as its curves tell: from position 0 to the last."""
        return self.last - min(self.first, 0.0)

    @cached_property
    def _known(self) -> list[Trend]:
        known = (self.rate, self.loss, self.evaluation, cleaned(self.policy))
        return [each for each in known if len(each)]

    @cached_property
    def per_epoch(self) -> float | None:
        """Optimizer steps per epoch: as given, or from a curve ``epoch`` that was logged."""
        if self.steps_per_epoch is not None:
            return self.steps_per_epoch
        if self.unit != "step":
            return None
        named = next((name for name in self.metrics if name.lower() in ("epoch", "epochs")), "")
        epochs = cleaned(self.metrics.get(named, EMPTY))
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

    # ---------------------------------------------------------------- in words

    def at(self, position: float) -> Message:
        """A position in the run's own unit: "step 400", "epoch 3"."""
        place = float(np.round(position, 2))
        match self.unit:
            case "step":
                return Message("step {at:position}", at=place)
            case "epoch":
                return Message("epoch {at:position}", at=place)
            case "sample":
                return Message("sample {at:position}", at=place)
            case "token":
                return Message("token {at:position}", at=place)
            case "environment step":
                return Message("environment step {at:position}", at=place)
            case _:
                return Message("row {at:position} of the log", at=place)

    def span(self, length: float) -> Message:
        """A length in the run's own unit: "400 steps", "3 epochs"."""
        many = float(np.round(length, 2))
        match self.unit:
            case "step":
                return Message("{many:count|step|steps}", many=many)
            case "epoch":
                return Message("{many:count|epoch|epochs}", many=many)
            case "sample":
                return Message("{many:count|sample|samples}", many=many)
            case "token":
                return Message("{many:count|token|tokens}", many=many)
            case "environment step":
                return Message("{many:count|environment step|environment steps}", many=many)
            case _:
                return Message("{many:count|row|rows} of the log", many=many)

    def counted(self, code: str, length: float) -> str:
        """A schedule's code over a length in the run's own unit: ``Linear(10).per_epoch(n)``.

        Args:
            code: With ``{}`` in the place of the length.
            length: In the run's unit.
        """
        if self.unit == "epoch":
            each = "n" if self.steps_per_epoch is None else f"{self.steps_per_epoch:g}"
            return f"{code.format(max(1, round(length)))}.per_epoch({each})"
        if self.unit == "row":
            return code.format("steps")
        return code.format(max(1, round(length)))


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
