"""The training data as an endless stream whose position can be saved and found again."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, cast

import torch

from stepsize.errors import InvalidType, TrainingError
from stepsize.torch.training._snapshot import RandomSnapshot

__all__ = ["Batches", "Position"]

_END = object()


@dataclass(frozen=True)
class Position:
    """Where in the data: the epoch, how many of its batches are used, how its order was drawn."""

    epoch: int
    used: int
    drawn_from: RandomSnapshot | None


class Batches:
    """Epoch after epoch of ``source``.

    A shuffling loader draws its order when an epoch begins. A position therefore remembers the
    random states of that moment; going back draws the same order again and skips what was used.

    Args:
        source: What can be iterated once per epoch, or a function epoch -> iterable.
    """

    def __init__(self, source: Any) -> None:
        _check(source)
        self._source = cast(Iterable[Any] | Callable[[int], Iterable[Any]], source)
        self._iterator: Iterator[Any] | None = None
        self._position = Position(0, 0, None)
        self.generators = tuple(_generators_of(source))

    def next(self) -> Any:
        """The next batch; after an epoch's last one, the first of the next epoch."""
        iterator = self._iterator
        if iterator is None:
            iterator = self._begin(self._position.epoch)
        batch = next(iterator, _END)
        if batch is _END and self._position.used:
            batch = next(self._begin(self._position.epoch + 1), _END)
        if batch is _END:
            raise TrainingError(
                "TorchTraining(..., batches=...)",
                f"epoch {self._position.epoch} has no batches",
                remedy="Check the data's path and filters, and that drop_last does not drop "
                "the only one.",
            )
        at = self._position
        self._position = Position(at.epoch, at.used + 1, at.drawn_from)
        return batch

    def skip(self, count: int) -> None:
        """Let ``count`` batches pass."""
        for _ in range(count):
            self.next()

    def snapshot(self) -> Position:
        """Where the stream is."""
        return self._position

    def restore(self, position: Position) -> None:
        """Go to ``position``. Random states are left as winding forward leaves them."""
        self._iterator, self._position = None, position
        if position.drawn_from is not None:
            position.drawn_from.restore()
            iterator = self._begin(position.epoch)
            for _ in range(position.used):
                next(iterator)
            self._position = position

    def _begin(self, epoch: int) -> Iterator[Any]:
        drawn_from = RandomSnapshot.take(self.generators)
        source = self._source
        self._iterator = iterator = iter(source(epoch) if callable(source) else source)
        self._position = Position(epoch, 0, drawn_from)
        return iterator


def _check(source: object) -> None:
    if isinstance(source, Iterator):
        raise InvalidType(
            f"TorchTraining(..., batches={source!r})",
            "this can be iterated only once, so no second epoch and no way back to an earlier "
            "batch exist",
            remedy="Give a DataLoader, a list, or a function epoch -> iterable: "
            "batches=lambda epoch: make_batches().",
        )
    if not isinstance(source, Iterable) and not callable(source):
        raise InvalidType(
            f"TorchTraining(..., batches={source!r})",
            "batches must be iterable, or a function epoch -> iterable",
        )


def _generators_of(source: object) -> Iterator[torch.Generator]:
    """A loader's own random generators: its order then does not come from the global one."""
    found: dict[int, torch.Generator] = {}
    layers = [source]
    for layer in layers:
        for name in ("sampler", "batch_sampler", "dataset"):
            inner = getattr(layer, name, None)
            if inner is not None and all(inner is not known for known in layers):
                layers.append(inner)
        generator = getattr(layer, "generator", None)
        if isinstance(generator, torch.Generator):
            found[id(generator)] = generator
    yield from found.values()
