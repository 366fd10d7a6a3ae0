"""One quantity of one parameter group: reading it, and writing it where the optimizer looks."""

from collections.abc import MutableMapping
from typing import Any, TypeAlias

import torch

from stepsize.errors import AttachmentError

__all__ = ["Key", "attached_quantities", "read", "write"]

Key: TypeAlias = str | tuple[str, int]
"""A quantity: the group's key, or a key and a place in its tuple, such as ``("betas", 0)``."""

DRIVEN = "_stepsize_driven"


def read(group: MutableMapping[str, Any], key: Key) -> float:
    """The quantity's value in ``group`` as a float."""
    name, place = key if isinstance(key, tuple) else (key, None)
    if name not in group:
        numbers = sorted(k for k, v in group.items() if isinstance(v, int | float | tuple))
        raise AttachmentError(
            f"The group has no quantity {name!r}. It has: {', '.join(numbers)}."
        )
    value = group[name] if place is None else group[name][place]
    return float(value)


def write(group: MutableMapping[str, Any], key: Key, value: float) -> None:
    """Set the quantity; a tensor is filled in place, so that captured graphs see the new value."""
    name, place = key if isinstance(key, tuple) else (key, None)
    if place is None:
        current = group[name]
        if isinstance(current, torch.Tensor):
            with torch.no_grad():
                current.fill_(value)
        else:
            group[name] = value
        return
    values = group[name]
    if isinstance(values[place], torch.Tensor):
        with torch.no_grad():
            values[place].fill_(value)
    else:
        group[name] = tuple(value if i == place else each for i, each in enumerate(values))


def attached_quantities(optimizer: Any) -> set[str]:
    """The quantities of ``optimizer`` that an attachment or a ``Scheduler`` drives."""
    return set(getattr(optimizer, DRIVEN, ()))
