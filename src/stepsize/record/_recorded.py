"""What a reader gets: curves, decisions, segments."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from stepsize.messages import Message

__all__ = ["Array", "RecordedDecision", "Segment", "Series"]

Array: TypeAlias = NDArray[np.float64]


class Series(NamedTuple):
    """One recorded curve, in the order in which it was recorded.

    After a rewind, positions come again.

    Attributes:
        positions: Shape (n,), float64, in the driver's clock.
        values: Shape (n,), float64.
    """

    positions: Array
    values: Array


@dataclass(frozen=True)
class RecordedDecision:
    """A decision as it was carried out.

    Attributes:
        position: Where it was taken, in the driver's clock.
        kind: ``"scale"``, ``"rewind"`` or ``"stop"``.
        factor: What a scale or a rewind multiplied by; None for a stop.
        reason: Why, in words.
        message: Why, as a template and its fields; None where the reason was a plain text.
        evidence: What else was decided, such as a rewind's ``since``, ``warmup`` and ``limit``.
    """

    position: float
    kind: str
    factor: float | None
    reason: str
    message: Message | None = field(default=None, repr=False)
    evidence: Mapping[str, Any] = field(
        default_factory=dict[str, Any], repr=False, hash=False, compare=False
    )


@dataclass(frozen=True)
class Segment:
    """A part of a run, recorded by one process.

    Attributes:
        start: The first position that it recorded; None if it recorded nothing. What earlier
            segments recorded from there on is superseded.
        started: When it began (UTC).
        ended: When it was closed (UTC), or was last written before its process was killed.
        status: As a run's.
    """

    start: float | None
    started: datetime
    ended: datetime | None
    status: str
