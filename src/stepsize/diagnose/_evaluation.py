"""Rules about the loss on other data: does it rise while training falls, is it too noisy."""

import math
from typing import Final

import numpy as np

from stepsize.diagnose._levels import rule
from stepsize.diagnose._trend import Fall, Trend
from stepsize.diagnose._view import RunView, cleaned
from stepsize.messages import Message
from stepsize.rules import Finding

__all__ = ["noisy_evaluation", "overfitting"]

_FEWEST_EVALUATIONS: Final = 4
_MANY_EVALUATIONS: Final = 12
_LONGEST_REACH: Final = 10
_RISEN: Final = 0.05
_RISEN_NOISE: Final = 2.5
_RISEN_BESIDE_TRAINING: Final = 0.05
_MOSTLY: Final = 0.75
_FEWEST_STEPS: Final = 3
_NOISY_EVALUATIONS: Final = 10
_NOISY: Final = 0.06
_WANTED: Final = 0.01
_MOST_TIMES: Final = 10.0


def _is_evaluated(run: RunView) -> bool:
    return len(run.evaluation) >= _FEWEST_EVALUATIONS


@rule(
    needs="4 evaluations of the validation loss, and best the training loss; with fewer than 12, "
    "it is possible at most",
    source="early stopping where the validation loss turns: Prechelt 1998, Early Stopping - But "
    "When?; a shorter schedule that ends there is better still (arXiv 2203.15556, appendix B)",
    instead_of=("rate_too_low", "noisy_evaluation"),
    applies=_is_evaluated,
)
def overfitting(run: RunView) -> Finding | None:
    """The validation loss turned and rose while the training loss went on falling.

    Its last quarter lies above its lowest stretch by more than 5 % of its descent and 2.5 times its
    noise, and the training loss did not rise with it. Of fewer than 12 evaluations, three quarters
    of the steps since the lowest, and three at least, go up, and the last is the highest of them or
    near it.
    """
    held = run.evaluation
    smooth = _smoothed(held)
    lowest = int(np.argmin(smooth))
    after = len(held) - lowest - 1
    if after < 2:
        return None
    tail = max(2, min(len(held) // 4, after))
    ended = float(np.median(held.values[-tail:]))
    if len(held) < _MANY_EVALUATIONS and not _rises_steadily(held.values[lowest:]):
        return None
    at, risen = float(held.positions[lowest]), ended - float(smooth[lowest])
    fell = _training_since(run, at)
    least = _least_rise(held, float(held.values[0] - smooth[lowest]), fell)
    if not risen > least or fell.is_a_rise(3):
        return None
    sure = len(held) >= _MANY_EVALUATIONS and risen > 2 * least and fell.exceeds(0)
    return Finding(
        Message(
            "The validation loss was lowest at {at:message}, {lowest:number}, and ended at "
            "{ended:number}{training:message}.",
            at=run.at(at),
            lowest=float(smooth[lowest]),
            ended=ended,
            training=_training_fell(fell),
        ),
        _stop_there(run, at),
        start=at,
        end=run.last,
        numbers={"lowest": float(smooth[lowest]), "ended": ended, "noise": held.noise},
        level="likely" if sure else "possible",
    )


def _smoothed(held: Trend) -> np.ndarray:
    """Few evaluations are taken as they are: one of them may be the lowest."""
    if len(held) < 2 * _MANY_EVALUATIONS:
        return held.values
    return held.running_median(min(len(held) // 20, _LONGEST_REACH))


def _least_rise(held: Trend, descent: float, fell: Fall) -> float:
    least = max(_RISEN * descent, _RISEN_NOISE * held.noise)
    if fell.exceeds(3) and descent < fell.size:
        # It may have been lowest from the beginning: then the training loss gives the scale.
        return max(least, _RISEN_BESIDE_TRAINING * fell.size)
    return least


def _rises_steadily(values: np.ndarray) -> bool:
    steps = np.diff(values)
    up = int(np.sum(steps > 0))
    near_the_top = values[-1] >= values[0] + _MOSTLY * (values.max() - values[0])
    return up >= _FEWEST_STEPS and up >= _MOSTLY * len(steps) and bool(near_the_top)


def _training_since(run: RunView, at: float) -> Fall:
    """How far the training loss fell since: at the evaluations themselves where that is logged."""
    training = cleaned(run.evaluated) if len(run.evaluated[0]) else run.loss
    after = training.between(at, run.last)
    if after.fall.is_known or len(after) < 3:
        return after.fall
    # Means of an epoch have little noise: their ends tell.
    return Fall(float(after.values[0] - after.values[-1]), after.noise)


def _training_fell(fell: Fall) -> Message | None:
    if not fell.exceeds(0):
        return None
    return Message(
        "; over the same stretch the training loss fell by {size:number 3}", size=fell.size
    )


def _stop_there(run: RunView, at: float) -> Message:
    # A schedule over one step, or none, is not a plan.
    if at - run.first < max(2.0, 0.02 * run.length):
        return Message(
            "Use the checkpoint of {at:message}, and evaluate more often before it: the best model "
            "may lie there. To train longer needs more data, augmentation or weight decay, not "
            "another rate.",
            at=run.at(at),
        )
    return Message(
        "Use the checkpoint of {at:message}, and plan the next run to end there: {code:code}. To "
        "train longer needs more data, augmentation or weight decay, not another rate.",
        at=run.at(at),
        code=run.counted(".over({})", round(at) + 1),
    )


def _has_many_evaluations(run: RunView) -> bool:
    return len(run.evaluation) >= _NOISY_EVALUATIONS


@rule(
    needs="10 evaluations of the validation loss",
    source="the standard error of a mean over n samples falls as 1 / √n; a plateau rule with "
    "patience k takes k draws of this noise for a verdict",
    applies=_has_many_evaluations,
)
def noisy_evaluation(run: RunView) -> Finding | None:
    """The evaluations differ more by chance than by training: rules and choices on them are bets.

    From one evaluation to the next the validation loss scatters by more than 6 % of its descent,
    and by more than it surely fell in the second half of the run.
    """
    held = run.evaluation
    # The lowest of noisy points is too low by the noise itself.
    descent = float(held.values[0] - np.median(held.values[-max(3, len(held) // 4) :]))
    half = held.between((held.positions[0] + held.positions[-1]) / 2, held.positions[-1])
    noise, fall = half.noise, half.fall
    if not fall.is_known or descent <= 0:
        return None
    if not noise > max(_NOISY * descent, abs(fall.size) - fall.error):
        return None
    times = min(_MOST_TIMES, math.ceil((noise / (_WANTED * descent)) ** 2))
    averaged = max(2, min(math.ceil(math.sqrt(times)), len(held) // 3))
    return Finding(
        Message(
            "From one evaluation to the next the validation loss scatters by {noise:number 2}, "
            "{share:percent} of its descent; in the second half it fell by {fell:number 2} (± "
            "{error:number 1}).",
            noise=noise,
            share=noise / descent,
            fell=fall.size,
            error=fall.error,
        ),
        Message(
            "Evaluate on {times:number} times as many samples, always the same ones, and in "
            "evaluation mode: the scatter falls to {left:percent} of the descent. Or let rules "
            "watch an average over {averaged:count} evaluations.",
            times=times,
            left=noise / descent / math.sqrt(times),
            averaged=averaged,
        ),
        start=float(half.positions[0]),
        end=float(half.positions[-1]),
        numbers={"noise": noise, "descent": descent, "fall": fall.size},
        level="likely" if noise > 3 * _NOISY * descent else "possible",
    )
