"""``Training``: whatever can take an optimizer step at given factors, evaluate and go back."""

from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias, TypeVar, runtime_checkable

from stepsize.signals import Observation

__all__ = ["Factors", "Group", "Training", "preserved"]

Factors: TypeAlias = Mapping[str, Sequence[float]]
"""For each driven quantity (``"lr"``, ``"weight_decay"``, ...) one factor per group."""


@dataclass(frozen=True)
class Group:
    """One parameter group of one optimizer.

    Args:
        name: What reports call it.
        base: Its base rate.
        optimizer: Which optimizer it belongs to, counted from 0.
        beta2: The decay of the optimizer's second moment, where it has one: it sets the warmup.
    """

    name: str
    base: float
    optimizer: int = 0
    beta2: float | None = None


@runtime_checkable
class Training(Protocol):
    """A model, its optimizer and its data, ready to be driven.

    The finder, ``run`` and the command line know trainings only through this. ``TorchTraining`` is
    one; a loop in any other framework becomes one with these five members.
    """

    @property
    def groups(self) -> Sequence[Group]:
        """The parameter groups, in a fixed order."""
        ...

    def step(self, factors: Factors, /) -> Observation:
        """Take one optimizer step at base × factor for each quantity and group.

        Returns:
            What was measured, ``"loss"`` at least; ``.stepped`` is False if the update was skipped.
        """
        ...

    def evaluate(self) -> Mapping[str, float]:
        """Measure the model without changing anything."""
        ...

    def snapshot(self) -> Any:
        """Everything that the next steps depend on."""
        ...

    def restore(self, snapshot: Any, /) -> None:
        """Go back to a snapshot: from here on every step is as it was then, bit for bit."""
        ...


T = TypeVar("T", bound=Training)


@contextmanager
def preserved(training: T) -> Generator[T]:
    """Whatever happens inside, the training is afterwards as it was before, also after an error.

    >>> from stepsize.training import preserved
    >>> with preserved(training):               # doctest: +SKIP
    ...     training.step({"lr": [10.0]})
    """
    snapshot = training.snapshot()
    try:
        yield training
    finally:
        training.restore(snapshot)
