"""What an attachment says during a run: each thing once, in warnings and in ``print``."""

import re
import warnings
from collections.abc import Mapping, Sequence
from typing import Any, Final

from stepsize.driving import Key, Policy, Track, describe_group, name_of
from stepsize.errors import ForeignWrite, StepsizeWarning
from stepsize.messages import Message
from stepsize.signals import Decision, Scale

__all__ = ["STEPS_WITHOUT_OBSERVATION", "Notices", "is_misspelt", "metrics_looked_at"]

STEPS_WITHOUT_OBSERVATION: Final = 100
"""After so many steps a controller that was told nothing is mentioned."""


class Notices:
    """What was said, and what is still to be recorded.

    Args:
        kind: The name of the optimizer's class.
    """

    def __init__(self, kind: str) -> None:
        self._kind = kind
        self._told: set[object] = set()
        self._unrecorded: list[Message] = []
        self.lines: list[Message] = []

    def note(self, message: Message) -> None:
        """Say something in ``print(rate)`` and in the record, where nobody swallows it."""
        if message not in self.lines:
            self.lines.append(message)
            self._unrecorded.append(message)

    def unrecorded(self) -> tuple[Decision, ...]:
        """What was noted since the last tick, for the next one: changes by a factor of 1."""
        noted, self._unrecorded = self._unrecorded, []
        return tuple(Scale(1.0, message) for message in noted)

    def warn(self, topic: object, message: Message, kind: type[Warning], stacklevel: int) -> None:
        """Warn, unless there was a warning about this topic before."""
        if topic not in self._told:
            self._told.add(topic)
            warnings.warn(str(message), kind, stacklevel=stacklevel + 1)

    # ---------------------------------------------------------------- topics

    def foreign_write(
        self,
        optimizer: Any,
        key: Key,
        found: Mapping[int, float],
        position: float,
        stacklevel: int,
    ) -> None:
        """Somebody else wrote a driven quantity."""
        index, value = next(iter(found.items()))
        self.warn(
            key,
            Message(
                "{quantity:name} of group {group:name} of {kind:name} was set to {value:number 16} "
                "from outside ({writer:message}) before position {position:position}. stepsize "
                "writes its own value again after every step. To change the rate use "
                "rate.scale(factor) or rate.set_base(value); to take it over, rate.detach(). This "
                "is said once.",
                quantity=name_of(key),
                group=describe_group(index, optimizer.param_groups[index]),
                kind=self._kind,
                value=value,
                writer=_writer_of(optimizer),
                position=position,
            ),
            ForeignWrite,
            stacklevel + 1,
        )

    def written_between_calls(
        self, optimizer: Any, found: Mapping[int, float], stacklevel: int
    ) -> None:
        """Somebody else wrote the rate between two calls of a scheduler's ``step()``."""
        index, value = next(iter(found.items()))
        self.warn(
            "lr",
            Message(
                "Scheduler: lr of group {group:name} was set to {value:number 16} since the last "
                "call, and is written over: the rate is base · schedule(position). To combine "
                "schedules write one product, Scheduler(optimizer, a * b). This is said once.",
                group=describe_group(index, optimizer.param_groups[index]),
                value=value,
            ),
            ForeignWrite,
            stacklevel + 1,
        )

    def steps_after_the_end(self, track: Track) -> None:
        """Steps go on after a falling schedule of the rate has ended."""
        self.warn(
            "end",
            Message(
                "lr of {kind:name}: {schedule:code} ended at position {end:position}, and the "
                "steps go on; its last value holds. To train longer call rate.extend(total) before "
                "the end; to hold the last value on purpose write schedule >> Constant(value). "
                "This is said once.",
                kind=self._kind,
                schedule=repr(track.policy.schedule),
                end=track.end_of_fall,
            ),
            StepsizeWarning,
            stacklevel=5,
        )

    def nothing_observed(self, steps: int) -> None:
        """Controllers wait for metrics that do not come."""
        self.warn(
            "observe",
            Message(
                "attach(...): {steps:count|step|steps} were taken and nothing was observed, so the "
                "controllers decide nothing. Call rate.observe(val_loss=...) with the metric that "
                "they look at after each evaluation. This is said once.",
                steps=steps,
            ),
            StepsizeWarning,
            stacklevel=5,
        )

    def not_looked_at(self, seen: Sequence[str], wanted: Sequence[str]) -> None:
        """No controller looks at what was observed."""
        self.warn(
            "metrics",
            Message(
                "rate.observe(...): no controller looks at {seen:names}; they look at "
                "{wanted:names}. Give the metric the same name in both places. This is said once.",
                seen=tuple(seen),
                wanted=tuple(wanted),
            ),
            StepsizeWarning,
            stacklevel=4,
        )

    def stepped_before(self, steps: int) -> None:
        """The optimizer took part in a run whose progress was not loaded."""
        message = Message(
            "attach(...): this {kind:name} has taken {steps:count|step|steps} before, and its "
            "schedule begins at position 0. To go on with that run load the state of the rate, or "
            "write attach(..., position={steps:count}); for a new run write "
            "attach(..., resume=False).",
            kind=self._kind,
            steps=steps,
        )
        self.note(message)
        self.warn("stepped", message, StepsizeWarning, stacklevel=5)


def _writer_of(optimizer: Any) -> Message:
    if hasattr(getattr(optimizer, "step", None), "_wrapped_by_lr_sched"):
        return Message(
            "probably a torch scheduler that was built on it, such as the default one of a "
            "framework's trainer"
        )
    return Message("not by stepsize")


def metrics_looked_at(policies: Sequence[Policy]) -> Sequence[str] | None:
    """The metrics that the controllers look at; None if one of them does not say."""
    names: dict[str, None] = {}
    for policy in policies:
        for controller in policy.controllers:
            found = _metrics_of(controller)
            if not found:
                return None
            names.update(dict.fromkeys(found))
    return list(names)


def _metrics_of(controller: Any) -> Sequence[str]:
    inner = getattr(controller, "controller", None)
    if inner is not None:
        return _metrics_of(inner)
    metric = getattr(controller, "metric", None)
    also = getattr(controller, "finite", ())
    return [metric, *also] if isinstance(metric, str) else []


def is_misspelt(name: str, wanted: Sequence[str]) -> bool:
    """Whether a name differs from a wanted one by case and separators only."""
    return _letters(name) in map(_letters, wanted)


def _letters(name: str) -> str:
    return re.sub(r"[\W_]", "", name).lower()
