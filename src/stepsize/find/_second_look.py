"""The second look: at 15 % of the run, begun low, whether it should go on at a higher rate.

A rate that was too low until then is made good by raising it; one that was too high is not made
good by lowering it. So the run begins below what its first trials say, and looks again.
"""

from dataclasses import dataclass
from typing import Any

from stepsize.errors import TrainingError
from stepsize.find._beginnings import SPACING, Beginnings
from stepsize.find._trials import Trial, TrialRunner
from stepsize.find.levels import Level
from stepsize.messages import Message
from stepsize.schedules import Hold, Schedule
from stepsize.words import number_text

__all__: list[str] = []

_POSITION = 0.15
_FORK_COOLDOWN = 0.5
_SHORTEST_FORK, _SHORTEST_COOLDOWN = 10, 5
_BELOW_VERTEX = 2.0
# By how much of the fall a higher rate may be behind to be as good later.
_ALMOST = 0.015
_RAISED_BEYOND, _ALMOST_RAISED = 4.0 / SPACING, 1.5
_UNCOMPARED = 2.0
_MOST_LOWERINGS = 3


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


def fork_lengths(level: Level, steps: int) -> tuple[int, int]:
    """The held steps of a fork and those of its cooldown."""
    held = max(_SHORTEST_FORK, round(level.fork * steps))
    return held, max(_SHORTEST_COOLDOWN, round(_FORK_COOLDOWN * held))


def reserved_steps(level: Level, steps: int) -> int:
    """The steps of the second look that are not the run's own."""
    if not level.forks:
        return 0
    held, cooldown = fork_lengths(level, steps)
    return level.forks * (held + cooldown) - held


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
    vertex = beginnings.vertex()
    low = runner.rounded(vertex / _BELOW_VERTEX)
    trial = beginnings.keep(low)
    shape = beginnings.shape * (runner.factor(trial.rate))
    losses = trial.losses[: beginnings.length].tolist()
    if not level.forks:
        reason = Message(
            "it begins at {low:rate 2}, and goes on at what the trials say, without a second look",
            low=trial.rate,
        )
        return Start(
            shape, beginnings.length, losses, runner.rounded(low * _UNCOMPARED), (), reason
        )
    held = max(0, round(_POSITION * steps) - beginnings.length)
    low, more = _hold(runner, low, held, call)
    look = _Forks(runner, low, steps, level)
    kept, peak, reason = look.choose(untrained, call)
    if kept.rate == low:
        shape = shape >> Hold(held + look.held) * runner.factor(low)
    else:
        shape = (
            shape >> Hold(held) * runner.factor(low) >> Hold(look.held) * runner.factor(kept.rate)
        )
    return Start(
        shape,
        beginnings.length + held + look.held,
        [*losses, *more, *kept.losses[: look.held].tolist()],
        runner.rounded(peak),
        tuple(look.trials),
        reason,
    )


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

    def __init__(self, runner: TrialRunner, low: float, steps: int, level: Level) -> None:
        self._runner = runner
        self.held, self._cooldown = fork_lengths(level, steps)
        self._from: Any = runner.snapshot()
        self._ends: dict[float, Any] = {}
        self.trials = [
            self._fork(runner.rounded(low * SPACING**index)) for index in range(level.forks)
        ]

    def _fork(self, rate: float) -> Trial:
        runner = self._runner
        runner.restore(self._from)
        losses, ended = runner.advance(rate, [1.0] * self.held)
        self._ends[rate] = runner.snapshot()
        if ended is None:
            multiples = [1 - index / self._cooldown for index in range(self._cooldown)]
            cooled, ended = runner.advance(rate, multiples)
            losses += cooled
        return runner.judged(rate, losses, ended)

    def choose(self, untrained: float, call: str) -> tuple[Trial, float, Message]:
        """The fork that is kept, the peak, and why; the training is at the end of that fork."""
        if self.trials[0].ended is not None:
            return self._lowered(call)
        lowest = self.trials[0]
        best = min(self.trials, key=lambda each: each.loss)
        self._runner.restore(self._ends[best.rate])
        fields = {"low": lowest.rate, "high": self.trials[-1].rate}
        if best is not lowest:
            reason = Message(
                "at a second look, from {low:rate 2} to {high:rate 2}, {best:rate 2} was best",
                best=best.rate,
                **fields,
            )
            return best, best.rate * _RAISED_BEYOND, reason
        behind = (self.trials[1].loss - lowest.loss) / max(untrained - lowest.loss, 1e-300)
        if behind < _ALMOST:
            reason = Message(
                "at a second look, from {low:rate 2} to {high:rate 2}, a higher rate was as good",
                **fields,
            )
            return lowest, lowest.rate * _ALMOST_RAISED, reason
        reason = Message(
            "at a second look, from {low:rate 2} to {high:rate 2}, the lowest was best",
            **fields,
        )
        return lowest, lowest.rate, reason

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
