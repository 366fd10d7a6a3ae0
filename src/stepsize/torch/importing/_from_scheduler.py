"""``from_scheduler``: a torch scheduler, fresh or in the middle of a run, becomes a schedule."""

import warnings
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal, TypeVar

import torch
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler, ReduceLROnPlateau

from stepsize.driving import Key, Selector, describe_group, name_of
from stepsize.errors import InvalidType, StepsizeWarning
from stepsize.schedules import Absolute, Schedule
from stepsize.signals import Sink
from stepsize.torch.attaching import Attachment, Scheduler, attach
from stepsize.torch.attaching.groups import Group, read, tensor_of, write
from stepsize.torch.importing._formulas import call_of, cycles_momentum, own_base
from stepsize.torch.importing._future import Future, MomentumReader, leaves
from stepsize.torch.importing._rate_future import RateReader, refuse_unknown

__all__ = ["Continuation", "from_scheduler"]

Plan = TypeVar("Plan", Schedule, Absolute)


@dataclass(frozen=True)
class Continuation:
    """What a torch scheduler will do from here on, as ``attach`` takes it.

    Args:
        optimizer: The scheduler's optimizer.
        schedule: Multiples of the base rates; a dictionary from group to schedule where they
            differ, as they do for absolute floors under different rates.
        position: The position of the next step.
        bases: The base rate of each group. (The groups hold other rates in the middle of a run.)
        also: The momentum, if the scheduler cycles it, under the key that the optimizer has for it.
    """

    optimizer: Optimizer
    schedule: Schedule | Mapping[Selector, Schedule]
    position: float
    bases: tuple[float, ...]
    also: Mapping[Key, Absolute | Mapping[Selector, Absolute]]

    def attach(self, *, sinks: Iterable[Sink] = ()) -> Attachment:
        """Take over: ``attach`` with these schedules and bases, from this position on.

        The torch scheduler is not to be stepped any more.

        Args:
            sinks: As in ``attach``.

        Returns:
            The handle.

        Raises:
            AttachmentError: Something drives the optimizer already; nothing is changed.
        """
        with self._bases_in_groups():
            return attach(
                self.optimizer,
                self.schedule,
                also=self.also,
                sinks=sinks,
                position=self.position,
                resume=False,
            )

    def scheduler(
        self, counts: Literal["calls", "updates"] | None = None, *, sinks: Iterable[Sink] = ()
    ) -> Scheduler:
        """Take over as a torch scheduler, with these schedules and bases, from this position on.

        ``Scheduler(optimizer, found.schedule)`` would begin at position 0, and from the rate that
        the groups hold now instead of their base.

        Args:
            counts: As in ``Scheduler``: "calls" if the scheduler was stepped once per epoch.
            sinks: As in ``Scheduler``.

        Returns:
            The scheduler.

        Raises:
            AttachmentError: Something drives the optimizer already; nothing is changed.
        """
        with self._bases_in_groups():
            for group, base in zip(self.optimizer.param_groups, self.bases, strict=True):
                group["initial_lr"] = base
            scheduler = Scheduler(
                self.optimizer, self.schedule, counts, also=self.also, sinks=sinks, resume=False
            )
        scheduler.start_at(self.position)
        return scheduler

    @contextmanager
    def _bases_in_groups(self) -> Generator[None]:
        """Inside, the groups hold their bases; after an error they are as they were before."""
        groups = self.optimizer.param_groups
        present = [(read(group, "lr"), group.get("initial_lr")) for group in groups]
        try:
            for group, base in zip(groups, self.bases, strict=True):
                write(group, "lr", base)
            yield
        except BaseException:
            for group, (rate, initial) in zip(groups, present, strict=True):
                write(group, "lr", rate)
                if initial is not None:
                    group["initial_lr"] = initial
            raise

    def __str__(self) -> str:
        lines = [f"{type(self.optimizer).__name__} at position {self.position:g}"]
        groups = self.optimizer.param_groups
        for index, (group, base) in enumerate(zip(groups, self.bases, strict=True)):
            own = self.schedule[index] if isinstance(self.schedule, Mapping) else self.schedule
            lines.append(f"  group {describe_group(index, group)}: lr base {base:.6g}, {own!r}")
        lines.extend(f"  {name_of(key)}: {plan!r}" for key, plan in self.also.items())
        return "\n".join(lines)


def from_scheduler(scheduler: LRScheduler) -> Continuation:
    """Read a torch scheduler, fresh or in the middle of a run; nothing is changed.

    Going on with ``.attach()``, in place of the scheduler's ``step()``, changes nothing: the next
    rates are those that the scheduler would have written, also where a rate was set by hand, where
    states were loaded, and for groups with rates of their own.

    Except where torch itself does not do what it says: past the end of OneCycleLR, where it rises
    and then raises, the last rate holds, as it does past the end of a cosine of transformers; a
    SequentialLR or ChainedScheduler inside a SequentialLR, at which torch raises when its turn
    comes, starts then; and a cosine that is multiplied in a chain ends at 0 instead of rising to
    another height, which a warning says.

    Args:
        scheduler: ConstantLR, LinearLR, ExponentialLR, StepLR, MultiStepLR, PolynomialLR,
            CosineAnnealingLR, CosineAnnealingWarmRestarts, CyclicLR, OneCycleLR, SWALR; LambdaLR
            with a function of transformers; SequentialLR and ChainedScheduler of these.

    Returns:
        Schedules, position and base rates; ``print`` shows them.

    Raises:
        InvalidType: It has no formula: a function of the user's, a feedback rule, a class of
            somebody else's. The message says what to write instead.
        InvalidValue: Its state cannot be written as a schedule, as that of most chains in which a
            part does not multiply.

    Warns:
        StepsizeWarning: A group's rate is another than the scheduler's formula gives: it was set by
            hand, or the optimizer's state was not loaded. If torch would write its own rate over it
            at its next step, that is done now.

    >>> import torch
    >>> from torch.optim.lr_scheduler import ExponentialLR, LinearLR, SequentialLR
    >>> from stepsize.torch import from_scheduler
    >>> optimizer = torch.optim.SGD([torch.zeros(1)], lr=0.1)
    >>> warmup, decay = LinearLR(optimizer, 0.1, total_iters=2), ExponentialLR(optimizer, 0.9)
    >>> scheduler = SequentialLR(optimizer, [warmup, decay], milestones=[2])
    >>> optimizer.step()
    >>> scheduler.step()
    >>> found = from_scheduler(scheduler)
    >>> print(found)
    SGD at position 1
      group 0: lr base 0.1, Linear(2, start=0.1, end=1) >> Exponential(0.9)
    >>> rate = found.attach()
    >>> rate.next == scheduler.get_last_lr()
    True
    """
    scheduler = _unwrapped(scheduler)
    optimizer: Any = getattr(scheduler, "optimizer", None)
    if not isinstance(optimizer, Optimizer):
        raise InvalidType(
            call_of(scheduler),
            "{scheduler} must be a torch scheduler with a torch optimizer",
            f"its optimizer is a {type(optimizer).__name__}",
            "If it wraps one, pass that, often .scheduler.",
            "scheduler",
        )
    refuse_unknown(scheduler)
    futures: list[Future] = []
    bases: list[float] = []
    surprises: list[str] = []
    for index, group in enumerate(optimizer.param_groups):
        base = own_base(scheduler, group, index) or 1.0
        reader = RateReader(group, index, read(group, "lr"), base, _precision(group))
        future = reader.now(scheduler)
        curve, factor = reader.settle(future)
        futures.append(future._replace(curve=curve))
        bases.append(base * factor)
        surprises.extend(_told("lr", index, group, reader.surprises))
    also: dict[Key, Absolute | Mapping[Selector, Absolute]] = {}
    cycling = next(filter(cycles_momentum, leaves(scheduler)), None)
    if cycling is not None:
        key: Key = ("betas", 0) if cycling.use_beta1 else "momentum"
        curves: list[Schedule] = []
        for index, group in enumerate(optimizer.param_groups):
            momentum = MomentumReader(group, index, read(group, key), _PRECISION)
            curves.append(momentum.settle(momentum.now(scheduler))[0])
            surprises.extend(_told(name_of(key), index, group, momentum.surprises))
        also[key] = _one_or_each([Absolute(curve) for curve in curves])
    if surprises:
        warnings.warn(
            f"{call_of(scheduler)}: {' '.join(surprises)} (A rate is another where it was set by "
            "hand, where the optimizer's state was not loaded, or where one scheduler changed "
            "another's.)",
            StepsizeWarning,
            stacklevel=2,
        )
    schedules = [future.curve for future in futures]
    return Continuation(
        optimizer, _one_or_each(schedules), futures[0].at, tuple(bases), MappingProxyType(also)
    )


def _unwrapped(scheduler: Any) -> Any:
    """What a framework has prepared, such as ``accelerate``, without its wrapper."""
    while not isinstance(scheduler, LRScheduler | ReduceLROnPlateau):
        inner = getattr(scheduler, "scheduler", None)
        if inner is None:
            break
        scheduler = inner
    return scheduler


_PRECISION = 1e-10
"""Above what torch's recursions lose to rounding in millions of steps, below any change by hand."""


def _precision(group: Group) -> float:
    tensor = tensor_of(group, "lr")
    return _PRECISION if tensor is None else 8 * torch.finfo(tensor.dtype).eps


def _told(quantity: str, index: int, group: Group, surprises: Iterable[str]) -> Iterator[str]:
    for each in dict.fromkeys(surprises):
        yield f"{quantity} of group {describe_group(index, group)}: {each}."


def _one_or_each(plans: Sequence[Plan]) -> Plan | Mapping[Selector, Plan]:
    first = plans[0]
    return first if all(plan == first for plan in plans) else dict(enumerate(plans))
