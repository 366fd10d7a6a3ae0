"""The sweep of a range test: a step at each rate, what is watched, and when to give up."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stepsize.errors import InvalidValue, StepsizeError, TrainingError
from stepsize.signals import Observation
from stepsize.training import Training

__all__ = ["Curve", "Divergence", "Progress", "Sweep", "sweep"]

Curve = NDArray[np.float64]
Progress = Callable[[int, float, float], None]

_NON_FINITE_IN_A_ROW = 3
_TRAINING_LOSS = "loss"


@dataclass(frozen=True)
class Sweep:
    """What was seen at each look.

    Args:
        positions: How many steps had been taken before the one that the look is about; shape (n,).
        rates: The rate of that step; shape (n,).
        losses: What was watched; NaN kept; shape (n,).
        smoothed: The moving average of the finite losses; shape (n,).
        stopped: Why the sweep ended.
        diverged: Whether that was the losses, and not the highest rate.
        steps: Steps that were asked for.
        skipped: Those whose update was skipped.
        evaluations: Calls of ``evaluate``.
    """

    positions: Curve
    rates: Curve
    losses: Curve
    smoothed: Curve
    stopped: str
    diverged: bool
    steps: int
    skipped: int
    evaluations: int


class Divergence:
    """The bias-corrected moving average of the finite losses, and when to give up.

    Args:
        smoothing: Weight of the past from one look to the next.
        diverged: How many times its lowest value the average may reach.
    """

    def __init__(self, smoothing: float, diverged: float) -> None:
        self._smoothing = smoothing
        self._diverged = diverged
        self._sum = self._weight = 0.0
        self._lowest = self._first = math.nan
        self._non_finite = 0
        self.smoothed: list[float] = []
        self.reason = "the highest rate was reached"

    def sees(self, loss: float) -> bool:
        """Take one loss; True if the sweep should end."""
        if not math.isfinite(loss):
            self.smoothed.append(self.smoothed[-1] if self.smoothed else math.nan)
            self._non_finite += 1
            if self._non_finite < _NON_FINITE_IN_A_ROW:
                return False
            self.reason = f"{self._non_finite} losses in a row were not finite"
            return True
        self._non_finite = 0
        self._sum = self._smoothing * self._sum + (1 - self._smoothing) * loss
        self._weight = self._smoothing * self._weight + (1 - self._smoothing)
        average = self._sum / self._weight
        self.smoothed.append(average)
        if math.isnan(self._first):
            self._first = self._lowest = average
        self._lowest = min(self._lowest, average)
        # For losses that may be negative "four times" has no meaning: their size at the start does.
        limit = self._diverged * self._lowest
        if self._lowest <= 0:
            limit = self._lowest + self._diverged * max(abs(self._first), abs(self._lowest))
        if average > limit:
            self.reason = f"the loss diverged: above {self._diverged:g} × its lowest value"
            return True
        return False


def sweep(
    training: Training,
    rates: Sequence[float],
    factors: Callable[[float], Sequence[float]],
    *,
    watch: str,
    evaluate_every: int,
    smoothing: float,
    diverged: float,
    progress: Progress | None,
    call: str,
) -> Sweep:
    """One step at each rate, until the watched loss diverges.

    Whoever calls this does so inside ``preserved(training)``.

    Args:
        training: What is stepped.
        rates: One per step.
        factors: From a rate to one factor per group.
        watch: The name of what is watched.
        evaluate_every: Steps from one look to the next where ``evaluate`` measures it.
        smoothing: Weight of the past in the moving average, from one step to the next.
        diverged: As in :class:`Divergence`.
        progress: Called at each look with (steps taken, rate, loss).
        call: The call that error messages name.

    Raises:
        InvalidValue: Nothing measures ``watch``.
        TrainingError: A step or an evaluation raises; the batches end; ``evaluate`` gives no finite
            number before any step.
    """
    watched = _Watched(training, watch, call)
    every = evaluate_every if watched.evaluated else 1
    # The average reaches back as many steps, whether one looks at each of them or at few.
    divergence = Divergence(smoothing**every, diverged)
    positions: list[int] = []
    losses: list[float] = []
    stepped = skipped = taken = 0
    gave_up = False
    for rate in rates:
        taken += 1
        observation = _step(training, factors(rate), rate, taken, call)
        if not observation.stepped:
            skipped += 1
            # A scaler that skips looks for its scale; one that skips at a loss that is not finite
            # has met the end.
            if watched.evaluated or math.isfinite(watched.loss(observation)):
                continue
        stepped += 1
        if stepped % every and taken < len(rates):
            continue
        loss = watched.loss(observation)
        positions.append(taken - 1)
        losses.append(loss)
        if progress is not None:
            progress(taken, rate, loss)
        if gave_up := divergence.sees(loss):
            break
    return Sweep(
        np.array(positions, np.float64),
        np.array([rates[position] for position in positions]),
        np.array(losses),
        np.array(divergence.smoothed),
        divergence.reason,
        gave_up,
        taken,
        skipped,
        watched.evaluations,
    )


def _step(
    training: Training, factors: Sequence[float], rate: float, number: int, call: str
) -> Observation:
    try:
        return training.step({"lr": factors})
    except StopIteration as error:
        raise TrainingError(
            f"{call}: every rate needs a batch, but the batches ended after {number - 1} steps. "
            f"Give data that begins anew after an epoch, or steps={number - 1} at most."
        ) from error
    except StepsizeError:
        raise
    except Exception as error:
        raise TrainingError(
            f"{call}: every step must run, but step number {number}, at rate {rate:.3g}, raised "
            f"{_described(error)}. Correct the training; if high rates break it, lower high=."
        ) from error


class _Watched:
    """The loss that is watched, and who measures it."""

    def __init__(self, training: Training, name: str, call: str) -> None:
        self._training = training
        self._name = name
        self._call = call
        self.evaluations = 0
        self._evaluate_measures: Mapping[str, float] = {}
        if name != _TRAINING_LOSS:
            self._evaluate_measures = self._evaluate()
        self.evaluated = name in self._evaluate_measures
        if self.evaluated and not math.isfinite(first := self._evaluate_measures[name]):
            raise TrainingError(
                f"{call}: evaluate() must give a finite {name!r} before any step, but gave {first}."
                " Check the model and the validation data for NaN, or leave watch out to watch the "
                "training loss."
            )

    def loss(self, observation: Observation) -> float:
        """What is watched, after the step that gave this observation."""
        measured = self._evaluate() if self.evaluated else observation.metrics
        if self._name in measured:
            return float(measured[self._name])
        if self.evaluated:
            raise TrainingError(
                f"{self._call}: evaluate() must measure {self._name!r} each time, but this time "
                f"gave {_listed(measured)}."
            )
        if self._name == _TRAINING_LOSS:
            raise TrainingError(
                f"{self._call}: step() must measure 'loss', but measured {_listed(measured)}. Put "
                "it into the observation's metrics."
            )
        raise InvalidValue(
            f"{self._call}: watch must name what is measured, but {self._name!r} is not: step() "
            f"measures {_listed(measured)}, evaluate() {_listed(self._evaluate_measures)}. Leave "
            "it out to watch the training loss."
        )

    def _evaluate(self) -> Mapping[str, float]:
        self.evaluations += 1
        try:
            return self._training.evaluate()
        except StepsizeError:
            raise
        except Exception as error:
            raise TrainingError(
                f"{self._call}: evaluate() must measure the model, but raised "
                f"{_described(error)}. Correct it, or leave watch out to watch the training loss."
            ) from error


def _described(error: Exception) -> str:
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__


def _listed(measured: Mapping[str, float]) -> str:
    return ", ".join(map(repr, sorted(measured))) or "nothing"
