"""``stepsize describe``: a schedule in words."""

import math
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any, Final

import click

from stepsize.cli.options import base_option, script_options, specs_argument, steps_option
from stepsize.cli.screen import print_csv, print_json, screen
from stepsize.cli.spec import Spec
from stepsize.cli.view import View, view
from stepsize.plot import number_text, position_text
from stepsize.schedules._summary import PhaseSummary, Summary

__all__ = ["SUMMARY_COLUMNS", "command", "summary_record", "summary_row"]

SUMMARY_COLUMNS: Final = (
    "name",
    "schedule",
    "steps",
    "start",
    "peak",
    "peak_at",
    "quarter",
    "half",
    "three_quarters",
    "end",
    "floor",
    "floor_at",
    "average",
    "area",
    "steps_at_zero",
)
"""The header of the CSV form of summaries."""

_MOST_PHASES_SHOWN: Final = 12


@click.command("describe")
@specs_argument
@steps_option
@base_option
@script_options("the numbers")
def command(
    specs: tuple[Spec, ...], steps: int | None, base: float | None, as_json: bool, as_csv: bool
) -> None:
    """Say in words what a schedule does: its phases, its peak and floor, its average and sum.

    \b
    Examples:
      stepsize describe "wsd(10000, warmup=500, cooldown=2000)"
      stepsize describe "Step(30, 0.1)" --steps 90 --base 0.1
    """
    views = [view((spec,), steps, base) for spec in specs]
    summaries = [(each.specs[0], each.summary(each.specs[0])) for each in views]
    if as_csv:
        print_csv(SUMMARY_COLUMNS, [summary_row(spec, summary) for spec, summary in summaries])
    elif as_json:
        print_json([summary_record(spec, summary) for spec, summary in summaries])
    else:
        console = screen()
        for index, (shown, (spec, summary)) in enumerate(zip(views, summaries, strict=True)):
            if index:
                console.print()
            for line in _sentences(shown, spec, summary):
                console.print(line, soft_wrap=True)


def summary_row(spec: Spec, summary: Summary) -> list[Any]:
    """What stands under ``SUMMARY_COLUMNS``."""
    quarter, half, three_quarters = summary.quarters
    known = {"quarter": quarter, "half": half, "three_quarters": three_quarters}
    known |= {"name": spec.name, "schedule": spec.given.text}
    return [known.get(column, getattr(summary, column, None)) for column in SUMMARY_COLUMNS]


def summary_record(spec: Spec, summary: Summary) -> dict[str, Any]:
    """A summary and its phases as JSON holds them; an endless schedule's length is null."""
    return {"name": spec.name, "schedule": spec.given.text, "absolute": spec.absolute} | asdict(
        summary
    )


def _sentences(shown: View, spec: Spec, summary: Summary) -> Iterator[str]:
    are_rates = shown.base is not None or spec.absolute
    yield spec.given.text if not spec.named else f"{spec.name}: {spec.given.text}"
    yield f"The values are {'rates' if are_rates else 'multiples of the base rate'}."
    yield ""
    rows = [_phase_row(phase) for phase in summary.phases[:_MOST_PHASES_SHOWN]]
    left_out = len(summary.phases) - len(rows)
    if left_out:
        some = "more than " if summary.more_phases else ""
        rows.append(("...", f"and {some}{left_out} others", ""))
    if summary.length <= summary.steps:
        rows.append(
            (
                "then",
                f"from step {position_text(summary.length)} on",
                f"stays at {number_text(summary.end)}",
            )
        )
    widths = [max(len(row[column]) for row in rows) for column in (0, 1)]
    for name, where, what in rows:
        yield f"  {name:<{widths[0]}}  {where:<{widths[1]}}  {what}".rstrip()
    yield ""
    facts = {
        "Length": _length(summary),
        "Peak": f"{number_text(summary.peak)} {_place(summary, summary.peak_at)}",
        "Floor": f"{number_text(summary.floor)} {_place(summary, summary.floor_at)}",
        "Average": number_text(summary.average),
        "Area": f"{number_text(summary.area)}, the sum over {_steps(summary.steps)}",
        "At zero": _steps(summary.steps_at_zero),
    }
    for name, fact in facts.items():
        yield f"{name:<8} {fact}"
    if not summary.exact:
        yield ""
        yield "Measured at a million of the steps: a value that only others have may be missed."


def _phase_row(phase: PhaseSummary) -> tuple[str, str, str]:
    where = f"step {position_text(phase.start)} to {position_text(phase.end)}"
    match phase.movement:
        case "stays":
            what = f"stays at {number_text(phase.first)}"
        case "moves":
            what = (
                f"goes from {number_text(phase.first)} to {number_text(phase.last)}, "
                f"between {number_text(phase.low)} and {number_text(phase.high)}"
            )
        case "rises" | "falls":
            what = f"{phase.movement} from {number_text(phase.first)} to {number_text(phase.last)}"
    if phase.jumps:
        what += f" in {phase.jumps} jump{'s' if phase.jumps > 1 else ''}"
    return phase.name, where, what


def _length(summary: Summary) -> str:
    if summary.length == summary.steps:
        return _steps(summary.length)
    own = "endless" if math.isinf(summary.length) else _steps(summary.length)
    return f"{own}; all numbers are for the first {position_text(summary.steps)}"


def _steps(count: float) -> str:
    return f"{position_text(count)} step{'' if count == 1 else 's'}"


def _place(summary: Summary, position: float) -> str:
    if position == summary.steps:
        return f"at step {position_text(position)}, which the last step leads up to"
    return f"at step {position_text(position)}"
