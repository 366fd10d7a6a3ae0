"""Schedules: pure functions from a position to a multiple of the base rate, and their text form."""

from stepsize.schedules._absolute import *
from stepsize.schedules._algebra import Phase as Phase
from stepsize.schedules._algebra import Schedule as Schedule
from stepsize.schedules._cycles import *
from stepsize.schedules._function import *
from stepsize.schedules._recipes import *
from stepsize.schedules._shapes import *
from stepsize.schedules._text import *
