"""The ring of snapshots that a rewind goes back to."""

import os
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from stepsize.errors import InvalidType, InvalidValue, StateError, StepsizeWarning
from stepsize.files import ContentStore
from stepsize.training._abilities import Packs

__all__ = ["Kept", "Ring"]

T = TypeVar("T")


@dataclass(frozen=True)
class Ring:
    """How snapshots are kept during a run: how often, how many, and where.

    Their ages grow geometrically: with the defaults up to 50, 100, 300 and 800 steps. So trouble
    that is noticed late still finds a snapshot from before it, and the size stays bounded.

    Args:
        every: Steps between snapshots, >= 1.
        keep: How many are kept, >= 1. In memory, and on the training's device, each costs what
            the parameters, gradients and optimizer state cost.
        folder: Keep them in files there instead, written whole and read against a checksum. It
            must belong to this run alone. None keeps them in memory.

    Raises:
        InvalidValue: A number is out of range.
        InvalidType: ``folder`` is no path.

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
            if not isinstance(value, int) or isinstance(value, bool) or value < 1:
                raise InvalidValue(
                    f"Ring({name}={value!r}): {name} must be a whole number of at least 1, but is "
                    f"{value!r}. The defaults are every=50, keep=4."
                )
        if self.folder is not None and not isinstance(self.folder, str | os.PathLike):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise InvalidType(
                f"Ring(folder={self.folder!r}): a folder is a str or an os.PathLike, but is a "
                f"{type(self.folder).__name__}. Leave it out to keep snapshots in memory."
            )


@dataclass(eq=False)
class _Moment(Generic[T]):
    position: float
    beside: T
    snapshot: Any = None
    in_folder: str | None = None
    in_checkpoints: str | None = None


class Kept(Generic[T]):
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
        self._moments: list[_Moment[T]] = []
        self._packer = training if isinstance(training, Packs) else None
        self._blobs = (
            None
            if ring.folder is None
            else ContentStore(Path(ring.folder), f"run(..., ring={ring!r})")
        )
        if self._blobs is not None and self._packer is None:
            raise InvalidType(
                f"run(..., ring={ring!r}): snapshots in files need a training with pack(snapshot) "
                f"and unpack(bytes), but {type(training).__name__} has none. Leave folder out."
            )

    @property
    def positions(self) -> Sequence[float]:
        """Where they were taken, from old to new."""
        return [each.position for each in self._moments]

    @property
    def besides(self) -> Sequence[T]:
        """What was kept beside each."""
        return [each.beside for each in self._moments]

    def is_due(self, position: float) -> bool:
        """Whether a snapshot should be taken at ``position``."""
        return not self._moments or position - self._moments[-1].position >= self._ring.every

    def take(self, position: float, snapshot: Any, beside: T) -> None:
        """Keep a snapshot; the one that is missed least goes."""
        moment = _Moment(position, beside)
        if self._blobs is None:
            moment.snapshot = snapshot
        else:
            moment.in_folder = self._blobs.put(self._pack(snapshot))
        self._moments.append(moment)
        if len(self._moments) > self._ring.keep:
            del self._moments[self._missed_least()]
        self._drop_files()

    def before(self, position: float, older: int = 0) -> int:
        """Which to go back to: the newest not later than ``position``, or ``older`` ones further.

        Where none is so old it is the oldest.
        """
        early = sum(each.position <= position for each in self._moments)
        return max(0, early - 1 - older)

    def snapshot(self, index: int) -> Any:
        """One of the snapshots.

        Raises:
            StateError: Its file is damaged or gone.
        """
        moment = self._moments[index]
        if self._blobs is None or moment.in_folder is None:
            return moment.snapshot
        return self._unpack(self._blobs.get(moment.in_folder))

    def forget_after(self, index: int) -> None:
        """Drop the snapshots of a future that was given up."""
        del self._moments[index + 1 :]
        self._drop_files()

    # ---------------------------------------------------------------- checkpoints

    def store(self, blobs: ContentStore) -> Sequence[str]:
        """Put every snapshot into the files of the checkpoints, once; returns their names.

        One whose own file is damaged is dropped: nothing could go back to it.

        Warns:
            StepsizeWarning: There is such a one.
        """
        names: list[str] = []
        for moment in tuple(self._moments):
            try:
                if moment.in_checkpoints is None:
                    snapshot = self.snapshot(self._moments.index(moment))
                    moment.in_checkpoints = blobs.put(self._pack(snapshot))
            except StateError as damage:
                self._moments.remove(moment)
                warnings.warn(
                    f"run(..., ring={self._ring!r}): one snapshot fewer is kept, because {damage}",
                    StepsizeWarning,
                    stacklevel=4,
                )
                continue
            names.append(moment.in_checkpoints)
        return names

    def load(self, blobs: ContentStore, stored: Sequence[tuple[float, str, T]]) -> None:
        """Go on with the snapshots that were stored: (position, name, what was beside it)."""
        self._moments.clear()
        for position, name, beside in stored:
            self.take(position, self._unpack(blobs.get(name)), beside)
            self._moments[-1].in_checkpoints = name

    def _pack(self, snapshot: Any) -> bytes:
        assert self._packer is not None  # refused when the run began
        return self._packer.pack(snapshot)

    def _unpack(self, packed: bytes) -> Any:
        assert self._packer is not None
        return self._packer.unpack(packed)

    # ----------------------------------------------------------------

    def _missed_least(self) -> int:
        newest = self._moments[-1].position
        ages = [newest - each.position for each in self._moments]
        if ages[0] > self._ring.every * 2**self._ring.keep or len(ages) < 3:
            return 0
        # The one whose neighbours' ages differ least, as a ratio.
        every = self._ring.every
        return min(
            range(1, len(ages) - 1), key=lambda i: (ages[i - 1] + every) / (ages[i + 1] + every)
        )

    def _drop_files(self) -> None:
        if self._blobs is not None:
            self._blobs.keep_only({each.in_folder for each in self._moments if each.in_folder})
