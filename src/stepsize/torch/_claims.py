"""Who drives which quantity of which group: two drivers of one rate would undo each other."""

from collections.abc import Callable, Collection, Mapping
from typing import Any, Protocol
from weakref import WeakKeyDictionary, WeakSet

from stepsize.errors import AttachmentError

__all__ = ["Driver", "attached_quantities", "claim", "refuse_claimed", "release"]


class Driver(Protocol):
    """Whatever writes quantities of an optimizer's groups."""

    def driven(self) -> Mapping[str, Collection[int]]:
        """The groups in which it drives each quantity."""
        ...


_drivers: WeakKeyDictionary[Any, WeakSet[Any]] = WeakKeyDictionary()


def claim(optimizer: object, driver: Driver) -> None:
    """From now on ``driver`` drives quantities of ``optimizer``."""
    _drivers.setdefault(optimizer, WeakSet()).add(driver)


def release(optimizer: object, driver: Driver) -> None:
    """``driver`` drives nothing any more."""
    _drivers.get(optimizer, WeakSet[Any]()).discard(driver)


def refuse_claimed(
    call: str,
    optimizer: object,
    wanted: Mapping[str, Collection[int]],
    besides: Callable[[Driver], bool],
) -> None:
    """Refuse quantities that are driven already, other than by ``besides``.

    Raises:
        AttachmentError: One of the wanted quantities is driven already.
    """
    for driver in _drivers.get(optimizer, ()):
        for quantity, groups in driver.driven().items():
            taken = sorted(set(groups).intersection(wanted.get(quantity, ())))
            if taken and not besides(driver):
                raise AttachmentError(
                    f"{call}: a quantity of a group is driven once, but {quantity} of group"
                    f"{'s' * (len(taken) > 1)} {', '.join(map(str, taken))} of this "
                    f"{type(optimizer).__name__} is driven already, by {driver}. "
                    "Detach that one first, or multiply the schedules: attach(optimizer, a * b)."
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
        for driver in _drivers.get(optimizer, ())
        for quantity, groups in driver.driven().items()
        if groups
    }
