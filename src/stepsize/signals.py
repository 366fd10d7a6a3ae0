"""What the rooms exchange: data and protocols, no behaviour.

Training ── Observation ──> Policy ── Decision ──> the driver of the training
                                                   └── Tick ──> Sink (recorder, live line, ...)
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeAlias

from stepsize.messages import Text

__all__ = [
    "Controller",
    "Decision",
    "Observation",
    "Rewind",
    "Scale",
    "Sink",
    "Stop",
    "Tick",
]


@dataclass(frozen=True)
class Observation:
    """What one optimizer step, or one evaluation, showed.

    Args:
        metrics: Measured numbers by name, for example ``{"loss": 0.31}``. A metric that was not
            measured is absent.
        stepped: False if the optimizer's update was skipped, for example by an AMP scaler.
        position: Where it was seen, in the driver's clock. Set by the driver.
    """

    metrics: Mapping[str, float] = field(default_factory=dict[str, float])
    stepped: bool = True
    position: float | None = None


@dataclass(frozen=True)
class Scale:
    """Multiply every following value by ``factor``."""

    factor: float
    reason: Text


@dataclass(frozen=True)
class Stop:
    """End the training."""

    reason: Text


@dataclass(frozen=True)
class Rewind:
    """Go back to before the trouble, and go on more carefully.

    The driver decides how: the batches that caused it are passed over; if none did, ``run`` first
    repeats the steps as they were, and cuts the rate if the trouble returns. The controllers'
    memories go back as well, so a controller cannot count its rewinds. The policy does: the more
    often trouble returns, the more cautious it gets (``Policy.rewind``).

    Args:
        factor: What a cut multiplies the values by.
        reason: What was seen, in words.
        since: How many executed steps before the present one the trouble began; 0: in this one.
        warmup: Over how many steps the values climb to what they are cut to.
        limit: How many rewinds in a row may fail to end the trouble; then the training is stopped.
    """

    factor: float
    reason: Text
    since: int = 0
    warmup: int = 10
    limit: int = 10


Decision: TypeAlias = Scale | Rewind | Stop


@dataclass(frozen=True, slots=True)
class Tick:
    """What a driver tells its sinks: after each executed step, and after each observation.

    Args:
        position: The position whose values were used, in the driver's clock (optimizer steps
            unless another clock was given).
        quantities: The driven values that the step used, by name: ``"lr"`` where there is one
            group, else ``"lr/<group>"``. Empty for an observation alone.
        metrics: Numbers observed since the last tick, by name.
        decisions: What was decided, with reasons.
    """

    position: float
    quantities: Mapping[str, float] = field(default_factory=dict[str, float])
    metrics: Mapping[str, float] = field(default_factory=dict[str, float])
    decisions: tuple[Decision, ...] = ()


class Controller(Protocol):
    """A feedback rule as a pure state machine. Its memory is plain data: numbers, strings, lists.

    One that may decide ``Rewind`` says so by an attribute ``rewinds = True``, and a wrapper passes
    it on: only then does ``run`` keep snapshots to go back to.
    """

    def init(self) -> Any:
        """The memory before the first observation."""
        ...

    def observe(self, state: Any, observation: Observation, /) -> tuple[Any, Sequence[Decision]]:
        """The memory after ``observation``, and what to do."""
        ...


class Sink(Protocol):
    """Anything that takes ticks: a recorder, a live line, a test's list."""

    def __call__(self, tick: Tick, /) -> None: ...
