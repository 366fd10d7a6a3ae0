"""What the report says of the time before the run: how its rate and its plan were found."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from stepsize.estimates import Estimate
from stepsize.find import RangeTest, Recommendation
from stepsize.plan import RunPlan
from stepsize.plot.points import Array
from stepsize.report.chart import Chart, Line, Mark, averaged
from stepsize.report.page import Section, Table
from stepsize.schedules import Absolute, Schedule
from stepsize.statistics import before_divergence
from stepsize.words import number_text

__all__ = [
    "given_plan_section",
    "plan_section",
    "range_test_section",
    "recommendation_sections",
]


def range_test_section(found: RangeTest) -> Section:
    """How a range test found the rate: its reason, its curve and its suggestions."""
    marks = [
        Mark(each.rate, f"{name} {number_text(each.rate, 2)}", name == found.recommended)
        for name, each in found.suggestions.items()
    ]
    curve = Chart(
        f"Range test: {found.metric} at rising rates, and its moving average. {found.steps:,} "
        f"steps, taken back afterwards; ended: {found.stopped}.",
        "learning rate",
        found.metric,
        [Line(found.rates, found.losses, "faint"), Line(found.rates, found.smoothed)],
        marks,
        rates_across=True,
        log_x=not found.linear,
        top=_top(found.smoothed),
    )
    rows = [
        [
            name,
            number_text(each.rate, 3),
            str(each.usually),
            "✓" if name == found.recommended else "",
        ]
        for name, each in found.suggestions.items()
    ]
    return Section(
        "The rate",
        [_sentence(str(found.reason)), *map(str, found.doubts)],
        table=Table(["read off by", "rate", "usually", "taken"], rows),
        charts=[curve],
    )


def recommendation_sections(advice: Recommendation) -> Sequence[Section]:
    """How a recommendation came about: sweep, trials, other rules; this run's plan, the next's."""
    return [_recommended_rate(advice), _begun_plan(advice), _next_plan(advice)]


def _recommended_rate(advice: Recommendation) -> Section:
    seen = advice.sweep
    paragraphs = [
        str(advice.verdict),
        f"Trials were judged by {advice.judged_by}.",
        f"Other rules: {advice.agreement}.",
        *(f"Left out: {rule}, {why}." for rule, why in advice.left_out.items()),
        _cost(advice),
    ]
    sweep = Chart(
        f"The sweep: the loss at rising rates, and its moving average; {seen.reason}.",
        "learning rate",
        "loss",
        [Line(seen.rates, seen.losses, "faint"), Line(seen.rates, averaged(seen.losses))],
        [Mark(seen.rate, f"trials begin at {number_text(seen.rate, 2)}")],
        rates_across=True,
        log_x=True,
        top=_top(seen.losses),
    )
    return Section(
        "The rate",
        paragraphs,
        table=Table(["rate of a trial", "ended at", ""], _trials(advice)),
        charts=[sweep, _compared(advice)],
    )


def _cost(advice: Recommendation) -> str:
    own = advice.head_start.steps
    return (
        f"The search took {advice.spent:,} steps and {advice.evaluations} evaluations. The run's "
        f"first {own:,} steps are among them, so that run and search cost {advice.cost:.2f} times "
        f"the {advice.steps:,} steps of the run."
    )


def _trials(advice: Recommendation) -> Sequence[Sequence[str]]:
    lowest = min(each.loss for each in advice.trials)
    return [
        [
            number_text(each.rate, 3),
            number_text(each.loss),
            str(each.ended or "") or ("lowest" if each.loss == lowest else ""),
        ]
        for each in advice.trials
    ]


def _compared(advice: Recommendation) -> Chart:
    rates = np.array([each.rate for each in advice.trials])
    losses = np.array([each.loss for each in advice.trials])
    return Chart(
        f"The trials: what the run's first {advice.trial_steps:,} steps and a short cooldown "
        "ended at, by their rate, and the rate at which the run goes on.",
        "learning rate",
        "ended at",
        [Line(rates, losses), Line(rates, losses, "dots")],
        [Mark(advice.rate.value, f"taken: {number_text(advice.rate.value, 3)}", stressed=True)],
        rates_across=True,
        log_x=True,
    )


def _begun_plan(advice: Recommendation) -> Section:
    return Section(
        "The plan of this run",
        [
            f"Up to step {advice.head_start.steps:,} the run is what the search did; "
            "from there it goes on at the rate that was found, and down to zero. The values "
            "multiply the base rates in the file.",
        ],
        code=repr(advice.schedule),
    )


def _next_plan(advice: Recommendation) -> Section:
    return Section(
        "The plan of the next run",
        [
            "A run that need not search is not bound to a trial's beginning: with --rate "
            f"{number_text(advice.rate.value, 3)} the next one follows this plan from its first "
            "step. The values multiply the peak rate.",
        ],
        code=repr(advice.plan.schedule),
        table=_parts(replace(advice.plan, peak=None)),  # "The rate" says it
    )


def plan_section(plan: RunPlan) -> Section:
    """Why the plan is this one: each part with its interval, reason and source."""
    return Section(
        "The plan",
        ["Its values multiply the peak rate."],
        code=repr(plan.schedule),
        table=_parts(plan),
    )


def _parts(plan: RunPlan) -> Table:
    parts = {"peak rate": plan.peak, "warmup, steps": plan.warmup, "cooldown, steps": plan.cooldown}
    rows = [_estimate(name, part) for name, part in parts.items() if part is not None]
    return Table(["", "value", "from – to", "why", "source"], rows)


def given_plan_section(schedule: Schedule | Absolute) -> Section:
    """The plan of a user who had one."""
    what = "its values are rates" if isinstance(schedule, Absolute) else "its values multiply rates"
    return Section("The plan", [f"As given; {what}."], code=repr(schedule))


def _estimate(name: str, part: Estimate) -> Sequence[str]:
    interval = f"{number_text(part.low, 3)} – {number_text(part.high, 3)}"
    doubt = interval if part.low < part.high else ""
    return [name, number_text(part.value), doubt, str(part.reason), part.source]


def _top(losses: Array) -> float | None:
    """What a chart shows of losses that diverge at its end; everything if None."""
    visible = before_divergence(losses)
    return float(np.nanmax(visible)) if np.isfinite(visible).any() else None


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]
