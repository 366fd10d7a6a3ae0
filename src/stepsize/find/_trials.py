"""Trials: a rate followed for a stretch from one snapshot, and the loss that it ends at."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from stepsize.errors import InvalidValue, TrainingError
from stepsize.find._arguments import described, largest_base, quoted
from stepsize.messages import Message
from stepsize.schedules import Schedule
from stepsize.signals import Sink, Tick
from stepsize.statistics import MovingAverage
from stepsize.training import Training
from stepsize.words import list_text, number_text

__all__ = ["Trial"]

_TAIL = 0.3
_WINDOWS = 4
# A loss that has risen by this many times its size at the start does not come back in a trial.
_LOST = 3.0
_SMOOTHING = 0.7
_MOST_SKIPPED = 20


@dataclass(frozen=True)
class Trial:
    """One rate, tried.

    Args:
        rate: The peak rate of the group with the largest base rate.
        loss: What it is judged by; infinite if the trial ended early.
        windows: Mean training losses of disjoint windows of its last 30 %, in order.
        losses: The training loss at each step, before the update; shape (steps,).
        ended: Why it ended early, else None.
    """

    rate: float
    loss: float
    windows: tuple[float, ...]
    losses: NDArray[np.float64]
    ended: Message | None = None


class StopRule(Protocol):
    """Says when a trial is not worth continuing."""

    def reason(self, losses: Sequence[float], /) -> Message | None:
        """Why the trial with these losses so far should end now, else None."""
        ...


class TrialRunner:
    """Runs trials: from one snapshot, over the same batches, judged by one metric.

    The caller preserves the training.

    Args:
        training: What is trained.
        call: The call that errors name.
        metric: What ``evaluate`` measures that is to be lowered; chosen as :func:`chosen_metric`
            says if not given.
        sinks: Each gets a ``Tick`` after each step, with the steps of all trials as its position.
        groups: The numbers of the groups that trials drive; the others stay at their base rates.
            All if not given.
    """

    def __init__(
        self,
        training: Training,
        call: str,
        metric: str | None = None,
        sinks: Sequence[Sink] = (),
        groups: Sequence[int] | None = None,
    ) -> None:
        self._training, self._call, self._sinks = training, call, sinks
        everything = tuple(training.groups)
        driven = range(len(everything)) if groups is None else groups
        self._is_driven = [index in driven for index in range(len(everything))]
        self.base = largest_base(call, [everything[index] for index in driven])
        self._start: Any = training.snapshot()
        self._scale = 0.0
        self.steps = 0
        self.evaluations = 0
        measured = self._evaluated()
        self._measured = sorted(measured)
        self.metric = chosen_metric(measured, metric, call)
        self.first = self._checked_first(measured)

    def _checked_first(self, measured: Mapping[str, float]) -> float:
        if self.metric is None:
            return math.nan
        first = measured[self.metric]
        if not math.isfinite(first):
            raise TrainingError(
                self._call,
                f"evaluate() must give a finite {self.metric!r} before any step",
                f"gave {first}",
                "Check the model and the validation data for NaN, or name another metric with "
                "{metric=}.",
            )
        return first

    @property
    def judged_by(self) -> Message:
        """What trials are judged by, in words."""
        if self.metric is None:
            return Message("the training loss over the end of each trial, on the same batches")
        return Message("{metric:name} as evaluate() gives it", metric=repr(self.metric))

    @property
    def hint(self) -> str:
        """What else could be judged by, as the end of a remedy; else empty."""
        if self.metric is not None or not self._measured:
            return ""
        return (
            f" evaluate() measures {quoted(self._measured)}, but no name ends in 'loss': name what "
            "is to be lowered with {metric=}."
        )

    def factor(self, rate: float) -> float:
        """The multiple of the base rate, without the noise of the last digits."""
        return float(f"{rate / self.base:.12g}")

    def rounded(self, rate: float) -> float:
        """A rate nearby that is a short multiple of the base rate: schedules stay readable."""
        return float(f"{self.base * float(f'{rate / self.base:.3g}'):.12g}")

    def measure(self) -> float:
        """The metric of the model as it is now; NaN where only training losses are known."""
        return self._evaluated()[self.metric] if self.metric else math.nan

    def restart(self) -> None:
        """Go back to where trials start."""
        self.restore(self._start)

    def snapshot(self) -> Any:
        """The training as it is now."""
        return self._training.snapshot()

    def restore(self, snapshot: Any) -> None:
        """Go back to where a snapshot was taken."""
        self._training.restore(snapshot)

    def run(
        self, rate: float, schedule: Schedule, steps: int, stop_rule: StopRule | None = None
    ) -> Trial:
        """Follow ``rate`` × ``schedule`` for ``steps`` from the start, and judge the end."""
        self.restart()
        losses, ended = self.advance(rate, schedule.values(steps).tolist(), stop_rule)
        return self.judged(rate, losses, ended)

    def judged(self, rate: float, losses: Sequence[float], ended: Message | None) -> Trial:
        """The trial that has just run, with these training losses."""
        curve = np.array(losses)
        if ended is not None:
            return Trial(rate, math.inf, (), curve, ended)
        windows = tail_windows(curve)
        loss = self.measure() if self.metric else math.fsum(windows) / len(windows)
        if not math.isfinite(loss):
            ended = Message("{metric:message} was {loss:number}", metric=self.judged_by, loss=loss)
            return Trial(rate, math.inf, (), curve, ended)
        return Trial(rate, loss, windows, curve)

    def advance(
        self, rate: float, multiples: Sequence[float], stop_rule: StopRule | None = None
    ) -> tuple[list[float], Message | None]:
        """Step at ``rate`` × each multiple from where the training is.

        Returns:
            The losses; and why the steps broke off, else None.
        """
        losses: list[float] = []
        average = MovingAverage(_SMOOTHING)
        skipped = 0
        while len(losses) < len(multiples):
            loss, stepped = self._step(rate, multiples[len(losses)])
            if not stepped:
                skipped += 1
                if skipped > _MOST_SKIPPED + len(multiples):
                    return losses, Message("{n:count|update was|updates were} skipped", n=skipped)
                continue
            losses.append(loss)
            if not math.isfinite(loss):
                return losses, Message(
                    "the loss was {loss:number} after {n:count|step}", loss=loss, n=len(losses)
                )
            average = average.add(loss)
            self._scale = max(self._scale, abs(losses[0]))
            if average.value > losses[0] + _LOST * self._scale:
                return losses, Message(
                    "the loss rose from {first:number 3} to {last:number 3}",
                    first=losses[0],
                    last=average.value,
                )
            if stop_rule is not None and (reason := stop_rule.reason(losses)) is not None:
                return losses, reason
        return losses, None

    def _step(self, rate: float, multiple: float) -> tuple[float, bool]:
        self.steps += 1
        factor = self.factor(rate) * multiple
        try:
            observation = self._training.step(
                {"lr": [factor if driven else 1.0 for driven in self._is_driven]}
            )
        except StopIteration as error:
            raise TrainingError(
                self._call,
                "every step of a trial needs a batch",
                f"the batches ended after {self.steps - 1} steps of all trials",
                "Give batches that can be iterated once per epoch, or ask for shorter trials.",
            ) from error
        except Exception as error:
            raise TrainingError(
                self._call,
                "every step of a trial must run",
                f"at rate {number_text(rate)} step() raised {described(error)}",
                "Correct the training, or lower the rates.",
            ) from error
        if "loss" not in observation.metrics:
            raise TrainingError(
                self._call,
                "step() must measure 'loss'",
                f"measured {quoted(observation.metrics)}",
                "Put it into the observation's metrics.",
            )
        loss = float(observation.metrics["loss"])
        for sink in self._sinks:
            sink(Tick(self.steps - 1, {"lr": rate * multiple}, {"loss": loss}))
        return loss, observation.stepped

    def _evaluated(self) -> Mapping[str, float]:
        self.evaluations += 1
        try:
            return self._training.evaluate()
        except Exception as error:
            raise TrainingError(
                self._call,
                "evaluate() must measure the model",
                f"raised {described(error)}",
                "Correct it, or leave it out to judge by the training loss.",
            ) from error


def chosen_metric(measured: Mapping[str, float], metric: str | None, call: str) -> str | None:
    """What trials are judged by: a metric that is to be lowered, or None for the training loss.

    ``metric`` itself if given; else "val_loss", "loss", or the only name that ends in "loss".

    Raises:
        InvalidValue: ``metric`` is not measured, or nothing says which one is to be lowered.
    """
    if metric is not None:
        if metric not in measured:
            raise InvalidValue(
                call,
                f"{{metric}} must be one of what evaluate() measures, {quoted(measured)}",
                f"is {metric!r}",
                argument="metric",
            )
        return metric
    losses = sorted(name for name in measured if name.endswith("loss"))
    for usual in ("val_loss", "loss"):
        if usual in losses:
            return usual
    if len(losses) > 1:
        raise InvalidValue(
            call,
            "one loss must be chosen to be lowered",
            f"evaluate() gives {list_text(map(repr, losses))}",
            "Name one with {metric=}.",
            "metric",
        )
    return losses[0] if losses else None


def tail_windows(losses: NDArray[np.float64]) -> tuple[float, ...]:
    """The means of up to 4 disjoint windows of the last 30 %."""
    tail = losses[-max(1, math.ceil(_TAIL * len(losses))) :]
    return tuple(float(each.mean()) for each in np.array_split(tail, min(_WINDOWS, len(tail))))


def require_movement(trials: Sequence[Trial], runner: TrialRunner, call: str) -> None:
    """The trials' losses, or those of the only one, must differ: else nothing can be read off.

    Raises:
        TrainingError: They do not.
    """
    finite = [each for each in trials if math.isfinite(each.loss)]
    losses = [each.loss for each in finite]
    if math.isfinite(runner.first):
        losses.append(runner.first)
    if len(losses) == 1:  # compared with its own beginning
        losses = finite[0].losses.tolist()
    if len(losses) > 1 and max(losses) - min(losses) > 1e-9 * max(map(abs, losses)):
        return
    raise TrainingError(
        call,
        f"some rate must move {runner.judged_by}",
        f"no rate moved it: it was {number_text(losses[0])} at each of {rates_text(trials)}",
        "Check that it depends on the optimizer's parameters, give higher rates, or longer trials."
        + runner.hint,
    )


def rates_text(trials: Sequence[Trial]) -> str:
    """How many rates, and from where to where."""
    first, last = (number_text(trials[end].rate, 3) for end in (0, -1))
    return f"{len(trials)} rates from {first} to {last}"


def table_lines(trials: Sequence[Trial]) -> list[str]:
    """One line per trial."""
    best = min(each.loss for each in trials)
    return [
        f"  {number_text(each.rate, 3):<9} {number_text(each.loss, 5):<10} {each.ended or ''}"
        f"{'<- best' if each.loss == best else ''}".rstrip()
        for each in trials
    ]
