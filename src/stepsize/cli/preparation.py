"""What ``stepsize run`` starts with: the rate and the plan, given or found, and why."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Literal, TypeAlias

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
)

from stepsize.errors import InvalidValue, TrainingError
from stepsize.find import RangeTest, Recommendation, range_test, recommend
from stepsize.find._course import LEVELS
from stepsize.plan import Estimate, default_plan
from stepsize.progress import LiveLine
from stepsize.report import (
    Section,
    given_plan_section,
    plan_section,
    range_test_section,
    recommendation_sections,
)
from stepsize.schedules import Absolute, Schedule
from stepsize.training import Training

__all__ = ["Level", "Preparation", "Wanted", "prepare"]

Level: TypeAlias = Literal["fast", "default", "thorough"]

_SWEEP: Final = 100


@dataclass(frozen=True)
class Wanted:
    """What the command line asks for.

    Args:
        steps: Length of the run.
        schedule: None for a plan.
        rate: ``"auto"`` for one that is found, ``"keep"`` for the one in the file, or a number.
            None for "auto" without a schedule, and "keep" with one.
        level: How much the search may cost; None if nothing was said.
        metric: What the search is to lower; None for what ``recommend`` chooses.

    Raises:
        InvalidValue: Two of them contradict each other.
    """

    steps: int
    schedule: Schedule | Absolute | None = None
    rate: float | Literal["auto", "keep"] | None = None
    level: Level | None = None
    metric: str | None = None

    def __post_init__(self) -> None:
        if isinstance(self.schedule, Absolute) and self.rate not in (None, "keep"):
            raise InvalidValue(
                f"--schedule {self.schedule!r} --rate {self.rate}: the values of an Absolute "
                "schedule are the rates themselves, so there is no other rate to give or to find. "
                "Leave one out."
            )
        if not self.is_searched:
            for option, value in (("--level", self.level), ("--metric", self.metric)):
                if value is not None:
                    raise InvalidValue(
                        f"{option} {value}: it is about the search for a rate and a plan, which "
                        "--schedule and a --rate that is not 'auto' leave out. Leave out "
                        f"{option}, or these."
                    )

    @property
    def is_searched(self) -> bool:
        """Whether rate and plan are both to be found."""
        return self.schedule is None and self.rate in (None, "auto")


@dataclass(frozen=True)
class Preparation:
    """What a run is started with.

    Args:
        schedule: What drives the whole run.
        settings: What its record says of that.
        sections: What its report says of how that was found.
        advice: The recommendation that it follows, of which a part is done already; else None.
    """

    schedule: Schedule | Absolute
    settings: Mapping[str, Any]
    sections: Sequence[Section]
    advice: Recommendation | None = None


def prepare(training: Training, wanted: Wanted, console: Console) -> Preparation:
    """Find what was not given, and say so.

    Raises:
        TrainingError: No rate can be recommended; the message says why, and what helps.
        InvalidValue: The groups' base rates are all 0, so that no factor leads to a rate.
    """
    fewest = LEVELS[wanted.level or "default"].fewest
    if wanted.is_searched and wanted.steps >= fewest:
        return _recommended(training, wanted, console)
    if wanted.is_searched:
        _say(
            console,
            f"A run of {wanted.steps} steps has no room for trials, which begin at {fewest}: its "
            "rate comes from a range test, whose steps are taken back.",
        )
    if wanted.rate == "auto" or wanted.is_searched:
        return _range_tested(training, wanted, console)
    return _given(training, wanted, console)


# ------------------------------------------------------------------ the rate and the plan


def _recommended(training: Training, wanted: Wanted, console: Console) -> Preparation:
    level = wanted.level or "default"
    try:
        with _SearchLine(console) as line:
            advice = recommend(
                training, wanted.steps, level, metric=wanted.metric, progress=line.advance_to
            )
    except TrainingError as error:
        raise TrainingError(
            f"{error} To train without a search, give a rate: --rate 3e-4, or --rate keep for the "
            "one in the file."
        ) from error
    _say(console, f"rate {advice.rate}")
    _say(console, f"other rules: {advice.agreement}.")
    _say(console, f"plan {advice.schedule!r}: {replace(advice.plan, peak=None).reason}.")
    settings = {
        "schedule": repr(advice.schedule),
        "rate": advice.rate.value,
        "level": level,
        "head start": advice.head_start.steps,
        "search": advice.spent - advice.head_start.steps,
        "found": {rule: hint.value for rule, hint in advice.hints.items()},
    }
    return Preparation(advice.schedule, settings, recommendation_sections(advice), advice)


def _range_tested(training: Training, wanted: Wanted, console: Console) -> Preparation:
    with LiveLine(_SWEEP, "range test", console) as line:
        found = range_test(
            training, steps=_SWEEP, progress=lambda _, at, loss: line.advance(at, loss)
        )
    _say(console, f"rate {found.reason}")
    settings = {"rate": found.rate, "found": _suggested(found)}
    planned, section = _plan(training, wanted, console)
    return Preparation(
        _at_rate(training, planned, found.rate),
        {"schedule": repr(planned), **settings},
        [range_test_section(found), section],
    )


def _suggested(found: RangeTest) -> Mapping[str, float]:
    return {rule: each.rate for rule, each in found.suggestions.items()}


def _given(training: Training, wanted: Wanted, console: Console) -> Preparation:
    planned, section = _plan(training, wanted, console)
    settings: dict[str, Any] = {"schedule": repr(planned)}
    if not isinstance(wanted.rate, float):
        return Preparation(planned, settings, [section])
    at_rate = _at_rate(training, planned, wanted.rate)
    return Preparation(at_rate, {**settings, "rate": wanted.rate}, [section])


def _plan(
    training: Training, wanted: Wanted, console: Console
) -> tuple[Schedule | Absolute, Section]:
    """The schedule in multiples of the rate, and what the report says of it."""
    if wanted.schedule is not None:
        return wanted.schedule, given_plan_section(wanted.schedule)
    beta2 = next((group.beta2 for group in training.groups if group.beta2 is not None), None)
    plan = default_plan(wanted.steps, beta2)
    if isinstance(wanted.rate, float):
        rate = wanted.rate
        plan = replace(plan, peak=Estimate(rate, rate, rate, "as given", "--rate"))
    _say(console, f"plan {plan.schedule!r}: {plan.reason}.")
    return plan.schedule, plan_section(plan)


def _at_rate(training: Training, schedule: Schedule | Absolute, rate: float) -> Schedule:
    assert isinstance(schedule, Schedule), "Absolute with a rate was refused"
    largest = max(group.base for group in training.groups)
    if largest <= 0:
        raise InvalidValue(
            f"--rate {rate:g}: the groups' base rates are all 0, so no factor leads to this rate. "
            "Give the optimizer in the file any lr above 0."
        )
    return schedule * (rate / largest)


# ------------------------------------------------------------------ on the screen


def _say(console: Console, text: str) -> None:
    console.print(text, soft_wrap=True, markup=False)


class _SearchLine(Progress):
    """How far a search is: of how many steps at most is known when it begins to count."""

    def __init__(self, console: Console) -> None:
        super().__init__(
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TextColumn("steps at most"),
            TimeRemainingColumn(),
            console=console,
        )
        self._task = self.add_task("searching a rate", total=None)

    def advance_to(self, done: int, most: int) -> None:
        """Take the steps so far, and the most that there may be."""
        # The shortest searches need a few steps more.
        self.update(self._task, completed=done, total=max(done, most))
