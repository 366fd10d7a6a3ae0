"""One optimizer that is driven: its position, and the hooks that follow its step.

    optimizer.step() ──> before_step   new groups are taken in
                         (the update)
                         after_step    foreign writes are noticed, the position advances,
                                       the next values are written, the sinks get a tick

The optimizer holds the engine through these hooks, and the engine the optimizer only weakly: the
engine lives as long as the optimizer, and neither needs the garbage collector to go.
"""

import warnings
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any

import torch
from torch import Tensor

from stepsize.errors import AttachmentError, ForeignWrite, InvalidValue
from stepsize.policy import Policy, PolicyState
from stepsize.signals import Sink, Tick
from stepsize.torch._groups import (
    Group,
    Key,
    Selector,
    describe_group,
    label,
    put_tensor,
    read,
    tensor_of,
    write,
    write_scaled,
)
from stepsize.torch._marks import base_of, drop_marks, mark

__all__ = ["Engine", "Rule", "Slot", "Track"]

LOOK = 16
"""How many groups are looked at for a foreign write at each step."""


@dataclass(frozen=True)
class Rule:
    """Which groups follow a policy.

    Args:
        policy: What they follow.
        everything: All groups do, also those added later.
        indices: These do.
        later: Names and predicates that groups added later may match.
    """

    policy: Policy
    everything: bool = False
    indices: frozenset[int] = frozenset()
    later: tuple[Selector, ...] = ()

    def matches(self, index: int, group: Group) -> bool:
        """Whether the group follows the policy."""
        return (
            self.everything
            or index in self.indices
            or any(
                selector(group) if callable(selector) else group.get("name") == selector
                for selector in self.later
            )
        )


@dataclass
class Slot:
    """One driven quantity of one group.

    Args:
        index: The group.
        rule: Which of the quantity's rules it follows.
        given: Its base: the group's value when it was taken in.
        tensor: What holds the value, if a tensor does; written in place.
        by_hand: The base that the user set during the run.
    """

    index: int
    rule: int
    given: float
    tensor: Tensor | None
    by_hand: float | None = None
    version: int = 0

    @property
    def base(self) -> float:
        """What the policy's values are multiples of."""
        return self.given if self.by_hand is None else self.by_hand

    def stored(self, value: float) -> float:
        """``value`` as the group holds it: rounded, if a tensor of lower precision does."""
        return value if self.tensor is None else float(torch.tensor(value, dtype=self.tensor.dtype))


class Track:
    """One quantity of the groups that share a policy and a clock."""

    def __init__(self, key: Key, rule: int, policy: Policy, start: float) -> None:
        self.key = key
        self.rule = rule
        self.policy = policy
        self.start = start
        self.state = policy.init()
        self.slots: tuple[Slot, ...] = ()
        self.warned = False
        self._factor = 0.0
        self._next_look = 0

    def arrange(self, slots: Sequence[Slot], groups: int) -> None:
        """Take these slots, of an optimizer with so many groups."""
        self.slots = tuple(slots)
        self._indices = None if len(slots) == groups else tuple(slot.index for slot in slots)
        # Numbers under a plain name take the fast loop; tensors and entries of tuples do not.
        self._plain_key = (
            self.key
            if isinstance(self.key, str) and all(slot.tensor is None for slot in slots)
            else None
        )
        self._next_look = 0
        self.refresh()

    def refresh(self) -> None:
        """Take over the bases and what the state says."""
        absolute = self.policy.absolute
        self._bases = tuple(1.0 if absolute else slot.base for slot in self.slots)
        self._schedule = self.policy.current_schedule(self.state)
        self._scale = self.state.scale

    def change(self, state: PolicyState) -> None:
        """Go on with another state."""
        self.state = state
        self.refresh()

    def step(self, groups: Sequence[Group], position: float) -> Mapping[int, float] | None:
        """Note what the step used, and write the values of the next position.

        Returns:
            The foreign values that were found, by index into ``slots``.
        """
        found = self.look(groups)
        self._used = self.slots, self._bases, self._factor, self._scale, found
        self.write(groups, position)
        return found

    def look(self, groups: Sequence[Group]) -> Mapping[int, float] | None:
        """Foreign values in the next few groups, by index into ``slots``."""
        key, slots = self._plain_key, self.slots
        if key is None:
            return self._look_closely(groups) or None
        found: dict[int, float] | None = None
        bases, factor, scale, indices = self._bases, self._factor, self._scale, self._indices
        first = self._next_look
        last = first + LOOK
        if last >= len(bases):
            last = len(bases)
            self._next_look = 0
        else:
            self._next_look = last
        for at in range(first, last):
            value = groups[at if indices is None else indices[at]][key]
            if value != bases[at] * factor * scale:
                found = {**(found or {}), at: float(value)}
        return found

    def _look_closely(self, groups: Sequence[Group]) -> Mapping[int, float]:
        found: dict[int, float] = {}
        for at, (slot, value) in enumerate(zip(self.slots, self._values(), strict=True)):
            group, tensor = groups[slot.index], slot.tensor
            if tensor is None:
                foreign = read(group, self.key) != value
            else:
                # Comparing the value would wait for the GPU; the version counts writes.
                foreign = (
                    tensor_of(group, self.key) is not tensor or tensor._version != slot.version  # noqa: SLF001
                )
            if foreign:
                found[at] = read(group, self.key)
        return found

    def _values(self) -> Iterator[float]:
        return (base * self._factor * self._scale for base in self._bases)

    def write(self, groups: Sequence[Group], position: float) -> None:
        """Write the values of ``position``."""
        self._factor = self._schedule(position - self.start)
        indices = self._indices
        if self._plain_key is not None:
            driven = groups if indices is None else [groups[index] for index in indices]
            write_scaled(driven, self._plain_key, self._bases, self._factor, self._scale)
            return
        for slot, value in zip(self.slots, self._values(), strict=True):
            if slot.tensor is not None:
                put_tensor(groups[slot.index], self.key, slot.tensor)
            write(groups[slot.index], self.key, value)
            if slot.tensor is not None:
                slot.version = slot.tensor._version

    def used(self) -> Iterator[tuple[Slot, float]]:
        """The values that the last executed step used."""
        slots, bases, factor, scale, found = self._used
        for at, (slot, base) in enumerate(zip(slots, bases, strict=True)):
            if found is not None and at in found:
                yield slot, found[at]
            else:
                yield slot, slot.stored(base * factor * scale)
