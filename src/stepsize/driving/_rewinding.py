"""The one decision about a rewind: how far back, and what is changed, if anything helps.

A driver notices that controllers decide ``Rewind``, and asks ``decide_rewind`` until it says where
to go back to. What it measures in between, what was wrong with the batches since a snapshot, is
handed in as a value.
"""

from collections.abc import Hashable, Mapping, Sequence, Set
from dataclasses import dataclass
from functools import reduce
from typing import Final, Generic, Literal, TypeVar

from stepsize.driving._policy_state import PolicyState
from stepsize.driving._progress import Track
from stepsize.driving._rewound import Answer
from stepsize.messages import Message, Text
from stepsize.signals import Rewind

__all__ = [
    "Cause",
    "GoBack",
    "Trouble",
    "Try",
    "decide_rewind",
    "reasons_of",
    "rewound",
    "trouble_of",
]

T = TypeVar("T", bound=Hashable)

_CUTS_PER_SNAPSHOT: Final = 4
"""After so many cuts in vain the weights are suspected, and an older snapshot is gone back to."""


@dataclass(frozen=True)
class Cause:
    """What a trial of the batches since a snapshot showed.

    Args:
        batches: Which to pass over, counted as the run draws them.
        blamed: The batches; the weights that were gone back to; or, where neither is to blame, the
            rate.
        words: What was found.
    """

    batches: Set[int]
    blamed: Literal["batches", "weights", "rate"]
    words: Message


@dataclass(frozen=True)
class Trouble(Generic[T]):
    """What controllers want to go back from.

    Args:
        rewinds: What was decided, by track.
        in_a_row: How many rewinds in a row have not ended it.
        cuts: How many of these, before the last one, cut the rate.
    """

    rewinds: Mapping[T, Rewind]
    in_a_row: int = 0
    cuts: int = 0

    @property
    def since(self) -> int:
        """How many executed steps before the last one it began."""
        return max(each.since for each in self.rewinds.values())

    @property
    def is_over_limit(self) -> bool:
        """Whether more rewinds in a row than allowed have not ended it."""
        return self.in_a_row > min(each.limit for each in self.rewinds.values())

    @property
    def reason(self) -> Text:
        """What was seen."""
        return reasons_of([each.reason for each in self.rewinds.values()])


@dataclass(frozen=True)
class Try:
    """Find out what was wrong with the batches since this snapshot, and ask again.

    Args:
        snapshot: Its number, counted from the oldest.
    """

    snapshot: int


@dataclass(frozen=True)
class GoBack:
    """What is done about the trouble.

    Args:
        snapshot: The number of the snapshot to go back to; None if there is none.
        answer: What is changed; None: nothing helps, and the run stops.
        cause: What was found at this snapshot, if anything was tried.
        factor: What the values are multiplied by beside the rewinds' own cut.
    """

    snapshot: int | None
    answer: Answer | None
    cause: Cause | None = None
    factor: float = 1.0


def trouble_of(
    tracks: Mapping[T, Track], rewinds: Mapping[T, Rewind], seen: Mapping[T, float]
) -> Trouble[T]:
    """The trouble that these rewinds are about. Only here are rewinds in a row counted.

    Args:
        tracks: All tracks.
        rewinds: What was decided, by track.
        seen: The position at which it was noticed, on each track's clock.
    """
    found = (tracks[name].policy.unended(tracks[name].state, seen[name]) for name in rewinds)
    last = max(
        (each for each in found if each is not None),
        key=lambda each: (each.repeats, each.cuts),
        default=None,
    )
    return Trouble(rewinds) if last is None else Trouble(rewinds, last.repeats + 1, last.cuts)


def decide_rewind(
    trouble: Trouble[T],
    snapshots: Sequence[float],
    before: float,
    tried: Mapping[int, Cause | None] | None,
) -> Try | GoBack:
    """What to do about trouble, from what is known so far.

    The newest snapshot from before the trouble is tried first, and older ones as long as the
    weights are to blame there too. If the batches did it they are passed over; if not, the steps
    are repeated once, and after that the rate is cut. After several cuts in vain an older snapshot
    is gone back to.

    Args:
        trouble: What is wrong.
        snapshots: Where snapshots were taken, from old to new, in steps or observations.
        before: The last of these that is from before the trouble.
        tried: What was found at each snapshot that was tried; None instead of a cause: it cannot be
            read. None at all: batches cannot be tried, and the data goes on as it comes.

    Returns:
        What to find out before asking again, or what to do.
    """
    early = sum(position <= before for position in snapshots)
    if not early:
        return GoBack(None, None if trouble.is_over_limit else "cut")
    newest = max(0, early - 1 - trouble.cuts // _CUTS_PER_SNAPSHOT)
    if tried is None:
        return GoBack(newest, None if trouble.is_over_limit else "cut")
    for number in range(newest, -1, -1):
        if number not in tried:
            return Try(number)
        cause = tried[number]
        if cause is not None and cause.blamed != "weights":
            return _answered(trouble, number, cause)
    # At none of them are the weights better: as little as possible is given up.
    for number, cause in sorted(tried.items(), reverse=True):
        if cause is not None:
            return _answered(trouble, number, cause)
    return GoBack(None, None if trouble.is_over_limit else "cut")


def _answered(trouble: Trouble[T], snapshot: int, cause: Cause) -> GoBack:
    if trouble.is_over_limit:
        return GoBack(snapshot, None, cause)
    if cause.blamed == "batches":
        return GoBack(snapshot, "pass over", cause)
    return GoBack(snapshot, "cut" if trouble.in_a_row else "repeat", cause)


def rewound(
    tracks: Mapping[T, Track],
    trouble: Trouble[T],
    answer: Answer,
    earlier: Mapping[T, PolicyState],
    *,
    at: Mapping[T, float],
    seen: Mapping[T, float],
    factor: float = 1.0,
) -> Mapping[T, PolicyState]:
    """The states after all tracks went back together; the answer is that of those that decided so.

    Args:
        tracks: All tracks, with their states now.
        trouble: What is wrong.
        answer: What is changed.
        earlier: The states at the snapshot; a track that was not there yet keeps its own.
        at: The position that each track goes back to, on its own clock.
        seen: The position at which the trouble was noticed, on each track's clock.
        factor: What the values are multiplied by beside the rewinds' own cut.
    """
    states: dict[T, PolicyState] = {}
    for name, track in tracks.items():
        policy, state = track.policy, track.state
        before, decision = earlier.get(name, state), trouble.rewinds.get(name)
        if decision is None:
            states[name] = policy.go_back(state, before)
            continue
        if factor != 1:
            state = policy.scale(state, at[name], factor)
        states[name] = policy.rewind(
            state, before, decision, at=at[name], seen=seen[name], answer=answer
        )
    return states


def reasons_of(reasons: Sequence[Text]) -> Text:
    """Several reasons as one, each said once."""
    return reduce(_and_then, dict.fromkeys(reasons))


def _and_then(first: Text, second: Text) -> Text:
    return Message("{first:message}; {second:message}", first=first, second=second)
