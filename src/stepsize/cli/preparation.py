"""What ``stepsize run`` starts with: the rate and the plan, given or found, and why."""

import re
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
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
from stepsize.estimates import Estimate
from stepsize.find import RangeTest, Recommendation, range_test, recommend
from stepsize.find.levels import LEVELS
from stepsize.plan import default_plan
from stepsize.progress import LiveLine
from stepsize.report.page import Section
from stepsize.report.preparation import (
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
_WITHOUT_SEARCH: Final = (
    "To train without a search, give a rate: --rate 3e-4, or --rate keep for the one in the file."
)


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
        elif self.steps < self.fewest:
            for option, value in (("--level", self.level), ("--metric", self.metric)):
                if value is not None:
                    raise InvalidValue(
                        f"{option} {value}: it is about trials, for which a run of {self.steps} "
                        f"steps has no room: they begin at {self.fewest}. Leave out {option}, or "
                        "train longer."
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
        InvalidValue: The groups' base rates are all 0, so that no factor leads to a rate; or the
            command line asks for what is not measured.
    """
    if all(group.base == 0 for group in training.groups):
        raise InvalidValue(
            "stepsize run: rates are multiples of the groups' base rates, which are all 0, so "
            "nothing would be trained. Give the optimizer in the file any lr above 0."
        )
    if wanted.is_searched and wanted.steps >= wanted.fewest:
        return _recommended(training, wanted, console)
    if wanted.is_searched:
        _say(
            console,
            f"A run of {wanted.steps} steps has no room for trials, which begin at "
            f"{wanted.fewest}: its rate comes from a range test, whose steps are taken back.",
        )
    if wanted.rate == "auto" or wanted.is_searched:
        return _range_tested(training, wanted, console)
    return _given(training, wanted, console)


# ------------------------------------------------------------------ the rate and the plan


def _recommended(training: Training, wanted: Wanted, console: Console) -> Preparation:
    level = wanted.level or "default"
    with _said_with_options(), _SearchLine(console) as line:
        advice = recommend(
            training, wanted.steps, level, metric=wanted.metric, progress=line.advance_to
        )
    _say(console, f"rate {advice.rate}")
    _say(console, f"other rules: {advice.agreement}.")
    own = advice.head_start.steps
    down = max(own, advice.steps - round(advice.plan.cooldown.value))
    _say(
        console,
        f"plan {advice.schedule!r}: up to step {own:,} the beginning of the best trial, at the "
        f"rate found until step {down:,}, then in a straight line to zero at step "
        f"{advice.steps:,}.",
    )
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
    with _said_with_options(), LiveLine(_SWEEP, "range test", console) as line:
        found = range_test(
            training, steps=_SWEEP, progress=lambda _, at, loss: line.advance(at, loss)
        )
    low, high = float(found.rates[0]), float(found.rates[-1])
    if not low <= found.rate <= high:
        raise TrainingError(
            f"A range test finds a rate among those that it tried, {low:.3g} to {high:.3g}, but "
            f"suggests {found.rate:.3g}. {_with_options(' '.join(found.doubts))} {_WITHOUT_SEARCH}"
        )
    _say(console, f"rate {found.reason}")
    for doubt in found.doubts:
        _say(console, _with_options(doubt))
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
    return schedule * (rate / max(group.base for group in training.groups))


# ------------------------------------------------------------------ where nothing is found


@contextmanager
def _said_with_options() -> Generator[None]:
    """What a search refuses, in the words of the command line."""
    try:
        yield
    except InvalidValue as error:
        raise InvalidValue(_with_options(str(error))) from error
    except TrainingError as error:
        text = _with_options(str(error))
        # A training that raises does so at any rate: then a given one is no remedy.
        if error.__cause__ is None:
            text = f"{text} {_WITHOUT_SEARCH}"
        raise TrainingError(text) from error


def _with_options(text: str) -> str:
    """A message about a call's arguments, about options; a quoted message's full stop is one."""
    text = re.sub(r"\b(low|high)=(?=\W)", r"--\1 of 'stepsize find'", text)
    text = re.sub(r"\bmetric=(?=\W)(?!['\"])", "--metric", text)
    return re.sub(r"([.!?])\.(?=\s|$)", r"\1", text.replace(": metric must", ": --metric must"))


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
