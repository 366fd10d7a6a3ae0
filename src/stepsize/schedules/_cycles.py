"""Primitive cycles; ``.repeat()`` makes them periodic."""

from functools import cached_property
from typing import Any

from stepsize.schedules.algebra import Schedule
from stepsize.schedules.backend import Operations
from stepsize.schedules.expression import expression
from stepsize.schedules.fields import AnyNumber, Length

__all__ = ["Triangular"]


@expression
class Triangular(Schedule):
    """One triangle: from ``low`` up to ``high`` in ``up`` steps, back down in ``down`` steps.

    s(t) = low + (high - low) · (t / up, then 1 - (t - up) / down). ``.repeat()`` gives the cycles
    of Smith's policies, which the recipe ``cyclic`` writes: "triangular" as it is, "triangular2"
    with ``shrink=0.5``, "exp_range" with ``factor=gamma``.

    Args:
        up: Steps from ``low`` to ``high``, >= 0.
        down: Steps from ``high`` to ``low``, >= 0; as many as ``up`` if not given.
        low: Value at both ends.
        high: Value at position ``up``.

    >>> from stepsize import Triangular
    >>> Triangular(2).repeat().values(9)
    array([0. , 0.5, 1. , 0.5, 0. , 0.5, 1. , 0.5, 0. ])

    Source: Smith 2017, "Cyclical Learning Rates" (arXiv 1506.01186).
    """

    up: Length
    down: "Length | None" = None
    low: AnyNumber = 0
    high: AnyNumber = 1

    @property
    def _fall(self) -> float:
        return self.up if self.down is None else self.down

    @cached_property
    def length(self) -> float:
        return self.up + self._fall

    def _at(self, t: Any, ops: Operations) -> Any:
        up, down = self.up, self._fall
        fallen = ops.where(t < up + down, ops.divide(t - up, down or 1), 1.0)
        height = ops.where(t < up, ops.divide(t, up or 1), 1.0 - fallen)
        return self.low * (1.0 - height) + self.high * height
