"""Rules about the training loss: does it diverge, spike, swing or stand still."""

import math
from typing import Final

import numpy as np

from stepsize.diagnose._rule import Found, rule
from stepsize.diagnose._trend import NORMAL, Trend
from stepsize.diagnose._view import RunView
from stepsize.words import number_text, position_text

__all__ = ["diverged", "oscillation", "plateau_at_high_rate", "spikes"]

_LOST: Final = 0.15
_ROSE: Final = 1.5
_STANDS_OUT: Final = 8.0
_MOST_RISES: Final = 3
_FEWEST_POINTS: Final = 30
_REACH: Final = 7
_NORMAL_90: Final = 1.645
_SPIKE_NOISE: Final = 10.0
_SPIKE_SIZE: Final = 0.02
_FEWER_DIPS: Final = 3
_SURE_SPIKE: Final = 20.0
_HIGH: Final = 0.8
_FLAT_PART: Final = 0.3
_FLAT: Final = 0.002
_SWING: Final = 0.03
_SERIAL: Final = 0.5
_STRETCHES: Final = 20


def rate_text(rate: float | None) -> str:
    """A rate in an advice: rounded to two digits."""
    return "the rate" if rate is None else number_text(float(f"{rate:.2g}"))


@rule(
    needs="the training loss",
    source="the rate divided by 10 to 100 is the practice where it recurs; OPT-175B's logbook "
    "(arXiv 2205.01068) restarted from an earlier checkpoint at a lower rate, PaLM "
    "(arXiv 2204.02311) skipped the batches",
    instead_of=(
        *("spikes", "oscillation", "plateau_at_high_rate", "rate_too_low", "warmup_too_short"),
        *("decay_ended_early", "never_decayed", "overfitting", "noisy_evaluation"),
    ),
)
def diverged(run: RunView) -> Found | None:
    """The loss was lost for good: it is no number any more, or it gave back what it had gained.

    From some point to the end the loss is not finite; or its last twentieth lies above its lowest
    window by more than 15 % of the whole descent and by 8 times its noise, and it is not that the
    rate came back, as at a warm restart, to where the loss had been so before; or it was above its
    first points in the median of the run, and is no lower at the end.
    """
    return _no_number(run) or _lost(run) or _never_fell(run)


def _no_number(run: RunView) -> Found | None:
    positions, values = run.training
    if not len(values) or math.isfinite(values[-1]):
        return None
    finite = np.flatnonzero(np.isfinite(values))
    since = int(finite[-1]) + 1 if len(finite) else 0
    return Found(
        "certain",
        f"The training loss is {values[since]:g} from step {position_text(positions[since])} "
        f"to the end: {len(values) - since} of {len(values)} points.",
        _restart(run, float(positions[since])),
        start=float(positions[since]),
        end=float(positions[-1]),
        numbers={"points": len(values) - since, "of": len(values)},
    )


def _lost(run: RunView) -> Found | None:
    loss = run.loss
    if len(loss) < _FEWEST_POINTS:
        return None
    middles, levels = loss.windows
    lowest = int(np.argmin(levels))
    end = _end(loss)
    lost = end.level - levels[lowest]
    descent = run.descent
    near = _near(loss, lowest, len(levels))
    if not lost > max(_LOST * descent, _STANDS_OUT * near.noise / math.sqrt(len(end))):
        return None
    above = levels > levels[lowest] + lost / 2
    if np.sum(above[1:] & ~above[:-1]) > _MOST_RISES:
        return None  # it comes back again and again: an oscillation
    later = middles[above & (np.arange(len(levels)) >= lowest)]
    if _as_at_this_rate_before(run, float(middles[lowest]), levels[lowest] + lost / 2):
        return None
    since = float(later[0]) if len(later) else float(end.positions[0])
    return Found(
        "certain" if lost > 3 * _LOST * descent else "likely",
        f"The loss was {number_text(levels[lowest])} at step "
        f"{position_text(round(middles[lowest]))} and ended at {number_text(end.level)}: "
        + (f"{100 * (lost / descent):.0f} %" if lost < descent else "all")
        + " of its descent is lost.",
        _restart(run, since),
        start=float(middles[lowest]),
        end=run.last,
        numbers={"lowest": float(levels[lowest]), "ended": end.level, "noise": near.noise},
    )


def _as_at_this_rate_before(run: RunView, lowest_at: float, level: float) -> bool:
    """Whether the rate rose since ``lowest_at``, and the loss was above ``level`` at such rates.

    A warm restart takes back what the decay of the rate had brought, and brings it again.
    """
    if not run.has_rate:
        return False
    rate = run.rate_at(float(run.loss.positions[-1])) or 0.0
    if not rate > _ROSE * (run.rate_at(lowest_at) or 0.0):
        return False
    earlier = run.rate.between(-math.inf, lowest_at)
    as_high = np.flatnonzero(earlier.values >= rate / 2)
    if not len(as_high):
        return False
    below = np.flatnonzero(earlier.values[: as_high[-1]] < rate / 2)
    began = earlier.positions[below[-1] + 1 if len(below) else 0]
    return run.loss.between(float(began), float(earlier.positions[as_high[-1]])).level > level


def _never_fell(run: RunView) -> Found | None:
    loss = run.loss
    if len(loss) < _FEWEST_POINTS:
        return None
    # After the very first update it may have exploded.
    began = min(float(loss.values[0]), run.begins)
    end, doubt = _end(loss), 3 * loss.noise / math.sqrt(len(loss))
    if end.level < began - doubt or not loss.level > began + doubt:
        return None
    return Found(
        "likely",
        f"The loss began at {number_text(began)}, was {number_text(loss.level)} in the median "
        f"of the run and ended at {number_text(end.level)}: it learnt nothing.",
        _restart(run, run.first),
        start=run.first,
        end=run.last,
        numbers={"began": began, "median": loss.level, "ended": end.level},
    )


def _end(loss: Trend) -> Trend:
    """The last twentieth."""
    last = float(loss.positions[-1])
    return loss.between(last - 0.05 * (last - float(loss.positions[0])), last)


def _near(loss: Trend, window: int, count: int) -> Trend:
    """The points of a tenth of the curve about a window."""
    middle = len(loss) * (window + 0.5) / count
    reach = len(loss) / 20
    low, high = max(0, int(middle - reach)), int(middle + reach) + 1
    return Trend(loss.positions[low:high], loss.values[low:high])


def _restart(run: RunView, step: float) -> str:
    rate = run.rate_at(step)
    lowered = "a tenth of the rate" if rate is None else _lowered(rate)
    return (
        f"Go back to a checkpoint before step {position_text(round(step))} and continue at "
        f"{lowered}, after a short warmup; if it recurs, at a hundredth. First look for non-finite "
        "values in the batches there, and at the initialisation."
    )


def _lowered(rate: float) -> str:
    return f"{rate_text(rate / 10)} instead of {rate_text(rate)}"


@rule(
    needs="the training loss",
    source="PaLM (arXiv 2204.02311) skipped some 200 batches about each spike; Wortsman et al. "
    "2023 (arXiv 2309.14322) on rates, warmup and β₂; ZClip (arXiv 2504.02507) on clipping by "
    "z-score",
)
def spikes(run: RunView) -> Found | None:
    """Single stretches of the loss shoot up and come back.

    A point lies above the median of its 15 neighbours by more than 10 times their noise and 2 % of
    the whole descent, or is not finite; three times as many do so upwards as downwards.
    """
    positions, values = run.training
    loss = run.loss
    if len(loss) < _FEWEST_POINTS:
        return None
    missing = int((~np.isfinite(values)).sum())
    above = loss.values - loss.running_median(_REACH)
    # The noise follows the curve: it is larger where the loss is, and where it swings.
    apart = Trend(loss.positions, np.abs(above))
    local = np.maximum(apart.running_median(2 * _REACH), apart.running_median(4 * _REACH))
    # On a slope most points are the medians of their neighbours: the curve as a whole counts too.
    usual = float(np.quantile(np.abs(above), 0.9)) / _NORMAL_90
    noise = np.maximum(NORMAL * local, max(usual, loss.noise / 2)) + 1e-12 * abs(run.begins)
    least = _SPIKE_SIZE * max(run.descent, 0.0)
    # Where the curve begins to fall, every point is far from the median of its neighbours, and at
    # its end nothing shows yet that it comes back.
    settled = np.arange(len(loss)) > 2 * _REACH
    settled[-_REACH:] = False
    high = (above > _SPIKE_NOISE * noise) & (above > least) & settled
    low = (above < -_SPIKE_NOISE * noise) & (above < -least) & settled
    starts = np.flatnonzero(high & ~np.roll(high, 1))
    # A swing rises slowly.
    starts = starts[loss.values[starts] - loss.values[starts - 2] > above[starts] / 2]
    if high.sum() < _FEWER_DIPS * low.sum() or not (len(starts) or missing):
        return None
    if not len(starts):
        gone = positions[~np.isfinite(values)]
        return Found(
            "certain",
            f"{missing} of {len(values)} values of the loss are not finite, the first at step "
            f"{position_text(gone[0])}; it came back.",
            "Look for non-finite values in the batches there. With an AMP scaler, read its skipped "
            "updates; without one, clip the gradient's norm.",
            start=float(gone[0]),
            end=float(gone[-1]),
            numbers={"not_finite": missing},
        )
    largest = int(np.argmax(np.where(high, above / noise, 0.0)))
    size = float(above[largest] / noise[largest])
    at = float(loss.positions[largest])
    rate = run.rate_at(at)
    lower = (
        ""
        if rate is None
        else f" or lower the peak from {rate_text(run.peak)} to " + rate_text(run.peak / 2)
    )
    return Found(
        "certain" if size > _SURE_SPIKE else "likely",
        f"{len(starts)} spike{'s' if len(starts) > 1 else ''}, the largest at step "
        f"{position_text(at)}: {number_text(float(loss.values[largest]))}, {size:.0f} times the "
        f"noise above its neighbours.{_norm_there(run, at)}",
        "Skip the batches there and see whether it recurs. If it does, clip the gradient's norm at "
        f"the upper end of what it usually is, lower β₂ of Adam (0.999 to 0.95),{lower}.",
        start=float(loss.positions[starts[0]]),
        end=float(loss.positions[np.flatnonzero(high)[-1]]),
        numbers={
            "spikes": len(starts),
            "largest_at": at,
            "times_noise": size,
            "not_finite": missing,
        },
    )


def _norm_there(run: RunView, position: float) -> str:
    positions, values = run.gradient_norm
    finite = np.isfinite(values)
    if not finite.any():
        return ""
    nearest = int(np.argmin(np.abs(positions - position)))
    usual = float(np.median(values[finite]))
    return (
        f" The gradient's norm is {number_text(float(values[nearest]))} there and "
        f"{number_text(usual)} in the median."
    )


@rule(
    needs="the training loss",
    source="SGD at a constant rate stays within a distance of the minimum that is in proportion to "
    "the rate: Bottou, Curtis & Nocedal 2018 (arXiv 1606.04838), theorem 4.6",
    instead_of=("rate_too_low",),
)
def oscillation(run: RunView) -> Found | None:
    """The loss swings about a level and gets no lower: steps too large for where it is.

    In the second half of the run the loss scatters by more than 3 % of the descent and falls by no
    more than that or half of its scatter, and neighbours deviate to the same side (a serial
    correlation above 0.5).
    """
    loss = run.loss
    if len(loss) < _FEWEST_POINTS or not run.descent > 0:
        return None
    middle = (loss.positions[0] + loss.positions[-1]) / 2
    half = loss.between(middle, loss.positions[-1])
    if len(half) < _FEWEST_POINTS:
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
    if serial < _SERIAL:
        return None
    rate = run.rate_at(float(half.positions[len(half) // 2]))
    decay = (
        "Lower the rate tenfold from there on"
        if rate is None
        else f"Lower the rate from {rate_text(rate)} to {rate_text(rate / 10)}"
    )
    turns = int(np.sum(np.diff(np.sign(deviation)) != 0))
    return Found(
        "likely" if spread > 2 * _SWING * run.descent else "possible",
        f"From step {position_text(round(middle))} on the loss swings about "
        f"{number_text(half.level)} by ±{number_text(spread)}, "
        f"{100 * (spread / run.descent):.0f} % of its descent, and crosses that level {turns} "
        "times.",
        f"{decay}, or let it decay to 0 over what is left: ... >> Linear(steps). A rule such as "
        "Plateau does it by itself.",
        start=float(half.positions[0]),
        end=float(half.positions[-1]),
        numbers={"level": half.level, "swing": spread, "serial_correlation": serial},
    )


@rule(
    needs="the training loss and the rate",
    source="124M Llama, AdamW, 50k steps, tuned (arXiv 2501.18965): a constant rate ended at "
    "3.074, a linear decay over the last 60 % at 2.915",
    instead_of=("never_decayed",),
)
def plateau_at_high_rate(run: RunView) -> Found | None:
    """The loss stood still while the rate was still high: that time was for a decay.

    Over 30 % of the run or more, at 80 % of the peak rate or above, the loss moves by less than 1.5
    standard errors, and these are less than 0.2 % of the whole descent.
    """
    loss = run.loss
    if len(loss) < _FEWEST_POINTS or not run.has_rate or not run.descent > 0:
        return None
    high = run.rate.positions[run.rate.values >= _HIGH * run.peak]
    low_between = run.rate.between(float(high[0]), float(high[-1])).values < _HIGH * run.peak
    if low_between.any():  # cycles and restarts have no stretch of their own
        return None
    first, last = max(float(high[0]), run.first), float(high[-1])
    for start in np.linspace(first, last, _STRETCHES, endpoint=False):
        if last - start < _FLAT_PART * run.length:
            return None
        stretch = loss.between(float(start), last)
        fall = stretch.fall
        if abs(fall.size) < 1.5 * fall.error < 1.5 * _FLAT * run.descent:
            break
    else:
        return None
    ended = run.last - last < 0.02 * run.length
    rate = run.rate_at(last)
    return Found(
        "likely",
        f"From step {position_text(round(start))} to {position_text(round(last))}, "
        f"{100 * (last - start) / run.length:.0f} % of the run, the loss moved by "
        f"{number_text(abs(fall.size), 2)} (± {number_text(fall.error, 1)}) of a descent of "
        f"{number_text(run.descent)}, at rates from {rate_text(run.peak)} to {rate_text(rate)}.",
        f"Begin the decay at step {position_text(round(start))} instead of "
        f"{'never' if ended else position_text(round(last))}: ... >> Linear(steps) to 0, or cut "
        f"the rate to {rate_text(run.peak / 10)} when the loss stands still (Plateau).",
        start=float(start),
        end=last,
        numbers={"fall": fall.size, "error": fall.error, "descent": run.descent},
    )
