"""Trainings that can be driven: the protocol, the loop over it, the way back, and trials."""

from stepsize.renames import renamed
from stepsize.training._abilities import CanExamine, CanPack, CanSkip, ValueRange
from stepsize.training._confidence import Interval, confidence_interval
from stepsize.training._protocol import Factors, Group, Training, preserved
from stepsize.training._run import Outcome, run
from stepsize.training._trials import TrialRun, Trials, trials
from stepsize.training.snapshots import Ring

__all__ = [
    "CanExamine",
    "CanPack",
    "CanSkip",
    "Factors",
    "Group",
    "Interval",
    "Outcome",
    "Ring",
    "Training",
    "TrialRun",
    "Trials",
    "ValueRange",
    "confidence_interval",
    "preserved",
    "run",
    "trials",
]


def __getattr__(name: str) -> object:
    old = {
        "Examines": "CanExamine",
        "Packs": "CanPack",
        "Skips": "CanSkip",
        "Part": "ValueRange",
    }
    raise renamed(__name__, name, old)
