"""Rules about the rise of the rate: does it come too fast, too late, or a step late."""

from typing import Final

import numpy as np

from stepsize.diagnose._advice import in_two_digits
from stepsize.diagnose._levels import rule
from stepsize.diagnose._trend import Array
from stepsize.diagnose._view import RunView
from stepsize.messages import Message
from stepsize.rules import Finding

__all__ = ["first_update_wasted", "warmup_too_long", "warmup_too_short"]

_FEWEST_POINTS: Final = 50
_FEWEST_RATES: Final = 10
_EARLY: Final = 0.1
_BUMP: Final = 0.1
_BUMP_NOISE: Final = 5.0
_FEWEST_IN_BUMP: Final = 3
_LARGER_THAN_LATER: Final = 2.0
_UNTUNED_WARMUP: Final = 2_000
_LONGEST_WARMUP: Final = 0.1
_MOST_OF_THE_RUN: Final = 0.6


def _has_a_first_rate(run: RunView) -> bool:
    return run.has_rate and run.unit == "step" and run.rate.positions[0] <= 1


@rule(
    needs="the rate at position 0 or 1 and at one more, in steps",
    source="an update at rate 0 changes nothing; reported in transformers#34754, torchtune#2010, "
    "nanoGPT#578",
    applies=_has_a_first_rate,
)
def first_update_wasted(run: RunView) -> Finding | None:
    """The first update had rate 0 and changed nothing.

    The rate at the first position, 0 or 1, is exactly 0, and later it is not.
    """
    if run.rate.values[0] != 0:
        return None
    moves = float(run.rate.positions[np.flatnonzero(run.rate.values)[0]])
    start = float(run.rate.positions[0])
    return Finding(
        Message(
            "The rate at {start:message} is 0; the first rate above 0 that was logged is at "
            "{moves:message}.",
            start=run.at(start),
            moves=run.at(moves),
        ),
        Message(
            "Start the warmup one step later: Warmup(n + 1).skip(1) instead of Warmup(n). It "
            "reaches the peak at step n all the same."
        ),
        start=start,
        end=start,
        numbers={"first_rate_above_0_at": moves},
        level="certain" if moves - start <= 1 else "likely",
    )


def _has_a_beginning(run: RunView) -> bool:
    known = len(run.loss) >= _FEWEST_POINTS and run.has_rate and run.descent > 0
    return known and not run.begins_late


@rule(
    needs="the training loss at 50 points from the beginning of the run, 5 of them in its first "
    "tenth, and the rate",
    source="Ma & Yarats 2021 (arXiv 1910.04209): 2 / (1 - β₂) steps of linear warmup for Adam; "
    "Goyal et al. 2017 (arXiv 1706.02677): five epochs for large batches",
    applies=_has_a_beginning,
)
def warmup_too_short(run: RunView) -> Finding | None:
    """The rate came up too fast: the loss shot up at the beginning, and recovered.

    In the first tenth of the run the loss, as the median of 5 points, rises by more than 10 % of
    the whole descent and 5 times its noise above where it was, stays up for 3 points, and comes
    back; no later rise is half as high. The rate reached its peak within that tenth.
    """
    loss = run.loss
    early_end = run.first + _EARLY * run.length
    early = loss.between(run.first, early_end)
    warmup = run.peak_at - run.first
    if len(early) < 5 or warmup > _LONGEST_WARMUP * run.length:
        return None
    smooth = loss.running_median(2)
    lowest = np.minimum.accumulate(smooth)
    risen = smooth - lowest
    top = int(np.argmax(risen[: len(early)]))
    rise = float(risen[top])
    later = risen[len(early) :]
    calm = max(loss.between(float(early.positions[top]), run.last).noise, early.noise, loss.noise)
    if not rise > max(_BUMP * run.descent, _BUMP_NOISE * calm):
        return None
    if int(np.sum(risen[: len(early)] > rise / 2)) < _FEWEST_IN_BUMP:
        return None
    if rise < _LARGER_THAN_LATER * _latest_rise(later, smooth[len(early) :], loss.noise):
        return None
    if loss.between(early_end, run.last).level > lowest[top]:
        return None
    at = float(early.positions[top])
    advised = _advised_warmup(run, warmup)
    return Finding(
        Message(
            "The loss rose from {before:number} to {top:number} by {at:message}, {share:percent} "
            "of the whole descent, and recovered. The rate was at its peak, {peak:rate}, by "
            "{peak_at:message}.",
            before=float(lowest[top]),
            top=float(smooth[top]),
            at=run.at(at),
            share=rise / run.descent,
            peak=in_two_digits(run.peak),
            peak_at=run.at(run.peak_at),
        ),
        Message(
            "Warm up over {advised:message} instead of {warmup:message}: {code:code}.",
            advised=run.span(advised),
            warmup=run.span(warmup),
            code=run.counted("Warmup({}) >> ...", advised),
        ),
        start=run.first,
        end=at,
        numbers={"rise": rise, "warmup": warmup, "advised_warmup": advised},
        # Where it was lowest at its first points, the beginning of the log may be an odd one.
        level="likely" if lowest[top] < smooth[0] - loss.noise else "possible",
    )


def _latest_rise(risen: Array, smooth: Array, noise: float) -> float:
    """The highest rise within the rest of the run, above where the loss was there."""
    if not len(smooth):
        return 0.0
    own = smooth - np.minimum.accumulate(smooth)
    return max(0.0, float(own.max()) - noise)


def _advised_warmup(run: RunView, warmup: float) -> float:
    """Four times as long, at most ten times, and at most a tenth of the run."""
    longest = max(2.0, _LONGEST_WARMUP * run.length)
    wanted = min(max(4 * warmup, longest / 2), longest)
    if run.unit == "step":
        wanted = min(wanted, _UNTUNED_WARMUP)
    return float(max(1, round(min(wanted, max(10 * warmup, 10)))))


def _knows_its_rates(run: RunView) -> bool:
    return len(run.rate) >= _FEWEST_RATES and run.has_rate and run.rate_is_whole


@rule(
    needs="the rate at 10 points to the end of the run; best with the planned number of steps",
    source="tuned warmups of published runs are 1 to 10 % of the run: Goyal et al. 2017 (arXiv "
    "1706.02677), Hoffmann et al. 2022 (arXiv 2203.15556)",
    instead_of=("never_decayed", "rate_too_low"),
    applies=_knows_its_rates,
)
def warmup_too_long(run: RunView) -> Finding | None:
    """The warmup fills most of the run: there is hardly any time at the rate that was wanted.

    From below half of the peak the rate rises, without falling, until more than 60 % of the run is
    over, or of its plan where that is known; a cycle that comes down as slowly as it rose is meant.
    """
    rates, positions = run.rate.values, run.rate.positions
    top = int(np.argmax(rates))
    rising = rates[: top + 1]
    if len(rising) < 5 or rising[0] > 0.5 * run.peak or np.diff(rising).min() < -1e-3 * run.peak:
        return None
    if float(positions[0]) > 0.05 * run.length:
        return None  # the log does not hold the beginning
    length = max(run.length, run.planned or 0.0)
    warmup = float(positions[top]) - run.first
    held = float(np.mean(rising > 0.9 * run.peak))
    if warmup < _MOST_OF_THE_RUN * length or held > 0.4:
        return None
    wanted = max(1.0, round(0.05 * length))
    known = run.planned is not None and not run.may_go_on
    return Finding(
        Message(
            "The rate rose until {top:message}, {share:percent} of the run of {length:message}, "
            "to {peak:rate}.{doubt:message}",
            top=run.at(float(positions[top])),
            share=min(1.0, warmup / length),
            length=run.span(length),
            peak=in_two_digits(run.peak),
            doubt=None if known else Message(" The run may have been meant to be longer."),
        ),
        Message(
            "Warm up over about {wanted:message}, a twentieth of the run: {code:code}.",
            wanted=run.span(wanted),
            code=run.counted("Warmup({}) >> ...", wanted),
        ),
        start=run.first,
        end=float(positions[top]),
        numbers={"warmup": warmup, "length": length},
        level="likely" if known else "possible",
    )
