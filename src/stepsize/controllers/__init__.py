"""Controllers: feedback rules as pure state machines. Their decisions are carried out by others.

_checks     the ranges of their settings, checked when they are built
_metric     what watches a metric: its direction, smoothing, and numbers that are none
_plateau, _greedy, _new_bob, _early_stop     rules over a metric
_gradient_norm   the rate, regulated by the batch's gradient norm
_guard      non-finite numbers, spikes, slow un-learning: when to rewind
_wrappers   After, Within, When, Experienced: around any controller
_replay     what a controller would have done on a curve
"""

from stepsize.controllers._early_stop import *
from stepsize.controllers._gradient_norm import *
from stepsize.controllers._greedy import *
from stepsize.controllers._guard import *
from stepsize.controllers._metric import *
from stepsize.controllers._new_bob import *
from stepsize.controllers._plateau import *
from stepsize.controllers._replay import *
from stepsize.controllers._wrappers import *
