"""How one quantity of a parameter group is read and written.

The only place that writes a driven value into a group.
"""

from collections.abc import Mapping, MutableMapping, Sequence
from numbers import Real
from typing import Any, TypeAlias, cast

from torch import Tensor

from stepsize.driving import Key
from stepsize.errors import AttachmentError

__all__ = [
    "Group",
    "copy_tensor",
    "put_tensor",
    "read",
    "tensor_of",
    "write",
    "write_scaled",
]

Group: TypeAlias = MutableMapping[str, Any]


def read(group: Mapping[str, Any], key: Key) -> float:
    """The quantity's value in this group. A tensor on a GPU is waited for.

    Raises:
        AttachmentError: The group has no such quantity, or it is not a number that can be driven.
    """
    value = _entry(group, key)
    if isinstance(value, Tensor):
        if value.numel() == 1 and value.is_floating_point():
            return float(value.item())
        raise AttachmentError(
            _typed(key),
            "only a number or a floating tensor of one element can be driven",
            f"it is a tensor of {value.dtype} and shape {tuple(value.shape)}",
            "Convert it, for example to torch.tensor(0.1).",
        )
    if isinstance(value, bool) or not isinstance(value, Real):
        raise AttachmentError(
            _typed(key),
            "only a number can be driven",
            f"it is {value!r}",
            f"Name one of its entries: also={{({key!r}, 0): schedule}}."
            if isinstance(value, tuple | list)
            else "Drive another quantity.",
        )
    return float(value)


def write(group: Group, key: Key, value: float) -> None:
    """Set the quantity in this group; a tensor in place, so that its identity stays."""
    entry = group[key] if isinstance(key, str) else group[key[0]][key[1]]
    if isinstance(entry, Tensor):
        entry.fill_(value)
    else:
        _put(group, key, value)


def write_scaled(
    groups: Sequence[Group],
    key: str,
    bases: Sequence[tuple[int, float]],
    factor: float,
    scale: float,
) -> None:
    """Set a plain number to (base · factor) · scale in each group of ``bases``: (index, base).

    This is the loop of every step. A scale of 1 changes no bit, and leaving it out saves a fifth.
    """
    if scale == 1.0:
        for index, base in bases:
            groups[index][key] = base * factor
    else:
        for index, base in bases:
            groups[index][key] = base * factor * scale


def tensor_of(group: Mapping[str, Any], key: Key) -> Tensor | None:
    """The tensor that holds the quantity, if one does."""
    entry = _entry(group, key)
    return entry if isinstance(entry, Tensor) else None


def put_tensor(group: Group, key: Key, tensor: Tensor) -> None:
    """Let the group hold this tensor again.

    A loaded checkpoint replaces the tensor that captured graphs and compiled code refer to.
    """
    if _entry(group, key) is not tensor:
        _put(group, key, tensor)


def copy_tensor(group: Group, key: Key) -> Tensor | None:
    """Give the group a tensor of its own, where a tensor holds the quantity."""
    tensor = tensor_of(group, key)
    if tensor is None:
        return None
    copied = tensor.clone()
    _put(group, key, copied)
    return copied


def _typed(key: Key) -> str:
    return f'group["{key}"]' if isinstance(key, str) else f'group["{key[0]}"][{key[1]}]'


def _entry(group: Mapping[str, Any], key: Key) -> Any:
    name, *index = (key,) if isinstance(key, str) else key
    if name not in group or name == "params":
        known = ", ".join(repr(each) for each in group if each != "params")
        raise AttachmentError(
            _typed(key),
            "the group must have this quantity",
            f"it has {known}",
            "Check the spelling, and whether this optimizer has it.",
        )
    if not index:
        return group[name]
    entries: Any = group[name]
    if not isinstance(entries, tuple | list) or index[0] not in range(len(cast(Any, entries))):
        raise AttachmentError(
            _typed(key), "the group must have this entry", f"{name!r} is {entries!r}"
        )
    return cast(Sequence[Any], entries)[index[0]]


def _put(group: Group, key: Key, value: Any) -> None:
    if isinstance(key, str):
        group[key] = value
    else:
        name, index = key
        entries = list(group[name])
        entries[index] = value
        group[name] = type(group[name])(entries)
