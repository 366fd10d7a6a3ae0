"""``stepsize runs``: what a run file holds."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click
import numpy as np

from stepsize.cli.options import picture_option
from stepsize.cli.screen import print_json, print_table, screen
from stepsize.errors import RunFileError
from stepsize.plot import Curve, number_text, plot_run, position_text, save
from stepsize.record import Run, read_runs

if TYPE_CHECKING:
    from rich.table import Table

__all__ = ["command"]

_MOST_METRICS_SHOWN: Final = 5
_DIGITS: Final = 4


@dataclass(frozen=True)
class _Result:
    """A run and what came out of it.

    Args:
        run: The run.
        rates: The curve of the highest group's rate; None if no rate was recorded.
        losses: The curve of the training loss; None if there is none.
        steps: How many optimizer steps it recorded.
        metrics: By name, what it ended with.
        seconds: How long it took, up to what was last written.
    """

    run: Run
    rates: Curve | None
    losses: Curve | None
    steps: int
    metrics: dict[str, float]
    seconds: float


@click.command("runs")
@click.argument("path", metavar="FILE", type=click.Path(path_type=Path))
@picture_option("--plot", help="Draw the runs' rates and losses into a picture.")
@click.option("--json", "as_json", is_flag=True, help="Print the table as JSON, for scripts.")
def command(path: Path, plot: Path | None, as_json: bool) -> None:
    """List the runs that FILE holds, in the order in which they began.

    The metrics are those that a run ended with. The file may belong to a run that still goes on.

    \b
    Examples:
      stepsize runs runs.db
      stepsize runs runs.db --plot runs.png
    """
    results = [_result(run) for run in read_runs(path)]
    if not results:
        raise RunFileError(f"{path}: no run was recorded in this file yet.")
    if plot is not None:
        _draw(results, plot)
    if as_json:
        print_json([_record(result) for result in results])
    else:
        print_table(screen(), _table(results))
