"""Marks: what an optimizer's own checkpoint says about its driven quantities.

A saved group holds the rate of one position, and not the base rate that it is a multiple of. While
attached, each saved group also gets the base, the value as written, and the optimizer's default.
Attaching to a group whose value is still the one that was written takes the base from the mark; a
value that was changed since is a base of its own.
"""

import warnings
from collections.abc import Mapping
from typing import Any

from stepsize.errors import StateMismatch
from stepsize.torch._groups import Group, Key, label, read, tensor_of, write

__all__ = ["base_of", "drop_marks", "mark"]

_MARK = "stepsize"


def mark(saved: Group, key: Key, base: float, defaults: Mapping[str, Any]) -> None:
    """Write the mark of one quantity into a group of an optimizer's state dictionary."""
    marks = saved.setdefault(_MARK, {})
    marks[label(key)] = {"base": base, "written": read(saved, key), **_default(defaults, key)}


def drop_marks(group: Group) -> None:
    """Forget what the checkpoint said."""
    group.pop(_MARK, None)


def base_of(group: Group, index: int, key: Key, defaults: Mapping[str, Any]) -> float:
    """The base of the quantity in a group that is not driven yet."""
    value = read(group, key)
    found = group.get(_MARK, {}).get(label(key))
    if found is None or value != found["written"]:
        return value
    base: float = found["base"]
    # The group's own value in the code is lost when the optimizer is loaded before it is attached;
    # the optimizer's default is not, and tells of a change where the group took its value from it.
    now = _default(defaults, key)
    if "default" not in found or not now or now["default"] == found["default"] != base:
        return base
    if now["default"] != found["default"] == base:
        warnings.warn(
            f"attach(...): the base of {label(key)} in group {index} was {base!r} when the "
            f"optimizer was saved, and the optimizer is now built with {now['default']!r}, "
            "which holds. To keep the saved one, set it in the group before attaching.",
            StateMismatch,
            stacklevel=2,
        )
        return now["default"]
    return base


def _default(defaults: Mapping[str, Any], key: Key) -> dict[str, float]:
    name = key if isinstance(key, str) else key[0]
    return {"default": read(defaults, key)} if name in defaults else {}
