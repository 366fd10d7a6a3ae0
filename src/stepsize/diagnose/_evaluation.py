"""Rules about the loss on other data: does it rise while training falls, is it too noisy."""

import math
from typing import Final

import numpy as np

from stepsize.diagnose._rule import Found, rule
from stepsize.diagnose._view import RunView
from stepsize.words import number_text, position_text

__all__ = ["noisy_evaluation", "overfitting"]

_FEWEST_EVALUATIONS: Final = 6
_LONGEST_REACH: Final = 10
_RISEN: Final = 0.05
_RISEN_NOISE: Final = 2.5
_NOISY: Final = 0.04
_WANTED: Final = 0.01
_MOST: Final = 1_000.0


@rule(
    needs="the training and the validation loss",
    source="early stopping where the validation loss turns: Prechelt 1998, Early Stopping - But "
    "When?; a shorter schedule that ends there is better still (arXiv 2203.15556, appendix B)",
    instead_of=("rate_too_low",),
)
def overfitting(run: RunView) -> Found | None:
    """The validation loss turned and rose while the training loss went on falling.

    Its last quarter lies above its lowest stretch by more than 5 % of its descent and 2.5 times its
    noise, and the training loss fell between the two.
    """
    held = run.evaluation
    if len(held) < _FEWEST_EVALUATIONS:
        return None
    smooth = held.running_median(min(max(1, len(held) // 20), _LONGEST_REACH))
    lowest = int(np.argmin(smooth))
    tail = max(2, min(len(held) // 4, len(held) - lowest - 1))
    if lowest >= len(held) - 2:
        return None
    ended = float(np.median(held.values[-tail:]))
    risen = ended - float(smooth[lowest])
    descent = float(held.values[0] - smooth[lowest])
    if not risen > max(_RISEN * descent, _RISEN_NOISE * held.noise):
        return None
    at = float(held.positions[lowest])
    after = run.loss.between(at, run.last)
    if len(run.loss) and after.fall.size < -3 * after.fall.error:
        return None  # both rise: that is a divergence
    return Found(
        "likely" if risen > 2 * max(_RISEN * descent, _RISEN_NOISE * held.noise) else "possible",
        f"The validation loss was lowest at step {position_text(at)}, "
        f"{number_text(float(smooth[lowest]))}, and ended at {number_text(ended)}; over the same "
        f"steps the training loss fell by {number_text(after.fall.size, 3)}.",
        f"Use the checkpoint of step {position_text(at)}, and plan the next run over "
        f"{position_text(round(at) + 1)} steps: .over({round(at) + 1}), so that the rate is at its "
        "floor there. To train longer needs more data, augmentation or weight decay, not another "
        "rate.",
        start=at,
        end=run.last,
        numbers={"lowest": float(smooth[lowest]), "ended": ended, "noise": held.noise},
    )


@rule(
    needs="the validation loss",
    source="the standard error of a mean over n samples falls as 1 / √n; a plateau rule with "
    "patience k takes k draws of this noise for a verdict",
)
def noisy_evaluation(run: RunView) -> Found | None:
    """The evaluations differ more by chance than by training: rules and choices on them are bets.

    From one evaluation to the next the validation loss scatters by more than 4 % of its descent,
    and by more than it surely fell in the second half of the run.
    """
    held = run.evaluation
    if len(held) < _FEWEST_EVALUATIONS:
        return None
    # The lowest of noisy points is too low by the noise itself.
    descent = float(held.values[0] - np.median(held.values[-max(3, len(held) // 4) :]))
    half = held.between((held.positions[0] + held.positions[-1]) / 2, held.positions[-1])
    noise = half.noise
    fell = abs(half.fall.size) - half.fall.error
    if not noise > max(_NOISY * abs(descent), fell) or descent <= 0:
        return None
    times = math.ceil(min(noise / (_WANTED * descent), _MOST) ** 2)
    return Found(
        "likely",
        f"From one evaluation to the next the validation loss scatters by {number_text(noise, 2)}, "
        f"{100 * (noise / descent):.0f} % of its descent; in the second half it fell by "
        f"{number_text(half.fall.size, 2)}.",
        f"Evaluate on {times} times as many samples to bring the scatter to 1 % of the descent, "
        "always the same ones, and in evaluation mode; or let rules watch an average over "
        f"{max(2, math.ceil(math.sqrt(times)))} evaluations.",
        start=float(half.positions[0]),
        end=float(half.positions[-1]),
        numbers={"noise": noise, "descent": descent, "fall": half.fall.size},
    )
