"""Finding the rate: measurements on a training that leave it exactly as it was."""

from stepsize.find._range_test import *
