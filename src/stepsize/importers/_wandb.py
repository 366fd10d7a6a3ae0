"""The configuration that W&B saves of a run: each value in a mapping of its own."""

from collections.abc import Mapping
from typing import Any, cast

__all__ = ["without_wandb"]

_MARKS = ("_wandb", "wandb_version")


def without_wandb(document: Mapping[str, Any]) -> Mapping[str, Any]:
    """The run's own configuration, without what W&B puts around it.

    >>> without_wandb({"wandb_version": 1, "lr": {"desc": None, "value": 0.1}})
    {'lr': 0.1}
    """
    wrapped = [
        value
        for key, value in document.items()
        if key not in _MARKS and isinstance(value, Mapping) and "value" in value
    ]
    marked = any(key in document for key in _MARKS)
    others = [key for key in document if key not in _MARKS]
    if not wrapped or not (marked or len(wrapped) == len(others)):
        return document
    return {
        key: cast(Mapping[str, Any], value)["value"]
        if isinstance(value, Mapping) and "value" in value
        else value
        for key, value in document.items()
        if key not in _MARKS
    }
