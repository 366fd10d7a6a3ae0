"""Rules about single groups of parameters."""

from typing import Final

import numpy as np

from stepsize.diagnose._loss import rate_text
from stepsize.diagnose._rule import Found, rule
from stepsize.diagnose._view import EMPTY, RunView, cleaned
from stepsize.words import number_text

__all__ = ["group_barely_moving"]

_STILL: Final = 1e-5
_BEHIND: Final = 100.0
_USUAL: Final = 1e-3


@rule(
    needs="curves update_ratio/<group>, the norm of an update over that of its weights; or the "
    "rates of several groups",
    source="a ratio of about 1e-3 is usual (Karpathy, CS231n notes); equal ratios in all layers "
    "are what LARS (arXiv 1708.03888) aims at",
)
def group_barely_moving(run: RunView) -> Found | None:
    """One group of parameters hardly changes while the others train.

    The median of its update-to-weight ratio is below 1e-5, or a hundredth of the median of the
    other groups; or its rate is 0 in the whole run.
    """
    return _by_ratio(run) or _by_rate(run)


def _by_ratio(run: RunView) -> Found | None:
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
    return Found(
        "likely",
        f"The group {name!r} changes by {number_text(ratio, 2)} of its weights per update; "
        + (
            f"the other groups by {number_text(usual, 2)} in the median."
            if others
            else f"about {number_text(_USUAL)} is usual."
        ),
        "See that its gradient arrives (requires_grad, detach, a saturated layer)."
        + (_raised(run, name, usual / ratio) if ratio > 0 else ""),
        start=float(curve.positions[0]),
        end=float(curve.positions[-1]),
        numbers={"ratio": ratio, "others": usual},
    )


def _raised(run: RunView, group: str, times: float) -> str:
    own = cleaned(run.rates.get(f"lr/{group}", EMPTY))
    text = f" If it does, give the group {number_text(times, 2)} times its rate"
    if len(own):
        highest = float(own.values.max())
        text += f", {rate_text(highest * times)} instead of {rate_text(highest)}"
    return f"{text}; a tenth of that first."


def _by_rate(run: RunView) -> Found | None:
    if len(run.rates) < 2 or not run.has_rate:
        return None
    for name, curve in run.rates.items():
        rates = cleaned(curve)
        if len(rates) > 1 and not rates.values.any():
            return Found(
                "certain",
                f"The rate of {name!r} is 0 in the whole run, while that of others goes up to "
                f"{rate_text(run.peak)}.",
                "If the group is meant to be frozen, take it out of the optimizer; if not, give it "
                "a base rate above 0.",
                start=float(rates.positions[0]),
                end=float(rates.positions[-1]),
                numbers={"rate": 0.0, "highest": run.peak},
            )
    return None
