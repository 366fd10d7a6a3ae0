"""The extremes of a curve at several resolutions: a picture of ten million points opens at once.

With each chunk of points their pyramid is stored: for every 64 points the first and last position
and the lowest and highest value, then the same for every 64 of these, up to a single one.
"""

from struct import Struct
from typing import Final, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from stepsize.record._schema import checksum

__all__ = ["FINEST", "Overview", "joined", "levels_of", "packed", "reduced", "unpacked"]

Array: TypeAlias = NDArray[np.float64]

FINEST: Final = 64
"""How many points, or stretches, each stretch of the next level holds."""

_SUM: Final = Struct("<I")


class Overview(NamedTuple):
    """A curve as a picture of some width needs it, without losing an extreme.

    Attributes:
        starts: First position of each stretch; shape (n,).
        ends: Last position of each; shape (n,).
        low: Lowest value of each, NaN where none is a number; shape (n,).
        high: Highest value of each; shape (n,).
    """

    starts: Array
    ends: Array
    low: Array
    high: Array


def levels_of(positions: Array, values: Array) -> list[Overview]:
    """The pyramid of a chunk, its finest level first.

    >>> [len(each.low) for each in levels_of(np.arange(10_000.0), np.zeros(10_000))]
    [157, 3, 1]
    """
    levels = [reduced(Overview(positions, positions, values, values), FINEST)]
    while len(levels[-1].low) > 1:
        levels.append(reduced(levels[-1], FINEST))
    return levels


def reduced(finer: Overview, together: int) -> Overview:
    """Each ``together`` stretches as one; the last may hold fewer."""
    if together <= 1:
        return finer
    begins = np.arange(0, len(finer.low), together)
    lasts = np.append(begins[1:], len(finer.low)) - 1
    return Overview(
        finer.starts[begins],
        finer.ends[lasts],
        np.fmin.reduceat(finer.low, begins),
        np.fmax.reduceat(finer.high, begins),
    )


def packed(levels: list[Overview], *key: int) -> bytes:
    """The pyramid as one byte string, which begins with its checksum.

    It can be read without its chunk, which is 30 times as long, and so has a checksum of its own.

    Args:
        levels: As :func:`levels_of` gives them.
        *key: Which chunk it belongs to.
    """
    content = b"".join(np.stack(each, axis=1).astype("<f8").tobytes() for each in levels)
    return _SUM.pack(checksum(*key, content)) + content


def unpacked(stored: bytes, points: int, *key: int) -> list[Overview]:
    """The pyramid of a chunk of so many points.

    Raises:
        ValueError: It is damaged, or belongs to another chunk.
    """
    content = stored[_SUM.size :]
    if len(stored) < _SUM.size or _SUM.unpack_from(stored)[0] != checksum(*key, content):
        raise ValueError("the extremes of a chunk have another checksum")
    rows = np.frombuffer(content, "<f8").reshape(-1, 4)
    levels: list[Overview] = []
    size, at = points, 0
    while not levels or size > 1:
        size = -(-size // FINEST)
        levels.append(Overview(*rows[at : at + size].T))
        at += size
    if at != len(rows):
        raise ValueError(f"a pyramid over {points} points has {at} rows, and this has {len(rows)}")
    return levels


def joined(parts: list[Overview], stretches: int) -> Overview:
    """Neighbouring overviews as one, of at most about ``stretches`` stretches."""
    if not parts:
        empty = np.empty(0)
        return Overview(empty, empty, empty, empty)
    whole = Overview(*(np.concatenate(each) for each in zip(*parts, strict=True)))
    return reduced(whole, -(-len(whole.low) // max(stretches, 1)))
