"""Who drives which quantity of which group: two owners of one rate would undo each other."""

from collections.abc import Callable, Collection, Mapping
from typing import Any, Protocol
from weakref import WeakKeyDictionary, WeakSet

from stepsize.errors import AttachmentError

__all__ = ["Owner", "attached_quantities", "own", "refuse_owned", "release"]


class Owner(Protocol):
    """Whatever writes quantities of an optimizer's groups."""

    def driven(self) -> Mapping[str, Collection[int]]:
        """The groups in which it drives each quantity."""
        ...


_owners: WeakKeyDictionary[Any, WeakSet[Any]] = WeakKeyDictionary()


def own(optimizer: object, owner: Owner) -> None:
    """From now on ``owner`` drives quantities of ``optimizer``."""
    _owners.setdefault(optimizer, WeakSet()).add(owner)


def release(optimizer: object, owner: Owner) -> None:
    """``owner`` drives nothing any more."""
    _owners.get(optimizer, WeakSet[Any]()).discard(owner)


def refuse_owned(
    call: str,
    optimizer: object,
    wanted: Mapping[str, Collection[int]],
    besides: Callable[[Owner], bool],
) -> None:
    """Refuse quantities that are driven already, other than by ``besides``.

    Raises:
        AttachmentError: One of the wanted quantities is driven already.
    """
    for owner in _owners.get(optimizer, ()):
        for quantity, groups in owner.driven().items():
            taken = sorted(set(groups).intersection(wanted.get(quantity, ())))
            if taken and not besides(owner):
                groups_text = f"group{'s' * (len(taken) > 1)} {', '.join(map(str, taken))}"
                raise AttachmentError(
                    call,
                    "a quantity of a group is driven once",
                    f"{quantity} of {groups_text} of this {type(optimizer).__name__} is driven "
                    f"already, by {owner}",
                    "Detach that one first, or multiply the schedules: attach(optimizer, a * b).",
                )


def attached_quantities(optimizer: object) -> set[str]:
    """The quantities of an optimizer that an attachment or a ``Scheduler`` drives.

    >>> import torch
    >>> from stepsize import Linear
    >>> from stepsize.torch import attach, attached_quantities
    >>> optimizer = torch.optim.SGD([torch.zeros(1)], lr=0.1)
    >>> rate = attach(optimizer, Linear(10))
    >>> attached_quantities(optimizer)
    {'lr'}
    """
    return {
        quantity
        for owner in _owners.get(optimizer, ())
        for quantity, groups in owner.driven().items()
        if groups
    }
