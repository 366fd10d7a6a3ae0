"""Trials: a rate followed for a stretch from one snapshot, and the loss that it ends at."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from stepsize.errors import InvalidValue, TrainingError
from stepsize.schedules import Schedule
from stepsize.training import Training

__all__ = ["Trial"]

_TAIL = 0.3
_WINDOWS = 4
# A loss that has risen by this many times its size at the start will not come back in a trial.
_LOST = 3.0
_SMOOTHING = 0.7
_SKIPS = 20


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
    ended: str | None = None


class Lane:
    """Where trials run: from one snapshot, over the same batches, judged by one measure.

    Whoever makes one does so inside ``preserved(training)``.

    Args:
        training: What is trained.
        call: The call that error messages name.
        metric: What ``evaluate`` measures that is to be lowered; chosen as :func:`chosen_metric`
            says if not given.
        progress: Called after each step with the steps so far.
    """

    def __init__(
        self,
        training: Training,
        call: str,
        metric: str | None = None,
        progress: Callable[[int], None] | None = None,
    ) -> None:
        self._training = training
        self._progress = progress
        self._call = call
        self._groups = len(training.groups)
        self._largest = largest_base(training, call)
        self._start: Any = training.snapshot()
        self._scale = 0.0
        self.steps = 0
        self.evaluations = 0
        measured = self._evaluated()
        self._measures = sorted(measured)
        self.metric, self.first = self._first_measured(measured, metric)

    def _first_measured(
        self, measured: Mapping[str, float], metric: str | None
    ) -> tuple[str | None, float]:
        chosen = chosen_metric(measured, metric, self._call)
        if chosen is None:
            return None, math.nan
        first = measured[chosen]
        if not math.isfinite(first):
            raise TrainingError(
                f"{self._call}: evaluate() must give a finite {chosen!r} before any step, but gave "
                f"{first}. Check the model and the validation data for NaN, or name another "
                "measure with metric=."
            )
        return chosen, first

    @property
    def judged_by(self) -> str:
        """The measure, in words."""
        if self.metric is None:
            return "the training loss over the end of each trial, on the same batches"
        return f"{self.metric!r} as evaluate() gives it"

    @property
    def hint(self) -> str:
        """What else could be judged by, as the end of a refusal; else empty."""
        if self.metric is not None or not self._measures:
            return ""
        return (
            f" evaluate() measures {', '.join(map(repr, self._measures))}, but no name ends in "
            "'loss': name what is to be lowered with metric=."
        )

    def measure(self) -> float:
        """The measure, of the model as it is now; NaN where only training losses are known."""
        return self._evaluated()[self.metric] if self.metric else math.nan

    def back(self) -> None:
        """To where trials start."""
        self.go_to(self._start)

    def snapshot(self) -> Any:
        """The training as it is now."""
        return self._training.snapshot()

    def go_to(self, snapshot: Any) -> None:
        """To where a snapshot was taken."""
        self._training.restore(snapshot)

    def run(
        self,
        rate: float,
        schedule: Schedule,
        steps: int,
        hopeless: "Hopeless | None" = None,
        *,
        judge: bool = True,
    ) -> Trial:
        """Follow ``rate`` × ``schedule`` for ``steps`` from the start, and measure.

        Without ``judge`` the trial is judged by its training loss.
        """
        self.back()
        losses, ended = self.advance(rate, schedule.values(steps).tolist(), hopeless)
        return self.judged(rate, losses, ended, judge=judge)

    def judged(
        self, rate: float, losses: Sequence[float], ended: str | None, *, judge: bool = True
    ) -> Trial:
        """The trial that has just run, with these training losses."""
        curve = np.array(losses)
        windows = tail_windows(curve) if ended is None else ()
        if ended is not None:
            return Trial(rate, math.inf, windows, curve, ended)
        loss = math.fsum(windows) / len(windows)
        if judge and self.metric:
            loss = self._evaluated()[self.metric]
        if not math.isfinite(loss):
            return Trial(rate, math.inf, (), curve, f"{self.judged_by} was {loss}")
        return Trial(rate, loss, windows, curve)

    def advance(
        self, rate: float, multiples: Sequence[float], hopeless: "Hopeless | None" = None
    ) -> tuple[list[float], str | None]:
        """Steps at ``rate`` × each multiple from where the training is; why it broke off, if so."""
        losses: list[float] = []
        smoothed = math.nan
        skipped = 0
        while len(losses) < len(multiples):
            factor = rate / self._largest * multiples[len(losses)]
            loss, stepped = self._step(factor, rate)
            if not stepped:
                skipped += 1
                if skipped > _SKIPS + len(multiples):
                    return losses, f"{skipped} updates were skipped"
                continue
            losses.append(loss)
            if not math.isfinite(loss):
                return losses, f"the loss was {loss} after {len(losses)} steps"
            smoothed = loss if len(losses) == 1 else _SMOOTHING * smoothed + (1 - _SMOOTHING) * loss
            self._scale = max(self._scale, abs(losses[0]))
            if smoothed > losses[0] + _LOST * self._scale:
                return losses, f"the loss rose from {losses[0]:.3g} to {smoothed:.3g}"
            if hopeless is not None and (why := hopeless.sees(losses)):
                return losses, why
        return losses, None

    def _step(self, factor: float, rate: float) -> tuple[float, bool]:
        self.steps += 1
        try:
            observation = self._training.step({"lr": [factor] * self._groups})
        except StopIteration as error:
            raise TrainingError(
                f"{self._call}: the batches ended after {self.steps - 1} steps of all trials. Give "
                "batches that can be iterated once per epoch, or ask for shorter trials."
            ) from error
        except Exception as error:
            raise TrainingError(
                f"{self._call}: every step of a trial must run, but at rate {rate:.3g} step() "
                f"raised {type(error).__name__}: {error}. Correct the training, or lower the "
                "rates."
            ) from error
        if "loss" not in observation.metrics:
            raise TrainingError(
                f"{self._call}: step() must measure 'loss', but measured "
                f"{sorted(observation.metrics)}. Put it into the observation's metrics."
            )
        if self._progress is not None:
            self._progress(self.steps)
        return float(observation.metrics["loss"]), observation.stepped

    def _evaluated(self) -> Mapping[str, float]:
        self.evaluations += 1
        try:
            return self._training.evaluate()
        except Exception as error:
            raise TrainingError(
                f"{self._call}: evaluate() must measure the model, but raised "
                f"{type(error).__name__}: {error}. Correct it, or leave it out to judge by the "
                "training loss."
            ) from error


class Hopeless(Protocol):
    """Says when a trial is not worth going on with."""

    def sees(self, losses: Sequence[float], /) -> str | None:
        """Why the trial with these losses so far should end now, else None."""
        ...


def chosen_metric(measured: Mapping[str, float], metric: str | None, call: str) -> str | None:
    """What trials are judged by: a measure that is to be lowered, or None for the training loss.

    ``metric`` itself if given; else "val_loss", "loss", or the only name that ends in "loss".

    Raises:
        InvalidValue: ``metric`` is not measured, or nothing says which measure is to be lowered.
    """
    if metric is not None:
        if metric not in measured:
            raise InvalidValue(
                f"{call}: metric must be one of what evaluate() measures, "
                f"{sorted(measured)}, but is {metric!r}."
            )
        return metric
    losses = [name for name in measured if name.endswith("loss")]
    for usual in ("val_loss", "loss"):
        if usual in losses:
            return usual
    if len(losses) > 1:
        raise InvalidValue(
            f"{call}: one measure must be lowered, but evaluate() gives {sorted(losses)}. Name one "
            "with metric=."
        )
    return losses[0] if losses else None


def largest_base(training: Training, call: str) -> float:
    """The largest base rate of the groups; rates are said of its group.

    Raises:
        TrainingError: It is 0.
    """
    bases = [group.base for group in training.groups]
    largest = max(bases)
    if largest <= 0:
        raise TrainingError(
            f"{call}: the groups' base rates are {bases}, and their ratios are kept, so one must "
            "be above 0. Give the optimizer any lr above 0."
        )
    return largest


def tail_windows(losses: NDArray[np.float64]) -> tuple[float, ...]:
    tail = losses[-max(1, math.ceil(_TAIL * len(losses))) :]
    return tuple(float(each.mean()) for each in np.array_split(tail, min(_WINDOWS, len(tail))))
