"""Which curves of a run were taken for what, and what was looked for and not found."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, Protocol

import numpy as np

from stepsize.columns import loss_columns, schedule_column
from stepsize.diagnose._names import gradient_norm, optimizer_named
from stepsize.diagnose._view import EMPTY, Curve, RunView, ordered
from stepsize.errors import InvalidValue
from stepsize.messages import Message
from stepsize.words import did_you_mean

__all__ = ["RecordedCurves", "Taken", "taken_of", "view_of"]

_RATE: Final = "lr"


class RecordedCurves(Protocol):
    """Anything with curves by name: a recorded run, a log that was read, a test's stand-in."""

    @property
    def quantities(self) -> Mapping[str, Curve]:
        """The driven quantities: ``"lr"``, or ``"lr/<group>"`` where there are several."""
        ...

    @property
    def metrics(self) -> Mapping[str, Curve]:
        """What was measured."""
        ...


@dataclass(frozen=True)
class Taken:
    """What was taken for what.

    Args:
        training: The curve that is the training loss. Several: the parts whose sum it is.
        validation: The same for the loss on other data.
        evaluated: The loss on training data at the evaluations, where it is logged beside.
        rates: The rates, by their names in the log.
        schedule: The rate that shows the schedule, of several groups.
        rate_until: The last position at which the rate is known; None if that is the run's end.
        settings: What looks like a rate and is a setting: it never changes.
        without_progress: Losses that need not fall while the training succeeds.
        candidates: What ``loss`` may name, where no training loss was recognised.
        counter: The column that counts positions; None if the log has none.
        unit: What it counts.
    """

    training: tuple[str, ...] = ()
    validation: tuple[str, ...] = ()
    evaluated: str | None = None
    rates: tuple[str, ...] = ()
    schedule: str | None = None
    rate_until: Message | None = None
    settings: tuple[str, ...] = ()
    without_progress: tuple[str, ...] = ()
    candidates: tuple[str, ...] = ()
    counter: str | None = None
    unit: str = "step"

    @property
    def has_loss(self) -> bool:
        """Whether there is a loss to judge: without one, nothing is called clean."""
        return bool(self.training or self.validation)

    @property
    def told(self) -> Message:
        """All of it in a line."""
        return Message(
            "Training loss: {training:message}. Validation loss: {validation:message}. Rate: "
            "{rate:message}. Positions: {positions:message}.",
            training=self._training,
            validation=_loss(self.validation),
            rate=self._rate,
            positions=self._positions,
        )

    @property
    def remedy(self) -> Message | None:
        """What to do where there is no loss to judge."""
        if self.has_loss:
            return None
        if self.without_progress:
            return Message(
                "The loss was not examined: {losses:names} of this kind of training need not fall "
                "while it succeeds. Watch the reward, or name a loss that should: --loss NAME.",
                losses=_quoted(self.without_progress),
            )
        if self.candidates:
            return Message(
                "No loss was examined, since no column was recognised as one. Name it with "
                "--loss NAME: {candidates:names or}.",
                candidates=_quoted(self.candidates),
            )
        return Message(
            "No loss was examined, since no column was recognised as one. Log the training loss "
            "beside the steps."
        )

    @property
    def _training(self) -> Message:
        if self.evaluated is not None:
            return Message(
                "{losses:names}, and at evaluations {evaluated:names}",
                losses=_quoted(self.training),
                evaluated=_quoted([self.evaluated]),
            )
        if not self.training and self.without_progress:
            return Message(
                "none that must fall ({losses:names})", losses=_quoted(self.without_progress)
            )
        return _loss(self.training)

    @property
    def _rate(self) -> Message:
        if self.schedule is None:
            if self.settings:
                return Message(
                    "none found ({settings:names} never changes)", settings=_quoted(self.settings)
                )
            return Message("none found")
        name = _quoted([self.schedule])
        if self.rate_until is not None:
            return Message("{rate:names}, known {until:message}", rate=name, until=self.rate_until)
        if len(self.rates) > 1:
            return Message(
                "{rate:names} of {groups:count|group|groups}", rate=name, groups=len(self.rates)
            )
        return Message("{rate:names}", rate=name)

    @property
    def _positions(self) -> Message:
        if self.counter is None:
            return Message("the numbers of the rows")
        names = _quoted([self.counter])
        match self.unit:
            case "epoch":
                return Message("{counter:names}, in epochs", counter=names)
            case "sample":
                return Message("{counter:names}, in samples", counter=names)
            case "token":
                return Message("{counter:names}, in tokens", counter=names)
            case "environment step":
                return Message("{counter:names}, in environment steps", counter=names)
            case _:
                return Message("{counter:names}, in steps", counter=names)

    def to_dict(self) -> dict[str, Any]:
        """Plain data under stable names."""
        return {
            "training_loss": list(self.training),
            "validation_loss": list(self.validation),
            "training_loss_at_evaluations": self.evaluated,
            "rates": list(self.rates),
            "schedule": self.schedule,
            "settings": list(self.settings),
            "losses_that_need_not_fall": list(self.without_progress),
            "candidates": list(self.candidates),
            "counter": self.counter,
            "unit": self.unit,
        }


def _loss(names: tuple[str, ...]) -> Message:
    if not names:
        return Message("none found")
    if len(names) > 1:
        return Message("the sum of {losses:names}", losses=_quoted(names))
    return Message("{losses:names}", losses=_quoted(names))


def _quoted(names: Any) -> tuple[str, ...]:
    return tuple(map(repr, names))


def taken_of(call: str, run: RecordedCurves, loss: str | None, validation: str | None) -> Taken:
    """What is taken for what in a run.

    Args:
        call: How an error begins.
        run: The run.
        loss: The metric that is the training loss, if the caller says so.
        validation: The same for the loss on other data.

    Raises:
        InvalidValue: There is no such metric.
    """
    found = loss_columns(run.metrics)
    training = found.training if loss is None else (_there(call, "loss", loss, run.metrics),)
    held = (
        found.validation
        if validation is None
        else (_there(call, "validation", validation, run.metrics),)
    )
    names: Mapping[str, str] = getattr(run, "rate_names", {})
    rates = _rates(run)
    shown = schedule_column({name: ordered(curve) for name, curve in rates.items()})
    return Taken(
        training=training,
        validation=held,
        evaluated=found.evaluated if loss is None and validation is None else None,
        rates=tuple(names.get(name, name) for name in rates),
        schedule=None if shown is None else names.get(shown, shown),
        settings=getattr(run, "settings", ()),
        without_progress=() if training else found.without_progress,
        candidates=() if training else found.candidates,
        counter=getattr(run, "counter", "position"),
        unit=getattr(run, "unit", "step"),
    )


def view_of(
    run: RecordedCurves,
    taken: Taken,
    *,
    planned: float | None,
    steps_per_epoch: float | None,
    may_go_on: bool = False,
) -> tuple[RunView, Taken]:
    """What rules see of a run, and what was taken, with how far the rate is known."""
    policy = taken.without_progress[:1]
    norm = gradient_norm(run.metrics)
    cut = getattr(run, "cut_short", False) is True or getattr(run, "unfinished", False) is True
    view = RunView(
        training=_summed(run.metrics, taken.training),
        validation=_summed(run.metrics, taken.validation),
        rates=_rates(run),
        gradient_norm=EMPTY if norm is None else run.metrics[norm],
        metrics=run.metrics,
        evaluated=_summed(run.metrics, (taken.evaluated,) if taken.evaluated else ()),
        policy=_summed(run.metrics, policy),
        planned=planned,
        steps_per_epoch=steps_per_epoch,
        may_go_on=may_go_on or cut,
        unit=taken.unit,
        optimizer=optimizer_named([*run.quantities, *taken.rates]),
    )
    if view.has_rate and not view.rate_is_whole:
        until = float(view.rate.positions[-1])
        return view, replace(
            taken,
            rate_until=Message(
                "up to {at:message}, {part:percent} of the run",
                at=view.at(until),
                part=min(1.0, max(0.0, until / view.last)) if view.last > 0 else 0.0,
            ),
        )
    return view, taken


def _rates(run: RecordedCurves) -> dict[str, Curve]:
    return {
        name: curve
        for name, curve in run.quantities.items()
        if name == _RATE or name.startswith(f"{_RATE}/")
    }


def _summed(metrics: Mapping[str, Curve], names: tuple[str, ...]) -> Curve:
    if not names:
        return EMPTY
    positions, total = ordered(metrics[names[0]])
    for name in names[1:]:
        at, values = ordered(metrics[name])
        shared = np.isin(positions, at)
        positions, total = positions[shared], total[shared]
        total = total + values[np.isin(at, positions)]
    return positions, total


def _there(call: str, role: str, name: str, metrics: Mapping[str, Curve]) -> str:
    if name not in metrics:
        raise InvalidValue(
            f"{call[:-1]}, {role}={name!r})",
            f"{{{role}}} is a metric of the run",
            "there is no such metric",
            did_you_mean(name, list(metrics)),
            role,
        )
    return name
