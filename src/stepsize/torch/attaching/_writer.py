"""Writes the values of one track into an optimizer's groups, and notices who else writes there."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

import torch
from torch import Tensor

from stepsize.driving import Key, Track
from stepsize.schedules.backend import NUMBERS
from stepsize.torch.attaching.groups import (
    Group,
    put_tensor,
    read,
    tensor_of,
    write,
    write_scaled,
)

__all__ = ["DrivenValue", "Writer"]

_GROUPS_LOOKED_AT: Final = 16
"""How many groups are looked at for a foreign write at each step."""


@dataclass(slots=True)
class DrivenValue:
    """One driven quantity of one group.

    Args:
        index: The group.
        tensor: What holds the value, if a tensor does; it is written in place.
        version: How often that tensor had been written into when it was last written here.
    """

    index: int
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

    def is_foreign(self, group: Group, key: Key, written: float) -> bool:
        """Whether somebody else wrote since ``written`` was put."""
        if self.tensor is None:
            return read(group, key) != written
        # Comparing values would wait for the GPU; the version counts the writes into a tensor.
        return (
            tensor_of(group, key) is not self.tensor or self.tensor._version != self.version  # pyright: ignore[reportPrivateUsage]
        )


_Used: TypeAlias = tuple[float, float, Mapping[int, float] | None]
"""Factor and scale of a step, and the foreign values that it met."""


class Writer:
    """Writes one track.

    Args:
        track: What is written: it does not change.
        values: The driven values of its groups, in their order.
    """

    # There may be thousands: without dictionaries the garbage collector has less to look at.
    __slots__ = (
        "_bases",
        "_factor",
        "_next_look",
        "_plain_key",
        "_scale",
        "_used",
        "_value_at",
        "_values",
        "key",
        "start",
        "track",
    )

    def __init__(self, track: Track, values: Sequence[DrivenValue]) -> None:
        self.track = track
        self.key = track.id.key
        self.start = track.id.start
        self._values = tuple(values)
        # Numbers under a plain name take the fast loops; tensors and entries of tuples do not.
        tensors = any(value.tensor is not None for value in values)
        self._plain_key = self.key if isinstance(self.key, str) and not tensors else None
        self._bases = tuple(zip(track.groups, track.bases, strict=True))
        # Not schedule(t): checking a position that is known to be good costs a fifth of a step.
        self._value_at = track.schedule._at  # pyright: ignore[reportPrivateUsage]
        self._scale = track.state.scale
        self._factor = 0.0
        self._used: _Used = (0.0, 1.0, None)
        self._next_look = 0

    # ---------------------------------------------------------------- at every step

    def step(self, groups: Sequence[Group], position: float) -> Mapping[int, float] | None:
        """Look, note what the step used, and write the values of ``position``.

        Returns:
            The foreign values that were found, by group.
        """
        key, bases, used, scale = self._plain_key, self._bases, self._factor, self._scale
        if key is None or len(bases) > _GROUPS_LOOKED_AT:
            seen = self.look(groups)
            self._used = used, scale, seen
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
        self._used = used, scale, found
        return found

    def look(self, groups: Sequence[Group]) -> Mapping[int, float] | None:
        """Foreign values in the next few groups, by group."""
        key, bases, factor, scale = self._plain_key, self._bases, self._factor, self._scale
        if key is None:
            return self._look_closely(groups)
        if len(bases) > _GROUPS_LOOKED_AT:
            first = self._next_look
            bases = bases[first : first + _GROUPS_LOOKED_AT]
            last = first + _GROUPS_LOOKED_AT
            self._next_look = last if last < len(self._bases) else 0
        return {
            index: read(groups[index], key)
            for index, base in bases
            if groups[index][key] != base * factor * scale
        } or None

    def _look_closely(self, groups: Sequence[Group]) -> Mapping[int, float] | None:
        found = {
            each.index: read(groups[each.index], self.key)
            for each, value in self._written()
            if each.is_foreign(groups[each.index], self.key, value)
        }
        return found or None

    def write(self, groups: Sequence[Group], position: float) -> None:
        """Write the values of ``position``."""
        factor = self._factor = self._value_at(position - self.start, NUMBERS)
        if self._plain_key is not None:
            write_scaled(groups, self._plain_key, self._bases, factor, self._scale)
        else:
            for each, value in self._written():
                each.put(groups[each.index], self.key, value)

    def _written(self) -> Iterator[tuple[DrivenValue, float]]:
        for each, (_, base) in zip(self._values, self._bases, strict=True):
            yield each, base * self._factor * self._scale

    # ---------------------------------------------------------------- what was written and used

    @property
    def used_zero(self) -> bool:
        """Whether the last step was to use 0 in every group."""
        factor, scale, _ = self._used
        return factor * scale == 0 or not any(self.track.bases)

    def used_at(self, position: float) -> None:
        """The last executed step was the one at this position."""
        self._used = self._value_at(position - self.start, NUMBERS), self._scale, None

    def lost(self, groups: Sequence[Group]) -> int | None:
        """The first group that does not hold what was just written, if there is one."""
        for each, value in self._written():
            held = tensor_of(groups[each.index], self.key)
            kept = read(groups[each.index], self.key) == each.stored(value)
            if not kept or held is not each.tensor:
                return each.index
        return None

    def used(self) -> Iterator[tuple[int, float]]:
        """For each group the value that the last executed step used."""
        factor, scale, found = self._used
        for each, (index, base) in zip(self._values, self._bases, strict=True):
            if found is not None and index in found:
                yield index, found[index]
            else:
                yield index, each.stored(base * factor * scale)
