"""Rules about the height of the rate and its rise: is it too low, does it come too fast."""

import itertools
import math
from dataclasses import dataclass
from typing import Final

import numpy as np

from stepsize.diagnose._loss import rate_text
from stepsize.diagnose._rule import Found, rule
from stepsize.diagnose._trend import Array, Fall, Trend
from stepsize.diagnose._view import RunView
from stepsize.words import number_text, position_text

__all__ = ["rate_too_low", "warmup_too_short"]

_FEWEST_POINTS: Final = 50
_EARLY: Final = 0.1
_BUMP: Final = 0.1
_BUMP_NOISE: Final = 5.0
_UNTUNED_WARMUP: Final = 2_000
_LONGEST_WARMUP: Final = 0.1
_SETTLED: Final = 0.3
_REACH: Final = 7
_SPIKE: Final = 3.0
_DECAYED: Final = 0.3
_NEAR: Final = 0.05
_MISSING: Final = 0.02
_SLOWER: Final = 0.4
_NO_GAIN: Final = 0.2
_LITTLE_GAIN: Final = 0.4
_STRAIGHT: Final = 0.25


@rule(
    needs="the training loss and the rate",
    source="Ma & Yarats 2021 (arXiv 1910.04209): 2 / (1 - β₂) steps of linear warmup for Adam; "
    "Goyal et al. 2017 (arXiv 1706.02677): five epochs for large batches",
)
def warmup_too_short(run: RunView) -> Found | None:
    """The rate came up too fast: the loss shot up at the beginning, and recovered.

    In the first tenth of the run the loss rises by more than 10 % of the whole descent and 5 times
    its noise above a point before, and comes back below that point.
    """
    loss = run.loss
    if len(loss) < _FEWEST_POINTS or not run.has_rate or not run.descent > 0:
        return None
    early = loss.between(run.first, run.first + _EARLY * run.length)
    if len(early) < 5:
        return None
    curve = early.running_median(1)
    lowest = np.minimum.accumulate(curve)
    risen = curve - lowest
    top = int(np.argmax(risen))
    rise = float(risen[top])
    if not rise > max(
        _BUMP * run.descent, _BUMP_NOISE * early.between(early.positions[top], run.last).noise
    ):
        return None
    if not rise > _BUMP_NOISE * Trend(loss.positions, loss.values).noise:
        return None
    if loss.between(run.first + _EARLY * run.length, run.last).level > lowest[top]:
        return None
    warmup = run.peak_at - run.first
    if warmup > _LONGEST_WARMUP * run.length:
        return None
    longest = max(2, int(_LONGEST_WARMUP * run.length))
    advised = min(max(round(4 * warmup), round(longest / 2)), longest, max(_UNTUNED_WARMUP, 1))
    at = float(early.positions[top])
    return Found(
        "likely",
        f"The loss rose from {number_text(float(lowest[top]))} to "
        f"{number_text(float(curve[top]))} by step {position_text(at)}, "
        f"{100 * (rise / run.descent):.0f} % of the whole descent, and recovered. The rate was at "
        f"its peak, {rate_text(run.peak)}, by step {position_text(run.peak_at)}.",
        f"Warm up over {position_text(advised)} steps instead of {position_text(warmup)}: "
        f"Warmup({advised + 1}).skip(1) >> ... For Adam's β₂ = 0.999, 2 / (1 - β₂) is 2,000 steps, "
        "at most a tenth of the run.",
        start=run.first,
        end=at,
        numbers={"rise": rise, "warmup": warmup, "advised_warmup": advised},
    )


@dataclass(frozen=True)
class _Shares:
    """What brought the loss down in the later part of a run, each with its standard error.

    Args:
        sum: The fall that goes with the summed rate, or with its logarithm.
        decay: The fall that goes with the rate's own decay, at the same sum.
        remainder: The variance that neither explains.
    """

    sum: Fall
    decay: Fall
    remainder: float

    @property
    def lowest_decay(self) -> float:
        """What the decay brought at least, to two standard errors."""
        return self.decay.size - 2 * self.decay.error

    @property
    def highest_ratio(self) -> float:
        """How much the decay brought of what the sum brought, two standard errors included."""
        return (self.decay.size + 2 * self.decay.error) / self.sum.size


@rule(
    needs="the training loss and the rate",
    source="a decay lowers the loss below what the sum of the rates does, in proportion to the "
    "rate (momentum law, Tissue et al. 2024, arXiv 2408.11029); on 124M Llamas (arXiv 2501.18965) "
    "the ratio is 0.1 to 0.4 at a tenth of the best rate, 0.7 to 1.2 at a third, 1.2 to 5 at it",
)
def rate_too_low(run: RunView) -> Found | None:
    """The rate was low throughout: its decay brought nothing that the mere sum of rates would not.

    Once 30 % of the summed rate is spent, the decay brings less than 0.4 of what the sum brings,
    two standard errors included (least squares of the loss on the logarithm of the sum and on the
    rate), and the sum still brings something at the end. Or the second half of the summed rate
    brings a quarter of the whole descent, in a log that holds the beginning: the loss falls almost
    in a straight line.
    """
    if len(run.loss) < _FEWEST_POINTS or not run.has_rate or not run.descent > 0:
        return None
    spent = _spent(run)
    if spent is None or _rose(run, spent):
        return None
    return _straight(run, spent) or _without_gain(run, spent)


def _spent(run: RunView) -> Array | None:
    """At each point of the loss, the part of the summed rate that is spent."""
    positions = run.loss.positions
    rates = np.interp(positions, run.rate.positions, run.rate.values)
    total = np.cumsum(rates * np.diff(positions, prepend=run.first))
    return total / total[-1] if total[-1] > 0 else None


def _rose(run: RunView, spent: Array) -> bool:
    """Whether the loss was lower before than in the middle, or higher there than at first.

    At too high a rate it looks like that, even where it falls later.
    """
    loss = run.loss
    half, end = _levels(run, spent)
    middles, levels = loss.windows
    before = levels[middles < loss.positions[np.argmax(spent >= 0.5)]]
    # The lowest of many windows is low by chance, too.
    chance = 4 * loss.noise * math.sqrt(len(levels) / len(loss))
    lowest = before.min(initial=math.inf) + max(chance, (half - end) / 2)
    return half > run.begins + 2 * loss.noise or lowest < half


def _levels(run: RunView, spent: Array) -> tuple[float, float]:
    """The loss where half of the summed rate is spent, and at the end."""
    loss = run.loss
    middle, last = (np.abs(spent - part) <= _NEAR for part in (0.5, 1.0))
    return (
        Trend(loss.positions[middle], loss.values[middle]).level,
        Trend(loss.positions[last], loss.values[last]).level,
    )


def _without_gain(run: RunView, spent: Array) -> Found | None:
    if run.last_rate > _DECAYED * run.peak:
        return None
    shares = _shares(run, spent, np.log(spent))
    if shares is None or shares.sum.size < 3 * shares.sum.error:
        return None
    ratio = shares.decay.size / shares.sum.size
    highest = shares.highest_ratio
    if highest > _LITTLE_GAIN or not _falls_on(run.loss, spent):
        return None
    return Found(
        "likely" if highest < _NO_GAIN else "possible",
        f"Since 30 % of the summed rate was spent, the sum brought the loss down by "
        f"{number_text(shares.sum.size, 2)} (± {number_text(shares.sum.error, 1)}) and the decay "
        f"of the rate by {number_text(shares.decay.size, 2)} (± "
        f"{number_text(shares.decay.error, 1)}): there was no noise to take away at the peak, "
        f"{rate_text(run.peak)}.",
        _higher(run),
        start=run.first,
        end=run.last,
        numbers={"ratio": ratio, "highest_ratio": highest, "peak": run.peak},
    )


def _falls_on(loss: Trend, spent: Array) -> bool:
    """Whether the loss falls as a power of the sum does, and not to a floor, such as 0."""
    edges = (_SETTLED, math.sqrt(_SETTLED), 1.0)
    early, late = (
        Trend(np.log(spent[inside]), loss.values[inside]).fall.size
        for low, high in itertools.pairwise(edges)
        for inside in [(spent >= low) & (spent <= high)]
    )
    return late > _SLOWER * early


def _shares(run: RunView, spent: Array, measure: Array) -> _Shares | None:
    loss = run.loss
    rates = np.interp(loss.positions, run.rate.positions, run.rate.values)
    # Spikes would pull the fit.
    apart = np.abs(loss.values - loss.running_median(_REACH))
    later = (spent >= _SETTLED) & (apart <= _SPIKE * np.quantile(apart, 0.9))
    count = int(later.sum())
    if count < _FEWEST_POINTS:
        return None
    causes = np.stack([np.ones(count), -measure[later], rates[later] / run.peak], axis=1)
    effect = loss.values[later]
    coefficients, _, rank, _ = np.linalg.lstsq(causes, effect)
    if rank < causes.shape[1]:
        return None
    remainder = effect - causes @ coefficients
    variance = float(remainder @ remainder) / (count - 3)
    covariance = np.linalg.inv(causes.T @ causes) * variance
    _, by_sum, by_decay = (
        Fall(float(size), float(error))
        for size, error in zip(coefficients, np.sqrt(np.diag(covariance)), strict=True)
    )
    span = float(np.ptp(measure[later]))
    return _Shares(Fall(span * by_sum.size, span * by_sum.error), by_decay, variance)


def _straight(run: RunView, spent: Array) -> Found | None:
    loss = run.loss
    if loss.positions[0] - min(run.first, 0.0) > _MISSING * run.length:
        return None  # its steepest part was not logged
    half, end = _levels(run, spent)
    share = (half - end) / run.descent
    later = Trend(loss.positions[spent >= _SETTLED], loss.values[spent >= _SETTLED]).fall
    if not (share > _STRAIGHT and later.size > 5 * later.error):
        return None
    fits = [_shares(run, spent, measure) for measure in (spent, np.log(spent))]
    shares = min((each for each in fits if each), key=lambda each: each.remainder, default=None)
    if shares is not None and shares.lowest_decay > _LITTLE_GAIN * shares.sum.size:
        return None  # the decay brought it
    return Found(
        "likely" if share > 1.5 * _STRAIGHT else "possible",
        f"The second half of the summed rate brought {100 * share:.0f} % of the whole descent: the "
        f"loss still falls almost in a straight line at a peak rate of {rate_text(run.peak)}.",
        _higher(run),
        start=float(loss.positions[np.argmax(spent >= 0.5)]),
        end=run.last,
        numbers={"share": share, "peak": run.peak},
    )


def _higher(run: RunView) -> str:
    return (
        f"Try a peak of {rate_text(3 * run.peak)} and {rate_text(10 * run.peak)} instead of "
        f"{rate_text(run.peak)} over a tenth of the run, or let stepsize find it: "
        "stepsize.find.range_test(training)."
    )
