"""``stepsize plot``: schedules as curves."""

from pathlib import Path

import click

from stepsize.cli.options import (
    base_option,
    log_option,
    output_option,
    script_options,
    specs_argument,
    steps_option,
)
from stepsize.cli.screen import print_csv, print_json
from stepsize.cli.spec import Spec
from stepsize.cli.view import view

__all__ = ["command"]


@click.command("plot")
@specs_argument
@output_option
@steps_option
@base_option
@log_option
@script_options("every step's value")
def command(
    specs: tuple[Spec, ...],
    output: Path | None,
    steps: int | None,
    base: float | None,
    log: bool,
    as_json: bool,
    as_csv: bool,
) -> None:
    """Draw schedules, in the terminal or into a picture.

    SPEC is a schedule, or the path of a file that holds some: one per line, with a name before it
    if wanted (name = SPEC), and # before remarks.

    \b
    Examples:
      stepsize plot "Warmup(500) >> Cosine(9500, end=0.1)"
      stepsize plot "wsd(10000, warmup=500, cooldown=2000)" --base 3e-4 -o rate.png
      stepsize plot "cosine = Cosine(1000)" "steps = Step(250, 0.3)"
      stepsize plot schedules.txt --steps 5000 --log
      stepsize plot "Cosine(1000)" --base 0.1 --csv > rates.csv
    """
    shown = view(specs, steps, base)
    if output is not None or not (as_json or as_csv):
        shown.show(output, log)
    if as_csv:
        table = shown.table()
        rows = zip(range(shown.steps), *(values.tolist() for values in table.values()), strict=True)
        print_csv(["position", *table], rows)
    if as_json:
        table = shown.table()
        curves = [
            {
                "name": spec.name,
                "schedule": spec.given.text,
                "absolute": spec.absolute,
                "values": table[spec.name].tolist(),
            }
            for spec in specs
        ]
        print_json({"steps": shown.steps, "base": base, "unit": shown.unit, "curves": curves})
