"""One self-contained HTML file of a run: what was found and why, the plan, what happened."""

from stepsize.report._account import *
from stepsize.report._chart import *
from stepsize.report._found import *
from stepsize.report._page import *
from stepsize.report._run import *
