"""Curves that rules look at beside the losses and the rates, by their names."""

import re
from collections.abc import Iterable
from typing import Final

from stepsize.columns import name_words

__all__ = ["UPDATE_RATIO", "gradient_norm", "optimizer_named"]

UPDATE_RATIO: Final = re.compile(
    r"update(_to_weight)?_ratio[/.](?P<group>.+)|(?P<group2>.+)[/.]update(_to_weight)?_ratio"
)
_OPTIMIZERS: Final = (
    *("adam", "adamax", "nadam", "radam", "lamb", "sgd", "momentum", "lion", "muon", "adafactor"),
    *("rmsprop", "adagrad", "lars", "sophia", "shampoo", "prodigy", "dadapt"),
)


def gradient_norm(names: Iterable[str]) -> str | None:
    """The curve that is the norm of the gradient.

    >>> gradient_norm(["loss", "train/grad_norm"])
    'train/grad_norm'
    """
    for name in names:
        known = set(name_words(name))
        if "norm" in known and not known.isdisjoint({"grad", "gradient", "gradients", "g"}):
            return name
    return None


def optimizer_named(names: Iterable[str]) -> str:
    """The optimizer that a name of a rate tells, in small letters; "" if none does.

    >>> optimizer_named(["lr/AdamW/pg1"]), optimizer_named(["lr"])
    ('adam', '')
    """
    joined = " ".join(names).lower()
    return next((each for each in _OPTIMIZERS if each in joined), "")
