"""``stepsize describe``: a schedule in words."""

import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import groupby
from pathlib import Path
from typing import Any, Final

import click

from stepsize.cli.config_file import is_config_file, read_config_file
from stepsize.cli.options import base_option, script_options, specs_argument, steps_option
from stepsize.cli.screen import answer, print_csv, print_json
from stepsize.cli.spec import Spec, all_specs, given_horizon
from stepsize.cli.view import View, view
from stepsize.importers import Imported
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


@dataclass(frozen=True)
class _Described:
    """A schedule to describe, and where it was read from if that was a configuration file."""

    spec: Spec
    imported: Imported | None = None


@click.command("describe")
@specs_argument
@steps_option
@base_option
@script_options("the numbers")
@click.pass_context
def command(
    ctx: click.Context,
    specs: tuple[Spec | Path, ...],
    steps: int | None,
    base: float | None,
    as_json: bool,
    as_csv: bool,
) -> None:
    """Say in words what a schedule does: its phases, its peak and floor, its average and sum.

    FILE.json or FILE.yaml is a configuration of another tool: of Keras, timm, mmengine, DeepSpeed,
    Megatron, or the training arguments of transformers. If it counts epochs, give
    --steps-per-epoch.

    \b
    Examples:
      stepsize describe "wsd(10000, warmup=500, cooldown=2000)"
      stepsize describe "Step(30, 0.1)" --steps 90 --base 0.1
      stepsize describe ds_config.json
      stepsize describe args.yaml --steps-per-epoch 1251
    """
    per_epoch = given_horizon(ctx).steps_per_epoch
    described = [
        _Described(each) if isinstance(each, Spec) else _read(each, base, per_epoch)
        for each in specs
    ]
    views = [view((each.spec,), steps, _base(each, base)) for each in described]
    summaries = [shown.summary(each.spec) for shown, each in zip(views, described, strict=True)]
    if as_csv:
        pairs = zip(described, summaries, strict=True)
        print_csv(SUMMARY_COLUMNS, [summary_row(each.spec, summary) for each, summary in pairs])
    elif as_json:
        pairs = zip(described, summaries, strict=True)
        print_json([_record(each, summary) for each, summary in pairs])
    else:
        rows = zip(views, described, summaries, strict=True)
        for index, (shown, each, summary) in enumerate(rows):
            answer(*([""] if index else []), *_sentences(shown, each, summary))


def _specs_and_files(
    ctx: click.Context, param: click.Parameter, values: tuple[str, ...]
) -> tuple[Spec | Path, ...]:
    found: list[Spec | Path] = []
    for are_files, group in groupby(values, is_config_file):
        alike = tuple(group)
        found += map(Path, alike) if are_files else all_specs(ctx, param, alike)
    return tuple(found)


# As for all commands, and here also configuration files.
next(each for each in command.params if each.name == "specs").callback = _specs_and_files


def _read(path: Path, base: float | None, steps_per_epoch: float | None) -> _Described:
    imported = read_config_file(path, base, steps_per_epoch)
    return _Described(Spec(str(path), imported.schedule, named=True), imported)


def _base(described: _Described, base: float | None) -> float | None:
    return base if described.imported is None else described.imported.base


def _record(described: _Described, summary: Summary) -> dict[str, Any]:
    record = summary_record(described.spec, summary)
    imported = described.imported
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


def _sentences(shown: View, described: _Described, summary: Summary) -> Iterator[str]:
    spec, imported = described.spec, described.imported
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
