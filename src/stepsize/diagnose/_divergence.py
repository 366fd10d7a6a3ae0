"""The rule about a loss that was lost for good."""

import math
from collections.abc import Iterator
from typing import Final

import numpy as np

from stepsize.diagnose._advice import restarted
from stepsize.diagnose._levels import rule
from stepsize.diagnose._trend import Trend
from stepsize.diagnose._view import Curve, RunView, cleaned, ordered
from stepsize.learning import Verdict, judged
from stepsize.messages import Message
from stepsize.rules import Finding
from stepsize.statistics import expected_minimum

__all__ = ["diverged"]

_FEWEST: Final = 8
_MANY: Final = 30
_LOST: Final = 0.15
_LOST_OF_FEW: Final = 0.3
_STANDS_OUT: Final = 8.0
_TAIL: Final = 0.05
_ROSE: Final = 1.5
_MOST_RISES: Final = 3
_CREEPS: Final = 0.03
_CREEPS_ERRORS: Final = 6.0
_CREEPS_FOR: Final = 0.25
_MOST_JUDGED: Final = 1_500


def _is_judged(run: RunView) -> bool:
    curves = (run.training, run.policy, run.validation, run.evaluated)
    return any(len(positions) > 1 for positions, _ in curves)


@rule(
    needs="one loss: two values where the last is not finite, else 8, and 30 to call a slow rise",
    source="the rate divided by 10 to 100 is the practice where it recurs; OPT-175B's logbook "
    "(arXiv 2205.01068) restarted from an earlier checkpoint at a lower rate, PaLM "
    "(arXiv 2204.02311) skipped the batches",
    instead_of=(
        *("spikes", "oscillation", "plateau_at_high_rate", "rate_too_low", "warmup_too_short"),
        *("decay_ended_early", "never_decayed", "ended_before_cooldown", "overfitting"),
        "noisy_evaluation",
    ),
    applies=_is_judged,
)
def diverged(run: RunView) -> Finding | None:
    """The loss was lost for good: it is not finite any more, or it gave back what it had gained.

    From some point to the end a loss is not finite, for longer than any gap before; or it ends
    above its lowest window by more than 15 % of the descent to that (30 % where there are fewer
    than 30 points) and by 8 times its noise, and not because the rate came back, as at a warm
    restart; or it was above its beginning in the median of the run, and is no lower at the end; or
    it rose slowly over a quarter of the run to the end, by 3 % of the descent and 6 standard
    errors; or the judgement that a guard follows (``stepsize.learning``) finds it un-learnt or dead
    at the end. It is certain only where that agrees. The loss on training data at evaluations is
    judged too.
    """
    found = _not_finite(run)
    if found is not None:
        return found
    for curve in _judged(run):
        found = _never_fell(run, curve)
        if found is None and not _ends_at_its_lowest(curve):
            found = _lost(run, curve) or _crept_up(run, curve) or _unlearnt(run, curve)
        if found is not None:
            return found
    return None


def _judged(run: RunView) -> Iterator[Trend]:
    """The losses of training data; the validation loss where there is none."""
    if len(run.evaluated[0]):
        yield cleaned(run.evaluated)
    yield run.loss if len(run.loss) else run.evaluation


def _ends_at_its_lowest(loss: Trend) -> bool:
    if len(loss) < _FEWEST:
        return False
    return float(np.median(loss.values[-3:])) <= float(loss.windows[1].min())


# ------------------------------------------------------------------ not finite


def _not_finite(run: RunView) -> Finding | None:
    for curve in (run.training, run.policy):
        since = _not_finite_since(curve)
        if since is None:
            continue
        positions, values = ordered(curve)
        return Finding(
            Message(
                "The training loss is {value:number} from {at:message} to the end: {count:count} "
                "of {points:count} points.",
                value=float(values[since]),
                at=run.at(float(positions[since])),
                count=len(values) - since,
                points=len(values),
            ),
            restarted(run, float(positions[since])),
            start=float(positions[since]),
            end=float(positions[-1]),
            numbers={"points": len(values) - since, "of": len(values)},
            level="certain",
        )
    return _evaluation_not_finite(run)


def _evaluation_not_finite(run: RunView) -> Finding | None:
    for curve in (run.evaluated, run.validation):
        since = _not_finite_since(curve)
        if since is None:
            continue
        positions, values = ordered(curve)
        count = len(values) - since
        return Finding(
            Message(
                "The loss at evaluations is {value:number} from {at:message} to the end: "
                "{count:count} of {points:count|evaluation|evaluations}; no such value is logged "
                "for the batches.",
                value=float(values[since]),
                at=run.at(float(positions[since])),
                count=count,
                points=len(values),
            ),
            Message(
                "Evaluate the checkpoint before {at:message}. If it gives a number, continue from "
                "there at a lower rate; if not, look for an overflow in half precision, an empty "
                "batch, or statistics of normalisation that are not finite.",
                at=run.at(float(positions[since])),
            ),
            start=float(positions[since]),
            end=float(positions[-1]),
            numbers={"points": count, "of": len(values)},
            level="certain" if count > 1 else "likely",
        )
    return None


def _not_finite_since(curve: Curve) -> int | None:
    """From which point to the end a curve is not finite; None if it is, or if these are gaps."""
    _, values = ordered(curve)
    finite = np.isfinite(values)
    if not len(values) or finite[-1]:
        return None
    known = np.flatnonzero(finite)
    if not len(known):
        return 0
    since = int(known[-1]) + 1
    # Some loggers write NaN wherever a metric was not measured; none writes infinity.
    longest = int(np.diff(known).max(initial=1)) - 1
    if len(values) - since > longest or np.isinf(values[since:]).any():
        return since
    return None


# ------------------------------------------------------------------ lost


def _lost(run: RunView, loss: Trend) -> Finding | None:
    if len(loss) < _FEWEST:
        return None
    middles, levels = loss.windows
    lowest = int(np.argmin(levels))
    end = _end(loss)
    ended = _ended(end)
    lost = ended - float(levels[lowest])
    descent = _descent(loss, lowest)
    near = _near(loss, lowest, len(levels))
    share = _LOST if len(loss) >= _MANY else _LOST_OF_FEW
    # The lowest of many windows is lower than they are.
    in_window = max(1.0, len(loss) / len(levels))
    lucky = near.noise * expected_minimum(len(levels)) / math.sqrt(in_window)
    if not lost > max(share * descent, lucky + _STANDS_OUT * near.noise / math.sqrt(len(end))):
        return None
    above = levels > levels[lowest] + lost / 2
    if np.sum(above[1:] & ~above[:-1]) > _MOST_RISES:
        return None  # it comes back again and again: an oscillation
    if not descent > 0 and not loss.fall.is_a_rise(_CREEPS_ERRORS):
        return None
    if _rate_came_back(run, loss, float(middles[lowest]), float(levels[lowest]) + lost / 2):
        return None
    later = middles[above & (np.arange(len(levels)) >= lowest)]
    since = float(later[0]) if len(later) else float(end.positions[0])
    numbers = {"lowest": float(levels[lowest]), "ended": ended, "noise": near.noise}
    sure = len(loss) >= _MANY and descent > 0 and lost > 3 * _LOST * descent
    level = "certain" if sure and _judgement(loss).is_trouble else "likely"
    return Finding(
        Message(
            "The loss was {lowest:number} at {at:message} and ended at {ended:number}: "
            "{share:percent} of its descent is lost.",
            lowest=float(levels[lowest]),
            at=run.at(round(float(middles[lowest]))),
            ended=ended,
            share=lost / descent,
        )
        if descent > lost
        else Message(
            "The loss was {lowest:number} at {at:message} and ended at {ended:number}: it lost "
            "all that it had gained.",
            lowest=float(levels[lowest]),
            at=run.at(round(float(middles[lowest]))),
            ended=ended,
        ),
        restarted(run, since),
        start=float(middles[lowest]),
        end=run.last,
        numbers=numbers,
        level=level,
    )


def _descent(loss: Trend, lowest: int) -> float:
    """How far the loss came down to its lowest window, from the highest level before."""
    levels = loss.windows[1]
    first = float(np.median(loss.values[: 3 if len(loss) >= 100 else 1]))
    return max(first, float(levels[: lowest + 1].max())) - float(levels[lowest])


def _end(loss: Trend) -> Trend:
    """The last twentieth, of at least three points, or two of few."""
    last = float(loss.positions[-1])
    end = loss.between(last - _TAIL * (last - float(loss.positions[0])), last)
    fewest = 3 if len(loss) >= 2 * _FEWEST else 2
    if len(end) >= fewest:
        return end
    return Trend(loss.positions[-fewest:], loss.values[-fewest:])


def _ended(end: Trend) -> float:
    """The level at the end: the lower of the whole stretch and of its last third."""
    third = max(2, len(end) // 3)
    return min(end.level, float(np.median(end.values[-third:])))


def _near(loss: Trend, window: int, count: int) -> Trend:
    """The points of a tenth of the curve about a window."""
    middle = len(loss) * (window + 0.5) / count
    reach = max(len(loss) / 20, 3)
    low, high = max(0, int(middle - reach)), int(middle + reach) + 1
    return Trend(loss.positions[low:high], loss.values[low:high])


def _rate_came_back(run: RunView, loss: Trend, lowest_at: float, level: float) -> bool:
    """Whether the rate rose since ``lowest_at``, and the loss was above ``level`` at such rates.

    A warm restart takes back what the decay of the rate had brought, and brings it again. Where the
    log begins later than the run, the loss at such rates may be unknown.
    """
    if not run.has_rate:
        return False
    rate = run.rate_at(float(loss.positions[-1])) or 0.0
    if not rate > _ROSE * (run.rate_at(lowest_at) or 0.0):
        return False
    earlier = run.rate.between(-math.inf, lowest_at)
    as_high = np.flatnonzero(earlier.values >= rate / 2)
    if not len(as_high):
        return run.begins_late
    below = np.flatnonzero(earlier.values[: as_high[-1]] < rate / 2)
    began = earlier.positions[below[-1] + 1 if len(below) else 0]
    return loss.between(float(began), float(earlier.positions[as_high[-1]])).level > level


# ------------------------------------------------------------------ never learnt, crept up


def _never_fell(run: RunView, loss: Trend) -> Finding | None:
    if len(loss) < _MANY or run.begins_late:
        return None
    first = loss.values[:3]
    # After the very first update it may have exploded.
    began = min(float(first[0]), float(np.median(first)))
    ended, doubt = _ended(_end(loss)), 3 * loss.noise
    rose = loss.level > began + max(doubt, 3 * loss.noise / math.sqrt(len(loss)))
    if ended < began - doubt / math.sqrt(len(loss)) or not rose:
        return None
    return Finding(
        Message(
            "The loss began at {began:number}, was {median:number} in the median of the run and "
            "ended at {ended:number}: it learnt nothing.",
            began=began,
            median=loss.level,
            ended=ended,
        ),
        restarted(run, run.first),
        start=run.first,
        end=run.last,
        numbers={"began": began, "median": loss.level, "ended": ended},
    )


def _crept_up(run: RunView, loss: Trend) -> Finding | None:
    if len(loss) < _MANY:
        return None
    middles, levels = loss.windows
    lowest = int(np.argmin(levels))
    after = loss.between(float(middles[lowest]), float(loss.positions[-1]))
    if after.positions[-1] - after.positions[0] < _CREEPS_FOR * run.length or len(after) < _MANY:
        return None
    half = len(after) // 2
    halves = (
        Trend(after.positions[:half], after.values[:half]),
        Trend(after.positions[half:], after.values[half:]),
    )
    rise = -after.fall.size
    if not (
        after.fall.is_a_rise(_CREEPS_ERRORS)
        and all(each.fall.is_a_rise(1) for each in halves)
        and rise > _CREEPS * _descent(loss, lowest)
    ):
        return None
    if _rate_rises(run, after):
        return None
    start = float(middles[lowest])
    return Finding(
        Message(
            "From {start:message} to the end the loss rose slowly, from {lowest:number} by "
            "{rise:number 2} (± {error:number 1}).",
            start=run.at(round(start)),
            lowest=float(levels[lowest]),
            rise=rise,
            error=after.fall.error,
        ),
        Message(
            "Use the checkpoint of {start:message}; let the rate decay from there instead of going "
            "on as it is, and see whether the data changed there.",
            start=run.at(round(start)),
        ),
        start=start,
        end=run.last,
        numbers={"lowest": float(levels[lowest]), "rise": rise, "error": after.fall.error},
        level="possible",
    )


def _rate_rises(run: RunView, after: Trend) -> bool:
    if not run.has_rate:
        return False
    first, last = (run.rate_at(float(after.positions[index])) for index in (0, -1))
    return first is not None and last is not None and last > 1.1 * first


# ------------------------------------------------------------------ as the guard judges


def _judgement(loss: Trend) -> Verdict:
    """What a guard that saw the curve would say at its end."""
    parts = np.array_split(loss.values, min(len(loss), _MOST_JUDGED))
    return judged([float(np.median(each)) for each in parts])


def _unlearnt(run: RunView, loss: Trend) -> Finding | None:
    if len(loss) < _MANY or run.begins_late:
        return None
    verdict = _judgement(loss)
    lowest_at = float(loss.positions[np.argmin(loss.values)])
    if not verdict.is_trouble or verdict.kind == "spiking":
        return None
    if _rate_came_back(run, loss, lowest_at, verdict.level):
        return None
    since = float(loss.positions[-1 - min(verdict.since, len(loss) - 1)])
    return Finding(
        Message("As a guard would judge, {reason:message}.", reason=verdict.reason),
        restarted(run, since),
        start=since,
        end=run.last,
        numbers={"level": verdict.level, "began": verdict.start},
        level="possible",
    )
