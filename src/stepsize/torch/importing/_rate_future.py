"""What torch's schedulers do to the learning rate of one group, and in which chains."""

from collections.abc import Collection, Sequence
from functools import reduce
from math import cos, pi
from operator import mul
from typing import Any

from torch.optim.lr_scheduler import (
    ChainedScheduler,
    CosineAnnealingLR,
    MultiplicativeLR,
    ReduceLROnPlateau,
    SequentialLR,
)
from torch.optim.swa_utils import SWALR

from stepsize.controllers import Plateau
from stepsize.errors import InvalidType, InvalidValue
from stepsize.schedules import Constant, Cosine, Linear, Schedule
from stepsize.torch.attaching.groups import Group
from stepsize.torch.importing._formulas import (
    MULTIPLYING,
    WRITING,
    call_of,
    clock_of,
    kind_of,
    lasting,
    own_base,
    settled_at,
    times,
    wave,
)
from stepsize.torch.importing._future import Future, Reader, chained, moved

__all__ = ["RateReader", "refuse_unknown"]


class RateReader(Reader):
    """Reads what schedulers do to the learning rate.

    Args:
        group: The optimizer's group.
        index: Its number.
        rate: What the group holds now.
        base: What the curves are multiples of.
        precision: The relative difference below which rates are the same.
    """

    def __init__(
        self, group: Group, index: int, rate: float, base: float, precision: float
    ) -> None:
        super().__init__(group, index, rate / base, precision)
        self._base = base

    def _told(self, value: float) -> str:
        return repr(float(f"{value * self._base:.12g}"))

    def _own(self, scheduler: Any) -> float:
        return own_base(scheduler, self._group, self._index) / self._base

    def _leaf_now(self, scheduler: Any) -> Future:
        kind = kind_of(scheduler)
        if kind is CosineAnnealingLR:
            return self._cosine_now(scheduler)
        if kind is SWALR:
            return self._averaging_now(scheduler)
        return Future(self._leaf_anew(scheduler, 0), clock_of(scheduler), kind in MULTIPLYING)

    def _leaf_anew(self, scheduler: Any, carried: float) -> Schedule:
        kind = kind_of(scheduler)
        if kind in MULTIPLYING:
            return times(MULTIPLYING[kind](scheduler), self._own(scheduler))
        if kind in WRITING:
            return WRITING[kind](scheduler, self._group, self._index, self._base)
        if kind is CosineAnnealingLR:
            return wave(scheduler.T_max, self._own(scheduler), scheduler.eta_min / self._base)
        if kind is SWALR:
            return self._averaging(scheduler, carried)
        raise _unknown(scheduler)

    # ---------------------------------------------------------------- mixing

    def _cosine_now(self, scheduler: Any) -> Future:
        top, floor = self._own(scheduler), scheduler.eta_min / self._base
        steps, at, value = scheduler.T_max, scheduler.last_epoch, self._value
        curve = wave(steps, top, floor)
        weight = (1 + cos(pi * at / steps)) / 2
        expected = floor + (top - floor) * weight
        if self._same(value, expected, self._precision * max(abs(top), abs(floor))):
            return Future(curve, at)
        if at % (2 * steps) == steps or steps != int(steps):
            raise InvalidValue(
                call_of(scheduler),
                "a rate that was set by hand can be followed unless it is at the bottom of "
                f"the wave, position {at}, or T_max is not a whole number",
                f"it is {self._told(value)} instead of {self._told(expected)}",
                "Set it back.",
            )
        # The height that the rate was given lasts until the bottom, where torch adds its own again.
        height = floor + (value - floor) / weight
        self.surprises.append(
            f"it is {self._told(value)}, where the scheduler's own formula gives "
            f"{self._told(expected)}: it goes on from the former, as torch would, to the bottom"
        )
        bottom = steps * (2 * ((at + steps) // (2 * steps)) + 1)
        given = Cosine(steps, height, floor) if bottom == steps else wave(steps, height, floor)
        rising = Cosine(steps, floor, top) >> Cosine(steps, top, floor)
        return Future(lasting(given, bottom) >> rising.repeat(), at)

    def _averaging_now(self, scheduler: Any) -> Future:
        done, steps = scheduler._step_count - 1, scheduler.anneal_epochs
        if done >= steps:
            return Future(Constant(self._averaged(scheduler)), done)
        # It follows from the present rate where the line to the averaging rate began.
        way = scheduler.anneal_func(done / steps)
        end = self._averaged(scheduler)
        return Future(self._averaging(scheduler, (self._value - way * end) / (1 - way)), done)

    def _averaging(self, scheduler: Any, start: float) -> Schedule:
        steps, end = scheduler.anneal_epochs, self._averaged(scheduler)
        shape = Cosine if scheduler._anneal_strategy == "cos" else Linear
        return shape(steps, start, end)

    def _averaged(self, scheduler: Any) -> float:
        given = self._group.get("swa_lr")
        if given is None:
            raise InvalidValue(
                call_of(scheduler),
                "its rate stands in the optimizer's groups",
                f"group {self._index} has no swa_lr",
                "Load the optimizer's state before it is built.",
            )
        return float(given) / self._base

    # ---------------------------------------------------------------- one upon another

    def _chain_now(self, chain: Any, children: Sequence[Any]) -> Future:
        kinds = [kind_of(child) for child in children]
        writing = [place for place, kind in enumerate(kinds) if kind in WRITING]
        if writing:
            # What stands before the last that writes is overwritten, and what stands after it
            # has multiplied only one step's rate when it is written again.
            after = children[writing[-1] + 1 :]
            if all(_is_done(child, before=1) for child in after):
                return self.now(children[writing[-1]])
            raise _no_product(chain)
        moving = [child for child in children if not _is_done(child)]
        if all(kind in MULTIPLYING for kind in kinds):
            return Future(self._product(children), children[0].last_epoch, multiplies=True)
        if len(moving) == 1:
            return self.now(moving[0])
        mixing = [child for child in moving if kind_of(child) not in MULTIPLYING]
        if len(mixing) == 1 and _falls_to_zero(mixing[0]):
            return self._falling_product(children, mixing[0])
        raise _no_product(chain)

    def _chain_anew(self, chain: Any, children: Sequence[Any], carried: float) -> Schedule:
        if len(children) == 1:
            return self.anew(children[0], carried)
        kinds = [kind_of(child) for child in children]
        if any(kind not in MULTIPLYING for kind in kinds):
            raise _no_product(chain)
        return self._product(children, fresh=True)

    def _product(self, children: Sequence[Any], fresh: bool = False) -> Schedule:
        """On the clock of the first."""
        clock = children[0].last_epoch
        factors = [
            moved(_factor(child), 0 if fresh else child.last_epoch - clock) for child in children
        ]
        return times(reduce(mul, factors), self._own(children[0]))

    def _falling_product(self, children: Sequence[Any], cosine: Any) -> Future:
        """The chain of a cosine that has no floor, and of others that multiply."""
        clock = children[0].last_epoch
        future = Future(self._product(children), clock, multiplies=True)
        bottom = cosine.T_max - (cosine.last_epoch - clock)
        others = [child for child in children if child is not cosine]
        if any(settled_at(each) - (each.last_epoch - clock) > bottom for each in others):
            self.surprises.append(
                f"the chain is at 0 from position {bottom} on: there torch's cosine would rise "
                "again, to another height than the product's"
            )
            return future
        curve, factor = self.settle(future)
        top = self._own(cosine)
        rising = Cosine(cosine.T_max, 0, top) >> Cosine(cosine.T_max, top, 0)
        return Future(lasting(times(curve, factor), bottom) >> rising.repeat(), clock)


def _factor(scheduler: Any) -> Schedule:
    """What it multiplies by: a cosine without a floor does, up to its bottom."""
    if kind_of(scheduler) is CosineAnnealingLR:
        return Cosine(scheduler.T_max)
    return MULTIPLYING[kind_of(scheduler)](scheduler)


def _is_done(scheduler: Any, before: float = 0) -> bool:
    """Whether it multiplies by 1 from here on, and did already in its last ``before`` steps."""
    return (
        kind_of(scheduler) in MULTIPLYING and settled_at(scheduler) <= scheduler.last_epoch - before
    )


def _falls_to_zero(scheduler: Any) -> bool:
    return (
        kind_of(scheduler) is CosineAnnealingLR
        and scheduler.eta_min == 0
        and scheduler.last_epoch < scheduler.T_max
    )


# ------------------------------------------------------------------ refusals


def _no_product(chain: Any) -> InvalidValue:
    parts = ", ".join(type(child).__name__ for child in chained(chain))
    return InvalidValue(
        call_of(chain),
        "what the parts of a chain do must be a product",
        f"of {parts} at least one does not multiply: it writes over what the others did, or "
        "pulls it towards a floor, so that torch's rates depend on their order",
        "If the product was meant, read each part alone and write it: attach(optimizer, a * "
        "b). If only one of them still moves later, this chain can be read then.",
    )


def refuse_unknown(scheduler: object) -> None:
    """Refuse everything but the schedulers that have a formula.

    Raises:
        InvalidType: It is something else.
    """
    if kind_of(scheduler) not in _KNOWN:
        raise _unknown(scheduler)


def _plateau(scheduler: Any) -> Plateau:
    rate, least = float(scheduler.optimizer.param_groups[0]["lr"]), float(scheduler.min_lrs[0])
    return Plateau(
        metric="val_loss",
        mode=scheduler.mode,
        factor=scheduler.factor,
        patience=scheduler.patience,
        threshold=scheduler.threshold,
        threshold_mode="relative" if scheduler.threshold_mode == "rel" else "absolute",
        cooldown=scheduler.cooldown,
        floor=min(least / rate, 1.0) if rate > 0 else 0.0,
    )


def _unknown(scheduler: object) -> InvalidType:
    call = call_of(scheduler)
    if isinstance(scheduler, ReduceLROnPlateau):
        return InvalidType(
            call,
            "a schedule is known before the run",
            "this one follows a metric",
            "Its twin in stepsize.controllers is a controller: attach(optimizer, "
            f"Policy(Constant(), [{_plateau(scheduler)!r}])); tell it the metric by "
            "rate.observe(val_loss=...). It starts with a new best value, and where a metric "
            "is negative or NaN it does better.",
        )
    if isinstance(scheduler, MultiplicativeLR):
        return InvalidType(
            call,
            "a rate must follow a formula",
            "its functions say by how much each step changes it, and only their values can be seen",
            "The same ratio at every step is Exponential(ratio); else write the product under "
            '@schedule_function("a_name") and go on with attach(optimizer, Function(it), '
            "position=scheduler.last_epoch).",
        )
    known = ", ".join(sorted(each.__name__ for each in _KNOWN))
    return InvalidType(
        call,
        f"the scheduler must be one of torch's own with a formula ({known})",
        f"is a {type(scheduler).__name__}",
        "If it wraps one, pass that, often .scheduler; else write its formula as an "
        "expression, or as Function(it), and go on with attach(optimizer, it, position=...).",
    )


_KNOWN: Collection[type[object]] = {
    *MULTIPLYING,
    *WRITING,
    CosineAnnealingLR,
    SWALR,
    SequentialLR,
    ChainedScheduler,
}
