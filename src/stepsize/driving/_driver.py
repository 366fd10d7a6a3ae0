"""``Driver``: what is driven, and the pure functions from one progress to the next."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from stepsize.checks import Range, checked_number
from stepsize.driving._acts import How
from stepsize.driving._policy import Policy
from stepsize.driving._policy_state import PolicyState
from stepsize.driving._progress import Decided, Progress, Track, TrackId
from stepsize.driving._quantities import Group, Key, name_of, tick_name
from stepsize.driving._rules import Plans, Rule, Rules, numbered_rules, selected_plans
from stepsize.errors import AttachmentError, InvalidValue
from stepsize.schedules import Schedule
from stepsize.signals import Observation

__all__ = ["Driver", "Followed"]

_BASE = Range(remedy="A base is what the schedule's values are multiples of, for example 3e-4.")


class Followed(NamedTuple):
    """What one quantity of a group follows.

    Args:
        rule: The number of its rule.
        base: What the policy's values are multiples of, unless another is set by hand.
    """

    rule: int
    base: float


class Driver:
    """What is driven: which quantities of which groups follow which policies. Immutable.

    It knows no framework and keeps nothing of a run: what happened is a ``Progress``, and every
    function gives the next one. Whoever writes the values, pulls them or returns them asks here.

    Args:
        rules: For each quantity the policies and their groups.

    >>> from stepsize import Linear, Observation
    >>> driver = Driver.of({"lr": Linear(4)}, [{"name": "body", "lr": 0.5}, {"lr": 0.25}])
    >>> progress = driver.start_cooldown(driver.init(), "lr", at=2, steps=1)
    >>> driver.values(progress, 2), driver.values(progress, 3)
    ({'lr': {0: 0.25, 1: 0.125}}, {'lr': {0: 0.0, 1: 0.0}})
    >>> driver.named(driver.values(progress, 2))
    {'lr/body': 0.25, 'lr/1': 0.125}
    """

    def __init__(self, rules: Mapping[Key, Sequence[Rule]]) -> None:
        self.rules: Mapping[Key, Rules] = {key: Rules(key, each) for key, each in rules.items()}
        self.followed: Mapping[Key, Mapping[int, Followed]] = {key: {} for key in rules}
        self.names: Sequence[str] = ()
        self._latest: tuple[Progress, tuple[Track, ...]] | None = None

    @classmethod
    def of(cls, plans: Mapping[Key, Plans], groups: Sequence[Group]) -> "Driver":
        """The driver of groups that hold the base of each quantity under its name.

        Args:
            plans: For each quantity a plan for all groups, or a dictionary from group to plan.
            groups: The parameter groups.
        """
        rules: dict[Key, Sequence[Rule]] = {}
        for key, each in plans.items():
            call = f"Driver.of({{{name_of(key)!r}: ...}})"
            rules[key] = numbered_rules(call, selected_plans(call, each), [groups])[0]
        driver = cls(rules)
        return driver.with_groups(
            groups,
            [
                {key: Followed(rule, _read(group, key)) for key, rule in driver.rules_of(i, group)}
                for i, group in enumerate(groups)
            ],
        )

    # -------------------------------------------------------------- groups

    def rules_of(self, index: int, group: Group) -> Iterable[tuple[Key, int]]:
        """The quantities of a group that are driven, each with the number of its rule.

        Raises:
            AttachmentError: Several rules mean the group.
        """
        for key, rules in self.rules.items():
            number = rules.of(index, group)
            if number is not None:
                yield key, number

    def with_groups(
        self, groups: Sequence[Group], added: Sequence[Mapping[Key, Followed]]
    ) -> "Driver":
        """The driver of further groups, too.

        Args:
            groups: All groups, those that are driven already first.
            added: For each further group what its driven quantities follow.
        """
        driver = Driver({})
        first = len(self.names)
        driver.rules = self.rules
        driver.followed = {
            key: {
                **followed,
                **{first + i: each[key] for i, each in enumerate(added) if key in each},
            }
            for key, followed in self.followed.items()
        }
        names = [group.get("name") for group in groups]
        often = Counter(names)
        driver.names = [
            str(index if name is None or often[name] > 1 else name)
            for index, name in enumerate(names)
        ]
        return driver

    def policy(self, track: TrackId) -> Policy:
        """What a track follows."""
        return self.rules[track.key][track.rule].policy

    @property
    def policies(self) -> Sequence[Policy]:
        """All policies."""
        return [rule.policy for rules in self.rules.values() for rule in rules]

    @property
    def may_rewind(self) -> bool:
        """Whether a controller may decide ``Rewind``."""
        return any(policy.may_rewind for policy in self.policies)

    # -------------------------------------------------------------- values

    def init(self) -> Progress:
        """The progress before the first step."""
        return Progress()

    def tracks(self, progress: Progress) -> Sequence[Track]:
        """The driven quantities, sorted by policy and clock."""
        if self._latest is not None and self._latest[0] is progress:
            return self._latest[1]
        members: dict[TrackId, tuple[list[int], list[float]]] = {}
        for key, followed in self.followed.items():
            by_hand = progress.bases.get(key, {})
            for index, (rule, base) in followed.items():
                track = TrackId(key, rule, progress.starts.get(index, 0))
                groups, bases = members.setdefault(track, ([], []))
                groups.append(index)
                absolute = self.rules[key][rule].policy.absolute
                bases.append(1.0 if absolute else by_hand.get(index, base))
        tracks = tuple(
            Track(
                track,
                policy := self.policy(track),
                progress.states[track] if track in progress.states else policy.init(),
                tuple(groups),
                tuple(bases),
            )
            for track, (groups, bases) in members.items()
        )
        self._latest = progress, tracks
        return tracks

    def states(self, progress: Progress) -> Mapping[TrackId, PolicyState]:
        """The state of every track, also of those whose groups are still to come."""
        return {**progress.states, **{each.id: each.state for each in self.tracks(progress)}}

    def values(self, progress: Progress, position: float) -> Mapping[Key, Mapping[int, float]]:
        """The value of each driven quantity of each group at ``position``."""
        values: dict[Key, dict[int, float]] = {key: {} for key in self.rules}
        for track in self.tracks(progress):
            values[track.id.key].update(track.values(position))
        return values

    def named(
        self, values: Mapping[Key, Mapping[int, float]], prefix: str = ""
    ) -> dict[str, float]:
        """Values as ticks name them: ``lr`` where there is one group, else ``lr/<group>``."""
        alone = len(self.names) == 1 and not prefix
        return {
            tick_name(key, None if alone else f"{prefix}{self.names[index]}"): value
            for key, each in values.items()
            for index, value in each.items()
        }

    # -------------------------------------------------------------- feedback

    def observe(
        self, progress: Progress, observation: Observation
    ) -> tuple[Progress, Sequence[Decided]]:
        """Ask the controllers of every track.

        Scale decisions are in the new progress; the caller carries out the rest.

        Args:
            progress: What happened so far.
            observation: What was seen, with the position at which it was.
        """
        states, decided = dict(progress.states), list[Decided]()
        for track in self.tracks(progress):
            at = None if observation.position is None else observation.position - track.id.start
            state, decisions = track.policy.observe(track.state, replace(observation, position=at))
            states[track.id] = state
            decided.extend(Decided(track.id, each) for each in decisions)
        return replace(progress, states=states), decided

    def with_states(self, progress: Progress, states: Mapping[TrackId, PolicyState]) -> Progress:
        """The progress with these states in place of those that it has."""
        return replace(progress, states={**progress.states, **states})

    # -------------------------------------------------------------- by hand

    def scale(self, progress: Progress, key: Key, at: float, factor: float) -> Progress:
        """Multiply every value of a quantity from ``at`` on: see ``Policy.scale``."""
        return self._acted(
            progress, key, lambda policy, state, start: policy.scale(state, at - start, factor)
        )

    def extend(
        self,
        progress: Progress,
        key: Key,
        at: float,
        total: float,
        how: How = "stretch",
        allow_rise: bool = False,
    ) -> Progress:
        """Lengthen the run to ``total`` steps: see ``Policy.extend``."""
        return self._acted(
            progress,
            key,
            lambda policy, state, start: policy.extend(
                state, at - start, total - start, how, allow_rise
            ),
        )

    def start_cooldown(
        self,
        progress: Progress,
        key: Key,
        at: float,
        steps: float,
        shape: str | Schedule = "linear",
    ) -> Progress:
        """Fall to zero within ``steps`` steps: see ``Policy.start_cooldown``."""
        return self._acted(
            progress,
            key,
            lambda policy, state, start: policy.start_cooldown(state, at - start, steps, shape),
        )

    def _acted(
        self,
        progress: Progress,
        key: Key,
        act: Callable[[Policy, PolicyState, float], PolicyState],
    ) -> Progress:
        """The progress after an act on every track of a quantity, or, if one refuses, none."""
        return self.with_states(
            progress,
            {
                track.id: act(track.policy, track.state, track.id.start)
                for track in self.tracks(progress)
                if track.id.key == key
            },
        )

    def set_bases(
        self, call: str, progress: Progress, key: Key, bases: Mapping[int, Any]
    ) -> Progress:
        """Set what the values of a quantity are multiples of.

        Args:
            call: The call as typed.
            progress: What happened so far.
            key: The quantity.
            bases: The bases by group.

        Raises:
            InvalidValue: A group is not driven, or follows an ``Absolute`` schedule.
        """
        checked: dict[int, float] = {}
        for index, base in bases.items():
            followed = self.followed[key].get(index)
            if followed is None or self.rules[key][followed.rule].policy.absolute:
                why = "is not driven" if followed is None else "follows an Absolute schedule"
                name = self.names[index]
                group = name if name == str(index) else f"{index} ({name!r})"
                raise InvalidValue(
                    call,
                    "a base belongs to a group that follows multiples of it",
                    f"{name_of(key)} of group {group} {why}",
                    "To change absolute values use rate.scale(factor).",
                )
            checked[index] = checked_number(call, "a base", base, _BASE)
        known = progress.bases.get(key, {})
        return replace(progress, bases={**progress.bases, key: {**known, **checked}})

    def start_clock(self, progress: Progress, index: int, position: float) -> Progress:
        """Let a group count positions of its own from now on: its schedules start anew."""
        if index in progress.awaited:
            # The saved run had added this group; now it is added again, and its clock goes on.
            return replace(progress, awaited=progress.awaited - {index})
        return replace(progress, starts={**progress.starts, index: position})

    def base(self, progress: Progress, key: Key, index: int) -> float:
        """What the values of a group's quantity are multiples of, also under ``Absolute``."""
        given = self.followed[key][index].base
        return progress.bases.get(key, {}).get(index, given)


def _read(group: Group, key: Key) -> float:
    try:
        return float(group[key] if isinstance(key, str) else group[key[0]][key[1]])
    except (KeyError, IndexError, TypeError, ValueError) as error:
        raise AttachmentError(
            f"Driver.of({{{name_of(key)!r}: ...}}, groups)",
            "each group holds the base of a quantity under its name",
            f"reading it from {group!r} fails with {error!r}",
        ) from error
