"""Schedules: pure functions from a position to a multiple of the base rate, and their text form."""

from stepsize.schedules import _absolute, _cycles, _function, _recipes, _shapes, _text
from stepsize.schedules._absolute import *
from stepsize.schedules._algebra import Phase, Schedule
from stepsize.schedules._cycles import *
from stepsize.schedules._function import *
from stepsize.schedules._recipes import *
from stepsize.schedules._shapes import *
from stepsize.schedules._text import *

__all__: list[str] = ["Phase", "Schedule"]
__all__ += _absolute.__all__
__all__ += _cycles.__all__
__all__ += _function.__all__
__all__ += _recipes.__all__
__all__ += _shapes.__all__
__all__ += _text.__all__
