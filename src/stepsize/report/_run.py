"""The report of a run."""

import math
from collections.abc import Mapping, Sequence
from typing import Final, cast

import numpy as np

from stepsize.plot.points import Curve
from stepsize.report.chart import Chart, Line, Mark, averaged
from stepsize.report.finished import FinishedRun
from stepsize.report.history import kept
from stepsize.report.page import Report, Section, Table
from stepsize.signals import Decision
from stepsize.statistics import before_divergence
from stepsize.words import number_text, position_text

__all__ = ["run_report"]

_MANY: Final = 100
_DECADES: Final = 100
_MOST_DECISIONS: Final = 200
_MOST_MARKS: Final = 12
_MOST_GROUPS: Final = 50


def run_report(
    finished: FinishedRun,
    preparation: Sequence[Section] = (),
    *,
    settings: Mapping[str, object] | None = None,
    foot: str = "",
) -> Report:
    """The report of a run.

    Args:
        finished: The run.
        preparation: How its rate and its plan were found, such as
            ``stepsize.report.preparation.recommendation_sections`` gives.
        settings: What it was started with, by name.
        foot: A line at the end: when, and by what.

    Returns:
        The page; ``write_report`` writes it.

    >>> from stepsize import Linear
    >>> from stepsize.report.finished import FinishedRun
    >>> from stepsize.report.history import History
    >>> from stepsize.testing.training import Bowl
    >>> from stepsize.training import run
    >>> history = History()
    >>> outcome = run(Bowl(rate=0.5), Linear(20), 20, [history])
    >>> page = run_report(FinishedRun("bowl", "finished", outcome, history, seconds=0.1))
    >>> page.summary[0]
    'bowl finished 20 steps in 0.1 s.'
    """
    facts = {name: number_text(value) for name, value in finished.outcome.metrics.items()}
    if finished.final_loss is not None and "loss" not in facts:
        facts["training loss"] = number_text(finished.final_loss)
    if finished.rate_found is not None:
        facts["rate found"] = number_text(finished.rate_found, 3)
    elif finished.history.rates:
        facts["peak rate"] = number_text(max(finished.history.rates), 3)
    facts["steps"] = position_text(finished.outcome.steps)
    facts["seconds"] = f"{finished.seconds:,.1f}"
    return Report(
        title=finished.name,
        under="The report of a training run by stepsize",
        facts=facts,
        summary=finished.summary,
        warnings=finished.warnings,
        sections=[
            *preparation,
            _curves_section(finished),
            _diagnosis_section(finished),
            _decisions_section(finished),
            *([_settings_section(settings)] if settings else []),
        ],
        foot=foot,
    )


# ------------------------------------------------------------------ the run


def _curves_section(finished: FinishedRun) -> Section:
    history = finished.history
    marks = [
        Mark(position, _did(decision)) for position, decision in history.decisions[:_MOST_MARKS]
    ]
    if finished.head_start:
        marks.insert(0, Mark(finished.head_start, "the rate is found"))
    charts: list[Chart] = []
    reach = (0.0, max(history.positions, default=0.0))
    if history.rates:
        line = Line(*_lifted(history.rate_curve))
        charts.append(
            Chart(
                "The learning rate that each step used; of several groups, the highest.",
                "optimizer step",
                "learning rate",
                [line],
                marks,
                reach=reach,
                from_zero=True,
            )
        )
    charts += [
        _measured(name, curve, marks, reach)
        for name, curve in history.curves.items()
        if len(curve[0]) > 1
    ]
    rates = {name: peak for name, peak in history.peaks.items() if name.startswith("lr/")}
    table = None
    if len(rates) > 1:
        rows = [
            [name.removeprefix("lr/"), number_text(peak, 3)]
            for name, peak in list(rates.items())[:_MOST_GROUPS]
        ]
        if len(rates) > _MOST_GROUPS:
            rows.append([f"and {len(rates) - _MOST_GROUPS:,} more", ""])
        table = Table(["group", "its highest rate"], rows)
    nothing = [] if charts else ["No step was recorded."]
    return Section("The run", nothing, table=table, charts=charts)


def _measured(name: str, curve: Curve, marks: Sequence[Mark], reach: tuple[float, float]) -> Chart:
    x, y = kept(curve)
    many = len(y) >= _MANY
    average = averaged(y) if many else y
    # Of what is to rise, the highest values are not those that diverged.
    visible = before_divergence(average) if "loss" in name else average
    finite = visible[np.isfinite(visible)]
    low, top = (float(finite.min()), float(finite.max())) if len(finite) else (0.0, None)
    lines = (
        [Line(*_lifted(curve), "faint"), Line(x, average)]
        if many
        else [Line(x, y), Line(x, y, "dots")]
    )
    return Chart(
        f"{name}: {'each value, and the moving average over 2 % of them' if many else 'measured'}.",
        "optimizer step",
        name,
        lines,
        marks,
        reach=reach,
        log_y=top is not None and low > 0 and top / _DECADES > low,
        top=top,
    )


def _lifted(curve: Curve) -> Curve:
    """With a gap where a rewind goes back, so that no line runs backwards."""
    positions, values = curve
    back = np.flatnonzero(np.diff(positions) < 0) + 1
    return np.insert(positions, back, positions[back]), np.insert(values, back, np.nan)


def _decisions_section(finished: FinishedRun) -> Section:
    decisions = finished.history.decisions
    if not decisions:
        return Section("Decisions", ["None: no controller acted during the run."])
    rows = [
        [position_text(position), _did(decision), str(decision.reason)]
        for position, decision in decisions[:_MOST_DECISIONS]
    ]
    left = len(decisions) - len(rows)
    return Section(
        "Decisions",
        [f"The first {len(rows)}; {left:,} more followed."] if left else [],
        table=Table(["at step", "what", "why"], rows),
    )


def _diagnosis_section(finished: FinishedRun) -> Section:
    diagnosis = finished.diagnosis
    if not diagnosis.findings:
        return Section("Diagnosis", [str(diagnosis.taken.told), str(diagnosis.summary)])
    rows = [
        [f"{finding.rule} ({finding.level})", str(finding.evidence), str(finding.remedy)]
        for finding in diagnosis.findings
    ]
    table = Table(["finding", "what was seen", "what to do"], rows)
    return Section("Diagnosis", [str(diagnosis.taken.told)], table=table)


def _did(decision: Decision) -> str:
    """Whatever a decision is, it has a name, and most change the rate by a factor."""
    name = type(decision).__name__.lower()
    factor = getattr(decision, "factor", math.nan)
    return name if math.isnan(factor) or factor == 1 else f"{name} × {number_text(factor, 3)}"


def _settings_section(settings: Mapping[str, object]) -> Section:
    rows = [[name, _setting(value)] for name, value in settings.items()]
    return Section("How it was started", table=Table([], rows))


def _setting(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return number_text(value)
    if isinstance(value, Mapping):
        named = cast("Mapping[str, object]", value)
        return ", ".join(f"{name} {_setting(each)}" for name, each in named.items())
    return str(value)
