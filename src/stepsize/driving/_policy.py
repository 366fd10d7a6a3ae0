"""``Policy``: what was decided before the run, and the pure functions that make its next states."""

import re
import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import prod
from typing import Any

from stepsize.checks import checked_instance
from stepsize.controllers import EarlyStop, Plateau
from stepsize.controllers.saved_texts import current_text
from stepsize.driving._acts import CooledDown, Extended, How, Scaled
from stepsize.driving._policy_state import PolicyState
from stepsize.driving._rewound import LONGEST_WARMUP, Answer, Rewound
from stepsize.errors import InvalidType, ScheduleWarning, StateError
from stepsize.messages import Message
from stepsize.schedules import Absolute, Schedule
from stepsize.signals import Controller, Decision, Observation, Rewind, Scale

__all__ = ["Policy"]


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

    Warns:
        ScheduleWarning: An ``EarlyStop`` ends the run before a ``Plateau`` beside it can cut.

    >>> from stepsize import Linear, Policy
    >>> policy = Policy(Linear(10))
    >>> state = policy.start_cooldown(policy.init(), at=4, steps=2)
    >>> [round(policy.factor(state, t), 3) for t in (4, 5, 6, 7)]
    [0.6, 0.3, 0.0, 0.0]
    """

    schedule: Schedule | Absolute
    controllers: Sequence[Controller] = ()

    def __post_init__(self) -> None:
        checked_instance(
            f"Policy({self.schedule!r})",
            "schedule",
            self.schedule,
            (Schedule, Absolute),
            "a schedule or Absolute(schedule)",
            "For a constant rate write Constant(); for a function, Function(it).",
        )
        object.__setattr__(self, "controllers", _checked_controllers(self.controllers))
        _warn_of_early_stop(self.controllers)

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

    def load(self, saved: Mapping[str, Any]) -> tuple[PolicyState, Sequence[Message]]:
        """The state that ``save`` gave; a controller that was not there before starts anew.

        Returns:
            The state, and what is different now.

        Raises:
            StateError: It is not such a dictionary.
        """
        state = PolicyState.from_dict(saved)
        texts, memories = self._controller_texts, list(state.memories)
        # Absent in states that were saved before there were texts.
        unnamed = texts if len(texts) == len(memories) else ["unknown"] * len(memories)
        named: list[str] = list(saved.get("controllers", unnamed))
        before = [current_text(text) for text in named]
        if len(before) != len(memories):
            raise StateError(
                "Policy.load(...)",
                "there is one memory for each controller",
                f"there are {len(memories)} memories for {len(before)} controllers",
                "Pass what save(state) gave.",
            )
        if before == [current_text(text) for text in texts]:
            return state, ()
        left = list(zip(before, memories, strict=True))
        fitting: list[Any] = []
        for text, fresh in zip(texts, self.init().memories, strict=True):
            same = next((each for each in left if each[0] == current_text(text)), None)
            if same is not None:
                left.remove(same)
            fitting.append(fresh if same is None else same[1])
        difference = Message(
            "saved with the controllers [{before:code}], now [{now:code}]; those that differ start "
            "anew",
            before=", ".join(named),
            now=", ".join(texts),
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
            warmup = decision.warmup * min(2**cuts, LONGEST_WARMUP)
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
        """Multiply every value from now on by ``factor``.

        Args:
            state: The state so far.
            at: The position now.
            factor: A finite number, >= 0.

        Raises:
            InvalidValue: It is out of range.
        """
        act = Scaled.checked(at, factor)
        return replace(state, scale=state.scale * act.factor, acts=(*state.acts, act))

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
        act = Extended.checked(self._changed_by_hand(state), at, total, how, allow_rise)
        return replace(state, acts=(*state.acts, act))

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
        return replace(state, acts=(*state.acts, CooledDown.checked(at, steps, shape)))


def _warn_of_early_stop(controllers: Sequence[Controller]) -> None:
    for stop in controllers:
        for plateau in controllers:
            if not (isinstance(stop, EarlyStop) and isinstance(plateau, Plateau)):
                continue
            if stop.metric == plateau.metric and stop.patience < plateau.patience:
                message = Message(
                    "Policy(...): EarlyStop ends the run after {stop:count|observation|"
                    "observations} of {metric:name} without improvement, before Plateau cuts the "
                    "rate after {cut:count}. Give EarlyStop more patience than Plateau.",
                    stop=stop.patience,
                    metric=stop.metric,
                    cut=plateau.patience,
                )
                warnings.warn(str(message), ScheduleWarning, stacklevel=5)


def _checked_controllers(given: Any) -> tuple[Controller, ...]:
    call = f"Policy(..., controllers={given!r})"
    if not isinstance(given, Iterable):
        raise InvalidType(
            call,
            "{controllers} must be a list",
            f"is a {type(given).__name__}",
            f"Write [{given!r}].",
            "controllers",
        )
    controllers: tuple[Any, ...] = tuple(given)  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]
    for controller in controllers:
        if isinstance(controller, type):
            raise InvalidType(
                call,
                "a controller is an object with its settings",
                f"{controller!r} is a class",
                f"Write {controller.__name__}(...).",
                "controllers",
            )
        if not (hasattr(controller, "init") and hasattr(controller, "observe")):
            raise InvalidType(
                call,
                "a controller has init() and observe(state, observation)",
                f"{controller!r} is a {type(controller).__name__}",
                "See stepsize.controllers.",
                "controllers",
            )
    return controllers
