"""Which columns are learning rates, and which only settings of them."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from stepsize.columns._words import name_words, vocabulary

__all__ = ["Rates", "rate_columns", "schedule_column"]

Curve: TypeAlias = tuple[NDArray[np.float64], NDArray[np.float64]]

_RATE: Final = re.compile(
    r"(?<![a-zA-Z])(lrm|lrs?|learning[-_ ]?rate|lrate|LearningRate)(?=\d|[^a-zA-Z]|$)",
    re.IGNORECASE,
)
_NOT_A_RATE: Final = vocabulary(
    "momentum weight wd beta betas eps vs decay iters patience warmup warm factor mult multiplier "
    "scale gamma schedule scheduler policy milestones drop cycle power ratio epochs steps size "
    "type name mode reduce range finder find"
)
# A setting where it does not change; the rate of a group where it does.
_A_SETTING: Final = vocabulary("base init initial max min peak target end final start floor")
_NEUTRAL: Final = vocabulary(
    "train training opt optim optimizer param params charts hyperparameters hparams x current cur "
    "last epoch step metrics samples learning rate lr lrm lrs lrate get log logs value monitor "
    "scalars misc stats group avg mean global"
)
_SAME: Final = 0.01


@dataclass(frozen=True)
class Rates:
    """The columns about the rate.

    Args:
        names: By name in the log the quantity: ``"lr"``, or ``"lr/<group>"``.
        settings: Columns that look like a rate and are a setting: they never change.
    """

    names: Mapping[str, str]
    settings: tuple[str, ...] = ()


def rate_columns(curves: Mapping[str, Curve]) -> Rates:
    """Which columns are learning rates.

    >>> import numpy as np
    >>> falls, stays = (np.arange(3.0), np.array([3.0, 2, 1])), (np.arange(3.0), np.ones(3))
    >>> found = rate_columns({"lr-AdamW/pg1": falls, "lr-AdamW/pg1-momentum": stays})
    >>> found.names
    {'lr-AdamW/pg1': 'lr/AdamW/pg1'}
    >>> rate_columns({"lr": falls, "learning_rate": stays, "lr_decay_iters": stays})
    Rates(names={'lr': 'lr'}, settings=('learning_rate',))
    """
    groups = {name: _group(name) for name in curves}
    rates = {name: group for name, group in groups.items() if group is not None}
    moving = {name for name in rates if _moves(curves[name])}
    settings = [
        name
        for name in rates
        if name not in moving and (_is_named_a_setting(name) or (not rates[name] and moving))
    ]
    found: dict[str, str] = {}
    for name, group in rates.items():
        if name in settings:
            continue
        ours = f"lr/{group}" if group else "lr"
        # Two names for one quantity: both are kept apart.
        found[name] = ours if ours not in found.values() else f"lr/{name}"
    return Rates(found, tuple(settings))


def schedule_column(rates: Mapping[str, Curve]) -> str | None:
    """The group whose rate shows the schedule: the highest, unless only its warmup is from above.

    Biases may begin at a high rate and come down to that of the others while theirs rises.

    >>> import numpy as np
    >>> at = np.arange(4.0)
    >>> schedule_column({
    ...     "lr/0": (at, np.array([9.0, 4, 2, 1])), "lr/1": (at, np.array([0.0, 1, 2, 1]))})
    'lr/1'
    """
    known = {
        name: (positions[np.isfinite(values)], values[np.isfinite(values)])
        for name, (positions, values) in rates.items()
    }
    known = {name: curve for name, curve in known.items() if len(curve[0])}
    order = sorted(known, key=lambda name: -known[name][1].max())
    for name in order:
        if not any(_joins(known[name], known[other]) for other in order if other != name):
            return name
    return order[0] if order else None


def _joins(one: Curve, other: Curve) -> bool:
    """Whether the one falls from its start to where the other rises to, and both go on alike."""
    if len(one[1]) < 3 or len(one[1]) != len(other[1]):
        return False
    first, second = one[1], other[1]
    if not (first[0] >= first.max() and second[0] < second.max()):
        return False
    later = slice(len(first) // 2, None)
    return bool(np.allclose(first[later], second[later], rtol=_SAME, atol=0))


def _group(name: str) -> str | None:
    """The group that a rate's name has, "" if none; None if it is not a rate."""
    match = _RATE.search(name)
    known = set(name_words(name))
    if match is None and not {"learning", "rate"} <= known:
        return None
    if not known.isdisjoint(_NOT_A_RATE):
        return None
    if match is None:
        return ""
    before, after = name[: match.start()], name[match.end() :]
    specific = [
        part.strip("-/_. :")
        for part in (before, after)
        if not set(name_words(part)) <= _NEUTRAL and part.strip("-/_. :")
    ]
    return "/".join(specific)


def _is_named_a_setting(name: str) -> bool:
    return not _A_SETTING.isdisjoint(name_words(name))


def _moves(curve: Curve) -> bool:
    values = curve[1][np.isfinite(curve[1])]
    return len(values) > 1 and float(np.ptp(values)) > 1e-9 * float(np.abs(values).max())
