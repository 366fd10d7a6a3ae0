"""What a torch scheduler will do with one group, from the state that it is in.

Most of torch's schedulers have no position: at each step they change the rate that they find. So
their future follows from that rate, and a composition's from how its parts treat each other's:

    multiplying   by s(t) / s(t - 1): StepLR, LinearLR ...          order does not matter
    writing       a rate of their own: LambdaLR, OneCycleLR ...     what came before is lost
    mixing        CosineAnnealingLR and SWALR pull it towards a floor
"""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from itertools import pairwise
from math import inf
from typing import Any, NamedTuple

from torch.optim.lr_scheduler import ChainedScheduler, SequentialLR

from stepsize.errors import InvalidValue, StepsizeError
from stepsize.schedules import Constant, Hold, Schedule
from stepsize.torch.attaching.groups import Group
from stepsize.torch.importing._formulas import (
    call_of,
    cycles_momentum,
    kind_of,
    lasting,
    momentum_curve,
    times,
)

__all__ = ["Future", "MomentumReader", "Reader", "chained", "leaves", "moved"]


class Future(NamedTuple):
    """What a scheduler will do.

    Args:
        curve: The values, on the scheduler's own clock; those before ``at`` do not matter.
        at: What this clock shows now.
        multiplies: Each step multiplies the value that it finds by curve(t) / curve(t - 1).
    """

    curve: Schedule
    at: float
    multiplies: bool = False


class Reader:
    """Reads schedulers for one group; what their leaves do is said by the two kinds of readers.

    Args:
        group: The optimizer's group.
        index: Its number.
        value: What the group holds now.
        precision: The relative difference below which values are the same.
    """

    def __init__(self, group: Group, index: int, value: float, precision: float) -> None:
        self._group = group
        self._index = index
        self._value = value
        self._precision = precision
        self.surprises: list[str] = []

    def now(self, scheduler: Any) -> Future:
        """What it will do, from its present state.

        Raises:
            InvalidType: It has no expression.
            InvalidValue: Its state has none.
        """
        kind = kind_of(scheduler)
        if kind is SequentialLR:
            return self._sequence_now(scheduler)
        if kind is ChainedScheduler:
            return self._chain_now(scheduler, list(chained(scheduler)))
        return self._leaf_now(scheduler)

    def anew(self, scheduler: Any, carried: float) -> Schedule:
        """What it will do when a SequentialLR comes to it.

        Args:
            scheduler: One that waits for its turn.
            carried: The value that its predecessor leaves.
        """
        kind = kind_of(scheduler)
        if kind is SequentialLR:
            _, lengths = _phases(scheduler)
            return self._then([], scheduler._schedulers, lengths, carried)
        if kind is ChainedScheduler:
            return self._chain_anew(scheduler, list(chained(scheduler)), carried)
        return self._leaf_anew(scheduler, carried)

    def settle(self, future: Future) -> tuple[Schedule, float]:
        """The curve, and the factor of what was done to the value beside it."""
        curve, at, multiplies = future
        expected = curve(at)
        if self._same(self._value, expected, 1e-14 if multiplies else self._precision):
            return curve, 1.0
        if not multiplies:
            self.surprises.append(
                f"it is {self._told(self._value)}, where the scheduler would write "
                f"{self._told(expected)} at its next step: that is written now"
            )
            return curve, 1.0
        self.surprises.append(
            f"it is {self._told(self._value)}, where the scheduler's own formula gives "
            f"{self._told(expected)}: it goes on from the former, as torch would"
        )
        if expected:
            return curve, self._value / expected
        if at >= curve.length:
            return Constant(), self._value
        raise InvalidValue(
            "from_scheduler(...)",
            f"group {self._index} holds {self._told(self._value)}",
            "the scheduler multiplies, and its formula is at 0: no multiple of it is that",
            "Write the rest of the run as a schedule of its own.",
        )

    # ---------------------------------------------------------------- what the kinds say

    def _leaf_now(self, scheduler: Any) -> Future:
        raise NotImplementedError

    def _leaf_anew(self, scheduler: Any, carried: float) -> Schedule:
        raise NotImplementedError

    def _chain_now(self, chain: Any, children: Sequence[Any]) -> Future:
        raise NotImplementedError

    def _chain_anew(self, chain: Any, children: Sequence[Any], carried: float) -> Schedule:
        raise NotImplementedError

    def _told(self, value: float) -> str:
        return repr(value)

    def _same(self, a: float, b: float, size: float) -> bool:
        return abs(a - b) <= max(self._precision * max(abs(a), abs(b)), size)

    # ---------------------------------------------------------------- one after another

    def _sequence_now(self, scheduler: Any) -> Future:
        children: Sequence[Any] = scheduler._schedulers
        starts, lengths = _phases(scheduler)
        position: float = scheduler.last_epoch
        present = bisect_right(starts, position) - 1
        future = self.now(children[present])
        # As the first child of another SequentialLR torch starts a sequence one step ahead.
        ahead = future.at - (position - starts[present])
        past = [
            self._past(child, length)
            for child, length in zip(children[:present], lengths, strict=False)
        ]
        if present == len(children) - 1:
            return Future(
                _sequence([*past, moved(future.curve, ahead)]), position, future.multiplies
            )
        curve, factor = self.settle(future)
        phase = times(moved(curve, ahead), factor)
        parts = [*past, lasting(phase, lengths[present])]
        carried = phase(lengths[present] - 1)
        rest = self._then(parts, children[present + 1 :], lengths[present + 1 :], carried)
        return Future(rest, position)

    def _past(self, child: Any, length: float) -> Schedule:
        # It is there to be read by people: nothing depends on it any more.
        try:
            return lasting(self.anew(child, self._value), length)
        except StepsizeError:
            return Hold(length)

    def _then(
        self,
        parts: Sequence[Schedule],
        children: Sequence[Any],
        lengths: Sequence[float],
        carried: float,
    ) -> Schedule:
        """The parts, then each of the children from its beginning."""
        whole = [*parts]
        for child, length in zip(children, lengths, strict=True):
            curve = self.anew(child, carried)
            whole.append(curve if length == inf else lasting(curve, length))
            carried = curve(length - 1) if 0 < length < inf else carried
        return _sequence(whole)


class MomentumReader(Reader):
    """Reads what schedulers do to the momentum: those that do not cycle it leave it as it is."""

    def _leaf_now(self, scheduler: Any) -> Future:
        return Future(self._leaf_anew(scheduler, self._value), scheduler.last_epoch)

    def _leaf_anew(self, scheduler: Any, carried: float) -> Schedule:
        if cycles_momentum(scheduler):
            return momentum_curve(scheduler, self._group, self._index)
        return Constant(carried)

    def _chain_now(self, chain: Any, children: Sequence[Any]) -> Future:
        return self.now(_last_to_cycle(children))

    def _chain_anew(self, chain: Any, children: Sequence[Any], carried: float) -> Schedule:
        return self.anew(_last_to_cycle(children), carried)


# ------------------------------------------------------------------ composition


def leaves(scheduler: Any) -> Iterator[Any]:
    """The schedulers that a composition is made of; itself, if it is a single one."""
    if kind_of(scheduler) in (SequentialLR, ChainedScheduler):
        for child in scheduler._schedulers:
            yield from leaves(child)
    else:
        yield scheduler


def chained(chain: Any) -> Iterator[Any]:
    """The children of a chain, and of chains in it."""
    for child in chain._schedulers:
        yield from chained(child) if kind_of(child) is ChainedScheduler else (child,)


def _last_to_cycle(children: Sequence[Any]) -> Any:
    cycling = [each for each in children if any(map(cycles_momentum, leaves(each)))]
    return (cycling or children)[-1]


def _phases(scheduler: Any) -> tuple[Sequence[float], Sequence[float]]:
    """Where each child starts, and how long it lasts: the last one for ever."""
    starts = [0, *scheduler._milestones]
    if starts != sorted(starts):
        raise InvalidValue(
            call_of(scheduler),
            "milestones must ascend",
            f"are {scheduler._milestones!r}",
            "Which scheduler follows which is not defined; torch searches by halves.",
        )
    return starts, [*(end - start for start, end in pairwise(starts)), inf]


def _sequence(parts: Sequence[Schedule]) -> Schedule:
    whole = parts[0]
    for part in parts[1:]:
        whole = whole >> part
    last = parts[-1]
    # Without a length it would vanish, but its value holds from here on.
    return whole if last.length else whole >> Constant(last(0))


def moved(curve: Schedule, ahead: float) -> Schedule:
    """The curve on a clock that shows ``ahead`` less than its own."""
    if ahead < 0:
        return Hold(-ahead, curve(0)) >> curve
    return curve.skip(ahead) if ahead else curve
