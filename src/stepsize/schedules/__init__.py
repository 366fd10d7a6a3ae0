"""Schedules: pure functions from a position to a multiple of the base rate, and their text form."""

from stepsize.schedules import (
    _absolute,
    _cycles,
    _decays,
    _function,
    _horizon,
    _noise,
    _recipes,
    _shapes,
    _warmups,
    text,
)
from stepsize.schedules._absolute import *
from stepsize.schedules._cycles import *
from stepsize.schedules._decays import *
from stepsize.schedules._function import *
from stepsize.schedules._horizon import *
from stepsize.schedules._noise import *
from stepsize.schedules._recipes import *
from stepsize.schedules._shapes import *
from stepsize.schedules._warmups import *
from stepsize.schedules.algebra import Phase, Schedule
from stepsize.schedules.text import *

__all__: list[str] = ["Phase", "Schedule"]
__all__ += _absolute.__all__
__all__ += _cycles.__all__
__all__ += _decays.__all__
__all__ += _function.__all__
__all__ += _horizon.__all__
__all__ += _noise.__all__
__all__ += _recipes.__all__
__all__ += _shapes.__all__
__all__ += text.__all__
__all__ += _warmups.__all__
