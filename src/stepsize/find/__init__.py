"""Finding the rate: measurements on a training that leave it exactly as it was."""

from stepsize.find._curvature import *
from stepsize.find._gradients import *
from stepsize.find._race import *
from stepsize.find._range_test import *
from stepsize.find._recommend import *
from stepsize.find._search import *
from stepsize.find._trial import *
