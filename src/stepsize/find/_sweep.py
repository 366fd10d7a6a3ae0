"""The sweep of a range test: one step at each rate, until the watched loss diverges."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from stepsize.errors import InvalidValue, StepsizeError, TrainingError
from stepsize.find._arguments import described, quoted
from stepsize.messages import Message
from stepsize.signals import Observation, Sink, Tick
from stepsize.statistics import MovingAverage, RunningMinimum
from stepsize.training import Training
from stepsize.words import number_text

__all__ = ["Array", "Divergence", "Sweep", "SweepRules", "sweep"]

Array: TypeAlias = NDArray[np.float64]

_NON_FINITE_IN_A_ROW = 3
_TRAINING_LOSS = "loss"


@dataclass(frozen=True)
class Sweep:
    """What a sweep measured.

    Args:
        positions: How many steps came before each measured one; shape (n,).
        rates: The rate of each measured step; shape (n,).
        losses: The metric at each; NaN kept; shape (n,).
        smoothed: The moving average of the finite losses; shape (n,).
        stopped: Why the sweep ended.
        diverged: Whether it ended because of the losses, not at the highest rate.
        steps: Steps taken.
        skipped: Steps whose update was skipped.
        evaluations: Calls of ``evaluate``.
    """

    positions: Array
    rates: Array
    losses: Array
    smoothed: Array
    stopped: Message
    diverged: bool
    steps: int
    skipped: int
    evaluations: int


class Divergence:
    """The moving average of the finite losses, and whether they have diverged.

    Args:
        smoothing: Weight of the past from one measurement to the next.
        diverged: How many times its lowest value the average may reach.
    """

    def __init__(self, smoothing: float, diverged: float) -> None:
        self._average = MovingAverage(smoothing)
        self._lowest = RunningMinimum()
        self._diverged = diverged
        self._first = math.nan
        self._non_finite = 0
        self.smoothed: list[float] = []
        self.reason = Message("the highest rate was reached")

    def add(self, loss: float) -> bool:
        """Take one loss; True if the sweep should end."""
        if not math.isfinite(loss):
            self.smoothed.append(self._average.value)
            self._non_finite += 1
            if self._non_finite < _NON_FINITE_IN_A_ROW:
                return False
            self.reason = Message("{n:count} losses in a row were not finite", n=self._non_finite)
            return True
        self._non_finite = 0
        self._average = self._average.add(loss)
        average = self._average.value
        self.smoothed.append(average)
        if math.isnan(self._first):
            self._first = average
        self._lowest = self._lowest.add(average)
        if average <= self._limit():
            return False
        self.reason = Message(
            "the loss diverged: above {times:number} × its lowest value", times=self._diverged
        )
        return True

    def _limit(self) -> float:
        lowest = self._lowest.value
        if lowest > 0:
            return self._diverged * lowest
        # A multiple of a negative loss means nothing; its size at the start does.
        return lowest + self._diverged * max(abs(self._first), abs(lowest))


@dataclass(frozen=True)
class SweepRules:
    """How a sweep measures, and when it ends.

    Args:
        metric: The name of the loss to read.
        evaluate_every: Steps between measurements where ``evaluate`` measures it.
        smoothing: Weight of the past in the moving average, from one step to the next.
        diverged: As in :class:`Divergence`.
        sinks: Each gets a ``Tick`` at each measurement.
    """

    metric: str
    evaluate_every: int
    smoothing: float
    diverged: float
    sinks: Sequence[Sink] = ()


def sweep(
    training: Training,
    rates: Sequence[float],
    factors: Callable[[float], Sequence[float]],
    rules: SweepRules,
    call: str,
) -> Sweep:
    """Take one step at each rate, until the watched loss diverges.

    The caller preserves the training.

    Args:
        training: What is stepped.
        rates: One per step.
        factors: From a rate to one factor per group.
        rules: How to measure, and when to end.
        call: The call that errors name.

    Raises:
        InvalidValue: Nothing measures the metric.
        TrainingError: A step or an evaluation raises; the batches end; ``evaluate`` gives a value
            that is not finite before any step.
    """
    metric = _Metric(training, rules.metric, call)
    every = rules.evaluate_every if metric.is_evaluated else 1
    # The average spans as many steps, whether each of them is measured or few.
    divergence = Divergence(rules.smoothing**every, rules.diverged)
    positions: list[int] = []
    losses: list[float] = []
    stepped = skipped = taken = 0
    has_diverged = False
    for rate in rates:
        taken += 1
        observation = _step(training, factors(rate), rate, taken, call)
        if not observation.stepped:
            skipped += 1
            # A loss scaler also skips while it looks for its scale, with a finite loss.
            if metric.is_evaluated or math.isfinite(metric.loss(observation)):
                continue
        stepped += 1
        if stepped % every and taken < len(rates):
            continue
        loss = metric.loss(observation)
        positions.append(taken - 1)
        losses.append(loss)
        for sink in rules.sinks:
            sink(Tick(taken - 1, {"lr": rate}, {rules.metric: loss}))
        if has_diverged := divergence.add(loss):
            break
    return Sweep(
        np.array(positions, np.float64),
        np.array([rates[position] for position in positions]),
        np.array(losses),
        np.array(divergence.smoothed),
        divergence.reason,
        has_diverged,
        taken,
        skipped,
        metric.evaluations,
    )


def _step(
    training: Training, factors: Sequence[float], rate: float, number: int, call: str
) -> Observation:
    try:
        return training.step({"lr": factors})
    except StopIteration as error:
        raise TrainingError(
            call,
            "every rate needs a batch",
            f"the batches ended after {number - 1} steps",
            f"Give data that begins anew after an epoch, or {{steps=}}{number - 1} at most.",
        ) from error
    except StepsizeError:
        raise
    except Exception as error:
        raise TrainingError(
            call,
            "every step must run",
            f"step number {number}, at rate {number_text(rate)}, raised {described(error)}",
            "Correct the training; if high rates break it, lower {high=}.",
        ) from error


class _Metric:
    """The loss that is read, and who measures it."""

    def __init__(self, training: Training, name: str, call: str) -> None:
        self._training = training
        self._name = name
        self._call = call
        self.evaluations = 0
        self._evaluated: Mapping[str, float] = {}
        if name != _TRAINING_LOSS:
            self._evaluated = self._evaluate()
        self.is_evaluated = name in self._evaluated
        if self.is_evaluated and not math.isfinite(first := self._evaluated[name]):
            raise TrainingError(
                call,
                f"evaluate() must give a finite {name!r} before any step",
                f"gave {first}",
                "Check the model and the validation data for NaN, or leave out {metric=} to read "
                "the training loss.",
            )

    def loss(self, observation: Observation) -> float:
        """The metric after the step that gave this observation."""
        measured = self._evaluate() if self.is_evaluated else observation.metrics
        if self._name in measured:
            return float(measured[self._name])
        if self.is_evaluated:
            raise TrainingError(
                self._call,
                f"evaluate() must measure {self._name!r} each time",
                f"this time it gave {quoted(measured)}",
            )
        if self._name == _TRAINING_LOSS:
            raise TrainingError(
                self._call,
                "step() must measure 'loss'",
                f"measured {quoted(measured)}",
                "Put it into the observation's metrics.",
            )
        raise InvalidValue(
            self._call,
            "{metric} must name a measurement",
            f"{self._name!r} is not one: step() measures {quoted(measured)}, evaluate() "
            f"{quoted(self._evaluated)}",
            "Leave it out to read the training loss.",
            "metric",
        )

    def _evaluate(self) -> Mapping[str, float]:
        self.evaluations += 1
        try:
            return self._training.evaluate()
        except StepsizeError:
            raise
        except Exception as error:
            raise TrainingError(
                self._call,
                "evaluate() must measure the model",
                f"raised {described(error)}",
                "Correct it, or leave out {metric=} to read the training loss.",
            ) from error
