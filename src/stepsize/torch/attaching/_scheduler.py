"""``Scheduler``: a schedule as a torch ``LRScheduler``, for frameworks that insist on one."""

import warnings
from collections.abc import Collection, Mapping
from typing import Any, Literal
from weakref import finalize

from torch import Tensor
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from stepsize.driving import describe_group, is_text_of
from stepsize.errors import (
    CopyRefused,
    ForeignWrite,
    InvalidType,
    InvalidValue,
    StateError,
    StateMismatch,
)
from stepsize.schedules import Absolute, Schedule
from stepsize.torch.attaching._driven_optimizer import update_ran
from stepsize.torch.attaching.groups import copy_tensor, read, tensor_of, write
from stepsize.torch.attaching.owners import own, refuse_owned

__all__ = ["Scheduler"]


class _Updates:
    """Counts the updates of an optimizer that ran."""

    def __init__(self) -> None:
        self.count: float = 0

    def __call__(self, optimizer: Optimizer, args: Any, kwargs: Any) -> None:
        if update_ran(optimizer):
            self.count += 1


class Scheduler(LRScheduler):
    """A schedule as a torch scheduler: for Lightning, accelerate, the Trainer and the like.

    In a loop of your own ``attach`` needs no call that could be forgotten or misplaced.

    The rate of a group is base · schedule(position), whatever it was before. The base is the
    group's ``initial_lr``, which torch's schedulers leave there, or its ``lr``. It works inside
    ``SequentialLR``; of several in a ``ChainedScheduler`` the last one wins, so write a product of
    schedules as one: ``Scheduler(optimizer, a * b)``.

    Args:
        optimizer: A torch optimizer whose ``lr`` no attachment drives.
        schedule: A schedule, or ``Absolute(schedule)``.
        counts: "calls": the position is the number of ``.step()`` calls, and ``.step(epoch)`` sets
            it. "updates": the position is the number of optimizer updates that ran, however often
            ``.step()`` is called to publish it.

    Attributes:
        optimizer: The optimizer.
        base_lrs: The base of each group.
        last_epoch: The position.

    Raises:
        AttachmentError: An attachment drives the optimizer's ``lr``.
        InvalidType: An argument is of the wrong kind.
        InvalidValue: ``counts`` is something else.

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
        schedule: Schedule | Absolute,
        counts: Literal["calls", "updates"] = "calls",
    ) -> None:
        call = f"Scheduler(optimizer, {schedule!r}, counts={counts!r})"
        if not isinstance(optimizer, Optimizer):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise InvalidType(
                f"{call}: optimizer must be a torch optimizer, but is a "
                f"{type(optimizer).__name__}. Anything else with param_groups goes to attach()."
            )
        if not isinstance(schedule, Schedule | Absolute):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise InvalidType(
                f"{call}: schedule must be a schedule or Absolute(schedule), but is a "
                f"{type(schedule).__name__}. Policies and groups with schedules of their own go to "
                "attach()."
            )
        if counts not in ("calls", "updates"):
            raise InvalidValue(
                f"{call}: counts must be 'calls' or 'updates', but is {counts!r}. "
                "'updates' is right where .step() is called more often than the optimizer steps."
            )
        self.optimizer = optimizer
        self.schedule = schedule
        self.counts = counts
        self._bases: list[float] = []
        self.last_epoch = 0
        self._step_count = 1
        self._warned = False
        self._take_in_groups()
        refuse_owned(call, optimizer, self.driven(), besides=lambda d: isinstance(d, Scheduler))
        self._updates = _Updates()
        if counts == "updates":
            hook = optimizer.register_step_post_hook(self._updates)
            finalize(self, hook.remove).atexit = False
        own(optimizer, self)
        self._write()

    def driven(self) -> Mapping[str, Collection[int]]:
        """The groups in which it drives the rate: all."""
        return {"lr": range(len(self.optimizer.param_groups))}

    def __str__(self) -> str:
        return f"Scheduler({self.schedule!r}) at position {self.last_epoch:g}"

    # ---------------------------------------------------------------- what torch asks for

    def get_lr(self) -> list[float | Tensor]:
        """The rate of each group at the present position."""
        return [*self._rates()]

    def _rates(self) -> list[float]:
        marked, position = self.schedule, self.last_epoch
        if isinstance(marked, Absolute):
            return [marked.schedule(position)] * len(self._bases)
        factor = marked(position)
        return [base * factor for base in self._bases]

    def get_last_lr(self) -> list[float | Tensor]:
        """The rates that were written last: those of the next optimizer step."""
        return list(self._last_lr)

    def step(self, epoch: float | None = None) -> None:
        """Go on to the next position, or to ``epoch``; with counts="updates", publish the position.

        Args:
            epoch: A position; may be fractional.
        """
        self._step_count += 1
        self._update_lr(epoch)

    def _update_lr(self, epoch: float | None = None) -> None:
        # SequentialLR calls this with 0 where it hands over to the next scheduler.
        self._take_in_groups()
        if self.counts == "updates":
            if epoch is not None:
                self._updates.count = epoch
            position = self._updates.count
        else:
            position = self.last_epoch + 1 if epoch is None else epoch
        foreign = None if epoch is not None or self._is_initial else self._foreign_write()
        self.last_epoch = position
        self._write()
        if foreign is not None:
            warnings.warn(foreign, ForeignWrite, stacklevel=3)

    def _take_in_groups(self) -> None:
        groups = self.optimizer.param_groups
        for index in range(len(self._bases), len(groups)):
            group = groups[index]
            if any(tensor_of(group, "lr") is tensor_of(other, "lr") for other in groups[:index]):
                copy_tensor(group, "lr")  # groups built from one tensor share it
            group.setdefault("initial_lr", read(group, "lr"))
            self._bases.append(read(group, "initial_lr"))
        self.base_lrs = [*self._bases]

    def _write(self) -> None:
        groups = self.optimizer.param_groups
        for group, rate in zip(groups, self._rates(), strict=True):
            write(group, "lr", rate)
        self._last_lr = [read(group, "lr") for group in groups]

    def _foreign_write(self) -> str | None:
        if self._warned:
            return None
        for index, (group, last) in enumerate(
            zip(self.optimizer.param_groups, self._last_lr, strict=False)
        ):
            if read(group, "lr") != last:
                self._warned = True
                return (
                    f"{self}: lr of group {describe_group(index, group)} was set to "
                    f"{read(group, 'lr')!r} since the last call, and is overwritten: the rate is "
                    "base · schedule(position). To combine schedules write one product, "
                    "Scheduler(optimizer, a * b). This is said once."
                )
        return None

    # ---------------------------------------------------------------- state

    def state_dict(self) -> dict[str, Any]:
        """The position, and the configuration to compare it with: numbers and strings.

        Raises:
            UnregisteredFunction: The schedule holds a function that could not be found again.
        """
        return {
            "last_epoch": self.last_epoch,
            "counts": self.counts,
            "schedule": self.schedule.text,
            "base_lrs": list(self._bases),
        }

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Go on from a saved position; the rates are right at once. The code's configuration holds.

        Raises:
            StateError: It is no state of a Scheduler.

        Warns:
            StateMismatch: It was saved with another schedule, base or way of counting.
        """
        try:
            position, text = state_dict["last_epoch"], state_dict["schedule"]
            counts, bases = state_dict["counts"], list(state_dict["base_lrs"])
        except (KeyError, TypeError) as error:
            raise StateError(
                f"Scheduler.load_state_dict(...): this is no state of a Scheduler ({error!r}). "
                "Pass what state_dict() gave; a state of attach() goes to rate.load_state_dict()."
            ) from error
        self.last_epoch = self._updates.count = position
        if position >= 0:  # else SequentialLR has not come to it yet
            self._write()
        different: list[str] = []
        if not is_text_of(text, self.schedule):
            different.append(f"schedule: saved {text}, now {self.schedule!r}")
        if counts != self.counts:
            different.append(f"counts: saved {counts}, now {self.counts}")
        if bases != self._bases:
            different.append(f"base_lrs: saved {bases}, now {self._bases}")
        if different:
            warnings.warn(
                "Scheduler.load_state_dict(...): the state belongs to another configuration; the "
                "position is taken from it, and what the code says holds.\n  "
                + "\n  ".join(different),
                StateMismatch,
                stacklevel=2,
            )

    def __getstate__(self) -> dict[str, Any]:
        if self.counts == "updates":
            raise CopyRefused(
                f"copy or pickle of {self}: it counts the updates of a live optimizer. "
                "Save state_dict(), or build a new Scheduler for the copied optimizer."
            )
        return dict(self.__dict__)
