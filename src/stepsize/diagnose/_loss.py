"""Rules about the training loss: does it spike, swing or stand still."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from stepsize.diagnose._advice import in_two_digits, lowered
from stepsize.diagnose._levels import Level, rule
from stepsize.diagnose._trend import Array, Trend
from stepsize.diagnose._view import RunView
from stepsize.messages import Message
from stepsize.rules import Finding
from stepsize.statistics import NORMAL_PER_MAD

__all__ = ["oscillation", "plateau_at_high_rate", "spikes"]

_FEWEST_POINTS: Final = 30
# A stretch shows where fewer than half of the neighbours belong to it.
_REACHES: Final = (7, 20)
_REACH: Final = _REACHES[0]
_NORMAL_90: Final = 1.645
_SPIKE_NOISE: Final = 10.0
_SPIKE_SIZE: Final = 0.05
_STRETCH_NOISE: Final = 6.0
_LASTING_NOISE: Final = 3.0
_SINGLE_NOISE: Final = 30.0
_SINGLE_SIZE: Final = 0.2
_MOST_SPIKES: Final = 0.03
_FEWER_DIPS: Final = 3
_SURE_SPIKE: Final = 20.0
_MOST_GAPS: Final = 0.05
_LONGEST_BEGINNING: Final = 5
_HIGH: Final = 0.8
_FLAT_PART: Final = 0.3
_FLAT: Final = 0.002
_CONVERGED: Final = 0.01
_SWING: Final = 0.03
_SERIAL: Final = 0.5
_FEWEST_CROSSINGS: Final = 5
_STRETCHES: Final = 20


def _has_a_curve(run: RunView) -> bool:
    return len(run.loss) >= _FEWEST_POINTS


def _may_spike(run: RunView) -> bool:
    return _has_a_curve(run) or not np.isfinite(run.training[1]).all()


@rule(
    needs="the training loss at 30 points, or a value that is not finite",
    source="PaLM (arXiv 2204.02311) skipped some 200 batches about each spike; Wortsman et al. "
    "2023 (arXiv 2309.14322) on rates, warmup and β₂; ZClip (arXiv 2504.02507) on clipping by "
    "z-score",
    applies=_may_spike,
)
def spikes(run: RunView) -> Finding | None:
    """Stretches of the loss shoot up and come back, by more than a single odd batch does.

    Two neighbouring points or more lie above the median of their 15 or 41 neighbours, the highest
    by more than 5 % of the whole descent and 10 times their noise, three points by 6 times; a
    single point counts above 30 times the noise and 20 % of the descent. Or single values are not
    finite. Three times as many points stand out upwards as downwards.
    """
    loss, lost = run.loss, _lost_values(run)
    for reach in _REACHES:
        above = loss.values - loss.running_median(reach)
        noise = _local_noise(run, above)
        events = _events(run, above, noise, reach)
        if len(events):
            break
    else:
        return _not_finite(run, lost) if len(lost) else None
    high = np.where(np.isin(np.arange(len(loss)), events), above / noise, 0.0)
    largest = int(np.argmax(high))
    size, at = float(high[largest]), float(loss.positions[largest])
    lasts = bool(_lasting(above, noise)[largest])
    level: Level = "certain" if size > _SURE_SPIKE and lasts else "likely"
    return Finding(
        _seen(run, len(events), at, float(loss.values[largest]), size),
        _remedy(run, at),
        start=float(loss.positions[events[0]]),
        end=float(loss.positions[events[-1]]),
        numbers={
            "spikes": len(events),
            "largest_at": at,
            "times_noise": size,
            "not_finite": len(lost),
        },
        level=level,
    )


def _local_noise(run: RunView, above: Array) -> Array:
    """The noise at each point: it is larger where the loss is, and where it swings."""
    if not len(above):
        return above
    apart = Trend(run.loss.positions, np.abs(above))
    local = np.maximum(apart.running_median(2 * _REACH), apart.running_median(4 * _REACH))
    # On a slope most points are the medians of their neighbours: the curve as a whole counts too.
    usual = float(np.quantile(np.abs(above), 0.9)) / _NORMAL_90
    least = 1e-12 * abs(run.begins)
    return np.maximum(NORMAL_PER_MAD * local, max(usual, run.loss.noise / 2)) + least


def _lasting(above: Array, noise: Array) -> NDArray[np.bool_]:
    """Whether a neighbour stands out with a point."""
    out = above > _LASTING_NOISE * noise
    return np.append(out[1:], False) | np.append(False, out[:-1])


def _is_in_a_stretch(above: Array, noise: Array) -> NDArray[np.bool_]:
    """Whether a point and the next two, or more, stand out together."""
    out = np.append(above > _LASTING_NOISE * noise, [False, False])
    begins = out[:-2] & out[1:-1] & out[2:]
    return begins | np.append(False, begins[:-1]) | np.append([False, False], begins[:-2])


def _events(run: RunView, above: Array, noise: Array, reach: int) -> NDArray[np.intp]:
    """The points at which spikes begin."""
    loss, descent = run.loss, max(run.descent, 0.0)
    if len(loss) < max(_FEWEST_POINTS, 3 * reach):
        return np.arange(0)
    # Where the curve begins to fall, every point is far from the median of its neighbours, and at
    # its end nothing shows yet that it comes back.
    settled = np.arange(len(loss)) > 2 * reach
    settled[-reach:] = False
    large = above > _SPIKE_SIZE * descent
    lasting = large & (above > _SPIKE_NOISE * noise) & _lasting(above, noise)
    lasting |= large & (above > _STRETCH_NOISE * noise) & _is_in_a_stretch(above, noise)
    single = (above > _SINGLE_NOISE * noise) & (above > _SINGLE_SIZE * descent)
    high = (lasting | single) & settled
    low = (above < -_SPIKE_NOISE * noise) & (above < -_SPIKE_SIZE * descent) & settled
    starts = np.flatnonzero(high & ~np.roll(high, 1))
    # A swing rises slowly.
    starts = starts[loss.values[starts] - loss.values[starts - 2] > above[starts] / 2]
    # What happens again and again is the noise of this loss, whose tails are heavy.
    if high.sum() < _FEWER_DIPS * low.sum() or len(starts) > max(3, _MOST_SPIKES * len(loss)):
        return starts[:0]
    return starts


def _lost_values(run: RunView) -> Array:
    """Where single values are not finite: more than a few are gaps of the logger, and so are those
    before its first.
    """
    positions, values = run.training
    gone = ~np.isfinite(values)
    if gone.all() or not len(values):
        return positions[:0]
    first = int(np.argmin(gone))
    if first > _LONGEST_BEGINNING and np.isnan(values[:first]).all():
        gone[:first] = False
    stretches = int(np.sum(gone & ~np.append(False, gone[:-1])))
    few = stretches <= max(1, _MOST_GAPS * len(values))
    return positions[gone] if few else positions[:0]


def _not_finite(run: RunView, lost: Array) -> Finding:
    return Finding(
        Message(
            "{count:count} of {points:count} values of the loss are not finite, the first at "
            "{at:message}; it came back.",
            count=len(lost),
            points=len(run.training[1]),
            at=run.at(float(lost[0])),
        ),
        Message(
            "Look for non-finite values in the batches there. With an AMP scaler, read its skipped "
            "updates; without one, clip the gradient's norm."
        ),
        start=float(lost[0]),
        end=float(lost[-1]),
        numbers={"not_finite": len(lost)},
        level="certain",
    )


def _seen(run: RunView, count: int, at: float, value: float, size: float) -> Message:
    spike = Message(
        "{count:count|spike|spikes}, the largest at {at:message}: {value:number}, {size:number 2} "
        "times the noise above its neighbours",
        count=count,
        at=run.at(at),
        value=value,
        size=size,
    )
    positions, values = run.gradient_norm
    finite = np.isfinite(values)
    if not finite.any():
        return Message("{spike:message}.", spike=spike)
    return Message(
        "{spike:message}. The gradient's norm is {norm:number} there and {usual:number} in the "
        "median.",
        spike=spike,
        norm=float(values[np.argmin(np.abs(positions - at))]),
        usual=float(np.median(values[finite])),
    )


def _remedy(run: RunView, at: float) -> Message:
    rate = run.rate_at(at)
    lower = (
        Message("or lower the peak of the rate to a half")
        if rate is None or run.is_multiple
        else Message(
            "or lower the peak from {peak:rate} to {half:rate}",
            peak=in_two_digits(run.peak),
            half=in_two_digits(run.peak / 2),
        )
    )
    if run.optimizer in ("", "adam", "nadam", "radam", "lamb"):
        return Message(
            "Skip the batches there and see whether it recurs. If it does, clip the gradient's "
            "norm at the upper end of what it usually is, lower β₂ if the optimizer is Adam (0.999 "
            "to 0.95), {lower:message}.",
            lower=lower,
        )
    return Message(
        "Skip the batches there and see whether it recurs. If it does, clip the gradient's norm at "
        "the upper end of what it usually is, {lower:message}.",
        lower=lower,
    )


# ------------------------------------------------------------------ swings and plateaus


def _has_a_descent(run: RunView) -> bool:
    return _has_a_curve(run) and run.descent > 0


@rule(
    needs="the training loss at 30 points of its second half",
    source="SGD at a constant rate stays within a distance of the minimum that is in proportion to "
    "the rate: Bottou, Curtis & Nocedal 2018 (arXiv 1606.04838), theorem 4.6",
    instead_of=("rate_too_low",),
    applies=_has_a_descent,
)
def oscillation(run: RunView) -> Finding | None:
    """The loss swings about a level and gets no lower: steps too large for where it is.

    In the second half of the run the loss scatters by more than 3 % of the descent and falls by no
    more than that or half of its scatter, neighbours deviate to the same side (a serial correlation
    above 0.5), and it crosses its line 5 times or more. A rate that swings itself, or is below a
    fifth of its peak there, is another matter.
    """
    loss = run.loss
    middle = (loss.positions[0] + loss.positions[-1]) / 2
    half = loss.between(middle, loss.positions[-1])
    if len(half) < _FEWEST_POINTS or _rate_explains(run, half):
        return None
    deviation, spread = half.values - half.line, half.scatter
    # Where it ends within a swing is chance.
    if half.fall.size > max(_SWING * run.descent, spread / 2):
        return None
    if spread <= _SWING * run.descent:
        return None
    # Spikes are another rule's.
    deviation = np.clip(deviation - np.median(deviation), -3 * spread, 3 * spread)
    serial = float(np.sum(deviation[1:] * deviation[:-1]) / np.sum(deviation**2))
    smooth = Trend(half.positions, deviation).running_median(2)
    turns = int(np.sum(np.diff(np.sign(smooth)) != 0))
    if serial < _SERIAL or turns < _FEWEST_CROSSINGS:
        return None
    return Finding(
        Message(
            "From {start:message} on the loss swings about {level:number} by ±{spread:number 3}, "
            "{share:percent} of its descent, and crosses that level {turns:count|time|times}.",
            start=run.at(round(float(middle))),
            level=half.level,
            spread=spread,
            share=spread / run.descent,
            turns=turns,
        ),
        Message(
            "Go on at {rate:message} from there, or let the rate decay to 0 over what is left: "
            "{code:code}. A rule such as Plateau does it by itself.",
            rate=lowered(run, float(half.positions[len(half) // 2])),
            code=run.counted("... >> Linear({})", run.last - float(middle)),
        ),
        start=float(half.positions[0]),
        end=float(half.positions[-1]),
        numbers={"level": half.level, "swing": spread, "serial_correlation": serial},
        level="likely" if spread > 2 * _SWING * run.descent else "possible",
    )


def _rate_explains(run: RunView, half: Trend) -> bool:
    """Whether the rate itself swings there, or is too low to make the loss swing."""
    if not run.has_rate:
        return False
    rates = run.rate.between(float(half.positions[0]), float(half.positions[-1])).values
    if len(rates) < 3:
        return False
    up = float(np.maximum(np.diff(rates), 0).sum())
    return up > 0.2 * run.peak or float(np.median(rates)) < 0.2 * run.peak


def _has_a_plateau(run: RunView) -> bool:
    return _has_a_descent(run) and run.has_rate and not run.begins_late


@rule(
    needs="the training loss at 30 points from the beginning of the run, and the rate",
    source="124M Llama, AdamW, 50k steps, tuned (arXiv 2501.18965): a constant rate ended at "
    "3.074, a linear decay over the last 60 % at 2.915",
    instead_of=("never_decayed",),
    applies=_has_a_plateau,
)
def plateau_at_high_rate(run: RunView) -> Finding | None:
    """The loss stood still while the rate was still high: that time was for a decay.

    Over 30 % of the run or more, at 80 % of the peak rate or above, the loss moves by less than 1.5
    standard errors, and these are less than 0.2 % of the whole descent. Only where a later decay
    brought something is it more than possible; a loss that came down to a hundredth of where it
    began has nothing left to gain.
    """
    loss = run.loss
    high = run.rate.positions[run.rate.values >= _HIGH * run.peak]
    low_between = run.rate.between(float(high[0]), float(high[-1])).values < _HIGH * run.peak
    if low_between.any():  # cycles and restarts have no stretch of their own
        return None
    first, last = max(float(high[0]), run.first), float(high[-1])
    stretch = _flat_stretch(run, first, last)
    if stretch is None or 0 <= stretch.level < _CONVERGED * run.begins:
        return None
    start, fall = float(stretch.positions[0]), stretch.fall
    decayed = loss.between(last, run.last)
    gained = len(decayed) > 2 and stretch.level - float(decayed.values[-3:].mean()) > 5 * fall.error
    rate = run.rate_at(last)
    return Finding(
        Message(
            "From {start:message} to {end:message}, {share:percent} of the run, the loss moved by "
            "{moved:number 2} (± {error:number 1}) of a descent of {descent:number}, at rates from "
            "{peak:rate} to {rate:rate}.",
            start=run.at(round(start)),
            end=run.at(round(last)),
            share=(last - start) / run.length,
            moved=abs(fall.size),
            error=fall.error,
            descent=run.descent,
            peak=in_two_digits(run.peak),
            rate=in_two_digits(run.peak if rate is None else rate),
        ),
        Message(
            "Begin the decay at {start:message}: {code:code} to 0, or cut the rate tenfold when "
            "the loss stands still (Plateau).",
            start=run.at(round(start)),
            code=run.counted("... >> Linear({})", run.last - start),
        ),
        start=start,
        end=last,
        numbers={"fall": fall.size, "error": fall.error, "descent": run.descent},
        level="likely" if gained else "possible",
    )


def _flat_stretch(run: RunView, first: float, last: float) -> Trend | None:
    for start in np.linspace(first, last, _STRETCHES, endpoint=False):
        if last - start < _FLAT_PART * run.length:
            return None
        stretch = run.loss.between(float(start), last)
        fall = stretch.fall
        if fall.is_known and abs(fall.size) < 1.5 * fall.error < 1.5 * _FLAT * run.descent:
            return stretch
    return None
