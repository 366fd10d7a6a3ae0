"""Going back in a loop that its user owns: with the user's own way to, or only by a cut."""

import copy
import warnings
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, TypeAlias

from stepsize.driving import (
    GoBack,
    PolicyState,
    Track,
    TrackId,
    Trouble,
    decide_rewind,
    name_of,
    rewound,
    trouble_of,
)
from stepsize.errors import InvalidType, InvalidValue, StepsizeWarning
from stepsize.messages import Message
from stepsize.signals import Decision, Rewind, Stop
from stepsize.torch.attaching._driven_optimizer import DrivenOptimizer
from stepsize.training.snapshots import Ring, Snapshots
from stepsize.words import list_text, position_text

__all__ = ["Place", "Rewinds"]


class Place(NamedTuple):
    """A track among those of all driven optimizers."""

    optimizer: int
    track: TrackId


_States: TypeAlias = Mapping[Place, PolicyState]


@dataclass(frozen=True)
class _SavedBeside:
    """What is kept beside a snapshot."""

    positions: Sequence[float]
    states: _States


class Rewinds:
    """Snapshots after healthy observations, and the way back to one from before the trouble.

    The positions stay where they are: the data goes on as the loop takes it, which passes over the
    batches that did it, and the schedule ends where the loop does.

    Args:
        take: Gives a copy of what the next steps depend on; None if there is no way back.
        put_back: Takes what ``take`` gave; it gets a deep copy, and may keep it.
        ring: How the copies are kept.

    Raises:
        InvalidValue: One of both functions is missing, or ``ring`` keeps files.
    """

    def __init__(
        self,
        take: Callable[[], Any] | None,
        put_back: Callable[[Any], object] | None,
        ring: Ring | None,
    ) -> None:
        if (take is None) != (put_back is None):
            raise InvalidValue(
                f"attach(..., snapshot={take!r}, restore={put_back!r})",
                "a way back has both functions, {snapshot} and {restore}",
                "one is missing",
                "Give both, or neither.",
            )
        if ring is not None and ring.folder is not None:
            raise InvalidValue(
                f"attach(..., ring={ring!r})",
                "what snapshot() gives is kept as it is, and not in files",
                f"the ring has the folder {str(ring.folder)!r}",
                "Leave folder out; snapshot() may itself write a file and return its path.",
                "ring",
            )
        self._take = take
        self._put_back = put_back
        self._snapshots = Snapshots[_SavedBeside](ring or Ring())
        self._observations = 0
        self._told = False

    def keep(self, optimizers: Sequence[DrivenOptimizer]) -> None:
        """After an observation without trouble: take a snapshot if one is due."""
        self._observations += 1
        if self._take is None or not any(each.groups.driver.may_rewind for each in optimizers):
            return
        positions = [each.position for each in optimizers]
        kept = self._snapshots.besides
        # An evaluation is an observation, too, and no step.
        if (kept and kept[-1].positions == positions) or not self._snapshots.is_due(
            self._observations
        ):
            return
        snapshot = self._take()
        if not kept:
            _copied(snapshot)  # better refused now than in trouble
        self._snapshots.take(
            self._observations, snapshot, _SavedBeside(positions, _states(optimizers))
        )

    def go_back(
        self, optimizers: Sequence[DrivenOptimizer], decided: Mapping[Place, Rewind]
    ) -> Sequence[Decision]:
        """Carry out what is decided about rewinds; returns what was done."""
        self._observations += 1
        tracks = _tracks(optimizers)
        now = {each: optimizers[each.optimizer].position - each.track.start for each in tracks}
        trouble = trouble_of(tracks, decided, now)
        # The update before the first bad observation may have done it.
        before = self._observations - trouble.since - 2
        way = decide_rewind(trouble, self._snapshots.positions, before, tried=None)
        assert isinstance(way, GoBack)  # nothing can be tried here
        if way.answer is None:
            return [_stop(trouble)]
        states = _states(optimizers)
        if way.snapshot is not None:
            states = self._snapshots.besides[way.snapshot].states
        changed = rewound(tracks, trouble, way.answer, states, at=now, seen=now, factor=way.factor)
        where = self._restore(optimizers, way.snapshot)
        for number, each in enumerate(optimizers):
            own = {place.track: state for place, state in changed.items() if place[0] == number}
            each.follow(each.groups.driver.with_states(each.groups.progress, own))
        return [_carried_out(each, place, where, changed) for place, each in decided.items()]

    def _restore(self, optimizers: Sequence[DrivenOptimizer], snapshot: int | None) -> Message:
        """Put a snapshot back, if there is one; returns where that is."""
        if snapshot is None or self._put_back is None:
            self._say_that_it_only_cuts()
            return Message("There is no snapshot to go back to")
        positions = self._snapshots.besides[snapshot].positions
        self._snapshots.forget_after(snapshot)
        with ExitStack() as stack:
            for each in optimizers:
                stack.enter_context(each.resuming.suspended())
            # What is put back may become the live state, and this one may be gone back to again.
            self._put_back(_copied(self._snapshots.snapshot(snapshot)))
        return Message(
            "Back to the snapshot of position {positions:text}",
            positions=list_text(map(position_text, positions)),
        )

    def _say_that_it_only_cuts(self) -> None:
        if self._told:
            return
        self._told = True
        why = (
            Message("attach was given no snapshot= and restore=")
            if self._take is None
            else Message("no snapshot is from before the trouble")
        )
        message = Message(
            "rate.observe(...): a controller decides to go back, but {why:message}. The rate is "
            "cut, and that is all: weights that are broken stay broken. Give both functions, and "
            "observe the loss at every step. This is said once.",
            why=why,
        )
        warnings.warn(str(message), StepsizeWarning, stacklevel=5)


def _copied(snapshot: Any) -> Any:
    try:
        return copy.deepcopy(snapshot)
    except (TypeError, RuntimeError, copy.Error) as error:
        raise InvalidType(
            "attach(..., snapshot=...)",
            "what snapshot() gives must be copied by copy.deepcopy",
            f"for a {type(snapshot).__name__} it says: {error}",
            "Give what state_dict() returns, detached tensors, numbers, or the path of a file.",
            "snapshot",
        ) from error


def _tracks(optimizers: Sequence[DrivenOptimizer]) -> Mapping[Place, Track]:
    return {
        Place(number, track.id): track
        for number, each in enumerate(optimizers)
        for track in each.groups.driver.tracks(each.groups.progress)
    }


def _states(optimizers: Sequence[DrivenOptimizer]) -> _States:
    return {
        Place(number, track): state
        for number, each in enumerate(optimizers)
        for track, state in each.groups.driver.states(each.groups.progress).items()
    }


def _stop(trouble: Trouble[Place]) -> Stop:
    return Stop(
        Message(
            "{reason:message}. {count:count|rewind|rewinds} in a row have not ended it",
            reason=trouble.reason,
            count=trouble.in_a_row,
        )
    )


def _carried_out(rewind: Rewind, place: Place, where: Message, states: _States) -> Rewind:
    done = states[place].rewinds[-1]
    reason = Message(
        "{reason:message}. {where:message}; {what:message}",
        reason=rewind.reason,
        where=where,
        what=done.about(name_of(place.track.key)),
    )
    return replace(rewind, factor=done.factor, reason=reason)
