"""Pictures of named arrays, drawn with matplotlib. What the arrays mean is the caller's business.

Nothing here touches pyplot or the settings of the process: a picture is a ``Figure`` of its own,
and drawing one in a library, a notebook or a server changes nothing else.
"""

import errno
import importlib.util
import math
import os
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from stepsize.errors import InvalidValue, MissingExtra

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = [
    "checked_picture_path",
    "number_text",
    "plot_curves",
    "plot_range_test",
    "plot_run",
    "position_text",
    "save_picture",
    "thinned",
]

Array: TypeAlias = NDArray[np.float64]
Curve: TypeAlias = tuple[Array, Array]

_SUFFIXES: Final = (".png", ".svg", ".pdf")
_PALETTE: Final = (
    "#2563c9",
    "#e8590c",
    "#0b9e75",
    "#a436b8",
    "#c9971c",
    "#e0315f",
    "#0c8fae",
    "#6b7280",
)
_DASHES: Final = ("-", (0, (5, 2)), (0, (1, 1.5)), (0, (5, 1.5, 1, 1.5)))
_INK, _QUIET, _GRID, _SHADE = "#1f2933", "#5f6b7a", "#e3e7ec", "#f4f6f9"
_SMALL, _NORMAL = 8.5, 9.5
# Those that the systems bring, for names that DejaVu Sans has no glyphs for.
_CJK_FONTS: Final = (
    "Noto Sans CJK SC",
    "Source Han Sans SC",
    "PingFang SC",
    "Hiragino Sans GB",
    "Microsoft YaHei",
    "WenQuanYi Micro Hei",
    "SimHei",
)
_COLUMNS: Final = 2_000
_LONGEST_NAME: Final = 90


def number_text(value: float, digits: int = 4) -> str:
    """A rate, a multiple or a loss as one writes it: few digits, and a short exponent.

    >>> number_text(0), number_text(3e-4), number_text(0.55), number_text(5726.4)
    ('0', '3e-4', '0.55', '5,726')
    """
    if value == 0 or not math.isfinite(value):
        return f"{value:g}".lstrip("-") if value == 0 else f"{value:g}"
    if 1e-3 <= abs(value) < 10**digits:
        plain = f"{value:.{digits}g}"
        return f"{value:,.0f}" if abs(value) >= 1000 else plain
    if 10**digits <= abs(value) < 1e12:
        return f"{value:,.0f}"
    mantissa, exponent = f"{value:.{digits - 1}e}".split("e")
    return f"{mantissa.rstrip('0').rstrip('.') if '.' in mantissa else mantissa}e{int(exponent)}"
