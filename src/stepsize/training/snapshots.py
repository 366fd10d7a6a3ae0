"""The ring of snapshots that a rewind goes back to."""

import os
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Generic, TypeVar

from stepsize.checks import MOST_STEPS, Range, checked_whole_number
from stepsize.errors import InvalidType, StateError, StepsizeWarning
from stepsize.files import ContentStore
from stepsize.messages import Message
from stepsize.training._abilities import CanPack

__all__ = ["Ring", "Snapshots"]

T = TypeVar("T")

_COUNT: Final = Range(minimum=1, maximum=MOST_STEPS, remedy="The defaults are every=50, keep=4.")


@dataclass(frozen=True)
class Ring:
    """How snapshots are kept during a run: how often, how many, and where.

    Their ages grow geometrically: with the defaults up to 50, 350 and 850 steps, and the first is
    kept for good. So trouble that is noticed late still finds a snapshot from before it, in the end
    that of the run's start, and the size stays bounded.

    Args:
        every: Steps between snapshots, >= 1.
        keep: How many are kept, >= 1; from 2 on one of them is that of the start. In memory, and on
            the training's device, each costs what the parameters, gradients and optimizer state
            cost.
        folder: Keep them in files there instead, written whole and read against a checksum. It
            must belong to this run alone. None keeps them in memory.

    Raises:
        InvalidValue: A number is out of range.
        InvalidType: ``folder`` is not a path.

    >>> from stepsize.training import Ring
    >>> Ring(every=200, keep=2)
    Ring(every=200, keep=2, folder=None)
    """

    every: int = 50
    keep: int = 4
    folder: str | os.PathLike[str] | None = None

    def __post_init__(self) -> None:
        for name in ("every", "keep"):
            value = getattr(self, name)
            checked = checked_whole_number(f"Ring({name}={value!r})", name, value, _COUNT)
            object.__setattr__(self, name, checked)
        if self.folder is not None and not isinstance(self.folder, str | os.PathLike):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise InvalidType(
                f"Ring(folder={self.folder!r})",
                "{folder} is a str or an os.PathLike",
                f"is a {type(self.folder).__name__}",
                "Leave it out to keep snapshots in memory.",
                "folder",
            )


@dataclass(eq=False)
class _Snapshot(Generic[T]):
    position: float
    beside: T
    is_start: bool = False
    snapshot: Any = None
    in_folder: str | None = None
    in_checkpoints: str | None = None


class Snapshots(Generic[T]):
    """The snapshots of one run, from old to new.

    Args:
        ring: How they are kept.
        training: Packs and unpacks the snapshots that lie in files.

    Raises:
        InvalidType: They are to lie in files, and the training cannot pack them.
        InvalidValue: There can be no such folder.
    """

    def __init__(self, ring: Ring, training: object = None) -> None:
        self._ring = ring
        self._kept: list[_Snapshot[T]] = []
        self._has_begun = False
        self._packer = training if isinstance(training, CanPack) else None
        self._files = (
            None
            if ring.folder is None
            else ContentStore(Path(ring.folder), f"run(..., ring={ring!r})")
        )
        if self._files is not None and self._packer is None:
            raise InvalidType(
                f"run(..., ring={ring!r})",
                "snapshots in files need a training with pack(snapshot) and unpack(bytes)",
                f"{type(training).__name__} has none",
                "Leave folder out.",
                "ring",
            )

    @property
    def positions(self) -> Sequence[float]:
        """Where they were taken, from old to new."""
        return [each.position for each in self._kept]

    @property
    def besides(self) -> Sequence[T]:
        """What was kept beside each."""
        return [each.beside for each in self._kept]

    def is_due(self, position: float) -> bool:
        """Whether a snapshot should be taken at ``position``."""
        return not self._kept or position - self._kept[-1].position >= self._ring.every

    def take(self, position: float, snapshot: Any, beside: T) -> None:
        """Keep a snapshot; the first is that of the start, and of others the least missed goes."""
        kept = _Snapshot(position, beside, is_start=not self._has_begun)
        self._has_begun = True
        if self._files is None:
            kept.snapshot = snapshot
        else:
            kept.in_folder = self._files.put(self._pack(snapshot))
        self._kept.append(kept)
        if len(self._kept) > self._ring.keep:
            del self._kept[self._least_missed()]
        self._drop_files()

    def snapshot(self, index: int) -> Any:
        """One of the snapshots.

        Raises:
            StateError: Its file is damaged or gone.
        """
        kept = self._kept[index]
        if self._files is None or kept.in_folder is None:
            return kept.snapshot
        return self._unpack(self._files.get(kept.in_folder))

    def forget_after(self, index: int) -> None:
        """Drop the snapshots of a future that was given up."""
        del self._kept[index + 1 :]
        self._drop_files()

    # ---------------------------------------------------------------- checkpoints

    def store(self, store: ContentStore) -> Sequence[str]:
        """Put every snapshot into the files of the checkpoints, once; returns their names.

        One whose own file is damaged is dropped: nothing could go back to it.

        Warns:
            StepsizeWarning: There is such a one.
        """
        names: list[str] = []
        for kept in tuple(self._kept):
            try:
                if kept.in_checkpoints is None:
                    snapshot = self.snapshot(self._kept.index(kept))
                    kept.in_checkpoints = store.put(self._pack(snapshot))
            except StateError as damage:
                self._kept.remove(kept)
                message = Message(
                    "run(..., ring={ring:code}): one snapshot fewer is kept, because {damage:text}",
                    ring=repr(self._ring),
                    damage=str(damage),
                )
                warnings.warn(str(message), StepsizeWarning, stacklevel=4)
                continue
            names.append(kept.in_checkpoints)
        return names

    def load(
        self, store: ContentStore, stored: Sequence[tuple[float, str, T]], has_start: bool
    ) -> None:
        """Go on with the snapshots that were stored.

        Args:
            store: Where they are.
            stored: For each its position, its name, and what was beside it.
            has_start: Whether the first is that of the run's start.
        """
        self._kept.clear()
        self._has_begun = not has_start
        for position, name, beside in stored:
            self.take(position, self._unpack(store.get(name)), beside)
            self._kept[-1].in_checkpoints = name

    def _pack(self, snapshot: Any) -> bytes:
        assert self._packer is not None  # refused when the run began
        return self._packer.pack(snapshot)

    def _unpack(self, packed: bytes) -> Any:
        assert self._packer is not None
        return self._packer.unpack(packed)

    # ----------------------------------------------------------------

    @property
    def has_start(self) -> bool:
        """Whether the oldest snapshot is that of the run's start."""
        return bool(self._kept) and self._kept[0].is_start

    def _least_missed(self) -> int:
        first = int(self.has_start and self._ring.keep > 1)
        newest = self._kept[-1].position
        ages = [newest - each.position for each in self._kept[first:]]
        if ages[0] > self._ring.every * 2**self._ring.keep or len(ages) < 3:
            return first
        # The one whose neighbours' ages differ least, as a ratio.
        every = self._ring.every
        return first + min(
            range(1, len(ages) - 1), key=lambda i: (ages[i - 1] + every) / (ages[i + 1] + every)
        )

    def _drop_files(self) -> None:
        if self._files is not None:
            self._files.keep_only({each.in_folder for each in self._kept if each.in_folder})
