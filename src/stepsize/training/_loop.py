"""The loop of ``run``: steps, evaluations, and what is decided at them."""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import isfinite
from typing import Final, cast

from stepsize.driving import (
    Cause,
    Driver,
    GoBack,
    PolicyState,
    Track,
    TrackId,
    Trouble,
    Try,
    decide_rewind,
    reasons_of,
    rewound,
    trouble_of,
)
from stepsize.errors import StateError, StepsizeWarning, TrainingError
from stepsize.messages import Message
from stepsize.signals import Decision, Observation, Rewind, Sink, Stop, Tick
from stepsize.training._abilities import CanSkip
from stepsize.training._cause import Agree, find_cause
from stepsize.training._factors import factors_at, rates_of, track_names, zero_rates
from stepsize.training._protocol import Training
from stepsize.training.snapshots import Snapshots

__all__ = ["Loop", "RunProgress", "SavedBeside"]

_MOST_SKIPS_IN_A_ROW: Final = 1_000
_LOSSES_KEPT: Final = 64


@dataclass
class RunProgress:
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
class SavedBeside:
    """What is kept beside a snapshot."""

    consumed: int
    losses: Sequence[float]
    states: Mapping[TrackId, PolicyState]


class Loop:
    """One run.

    Args:
        training: What is trained.
        driver: What it is driven by.
        sinks: Who is told.
        snapshots: Where a rewind goes back to; None if no controller may rewind.
        agree: From what this rank saw to what all ranks decide on.
        start: The position to begin at.
    """

    def __init__(
        self,
        training: Training,
        driver: Driver,
        sinks: Sequence[Sink],
        snapshots: Snapshots[SavedBeside] | None,
        agree: Agree,
        start: int = 0,
    ) -> None:
        self._training = training
        self._groups = training.groups
        self._agree = agree
        self._sinks = sinks
        self._told_that_it_only_cuts = False
        self.driver = driver
        self.driven = driver.init()
        self.snapshots = snapshots
        self.progress = RunProgress(position=start, consumed=start)

    @property
    def track_names(self) -> Mapping[TrackId, str]:
        """What messages call each track."""
        return track_names(self.driver, self._groups)

    def _factors(self, position: float) -> dict[str, list[float]]:
        return factors_at(self.driver, self.driven, position, self._groups)

    def _rates(self, factors: Mapping[str, Sequence[float]]) -> dict[str, float]:
        return rates_of(factors, self._groups)

    def step(self) -> bool:
        """Take one step; returns whether the run is at a new position then."""
        progress = self.progress
        self._pass_over()
        if self.snapshots is not None and self.snapshots.is_due(progress.position):
            states = self.driver.states(self.driven)
            beside = SavedBeside(progress.consumed, tuple(progress.losses), states)
            self.snapshots.take(progress.position, self._training.snapshot(), beside)
        factors = self._factors(progress.position)
        observation = self._agree(self._training.step(factors))
        progress.consumed += 1
        if not observation.stepped:
            self._count_skipped()
            return False
        progress.skipped_in_a_row = 0
        progress.position += 1
        self._note_loss(observation)
        reached = progress.position
        self._tell(reached - 1, self._rates(factors), observation)
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
            cast(CanSkip, self._training).skip(1)  # only where it can is anything to be passed over
            self.progress.consumed += 1

    def _note_loss(self, observation: Observation) -> None:
        loss = observation.metrics.get("loss")
        if loss is None:
            return
        if self.progress.first_loss is None:
            self.progress.first_loss = loss
        self.progress.losses.append(loss)
        del self.progress.losses[:-_LOSSES_KEPT]

    def _count_skipped(self) -> None:
        progress = self.progress
        progress.skipped += 1
        progress.skipped_in_a_row += 1
        if progress.skipped_in_a_row >= _MOST_SKIPS_IN_A_ROW:
            raise TrainingError(
                "run(...)",
                "an update is not skipped for ever",
                f"the last {_MOST_SKIPS_IN_A_ROW:,} were all skipped at position "
                f"{progress.position}: the gradients have not been finite once",
                "Lower the rate, check the data for NaN, or train without float16.",
            )

    def _tell(self, at: int, rates: Mapping[str, float], observation: Observation) -> None:
        self.driven, decided = self.driver.observe(self.driven, replace(observation, position=at))
        rewinds = {track: each for track, each in reversed(decided) if isinstance(each, Rewind)}
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

    def _go_back(self, rewinds: Mapping[TrackId, Rewind]) -> Sequence[Decision]:
        """Carry out what is decided about a rewind; returns what was done."""
        seen = self.progress.position - 1  # the last executed step
        tracks = {track.id: track for track in self.driver.tracks(self.driven)}
        trouble = trouble_of(tracks, rewinds, dict.fromkeys(tracks, seen))
        way = self._way_back(trouble, seen)
        if way.snapshot is None:
            return self._only_cut(tracks, trouble, way, seen)
        return self._back_to_snapshot(tracks, trouble, way, seen)

    def _way_back(self, trouble: Trouble[TrackId], seen: int) -> GoBack:
        """What is decided; the training is at the snapshot afterwards, if there is one."""
        snapshots, tried = self.snapshots, dict[int, Cause | None]()
        if snapshots is None or not snapshots.positions:
            return cast(GoBack, decide_rewind(trouble, (), seen, tried))
        damages: list[StateError] = []
        reached: int | None = None
        before = max(seen - trouble.since, snapshots.positions[0])
        while True:
            way = decide_rewind(trouble, snapshots.positions, before, tried)
            if isinstance(way, GoBack):
                break
            tried[way.snapshot] = cause = self._try(snapshots, way, trouble, damages)
            reached = reached if cause is None else way.snapshot
        if damages and way.snapshot is None:
            raise damages[0]
        if damages:
            _say_that_one_is_passed_over(damages[0])
        if way.snapshot is not None and way.snapshot != reached:
            self._training.restore(snapshots.snapshot(way.snapshot))
        return way

    def _try(
        self,
        snapshots: Snapshots[SavedBeside],
        asked: Try,
        trouble: Trouble[TrackId],
        damages: list[StateError],
    ) -> Cause | None:
        """What was wrong with the batches since a snapshot; the training is there afterwards."""
        beside = snapshots.besides[asked.snapshot]
        try:
            snapshot = snapshots.snapshot(asked.snapshot)
        except StateError as damage:
            damages.append(damage)
            return None
        factors = self._factors(snapshots.positions[asked.snapshot])
        return find_cause(
            self._training,
            snapshot,
            zero_rates(factors, len(self._groups)),
            drawn=range(beside.consumed, self.progress.consumed),
            suspects=trouble.since + 1,
            passing=self.progress.passing,
            usual=beside.losses,
            agree=self._agree,
        )

    def _back_to_snapshot(
        self, tracks: Mapping[TrackId, Track], trouble: Trouble[TrackId], way: GoBack, seen: int
    ) -> Sequence[Decision]:
        snapshots, progress = self.snapshots, self.progress
        assert snapshots is not None
        assert way.snapshot is not None
        assert way.cause is not None
        at, beside = int(snapshots.positions[way.snapshot]), snapshots.besides[way.snapshot]
        snapshots.forget_after(way.snapshot)
        progress.position, progress.consumed = at, beside.consumed
        progress.losses = list(beside.losses)
        if way.answer is None:
            return [Stop(self._report(trouble, seen, at, way.cause))]
        self._rewind(tracks, trouble, way, beside.states, at, seen)
        if way.answer != "repeat":
            progress.passing |= way.cause.batches
        where = Message(
            "Back from step {seen:position} to {at:position}. {cause:message}",
            seen=seen,
            at=at,
            cause=way.cause.words,
        )
        return self._carried_out(trouble, where)

    def _only_cut(
        self, tracks: Mapping[TrackId, Track], trouble: Trouble[TrackId], way: GoBack, seen: int
    ) -> Sequence[Decision]:
        if way.answer is None:
            reason = Message("{reason:message}. No cut has ended it", reason=trouble.reason)
            return [Stop(reason)]
        if not self._told_that_it_only_cuts:
            self._told_that_it_only_cuts = True
            message = Message(
                "run(...): a controller decides to go back, but no snapshots are kept, because no "
                "controller says so by an attribute rewinds = True. The rate is cut, and that is "
                "all. Give the controller this attribute. This is said once."
            )
            warnings.warn(str(message), StepsizeWarning, stacklevel=6)
        states = self.driver.states(self.driven)
        self._rewind(tracks, trouble, way, states, self.progress.position, seen)
        return self._carried_out(trouble, Message("There is no snapshot to go back to"))

    def _rewind(
        self,
        tracks: Mapping[TrackId, Track],
        trouble: Trouble[TrackId],
        way: GoBack,
        earlier: Mapping[TrackId, PolicyState],
        at: int,
        seen: int,
    ) -> None:
        assert way.answer is not None
        states = rewound(
            tracks,
            trouble,
            way.answer,
            earlier,
            at=dict.fromkeys(tracks, at),
            seen=dict.fromkeys(tracks, seen),
            factor=way.factor,
        )
        self.driven = self.driver.with_states(self.driven, states)

    def _carried_out(self, trouble: Trouble[TrackId], where: Message) -> Sequence[Decision]:
        states, names = self.driven.states, self.track_names
        done: list[Decision] = []
        for track, each in trouble.rewinds.items():
            last = states[track].rewinds[-1]
            reason = Message(
                "{reason:message}. {where:message}; {what:message}",
                reason=each.reason,
                where=where,
                what=last.about(names[track]),
            )
            done.append(replace(each, factor=last.factor, reason=reason))
        return done

    def _report(self, trouble: Trouble[TrackId], seen: int, at: int, cause: Cause) -> Message:
        """What was seen: the trouble, the data, the initialisation, the rate."""
        rates = reasons_of(
            [
                Message("{name:name} {rate:rate}", name=name, rate=rate)
                for name, rate in self._rates(self._factors(at)).items()
            ]
        )
        return Message(
            "{reason:message}. {count:count|rewind|rewinds} in a row have not ended it, the last "
            "at step {seen:position}; the training is left as it was at step {at:position}. Data: "
            "{cause:message}. Initialisation: {start:message}. Rate: {rates:message} at step "
            "{at:position} after all cuts; trouble that no rate ends comes from the data, the "
            "model or the optimizer's state",
            reason=trouble.reason,
            count=trouble.in_a_row,
            seen=seen,
            at=at,
            cause=cause.words,
            start=self._about_start(),
            rates=rates,
        )

    def _about_start(self) -> Message:
        first = self.progress.first_loss
        if first is None:
            return Message("no loss was seen")
        if isfinite(first):
            return Message("the loss before the first update was {loss:number}", loss=first)
        return Message(
            "the loss before the first update was {loss:number}, so the model or its first batch "
            "was broken from the start",
            loss=first,
        )


def _say_that_one_is_passed_over(damage: StateError) -> None:
    message = Message(
        "run(...): a snapshot to go back to was passed over, because {damage:text}",
        damage=str(damage),
    )
    warnings.warn(str(message), StepsizeWarning, stacklevel=7)
