"""Controllers: feedback rules as pure state machines. Their decisions are carried out by drivers.

_settings   the ranges of their settings, checked when they are built
_metric     what the rules over a metric share: direction, smoothing, non-finite values
_plateau, _greedy, _new_bob, _early_stop     rules over a metric
_gradient_norm   the rate, regulated by the batch's gradient norm
_guard      non-finite numbers, and a loss that is not being learnt from: when to rewind
_earlier_guard   the rule by which runs of version 0.1.0 end
_wrappers   After, Within, When, Primed: around any controller
_replay     what a controller would have done on a curve
saved_texts     the texts under which earlier versions saved memories
"""

from stepsize.controllers._early_stop import EarlyStop
from stepsize.controllers._gradient_norm import GradientNorm
from stepsize.controllers._greedy import Greedy
from stepsize.controllers._guard import Guard
from stepsize.controllers._metric import ImprovementRule, MetricRule
from stepsize.controllers._new_bob import NewBob
from stepsize.controllers._plateau import Plateau
from stepsize.controllers._replay import Replay, replay
from stepsize.controllers._wrappers import After, Primed, When, Within
from stepsize.renames import renamed

__all__ = [
    "After",
    "EarlyStop",
    "GradientNorm",
    "Greedy",
    "Guard",
    "ImprovementRule",
    "MetricRule",
    "NewBob",
    "Plateau",
    "Primed",
    "Replay",
    "When",
    "Within",
    "replay",
]


def __getattr__(name: str) -> object:
    raise renamed(__name__, name, {"Experienced": "Primed"})
