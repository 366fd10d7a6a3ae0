"""Marks: what an optimizer's own checkpoint says about its driven quantities.

A saved group holds the rate of one position, and not the base rate that it is a multiple of. While
attached, each saved group also gets the base, the value as written, and the optimizer's default.
Attaching to a group whose value is still the one that was written takes the base from the mark; a
value that was changed since is a base of its own.
"""

import warnings
from collections.abc import Mapping
from typing import Any

from stepsize.errors import AttachmentError, StateMismatch
from stepsize.torch._groups import Group, Key, copy_tensor, label, read, tensor_of

__all__ = ["base_of", "drop_mark", "mark"]

_MARK = "stepsize"


def mark(saved: Group, key: Key, base: float, defaults: Mapping[str, Any]) -> None:
    """Write the mark of one quantity into a group of an optimizer's state dictionary."""
    made = {"base": base, "written": read(saved, key)}
    default = _default(defaults, key)
    if default is not None:
        # A rate given as a tensor is the optimizer's default too, and is being driven in place.
        shared = (tensor := tensor_of(saved, key)) is not None and tensor is tensor_of(
            defaults, key
        )
        made["default"] = base if shared else default
    saved.setdefault(_MARK, {})[label(key)] = made
    copy_tensor(saved, key)  # the checkpoint must not follow the training that goes on


def drop_mark(group: Group, key: Key) -> None:
    """Forget what a checkpoint said about one quantity."""
    marks = group.get(_MARK, {})
    marks.pop(label(key), None)
    if not marks:
        group.pop(_MARK, None)


def base_of(group: Group, index: int, key: Key, defaults: Mapping[str, Any]) -> float:
    """The base of the quantity in a group that is not driven yet."""
    value = read(group, key)
    found: Mapping[str, float] | None = group.get(_MARK, {}).get(label(key))
    if found is None or value != found["written"]:
        return value
    # What the code gave this group is lost if the optimizer was loaded before it is attached. The
    # optimizer's default is not: it shows a new base where the group had its base from there.
    base, default = found["base"], _default(defaults, key)
    if default is None or found.get("default") != base or default == base:
        return base
    warnings.warn(
        f"attach(...): {label(key)} of group {index} had the base {base!r} when the optimizer was "
        f"saved, and the optimizer is now built with {default!r}, which holds. To keep the saved "
        "base, set it in the group before attaching.",
        StateMismatch,
        stacklevel=2,
    )
    return default


def _default(defaults: Mapping[str, Any], key: Key) -> float | None:
    try:
        return read(defaults, key)
    except AttachmentError:
        return None
