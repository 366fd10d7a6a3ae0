"""``Scheduler``: a plan as a torch ``LRScheduler``, for frameworks that insist on one."""

from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Any, Literal
from weakref import finalize

from torch import Tensor
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from stepsize.checks import checked_choice
from stepsize.driving import Key, Plans, Progress, load
from stepsize.errors import CopyRefused, InvalidType, InvalidValue, StateError
from stepsize.messages import Message
from stepsize.renames import renamed_arguments
from stepsize.signals import Decision, Sink
from stepsize.torch.attaching._attach import refuse_without_effect, rules_by_optimizer
from stepsize.torch.attaching._attachment import Attachment
from stepsize.torch.attaching._call_counts import CallCounts
from stepsize.torch.attaching._driven_optimizer import DrivenOptimizer
from stepsize.torch.attaching._lint import advise, checked_steps
from stepsize.torch.attaching._resuming import warn_of_differences
from stepsize.torch.attaching._rewinds import Rewinds
from stepsize.torch.attaching._unwrapping import unwrapped
from stepsize.torch.attaching.groups import read, write
from stepsize.training import Ring

__all__ = ["Scheduler"]

_NOTHING: Mapping[Key, Plans] = MappingProxyType({})
_POSITION = "last_epoch"


@renamed_arguments(schedule="plan")
class Scheduler(LRScheduler):
    """A plan as a torch scheduler: for Lightning, accelerate, the Trainer and the like.

    It owns an attachment, which counts the optimizer's updates and moves the rate by itself; so
    ``step()`` moves nothing, and may be called as often as a framework likes. In a loop of your own
    ``attach`` needs no call that could be forgotten or misplaced.

    The rate of a group is base · schedule(position), whatever it was before. The base is the
    group's ``initial_lr``, which torch's schedulers leave there, or its ``lr``.

    Args:
        optimizer: A torch optimizer whose ``lr`` no attachment drives, or a framework's wrapper.
        plan: As in ``attach``: a schedule, ``Absolute(schedule)``, a ``Policy``, or a dictionary
            from group to one of these.
        counts: What the plan's numbers count. "updates": optimizer updates that ran. "calls": calls
            of ``.step()``, for loops that make one per epoch, and inside ``SequentialLR``;
            ``.step(epoch)`` sets the position. None: updates, unless ``.step()`` is called as if
            epochs were meant, which raises.
        also: As in ``attach``: quantities whose names are not keywords.
        steps: Length of the run: the schedule is checked against it.
        sinks: Each gets a ``Tick`` after each update (or call) and each observation.
        snapshot: As in ``attach``: what a ``Rewind`` goes back to.
        restore: As in ``attach``: puts it back.
        ring: As in ``attach``: how snapshots are kept.
        resume: As in ``attach``: whether to go on with what the optimizer's state brings.
        **quantities: As in ``attach``: plans of other quantities, such as ``weight_decay=...``.

    Attributes:
        optimizer: The optimizer as it was given.
        rate: The attachment: ``scheduler.rate.extend(total)``.
        counts: "updates" or "calls".

    Raises:
        AttachmentError: An attachment drives the optimizer's ``lr``.
        InvalidType: An argument is of the wrong kind.
        InvalidValue: ``counts`` is something else. Later: ``step()`` is called against it.

    Warns:
        ScheduleWarning: As ``attach`` does.
        StepsizeWarning: As ``attach`` does; and if calls come before the first update, or without
            any.

    >>> import torch
    >>> from stepsize import Linear
    >>> from stepsize.torch import Scheduler
    >>> optimizer = torch.optim.SGD([torch.zeros(1)], lr=0.1)
    >>> scheduler = Scheduler(optimizer, Linear(4))
    >>> optimizer.step()
    >>> scheduler.step()
    >>> scheduler.get_last_lr()
    [0.07500000000000001]
    """

    # LRScheduler.__init__ is not called: it replaces optimizer.step.
    def __init__(  # pyright: ignore[reportMissingSuperCall]
        self,
        optimizer: Optimizer,
        plan: Plans,
        counts: Literal["calls", "updates"] | None = None,
        *,
        also: Mapping[Key, Plans] = _NOTHING,
        steps: int | None = None,
        sinks: Iterable[Sink] = (),
        snapshot: Callable[[], Any] | None = None,
        restore: Callable[[Any], object] | None = None,
        ring: Ring | None = None,
        resume: bool | None = None,
        **quantities: Plans,
    ) -> None:
        call = f"Scheduler(optimizer, {plan!r}, counts={counts!r})"
        if counts is not None:
            checked_choice(call, "counts", counts, ("calls", "updates"))
        length = checked_steps(steps)
        self._named: Mapping[Key, Plans] = {"lr": plan, **quantities, **also}
        rewinds = Rewinds(snapshot, restore, ring)
        driven = self._build(call, optimizer, counts, tuple(sinks), resume)
        self.rate = Attachment([driven], "lr", rewinds)
        advise([driven], length)

    def _build(
        self,
        call: str,
        optimizer: Any,
        counts: Literal["calls", "updates"] | None,
        sinks: tuple[Sink, ...] = (),
        resume: bool | None = None,
    ) -> DrivenOptimizer:
        inner = unwrapped(optimizer)
        if not isinstance(inner, Optimizer):
            raise InvalidType(
                call,
                "{optimizer} must be a torch optimizer",
                f"is a {type(optimizer).__name__}",
                "Anything else with param_groups goes to attach().",
                "optimizer",
            )
        rules = rules_by_optimizer(self._named, [inner], "Scheduler")[0]
        driven = DrivenOptimizer(
            inner,
            rules,
            sinks=sinks,
            resume=resume,
            counts_calls=counts == "calls",
            from_initial=True,
        )
        for key in rules:
            refuse_without_effect(key, [driven])
        self.optimizer = optimizer
        self.counts = counts or "updates"
        self._step_count = 1
        self._driven = driven
        self._counted = CallCounts(call, driven, counts)
        self._set_initial_rates()
        driven.connect()
        self._counted.begin(inner)
        self._called_at = driven.position
        finalize(self, driven.disconnect).atexit = False
        finalize(self, self._counted.end).atexit = False
        return driven

    def _set_initial_rates(self) -> None:
        groups = self._driven.optimizer.param_groups
        for group, base in zip(groups, self.base_lrs, strict=True):
            group.setdefault("initial_lr", base)

    def __str__(self) -> str:
        return f"Scheduler that counts {self.counts}\n{self.rate}"

    # ---------------------------------------------------------------- what torch asks for

    @property
    def base_lrs(self) -> list[float]:  # pyright: ignore[reportIncompatibleVariableOverride]
        """The base of each group."""
        driven, groups = self._driven, self._driven.optimizer.param_groups
        followed = driven.groups.driver.followed["lr"]
        return [
            driven.groups.driver.base(driven.groups.progress, "lr", index)
            if index in followed
            else read(group, "lr")
            for index, group in enumerate(groups)
        ]

    @property
    def last_epoch(self) -> float:  # pyright: ignore[reportIncompatibleVariableOverride]
        """The position."""
        return self._driven.position

    @last_epoch.setter
    def last_epoch(self, position: float) -> None:
        self._driven.position = position

    def get_lr(self) -> list[float | Tensor]:
        """The rate of each group at the present position."""
        driven = self._driven
        values = driven.groups.driver.values(driven.groups.progress, self.last_epoch)["lr"]
        groups = driven.optimizer.param_groups
        return [values.get(index, read(group, "lr")) for index, group in enumerate(groups)]

    def get_last_lr(self) -> list[float | Tensor]:
        """The rate that the last update used, until ``step()`` is called; then the next one's."""
        used = self.rate.current if self._driven.position != self._called_at else None
        return [*(self.rate.next if used is None or self.counts == "calls" else used)]

    def step(self, epoch: float | None = None) -> None:
        """Say that the loop is past an update, or an epoch. Counting updates, this moves nothing.

        Args:
            epoch: Counting calls, a position to go to; may be fractional.

        Raises:
            InvalidValue: Once: the calls do not fit what is counted.
        """
        self._step_count += 1
        self._update_lr(epoch)

    def _update_lr(self, epoch: float | None = None) -> None:
        # SequentialLR calls this with 0 where it hands over to the next scheduler.
        driven = self._driven
        driven.up_to_date()
        self._set_initial_rates()
        if self.counts == "updates":
            if epoch is not None:
                raise InvalidValue(
                    "scheduler.step(epoch)",
                    "a scheduler that counts updates goes to no other position",
                    f"{{epoch}} is {epoch!r}",
                    "For a metric call scheduler.observe(val_loss=...); to count calls write "
                    "Scheduler(..., counts='calls').",
                    "epoch",
                )
            self._counted.step()
            self._called_at = driven.position
            return
        moved = epoch is not None or getattr(self, "_is_initial", False)
        if not moved:
            self._counted.step()
        driven.move(driven.position + 1 if epoch is None else epoch, silently=moved)

    def _initial_step(self) -> None:
        # SequentialLR begins with it.
        if self.counts == "updates":
            raise InvalidValue(
                "SequentialLR(optimizer, [Scheduler(...), ...])",
                "schedulers in a SequentialLR count calls",
                "this one counts updates",
                "Write one plan, Scheduler(optimizer, first >> second), or counts='calls'.",
            )
        super()._initial_step()

    def observe(self, **metrics: float | Tensor | None) -> tuple[Decision, ...]:
        """Tell the controllers what was measured: see ``Attachment.observe``."""
        return tuple(self.rate.observe(**metrics))

    # ---------------------------------------------------------------- state

    def state_dict(self) -> dict[str, Any]:
        """The attachment's state, and the position: texts and numbers.

        Raises:
            StateError: A controller's memory is not plain data.
            UnregisteredFunction: A schedule holds a function that could not be found again.
        """
        position, self._driven.position = self.last_epoch, max(0, self.last_epoch)
        try:
            state = self.rate.state_dict()
        finally:
            self._driven.position = position
        return {**state, _POSITION: position, "counts": self.counts}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Go on from a saved position; the rates are right at once. The code's configuration holds.

        Raises:
            StateError: It is not a state of a Scheduler.

        Warns:
            StateMismatch: It was saved with another schedule, base or way of counting.
        """
        try:
            position, counts = state_dict[_POSITION], state_dict["counts"]
            saved = state_dict.get("stepsize") or _of_version_1(state_dict)
            [loaded] = load([self._driven.groups.driver], saved)
        except (KeyError, TypeError, StateError) as error:
            raise StateError(
                "scheduler.load_state_dict(...)",
                "a state is that of a Scheduler",
                f"reading it fails with {error!r}",
                "Pass what state_dict() gave; a state of attach() goes to rate.load_state_dict().",
            ) from error
        self._restore(loaded.progress, position)
        differences = [*loaded.bases, *loaded.differences]
        if counts != self.counts:
            differences.append(
                Message(
                    "saved counting {saved:name}, now {now:name}", saved=counts, now=self.counts
                )
            )
        call, notices = "scheduler.load_state_dict(...)", [self._driven.notices]
        warn_of_differences(call, differences, notices, stacklevel=2)

    def _restore(self, progress: Progress, position: float) -> None:
        # Below 0, SequentialLR has not come to it yet, and another one holds the rate.
        self._driven.restore(progress, position, silently=position < 0)
        self._called_at = position
        self._counted.begin_anew()

    def start_at(self, position: float) -> None:
        """Go on at a position whose earlier steps were not followed."""
        self._restore(self._driven.groups.progress, position)

    def __getstate__(self) -> dict[str, Any]:
        if self.counts == "updates":
            raise CopyRefused(
                f"copy or pickle of a Scheduler at position {self.last_epoch:g}",
                "what counts the updates of a live optimizer has no copy",
                remedy="Save state_dict(), or build a new Scheduler for the copied optimizer.",
            )
        return {
            "optimizer": self.optimizer,
            "named": self._named,
            "progress": self._driven.groups.progress,
            _POSITION: self.last_epoch,
        }

    def __setstate__(self, state: dict[str, Any]) -> None:
        optimizer = state["optimizer"]
        present = [read(group, "lr") for group in optimizer.param_groups]
        self._named = state["named"]
        driven = self._build("copy of a Scheduler", optimizer, "calls")
        self.rate = Attachment([driven], "lr", Rewinds(None, None, None))
        self._restore(state["progress"], state[_POSITION])
        for group, rate in zip(optimizer.param_groups, present, strict=True):
            write(group, "lr", rate)


def _of_version_1(state: Mapping[str, Any]) -> Mapping[str, Any]:
    """A state of the Scheduler before it owned an attachment, as one of an attachment."""
    progress: dict[str, Any] = {"scale": 1.0, "acts": [], "memories": []}
    track = {"rule": 0, "start": 0, "schedule": state["schedule"], "progress": progress}
    bases = {str(index): base for index, base in enumerate(state["base_lrs"])}
    rates = {"bases": bases, "by_hand": {}, "tracks": [track]}
    position = max(0, state[_POSITION])
    optimizer = {"position": position, "starts": {}, "quantities": {"lr": rates}}
    return {"version": 1, "optimizers": [optimizer]}
