"""The shapes on [0, 1]: each falls from weight 1 at u = 0 to weight 0 at u = 1."""

import math
from typing import Any

from stepsize.schedules.backend import Operations

__all__ = [
    "bent",
    "cosine",
    "hyperbolic",
    "linear",
    "polynomial",
    "power",
    "powered_cosine",
    "rex",
    "tanh",
]


def bent(u: Any, k: float, ops: Operations) -> Any:
    """The progress u^k, for the curve to be taken at."""
    return u if k == 1 else _power_of_positive(u, k, ops)


def linear(u: Any) -> Any:
    """1 - u"""
    return 1.0 - u


def cosine(u: Any, ops: Operations) -> Any:
    """(1 + cos πu) / 2"""
    return (1.0 + ops.cos(math.pi * u)) * 0.5


def powered_cosine(u: Any, exponent: float, ops: Operations) -> Any:
    """((1 + cos πu) / 2)^exponent"""
    # Written with half the angle: 1 + cos πu loses its digits near u = 1, and a root shows it.
    return ops.where(u < 1.0, _power_of_positive(ops.cos(math.pi / 2 * u), 2 * exponent, ops), 0.0)


def polynomial(u: Any, exponent: float, ops: Operations) -> Any:
    """(1 - u)^exponent"""
    return _power_of_positive(1.0 - u, exponent, ops)


def power(u: Any, exponent: float, ops: Operations) -> Any:
    """1 - u^exponent"""
    return 1.0 - _power_of_positive(u, exponent, ops)


def tanh(u: Any, lower: float, upper: float, ops: Operations) -> Any:
    """(1 - tanh(lower · (1 - u) + upper · u)) / 2: as near to 1 and 0 as the bounds allow"""
    return (1.0 - ops.tanh(lower * (1.0 - u) + upper * u)) * 0.5


def rex(u: Any, d: float) -> Any:
    """z / (1 - d + d · z) with z = 1 - u"""
    z = 1.0 - u
    return z / (1.0 - d + d * z)


def hyperbolic(u: Any, ratio: float, ops: Operations) -> Any:
    """1 + h(u) - h(0), h(u) = sqrt(ratio · (1 - u) · (2 - ratio · (1 + u)))"""
    squared = ratio * (1.0 - u) * (2.0 - ratio * (1.0 + u))
    return 1.0 + _power_of_positive(squared, 0.5, ops) - math.sqrt(ratio * (2.0 - ratio))


def _power_of_positive(x: Any, exponent: float, ops: Operations) -> Any:
    # The slope of x^exponent at 0 may be infinite, and 0 · inf would make a gradient NaN.
    positive = x > 0.0
    return ops.where(positive, ops.where(positive, x, 1.0) ** exponent, 0.0)
