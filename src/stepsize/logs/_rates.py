"""Which of a log's names are learning rates."""

import re
from collections.abc import Iterable
from typing import Final

__all__ = ["rate_names"]

_RATE: Final = re.compile(
    r"((train|training|opt|optim|optimizer|params?|charts|hyperparameters)[/_.])?"
    r"(lr|learning[-_ ]?rate)([-/_.](?P<group>.+))?",
    re.IGNORECASE,
)
_NO_RATE: Final = re.compile(
    r".*(momentum|weight[-_]?decay|betas?\d?|mult|multiplier|scale|factor|scheduler.*)",
    re.IGNORECASE,
)


def rate_names(names: Iterable[str]) -> dict[str, str]:
    """By name in the log, the name as a driven quantity, for those that are rates.

    >>> rate_names(["loss", "lr-AdamW/pg1", "lr-AdamW/pg1-momentum"])
    {'lr-AdamW/pg1': 'lr/AdamW/pg1'}
    >>> rate_names(["learning_rate"])
    {'learning_rate': 'lr'}
    """
    found: dict[str, str] = {}
    for name in names:
        match = _RATE.fullmatch(name)
        group = match and match["group"]
        if match is None or (group and _NO_RATE.fullmatch(group)):
            continue
        ours = f"lr/{group}" if group else "lr"
        # Two names for one quantity: both are kept apart.
        found[name] = ours if ours not in found.values() else f"lr/{name}"
    return found
