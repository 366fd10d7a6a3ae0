"""What is done to a run by hand: each act as a value, and the schedule that follows from it.

``change`` gives the schedule that holds from ``at`` on. Before ``at`` the value there stands in, so
that an expression does not double with every act.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from math import inf
from typing import Any, Final, Literal, TypeAlias, cast, get_args

from stepsize.checks import MOST_STEPS, Range, checked_choice, checked_number
from stepsize.errors import InvalidValue
from stepsize.schedules import Cosine, Hold, Linear, Power, Schedule, parse
from stepsize.words import list_text, number_text, position_text

__all__ = ["Act", "CooledDown", "Extended", "How", "Scaled", "read_act", "saved_act"]

How: TypeAlias = Literal["stretch", "hold", "restretch"]
"""How an extension uses what is left of the curve."""

_FACTOR: Final = Range(minimum=0, remedy="0.5 halves, 1 changes nothing.")
_TOTAL: Final = Range(above=0, maximum=MOST_STEPS, remedy="It is the new length of the whole run.")
_STEPS: Final = Range(above=0, maximum=MOST_STEPS, remedy="It is the length of the cooldown.")

_SHAPES: Final[Mapping[str, Schedule]] = {
    "linear": Linear(1),
    "cosine": Cosine(1),
    "1-sqrt": Power(1, 0.5),
}


@dataclass(frozen=True)
class Scaled:
    """From ``at`` on every value was multiplied by ``factor``."""

    at: float
    factor: float

    @classmethod
    def checked(cls, at: float, factor: float) -> "Scaled":
        """The act, if the factor is finite and at least 0."""
        return cls(at, checked_number(f"scale({factor!r})", "factor", factor, _FACTOR))

    def change(self, schedule: Schedule) -> Schedule:
        """The same schedule: the factor is kept beside those of the controllers."""
        return schedule


@dataclass(frozen=True)
class Extended:
    """At ``at`` the run was lengthened to ``total`` steps."""

    at: float
    total: float
    how: How
    allow_rise: bool

    @classmethod
    def checked(
        cls, schedule: Schedule, at: float, total: float, how: How, allow_rise: bool
    ) -> "Extended":
        """The act, if the run gets longer and does not train on at rate 0."""
        call = f"extend({total!r}, how={how!r})"
        total = checked_number(call, "total", total, _TOTAL)
        checked_choice(call, "how", how, get_args(How))
        if schedule.length == inf:
            raise InvalidValue(
                call,
                "only a schedule that ends can be extended",
                f"{schedule!r} is endless",
                "Train on without a call, and end with start_cooldown(steps).",
            )
        if total <= max(at, schedule.length):
            raise InvalidValue(
                call,
                f"{{total}} must exceed the present length {position_text(schedule.length)} and "
                f"the position {position_text(at)}",
                f"is {total!r}",
                "To end earlier use start_cooldown(steps).",
                "total",
            )
        ended_at_zero = schedule.length <= at and schedule(at) == 0
        if ended_at_zero and not (how == "restretch" and allow_rise):
            raise InvalidValue(
                call,
                "a run is extended before its rate is 0",
                f"the schedule ended at {position_text(schedule.length)} with value 0, so that "
                "every further step would train at rate 0",
                f"To start over from a higher rate: extend({number_text(total, 16)}, "
                "how='restretch', allow_rise=True).",
            )
        return cls(at, total, how, allow_rise)

    def change(self, schedule: Schedule) -> Schedule:
        """The schedule with what is left of it over what is left of the run."""
        now, left = schedule(self.at), self.total - self.at
        if self.how == "restretch":
            whole = schedule.over(self.total).skip(self.at)
            return Hold(self.at, now) >> (whole if self.allow_rise else whole.clip(high=now))
        if schedule.length <= self.at:
            return Hold(self.total, now)
        if self.how == "stretch":
            return Hold(self.at, now) >> schedule.skip(self.at).over(left)
        longer = self.total - schedule.length
        return Hold(self.at + longer, now) >> schedule.skip(self.at)


@dataclass(frozen=True)
class CooledDown:
    """At ``at`` a cooldown of ``steps`` steps began; ``shape`` falls from 1."""

    at: float
    steps: float
    shape: str

    @classmethod
    def checked(cls, at: float, steps: float, shape: str | Schedule) -> "CooledDown":
        """The act, if the length is above 0 and the shape is known."""
        call = f"start_cooldown({steps!r}, shape={shape!r})"
        steps = checked_number(call, "steps", steps, _STEPS)
        curve = _SHAPES.get(shape) if isinstance(shape, str) else shape
        if curve is None:
            raise InvalidValue(
                call,
                f"{{shape}} must be {list_text(map(repr, _SHAPES), 'or')}, or a schedule that "
                "falls from 1",
                f"is {shape!r}",
                argument="shape",
            )
        curve.over(steps)  # an endless shape is refused before anything is changed
        return cls(at, steps, curve.text)

    def change(self, schedule: Schedule) -> Schedule:
        """The schedule up to ``at``, then the fall from its value there."""
        shape, now = cast(Schedule, parse(self.shape)), schedule(self.at)
        return Hold(self.at, now) >> shape.over(self.steps) * now


Act: TypeAlias = Scaled | Extended | CooledDown

_ACTS: Final[Mapping[str, type[Act]]] = {
    act.__name__: act for act in (Scaled, Extended, CooledDown)
}


def saved_act(act: Act) -> dict[str, Any]:
    """The act as plain data."""
    return {"act": type(act).__name__, **asdict(act)}


def read_act(saved: Mapping[str, Any]) -> Act:
    """The act that ``saved_act`` wrote."""
    fields = {key: value for key, value in saved.items() if key != "act"}
    return _ACTS[saved["act"]](**fields)
