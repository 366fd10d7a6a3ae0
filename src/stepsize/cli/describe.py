"""``stepsize describe``: a schedule in words."""

import math
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any, Final

import click

from stepsize.cli.options import base_option, script_options, specs_argument, steps_option
from stepsize.cli.screen import answer, print_csv, print_json
from stepsize.cli.spec import Spec
from stepsize.cli.view import View, view
from stepsize.importers import TOOLS, Imported, to_call
from stepsize.schedules.summary import PhaseSummary, Summary
from stepsize.words import number_text, position_text

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
@click.option(
    "--to",
    "tool",
    type=click.Choice(TOOLS),
    help="Print the call of another tool that gives the same schedule, where it has one.",
)
@script_options("the numbers")
def command(
    specs: tuple[Spec, ...],
    steps: int | None,
    base: float | None,
    tool: str | None,
    as_json: bool,
    as_csv: bool,
) -> None:
    """Say in words what a schedule does: its phases, its peak and floor, its average and sum.

    SPEC is also a configuration of another tool: FILE.json, .yaml, .toml, or a .py of literals,
    which is not run. docs/en/configurations.md lists the tools. Where it counts epochs, give
    --steps-per-epoch; where it does not say the length of the run, --steps.

    \b
    Examples:
      stepsize describe "wsd(10000, warmup=500, cooldown=2000)"
      stepsize describe "Step(30, 0.1)" --steps 90 --base 0.1
      stepsize describe ds_config.json
      stepsize describe args.yaml --steps-per-epoch 1251
      stepsize describe axolotl.yaml --steps 1000 --to torch
    """
    if tool is not None:
        answer(*(to_call(spec.given, tool, base=_base(spec, base)) for spec in specs))
        return
    views = [view((spec,), steps, base) for spec in specs]
    summaries = [shown.summary(spec) for shown, spec in zip(views, specs, strict=True)]
    if as_csv:
        pairs = zip(specs, summaries, strict=True)
        print_csv(SUMMARY_COLUMNS, [summary_row(spec, summary) for spec, summary in pairs])
    elif as_json:
        pairs = zip(specs, summaries, strict=True)
        print_json([_record(spec, summary) for spec, summary in pairs])
    else:
        rows = zip(views, specs, summaries, strict=True)
        for index, (shown, spec, summary) in enumerate(rows):
            answer(*([""] if index else []), *_sentences(shown, spec, summary))


def _base(spec: Spec, base: float | None) -> float | None:
    return spec.imported.base if base is None and spec.imported else base


def _record(spec: Spec, summary: Summary) -> dict[str, Any]:
    record = summary_record(spec, summary)
    imported = spec.imported
    if imported is None:
        return record
    momentum = None if imported.momentum is None else imported.momentum.text
    return record | {"base": imported.base, "momentum": momentum, "notes": list(imported.notes)}


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
    imported = spec.imported
    are_rates = shown.base is not None or spec.absolute
    yield spec.given.text if not spec.named else f"{spec.name}: {spec.given.text}"
    yield f"The values are {'rates' if are_rates else 'multiples of the base rate'}."
    if imported is not None:
        yield from _beside(imported)
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


def _beside(imported: Imported) -> Iterator[str]:
    """What belongs to a schedule that was read from a configuration."""
    if imported.base is not None:
        yield f"The base rate is {number_text(imported.base)}."
    if imported.momentum is not None:
        yield f"The momentum: {imported.momentum.text}"
    yield from (f"Note: {note}" for note in imported.notes)


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
