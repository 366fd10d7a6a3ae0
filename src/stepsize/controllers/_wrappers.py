"""Wrappers: around any controller, or around each other."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from stepsize.checks import Range
from stepsize.controllers._metric import Memory
from stepsize.controllers._settings import Configured, check_controller, check_name, check_number
from stepsize.errors import InvalidType, InvalidValue
from stepsize.renames import renamed_arguments
from stepsize.signals import Controller, Decision, Observation, Scale

__all__ = ["After", "Primed", "When", "Within"]


class Wrapper(Configured):
    """What the wrappers share: the controller that they are around."""

    controller: Controller

    @property
    def rewinds(self) -> bool:
        """Whether the controller may decide ``Rewind``."""
        return getattr(self.controller, "rewinds", False)

    def init(self) -> Any:
        """The memory before the first observation."""
        return self.controller.init()

    def _check_controller(self) -> None:
        check_controller(repr(self), self.controller)


@renamed_arguments(steps="start")
@dataclass(frozen=True, repr=False)
class After(Wrapper):
    """A controller that sees nothing before position ``start``: ``After(500, Plateau(...))``.

    Args:
        start: In the driver's clock, which is optimizer steps unless another was given; >= 0.
        controller: What listens from then on.

    Raises:
        InvalidType: An argument is of the wrong kind.
        InvalidValue: ``start`` is out of range; or, when observing, the observation does not say at
            which position it was made.

    >>> from stepsize.controllers import After, Plateau, replay
    >>> plateau = Plateau(metric="val_loss", factor=0.5, patience=0)
    >>> replay(After(3, plateau), {"val_loss": [1, 1, 1, 1, 1]}).scale
    [1.0, 1.0, 1.0, 1.0, 0.5]
    """

    start: float
    controller: Controller

    def __post_init__(self) -> None:
        check_number(self, "start", Range(minimum=0, remedy="It is a position."))
        self._check_controller()

    def observe(self, state: Any, observation: Observation, /) -> tuple[Any, Sequence[Decision]]:
        """The memory after ``observation``, and what to do."""
        position = observation.position
        if position is None:
            raise InvalidValue(
                repr(self),
                "an observation must say its position",
                "it has none",
                "The driver of the training gives it: Observation(metrics, position=step).",
            )
        if position < self.start:
            return state, ()
        return self.controller.observe(state, observation)


@renamed_arguments(name="metric")
@dataclass(frozen=True, repr=False)
class Primed(Wrapper):
    """A controller that has seen the losses of steps that were taken before its run.

    For runs that go on where another loop ended: what was learnt there is what may be lost.
    Decisions about those steps would come too late and are dropped. A ``Guard`` takes the loss
    that they ended at for good, and compares what follows with it.

    Args:
        controller: What has seen them.
        losses: In the order of the steps; shape (steps,).
        metric: The metric that they are.

    Raises:
        InvalidType: An argument is of the wrong kind.

    >>> from stepsize.controllers import EarlyStop, Primed, replay
    >>> rule = EarlyStop(metric="loss", patience=1)
    >>> replay(rule, {"loss": [1.5, 1.2, 1.1]}).decisions
    ()
    >>> replay(Primed(rule, [1.0]), {"loss": [1.5, 1.2, 1.1]}).positions[-1]
    1.0
    """

    controller: Controller
    losses: Sequence[float]
    metric: str = "loss"

    def __post_init__(self) -> None:
        self._check_controller()
        check_name(self, "metric")
        try:
            losses = tuple(map(float, self.losses))
        except (TypeError, ValueError) as error:
            raise InvalidType(
                "Primed(controller, losses)",
                "{losses} must be a sequence of numbers",
                f"is {self.losses!r} ({error})",
                "Example: losses=[2.3, 2.1].",
                "losses",
            ) from error
        object.__setattr__(self, "losses", losses)

    def init(self) -> Any:
        """The memory after the losses."""
        memory = self.controller.init()
        for position, loss in enumerate(self.losses):
            seen = Observation({self.metric: loss}, position=position)
            memory, _ = self.controller.observe(memory, seen)
        # Those steps were judged good, or the run would not go on from them.
        accept = getattr(self.controller, "accept", None)
        return memory if accept is None else accept(memory)

    def observe(self, state: Any, observation: Observation, /) -> tuple[Any, Sequence[Decision]]:
        """The memory after ``observation``, and what to do."""
        return self.controller.observe(state, observation)


@dataclass(frozen=True, repr=False)
class When(Wrapper):
    """A controller that sees only the observations for which ``predicate`` holds.

    The predicate does not hold for an observation without a metric that it asks for by
    ``seen.metrics[name]``. Its other errors are not caught.

    Args:
        predicate: Takes an ``Observation``. A pure function of it, or a replay will differ.
        controller: What listens then.

    Raises:
        InvalidType: An argument is of the wrong kind.

    >>> from stepsize.controllers import Plateau, When, replay
    >>> plateau = Plateau(metric="loss", factor=0.5, patience=0)
    >>> fitted = When(lambda seen: seen.metrics["loss"] < 2, plateau)
    >>> replay(fitted, {"loss": [5, 5, 5, 1, 1]}).scale
    [1.0, 1.0, 1.0, 1.0, 0.5]
    """

    predicate: Callable[[Observation], bool]
    controller: Controller

    def __post_init__(self) -> None:
        if not callable(self.predicate):
            raise InvalidType(
                repr(self),
                "{predicate} must be a function of an Observation",
                f"is {self.predicate!r}",
                "Example: lambda seen: seen.metrics['loss'] < 2.",
                "predicate",
            )
        self._check_controller()

    def observe(self, state: Any, observation: Observation, /) -> tuple[Any, Sequence[Decision]]:
        """The memory after ``observation``, and what to do."""
        try:
            holds = self.predicate(replace(observation, metrics=_Measured(observation.metrics)))
        except _NotMeasured:
            holds = False
        return self.controller.observe(state, observation) if holds else (state, ())


class _NotMeasured(KeyError):
    """A predicate asked an observation for a metric that was not measured."""


class _Measured(dict[str, float]):
    """The metrics of an observation."""

    def __missing__(self, name: str) -> float:
        raise _NotMeasured(name)


@dataclass(frozen=True, repr=False)
class Within(Wrapper):
    """A controller whose factors together stay within ``low`` and ``high``.

    The product of all its ``Scale`` decisions is clipped, as ``.clip()`` does with a schedule; what
    changes nothing is not decided. Other decisions pass as they are: the cut of a ``Rewind`` is not
    for the controller to take back.

    Args:
        low: The least product, a multiple >= 0 and <= 1 of what the schedule says.
        high: The largest product, >= 1.
        controller: Whose decisions are bounded.

    Raises:
        InvalidType: An argument is of the wrong kind.
        InvalidValue: A bound is out of range.

    >>> from stepsize.controllers import NewBob, Within, replay
    >>> replay(Within(0.2, 1, NewBob(metric="loss")), {"loss": [1, 1, 1, 1, 1]}).scale
    [1.0, 0.5, 0.25, 0.2, 0.2]
    """

    low: float
    high: float
    controller: Controller

    def __post_init__(self) -> None:
        multiple = "It is a multiple of what the schedule says."
        check_number(self, "low", Range(minimum=0, maximum=1, remedy=multiple))
        check_number(self, "high", Range(minimum=1, remedy=multiple))
        self._check_controller()

    def init(self) -> Memory:
        """The memory before the first observation."""
        return {"wanted": 1.0, "inner": self.controller.init()}

    def observe(
        self, state: Memory, observation: Observation, /
    ) -> tuple[Memory, Sequence[Decision]]:
        """The memory after ``observation``, and what to do."""
        inner, decisions = self.controller.observe(state["inner"], observation)
        wanted, kept = state["wanted"], list[Decision]()
        for decision in decisions:
            if not isinstance(decision, Scale):
                kept.append(decision)
                continue
            before, wanted = self._clipped(wanted), wanted * decision.factor
            after = self._clipped(wanted)
            if after != before and before > 0:
                kept.append(replace(decision, factor=after / before))
        return {"wanted": wanted, "inner": inner}, tuple(kept)

    def _clipped(self, product: float) -> float:
        return min(max(product, self.low), self.high)
