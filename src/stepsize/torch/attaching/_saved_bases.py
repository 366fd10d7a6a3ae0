"""What an optimizer's own checkpoint says about its driven quantities: bases and progress.

A saved group holds the rate of one position, and not the base rate that it is a multiple of. While
attached, each saved group also gets the base, the value as written, and the optimizer's default.
Attaching to a group whose value is still the one that was written takes the base from there; a
value that was changed since is a base of its own. The first group also gets the progress, as the
text that ``stepsize.driving`` saves.
"""

import warnings
from collections.abc import Iterable, Mapping
from typing import Any, Final

from stepsize.driving import Key, name_of
from stepsize.errors import AttachmentError, StateMismatch
from stepsize.messages import Message
from stepsize.torch.attaching.groups import Group, copy_tensor, read, tensor_of

__all__ = ["forget_base", "save_base", "save_progress", "saved_base", "take_progress"]

_BASES: Final = "stepsize"
_PROGRESS: Final = "stepsize_progress"


def save_progress(saved: Group, quantities: Iterable[str], text: str) -> None:
    """Write the progress of some quantities into the first group of an optimizer's state."""
    saved[f"{_PROGRESS} {', '.join(quantities)}"] = text


def take_progress(group: Group, quantities: Iterable[str]) -> str | None:
    """The progress of these quantities that a loaded first group brought; it is taken out."""
    wanted = set(quantities)
    for name in group:
        mark, _, saved = name.partition(" ")
        if mark == _PROGRESS and wanted.intersection(saved.split(", ")):
            return group.pop(name)
    return None


def save_base(saved: Group, key: Key, base: float, defaults: Mapping[str, Any]) -> None:
    """Write the base of one quantity into a group of an optimizer's state dictionary."""
    made = {"base": base, "written": read(saved, key)}
    default = _default(defaults, key)
    if default is not None:
        # A rate given as a tensor is the optimizer's default too, and is being driven in place.
        shared = (tensor := tensor_of(saved, key)) is not None and tensor is tensor_of(
            defaults, key
        )
        made["default"] = base if shared else default
    saved.setdefault(_BASES, {})[name_of(key)] = made
    copy_tensor(saved, key)  # the checkpoint must not follow the training that goes on


def forget_base(group: Group, key: Key) -> None:
    """Drop what a checkpoint said about one quantity."""
    bases = group.get(_BASES, {})
    bases.pop(name_of(key), None)
    if not bases:
        group.pop(_BASES, None)


def saved_base(group: Group, index: int, key: Key, defaults: Mapping[str, Any]) -> float:
    """The base of the quantity in a group that is not driven yet."""
    value = read(group, key)
    found: Mapping[str, float] | None = group.get(_BASES, {}).get(name_of(key))
    if found is None or value != found["written"]:
        return value
    # What the code gave this group is lost if the optimizer was loaded before it is attached. The
    # optimizer's default is not: it shows a new base where the group had its base from there.
    base, default = found["base"], _default(defaults, key)
    if default is None or found.get("default") != base or default == base:
        return base
    message = Message(
        "attach(...): {name:name} of group {index:count} had the base {base:rate} when the "
        "optimizer was saved, and the optimizer is now built with {default:rate}, which holds. To "
        "keep the saved base, set it in the group before attaching.",
        name=name_of(key),
        index=index,
        base=base,
        default=default,
    )
    warnings.warn(str(message), StateMismatch, stacklevel=2)
    return default


def _default(defaults: Mapping[str, Any], key: Key) -> float | None:
    try:
        return read(defaults, key)
    except AttachmentError:
        return None
