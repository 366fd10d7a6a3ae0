"""One quantity of those groups that share a policy and a clock: what is looked at and written."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import inf
from typing import TypeAlias

import torch
from torch import Tensor

from stepsize.policy import Policy, PolicyState
from stepsize.schedules import Schedule
from stepsize.schedules.backend import NUMBERS
from stepsize.torch._groups import Group, Key, put_tensor, read, tensor_of, write, write_scaled

__all__ = ["Slot", "Track"]

LOOK = 16
"""How many groups are looked at for a foreign write at each step."""


@dataclass
class Slot:
    """One driven quantity of one group.

    Args:
        index: The group.
        rule: Which of the quantity's rules it follows.
        given: The group's value when it was taken in.
        base: What the policy's values are multiples of: ``given``, or what was set by hand.
        tensor: What holds the value, if a tensor does; it is written in place.
    """

    index: int
    rule: int
    given: float
    base: float
    tensor: Tensor | None
    version: int = 0

    def stored(self, value: float) -> float:
        """``value`` as the group holds it: rounded, if a tensor of lower precision does."""
        return value if self.tensor is None else torch.tensor(value, dtype=self.tensor.dtype).item()

    def put(self, group: Group, key: Key, value: float) -> None:
        """Write ``value`` into the group; a tensor is kept, whatever the group holds now."""
        if self.tensor is None:
            write(group, key, value)
            return
        put_tensor(group, key, self.tensor)
        write(group, key, value)
        self.version = self.tensor._version  # pyright: ignore[reportPrivateUsage]

    def foreign(self, group: Group, key: Key, written: float) -> bool:
        """Whether somebody else wrote since ``written`` was put."""
        if self.tensor is None:
            return read(group, key) != written
        # Comparing values would wait for the GPU; the version counts the writes into a tensor.
        return (
            tensor_of(group, key) is not self.tensor or self.tensor._version != self.version  # pyright: ignore[reportPrivateUsage]
        )


_Used: TypeAlias = tuple[
    tuple[Slot, ...], tuple[tuple[int, float], ...], float, float, Mapping[int, float] | None
]
"""Slots, bases by group, factor and scale of a step, and the foreign values that it met."""


class Track:
    """One quantity of the groups that share a policy and a clock.

    Args:
        key: The quantity.
        rule: Which of the quantity's rules these groups follow.
        policy: What that rule says.
        start: The optimizer's position at which this clock shows 0.
        state: The policy's progress.
    """

    def __init__(
        self, key: Key, rule: int, policy: Policy, start: float, state: PolicyState
    ) -> None:
        self.key = key
        self.rule = rule
        self.policy = policy
        self.start = start
        self.state = state
        self.slots: tuple[Slot, ...] = ()
        self._factor = 0.0
        self._used: _Used = ((), (), 0.0, 1.0, None)

    def arrange(self, slots: Iterable[Slot]) -> None:
        """Drive these slots."""
        self.slots = tuple(slots)
        # Numbers under a plain name take the fast loops; tensors and entries of tuples do not.
        tensors = any(slot.tensor is not None for slot in self.slots)
        self._plain_key = self.key if isinstance(self.key, str) and not tensors else None
        self._next_look = 0
        self.change(self.state)

    def change(self, state: PolicyState) -> None:
        """Go on with this progress and the slots' present bases."""
        self.state = state
        absolute = self.policy.absolute
        self._bases = tuple((slot.index, 1.0 if absolute else slot.base) for slot in self.slots)
        schedule = self.policy.current_schedule(state)
        # Not schedule(t): checking a position that is known to be good costs a fifth of a step.
        self._value_at = schedule._at  # pyright: ignore[reportPrivateUsage]
        self._scale = state.scale
        self.end = self.start + _end_of_fall(schedule)

    # ---------------------------------------------------------------- at every step

    def step(self, groups: Sequence[Group], position: float) -> Mapping[int, float] | None:
        """Look, note what the step used, and write the values of ``position``.

        Returns:
            The foreign values that were found, by group.
        """
        key, bases, used, scale = self._plain_key, self._bases, self._factor, self._scale
        if key is None or len(bases) > LOOK:
            seen = self.look(groups)
            self._used = self.slots, bases, used, scale, seen
            self.write(groups, position)
            return seen
        # The same for few plain numbers, in one loop: a third of what a single group costs.
        found: dict[int, float] | None = None
        factor = self._factor = self._value_at(position - self.start, NUMBERS)
        for index, base in bases:
            group = groups[index]
            if group[key] != base * used * scale:
                found = {**(found or {}), index: read(group, key)}
            group[key] = base * factor * scale
        self._used = self.slots, bases, used, scale, found
        return found

    def look(self, groups: Sequence[Group]) -> Mapping[int, float] | None:
        """Foreign values in the next few groups, by group."""
        key, bases, factor, scale = self._plain_key, self._bases, self._factor, self._scale
        if key is None:
            return self._look_closely(groups)
        if len(bases) > LOOK:
            first = self._next_look
            bases = bases[first : first + LOOK]
            self._next_look = first + LOOK if first + LOOK < len(self._bases) else 0
        return {
            index: read(groups[index], key)
            for index, base in bases
            if groups[index][key] != base * factor * scale
        } or None

    def _look_closely(self, groups: Sequence[Group]) -> Mapping[int, float] | None:
        found = {
            slot.index: read(groups[slot.index], self.key)
            for slot, value in self._values()
            if slot.foreign(groups[slot.index], self.key, value)
        }
        return found or None

    def write(self, groups: Sequence[Group], position: float) -> None:
        """Write the values of ``position``."""
        factor = self._factor = self._value_at(position - self.start, NUMBERS)
        if self._plain_key is not None:
            write_scaled(groups, self._plain_key, self._bases, factor, self._scale)
        else:
            for slot, value in self._values():
                slot.put(groups[slot.index], self.key, value)

    def _values(self) -> Iterator[tuple[Slot, float]]:
        for slot, (_, base) in zip(self.slots, self._bases, strict=True):
            yield slot, base * self._factor * self._scale

    def used(self) -> Iterator[tuple[int, float]]:
        """For each group the value that the last executed step used."""
        slots, bases, factor, scale, found = self._used
        for slot, (index, base) in zip(slots, bases, strict=True):
            if found is not None and index in found:
                yield index, found[index]
            else:
                yield index, slot.stored(base * factor * scale)


def _end_of_fall(schedule: Schedule) -> float:
    """Where a schedule that falls to its end has fallen; infinity for one that does not.

    Holding the last value on purpose, as after a warmup, is no reason to speak.
    """
    end = schedule.length
    falls = end < inf and (schedule(end) == 0 or schedule(end) < schedule(end - 1))
    return end if falls else inf
