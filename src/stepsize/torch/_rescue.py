"""Going back in a loop that its user owns: with the user's own way to, or only by a cut."""

import copy
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, TypeAlias

from stepsize.errors import InvalidType, InvalidValue, StepsizeWarning
from stepsize.policy import PolicyState
from stepsize.signals import Decision, Rewind, Stop
from stepsize.torch._engine import Engine
from stepsize.torch._groups import label
from stepsize.torch._roster import TrackId
from stepsize.torch._track import Track
from stepsize.training.snapshots import Kept, Ring

__all__ = ["Decided", "Rescue"]

_States: TypeAlias = dict[tuple[int, TrackId], PolicyState]
"""By optimizer and track."""


class Decided(NamedTuple):
    """A decision, and which track of which optimizer it is about."""

    optimizer: int
    track: Track
    decision: Decision


@dataclass(frozen=True)
class _Beside:
    positions: Sequence[float]
    states: _States


class Rescue:
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
                f"attach(..., snapshot={take!r}, restore={put_back!r}): a way back has both "
                "functions, but one is missing. Give both, or neither."
            )
        if ring is not None and ring.folder is not None:
            raise InvalidValue(
                f"attach(..., ring={ring!r}): what snapshot() gives is kept as it is, and not "
                "in files. Leave folder out; snapshot() may itself write a file and return its "
                "path."
            )
        self._take = take
        self._put_back = put_back
        self._kept = Kept[_Beside](ring or Ring())
        self._observations = 0
        self._told = False

    def keep(self, engines: Sequence[Engine]) -> None:
        """After an observation without trouble: take a snapshot if one is due."""
        self._observations += 1
        if self._take is None or not _may_rewind(engines) or not self._is_due(engines):
            return
        beside = _Beside([engine.position for engine in engines], _states(engines))
        snapshot = self._take()
        if not self._kept.positions:
            _copied(snapshot)  # better refused now than in trouble
        self._kept.take(self._observations, snapshot, beside)

    def _is_due(self, engines: Sequence[Engine]) -> bool:
        besides = self._kept.besides
        # An evaluation is an observation, too, and no step.
        moved = not besides or besides[-1].positions != [engine.position for engine in engines]
        return moved and self._kept.is_due(self._observations)

    def go_back(self, engines: Sequence[Engine], decided: Sequence[Decided]) -> Sequence[Decision]:
        """Carry out the rewinds among what was decided; returns what was done."""
        self._observations += 1
        rewinds = [
            (number, track, decision)
            for number, track, decision in decided
            if isinstance(decision, Rewind)
        ]
        unended = [
            track.policy.unended(track.state, engines[number].position - track.start)
            for number, track, _ in rewinds
        ]
        ended = max(0 if each is None else each.repeats + 1 for each in unended)
        if ended > min(decision.limit for *_, decision in rewinds):
            reasons = "; ".join(dict.fromkeys(str(decision.reason) for *_, decision in rewinds))
            return [Stop(f"{reasons}. {ended} rewinds in a row have not ended it")]
        # The update before the first bad observation may have done it.
        since = max(decision.since for *_, decision in rewinds) + 1
        before = self._observations - since - 1
        moment = None
        if any(position <= before for position in self._kept.positions):
            moment = self._kept.before(before)
        else:
            self._say_that_it_only_cuts()
        earlier = _states(engines) if moment is None else self._kept.besides[moment].states
        states = _rewound(engines, rewinds, earlier)
        where = "There is no snapshot to go back to"
        if moment is not None and self._put_back is not None:
            positions = self._kept.besides[moment].positions
            where = f"Back to the snapshot of position {', '.join(f'{p:g}' for p in positions)}"
            self._kept.forget_after(moment)
            # What is put back may become the live state, and this one may be gone back to again.
            self._put_back(_copied(self._kept.snapshot(moment)))
        for number, engine in enumerate(engines):
            engine.carry_on({each: state for (of, each), state in states.items() if of == number})
        done: list[Decision] = []
        for number, track, decision in rewinds:
            rewound = states[number, _identity(track)].rewinds[-1]
            reason = f"{decision.reason}. {where}; {rewound.about(label(track.key))}"
            done.append(replace(decision, factor=rewound.factor, reason=reason))
        return done

    def _say_that_it_only_cuts(self) -> None:
        if self._told:
            return
        self._told = True
        why = (
            "attach was given no snapshot= and restore="
            if self._take is None
            else "no snapshot is from before the trouble"
        )
        warnings.warn(
            f"rate.observe(...): a controller decides to go back, but {why}. The rate is cut, and "
            "that is all: weights that are broken stay broken. Give both functions, and observe "
            "the loss at every step. This is said once.",
            StepsizeWarning,
            stacklevel=4,
        )


def _copied(snapshot: Any) -> Any:
    try:
        return copy.deepcopy(snapshot)
    except (TypeError, RuntimeError, copy.Error) as error:
        raise InvalidType(
            "attach(..., snapshot=...): what snapshot() gives must be copied by copy.deepcopy, but "
            f"for a {type(snapshot).__name__} it says: {error}. Give what state_dict() returns, "
            "detached tensors, numbers, or the path of a file."
        ) from error


def _may_rewind(engines: Sequence[Engine]) -> bool:
    return any(track.policy.may_rewind for engine in engines for track in engine.roster.tracks)


def _states(engines: Sequence[Engine]) -> _States:
    return {
        (number, identity): state
        for number, engine in enumerate(engines)
        for identity, state in engine.roster.states().items()
    }


def _identity(track: Track) -> TrackId:
    return TrackId(track.key, track.rule, track.start)


def _rewound(
    engines: Sequence[Engine], rewinds: Sequence[tuple[int, Track, Rewind]], earlier: _States
) -> _States:
    """The states after all went back together; tracks that decided so are cut."""
    states: _States = {}
    for number, engine in enumerate(engines):
        for track in engine.roster.tracks:
            key = (number, _identity(track))
            before = earlier.get(key, track.state)
            decisions = [decision for _, of, decision in rewinds if of is track]
            at = engine.position - track.start
            states[key] = (
                track.policy.rewind(track.state, before, decisions[0], at=at, seen=at)
                if decisions
                else track.policy.go_back(track.state, before)
            )
    return states
