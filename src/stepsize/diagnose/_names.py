"""Which curve is which, by the names that loops, loggers and frameworks give them."""

import re
from collections.abc import Iterable
from typing import Final

__all__ = ["GRADIENT_NORM", "TRAINING_LOSS", "UPDATE_RATIO", "VALIDATION_LOSS", "first_match"]

# The first pattern that matches a curve wins, so that a step's loss goes before an epoch's mean.
TRAINING_LOSS: Final = (
    r"loss",
    r"train(ing)?[/_. ]?loss([/_]?(step|batch|iter))?",
    r"loss[/_.]train(ing)?",
    r"(train(ing)?|lm|batch|step)[/_. ](lm[/_ ])?loss.*",
)
VALIDATION_LOSS: Final = (
    r"(val|valid|validation|eval|dev|test)[/_. ]?loss([/_]?epoch)?",
    r"loss[/_.](val|valid|validation|eval|dev|test)",
    r"(val|valid|validation|eval|dev|test)[/_. ].*loss.*",
)
GRADIENT_NORM: Final = (r"(.*[/_. ])?(grad|gradient)[/_. ]?norm.*",)
UPDATE_RATIO: Final = re.compile(
    r"update(_to_weight)?_ratio[/.](?P<group>.+)|(?P<group2>.+)[/.]update(_to_weight)?_ratio"
)


def first_match(names: Iterable[str], patterns: Iterable[str]) -> str | None:
    """The name that the earliest of the patterns matches as a whole, in any case of letters.

    >>> first_match(["epoch", "eval_loss", "train/loss"], TRAINING_LOSS)
    'train/loss'
    >>> first_match(["accuracy"], TRAINING_LOSS) is None
    True
    """
    known = list(names)
    for pattern in patterns:
        whole = re.compile(pattern, re.IGNORECASE)
        for name in known:
            if whole.fullmatch(name):
                return name
    return None
