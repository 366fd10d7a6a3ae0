"""The handle that ``attach`` gives: what is driven, what is done by hand, what is saved."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Literal, NoReturn

from stepsize.errors import (
    AttachmentError,
    CopyRefused,
    InvalidType,
    InvalidValue,
    TrainingStopped,
)
from stepsize.policy import How, PolicyState
from stepsize.schedules import Schedule
from stepsize.schedules._fields import Range, checked_number
from stepsize.signals import Decision, Observation, Stop, Tick
from stepsize.torch import _state
from stepsize.torch._engine import Engine
from stepsize.torch._groups import Key, Selector, describe_group, label, select_numbered
from stepsize.torch._track import Track

__all__ = ["Attachment", "Quantity"]

_ANY_NUMBER = Range(minimum=-1e300, maximum=1e300)
_ANY_GROUP = _ANY_NUMBER  # placeholder


class Quantity:
    """One driven quantity: its values, and what can be done to it by hand during a run.

    What is done by hand holds from the next step on, and is progress: it is saved with the state.
    """

    def __init__(self, engines: Sequence[Engine], key: Key) -> None:
        self._engines = tuple(engines)
        self._key = key

    @property
    def current(self) -> list[float] | None:
        """The values that the last executed step used, one per group; None before it.

        Of several optimizers, one that has not stepped yet shows what it will use.
        """
        used = [engine.current(self._key) for engine in self._engines]
        if all(values is None for values in used):
            return None
        engines = zip(self._engines, used, strict=True)
        return _flat(engine.next(self._key) if each is None else each for engine, each in engines)

    @property
    def next(self) -> list[float]:
        """The values that the next step will use, one per group."""
        return _flat(engine.next(self._key) for engine in self._engines)

    def scale(self, factor: float) -> None:
        """Multiply the values of all groups from now on.

        Args:
            factor: A finite number, >= 0.

        Raises:
            InvalidValue: It is out of range.
        """
        factor = _number(f"rate.scale({factor!r})", "factor", factor)
        self._change(lambda track, at: track.policy.scale(track.state, at, factor))

    def set_base(self, value: float | Mapping[Selector, float]) -> None:
        """Set what the schedule's values are multiples of. ``scale`` keeps the groups' ratios.

        Args:
            value: The base of every group, or a dictionary from group (index, name or predicate)
                to its base.

        Raises:
            InvalidValue: A group does not exist, is not driven or follows an ``Absolute`` schedule,
                which has no base.
        """
        call = f"rate.set_base({value!r})"
        if isinstance(value, Mapping):
            groups = [engine.up_to_date() for engine in self._engines]
            bases = {
                place: base
                for selector, base in value.items()
                for place in select_numbered(call, selector, groups)
            }
        else:
            bases = {place: value for place in self._slots()}
        checked = {place: _number(call, "a base", base) for place, base in bases.items()}
        slots = self._slots()
        for place in checked:
            if place not in slots or slots[place].policy.absolute:
                ...
        raise NotImplementedError
