"""Counters that begin again with each epoch, put together."""

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from stepsize.columns import counter_column, unit_of
from stepsize.messages import Message

__all__ = ["JoinedEpochs", "joined_epochs"]

_MOST_EPOCHS: Final = 0.8


@dataclass(frozen=True)
class JoinedEpochs:
    """Positions that go on from epoch to epoch.

    Args:
        positions: One per row; None where the row has none.
        per_epoch: How many steps an epoch has.
        note: What was done.
    """

    positions: Sequence[float | None]
    per_epoch: float
    note: Message


def joined_epochs(
    rows: Sequence[Mapping[str, float]], counter: str, per_epoch: float | None
) -> JoinedEpochs | None:
    """Positions over the whole run, where the counter begins again whenever the epoch rises.

    Args:
        rows: Numbers by name.
        counter: The column that counts.
        per_epoch: Steps per epoch, if the log says so; else the highest count.
    """
    names = dict.fromkeys(name for row in rows for name in row)
    epochs = [name for name in names if unit_of(counter_column([name])) == "epoch"]
    if not epochs or counter in epochs:
        return None
    epoch = epochs[0]
    pairs = [(row[epoch], row[counter]) for row in rows if epoch in row and counter in row]
    if not all(number.is_integer() for number, _ in pairs):
        return None
    if not _begins_again(pairs):
        return None
    size = per_epoch or _highest(pairs)
    first = min([1.0, *(number for number, _ in pairs)])
    return JoinedEpochs(
        positions=list(_positions(rows, counter, epoch, first, size)),
        per_epoch=size,
        note=Message(
            "'{counter:name}' begins again with each epoch: positions are those of all epochs, of "
            "{size:count} each.",
            counter=counter,
            size=size,
        ),
    )


def _begins_again(pairs: Sequence[tuple[float, float]]) -> bool:
    """Whether most epochs begin to count below what the one before reached, and none comes again.

    An evaluation at the end of an epoch may have counted its own batches.
    """
    epochs: dict[float, list[float]] = {}
    for before, after in pairwise([(-math.inf, 0.0), *pairs]):
        if after[0] < before[0]:
            return False  # a second run
        epochs.setdefault(after[0], []).append(after[1])
    counted = list(epochs.values())
    again = sum(later[0] < max(earlier) for earlier, later in pairwise(counted))
    return again > 0 and again >= _MOST_EPOCHS * (len(counted) - 1)


def _positions(
    rows: Sequence[Mapping[str, float]], counter: str, epoch: str, first: float, size: float
) -> Iterator[float | None]:
    """The position of each row. One that falls behind within an epoch is of its end."""
    current, reached = -1.0, 0.0
    for row in rows:
        if epoch not in row:
            yield None
            continue
        if row[epoch] != current:
            current, reached = row[epoch], 0.0
        counted = row.get(counter, -1.0)
        if counted < reached:
            yield (current - first + 1) * size
        else:
            reached = counted
            yield (current - first) * size + counted


def _highest(pairs: Sequence[tuple[float, float]]) -> float:
    highest, lowest = max(count for _, count in pairs), min(count for _, count in pairs)
    if lowest > 0:
        return highest
    # Counted from 0, the last of an epoch is one interval before its end.
    apart = Counter(
        after[1] - before[1] for before, after in pairwise(pairs) if after[1] > before[1]
    )
    return highest + (apart.most_common(1)[0][0] if apart else 1)
