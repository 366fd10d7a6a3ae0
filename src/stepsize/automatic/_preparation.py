"""What a run starts with: the rate and the plan, given or found, and why.

Nothing is printed here: a :class:`Preparation` holds what there is to say.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import Any, Final, Literal, TypeAlias

from stepsize.checks import (
    RATE,
    STEPS,
    checked_choice,
    checked_instance,
    checked_number,
    checked_whole_number,
)
from stepsize.errors import InvalidValue, TrainingError
from stepsize.estimates import Estimate
from stepsize.find import RangeTest, Recommendation, range_test, recommend
from stepsize.find.levels import LEVELS
from stepsize.messages import Message, Text
from stepsize.plan import RunPlan, default_plan
from stepsize.report.page import Section
from stepsize.report.preparation import (
    given_plan_section,
    plan_section,
    range_test_section,
    recommendation_sections,
)
from stepsize.schedules import Absolute, Schedule
from stepsize.signals import Sink
from stepsize.training import Training
from stepsize.words import number_text

__all__ = ["Level", "Preparation", "Progress"]

Level: TypeAlias = Literal["fast", "default", "thorough"]
Progress: TypeAlias = Callable[[str, int], AbstractContextManager[Sink]]
"""By a title and how many steps there are at most: a sink that shows them, such as ``LiveLine``."""

_SWEEP: Final = 100


@dataclass(frozen=True)
class Wanted:
    """What was asked for.

    Args:
        steps: Length of the run.
        schedule: None for a plan.
        rate: ``"auto"`` for one that is found, ``"keep"`` for the optimizer's own, or a number.
            None for "auto" without a schedule, and "keep" with one.
        level: How much the search may cost; None if nothing was said.
        metric: What the search is to lower; None for what ``recommend`` chooses.

    Raises:
        InvalidType: A value has the wrong type.
        InvalidValue: A value is out of range, or two of them contradict each other.
    """

    steps: int
    schedule: Schedule | Absolute | None = None
    rate: float | Literal["auto", "keep"] | None = None
    level: Level | None = None
    metric: str | None = None

    def __post_init__(self) -> None:
        self._check_each()
        if isinstance(self.schedule, Absolute) and self.rate not in (None, "keep"):
            raise InvalidValue(
                f"autopilot(..., schedule={self.schedule!r}, rate={self.rate!r})",
                "the values of an Absolute schedule are the rates themselves",
                f"{self.rate} is another one",
                "Leave out {rate}, or give a schedule that is not Absolute.",
                "rate",
            )
        for name, value in (("level", self.level), ("metric", self.metric)):
            if value is not None:
                self._require_trials(name, value)

    def _check_each(self) -> None:
        call = f"autopilot(..., steps={self.steps!r}, rate={self.rate!r}, level={self.level!r})"
        checked_whole_number(call, "steps", self.steps, STEPS)
        if self.schedule is not None:
            remedy = "Example: schedule=Cosine(1000)."
            checked_instance(
                call, "schedule", self.schedule, (Schedule, Absolute), "a schedule", remedy
            )
        if isinstance(self.rate, str):
            checked_choice(call, "rate", self.rate, ["auto", "keep"])
        elif self.rate is not None:
            checked_number(call, "rate", self.rate, RATE)
        if self.level is not None:
            checked_choice(call, "level", self.level, list(LEVELS))

    def _require_trials(self, name: str, value: str) -> None:
        call = f"autopilot(..., {name}={value!r})"
        if not self.is_searched:
            raise InvalidValue(
                call,
                f"{{{name}}} is about the search for a rate and a plan",
                "a schedule, or a rate other than 'auto', leaves that out",
                f"Leave out {{{name}}}, or these.",
                name,
            )
        if self.steps < self.fewest:
            raise InvalidValue(
                call,
                f"{{{name}}} is about trials",
                f"a run of {self.steps} steps has no room for them: they begin at {self.fewest}",
                f"Leave out {{{name}}}, or train longer.",
                name,
            )

    @property
    def is_searched(self) -> bool:
        """Whether rate and plan are both to be found."""
        return self.schedule is None and self.rate in (None, "auto")

    @property
    def fewest(self) -> int:
        """The shortest run that has room for trials."""
        return LEVELS[self.level or "default"].fewest


@dataclass(frozen=True)
class Preparation:
    """What a run is started with.

    Args:
        schedule: What drives the whole run.
        settings: What its record says of that.
        sections: What its report says of how that was found.
        plan: The plan in one sentence.
        why: Why it is this one, in one sentence.
        doubts: What makes the rate less sure than usual.
        details: What else there is to say, a paragraph each.
        advice: The recommendation that it follows, of which a part is done already; else None.
    """

    schedule: Schedule | Absolute
    settings: Mapping[str, Any]
    sections: Sequence[Section]
    plan: Message
    why: Text
    doubts: Sequence[Text] = ()
    details: Sequence[Text] = ()
    advice: Recommendation | None = None


def prepare(training: Training, wanted: Wanted, progress: Progress) -> Preparation:
    """Find what was not given.

    Raises:
        TrainingError: No rate can be recommended; the message says why, and what helps.
        InvalidValue: The groups' base rates are all 0, so that no factor leads to a rate; or a
            metric is asked for that is not measured.
    """
    if all(group.base == 0 for group in training.groups):
        raise InvalidValue(
            "autopilot(...)",
            "rates are multiples of the groups' base rates",
            "these are all 0, so nothing would be trained",
            "Give the optimizer any lr above 0.",
        )
    if wanted.is_searched and wanted.steps >= wanted.fewest:
        return _recommended(training, wanted, progress)
    if wanted.rate == "auto" or wanted.is_searched:
        return _range_tested(training, wanted, progress)
    return _given(training, wanted)


# ------------------------------------------------------------------ a search


def _recommended(training: Training, wanted: Wanted, progress: Progress) -> Preparation:
    level = wanted.level or "default"
    with progress("rate search", LEVELS[level].most_steps(wanted.steps)) as sink:
        advice = recommend(training, wanted.steps, level, metric=wanted.metric, sinks=[sink])
    own = advice.head_start.steps
    return Preparation(
        advice.schedule,
        {
            "schedule": repr(advice.schedule),
            "rate": advice.rate.value,
            "level": level,
            "head start": own,
            "search": advice.spent - own,
            "found": {rule: hint.value for rule, hint in advice.hints.items()},
        },
        recommendation_sections(advice),
        Message(
            "up to step {own:position} the rates of the search, then {rate:rate 3} until step "
            "{down:position}, and from there linearly to zero at step {steps:position}.",
            own=own,
            rate=advice.rate.value,
            down=max(own, advice.steps - round(advice.plan.cooldown.value)),
            steps=advice.steps,
        ),
        Message(
            "{verdict:message} Search and run together cost {cost:number 3} runs.",
            verdict=advice.verdict,
            cost=advice.cost,
        ),
        details=(
            Message("Other rules: {said:text}.", said=str(advice.agreement)),
            *(
                Message("Left out: {rule:name}, {why:text}.", rule=rule, why=str(why))
                for rule, why in advice.left_out.items()
            ),
            Message("Schedule: {schedule:code}", schedule=repr(advice.schedule)),
        ),
        advice=advice,
    )


def _range_tested(training: Training, wanted: Wanted, progress: Progress) -> Preparation:
    with progress("range test", _SWEEP) as sink:
        found = range_test(training, steps=_SWEEP, sinks=[sink])
    _require_tried(found)
    planned = _plan(training, wanted)
    schedule = planned.schedule if isinstance(planned, RunPlan) else planned
    at_rate = _at_rate(training, schedule, found.rate)
    return Preparation(
        at_rate,
        {"schedule": repr(schedule), "rate": found.rate, "found": _suggested(found)},
        [range_test_section(found), _section(planned)],
        _plan_text(planned, found.rate),
        Message(
            "{rate:rate 3} is a tenth of the rate at which the loss of a range test was lowest, "
            "usually {usually:text}.",
            rate=found.rate,
            usually=str(found.suggestions[found.recommended].usually),
        ),
        doubts=found.doubts,
        details=(
            *_no_room(wanted),
            Message("Rate: {reason:text}", reason=str(found.reason)),
            *_details(planned, at_rate),
        ),
    )


def _require_tried(found: RangeTest) -> None:
    low, high = float(found.rates[0]), float(found.rates[-1])
    if not low <= found.rate <= high:
        raise TrainingError(
            "range_test(...)",
            f"a range test finds a rate among those that it tried, {number_text(low, 3)} to "
            f"{number_text(high, 3)}",
            f"suggests {number_text(found.rate, 3)}",
            " ".join(map(str, found.doubts)),
        )


def _no_room(wanted: Wanted) -> Sequence[Message]:
    if not wanted.is_searched:
        return ()
    return (
        Message(
            "A run of {steps:count|step|steps} has no room for trials, which begin at "
            "{fewest:position}: its rate comes from a range test, whose steps are taken back.",
            steps=wanted.steps,
            fewest=wanted.fewest,
        ),
    )


def _suggested(found: RangeTest) -> Mapping[str, float]:
    return {rule: each.rate for rule, each in found.suggestions.items()}


# ------------------------------------------------------------------ what was given


def _given(training: Training, wanted: Wanted) -> Preparation:
    planned = _plan(training, wanted)
    schedule = planned.schedule if isinstance(planned, RunPlan) else planned
    settings: dict[str, Any] = {"schedule": repr(schedule)}
    if isinstance(wanted.rate, float):
        settings["rate"] = rate = wanted.rate
        schedule = _at_rate(training, schedule, rate)
        why = Message("the rate is the one that was given.")
    else:
        rate = max(group.base for group in training.groups)
        why = Message("the rate is the optimizer's own.")
    return Preparation(
        schedule,
        settings,
        [_section(planned)],
        _plan_text(planned, rate),
        why,
        details=_details(planned, schedule),
    )


def _plan(training: Training, wanted: Wanted) -> RunPlan | Schedule | Absolute:
    """In multiples of the rate, what was given, or a plan."""
    if wanted.schedule is not None:
        return wanted.schedule
    beta2 = next((group.beta2 for group in training.groups if group.beta2 is not None), None)
    plan = default_plan(wanted.steps, beta2)
    if isinstance(wanted.rate, float):
        rate = wanted.rate
        plan = replace(plan, peak=Estimate(rate, rate, rate, Message("as given"), "the caller"))
    return plan


def _plan_text(planned: RunPlan | Schedule | Absolute, rate: float) -> Message:
    if isinstance(planned, Absolute):
        return Message("{schedule:code}, whose values are the rates.", schedule=repr(planned))
    if not isinstance(planned, RunPlan):
        return Message("{schedule:code} × {rate:rate 3}.", schedule=repr(planned), rate=rate)
    warmup, down = planned.warmup.value, planned.steps - planned.cooldown.value
    if not warmup:
        return Message(
            "{rate:rate 3} until step {down:position}, then linearly to zero at step "
            "{steps:position}.",
            rate=rate,
            down=down,
            steps=planned.steps,
        )
    return Message(
        "a warmup over {warmup:count|step|steps} to {rate:rate 3}, held until step "
        "{down:position}, then linearly to zero at step {steps:position}.",
        warmup=warmup,
        rate=rate,
        down=down,
        steps=planned.steps,
    )


def _section(planned: RunPlan | Schedule | Absolute) -> Section:
    return plan_section(planned) if isinstance(planned, RunPlan) else given_plan_section(planned)


def _details(
    planned: RunPlan | Schedule | Absolute, schedule: Schedule | Absolute
) -> Sequence[Message]:
    driven = Message("Schedule: {schedule:code}", schedule=repr(schedule))
    if not isinstance(planned, RunPlan):
        return (driven,)
    return Message("Plan: {reason:text}.", reason=str(planned.reason)), driven


def _at_rate(training: Training, schedule: Schedule | Absolute, rate: float) -> Schedule:
    assert isinstance(schedule, Schedule), "Absolute with a rate was refused"
    return schedule * (rate / max(group.base for group in training.groups))
