"""A picture made of characters: curves in the terminal."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from stepsize.errors import InvalidValue
from stepsize.plot import number_text, position_text

if TYPE_CHECKING:
    from rich.text import Text

__all__ = ["letter", "print_chart"]

Array: TypeAlias = NDArray[np.float64]
