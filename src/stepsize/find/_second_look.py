"""The second look: at 15 % of the run, begun low, whether it should go on at a higher rate.

A rate that was too low until then is made good by raising it; one that was too high is not made
good by lowering it. So the run begins below what its first trials say, and looks again.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from stepsize.errors import TrainingError
from stepsize.find._beginnings import SPACING, Beginnings, as_good
from stepsize.find._trials import Trial, TrialRunner
from stepsize.find.levels import Level
from stepsize.messages import Message
from stepsize.schedules import Hold, Schedule
from stepsize.statistics import deviation, neighbour_deviation
from stepsize.words import number_text

__all__: list[str] = []

_BELOW_VERTEX = 2.0
# By how much of the fall a fork may be behind the best and still be as good.
_AS_GOOD = 0.003
# Beyond the highest fork where that was best, and between forks that were as good.
_RAISED_BEYOND, _RAISED = 1.8, 1.25
_UNCOMPARED = 1.5
_MOST_LOWERINGS = 3
_NOISE = 2.5


@dataclass(frozen=True)
class Start:
    """The first part of the run, as it was driven.

    Args:
        schedule: It, in multiples of the base rate.
        steps: Its length.
        losses: The training loss before each step.
        peak: The rate at which the run goes on.
        forks: What the second look compared, by rate; empty without one.
        reason: Why the run goes on at ``peak``.
    """

    schedule: Schedule
    steps: int
    losses: list[float]
    peak: float
    forks: tuple[Trial, ...]
    reason: Message


def reserved_steps(level: Level, steps: int) -> int:
    """The steps of the second look that are not the run's own."""
    if not level.forks:
        return level.raise_steps(steps)
    held, cooldown = level.fork_steps(steps)
    return level.forks * (held + cooldown) - held + level.raise_steps(steps)


def start_run(
    runner: TrialRunner,
    beginnings: Beginnings,
    untrained: float,
    steps: int,
    level: Level,
    call: str,
) -> Start:
    """Begin the run below the best of its trials, and look again where the level says so.

    The training is afterwards at the end of the first part.
    """
    low = runner.rounded(beginnings.vertex() / _BELOW_VERTEX)
    trial = beginnings.keep(low)
    kept = trial.losses[: beginnings.length].tolist()
    path = _Path(runner, beginnings.shape * runner.factor(trial.rate), kept)
    if level.forks:
        low, losses = _hold(runner, low, level.second_look(steps) - len(kept), call)
        path.add(low, losses)
        look = _Forks(runner, low, steps, level, path.losses)
        fork, peak, reason = look.choose(untrained, call)
        path.add(fork.rate, fork.losses[: look.held].tolist())
        forks, rate = tuple(look.trials), fork.rate
    else:
        peak, forks, rate = low * _UNCOMPARED, (), trial.rate
        reason = Message("the run begins at {low:rate 2}, without a second look", low=trial.rate)
    peak = runner.rounded(max(rate, min(peak, beginnings.limit)))
    if peak > rate and not path.goes_on(peak, level.raise_steps(steps)):
        reason = Message(
            "{reason:message}; at {peak:rate 2} the loss rose", reason=reason, peak=peak
        )
        peak = rate
    return Start(path.schedule, len(path.losses), path.losses, peak, forks, reason)


class _Path:
    """How the run was driven so far."""

    def __init__(self, runner: TrialRunner, schedule: Schedule, losses: list[float]) -> None:
        self._runner = runner
        self._schedule = schedule
        self._held: list[tuple[float, int]] = []
        self.losses = losses

    @property
    def schedule(self) -> Schedule:
        """The path, in multiples of the base rate."""
        schedule = self._schedule
        for rate, steps in self._held:
            schedule = schedule >> Hold(steps) * self._runner.factor(rate)
        return schedule

    def add(self, rate: float, losses: list[float]) -> None:
        """The run went on at ``rate``, with these losses."""
        if self._held and self._held[-1][0] == rate:
            self._held[-1] = rate, self._held[-1][1] + len(losses)
        elif losses:
            self._held.append((rate, len(losses)))
        self.losses = [*self.losses, *losses]

    def goes_on(self, rate: float, steps: int) -> bool:
        """Go on at a higher rate, unless the loss then surely rises: then go back."""
        before = self._runner.snapshot()
        losses, ended = self._runner.advance(rate, [1.0] * steps)
        if ended is None and not has_risen(self.losses[-steps:], losses):
            self.add(rate, losses)
            return True
        self._runner.restore(before)
        return False


def has_risen(before: Sequence[float], after: Sequence[float]) -> bool:
    """Whether the second half of ``after`` surely lies above that of ``before``."""
    recent = np.array(before[len(before) // 2 :])
    # Where the loss wanders, neighbours are alike and say less of its noise than its spread does.
    margin = _NOISE * max(neighbour_deviation(recent), deviation(recent))
    return float(np.mean(after[len(after) // 2 :])) > float(np.mean(recent)) + margin


def _hold(runner: TrialRunner, rate: float, steps: int, call: str) -> tuple[float, list[float]]:
    """Go on at ``rate``, or lower where the loss diverges; returns the rate and the losses."""
    before = runner.snapshot()
    ended: Message | None = None
    for _ in range(_MOST_LOWERINGS):
        losses, ended = runner.advance(rate, [1.0] * steps)
        if ended is None:
            return rate, losses
        runner.restore(before)
        rate = runner.rounded(rate / SPACING)
    raise TrainingError(
        call,
        "the run must not diverge at its beginning",
        f"it did where it went on, down to {number_text(rate, 3)}; there {ended}",
        "Check the data for NaN, clip the gradients, or give the optimizer a lower lr.",
    )


class _Forks:
    """The forks of one second look, from where the training is."""

    def __init__(
        self, runner: TrialRunner, low: float, steps: int, level: Level, before: Sequence[float]
    ) -> None:
        self._runner = runner
        self.held, self._cooldown = level.fork_steps(steps)
        self._from: Any = runner.snapshot()
        self._ends: dict[float, Any] = {}
        self._low, self._before = low, before[-self.held :]
        self.trials = [self._fork(low)]
        while len(self.trials) < level.forks and self._is_highest_best():
            self.trials.append(self._fork(runner.rounded(self.trials[-1].rate * SPACING)))

    def _is_highest_best(self) -> bool:
        highest = self.trials[-1]
        return highest.ended is None and highest.loss == min(each.loss for each in self.trials)

    def _fork(self, rate: float) -> Trial:
        runner = self._runner
        runner.restore(self._from)
        losses, ended = runner.advance(rate, [1.0] * self.held)
        self._ends[rate] = runner.snapshot()
        if ended is None and rate > self._low and has_risen(self._before, losses):
            # A cooldown would hide it, and the run does not cool down yet.
            ended = Message("the loss rose above its level before")
        if ended is None:
            multiples = [1 - index / self._cooldown for index in range(self._cooldown)]
            cooled, ended = runner.advance(rate, multiples)
            losses += cooled
        return runner.judged(rate, losses, ended)

    def choose(self, untrained: float, call: str) -> tuple[Trial, float, Message]:
        """The fork that is kept, the peak, and why; the training is at the end of that fork."""
        if self.trials[0].ended is not None:
            return self._lowered(call)
        best = min(each.loss for each in self.trials)
        good = [each for each in self.trials if as_good(each.loss, best, untrained, _AS_GOOD)]
        chosen = good[0]
        self._runner.restore(self._ends[chosen.rate])
        fields = {"low": self.trials[0].rate, "high": self.trials[-1].rate, "best": chosen.rate}
        if chosen is self.trials[-1]:
            reason = Message(
                "at a second look, from {low:rate 2} to {high:rate 2}, the highest was best",
                low=self.trials[0].rate,
                high=chosen.rate,
            )
            return chosen, chosen.rate * _RAISED_BEYOND, reason
        if len(good) > 1:
            reason = Message(
                "at a second look, from {low:rate 2} to {high:rate 2}, {best:rate 2} was as good "
                "as any",
                **fields,
            )
            return chosen, chosen.rate * _RAISED, reason
        reason = Message(
            "at a second look, from {low:rate 2} to {high:rate 2}, {best:rate 2} was best", **fields
        )
        return chosen, chosen.rate, reason

    def _lowered(self, call: str) -> tuple[Trial, float, Message]:
        rate = self.trials[0].rate
        for _ in range(_MOST_LOWERINGS):
            rate = self._runner.rounded(rate / SPACING)
            trial = self._fork(rate)
            self.trials.insert(0, trial)
            if trial.ended is None:
                self._runner.restore(self._ends[rate])
                reason = Message("at a second look higher rates diverged")
                return trial, rate, reason
        raise TrainingError(
            call,
            "the run must not diverge at its beginning",
            f"it did at its second look, down to {number_text(rate, 3)}",
            "Check the data for NaN, clip the gradients, or give the optimizer a lower lr.",
        )
