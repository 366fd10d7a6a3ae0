"""``stepsize compare``: schedules side by side."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import click

from stepsize.cli.chart import COLOURS, letter
from stepsize.cli.describe import SUMMARY_COLUMNS, summary_record, summary_row
from stepsize.cli.options import (
    base_option,
    log_option,
    output_option,
    script_options,
    specs_argument,
    steps_option,
)
from stepsize.cli.screen import Cell, answer, print_csv, print_json, print_table
from stepsize.cli.spec import Spec
from stepsize.cli.view import View, view
from stepsize.words import number_text, position_text

__all__ = ["command"]

_DIGITS: Final = 3
_HEADER: Final = ("", "start", "peak", "at", "¼", "½", "¾", "end", "average", "area", "zeros")


@click.command("compare")
@specs_argument
@output_option
@steps_option
@base_option
@log_option
@script_options("the table")
def command(
    specs: tuple[Spec, ...],
    output: Path | None,
    steps: int | None,
    base: float | None,
    log: bool,
    as_json: bool,
    as_csv: bool,
) -> None:
    """Put schedules side by side: their curves, and a table of what they amount to.

    The table: the value at the start, the peak and at which step, the values after a quarter, a
    half and three quarters of the steps, what the last step leads up to, the average and the sum
    (area) over all steps, and how many of them have the value zero.

    \b
    Examples:
      stepsize compare "Cosine(1000)" "Linear(1000)" "Step(250, 0.3)" --base 3e-4
      stepsize compare schedules.txt --steps 5000 -o compared.png
      stepsize compare "Cosine(1000)" "one_cycle(1000)" --csv
    """
    shown = view(specs, steps, base)
    if output is not None or not (as_json or as_csv):
        shown.show(output, log)
    if as_csv:
        rows = [summary_row(spec, shown.summary(spec)) for spec in specs]
        print_csv(SUMMARY_COLUMNS, rows)
    elif as_json:
        print_json([summary_record(spec, shown.summary(spec)) for spec in specs])
    else:
        answer("")
        if output is not None:
            names = enumerate(spec.name for spec in specs)
            answer(*(f"{letter(index):>3}  {name}" for index, name in names), "")
        print_table(_HEADER, _rows(shown), left=_HEADER[:1], gap=1)


def _rows(shown: View) -> Iterator[Sequence[Cell]]:
    for index, spec in enumerate(shown.specs):
        summary = shown.summary(spec)
        values = (summary.start, summary.peak, *summary.quarters, summary.end)
        start, peak, *later = (number_text(value, _DIGITS) for value in values)
        yield (
            (letter(index), COLOURS[index % len(COLOURS)]),
            start,
            peak,
            position_text(summary.peak_at),
            *later,
            number_text(summary.average, _DIGITS),
            number_text(summary.area, _DIGITS),
            position_text(summary.steps_at_zero),
        )
