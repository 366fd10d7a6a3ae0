"""One optimizer that is driven: its position, and the hooks that follow its steps.

    optimizer.step() ── before_step   groups added since are taken in
                     ── the update
                     ── after_step    foreign writes are noticed, the position advances, the next
                                      values are written, the sinks get a tick

The optimizer holds this object through its hooks, which holds the optimizer only weakly. So it
lives as long as the optimizer, and both go without the garbage collector.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from math import inf, isfinite
from typing import Any, Final, Literal, Protocol, TypeAlias, cast
from weakref import ref

import torch
from torch.compiler import is_dynamo_compiling

from stepsize.driving import Decided, Driven, Key, Progress, Rule, describe_group, name_of
from stepsize.errors import AttachmentError, InvalidValue
from stepsize.messages import Message
from stepsize.signals import Observation, Sink, Tick
from stepsize.torch.attaching._driven_groups import DrivenGroups
from stepsize.torch.attaching._graphs import outside_graphs
from stepsize.torch.attaching._notices import STEPS_WITHOUT_OBSERVATION, Notices
from stepsize.torch.attaching._resuming import Resuming
from stepsize.torch.attaching._saved_bases import save_base
from stepsize.torch.attaching._writer import Writer
from stepsize.torch.attaching.groups import Group, read
from stepsize.torch.attaching.owners import own, refuse_owned, release

__all__ = ["Clock", "DrivenOptimizer", "OptimizerLike", "update_ran"]

Clock: TypeAlias = Callable[[], float]
"""Reads how much was consumed so far, in any unit: tokens, samples, epochs."""

_MANY_STEPS: Final = 60
"""So many steps before driving began are hardly a warmup of the optimizer's averages."""

_MOST_DUMMY_STEPS: Final = 10
"""A rate that is 0 for more steps than this was not set by a checkpoint."""


class OptimizerLike(Protocol):
    """Anything with parameter groups."""

    @property
    def param_groups(self) -> list[dict[str, Any]]:
        """The groups, each with its rate under ``"lr"``."""
        ...


def update_ran(optimizer: object) -> bool:
    """Whether the step that was just called changed the parameters."""
    # A GradScaler sets this on fused optimizers, whose kernel skips the update by itself.
    found_inf: Any = getattr(optimizer, "found_inf", None)
    return found_inf is None or not found_inf.item()


class DrivenOptimizer:
    """Drives quantities of one optimizer's groups.

    Args:
        optimizer: The optimizer; only a weak reference is kept.
        rules: For each quantity the policies and their groups.
        clock: Reads the position after each executed step; None counts the steps.
        sinks: Get a tick after each executed step.
        prefix: Begins the names of the groups in ticks.
        resume: Whether progress that the optimizer's state brings is taken: None unless the plan
            has ended there.
        counts_calls: Whether it is moved by calls alone, and takes turns with others that are.
        from_initial: Whether a group's ``"initial_lr"``, if it has one, is the base of its rate.

    Raises:
        AttachmentError: A quantity does not exist or is driven already.
    """

    def __init__(
        self,
        optimizer: OptimizerLike,
        rules: Mapping[Key, Sequence[Rule]],
        clock: Clock | None = None,
        sinks: Sequence[Sink] = (),
        *,
        prefix: str = "",
        resume: bool | None = None,
        counts_calls: bool = False,
        from_initial: bool = False,
    ) -> None:
        self._optimizer = ref(optimizer)
        self.kind = type(optimizer).__name__
        self.groups = DrivenGroups(rules, from_initial)
        self.sinks = sinks
        self.position: float = 0
        self.begun_at: float = 0
        self.last_position: float | None = None
        self.notices = Notices(self.kind)
        self.resuming = Resuming(resume)
        self.counts_calls = counts_calls
        self._is_of_scheduler = from_initial
        self._clock = clock
        self._prefix = prefix
        self._hooks: list[Any] = []
        self._used_by: Sequence[Writer] = ()
        self._watched_from = -inf
        self._is_first_step = True
        controlled = any(policy.controllers for policy in self.groups.driver.policies)
        self._steps_without_observation = 0 if controlled else -1
        self._dummy_steps = 0
        self._dummy_at = -1.0
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
        own(optimizer, self)
        self.begun_at = self.position
        self._write_over()
        groups, again = optimizer.param_groups, optimizer.param_groups
        self.groups.refuse_lost_writes(f"attach({self.kind}(...))", groups, again)
        if self.counts_calls:
            return
        if hasattr(optimizer, "register_step_post_hook"):
            self._hooks = [
                optimizer.register_step_pre_hook(self.before_step),
                optimizer.register_step_post_hook(self.after_step),
                optimizer.register_state_dict_post_hook(self._after_save),
                optimizer.register_load_state_dict_post_hook(self._after_load),
            ]
        self._take_progress()

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
                "rate",
                "an optimizer is driven",
                f"the {self.kind} that it drove {what}",
                "Attach to the optimizer in use.",
            )
        return optimizer

    def disconnect(self) -> None:
        """Follow the optimizer's steps no more."""
        for hook in self._hooks:
            hook.remove()

    def detach(self, leave: Literal["base", "rate"]) -> None:
        """Stop driving; write the bases, or leave the last rates."""
        optimizer = self._optimizer()
        if optimizer is None or self._detached:
            return
        self._detached = True
        self.disconnect()
        release(optimizer, self)
        if leave == "base":
            self.groups.write_bases(optimizer.param_groups)

    def driven(self) -> Mapping[str, Collection[int]]:
        """The groups in which each quantity is driven."""
        return self.groups.driven(self.optimizer.param_groups)

    def __str__(self) -> str:
        what = "a Scheduler" if self._is_of_scheduler else "an attachment"
        return f"{what} at position {self.position:g}"

    # ---------------------------------------------------------------- groups

    def up_to_date(self) -> Sequence[Group]:
        """The optimizer's groups, those added since the last step taken in."""
        optimizer = self.optimizer
        self.before_step(optimizer)
        return optimizer.param_groups

    def _take_in(self, optimizer: OptimizerLike) -> None:
        groups, known = optimizer.param_groups, self.groups.count
        added = self.groups.followed_by_added(groups, getattr(optimizer, "defaults", {}))
        wanted = {
            name_of(key): [index for index, each in enumerate(added, known) if key in each]
            for key in self.groups.driver.rules
        }
        refuse_owned("attach(...)", optimizer, wanted, besides=self._shares_with)
        self.groups.take_in(groups, added)
        self._known = len(groups)
        capturable = any(group.get("capturable") for group in groups)
        self._capturable = capturable and torch.cuda.is_available()

    def _shares_with(self, other: Any) -> bool:
        # Several that are moved by calls take turns, as in a SequentialLR.
        return other is self or (self.counts_calls and getattr(other, "counts_calls", False))

    def _write_over(self) -> None:
        """Write the values into groups that somebody else has made or replaced."""
        self.groups.forget_saved_bases(self.optimizer.param_groups)
        self.write()

    def write(self) -> None:
        """Write the values of the present position."""
        self.groups.write(self.optimizer.param_groups, self.position)
        self._watched_from = -inf  # the schedule may have another end now

    # ---------------------------------------------------------------- hooks

    def before_step(self, optimizer: OptimizerLike, args: Any = (), kwargs: Any = None) -> None:
        """Let groups that were added since the last step begin at their scheduled values."""
        if is_dynamo_compiling():
            outside_graphs(self.before_step, optimizer)
        elif len(optimizer.param_groups) != self._known:
            added = range(self._known, len(optimizer.param_groups))
            self._take_in(optimizer)
            self._write_over()
            self._note_left_alone(added)

    def after_step(self, optimizer: OptimizerLike, args: Any = (), kwargs: Any = None) -> None:
        """Advance, if the update ran."""
        if is_dynamo_compiling():
            outside_graphs(self.after_step, optimizer)
            return
        if self._capturable and torch.cuda.is_current_stream_capturing():
            self._refuse_numbers_in_graph()
            self._captured = True
            return
        if getattr(optimizer, "found_inf", None) is not None and not update_ran(optimizer):
            return
        used, clock = self.position, self._clock
        position = self.position = used + 1 if clock is None else self._read_clock(clock)
        writers, groups = self.groups.writers, optimizer.param_groups
        foreign = None
        for writer in writers:
            found = writer.step(groups, position)
            if found is not None:
                foreign = [*(foreign or ()), (writer, found)]
        if foreign is not None and self._is_dummy_step(foreign, used):
            return
        self.last_position, self._used_by = used, writers
        if self.sinks:
            self._tell(used)
        if used >= self._watched_from:
            self._watch(used)
        if foreign is not None:
            writer, found = foreign[-1]
            self.notices.foreign_write(optimizer, writer.key, found, position, stacklevel=4)

    def _is_dummy_step(
        self, foreign: Sequence[tuple[Writer, Mapping[int, float]]], used: float
    ) -> bool:
        """Whether every rate was set to 0 for this step; then it is as if it had not been.

        ``torch.distributed.checkpoint`` makes an optimizer's state by such a step.
        """
        rates = {id(writer): found for writer, found in foreign if writer.key == "lr"}
        writers = [writer for writer in self.groups.writers if writer.key == "lr"]
        zero = all(value == 0 for found in rates.values() for value in found.values())
        if not rates or not zero or any(id(w) not in rates and not w.used_zero for w in writers):
            return False
        self._dummy_steps = self._dummy_steps + 1 if self._dummy_at == used else 1
        self._dummy_at = used
        if self._dummy_steps > _MOST_DUMMY_STEPS:
            return False
        self.position = used
        self.write()
        if self.last_position is not None:
            self.groups.used_at(self.last_position)
        return True

    def _refuse_numbers_in_graph(self) -> None:
        numbers = self.groups.held_by_numbers()
        if numbers:
            raise AttachmentError(
                f"{self.kind}.step() in a CUDA graph",
                "what is driven must be held by tensors, because each replay uses the numbers of "
                "the capture",
                f"{', '.join(numbers)} is a number",
                "Build the optimizer with lr=torch.tensor(0.1, device='cuda').",
            )

    def _after_save(self, optimizer: Any, state: dict[str, Any]) -> None:
        self.up_to_date()
        groups = state["param_groups"]
        for key, followed in self.groups.driver.followed.items():
            for index, (_, base) in followed.items():
                save_base(groups[index], key, base, optimizer.defaults)
        self.resuming.save(self.standing, groups[0], self.notices)

    def _after_load(self, optimizer: OptimizerLike) -> None:
        self.up_to_date()
        self._write_over()
        self._take_progress()

    def _take_progress(self) -> None:
        call, group = f"attach({self.kind}(...))", self.optimizer.param_groups[0]
        loaded = self.resuming.take(call, self.groups.driver, group, self.notices)
        if loaded is not None:
            self.restore(loaded.progress, loaded.position)

    def _read_clock(self, clock: Clock) -> float:
        reading = clock()
        position = reading if isinstance(reading, int) else float(reading)
        if not isfinite(position) or position < self.position:
            raise InvalidValue(
                f"attach(..., clock={clock!r})",
                "a clock never goes back",
                f"it shows {reading!r} after {self.position!r}",
                "After loading a checkpoint restore the counter that it reads, too.",
            )
        return position

    # ---------------------------------------------------------------- progress

    @property
    def used_position(self) -> float:
        """The position of the last executed step; before it, that of the next."""
        return self.position if self.last_position is None else self.last_position

    @property
    def standing(self) -> Driven:
        """What is driven, what has happened, and the position."""
        self.up_to_date()
        return Driven(self.groups.driver, self.groups.progress, self.position)

    def follow(self, progress: Progress) -> None:
        """Go on at the present position with other progress; the values are right at once."""
        self.look()
        self.groups.follow(progress)
        self.write()

    def observe(self, observation: Observation) -> Sequence[Decided]:
        """Ask the controllers of every track; what they decide about the values is carried out."""
        self._steps_without_observation = -1
        groups = self.groups
        seen = replace(observation, position=self.used_position)
        progress, decided = groups.driver.observe(groups.progress, seen)
        if groups.changes_values(progress):
            self.follow(progress)
        else:
            groups.progress = progress
        return decided

    def move(self, position: float, *, silently: bool = False) -> None:
        """Go to a position by a call, and not after a step.

        Args:
            position: Where to.
            silently: Whether somebody else may have written since, and nobody is told.
        """
        used, self.position = self.position, position
        groups = self.up_to_date()
        if silently:
            self.write()
            return
        foreign = None
        for writer in self.groups.writers:
            foreign = writer.step(groups, position) or foreign
        self.last_position, self._used_by = used, self.groups.writers
        if self.sinks:
            self._tell(used)
        if used >= self._watched_from:
            self._watch(used)
        if foreign is not None:
            self.notices.written_between_calls(self.optimizer, foreign, stacklevel=4)

    def restore(self, progress: Progress, position: float, *, silently: bool = False) -> None:
        """Go on from saved progress.

        Args:
            progress: What has happened.
            position: The position of the next step.
            silently: Whether somebody else holds the values, and nothing is written.
        """
        self.up_to_date()
        self.position = self.begun_at = position
        self.last_position, self._used_by = None, ()
        self._is_first_step = False
        self.groups.follow(progress)
        if not silently:
            self.write()

    # ---------------------------------------------------------------- telling

    def look(self) -> Sequence[Group]:
        """Notice foreign writes before something is written over them.

        Returns:
            The optimizer's groups.
        """
        groups = self.up_to_date()
        for writer in self.groups.writers:
            found = writer.look(groups)
            if found is not None:
                self.notices.foreign_write(
                    self.optimizer, writer.key, found, self.position, stacklevel=4
                )
        return groups

    def _watch(self, used: float) -> None:
        """Look once for what is worth a notice; called until nothing can come any more."""
        if self._is_first_step:
            self._is_first_step = False
            steps = _steps_before(self.optimizer)
            if used == 0 and self._clock is None and steps >= _MANY_STEPS:
                self.resuming.mention(self.notices, steps)
        if self._steps_without_observation >= 0:
            self._steps_without_observation += 1
            if self._steps_without_observation >= STEPS_WITHOUT_OBSERVATION:
                self.notices.nothing_observed(self._steps_without_observation)
                self._steps_without_observation = -1
        ended = [each for each in self.groups.rate_tracks if each.end_of_fall <= used]
        if ended:
            self.notices.steps_after_the_end(ended[0])
        waits = self._steps_without_observation >= 0
        self._watched_from = -inf if waits else inf if ended else self.groups.end_of_rates

    def _note_left_alone(self, added: range) -> None:
        groups = self.optimizer.param_groups
        for name, left in self.groups.left_alone(groups).items():
            new = [describe_group(index, groups[index]) for index in added if index in left]
            if new:
                self.notices.note(
                    Message(
                        "{quantity:name} of the added group {groups:names} follows no schedule: no "
                        "key of the dictionary means it.",
                        quantity=name,
                        groups=tuple(new),
                    )
                )

    def _tell(self, position: float) -> None:
        quantities: dict[str, float] = {}
        for writer in self._used_by:
            used = {writer.key: dict(writer.used())}
            quantities.update(self.groups.driver.named(used, self._prefix))
        tick = Tick(position, quantities, decisions=self.notices.unrecorded())
        for sink in self.sinks:
            sink(tick)

    # ---------------------------------------------------------------- values

    def current(self, key: Key) -> list[float] | None:
        """What the last executed step used, by group; None before it."""
        if self.last_position is None:
            return None
        return self.groups.used(self.up_to_date(), key, self._used_by)

    def next(self, key: Key) -> list[float]:
        """What the next step will use, by group."""
        return [read(group, key) for group in self.up_to_date()]

    def describe(self) -> Iterator[str]:
        """A line for each driven quantity of each group, then what was noted."""
        yield from self.groups.describe(self.up_to_date(), self._used_by)
        yield from map(str, self.notices.lines)


def _steps_before(optimizer: Any) -> int:
    """How many steps an optimizer's own state says that it has taken, without the last."""
    states: Mapping[Any, Any] = getattr(optimizer, "state", {})
    first = cast(Mapping[str, Any], next(iter(states.values()), None) or {})
    return int(first.get("step", 1)) - 1
