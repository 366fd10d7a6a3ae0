"""Curves that other tools step once per epoch."""

from stepsize.schedules import Schedule

__all__ = ["held_through_epochs"]


def held_through_epochs(in_epochs: Schedule, steps_per_epoch: int) -> Schedule:
    """A schedule whose positions are epochs, in steps; it changes between epochs only.

    >>> from stepsize import Linear
    >>> held_through_epochs(Linear(2), 3).values(7)
    array([1. , 1. , 1. , 0.5, 0.5, 0.5, 0. ])
    """
    if steps_per_epoch == 1:
        return in_epochs
    return in_epochs.per_epoch(steps_per_epoch).staircase(steps_per_epoch)
