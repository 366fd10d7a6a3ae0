"""What has happened since driving began, and the tracks that follow from it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from math import inf
from typing import NamedTuple

from stepsize.driving._policy import Policy
from stepsize.driving._policy_state import PolicyState
from stepsize.driving._quantities import Key
from stepsize.schedules import Schedule
from stepsize.signals import Decision

__all__ = ["Decided", "Progress", "Track", "TrackId"]


class TrackId(NamedTuple):
    """What tells tracks apart.

    Args:
        key: The quantity.
        rule: Which of the quantity's rules its groups follow.
        start: The driver's position at which its clock shows 0.
    """

    key: Key
    rule: int = 0
    start: float = 0


class Decided(NamedTuple):
    """A decision, and the track whose controller took it."""

    track: TrackId
    decision: Decision


@dataclass(frozen=True)
class Progress:
    """What has happened since driving began, but for the position. Immutable.

    The position is beside it because it alone changes at every step.

    Args:
        states: The policies' states; a track without one is at its beginning.
        starts: The groups that count positions of their own, and where they began.
        bases: The bases that were set by hand, by quantity and group.
        awaited: Groups with a start that the loaded run had added, and this one has not yet.
    """

    states: Mapping[TrackId, PolicyState] = field(default_factory=dict[TrackId, PolicyState])
    starts: Mapping[int, float] = field(default_factory=dict[int, float])
    bases: Mapping[Key, Mapping[int, float]] = field(default_factory=dict[Key, Mapping[int, float]])
    awaited: frozenset[int] = frozenset()


@dataclass(frozen=True)
class Track:
    """One quantity of those groups that share a policy and a clock.

    Args:
        id: What tells it apart.
        policy: What its groups follow.
        state: The policy's progress.
        groups: The indices of its groups.
        bases: What the values are multiples of, by group; 1 under ``Absolute``.
    """

    id: TrackId
    policy: Policy
    state: PolicyState
    groups: tuple[int, ...]
    bases: tuple[float, ...]

    @cached_property
    def schedule(self) -> Schedule:
        """The schedule as it is now, on the track's own clock."""
        return self.policy.current_schedule(self.state)

    def factor(self, position: float) -> float:
        """What the bases are multiplied by at this position of the driver."""
        return self.schedule(position - self.id.start) * self.state.scale

    def values(self, position: float) -> Iterator[tuple[int, float]]:
        """The value of each group at this position of the driver: (index, value)."""
        multiple, scale = self.schedule(position - self.id.start), self.state.scale
        for index, base in zip(self.groups, self.bases, strict=True):
            yield index, base * multiple * scale

    @cached_property
    def end_of_fall(self) -> float:
        """The driver's position at which a schedule that falls to its end has fallen, or infinity.

        Holding the last value on purpose, as after a warmup, is not a fall.
        """
        end = self.schedule.length
        falls = end < inf and (
            self.schedule(end) == 0 or self.schedule(end) < self.schedule(end - 1)
        )
        return self.id.start + end if falls else inf
