"""Where a formula is evaluated: on a Python number, or on an array of any library.

A schedule writes its formula once, against ``Operations``. For a Python number these are the
functions of ``math``; for arrays they are the array library's own, through ``array-api-compat``.
(One namespace for both would cost a number 7.6 us for a cosine instead of 0.2:
``make bench`` prints the ratio.)

Arrays are evaluated in double precision whatever their own, and the result is rounded once, to
the kind of array that came in. Single precision could not tell position 16,777,216 from its
neighbours inside a stretched or repeated schedule.
"""

import math
import operator
import sys
from bisect import bisect_right
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from typing import Any, Protocol, cast

import numpy as np
from array_api_compat import (
    array_namespace,
    device,  # pyright: ignore[reportUnknownVariableType]  # its types name absent libraries
    is_array_api_obj,  # pyright: ignore[reportUnknownVariableType]  # as above
    is_jax_array,
    is_numpy_array,
)

from stepsize.errors import InvalidType

__all__ = ["LAST_POSITION", "NUMBERS", "Operations", "evaluate_on_array"]

LAST_POSITION = 2.0**53
"""Beyond it a double no longer counts single steps; larger positions count as this one."""


class Operations(Protocol):
    """What a formula may use. ``t`` is a number or an array of doubles, never negative."""

    scalar: bool

    def progress(self, t: Any, steps: float, /) -> Any:
        """How much of ``steps`` is done: t / steps, and 1 from ``steps`` on."""
        ...

    def where(self, condition: Any, yes: Any, no: Any, /) -> Any: ...
    def divide(self, a: Any, b: float, /) -> Any: ...
    def remainder(self, a: Any, b: float, /) -> Any:
        """``a - b * floor(a / b)``, exactly: no rounding, whichever library computes it."""
        ...

    def floor(self, x: Any, /) -> Any: ...
    def cos(self, x: Any, /) -> Any: ...
    def sqrt(self, x: Any, /) -> Any: ...
    def tanh(self, x: Any, /) -> Any: ...
    def log1p(self, x: Any, /) -> Any: ...
    def expm1(self, x: Any, /) -> Any: ...
    def count_passed(self, edges: Sequence[float], t: Any, /) -> Any:
        """How many of the ascending ``edges`` are at or before ``t``."""
        ...

    def pick(self, values: Sequence[float], index: Any, /) -> Any:
        """``values[index]``."""
        ...

    def apply(self, function: Callable[[Any], Any], t: Any, /) -> Any:
        """A user's function of the position."""
        ...


class _Numbers:
    scalar = True

    @staticmethod
    def progress(t: float, steps: float) -> float:
        return t / steps if t < steps else 1.0

    @staticmethod
    def where(condition: bool, yes: float, no: float) -> float:
        return yes if condition else no

    @staticmethod
    def divide(a: float, b: float) -> float:
        return a / b

    remainder = staticmethod(operator.mod)
    floor = staticmethod(math.floor)
    cos = staticmethod(math.cos)
    sqrt = staticmethod(math.sqrt)
    tanh = staticmethod(math.tanh)
    log1p = staticmethod(math.log1p)
    expm1 = staticmethod(math.expm1)
    count_passed = staticmethod(bisect_right)

    @staticmethod
    def pick(values: Sequence[float], index: int) -> float:
        return values[index]

    @staticmethod
    def apply(function: Callable[[Any], Any], t: float) -> float:
        return float(function(t))


NUMBERS: Operations = _Numbers()


class _Arrays:
    scalar = False

    def __init__(self, xp: Any, like: Any) -> None:
        self._xp = xp
        self._device = device(like)
        self._traceable = is_jax_array(like)
        self._divides_by_reciprocal = not is_numpy_array(like)
        self.remainder = xp.remainder
        self.floor = xp.floor
        self.cos = xp.cos
        self.sqrt = xp.sqrt
        self.tanh = xp.tanh
        self.log1p = xp.log1p
        self.expm1 = xp.expm1

    def progress(self, t: Any, steps: float) -> Any:
        return self.where(t < steps, self.divide(t, steps or 1), 1.0)

    def where(self, condition: Any, yes: Any, no: Any) -> Any:
        if isinstance(condition, bool):  # the value of a constant is a number everywhere
            return yes if condition else no
        if not (is_array_api_obj(yes) or is_array_api_obj(no)):
            yes = self.full(yes, condition)  # two numbers would give torch's default precision
        return self._xp.where(condition, yes, no)

    def divide(self, a: Any, b: float) -> Any:
        # XLA, and torch on a GPU, divide by a known number by multiplying with its reciprocal,
        # which misses multiples of b by one unit in the last place: a step boundary would move.
        # They cannot know a divisor that depends on the data.
        divisor = self.where(a == a, b, math.nan) if self._divides_by_reciprocal else b
        return a / divisor

    def count_passed(self, edges: Sequence[float], t: Any) -> Any:
        if not edges:
            return self._xp.zeros_like(t, dtype=self._xp.int64)
        # Flat, because torch warns about a transposed argument.
        flat = self._xp.reshape(t, (-1,))
        passed = self._xp.searchsorted(self._doubles(edges), flat, side="right")
        return self._xp.reshape(passed, t.shape)

    def pick(self, values: Sequence[float], index: Any) -> Any:
        xp = self._xp
        flat = xp.take(self._doubles(values), xp.reshape(index, (-1,)), axis=0)
        return xp.reshape(flat, index.shape)

    def apply(self, function: Callable[[Any], Any], t: Any) -> Any:
        if self._traceable:
            return self.full(function(t), t)
        try:
            result = self.full(function(t), t)
        except (TypeError, ValueError, RuntimeError):
            # Written for numbers (math.cos, if t < 10): one position at a time.
            one_by_one = [float(function(float(each))) for each in self._xp.reshape(t, (-1,))]
            return self._xp.reshape(self._doubles(one_by_one), t.shape)
        if result.shape != t.shape:
            raise InvalidType(
                f"Function({function!r})",
                f"it must give one value per position, of shape {tuple(t.shape)}",
                f"gave shape {tuple(result.shape)}",
            )
        return result

    def full(self, value: Any, like: Any) -> Any:
        if is_array_api_obj(value):
            return cast(Any, value)
        return self._xp.full(like.shape, float(value), dtype=self._xp.float64, device=self._device)

    def _doubles(self, values: Sequence[float]) -> Any:
        return self._xp.asarray(values, dtype=self._xp.float64, device=self._device)


def evaluate_on_array(formula: Callable[[Any, Operations], Any], t: Any) -> Any:
    """Evaluate ``formula`` at every position of the array ``t``; the same kind of array comes back.

    A floating dtype is kept; integers give the library's default floating dtype.
    """
    xp: Any = array_namespace(t)
    if xp.isdtype(t.dtype, "real floating"):
        dtype = t.dtype
    elif xp.isdtype(t.dtype, "integral"):
        dtype = xp.__array_namespace_info__().default_dtypes(device=device(t))["real floating"]
    else:
        raise InvalidType(
            "schedule(t)",
            "positions are real numbers",
            f"t has dtype {t.dtype}",
            "Convert it to an integer or floating dtype.",
        )
    with _precision(t):
        double = xp.astype(t, xp.float64)
        operations = _Arrays(xp, double)
        double = operations.where(double < 0.0, 0.0, double)
        double = operations.where(double > LAST_POSITION, LAST_POSITION, double)
        values = operations.full(formula(double, cast(Operations, operations)), double)
        return xp.astype(values, dtype)


def _precision(t: Any) -> Any:
    if is_jax_array(t):
        # JAX has doubles only inside this context, which also holds while it traces.
        return sys.modules["jax"].enable_x64(True)
    # What a small dtype cannot hold becomes inf in every library; only NumPy would warn.
    return np.errstate(over="ignore") if is_numpy_array(t) else nullcontext()
