"""The one seam between a plan and whoever drives a training: ``Policy`` and its state.

Policy        what was decided before the run: a schedule and the controllers (configuration)
PolicyState   what happened since: scale, acts by hand, rewinds, controllers' memories (progress)
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from math import prod
from typing import Any, Literal, TypeAlias, cast

from stepsize.controllers.saved_texts import current_text
from stepsize.errors import InvalidType, InvalidValue, StateError
from stepsize.schedules import Absolute, Cosine, Hold, Linear, Power, Schedule, parse
from stepsize.signals import Controller, Decision, Observation, Rewind, Scale

__all__ = ["Policy", "PolicyState", "Rewound"]

How: TypeAlias = Literal["stretch", "hold", "restretch"]
Answer: TypeAlias = Literal["repeat", "pass over", "cut"]

_SHAPES: Mapping[str, Schedule] = {
    "linear": Linear(1),
    "cosine": Cosine(1),
    "1-sqrt": Power(1, 0.5),
}


# ------------------------------------------------------------------ acts by hand
#
# change() gives the schedule that holds from ``at`` on; before it, the value at ``at`` stands in,
# so that an expression does not double with every act.


@dataclass(frozen=True)
class Scaled:
    """From ``at`` on every value was multiplied by ``factor``."""

    at: float
    factor: float

    def change(self, schedule: Schedule) -> Schedule:
        return schedule  # the factor lives in PolicyState.scale, beside the controllers' factors


@dataclass(frozen=True)
class Extended:
    """At ``at`` the run was lengthened to ``total`` steps."""

    at: float
    total: float
    how: How
    allow_rise: bool

    def change(self, schedule: Schedule) -> Schedule:
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

    def change(self, schedule: Schedule) -> Schedule:
        shape, now = cast(Schedule, parse(self.shape)), schedule(self.at)
        return Hold(self.at, now) >> shape.over(self.steps) * now


Act: TypeAlias = Scaled | Extended | CooledDown

_ACTS: Mapping[str, type[Act]] = {act.__name__: act for act in (Scaled, Extended, CooledDown)}


# ------------------------------------------------------------------ rewinds


@dataclass(frozen=True)
class Rewound:
    """A rewind that was carried out.

    Args:
        at: The position that the run went back to.
        seen: The position at which the trouble was noticed.
        answer: What was changed: "repeat", nothing; "pass over", the batches that did it; "cut",
            the rate.
        factor: What the values were multiplied by; 1 unless they were cut.
        warmup: Over how many steps they climb to that.
        repeats: How many rewinds in a row had not ended the same trouble before.
        cuts: How many of these had cut.
    """

    at: float
    seen: float
    answer: Answer
    factor: float = 1.0
    warmup: int = 0
    repeats: int = 0
    cuts: int = 0

    @property
    def lasting(self) -> float:
        """What the values stay multiplied by. The first cut is given back."""
        return self.factor if self.cuts else 1.0

    def about(self, quantity: str) -> str:
        """What was done to ``quantity``, in words."""
        if self.answer == "repeat":
            return f"{quantity} is as it was, in case that this was chance"
        if self.answer == "pass over":
            return f"{quantity} is as it was"
        again = f", cut number {self.cuts + 1} in a row" if self.cuts else ""
        lasting = "" if self.cuts else " until the trouble stays away"
        return (
            f"{quantity} is cut by {self.factor:g}{lasting}{again}, after a warmup of "
            f"{self.warmup} steps"
        )

    def ramp(self) -> Schedule:
        """The multiple over time: up to the cut, and from the first cut back to 1."""
        level = 1.0 if self.cuts else self.factor
        climb = Linear(self.warmup, start=level / (self.warmup + 1), end=level)
        if self.cuts:
            return Hold(self.at) >> climb
        back = Linear(_GIVEN_BACK * max(1, self.warmup), start=level, end=1)
        return Hold(self.at) >> climb >> Hold(max(0, self.seen - self.at), level) >> back

    def is_repeated(self, seen: float) -> bool:
        """Whether trouble at ``seen`` is the same trouble again."""
        if self.answer == "pass over":  # whoever gets past these batches is past their trouble
            return seen <= self.seen
        near = max(_GIVEN_BACK * self.warmup, self.seen - self.at)
        # A rate that is a little too high diverges slowly, at every age of a run.
        return seen <= self.seen + (near if self.answer == "repeat" else max(near, self.seen / 2))


_GIVEN_BACK = 10
"""A cut is given back over this many times the warmup, if the trouble stays away."""

_LONGEST_WARMUP = 4
"""Each further cut doubles the warmup, up to this many times."""


# ------------------------------------------------------------------ progress


@dataclass(frozen=True)
class PolicyState:
    """What has happened to a policy during a run. Immutable; ``Policy`` makes the next one.

    Args:
        scale: The product of all Scale decisions, of all scaling by hand and of lasting cuts.
        acts: What was done by hand, in order, each with its position.
        memories: The controllers' states, in their order.
        rewinds: The rewinds, in order.
    """

    scale: float = 1.0
    acts: tuple[Act, ...] = ()
    memories: tuple[Any, ...] = ()
    rewinds: tuple[Rewound, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Numbers, strings, lists and dictionaries only."""
        acts = [{"act": type(act).__name__, **asdict(act)} for act in self.acts]
        rewinds = [asdict(each) for each in self.rewinds]
        return {
            "scale": self.scale,
            "acts": acts,
            "memories": list(self.memories),
            "rewinds": rewinds,
        }

    @classmethod
    def from_dict(cls, saved: Mapping[str, Any]) -> "PolicyState":
        """The state that ``to_dict`` wrote.

        Raises:
            StateError: It is no such dictionary.
        """
        try:
            acts = tuple(
                _ACTS[act["act"]](**{key: value for key, value in act.items() if key != "act"})
                for act in saved["acts"]
            )
            # Absent in states that were saved before there were rewinds.
            rewinds = tuple(Rewound(**each) for each in saved.get("rewinds", ()))
            return cls(float(saved["scale"]), acts, tuple(saved["memories"]), rewinds)
        except (KeyError, TypeError, ValueError) as error:
            raise StateError(
                f"PolicyState.from_dict({saved!r}): this is no saved policy state ({error!r}). "
                "Pass what to_dict() gave."
            ) from error


# ------------------------------------------------------------------ configuration


@dataclass(frozen=True)
class Policy:
    """A schedule and the controllers that may act on it.

    The value at a position is ``schedule(position) * scale``, where the schedule carries the
    changes made by hand and the warmup after a rewind, and the scale is the product of all Scale
    decisions.

    Args:
        schedule: Multiples of the base rate; under ``Absolute(...)`` the rates themselves.
        controllers: Feedback rules, asked in this order at every observation.

    Raises:
        InvalidType: An argument is of the wrong kind.

    >>> from stepsize import Linear, Policy
    >>> policy = Policy(Linear(10))
    >>> state = policy.start_cooldown(policy.init(), at=4, steps=2)
    >>> [round(policy.factor(state, t), 3) for t in (4, 5, 6, 7)]
    [0.6, 0.3, 0.0, 0.0]
    """

    schedule: Schedule | Absolute
    controllers: Sequence[Controller] = ()

    def __post_init__(self) -> None:
        if not isinstance(self.schedule, Schedule | Absolute):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise InvalidType(
                f"Policy({self.schedule!r}): schedule must be a schedule or Absolute(schedule), "
                f"but is a {type(self.schedule).__name__}. For a constant rate write Constant()."
            )
        call = f"Policy(..., controllers={self.controllers!r})"
        if not isinstance(self.controllers, Iterable):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise InvalidType(
                f"{call}: controllers must be a list, but is a {type(self.controllers).__name__}. "
                f"Write [{self.controllers!r}]."
            )
        controllers = tuple(self.controllers)
        for controller in controllers:
            if isinstance(controller, type):
                raise InvalidType(
                    f"{call}: a controller is an object with its settings, but {controller!r} is a "
                    f"class. Write {controller.__name__}(...)."
                )
            if not (hasattr(controller, "init") and hasattr(controller, "observe")):
                raise InvalidType(
                    f"{call}: a controller has init() and observe(state, observation), but "
                    f"{controller!r} is a {type(controller).__name__}. See stepsize.controllers."
                )
        object.__setattr__(self, "controllers", controllers)

    @property
    def absolute(self) -> bool:
        """Whether the values are rates and not multiples of the base rate."""
        return isinstance(self.schedule, Absolute)

    @property
    def text(self) -> str:
        """The schedule's text form: the fingerprint that a saved state carries."""
        return self.schedule.text

    def init(self) -> PolicyState:
        """The state before the first step."""
        return PolicyState(memories=tuple(each.init() for each in self.controllers))

    def save(self, state: PolicyState) -> dict[str, Any]:
        """The state as plain data, and which controllers its memories are of."""
        return {**state.to_dict(), "controllers": list(self._controller_texts)}

    def load(self, saved: Mapping[str, Any]) -> tuple[PolicyState, Sequence[str]]:
        """The state that ``save`` gave; a controller that was not there before starts anew.

        Returns:
            The state, and what is different now, in words.

        Raises:
            StateError: It is no such dictionary.
        """
        state = PolicyState.from_dict(saved)
        texts, memories = self._controller_texts, list(state.memories)
        # Absent in states that were saved before there were texts.
        unnamed = texts if len(texts) == len(memories) else ["unknown"] * len(memories)
        before = [
            current if (current := current_text(text)) in texts else text
            for text in saved.get("controllers", unnamed)
        ]
        if len(before) != len(memories):
            raise StateError(
                f"Policy.load({saved!r}): there is one memory for each controller, but of "
                f"{len(before)} there are {len(memories)}. Pass what save(state) gave."
            )
        if before == [*texts]:
            return state, ()
        left = list(zip(before, memories, strict=True))
        fitting: list[Any] = []
        for text, fresh in zip(texts, self.init().memories, strict=True):
            same = next((each for each in left if each[0] == text), None)
            if same is not None:
                left.remove(same)
            fitting.append(fresh if same is None else same[1])
        difference = (
            f"saved with the controllers [{', '.join(before)}], now [{', '.join(texts)}]; "
            "those that differ start anew"
        )
        return replace(state, memories=tuple(fitting)), (difference,)

    @property
    def _controller_texts(self) -> Sequence[str]:
        # The address of an object or function in a repr is another in every process.
        return [re.sub(" at 0x[0-9a-fA-F]+", "", repr(each)) for each in self.controllers]

    @property
    def may_rewind(self) -> bool:
        """Whether a controller may decide ``Rewind``."""
        return any(getattr(each, "rewinds", False) for each in self.controllers)

    def current_schedule(self, state: PolicyState) -> Schedule:
        """The schedule with the changes made by hand and the warmup after the last rewind."""
        schedule = self._changed_by_hand(state)
        cut = next((each for each in reversed(state.rewinds) if each.answer == "cut"), None)
        return schedule if cut is None else schedule * cut.ramp()

    def _changed_by_hand(self, state: PolicyState) -> Schedule:
        schedule = self.schedule.schedule if isinstance(self.schedule, Absolute) else self.schedule
        for act in state.acts:
            schedule = act.change(schedule)
        return schedule

    def factor(self, state: PolicyState, position: float) -> float:
        """The multiple of the base rate (or, under Absolute, the rate) at ``position``."""
        return self.current_schedule(state)(position) * state.scale

    def observe(
        self, state: PolicyState, observation: Observation
    ) -> tuple[PolicyState, tuple[Decision, ...]]:
        """Ask every controller. Scale decisions are in the new state; the driver obeys the rest.

        A driver stops at ``Stop``; after ``Rewind`` it goes back and calls ``rewind``.
        """
        decisions: list[Decision] = []
        memories: list[Any] = []
        for controller, memory in zip(self.controllers, state.memories, strict=True):
            remembered, decided = controller.observe(memory, observation)
            memories.append(remembered)
            decisions.extend(decided)
        scale = state.scale
        for decision in decisions:
            if isinstance(decision, Scale):
                scale *= decision.factor
        return replace(state, scale=scale, memories=tuple(memories)), tuple(decisions)

    # -------------------------------------------------------------- rewinds

    def unended(self, state: PolicyState, seen: float) -> Rewound | None:
        """The last rewind, if trouble at ``seen`` is what it should have ended."""
        last = state.rewinds[-1] if state.rewinds else None
        return last if last is not None and last.is_repeated(seen) else None

    def rewind(
        self,
        state: PolicyState,
        earlier: PolicyState,
        decision: Rewind,
        *,
        at: float,
        seen: float,
        answer: Answer = "cut",
    ) -> PolicyState:
        """The state after a rewind: the memories of ``earlier``, and all that was done since.

        A first cut is given back: once the run is past the trouble, the values climb to what they
        were. Where trouble returns, the cut lasts, and each further one cuts twice as deep as the
        first, by the square of its factor, and doubles the warmup.

        Args:
            state: The state now.
            earlier: The state at the position that the run goes back to.
            decision: What was decided.
            at: The position that the run goes back to.
            seen: The position at which the trouble was noticed.
            answer: Whether the values are cut, or something else is changed, or nothing.
        """
        last = self.unended(state, seen)
        repeats = 0 if last is None else last.repeats + 1
        cuts = 0 if last is None else last.cuts + (last.answer == "cut")
        rewound = Rewound(at, seen, answer, repeats=repeats, cuts=cuts)
        if answer == "cut":
            warmup = decision.warmup * min(2**cuts, _LONGEST_WARMUP)
            given_back = [each.factor for each in state.rewinds if each.answer == "cut"][-1:]
            factor = decision.factor**2 if cuts else decision.factor
            factor *= prod(given_back) if cuts == 1 else 1
            rewound = replace(rewound, factor=factor, warmup=warmup)
        gone_back = self.go_back(state, earlier)
        return replace(
            gone_back,
            scale=gone_back.scale * rewound.lasting,
            rewinds=(*state.rewinds, rewound),
        )

    def go_back(self, state: PolicyState, earlier: PolicyState) -> PolicyState:
        """The memories of ``earlier``; what was done since by hand and by rewinds stays done."""
        by_hand = (each for each in state.acts[len(earlier.acts) :] if isinstance(each, Scaled))
        cuts = (each.lasting for each in state.rewinds[len(earlier.rewinds) :])
        scale = earlier.scale * prod(each.factor for each in by_hand) * prod(cuts)
        return replace(state, scale=scale, memories=earlier.memories)

    # -------------------------------------------------------------- by hand, during the run

    def scale(self, state: PolicyState, at: float, factor: float) -> PolicyState:
        """Multiply every value from now on by ``factor`` (finite, >= 0)."""
        _require(0 <= factor < float("inf"), f"scale({factor!r})", "factor must be >= 0", factor)
        return replace(state, scale=state.scale * factor, acts=(*state.acts, Scaled(at, factor)))

    def extend(
        self,
        state: PolicyState,
        at: float,
        total: float,
        how: How = "stretch",
        allow_rise: bool = False,
    ) -> PolicyState:
        """Lengthen a started run to ``total`` steps without a jump up.

        Args:
            state: The state so far.
            at: The position now.
            total: The new length of the whole run, beyond both ``at`` and the present length.
            how: "stretch": what is left of the curve is stretched over what is left of the run;
                "hold": the present value is held, then what is left runs as planned;
                "restretch": the whole curve is stretched over the whole run, cut at the present
                value.
            allow_rise: With "restretch", do not cut: the value may jump up.

        Raises:
            InvalidValue: A number or ``how`` is out of range; the schedule is endless; or it has
                ended at 0, so that an extension would train at rate 0.
        """
        call = f"extend({total!r}, how={how!r})"
        schedule = self._changed_by_hand(state)
        _require(
            how in ("stretch", "hold", "restretch"),
            call,
            "how must be 'stretch', 'hold' or 'restretch'",
            how,
        )
        if schedule.length == float("inf"):
            raise InvalidValue(
                f"{call}: the schedule {schedule!r} is endless and needs no extension. "
                "Just train on, and end with start_cooldown(steps)."
            )
        _require(
            total > max(at, schedule.length),
            call,
            f"total must exceed the present length {schedule.length:g} and position {at:g}",
            total,
            "To end earlier use start_cooldown(steps).",
        )
        if schedule.length <= at and schedule(at) == 0 and not (how == "restretch" and allow_rise):
            raise InvalidValue(
                f"{call}: the schedule ended at {schedule.length:g} with value 0, so every further "
                f"step would train at rate 0. To start over from a higher rate, say so: "
                f"extend({total!r}, how='restretch', allow_rise=True)."
            )
        return replace(state, acts=(*state.acts, Extended(at, total, how, allow_rise)))

    def start_cooldown(
        self, state: PolicyState, at: float, steps: float, shape: str | Schedule = "linear"
    ) -> PolicyState:
        """Fall from the present value to zero within ``steps`` steps, from now on.

        Args:
            state: The state so far.
            at: The position now.
            steps: Length of the cooldown, > 0.
            shape: "linear", "cosine", "1-sqrt", or a schedule that falls from 1.

        Raises:
            InvalidValue: ``steps`` or ``shape`` is out of range.
        """
        call = f"start_cooldown({steps!r}, shape={shape!r})"
        curve = _SHAPES.get(shape) if isinstance(shape, str) else shape
        if curve is None:
            raise InvalidValue(
                f"{call}: shape must be one of {', '.join(map(repr, _SHAPES))} or a schedule that "
                f"falls from 1, but is {shape!r}."
            )
        curve.over(steps)  # refuses a bad length before anything is changed
        return replace(state, acts=(*state.acts, CooledDown(at, steps, curve.text)))


def _require(holds: bool, call: str, rule: str, value: object, remedy: str = "") -> None:
    if not holds:
        raise InvalidValue(f"{call}: {rule}, but is {value!r}. {remedy}".rstrip())
