"""Which batches did it? They are tried again, without updates, at the weights from before.

A batch is bad itself if its loss or its data are far from the usual at weights that are known to be
good, and the batches after it are ordinary at the same weights. Where none is ordinary the weights
are broken already; where none is bad, the rate (or chance) is to blame.
"""

import sys
from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass
from functools import reduce
from math import isfinite
from statistics import median
from typing import Any, TypeAlias

from stepsize.driving import Cause
from stepsize.messages import Message
from stepsize.signals import Observation
from stepsize.statistics import deviation
from stepsize.training._abilities import CanExamine, CanSkip
from stepsize.training._protocol import Factors, Training

__all__ = ["Agree", "find_cause"]

Agree: TypeAlias = Callable[[Observation], Observation]
"""From what one rank saw to what all decide on; the identity where there is one."""

_LONGEST_STRETCH = 100
_ORDINARY_IN_A_ROW = 5
_FEWEST_USUAL = 8
_BROKEN_IN_A_ROW = 8
_DEVIATIONS = 6.0
# Where several batches are bad, their neighbours are suspected, too.
_STRETCH = 3
_DEVIATIONS_IN_A_STRETCH = 3.0
_LEAST_EXCESS = 0.1
_OUT_OF_RANGE = 10.0
_HIGH_AMONG_USUAL = 0.9


@dataclass(frozen=True)
class _Tried:
    number: int
    loss: float | None
    largest: Mapping[str, float]
    not_finite: Set[str]

    @property
    def is_broken(self) -> bool:
        return bool(self.not_finite) or not isfinite(self.loss or 0)


def find_cause(
    training: Training,
    snapshot: Any,
    factors: Factors,
    *,
    drawn: range,
    suspects: int,
    passing: Set[int],
    usual: Sequence[float],
    agree: Agree,
) -> Cause:
    """Try the suspected batches. The training is at the snapshot afterwards.

    Args:
        training: What is tried.
        snapshot: Where it is at the start of ``drawn``.
        factors: What to step at: the rate 0.
        drawn: The numbers of the batches from the snapshot to the trouble.
        suspects: How many of them, the last, may have done it.
        passing: Which are passed over already.
        usual: The losses before the snapshot.
        agree: Ranks that try batches of their own judge them alike.
    """
    training.restore(snapshot)
    if not isinstance(training, CanSkip):
        words = Message(
            "{training:name} has no skip(steps), so all batches return",
            training=type(training).__name__,
        )
        return Cause(frozenset(), "rate", words)
    used = [number for number in drawn if number not in passing]
    suspected = used[-suspects:]
    # The update before may have broken what the first suspect shows.
    number = used[max(0, len(used) - suspects - 1)] if used else drawn.start
    training.skip(number - drawn.start)
    tried: list[_Tried] = []
    ends_well = False
    broken = 0
    while not ends_well and len(tried) < suspects + _LONGEST_STRETCH and broken < _BROKEN_IN_A_ROW:
        if number in passing:
            training.skip(1)
        else:
            tried.append(_try(training, factors, number, agree))
            broken = broken + 1 if tried[-1].is_broken else 0
            if broken:
                # Even at the rate 0 a gradient of NaN makes NaN of the weights.
                training.restore(snapshot)
                training.skip(number + 1 - drawn.start)
        number += 1
        ends_well = number >= drawn.stop and _ends_well(tried, usual)
    training.restore(snapshot)
    bad = _bad(tried, usual)
    if not ends_well and not (broken and any(not each.is_broken for each in tried)):
        words = Message(
            "the batches are not as usual at the weights of that step: {losses:message}",
            losses=_losses(tried),
        )
        return Cause(frozenset(suspected), "weights", words)
    if bad:
        good = [each for each in tried if each not in bad]
        return Cause(frozenset(each.number for each in bad), "batches", _about_bad(bad, good))
    words = Message(
        "the batches are ordinary at the weights of that step: {losses:message}",
        losses=_losses(tried),
    )
    return Cause(frozenset(suspected), "rate", words)


def _ends_well(tried: Sequence[_Tried], usual: Sequence[float]) -> bool:
    """Whether the last few batches are ordinary, each by itself and all together."""
    last = tried[-_ORDINARY_IN_A_ROW:]
    bad = _bad(tried, usual)
    if len(last) < _ORDINARY_IN_A_ROW or any(each in bad for each in last):
        return False
    losses = [each.loss for each in last if each.loss is not None]
    if not losses or len(usual) < _FEWEST_USUAL:
        return True
    return median(losses) <= sorted(usual)[int(_HIGH_AMONG_USUAL * len(usual))]


def _try(training: Training, factors: Factors, number: int, agree: Agree) -> _Tried:
    metrics: dict[str, float] = {}
    loss = training.step(factors).metrics.get("loss")
    if loss is not None:
        metrics["loss"] = loss
    names: list[str] = []
    for found in training.examine() if isinstance(training, CanExamine) else ():
        names.append(found.name)
        metrics[f"not finite in {found.name}"] = found.not_finite
        size = max(abs(found.lowest), abs(found.highest))
        metrics[f"largest of {found.name}"] = size if isfinite(size) else 0.0
    seen = agree(Observation(metrics)).metrics
    return _Tried(
        number,
        seen.get("loss"),
        {name: seen[f"largest of {name}"] for name in names},
        {name for name in names if seen[f"not finite in {name}"]},
    )


def _bad(tried: Sequence[_Tried], usual: Sequence[float]) -> list[_Tried]:
    limit = _highest_ordinary_loss(tried, usual, _DEVIATIONS)
    outside = sum(each.loss is not None and limit < each.loss for each in tried)
    if outside >= _STRETCH:
        limit = _highest_ordinary_loss(tried, usual, _DEVIATIONS_IN_A_STRETCH)
    middles = {
        name: median(each.largest.get(name, 0.0) for each in tried)
        for name in {name for each in tried for name in each.largest}
    }
    comparable = len(tried) >= _ORDINARY_IN_A_ROW
    return [
        each
        for each in tried
        if each.is_broken
        or (each.loss is not None and limit < each.loss)
        or (comparable and _out_of_range(each, middles))
    ]


def _highest_ordinary_loss(
    tried: Sequence[_Tried], usual: Sequence[float], deviations: float
) -> float:
    own = [each.loss for each in tried if each.loss is not None]
    known = [loss for loss in (usual if len(usual) >= _FEWEST_USUAL else own) if isfinite(loss)]
    if len(known) < _FEWEST_USUAL:
        return sys.float_info.max  # only what is not finite is above it
    middle = median(known)
    return middle + max(deviations * deviation(known), _LEAST_EXCESS * abs(middle))


def _out_of_range(each: _Tried, middles: Mapping[str, float]) -> Sequence[str]:
    return [name for name, size in each.largest.items() if size > _OUT_OF_RANGE * middles[name] > 0]


def _losses(tried: Sequence[_Tried]) -> Message:
    losses = [each.loss for each in tried if each.loss is not None]
    if not losses:
        return Message("no loss is measured")
    low, high = min(losses), max(losses)
    if not low < high:  # NaN is neither
        return Message("loss {loss:number}", loss=low)
    return Message("loss {low:number} to {high:number}", low=low, high=high)


def _about_bad(bad: Sequence[_Tried], good: Sequence[_Tried]) -> Message:
    numbers = [each.number for each in bad]
    which = (
        Message("batch {number:position} is", number=numbers[0])
        if len(bad) == 1
        else Message(
            "{count:count|batch|batches} from {first:position} to {last:position} are",
            count=len(bad),
            first=numbers[0],
            last=numbers[-1],
        )
    )
    seen = [*_about_data(bad, good), _losses(bad)]
    if good:
        seen.append(Message("where {losses:message} is usual", losses=_losses(good)))
    return Message(
        "{which:message} to blame ({seen:message}) and passed over",
        which=which,
        seen=reduce(_and_then, seen),
    )


def _and_then(first: Message, second: Message) -> Message:
    return Message("{first:message}, {second:message}", first=first, second=second)


def _about_data(bad: Sequence[_Tried], good: Sequence[_Tried]) -> list[Message]:
    found: list[Message] = []
    names = {name for each in bad for name in each.not_finite}
    if names:
        found.append(Message("numbers of {names:names} are not finite", names=tuple(sorted(names))))
    usual = _largest(good)
    for name, largest in _largest(bad).items():
        if name in usual and largest > _OUT_OF_RANGE * usual[name]:
            found.append(
                Message(
                    "{name:name} reaches {largest:number 3}, where {usual:number 3} is usual",
                    name=name,
                    largest=largest,
                    usual=usual[name],
                )
            )
    return found


def _largest(tried: Sequence[_Tried]) -> Mapping[str, float]:
    names = {name for each in tried for name in each.largest}
    return {name: max(each.largest.get(name, 0.0) for each in tried) for name in sorted(names)}
