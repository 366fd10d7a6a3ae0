"""Which quantities of which groups are driven, by which rule and clock, sorted into tracks."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from stepsize.errors import AttachmentError
from stepsize.policy import Policy, PolicyState
from stepsize.torch._groups import (
    Group,
    Key,
    Selector,
    describe_group,
    label,
    tensor_of,
)
from stepsize.torch._marks import base_of
from stepsize.torch._track import Slot, Track

__all__ = ["Roster", "Rule", "TrackId"]


@dataclass(frozen=True)
class Rule:
    """Which groups follow a policy.

    Args:
        policy: What they follow.
        everything: All groups do, also those added later.
        indices: These do.
        later: Names and predicates, which groups added later may match too.
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
                each(group) if callable(each) else group.get("name") == each for each in self.later
            )
        )


class TrackId(NamedTuple):
    """What tells the tracks of an optimizer apart."""

    key: Key
    rule: int
    start: float


class Roster:
    """The driven quantities of one optimizer's groups.

    Args:
        rules: For each quantity the policies and their groups.
    """

    def __init__(self, rules: Mapping[Key, Sequence[Rule]]) -> None:
        self.rules = rules
        self.slots: dict[Key, list[Slot]] = {key: [] for key in rules}
        self.tracks: list[Track] = []
        self.starts: dict[int, float] = {}
        self.by_hand: dict[Key, dict[int, float]] = {key: {} for key in rules}
        self.names: list[str] = []
        self._waiting: dict[TrackId, PolicyState] = {}
        self._resumed: set[int] = set()

    @property
    def groups(self) -> int:
        """How many of the optimizer's groups were taken in so far."""
        return len(self.names)

    def driven(self, groups: Sequence[Group]) -> Mapping[str, Collection[int]]:
        """The groups in which each quantity is driven, or will be once they are taken in."""
        added = range(self.groups, len(groups))
        return {
            label(key): [
                *(slot.index for slot in slots),
                *(i for i in added if any(each.matches(i, groups[i]) for each in self.rules[key])),
            ]
            for key, slots in self.slots.items()
        }

    # ---------------------------------------------------------------- groups come in

    def newcomers(
        self, groups: Sequence[Group], defaults: Mapping[str, Any]
    ) -> Mapping[Key, Sequence[Slot]]:
        """Slots for the driven quantities of groups that were not taken in yet.

        Raises:
            AttachmentError: There are fewer groups than before, a group follows several schedules,
                or it has no such quantity.
        """
        if len(groups) < self.groups:
            raise AttachmentError(
                f"optimizer.param_groups: groups may be added while stepsize drives them, but "
                f"there were {self.groups} and now there are {len(groups)}: which is which is "
                "unknown. Detach before removing groups, and attach again."
            )
        new: dict[Key, list[Slot]] = {key: [] for key in self.rules}
        for index in range(self.groups, len(groups)):
            for key in self.rules:
                rule = self._rule_for(key, index, groups[index])
                if rule is not None:
                    known = (*self.slots[key], *new[key])
                    new[key].append(_slot(groups[index], index, key, rule, defaults, known))
        return new

    def _rule_for(self, key: Key, index: int, group: Group) -> int | None:
        found = [n for n, rule in enumerate(self.rules[key]) if rule.matches(index, group)]
        if len(found) > 1:
            raise AttachmentError(
                f"attach(..., {label(key)}={{...}}): a group follows one schedule, but group "
                f"{describe_group(index, group)} is meant by several keys. "
                "Make them exclude each other."
            )
        return found[0] if found else None

    def take_in(self, groups: Sequence[Group], new: Mapping[Key, Sequence[Slot]]) -> None:
        """From now on these slots are driven too."""
        for key, slots in new.items():
            self.slots[key].extend(slots)
        names = [group.get("name") for group in groups]
        self.names = [
            str(index if name is None or names.count(name) > 1 else name)
            for index, name in enumerate(names)
        ]
        self.arrange()

    # ---------------------------------------------------------------- tracks

    def arrange(self) -> None:
        """Sort the slots into tracks: by quantity, rule and clock."""
        members: dict[TrackId, list[Slot]] = {}
        for key, slots in self.slots.items():
            for slot in slots:
                slot.base = self.by_hand[key].get(slot.index, slot.given)
                track = TrackId(key, slot.rule, self.starts.get(slot.index, 0))
                members.setdefault(track, []).append(slot)
        present = dict(self._identified())
        self.tracks = []
        for identity, slots in members.items():
            track = present.get(identity) or self._new_track(identity)
            track.arrange(slots)
            self.tracks.append(track)

    def _identified(self) -> Iterator[tuple[TrackId, Track]]:
        for track in self.tracks:
            yield TrackId(track.key, track.rule, track.start), track

    def _new_track(self, identity: TrackId) -> Track:
        policy = self.rules[identity.key][identity.rule].policy
        state = self._waiting.pop(identity, None) or policy.init()
        return Track(identity.key, identity.rule, policy, identity.start, state)

    def start_clock(self, index: int, position: float) -> None:
        """Let this group count positions of its own, beginning now at ``position``."""
        if index in self._resumed:
            # The saved run had added this group; now it is added again, and its clock goes on.
            self._resumed.remove(index)
        else:
            self.starts[index] = position
        self.arrange()

    # ---------------------------------------------------------------- progress

    def states(self) -> Mapping[TrackId, PolicyState]:
        """The progress of every track, and of those that wait for their groups."""
        return {**self._waiting, **{each: track.state for each, track in self._identified()}}

    def restore(
        self,
        starts: Mapping[int, float],
        by_hand: Mapping[Key, Mapping[int, float]],
        states: Mapping[TrackId, PolicyState],
    ) -> None:
        """Go on from saved progress; what belongs to groups that come later waits for them."""
        self.starts = dict(starts)
        self.by_hand = {key: dict(by_hand.get(key, {})) for key in self.rules}
        self._waiting = dict(states)
        self._resumed = {index for index in starts if index >= self.groups}
        self.tracks = []
        self.arrange()


def _slot(
    group: Group,
    index: int,
    key: Key,
    rule: int,
    defaults: Mapping[str, Any],
    known: Sequence[Slot],
) -> Slot:
    base = base_of(group, index, key, defaults)
    tensor = tensor_of(group, key)
    if tensor is not None:
        # Groups built from one tensor share it; so does the optimizer's default, from which groups
        # added later have theirs. Each gets its own, and the base of the first.
        for other in known:
            if other.tensor is tensor:
                return Slot(index, rule, other.given, other.given, tensor.clone())
    return Slot(index, rule, base, base, tensor)
