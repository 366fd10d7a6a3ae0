"""The shapes on [0, 1]: each falls from weight 1 at u = 0 to weight 0 at u = 1."""

import math
from typing import Any

from stepsize.schedules._backend import Operations

__all__ = ["cosine", "linear", "polynomial", "power"]


def linear(u: Any) -> Any:
    """1 - u"""
    return 1.0 - u


def cosine(u: Any, ops: Operations) -> Any:
    """(1 + cos πu) / 2"""
    return (1.0 + ops.cos(math.pi * u)) * 0.5


def polynomial(u: Any, exponent: float, ops: Operations) -> Any:
    """(1 - u)^exponent"""
    return _power_of_positive(1.0 - u, exponent, ops)


def power(u: Any, exponent: float, ops: Operations) -> Any:
    """1 - u^exponent"""
    return 1.0 - _power_of_positive(u, exponent, ops)


def _power_of_positive(x: Any, exponent: float, ops: Operations) -> Any:
    # The slope of x^exponent at 0 may be infinite, and 0 · inf would make a gradient NaN.
    positive = x > 0.0
    return ops.where(positive, ops.where(positive, x, 1.0) ** exponent, 0.0)
