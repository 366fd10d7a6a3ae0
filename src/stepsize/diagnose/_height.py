"""The rule about a rate that was low throughout."""

import itertools
import math
from dataclasses import dataclass
from typing import Final

import numpy as np

from stepsize.diagnose._advice import in_two_digits
from stepsize.diagnose._endings import has_no_end
from stepsize.diagnose._levels import rule
from stepsize.diagnose._trend import Array, Fall, Trend
from stepsize.diagnose._view import RunView
from stepsize.messages import Message
from stepsize.rules import Finding

__all__ = ["rate_too_low"]

_FEWEST_POINTS: Final = 50
_SETTLED: Final = 0.3
_REACH: Final = 7
_SPIKE: Final = 3.0
_DECAYED: Final = 0.3
_NEAR: Final = 0.05
_MISSING: Final = 0.02
_SLOWER: Final = 0.4
_LITTLE_GAIN: Final = 0.4
_FITS: Final = 1.25
_UNEXPLAINED: Final = 0.18
_SOME_GAIN: Final = 0.15
_STRAIGHT: Final = 0.33
_SURELY_STRAIGHT: Final = 0.45
_STRAIGHT_PART: Final = 0.08


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

    def fits(self, noise: float) -> bool:
        """Whether what neither explains is the noise of the points."""
        return math.sqrt(self.remainder) < _FITS * noise

    @property
    def lowest_decay(self) -> float:
        """What the decay brought at least, to two standard errors."""
        return self.decay.size - 2 * self.decay.error

    @property
    def highest_ratio(self) -> float:
        """How much the decay brought of what the sum brought, two standard errors included."""
        return (self.decay.size + 2 * self.decay.error) / self.sum.size


def _holds_all(run: RunView) -> bool:
    known = len(run.loss) >= _FEWEST_POINTS and run.rate_is_whole and run.descent > 0
    # What an endless decay and the sum of the rates bring cannot be told apart.
    return known and not run.begins_late and not run.is_multiple and not has_no_end(run)


@rule(
    needs="the training loss at 50 points from the beginning of the run, and the rate to its end",
    source="a decay lowers the loss below what the sum of the rates does, in proportion to the "
    "rate (momentum law, Tissue et al. 2024, arXiv 2408.11029); on 124M Llamas (arXiv 2501.18965) "
    "the ratio is 0.1 to 0.4 at a tenth of the best rate, 0.7 to 1.2 at a third, 1.2 to 5 at it",
    applies=_holds_all,
)
def rate_too_low(run: RunView) -> Finding | None:
    """The rate was low throughout: its decay brought nothing that the mere sum of rates would not.

    Once 30 % of the summed rate is spent, the decay brings less than 0.4 of what the sum brings,
    two standard errors included, and is not known to bring 0.15 of it (least squares of the loss on
    the logarithm of the sum and on the rate, which leave no more than the noise of the points), and
    the sum still brings something at the end. Or the second half of the summed rate
    brings a third of the whole descent, a twelfth in each of its halves, in a log that holds the
    beginning: the loss falls almost in a straight line, and this is likely; the rest is possible. A
    rate that decays without an end, as an exponential, says nothing here.
    """
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
    return _level_at(run, spent, 0.5), _level_at(run, spent, 1.0)


def _level_at(run: RunView, spent: Array, part: float) -> float:
    near = np.abs(spent - part) <= _NEAR
    return Trend(run.loss.positions[near], run.loss.values[near]).level


def _without_gain(run: RunView, spent: Array) -> Finding | None:
    if run.last_rate > _DECAYED * run.peak:
        return None
    shares = _shares(run, spent, np.log(spent))
    if shares is None or shares.sum.size < 3 * shares.sum.error:
        return None
    # Where the sum's logarithm does not describe the loss, a part of one cause is not known.
    ratio = shares.decay.size / shares.sum.size
    if not shares.fits(run.loss.noise) or ratio < -_UNEXPLAINED:
        return None
    if shares.lowest_decay > _SOME_GAIN * shares.sum.size:
        return None  # there was noise at the peak, and the decay took it away
    highest = shares.highest_ratio
    if highest > _LITTLE_GAIN or not _falls_on(run.loss, spent):
        return None
    return Finding(
        Message(
            "Since 30 % of the summed rate was spent, the sum brought the loss down by "
            "{sum:number 2} (± {sum_error:number 1}) and the decay of the rate by {decay:number 2} "
            "(± {decay_error:number 1}): there was no noise to take away at the peak, {peak:rate}.",
            sum=shares.sum.size,
            sum_error=shares.sum.error,
            decay=shares.decay.size,
            decay_error=shares.decay.error,
            peak=in_two_digits(run.peak),
        ),
        _higher(run),
        start=run.first,
        end=run.last,
        numbers={"ratio": ratio, "highest_ratio": highest, "peak": run.peak},
        level="possible",
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


def _straight(run: RunView, spent: Array) -> Finding | None:
    loss = run.loss
    if loss.positions[0] - min(run.first, 0.0) > _MISSING * run.length:
        return None  # its steepest part was not logged
    half, end = _levels(run, spent)
    share = (half - end) / run.descent
    later = Trend(loss.positions[spent >= _SETTLED], loss.values[spent >= _SETTLED]).fall
    if not (share > _STRAIGHT and later.exceeds(5)):
        return None
    middle = _level_at(run, spent, 0.75)
    if min(half - middle, middle - end) < _STRAIGHT_PART * run.descent:
        return None  # it came in one piece, as at the edge of an epoch
    fits = [_shares(run, spent, measure) for measure in (spent, np.log(spent))]
    shares = min((each for each in fits if each), key=lambda each: each.remainder, default=None)
    # Where neither the sum nor the rate explains it, it is not known what brought the fall.
    if shares is None or not shares.fits(run.loss.noise):
        return None
    if shares.lowest_decay > _SOME_GAIN * shares.sum.size:
        return None  # the decay brought it
    return Finding(
        Message(
            "The second half of the summed rate brought {share:percent} of the whole descent: the "
            "loss still falls almost in a straight line at a peak rate of {peak:rate}.",
            share=share,
            peak=in_two_digits(run.peak),
        ),
        _higher(run),
        start=float(loss.positions[np.argmax(spent >= 0.5)]),
        end=run.last,
        numbers={"share": share, "peak": run.peak},
        level="likely" if share > _SURELY_STRAIGHT else "possible",
    )


def _higher(run: RunView) -> Message:
    return Message(
        "Try a peak of {three:rate} and {ten:rate} instead of {peak:rate} over a tenth of the run, "
        "or let stepsize find it: stepsize.find.range_test(training).",
        three=in_two_digits(3 * run.peak),
        ten=in_two_digits(10 * run.peak),
        peak=in_two_digits(run.peak),
    )
