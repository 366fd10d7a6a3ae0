"""One optimizer that is driven: its position, and the hooks that follow its steps.

    optimizer.step() ── before_step   groups added since are taken in
                     ── the update
                     ── after_step    foreign writes are noticed, the position advances, the next
                                      values are written, the sinks get a tick

The optimizer holds the engine through its hooks; the engine holds the optimizer only weakly. So the
engine lives as long as the optimizer, and both go without the garbage collector.
"""

import warnings
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any, Literal, NamedTuple, Protocol, TypeAlias
from weakref import ref

import torch

from stepsize.errors import AttachmentError, ForeignWrite, InvalidValue
from stepsize.policy import Policy, PolicyState
from stepsize.signals import Decision, Observation, Sink, Tick
from stepsize.torch._claims import claim, refuse_claimed, release
from stepsize.torch._groups import (
    Group,
    Key,
    Selector,
    copy_tensor,
    describe_group,
    label,
    read,
    tensor_of,
)
from stepsize.torch._marks import base_of, drop_mark, mark
from stepsize.torch._track import Slot, Track

__all__ = ["Clock", "Engine", "OptimizerLike", "Rule", "TrackId"]

Clock: TypeAlias = Callable[[], float]
"""Reads how much was consumed so far, in any unit: tokens, samples, epochs."""


class OptimizerLike(Protocol):
    """Anything with parameter groups."""

    @property
    def param_groups(self) -> list[dict[str, Any]]:
        """The groups, each with its rate under ``"lr"``."""
        ...


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


class Engine:
    """Drives quantities of one optimizer's groups.

    Args:
        optimizer: The optimizer; only a weak reference is kept.
        rules: For each quantity the policies and their groups.
        clock: Reads the position after each executed step; None counts the steps.
        sinks: Get a tick after each executed step.
        name: Tells this optimizer from others of the same attachment.

    Raises:
        AttachmentError: A quantity does not exist or is driven already; no multiple can change it.
    """

    def __init__(
        self,
        optimizer: OptimizerLike,
        rules: Mapping[Key, Sequence[Rule]],
        clock: Clock | None,
        sinks: Sequence[Sink],
        name: str = "",
    ) -> None:
        self._optimizer = ref(optimizer)
        self.kind = type(optimizer).__name__
        self.rules = rules
        self.name = name
        self.sinks = tuple(sinks)
        self._clock = clock
        self.position: float = 0
        self.starts: dict[int, float] = {}
        self.by_hand: dict[Key, dict[int, float]] = {key: {} for key in rules}
        self.waiting: dict[TrackId, PolicyState] = {}
        self.slots: dict[Key, list[Slot]] = {key: [] for key in rules}
        self.tracks: list[Track] = []
        self._count = 0
        self._last_step: tuple[list[Track], int, float] | None = None
        self._warned: set[str] = set()
        self._hooks: list[Any] = []
        self._detached = False
        self._resumed: set[int] = set()
        self._captured = False
        if clock is not None:
            self.position = self._read_clock(clock)
        self._take_in(optimizer)

    # ---------------------------------------------------------------- beginning and end

    def connect(self) -> None:
        """Write the first values, and follow the optimizer's steps if it has hooks."""
        optimizer: Any = self.optimizer
        if hasattr(optimizer, "register_step_post_hook"):
            self._hooks = [
                optimizer.register_step_pre_hook(self.before_step),
                optimizer.register_step_post_hook(self.after_step),
                optimizer.register_state_dict_post_hook(self._after_save),
                optimizer.register_load_state_dict_post_hook(self._after_load),
            ]
        claim(optimizer, self)
        self._write_over()

    @property
    def hooked(self) -> bool:
        """Whether the optimizer has hooks."""
        return bool(self._hooks)

    @property
    def counts_by_itself(self) -> bool:
        """Whether the hooks see every step."""
        return self.hooked and not self._captured

    @property
    def optimizer(self) -> OptimizerLike:
        """The optimizer.

        Raises:
            AttachmentError: It does not live any more.
        """
        optimizer = self._optimizer()
        if optimizer is None or self._detached:
            what = "was detached" if self._detached else "does not exist any more"
            raise AttachmentError(
                f"rate: the {self.kind} that it drove {what}. Attach to the optimizer in use."
            )
        return optimizer

    def detach(self, leave: Literal["base", "rate"]) -> None:
        """Stop driving; write the bases, or leave the last rates."""
        optimizer = self._optimizer()
        if optimizer is None or self._detached:
            return
        self._detached = True
        for hook in self._hooks:
            hook.remove()
        release(optimizer, self)
        if leave == "base":
            for key, slots in self.slots.items():
                for slot in slots:
                    slot.put(optimizer.param_groups[slot.index], key, slot.base)

    def driven(self) -> Mapping[str, Collection[int]]:
        """The groups in which each quantity is driven."""
        return {label(key): [slot.index for slot in slots] for key, slots in self.slots.items()}

    def __str__(self) -> str:
        return f"an attachment at position {self.position:g}"

    # ---------------------------------------------------------------- groups

    def up_to_date(self) -> Sequence[Group]:
        """The optimizer's groups, those added since the last step taken in."""
        optimizer = self.optimizer
        if len(optimizer.param_groups) != self._count:
            self._take_in(optimizer)
            self._write_over()
        return optimizer.param_groups

    def _take_in(self, optimizer: OptimizerLike) -> None:
        groups = optimizer.param_groups
        if len(groups) < self._count:
            raise AttachmentError(
                f"{self.kind}.step(): groups may be added while stepsize drives an optimizer, but "
                f"there were {self._count} and now there are {len(groups)}: which is which is "
                "unknown. Detach before removing groups, and attach again."
            )
        defaults: Mapping[str, Any] = getattr(optimizer, "defaults", {})
        new: dict[Key, list[Slot]] = {key: [] for key in self.rules}
        for index in range(self._count, len(groups)):
            for key, rules in self.rules.items():
                following = [
                    n for n, rule in enumerate(rules) if rule.matches(index, groups[index])
                ]
                if len(following) > 1:
                    raise AttachmentError(
                        f"attach(..., {label(key)}={{...}}): a group follows one schedule, but "
                        f"group {describe_group(index, groups[index])} is meant by several keys. "
                        "Make the predicates exclude each other."
                    )
                for rule in following:
                    slot = self._slot(groups[index], index, key, rule, defaults, new[key])
                    new[key].append(slot)
        wanted = {label(key): [slot.index for slot in slots] for key, slots in new.items()}
        refuse_claimed("attach(...)", optimizer, wanted, by=self)
        for key, slots in new.items():
            self.slots[key].extend(slots)
        self._count = len(groups)
        self._capturable = any(group.get("capturable") for group in groups)
        names = [group.get("name") for group in groups]
        self._names = [
            str(index if name is None or names.count(name) > 1 else name)
            for index, name in enumerate(names)
        ]
        self.arrange()

    def _slot(
        self,
        group: Group,
        index: int,
        key: Key,
        rule: int,
        defaults: Mapping[str, Any],
        new: Sequence[Slot],
    ) -> Slot:
        base = base_of(group, index, key, defaults)
        tensor = tensor_of(group, key)
        if tensor is not None:
            # Groups built from one tensor share it, as does the optimizer's default, from which
            # groups added later take theirs: each gets its own, with the base of the first.
            for other in (*self.slots[key], *new):
                if other.tensor is tensor:
                    base = other.given
                    copy_tensor(group, key)
                    tensor = tensor_of(group, key)
                    break
        return Slot(index, rule, base, base, tensor)

    def arrange(self) -> None:
        """Sort the slots into tracks: by quantity, rule and clock."""
        members: dict[TrackId, list[Slot]] = {}
        for key, slots in self.slots.items():
            for slot in slots:
                slot.base = self.by_hand[key].get(slot.index, slot.given)
                track = TrackId(key, slot.rule, self.starts.get(slot.index, 0))
                members.setdefault(track, []).append(slot)
        present = {TrackId(track.key, track.rule, track.start): track for track in self.tracks}
        self.tracks = []
        for identity, slots in members.items():
            track = present.get(identity) or self._new_track(identity)
            track.arrange(slots, self._count)
            self.tracks.append(track)

    def states(self) -> Mapping[TrackId, PolicyState]:
        """The progress of every track, and of those that wait for their groups."""
        present = {TrackId(each.key, each.rule, each.start): each.state for each in self.tracks}
        return {**self.waiting, **present}

    def _new_track(self, identity: TrackId) -> Track:
        policy = self.rules[identity.key][identity.rule].policy
        state = self.waiting.pop(identity, None) or policy.init()
        return Track(identity.key, identity.rule, policy, identity.start, state)

    def restore(
        self,
        position: float,
        starts: Mapping[int, float],
        by_hand: Mapping[Key, Mapping[int, float]],
        states: Mapping[TrackId, PolicyState],
    ) -> None:
        """Go on from saved progress; what belongs to groups that come later waits for them."""
        self.up_to_date()
        self.position = position
        self.starts = dict(starts)
        self.by_hand = {key: dict(by_hand.get(key, {})) for key in self.rules}
        self.waiting = dict(states)
        self.tracks = []
        self._last_step = None
        self._resumed = {index for index in starts if index >= self._count}
        self.arrange()
        self.write()

    def write(self) -> None:
        """Write the values of the present position."""
        groups = self.optimizer.param_groups
        for track in self.tracks:
            track.write(groups, self.position)

    def start_clock(self, index: int) -> None:
        """Let this group count positions of its own from now on."""
        # A group that the saved run had added is added again: its clock goes on.
        if index in self._resumed:
            self._resumed.remove(index)
        else:
            self.starts[index] = self.position
        self.arrange()
        self.write()

    def observe(self, observation: Observation) -> tuple[Decision, ...]:
        """Ask the controllers of every track, and carry out what they decide about the values."""
        observed = [
            (track, *track.policy.observe(track.state, observation)) for track in self.tracks
        ]
        if any(state.scale != track.state.scale for track, state, _ in observed):
            self.look()
            for track, state, _ in observed:
                track.change(state)
            self.write()
        else:
            for track, state, _ in observed:
                track.state = state
        return tuple(decision for *_, decided in observed for decision in decided)

    def _write_over(self) -> None:
        """Write the values into groups that somebody else has made or replaced."""
        groups = self.optimizer.param_groups
        for key, slots in self.slots.items():
            for slot in slots:
                drop_mark(groups[slot.index], key)
        self.write()

    # ---------------------------------------------------------------- hooks

    def before_step(self, optimizer: OptimizerLike, args: Any, kwargs: Any) -> None:
        """Let groups that were added since the last step begin at their scheduled value."""
        if len(optimizer.param_groups) != self._count:
            self._take_in(optimizer)
            self._write_over()

    def after_step(self, optimizer: OptimizerLike, args: Any = None, kwargs: Any = None) -> None:
        """Advance, if the update ran."""
        if self._capturable and torch.cuda.is_current_stream_capturing():
            self._refuse_numbers_in_graph()
            self._captured = True
            return
        # A GradScaler sets this on fused optimizers, whose kernel skips the update by itself.
        found_inf = getattr(optimizer, "found_inf", None)
        if found_inf is not None and found_inf.item():
            return
        used, clock = self.position, self._clock
        position = self.position = used + 1 if clock is None else self._read_clock(clock)
        groups = optimizer.param_groups
        foreign = None
        for track in self.tracks:
            found = track.step(groups, position)
            if found is not None:
                foreign = track.key, found
        self._last_step = self.tracks, self._count, used
        if self.sinks:
            self._tell(used)
        if foreign is not None:
            self._warn_of_foreign_write(*foreign)

    def _refuse_numbers_in_graph(self) -> None:
        numbers = {
            label(key) for key, slots in self.slots.items() for s in slots if s.tensor is None
        }
        if numbers:
            raise AttachmentError(
                f"{self.kind}.step() in a CUDA graph: every replay uses the numbers of the "
                f"capture, so {', '.join(sorted(numbers))} must be held by tensors. "
                "Build the optimizer with lr=torch.tensor(0.1, device='cuda')."
            )

    def _after_save(self, optimizer: Any, state: dict[str, Any]) -> None:
        self.up_to_date()
        for key, slots in self.slots.items():
            for slot in slots:
                mark(state["param_groups"][slot.index], key, slot.given, optimizer.defaults)

    def _after_load(self, optimizer: OptimizerLike) -> None:
        self.up_to_date()
        self._write_over()

    def _read_clock(self, clock: Clock) -> float:
        reading = clock()
        position = reading if isinstance(reading, int) else float(reading)
        if not isfinite(position) or position < self.position:
            raise InvalidValue(
                f"attach(..., clock={clock!r}): the clock must never go back, but it shows "
                f"{reading!r} after {self.position!r}. After loading a checkpoint restore the "
                "counter that it reads, too."
            )
        return position

    # ---------------------------------------------------------------- telling

    def look(self) -> Sequence[Group]:
        """Notice foreign writes before something is written over them.

        Returns:
            The optimizer's groups.
        """
        groups = self.up_to_date()
        for track in self.tracks:
            found = track.look(groups)
            if found is not None:
                self._warn_of_foreign_write(track.key, found)
        return groups

    def _warn_of_foreign_write(self, key: Key, found: Mapping[int, float]) -> None:
        quantity = label(key)
        if quantity in self._warned:
            return
        self._warned.add(quantity)
        optimizer = self.optimizer
        index, value = next(iter(found.items()))
        wrapped = hasattr(getattr(optimizer, "step", None), "_wrapped_by_lr_sched")
        who = "probably the torch scheduler that was built on it" if wrapped else "not stepsize"
        warnings.warn(
            f"{quantity} of group {describe_group(index, optimizer.param_groups[index])} of "
            f"{self.kind} was set to {value!r} by somebody else ({who}) before position "
            f"{self.position:g}. stepsize writes its own value again at every step. To change the "
            "rate use rate.scale(factor) or rate.set_base(value); to set it by hand from now on, "
            "rate.detach(). This is said once.",
            ForeignWrite,
            stacklevel=4,
        )

    def _tell(self, position: float) -> None:
        only = self._count == 1 and not self.name
        tick = Tick(
            position,
            {
                label(track.key)
                if only
                else f"{label(track.key)}/{self.name}{self._names[i]}": value
                for track in self.tracks
                for i, value in track.used()
            },
        )
        for sink in self.sinks:
            sink(tick)

    # ---------------------------------------------------------------- values

    def current(self, key: Key) -> list[float] | None:
        """What the last executed step used, by group; None before it."""
        if self._last_step is None:
            return None
        tracks, count, _ = self._last_step
        used = {i: value for track in tracks if track.key == key for i, value in track.used()}
        groups = self.up_to_date()
        return [used[i] if i in used else read(groups[i], key) for i in range(count)]

    def next(self, key: Key) -> list[float]:
        """What the next step will use, by group."""
        return [read(group, key) for group in self.up_to_date()]

    @property
    def last_position(self) -> float:
        """The position whose values the last executed step used; before it, the first."""
        return self.position if self._last_step is None else self._last_step[2]

    def describe(self) -> Iterator[str]:
        """A line for each driven quantity of each group."""
        groups = self.up_to_date()
        for track in self.tracks:
            used, following = self.current(track.key), self.next(track.key)
            for slot in track.slots:
                now = f"{used[slot.index]:.6g} used, " if used and slot.index < len(used) else ""
                yield (
                    f"group {describe_group(slot.index, groups[slot.index])}: {label(track.key)} "
                    f"{now}{following[slot.index]:.6g} next, base {slot.base:.6g}, "
                    f"{track.policy.schedule!r}"
                )
