"""Parameter groups: how one quantity of a group is named, read and written.

This is the only place that writes a driven value into a group.
"""

from collections.abc import Callable, Mapping, MutableMapping, Sequence
from numbers import Real
from typing import Any, TypeAlias, cast

from torch import Tensor

from stepsize.errors import AttachmentError, InvalidType, InvalidValue

__all__ = [
    "Group",
    "Key",
    "Selector",
    "copy_tensor",
    "describe_group",
    "label",
    "put_tensor",
    "read",
    "select_numbered",
    "tensor_of",
    "write",
    "write_scaled",
]

Key: TypeAlias = str | tuple[str, int]
"""A quantity of a group: ``"lr"``, or an entry of one that is a tuple: ``("betas", 0)``."""

Group: TypeAlias = MutableMapping[str, Any]

Selector: TypeAlias = int | str | Callable[[Mapping[str, Any]], bool]
"""Which groups: an index, a name (the group's ``"name"``), or a predicate on the group."""


def label(key: Key) -> str:
    """The quantity's name in texts, states and ticks: ``"lr"``, ``"betas[0]"``."""
    return key if isinstance(key, str) else f"{key[0]}[{key[1]}]"


def read(group: Mapping[str, Any], key: Key) -> float:
    """The quantity's value in this group. A tensor on a GPU is waited for.

    Raises:
        AttachmentError: The group has no such quantity, or it is no number that can be driven.
    """
    value = _entry(group, key)
    if isinstance(value, Tensor):
        if value.numel() == 1 and value.is_floating_point():
            return float(value.item())
        raise AttachmentError(
            f"{_typed(key)}: only a number or a floating tensor of one element can be driven, but "
            f"it is a tensor of {value.dtype} and shape {tuple(value.shape)}. "
            "Convert it, for example to torch.tensor(0.1)."
        )
    if isinstance(value, bool) or not isinstance(value, Real):
        remedy = (
            f"Name one of its entries: also={{({key!r}, 0): schedule}}."
            if isinstance(value, tuple | list)
            else "Drive another quantity."
        )
        raise AttachmentError(
            f"{_typed(key)}: only a number can be driven, but it is {value!r}. {remedy}"
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


def select_numbered(
    call: str, selector: Selector, optimizers: Sequence[Sequence[Mapping[str, Any]]]
) -> Sequence[tuple[int, int]]:
    """The groups that ``selector`` means, as (optimizer, index).

    Args:
        call: The call as typed.
        selector: An index that counts through all groups, a name, or a predicate.
        optimizers: The groups of each optimizer.

    Raises:
        InvalidType: It is neither an index, nor a name, nor a predicate.
        InvalidValue: There is no group of this index or name.
    """
    numbered = [
        (number, index, group)
        for number, groups in enumerate(optimizers)
        for index, group in enumerate(groups)
    ]
    if callable(selector):
        return [(number, index) for number, index, group in numbered if selector(group)]
    if isinstance(selector, bool) or not isinstance(selector, int | str):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise InvalidType(
            f"{call}: a group is meant by its index, its name or a predicate, but got {selector!r}."
        )
    found = [
        (number, index)
        for at, (number, index, group) in enumerate(numbered)
        if selector == (at if isinstance(selector, int) else group.get("name"))
    ]
    if not found:
        known = ", ".join(describe_group(at, group) for at, (*_, group) in enumerate(numbered))
        raise InvalidValue(
            f"{call}: there is no group {selector!r}; there are: {known}. A group is named in "
            '{"params": ..., "name": "head"}; for groups that come later use a predicate.'
        )
    return found


def describe_group(index: int, group: Mapping[str, Any]) -> str:
    """The group in a sentence: ``0``, or ``1 ('head')``."""
    name = group.get("name")
    return str(index) if name is None else f"{index} ({name!r})"


def _typed(key: Key) -> str:
    return f'group["{key}"]' if isinstance(key, str) else f'group["{key[0]}"][{key[1]}]'


def _entry(group: Mapping[str, Any], key: Key) -> Any:
    name, *index = (key,) if isinstance(key, str) else key
    if name not in group or name == "params":
        known = ", ".join(repr(each) for each in group if each != "params")
        raise AttachmentError(
            f"{_typed(key)}: there is no such quantity in this group; there are: {known}. "
            "Check the spelling, and whether this optimizer has it."
        )
    if not index:
        return group[name]
    entries: Any = group[name]
    if not isinstance(entries, tuple | list) or index[0] not in range(len(cast(Any, entries))):
        raise AttachmentError(f"{_typed(key)}: there is no such entry, {name!r} is {entries!r}.")
    return cast(Sequence[Any], entries)[index[0]]


def _put(group: Group, key: Key, value: Any) -> None:
    if isinstance(key, str):
        group[key] = value
    else:
        name, index = key
        entries = list(group[name])
        entries[index] = value
        group[name] = type(group[name])(entries)
