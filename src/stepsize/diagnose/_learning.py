"""The rule about a loss that never left the level of a guess."""

import math
from typing import Final

from stepsize.diagnose._levels import rule
from stepsize.diagnose._view import RunView
from stepsize.messages import Message
from stepsize.rules import Finding
from stepsize.statistics import expected_minimum

__all__ = ["never_learnt"]

_FEWEST: Final = 30
_NEAR: Final = 0.01
_BEGAN_NEAR: Final = 1.15
_CLASSES: Final = (2, 3, 4, 5, 6, 8, 10, 20, 26, 50, 100, 200, 256, 1_000, 32_000, 50_257, 50_304)


def _holds_a_beginning(run: RunView) -> bool:
    return len(run.loss) >= _FEWEST and not run.begins_late


@rule(
    needs="the training loss at 30 points from the beginning of the run",
    source="the cross entropy of a guess among n classes is ln n; a loss that stays there is the "
    "first thing to look for in a network that does not train (Karpathy 2019, A Recipe for "
    "Training Neural Networks)",
    instead_of=("plateau_at_high_rate", "never_decayed", "rate_too_low", "oscillation"),
    applies=_holds_a_beginning,
)
def never_learnt(run: RunView) -> Finding | None:
    """The loss never left the level of a guess: nothing was learnt.

    No window of the loss lies below ln n, for a usual number of classes n, by more than 1 % and
    what chance does; it began within 15 % of that, and ends within 1 %.
    """
    loss = run.loss
    levels = loss.windows[1]
    ended = float(loss.values[-max(3, len(loss) // 20) :].mean())
    in_window = math.sqrt(max(1.0, len(loss) / len(levels)))
    lucky = loss.noise / in_window * (expected_minimum(len(levels)) + 1)
    for classes in _CLASSES:
        chance = math.log(classes)
        near = _NEAR * chance
        if abs(ended - chance) < near and levels.min() > chance - near - lucky:
            break
    else:
        return None
    if not chance / 2 < run.begins < _BEGAN_NEAR * chance:
        return None  # it came down from elsewhere, and ended there by chance
    return Finding(
        Message(
            "The loss began at {began:number} and ended at {ended:number}, and was never lower "
            "than that of a guess among {classes:count|class|classes}, {chance:number}.",
            began=run.begins,
            ended=ended,
            classes=classes,
            chance=chance,
        ),
        Message(
            "See that gradients arrive and that labels belong to their inputs; then find the rate, "
            "which may be far too high or too low: stepsize.find.range_test(training)."
        ),
        start=run.first,
        end=run.last,
        numbers={"began": run.begins, "ended": ended, "classes": classes},
    )
