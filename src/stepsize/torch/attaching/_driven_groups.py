"""The parameter groups of one optimizer: which of their quantities are driven, and by what."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from math import inf
from typing import Any

from stepsize.driving import (
    Driver,
    Followed,
    Key,
    Progress,
    Rule,
    Track,
    describe_group,
    name_of,
)
from stepsize.errors import AttachmentError
from stepsize.torch.attaching._saved_bases import forget_base, saved_base
from stepsize.torch.attaching._writer import DrivenValue, Writer
from stepsize.torch.attaching.groups import Group, read, tensor_of

__all__ = ["DrivenGroups"]


class DrivenGroups:
    """The driven quantities of an optimizer's groups, and what writes them.

    Args:
        rules: For each quantity the policies and their groups.
        from_initial: Whether a group's ``"initial_lr"``, if it has one, is the base of its rate.
    """

    def __init__(self, rules: Mapping[Key, Sequence[Rule]], from_initial: bool) -> None:
        self.driver = Driver(rules)
        self.progress: Progress = self.driver.init()
        self.writers: Sequence[Writer] = ()
        self._from_initial = from_initial
        self._values: dict[tuple[Key, int], DrivenValue] = {}
        self._tensor_bases: dict[tuple[Key, int], float] = {}

    @property
    def count(self) -> int:
        """How many of the optimizer's groups were taken in so far."""
        return len(self.driver.names)

    def driven(self, groups: Sequence[Group]) -> Mapping[str, Collection[int]]:
        """The groups in which each quantity is driven, or will be once they are taken in."""
        added = range(self.count, len(groups))
        return {
            name_of(key): [
                *followed,
                *(i for i in added if self.driver.rules[key].of(i, groups[i]) is not None),
            ]
            for key, followed in self.driver.followed.items()
        }

    # ---------------------------------------------------------------- groups come in

    def followed_by_added(
        self, groups: Sequence[Group], defaults: Mapping[str, Any]
    ) -> Sequence[Mapping[Key, Followed]]:
        """What the driven quantities of each group that was not taken in yet follow.

        Raises:
            AttachmentError: There are fewer groups than before, a group follows several schedules,
                or it has no such quantity.
        """
        known = self.count
        if len(groups) < known:
            raise AttachmentError(
                "optimizer.param_groups",
                "groups may be added while stepsize drives them, and none removed",
                f"there were {known} and now there are {len(groups)}: which is which is unknown",
                "Detach before removing groups, and attach again.",
            )
        return [
            {
                key: Followed(rule, self._base(groups[index], index, key, defaults))
                for key, rule in self.driver.rules_of(index, groups[index])
            }
            for index in range(known, len(groups))
        ]

    def _base(self, group: Group, index: int, key: Key, defaults: Mapping[str, Any]) -> float:
        if self._from_initial and key == "lr" and "initial_lr" in group:
            return read(group, "initial_lr")
        return saved_base(group, index, key, defaults)

    def take_in(self, groups: Sequence[Group], added: Sequence[Mapping[Key, Followed]]) -> None:
        """From now on these groups are driven, too."""
        driven = [
            {key: self._take_in(groups[index], index, key, of) for key, of in each.items()}
            for index, each in enumerate(added, self.count)
        ]
        self.driver = self.driver.with_groups(groups, driven)
        self.follow(self.progress)

    def _take_in(self, group: Group, index: int, key: Key, followed: Followed) -> Followed:
        tensor = tensor_of(group, key)
        if tensor is not None:
            # Groups built from one tensor share it; so does the optimizer's default, from which
            # groups added later have theirs. Each gets its own, and the base of the first.
            first = self._tensor_bases.get((key, id(tensor)))
            if first is None:
                self._tensor_bases[key, id(tensor)] = followed.base
            else:
                tensor, followed = tensor.clone(), Followed(followed.rule, first)
        self._values[key, index] = DrivenValue(index, tensor)
        return followed

    # ---------------------------------------------------------------- writing

    def follow(self, progress: Progress) -> None:
        """Go on from this progress; the values are written by the next ``write``."""
        self.progress = progress
        self.writers = [
            Writer(track, [self._values[track.id.key, index] for index in track.groups])
            for track in self.driver.tracks(progress)
        ]

    def write(self, groups: Sequence[Group], position: float) -> None:
        """Write the values of this position."""
        for writer in self.writers:
            writer.write(groups, position)

    def forget_saved_bases(self, groups: Sequence[Group]) -> None:
        """Drop what a checkpoint said about the bases of groups that are driven."""
        for key, index in self._values:
            forget_base(groups[index], key)

    def write_bases(self, groups: Sequence[Group]) -> None:
        """Write what the values were multiples of."""
        for (key, index), value in self._values.items():
            value.put(groups[index], key, self.driver.base(self.progress, key, index))

    def refuse_lost_writes(
        self, call: str, groups: Sequence[Group], again: Sequence[Group]
    ) -> None:
        """Refuse groups that do not keep what was written.

        Args:
            call: The call as typed.
            groups: The groups that were written into.
            again: The optimizer's groups at another access.

        Raises:
            AttachmentError: A group, or a value, is another when it is read back.
        """
        for writer in self.writers:
            index = writer.lost(again)
            first = writer.track.groups[0]
            if index is None and groups[first] is not again[first]:
                index = first
            if index is not None:
                raise AttachmentError(
                    call,
                    "what is written into param_groups stays there",
                    f"{name_of(writer.key)} of group {describe_group(index, groups[index])} is "
                    "another when it is read back, as where param_groups is computed at each "
                    "access",
                    "Attach to the optimizer that it wraps, often .opt or .optimizer.",
                )

    @property
    def end_of_rates(self) -> float:
        """The position at which the first falling schedule of the rate has fallen, or infinity."""
        return min((track.end_of_fall for track in self.rate_tracks), default=inf)

    @property
    def rate_tracks(self) -> Sequence[Track]:
        """The tracks of the rate."""
        return [each.track for each in self.writers if each.key == "lr"]

    def changes_values(self, progress: Progress) -> bool:
        """Whether the controllers' scales are others in this progress."""
        states = progress.states
        return any(states[each.track.id].scale != each.track.state.scale for each in self.writers)

    def held_by_numbers(self) -> Sequence[str]:
        """The driven quantities that numbers hold, and not tensors."""
        return list(
            dict.fromkeys(
                name_of(key) for (key, _), value in self._values.items() if value.tensor is None
            )
        )

    def used_at(self, position: float) -> None:
        """The last executed step was the one at this position."""
        for writer in self.writers:
            writer.used_at(position)

    # ---------------------------------------------------------------- values

    def used(self, groups: Sequence[Group], key: Key, used_by: Sequence[Writer]) -> list[float]:
        """What a step used, by group; without groups that were added since."""
        used = {i: value for each in used_by if each.key == key for i, value in each.used()}
        driven = self.driver.followed[key]
        return [
            used[index] if index in used else read(group, key)
            for index, group in enumerate(groups)
            if index in used or index not in driven
        ]

    def describe(self, groups: Sequence[Group], used_by: Sequence[Writer]) -> Iterator[str]:
        """A line for each driven quantity of each group."""
        used = {
            (writer.key, index): f"{value:.6g} used, "
            for writer in used_by
            for index, value in writer.used()
        }
        for writer in self.writers:
            for index in writer.track.groups:
                group, key = groups[index], writer.key
                base = self.driver.base(self.progress, key, index)
                yield (
                    f"group {describe_group(index, group)}: {name_of(key)} "
                    f"{used.get((key, index), '')}{read(group, key):.6g} next, "
                    f"base {base:.6g}, {writer.track.policy.schedule!r}"
                )
        for name, left in self.left_alone(groups).items():
            names = [describe_group(index, groups[index]) for index in left]
            yield f"left alone: {name} of group{'s' * (len(left) > 1)} {', '.join(names)}"

    def left_alone(self, groups: Sequence[Group]) -> Mapping[str, Sequence[int]]:
        """The groups that no rule means, by quantity, where there are such."""
        return {
            name_of(key): left
            for key, followed in self.driver.followed.items()
            if (left := [index for index in range(len(groups)) if index not in followed])
        }
