"""What can be drawn: curves of one value per position."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from stepsize.errors import InvalidValue
from stepsize.plot.points import Array, Curve

__all__ = ["checked_curve", "require_positive", "require_some"]


def require_some(call: str, curves: Mapping[str, object]) -> None:
    """Refuse a picture of nothing."""
    if not curves:
        raise InvalidValue(
            call, "a picture shows at least one curve", "none is given", "Give a name and an array."
        )


def require_positive(call: str, arrays: Iterable[Array]) -> None:
    """Refuse a logarithmic axis without a value to show."""
    if not any(np.any(values > 0) for values in arrays):
        raise InvalidValue(
            call, "a logarithmic axis shows values above 0", "none is", "Leave {log} out."
        )


def checked_curve(call: str, name: str, positions: Any, values: Any) -> Curve:
    """Positions and values as arrays of shape (n,)."""
    x, y = np.asarray(positions, np.float64), np.asarray(values, np.float64)
    if y.ndim != 1 or x.shape != y.shape or not len(y):
        raise InvalidValue(
            call,
            "a curve is one value per position",
            f"{name!r} has values of shape {y.shape} at positions of shape {x.shape}",
            "Give two arrays of one length, not empty.",
        )
    return x, y
