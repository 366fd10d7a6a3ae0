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
    own = {key: value for key, value in document.items() if key not in _MARKS}
    wrapped = sum(map(_is_wrapped, own.values()))
    if not wrapped or (len(own) == len(document) and wrapped < len(own)):
        return document
    return {key: value["value"] if _is_wrapped(value) else value for key, value in own.items()}


def _is_wrapped(value: object) -> bool:
    return isinstance(value, Mapping) and "value" in cast(Mapping[Any, Any], value)
