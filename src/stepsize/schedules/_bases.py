"""What kinds of primitive schedules there are: curves of finite length, and endless ones."""

import math
from functools import cached_property
from typing import Any

from stepsize.schedules.algebra import Schedule
from stepsize.schedules.backend import Operations
from stepsize.schedules.fields import AnyNumber, Length

__all__ = ["Curve", "Endless"]


class Endless(Schedule):
    """A schedule that never reaches a last value."""

    @cached_property
    def length(self) -> float:
        return math.inf


class Curve(Schedule):
    """A curve of finite length between two values: s(t) = start · w(u) + end · (1 - w(u))."""

    steps: Length
    start: AnyNumber
    end: AnyNumber

    @cached_property
    def length(self) -> float:
        return self.steps

    def _at(self, t: Any, ops: Operations) -> Any:
        weight = self._weight(ops.progress(t, self.steps), ops)
        return self.start * weight + self.end * (1.0 - weight)

    def _weight(self, u: Any, ops: Operations) -> Any:
        """How much of ``start`` is left at progress ``u``: 1 at u = 0, 0 at u = 1."""
        raise NotImplementedError
