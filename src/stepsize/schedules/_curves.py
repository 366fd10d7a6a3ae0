"""The shapes on [0, 1]: each falls from weight 1 at u = 0 to weight 0 at u = 1."""

import math
from typing import Any

from stepsize.schedules._backend import Operations

__all__ = ["cosine", "linear", "polynomial"]


def linear(u: Any) -> Any:
    """1 - u"""
    return 1.0 - u


def cosine(u: Any, ops: Operations) -> Any:
    """(1 + cos πu) / 2"""
    return (1.0 + ops.cos(math.pi * u)) * 0.5


def polynomial(u: Any, power: float, ops: Operations) -> Any:
    """(1 - u)^power"""
    rest = 1.0 - u
    # The slope of x^power at 0 may be infinite, and 0 · inf would make a gradient NaN.
    positive = rest > 0.0
    return ops.where(positive, ops.where(positive, rest, 1.0) ** power, 0.0)
