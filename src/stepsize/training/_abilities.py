"""What a training may offer beside the protocol; a rescue and checkpoints make use of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

__all__ = ["CanExamine", "CanPack", "CanSkip", "ValueRange"]


@dataclass(frozen=True)
class ValueRange:
    """The range of the numbers of one part of a batch.

    Args:
        name: What messages call it.
        lowest: The smallest finite number; NaN if there is none.
        highest: The largest finite number; NaN if there is none.
        not_finite: How many numbers are NaN or infinite.
    """

    name: str
    lowest: float
    highest: float
    not_finite: int = 0


@runtime_checkable
class CanSkip(Protocol):
    """A training that can let batches pass unused."""

    def skip(self, steps: int, /) -> None:
        """Let the data of the next ``steps`` steps pass; nothing else changes."""
        ...


@runtime_checkable
class CanExamine(Protocol):
    """A training that can describe the data of its last step."""

    def examine(self) -> Sequence[ValueRange]:
        """The parts of the last step's data that hold real numbers."""
        ...


@runtime_checkable
class CanPack(Protocol):
    """A training whose snapshots outlive the process."""

    def pack(self, snapshot: Any, /) -> bytes:
        """A snapshot as bytes."""
        ...

    def unpack(self, packed: bytes, /) -> Any:
        """The snapshot again, for a training that was built alike, perhaps in another process.

        The bytes may come from a file that somebody else wrote: reading them runs no code.
        """
        ...
