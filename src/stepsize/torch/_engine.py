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
from dataclasses import replace
from math import inf, isfinite
from typing import Any, Literal, Protocol, TypeAlias
from weakref import ref

import torch

from stepsize.errors import AttachmentError, ForeignWrite, InvalidValue, StepsizeWarning
from stepsize.policy import PolicyState
from stepsize.signals import Decision, Observation, Sink, Tick
from stepsize.torch._claims import claim, refuse_claimed, release
from stepsize.torch._groups import Group, Key, describe_group, label, read
from stepsize.torch._marks import drop_mark, mark
from stepsize.torch._roster import Roster, Rule, TrackId
from stepsize.torch._track import Track

__all__ = ["Clock", "Engine", "OptimizerLike", "update_ran"]

Clock: TypeAlias = Callable[[], float]
"""Reads how much was consumed so far, in any unit: tokens, samples, epochs."""


class OptimizerLike(Protocol):
    """Anything with parameter groups."""

    @property
    def param_groups(self) -> list[dict[str, Any]]:
        """The groups, each with its rate under ``"lr"``."""
        ...


def update_ran(optimizer: OptimizerLike) -> bool:
    """Whether the step that was just called changed the parameters."""
    # A GradScaler sets this on fused optimizers, whose kernel skips the update by itself.
    found_inf = getattr(optimizer, "found_inf", None)
    return found_inf is None or not found_inf.item()


class Engine:
    """Drives quantities of one optimizer's groups.

    Args:
        optimizer: The optimizer; only a weak reference is kept.
        rules: For each quantity the policies and their groups.
        clock: Reads the position after each executed step; None counts the steps.
        sinks: Get a tick after each executed step.
        prefix: Begins the names of the groups in ticks.

    Raises:
        AttachmentError: A quantity does not exist or is driven already.
    """

    def __init__(
        self,
        optimizer: OptimizerLike,
        rules: Mapping[Key, Sequence[Rule]],
        clock: Clock | None,
        sinks: Sequence[Sink],
        prefix: str = "",
    ) -> None:
        self._optimizer = ref(optimizer)
        self.kind = type(optimizer).__name__
        self.roster = Roster(rules)
        self.sinks = sinks
        self.position: float = 0
        self.last_position: float | None = None
        self._clock = clock
        self._prefix = prefix
        self._hooks: list[Any] = []
        self._used_by: Sequence[Track] = ()
        self._warned: set[Key] = set()
        self._end = inf
        self._told_of_end = False
        self._capturable = False
        self._captured = False
        self._detached = False
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
            AttachmentError: It does not live any more, or was detached.
        """
        optimizer = self._optimizer()
        if optimizer is None or self._detached:
            what = "does not exist any more" if optimizer is None else "was detached"
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
            for key, slots in self.roster.slots.items():
                for slot in slots:
                    slot.put(optimizer.param_groups[slot.index], key, slot.base)

    def driven(self) -> Mapping[str, Collection[int]]:
        """The groups in which each quantity is driven."""
        return self.roster.driven(self.optimizer.param_groups)

    def __str__(self) -> str:
        return f"an attachment at position {self.position:g}"

    # ---------------------------------------------------------------- groups

    def up_to_date(self) -> Sequence[Group]:
        """The optimizer's groups, those added since the last step taken in."""
        optimizer = self.optimizer
        self.before_step(optimizer)
        return optimizer.param_groups

    def _take_in(self, optimizer: OptimizerLike) -> None:
        groups = optimizer.param_groups
        new = self.roster.newcomers(groups, getattr(optimizer, "defaults", {}))
        wanted = {label(key): [slot.index for slot in slots] for key, slots in new.items()}
        refuse_claimed("attach(...)", optimizer, wanted, besides=lambda driver: driver is self)
        self.roster.take_in(groups, new)
        capturable = any(group.get("capturable") for group in groups)
        self._capturable = capturable and torch.cuda.is_available()

    def _write_over(self) -> None:
        """Write the values into groups that somebody else has made or replaced."""
        groups = self.optimizer.param_groups
        for key, slots in self.roster.slots.items():
            for slot in slots:
                drop_mark(groups[slot.index], key)
        self.write()

    def write(self) -> None:
        """Write the values of the present position."""
        groups = self.optimizer.param_groups
        for track in self.roster.tracks:
            track.write(groups, self.position)
        # Everything that changes a schedule writes: here the end of the rate's is known.
        ends = (track.end for track in self.roster.tracks if track.key == "lr")
        self._end = inf if self._told_of_end else min(ends, default=inf)

    # ---------------------------------------------------------------- hooks

    def before_step(self, optimizer: OptimizerLike, args: Any = (), kwargs: Any = None) -> None:
        """Let groups that were added since the last step begin at their scheduled values."""
        if len(optimizer.param_groups) != len(self.roster.names):
            self._take_in(optimizer)
            self._write_over()

    def after_step(self, optimizer: OptimizerLike, args: Any = (), kwargs: Any = None) -> None:
        """Advance, if the update ran."""
        if self._capturable and torch.cuda.is_current_stream_capturing():
            self._refuse_numbers_in_graph()
            self._captured = True
            return
        if getattr(optimizer, "found_inf", None) is not None and not update_ran(optimizer):
            return
        used, clock = self.position, self._clock
        position = self.position = used + 1 if clock is None else self._read_clock(clock)
        tracks, groups = self.roster.tracks, optimizer.param_groups
        foreign = None
        for track in tracks:
            found = track.step(groups, position)
            if found is not None:
                foreign = track.key, found
        self.last_position, self._used_by = used, tracks
        if self.sinks:
            self._tell(used)
        if used >= self._end:
            self._warn_of_end()
        if foreign is not None:
            self._warn_of_foreign_write(*foreign)

    def _refuse_numbers_in_graph(self) -> None:
        slots = self.roster.slots.items()
        numbers = [label(key) for key, each in slots if any(slot.tensor is None for slot in each)]
        if numbers:
            raise AttachmentError(
                f"{self.kind}.step() in a CUDA graph: each replay uses the numbers of the capture, "
                f"so that {', '.join(numbers)} must be held by tensors. "
                "Build the optimizer with lr=torch.tensor(0.1, device='cuda')."
            )

    def _after_save(self, optimizer: Any, state: dict[str, Any]) -> None:
        self.up_to_date()
        for key, slots in self.roster.slots.items():
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
                f"attach(..., clock={clock!r}): a clock never goes back, but it shows "
                f"{reading!r} after {self.position!r}. After loading a checkpoint restore the "
                "counter that it reads, too."
            )
        return position

    # ---------------------------------------------------------------- progress

    def start_clock(self, index: int) -> None:
        """Let this group count positions of its own from now on."""
        self.roster.start_clock(index, self.position)
        self.write()

    def observe(self, observation: Observation) -> Sequence[tuple[Track, Decision]]:
        """Ask the controllers of every track; what they decide about the values is carried out.

        Returns:
            Every decision with its track.
        """
        used = self.position if self.last_position is None else self.last_position
        observed = [
            (
                track,
                *track.policy.observe(
                    track.state, replace(observation, position=used - track.start)
                ),
            )
            for track in self.roster.tracks
        ]
        if any(state.scale != track.state.scale for track, state, _ in observed):
            self.look()
            for track, state, _ in observed:
                track.change(state)
            self.write()
        else:
            for track, state, _ in observed:
                track.state = state
        return [(track, each) for track, _, decided in observed for each in decided]

    def carry_on(self, states: Mapping[TrackId, PolicyState]) -> None:
        """Go on at the present position with other progress of some tracks."""
        self.up_to_date()
        for track in self.roster.tracks:
            state = states.get(TrackId(track.key, track.rule, track.start))
            if state is not None:
                track.change(state)
        self.write()

    def restore(
        self,
        position: float,
        starts: Mapping[int, float],
        by_hand: Mapping[Key, Mapping[int, float]],
        states: Mapping[TrackId, PolicyState],
    ) -> None:
        """Go on from saved progress."""
        self.up_to_date()
        self.position = position
        self.last_position, self._used_by = None, ()
        self.roster.restore(starts, by_hand, states)
        self.write()

    # ---------------------------------------------------------------- telling

    def look(self) -> Sequence[Group]:
        """Notice foreign writes before something is written over them.

        Returns:
            The optimizer's groups.
        """
        groups = self.up_to_date()
        for track in self.roster.tracks:
            found = track.look(groups)
            if found is not None:
                self._warn_of_foreign_write(track.key, found)
        return groups

    def _warn_of_foreign_write(self, key: Key, found: Mapping[int, float]) -> None:
        if key in self._warned:
            return
        self._warned.add(key)
        optimizer = self.optimizer
        index, value = next(iter(found.items()))
        wrapped = hasattr(getattr(optimizer, "step", None), "_wrapped_by_lr_sched")
        who = "probably a torch scheduler: one was built on it" if wrapped else "not by stepsize"
        warnings.warn(
            f"{label(key)} of group {describe_group(index, optimizer.param_groups[index])} of "
            f"{self.kind} was set to {value!r} from outside ({who}) before position "
            f"{self.position:g}. stepsize writes its own value again after every step. To change "
            "the rate use rate.scale(factor) or rate.set_base(value); to take it over, "
            "rate.detach(). This is said once.",
            ForeignWrite,
            stacklevel=4,
        )

    def _warn_of_end(self) -> None:
        ended = [t for t in self.roster.tracks if t.key == "lr" and t.end == self._end]
        end, self._end, self._told_of_end = self._end, inf, True
        warnings.warn(
            f"lr of {self.kind}: {ended[0].policy.schedule!r} ended at position {end:g}, and "
            "the steps go on; its last value holds. To train longer call rate.extend(total) before "
            "the end; to hold the last value on purpose write schedule >> Constant(value). This is "
            "said once.",
            StepsizeWarning,
            stacklevel=4,
        )

    def _tell(self, position: float) -> None:
        names = self.roster.names
        only = len(names) == 1 and not self._prefix
        quantities = {
            label(track.key) if only else f"{label(track.key)}/{self._prefix}{names[index]}": value
            for track in self._used_by
            for index, value in track.used()
        }
        tick = Tick(position, quantities)
        for sink in self.sinks:
            sink(tick)

    # ---------------------------------------------------------------- values

    def current(self, key: Key) -> list[float] | None:
        """What the last executed step used, by group; None before it."""
        if self.last_position is None:
            return None
        used = {
            i: value for track in self._used_by if track.key == key for i, value in track.used()
        }
        driven = {slot.index for slot in self.roster.slots[key]}
        return [
            used[index] if index in used else read(group, key)
            for index, group in enumerate(self.up_to_date())
            if index in used or index not in driven  # a group added since has not been used
        ]

    def next(self, key: Key) -> list[float]:
        """What the next step will use, by group."""
        return [read(group, key) for group in self.up_to_date()]

    def describe(self) -> Iterator[str]:
        """A line for each driven quantity of each group."""
        groups = self.up_to_date()
        used = {
            (track.key, index): f"{value:.6g} used, "
            for track in self._used_by
            for index, value in track.used()
        }
        for track in self.roster.tracks:
            for slot in track.slots:
                group = groups[slot.index]
                yield (
                    f"group {describe_group(slot.index, group)}: {label(track.key)} "
                    f"{used.get((track.key, slot.index), '')}{read(group, track.key):.6g} next, "
                    f"base {slot.base:.6g}, {track.policy.schedule!r}"
                )
