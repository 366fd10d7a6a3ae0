"""The loop of ``run``: steps, evaluations, and what is decided at them."""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import isfinite
from typing import cast

from stepsize.errors import StateError, StepsizeWarning, TrainingError
from stepsize.policy import Answer, PolicyState
from stepsize.signals import Decision, Observation, Rewind, Sink, Stop, Tick
from stepsize.training._abilities import Skips
from stepsize.training._cause import Agree, Cause, find_cause
from stepsize.training._drive import Drive
from stepsize.training._protocol import Training
from stepsize.training.snapshots import Kept

__all__ = ["Beside", "Loop", "Progress"]

_SKIPS_IN_A_ROW = 1_000
_USUAL = 64
_CUTS_PER_SNAPSHOT = 4
"""After so many cuts in vain the weights are suspected, and an older snapshot is gone back to."""


@dataclass
class Progress:
    """How far a run has come; with the training's own state, all that its future depends on.

    Args:
        position: Executed steps, those taken back not counted.
        consumed: How many steps' data was drawn, also for skipped updates and batches passed over.
        passing: Which of these to pass over when they come.
        skipped: Steps whose update was skipped.
        skipped_in_a_row: The last of them.
        first_loss: The loss before any update; it tells of the initialisation.
        losses: Those of the last executed steps.
        stopped: The reason of a Stop decision.
        decisions: Every decision with its position.
    """

    position: int = 0
    consumed: int = 0
    passing: set[int] = field(default_factory=set[int])
    skipped: int = 0
    skipped_in_a_row: int = 0
    first_loss: float | None = None
    losses: list[float] = field(default_factory=list[float])
    stopped: str | None = None
    decisions: list[tuple[int, Decision]] = field(default_factory=list[tuple[int, Decision]])


@dataclass(frozen=True)
class Beside:
    """What a snapshot in the ring comes with."""

    consumed: int
    losses: Sequence[float]
    states: Mapping[str, PolicyState]


class Loop:
    """One run.

    Args:
        training: What is trained.
        drive: The policies.
        sinks: Who is told.
        kept: The ring; None if no controller may rewind.
        agree: From what this rank saw to what all ranks decide on.
        start: The position to begin at.
    """

    def __init__(
        self,
        training: Training,
        drive: Drive,
        sinks: Sequence[Sink],
        kept: Kept[Beside] | None,
        agree: Agree,
        start: int = 0,
    ) -> None:
        self._training = training
        self._agree = agree
        self._sinks = sinks
        self._told_of_no_ring = False
        self.drive = drive
        self.kept = kept
        self.progress = Progress(position=start, consumed=start)

    def step(self) -> bool:
        """Take one step; returns whether the run is at a new position then."""
        progress = self.progress
        self._pass_over()
        if self.kept is not None and self.kept.is_due(progress.position):
            beside = Beside(progress.consumed, tuple(progress.losses), self.drive.states)
            self.kept.take(progress.position, self._training.snapshot(), beside)
        factors = self.drive.factors(progress.position)
        observation = self._agree(self._training.step(factors))
        progress.consumed += 1
        if not observation.stepped:
            self._count_skipped()
            return False
        progress.skipped_in_a_row = 0
        progress.position += 1
        self._note_loss(observation)
        reached = progress.position
        self._tell(reached - 1, self.drive.rates(factors), observation)
        return progress.position == reached

    def evaluate(self) -> Mapping[str, float]:
        """Measure, and let the controllers see it."""
        metrics = self._training.evaluate()
        if metrics:
            metrics = self._agree(Observation(metrics)).metrics
            self._tell(self.progress.position, {}, Observation(metrics))
        return metrics

    def _pass_over(self) -> None:
        while self.progress.consumed in self.progress.passing:
            cast(Skips, self._training).skip(1)  # only where it can is anything to be passed over
            self.progress.consumed += 1

    def _note_loss(self, observation: Observation) -> None:
        loss = observation.metrics.get("loss")
        if loss is None:
            return
        if self.progress.first_loss is None:
            self.progress.first_loss = loss
        self.progress.losses.append(loss)
        del self.progress.losses[:-_USUAL]

    def _count_skipped(self) -> None:
        progress = self.progress
        progress.skipped += 1
        progress.skipped_in_a_row += 1
        if progress.skipped_in_a_row >= _SKIPS_IN_A_ROW:
            raise TrainingError(
                f"run(...): the last {_SKIPS_IN_A_ROW:,} updates were all skipped at position "
                f"{progress.position}; the gradients have not been finite once. Lower the rate, "
                "check the data for NaN, or train without float16."
            )

    def _tell(self, at: int, rates: Mapping[str, float], observation: Observation) -> None:
        decided = self.drive.observe(replace(observation, position=at))
        rewinds = {q: each for q, each in reversed(decided) if isinstance(each, Rewind)}
        decisions: list[Decision] = [each for _, each in decided if not isinstance(each, Rewind)]
        if rewinds:
            decisions.extend(self._go_back(rewinds))
        for decision in decisions:
            self.progress.decisions.append((at, decision))
            if isinstance(decision, Stop):
                self.progress.stopped = str(decision.reason)
        tick = Tick(at, rates, observation.metrics, tuple(decisions))
        for sink in self._sinks:
            sink(tick)

    # ---------------------------------------------------------------- going back

    def _go_back(self, rewinds: Mapping[str, Rewind]) -> Sequence[Decision]:
        """Carry out a rewind; returns what was done."""
        progress, kept = self.progress, self.kept
        seen = progress.position - 1  # the last executed step
        last = self.drive.unended(rewinds, seen)
        ended = 0 if last is None else last.repeats + 1
        is_enough = ended > min(each.limit for each in rewinds.values())
        if kept is None or not kept.positions:
            return self._only_cut(rewinds, seen, is_enough)
        since = max(each.since for each in rewinds.values())
        older = 0 if last is None else last.cuts // _CUTS_PER_SNAPSHOT
        index, cause = self._cause(kept, kept.before(seen - since, older), suspects=since + 1)
        kept.forget_after(index)
        at, beside = int(kept.positions[index]), kept.besides[index]
        progress.position, progress.consumed = at, beside.consumed
        progress.losses = list(beside.losses)
        if is_enough:
            return [Stop(self._report(rewinds, seen, at, ended, cause))]
        answer: Answer = "pass over"
        if cause.blamed != "batches":
            answer = "repeat" if last is None else "cut"
        self.drive.rewind(rewinds, beside.states, at, seen, answer)
        if answer != "repeat":
            progress.passing |= cause.batches
        return self._carried_out(rewinds, f"Back from step {seen} to {at}. {cause.words}")

    def _carried_out(self, rewinds: Mapping[str, Rewind], words: str) -> Sequence[Decision]:
        done: list[Decision] = []
        for name, each in rewinds.items():
            rewound = self.drive.states[name].rewinds[-1]
            reason = f"{each.reason}. {words}; {rewound.about(name)}"
            done.append(replace(each, factor=rewound.factor, reason=reason))
        return done

    def _cause(self, kept: Kept[Beside], newest: int, suspects: int) -> tuple[int, Cause]:
        """Why, and which snapshot to go back to; the training is there afterwards."""
        tried: list[tuple[int, Cause]] = []
        damages: list[StateError] = []
        for index in range(newest, -1, -1):
            beside = kept.besides[index]
            try:
                snapshot = kept.snapshot(index)
            except StateError as damage:
                damages.append(damage)
                continue
            cause = find_cause(
                self._training,
                snapshot,
                self.drive.factors_without_rate(int(kept.positions[index])),
                drawn=range(beside.consumed, self.progress.consumed),
                suspects=suspects,
                passing=self.progress.passing,
                usual=beside.losses,
                agree=self._agree,
            )
            tried.append((index, cause))
            if cause.blamed != "weights":
                break
        else:
            if not tried:
                raise damages[0]
            # None of them is better than another: as little as possible is given up.
            index, cause = tried[0]
            self._training.restore(kept.snapshot(index))
        if damages:
            _say_that_one_is_passed_over(damages[0])
        return index, cause

    def _only_cut(
        self, rewinds: Mapping[str, Rewind], seen: int, is_enough: bool
    ) -> Sequence[Decision]:
        if is_enough:
            reasons = "; ".join(dict.fromkeys(str(each.reason) for each in rewinds.values()))
            return [Stop(f"{reasons}. No cut has ended it")]
        if not self._told_of_no_ring:
            self._told_of_no_ring = True
            warnings.warn(
                "run(...): a controller decides to go back, but no snapshots are kept, because no "
                "controller says so by an attribute rewinds = True. The rate is cut, and that is "
                "all. Give the controller this attribute. This is said once.",
                StepsizeWarning,
                stacklevel=6,
            )
        self.drive.rewind(rewinds, self.drive.states, self.progress.position, seen, "cut")
        return self._carried_out(rewinds, "There is no snapshot to go back to")

    def _report(
        self, rewinds: Mapping[str, Rewind], seen: int, at: int, ended: int, cause: Cause
    ) -> str:
        """What was seen: the trouble, the data, the initialisation, the rate."""
        reasons = "; ".join(dict.fromkeys(str(each.reason) for each in rewinds.values()))
        first = self.progress.first_loss
        start = (
            "no loss was seen"
            if first is None
            else f"the loss before the first update was {first:.4g}"
            + (
                ""
                if isfinite(first)
                else ", so the model or its first batch was broken from the start"
            )
        )
        rates = self.drive.rates(self.drive.factors(at))
        return (
            f"{reasons}. {ended} rewinds in a row have not ended it, the last at step {seen}; "
            f"the training is left as it was at step {at}. Data: {cause.words}. "
            f"Initialisation: {start}. "
            f"Rate: {', '.join(f'{name} {value:.4g}' for name, value in rates.items())} at step "
            f"{at} after all cuts; trouble that no rate ends comes from the data, the model or the "
            "optimizer's state"
        )


def _say_that_one_is_passed_over(damage: StateError) -> None:
    warnings.warn(
        f"run(...): a snapshot to go back to was passed over, because {damage}",
        StepsizeWarning,
        stacklevel=7,
    )
