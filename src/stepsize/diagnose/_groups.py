"""Rules about single groups of parameters."""

from typing import Final

import numpy as np

from stepsize.diagnose._advice import in_two_digits
from stepsize.diagnose._levels import rule
from stepsize.diagnose._view import EMPTY, RunView, cleaned
from stepsize.messages import Message
from stepsize.rules import Finding

__all__ = ["group_barely_moving"]

_STILL: Final = 1e-5
_BEHIND: Final = 100.0
_USUAL: Final = 1e-3
_FEWEST_RATES: Final = 10
_MOST_TIMES: Final = 10.0


def _has_groups(run: RunView) -> bool:
    return bool(run.update_ratios) or (len(run.rates) > 1 and run.has_rate)


@rule(
    needs="curves update_ratio/<group>, the norm of an update over that of its weights; or the "
    "rates of several groups at 10 points",
    source="a ratio of about 1e-3 is usual (Karpathy, CS231n notes); equal ratios in all layers "
    "are what LARS (arXiv 1708.03888) aims at",
    applies=_has_groups,
)
def group_barely_moving(run: RunView) -> Finding | None:
    """One group of parameters hardly changes while the others train.

    The median of its update-to-weight ratio is below 1e-5, or a hundredth of the median of the
    other groups; or its rate is 0 in the whole run, which is possibly meant.
    """
    return _by_ratio(run) or _by_rate(run)


def _by_ratio(run: RunView) -> Finding | None:
    medians = {name: each.level for name, each in run.update_ratios.items() if len(each)}
    if not medians:
        return None
    name = min(medians, key=lambda each: medians[each])
    others = [ratio for each, ratio in medians.items() if each != name]
    usual = float(np.median(others)) if others else _USUAL
    ratio = medians[name]
    if not (ratio < _STILL or ratio * _BEHIND < usual):
        return None
    curve = run.update_ratios[name]
    return Finding(
        Message(
            "The group {group:names} changes by {ratio:number 2} of its weights per update; the "
            "other groups by {usual:number 2} in the median.",
            group=[repr(name)],
            ratio=ratio,
            usual=usual,
        )
        if others
        else Message(
            "The group {group:names} changes by {ratio:number 2} of its weights per update; about "
            "{usual:number} is usual.",
            group=[repr(name)],
            ratio=ratio,
            usual=usual,
        ),
        Message(
            "See that its gradient arrives (requires_grad, detach, a saturated layer)."
            "{raised:message}",
            raised=_raised(run, name, usual / ratio) if ratio > 0 else None,
        ),
        start=float(curve.positions[0]),
        end=float(curve.positions[-1]),
        numbers={"ratio": ratio, "others": usual},
    )


def _raised(run: RunView, group: str, times: float) -> Message:
    own = cleaned(run.rates.get(f"lr/{group}", EMPTY))
    factor = min(times, _MOST_TIMES)
    if not len(own):
        return Message(
            " If it does, give the group {times:number 2} times its rate, and look again.",
            times=factor,
        )
    highest = float(own.values.max())
    return Message(
        " If it does, give the group {times:number 2} times its rate, {higher:rate} instead of "
        "{rate:rate}, and look again.",
        times=factor,
        higher=in_two_digits(highest * factor),
        rate=in_two_digits(highest),
    )


def _by_rate(run: RunView) -> Finding | None:
    if len(run.rates) < 2 or not run.has_rate:
        return None
    for name, curve in run.rates.items():
        rates = cleaned(curve)
        if len(rates) >= _FEWEST_RATES and not rates.values.any():
            return Finding(
                Message(
                    "The rate of {group:names} is 0 in the whole run, while that of others goes up "
                    "to {peak:rate}.",
                    group=[repr(name)],
                    peak=in_two_digits(run.peak),
                ),
                Message(
                    "If the group is meant to be frozen, take it out of the optimizer; if not, "
                    "give it a base rate above 0."
                ),
                start=float(rates.positions[0]),
                end=float(rates.positions[-1]),
                numbers={"rate": 0.0, "highest": run.peak},
                level="possible",
            )
    return None
