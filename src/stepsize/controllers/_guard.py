"""``Guard``: notice that a training goes wrong, and ask to go back."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar, cast

from stepsize.checks import Range
from stepsize.controllers import _earlier_guard
from stepsize.controllers._metric import Memory
from stepsize.controllers._settings import Configured, check_count, check_name, check_number
from stepsize.errors import InvalidType
from stepsize.learning import Judge
from stepsize.messages import Message
from stepsize.renames import renamed_arguments
from stepsize.signals import Decision, Observation, Rewind

__all__ = ["Guard"]


@renamed_arguments(watches="metric")
@dataclass(frozen=True, kw_only=True, repr=False)
class Guard(Configured):
    """Ask for a ``Rewind`` when the loss, gradients or parameters show that a training goes wrong.

    At once when a number is not finite. Otherwise when ``Judge`` finds trouble in the loss:

    - **dead**: most of the last 10 losses are where the loss began, after it had come down, or
      above four times that. This is how a rate far too high shows within its first 20 steps.
    - **spiking**: ``spike_patience`` losses in a row, each above all of the last 50 and more than
      ``spike`` robust deviations above their median.
    - **unlearning**: the smoothed loss stays above its lowest by more than its noise explains, by
      ``rise`` deviations, the number of losses that the lowest was taken over included.

    A rise below 2 % of what was learnt is never trouble, and neither is one like those that came
    back before. A loss that is *meant* to rise (warm restarts of a converged model, a task that
    changes) looks like un-learning: wrap the guard in ``When``.

    Skipped updates, as an AMP scaler makes them, are ignored. After an alarm the loss is judged
    afresh, and not before ``patience`` observations have passed.

    Args:
        metric: The name of the training's loss.
        finite: Further metrics that have to be finite where they are measured.
        rise: Un-learning: deviations of the smoothed loss, > 0.
        patience: Un-learning: observations in a row, >= 1.
        spike: Robust deviations above the median, > 0.
        spike_patience: Losses in a row, >= 1. One alone is mostly one odd batch.
        factor: What every rewind multiplies the rate by, > 0 and <= 1.
        warmup: Over how many steps the rate climbs to it.
        limit: How many rewinds in a row may fail to end the trouble; then the run is stopped.
        chance: The loss of a constant prediction, where it is known: ln(classes), the variance of
            the target. Otherwise the first losses stand for it.

    Raises:
        InvalidType: A setting is of the wrong kind.
        InvalidValue: A setting is out of range.

    Detection and false alarms are measured in docs/en/guard.md.

    >>> from stepsize.controllers import Guard, replay
    >>> position, decision = replay(Guard(), {"loss": [2.0, 1.5, float("nan")]}).decisions[0]
    >>> print(position, decision.factor, decision.reason)
    2.0 0.5 loss is nan
    """

    rewinds: ClassVar[bool] = True

    metric: str = "loss"
    finite: Sequence[str] = ("grad_norm", "parameter_norm")
    rise: float = Judge.rise
    patience: int = Judge.patience
    spike: float = Judge.spike
    spike_patience: int = Judge.spike_patience
    factor: float = 0.5
    warmup: int = 10
    limit: int = 10
    chance: float | None = None

    def __post_init__(self) -> None:
        check_name(self, "metric")
        object.__setattr__(self, "finite", self._checked_finite())
        check_number(self, "rise", Range(above=0, remedy="It counts deviations."))
        check_count(self, "patience", Range(minimum=1, remedy="It counts observations."))
        check_number(self, "spike", Range(above=0, remedy="It counts robust deviations."))
        check_count(self, "spike_patience", Range(minimum=1, remedy="It counts observations."))
        check_number(self, "factor", Range(above=0, maximum=1, remedy="0.5 halves the rate."))
        check_count(self, "warmup", Range(minimum=0, remedy="It counts steps."))
        check_count(self, "limit", Range(minimum=0, remedy="It counts rewinds."))
        if self.chance is not None:
            check_number(self, "chance", Range(remedy="For 10 classes it is ln(10), about 2.3."))

    @cached_property
    def _judge(self) -> Judge:
        return Judge(
            chance=self.chance,
            rise=self.rise,
            patience=self.patience,
            spike=self.spike,
            spike_patience=self.spike_patience,
        )

    def _checked_finite(self) -> tuple[str, ...]:
        given: object = self.finite
        names = tuple(cast(Iterable[object], given)) if isinstance(given, Iterable) else None
        plain = not isinstance(given, str) and names is not None
        if not plain or not all(isinstance(name, str) and name for name in names or ()):
            raise InvalidType(
                f"Guard(finite={given!r})",
                "{finite} must be a sequence of metrics' names",
                f"is {given!r}",
                f"Write finite=[{given!r}]."
                if isinstance(given, str)
                else "Example: finite=['grad_norm']; finite=() for none.",
                "finite",
            )
        return cast(tuple[str, ...], names)

    def init(self) -> Memory:
        """The memory before the first observation."""
        return {"judge": self._judge.init(), "pause": 0}

    def accept(self, state: Memory, /) -> Memory:
        """The memory for which the present loss is good: a rise counts from here.

        For a run that goes on where a trial ended that was found to be good, although its loss at
        a high rate lies above what it was during the warmup.
        """
        if _earlier_guard.is_memory(state):
            return state
        return {**state, "judge": self._judge.accepted(state["judge"])}

    def observe(
        self, state: Memory, observation: Observation, /
    ) -> tuple[Memory, Sequence[Decision]]:
        """The memory after ``observation``, and what to do."""
        if not observation.stepped:
            return state, ()
        for name in (self.metric, *self.finite):
            value = observation.metrics.get(name)
            if value is not None and not math.isfinite(value):
                reason = Message("{metric:name} is {value:number}", metric=name, value=value)
                return self._after_alarm(state), self._rewind(reason, since=0)
        loss = observation.metrics.get(self.metric)
        if loss is None:
            return state, ()
        if _earlier_guard.is_memory(state):
            return self._observe_as_before(state, float(loss))
        memory, pause = self._judge.observe(state["judge"], loss), max(0, state["pause"] - 1)
        after: Memory = {"judge": memory, "pause": pause}
        trouble = None if pause else self._judge.trouble(memory)
        if trouble is None:
            return after, ()
        reason = Message("{metric:name}: {seen:message}", metric=self.metric, seen=trouble.reason)
        return self._after_alarm(after), self._rewind(reason, trouble.since)

    def _observe_as_before(self, state: Memory, loss: float) -> tuple[Memory, Sequence[Decision]]:
        after, alarm = _earlier_guard.observed(self, state, loss)
        return (after, ()) if alarm is None else (self._after_alarm(after), self._rewind(*alarm))

    def _after_alarm(self, state: Memory) -> Memory:
        # A driver that cannot go back only cuts the rate, and the guard goes on from this memory:
        # the loss may be anywhere, but its lowest and its noise are known.
        if _earlier_guard.is_memory(state):
            return _earlier_guard.after_alarm(state)
        return {"judge": self._judge.restarted(state["judge"]), "pause": self.patience}

    def _rewind(self, reason: Message, since: int) -> Sequence[Decision]:
        return (Rewind(self.factor, reason, since=since, warmup=self.warmup, limit=self.limit),)
