"""``stepsize runs``: what a run file holds."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import click
import numpy as np

from stepsize.cli.options import picture_option
from stepsize.cli.screen import notice, print_json, print_table
from stepsize.errors import RunFileError
from stepsize.plot import plot_run, save
from stepsize.plot.points import Curve
from stepsize.record import Run, read_runs
from stepsize.words import number_text, position_text

__all__ = ["command"]

_MOST_METRICS_SHOWN: Final = 5
_DIGITS: Final = 4


@dataclass(frozen=True)
class _Result:
    """A run and what came out of it.

    Args:
        run: The run.
        rates: The curve of the highest group's rate; None if no rate was recorded.
        losses: The curve of the training loss; None if it was not recorded.
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
    results = [_result(run) for run in read_runs(str(path))]
    if not results:
        raise RunFileError(str(path), "a run file holds runs", "none was recorded in this file yet")
    if plot is not None:
        _draw(results, plot)
    if as_json:
        print_json([_record(result) for result in results])
    else:
        metrics = list(dict.fromkeys(name for result in results for name in result.metrics))
        shown = metrics[:_MOST_METRICS_SHOWN]
        header = ("run", "steps", "peak rate", *shown, "seconds", "status", "name")
        print_table(header, [_row(result, shown) for result in results], left=header[-2:])


def _result(run: Run) -> _Result:
    curves = run.quantities
    measured = run.metrics
    driven = [each for name, each in curves.items() if name == "lr" or name.startswith("lr/")]
    # The groups share one shape; the highest shows it best.
    highest = max(driven, key=lambda each: np.nanmax(each.values, initial=-math.inf), default=None)
    metrics = {name: float(each.values[-1]) for name, each in measured.items() if len(each.values)}
    summary = {name: float(value) for name, value in run.summary.items() if _is_number(value)}
    seconds = summary.pop("seconds", max((run.written - run.started).total_seconds(), 0.0))
    return _Result(
        run=run,
        rates=highest,
        losses=measured.get("loss"),
        steps=max((len(each.values) for each in curves.values()), default=0),
        # What was said at the end about the whole run goes before the last point of a curve.
        metrics=metrics | summary,
        seconds=seconds,
    )


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _draw(results: Sequence[_Result], path: Path) -> None:
    names = [result.run.name for result in results]
    titles = [
        f"{result.run.name} (run {result.run.id})" if names.count(result.run.name) > 1 else name
        for name, result in zip(names, results, strict=True)
    ]
    pairs = list(zip(titles, results, strict=True))
    rates = {title: result.rates for title, result in pairs if result.rates is not None}
    losses = {title: result.losses for title, result in pairs if result.losses is not None}
    if not rates and not losses:
        raise RunFileError(
            str(results[0].run.path),
            "a picture shows rates and losses",
            "neither were recorded, so there is nothing to draw",
            "A rate is recorded as 'lr', a loss as 'loss'.",
        )
    notice(f"Wrote {save(plot_run(rates, losses), path)}.")


def _record(result: _Result) -> dict[str, Any]:
    run = result.run
    return {
        "id": run.id,
        "name": run.name,
        "status": run.status,
        "failure": run.failure,
        "plan": run.plan,
        "segments": len(run.segments),
        "started": run.started.isoformat(),
        "seconds": result.seconds,
        "steps": result.steps,
        "peak_rate": _peak(result),
        "metrics": result.metrics,
        "config": run.config,
        "summary": run.summary,
    }


def _peak(result: _Result) -> float | None:
    return None if result.rates is None else float(np.nanmax(result.rates[1]))


def _row(result: _Result, metrics: Sequence[str]) -> Sequence[str]:
    peak = _peak(result)
    return (
        str(result.run.id),
        position_text(result.steps),
        "" if peak is None else number_text(peak, _DIGITS),
        *(
            number_text(result.metrics[name], _DIGITS) if name in result.metrics else ""
            for name in metrics
        ),
        f"{result.seconds:,.1f}",
        result.run.status,
        result.run.name,
    )
