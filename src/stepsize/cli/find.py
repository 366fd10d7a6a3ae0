"""``stepsize find FILE.py``: a range test of what a file defines."""

import math
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import click
import numpy as np
from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress, TextColumn

from stepsize.cli.chart import print_chart
from stepsize.cli.options import picture_option
from stepsize.cli.screen import print_json, screen
from stepsize.cli.training_file import load_training
from stepsize.errors import InvalidValue
from stepsize.find import RangeTest, range_test
from stepsize.plot import before_divergence, plot_range_tests, save
from stepsize.training import Training
from stepsize.words import number_text

__all__ = ["LiveCurve", "command"]

_HEIGHTS: Final = "▁▂▃▄▅▆▇█"
_PLAIN_HEIGHTS: Final = "_.-~=+*#"
_WIDTH: Final = 26
_LINEAR_MARKS: Final = 6


@click.command("find")
@click.argument("target", metavar="FILE.py[:NAME]")
@click.option("--low", type=float, default=1e-6, show_default=True, help="The first rate.")
@click.option("--high", type=float, default=10.0, show_default=True, help="The last rate.")
@click.option(
    "--steps", type=int, default=100, show_default=True, help="How many rates, a step at each."
)
@click.option("--linear", is_flag=True, help="Rates in equal distances instead of equal ratios.")
@click.option(
    "--optimizer",
    metavar="N",
    type=int,
    help="Sweep this optimizer, counted from 0, with the others held. Default: each in turn.",
)
@click.option(
    "--per-group", is_flag=True, help="Sweep each parameter group in turn, with the others held."
)
@click.option(
    "--watch",
    metavar="NAME",
    default="loss",
    show_default=True,
    help="The loss to read: of training, or what evaluate() or step() measures, such as val_loss.",
)
@click.option(
    "--evaluate-every",
    metavar="N",
    type=int,
    default=5,
    show_default=True,
    help="Steps from one look to the next where evaluate() measures it.",
)
@picture_option("--plot", help="Draw the losses over the rates into this picture.")
@click.option("--json", "as_json", is_flag=True, help="Print what was found as JSON, for scripts.")
def command(
    target: str,
    low: float,
    high: float,
    steps: int,
    linear: bool,
    optimizer: int | None,
    per_group: bool,
    watch: str,
    evaluate_every: int,
    plot: Path | None,
    as_json: bool,
) -> None:
    """Raise the rate of what FILE.py defines until its loss diverges, and suggest rates.

    FILE.py defines a function training() that returns a TorchTraining (or any other training).

    \b
    Examples:
      stepsize find examples/digits.py
      stepsize find examples/digits.py --watch val_loss --plot found.png
      stepsize find gan.py --optimizer 1 --watch critic_loss
    """
    training = load_training(target)
    console = Console(stderr=True, highlight=False)
    found: list[RangeTest] = []
    selections = _selections(training, optimizer, per_group)
    for number, selected in enumerate(selections, 1):
        of = f" {number}/{len(selections)}" if len(selections) > 1 else ""
        with LiveCurve(steps, f"range test{of}", console) as live:
            found.append(
                range_test(
                    training,
                    low=low,
                    high=high,
                    steps=steps,
                    linear=linear,
                    groups=selected,
                    watch=watch,
                    evaluate_every=evaluate_every,
                    progress=live,
                )
            )
    if as_json:
        print_json([_record(each) for each in found])
    else:
        _print(found)
    if plot is not None:
        # Numbered, because groups may share a name.
        curves = {f"{number}. {each.title}": each.curve for number, each in enumerate(found, 1)}
        picture = plot_range_tests(curves) if len(found) > 1 else found[0].plot()
        click.echo(f"Wrote {save(picture, plot)}.", err=True)


# ------------------------------------------------------------------ what is swept


def _selections(training: Training, optimizer: int | None, per_group: bool) -> list[list[int]]:
    """For each sweep, the numbers of its groups."""
    there = sorted({group.optimizer for group in training.groups})
    if optimizer is not None and optimizer not in there:
        raise InvalidValue(
            f"--optimizer {optimizer}: N must be the number of an optimizer, "
            f"{', '.join(map(str, there))}."
        )
    of_optimizer = [
        [index for index, group in enumerate(training.groups) if group.optimizer == number]
        for number in (there if optimizer is None else [optimizer])
    ]
    if per_group:
        return [[index] for indices in of_optimizer for index in indices]
    return of_optimizer


# ------------------------------------------------------------------ while it runs


class LiveCurve:
    """A line that shows a range test going on: its losses as a curve that grows, rate and loss.

    It is a context manager, and what ``range_test`` calls at each look. On a terminal it redraws
    its line about ten times a second, elsewhere it prints it once, at the end.

    Args:
        steps: How many rates there are.
        title: What stands before the curve.
        console: Where to draw.
    """

    def __init__(self, steps: int, title: str, console: Console) -> None:
        self._steps = steps
        self._losses = np.full(_WIDTH, math.nan)
        self._reached = 0
        self._heights = _PLAIN_HEIGHTS if console.options.ascii_only else _HEIGHTS
        self._progress = Progress(
            TextColumn("{task.description}", markup=False),
            TextColumn("{task.fields[curve]}", markup=False),
            MofNCompleteColumn(),
            TextColumn("rate {task.fields[rate]}  loss {task.fields[loss]}", markup=False),
            console=console,
        )
        empty = " " * _WIDTH
        self._task = self._progress.add_task(title, total=steps, curve=empty, rate="-", loss="-")

    def __call__(self, taken: int, rate: float, loss: float) -> None:
        """Take one look: the steps so far, the rate and the loss."""
        reached = math.ceil(taken / self._steps * _WIDTH)
        self._losses[min(self._reached, reached - 1) : reached] = (
            loss if math.isfinite(loss) else math.nan
        )
        self._reached = reached
        self._progress.update(
            self._task, completed=taken, curve=self._drawn(), rate=f"{rate:.2e}", loss=f"{loss:.4f}"
        )

    def _drawn(self) -> str:
        known = np.isfinite(self._losses)
        if not known.any():
            return " " * _WIDTH
        losses = before_divergence(self._losses)
        low, high = float(losses[known].min()), float(losses[known].max())
        span = (high - low) or 1.0
        top = len(self._heights) - 1
        return "".join(
            self._heights[round((float(loss) - low) / span * top)] if there else " "
            for loss, there in zip(losses, known, strict=True)
        )

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._progress.stop()


# ------------------------------------------------------------------ afterwards


def _print(found: Sequence[RangeTest]) -> None:
    console = screen()
    for index, each in enumerate(found):
        if index:
            console.print()
        known = np.isfinite(each.smoothed)
        print_chart(
            {each.watched: before_divergence(each.smoothed[known])},
            _marks(each),
            each.positions[known],
            log=False,
            unit=f"{each.title}: {each.watched}, smoothed,",
        )
        console.print(str(each), soft_wrap=True)


def _marks(found: RangeTest) -> list[tuple[str, float, float]]:
    """Round rates along the sweep, as the chart takes names: centred over their places."""
    low, high = float(found.rates[0]), float(found.rates[-1])
    if found.linear:
        step = (high - low) / (_LINEAR_MARKS - 1)
        rates = [low + step * index for index in range(_LINEAR_MARKS)]
        places = np.interp(rates, found.rates, found.positions)
    else:
        lowest, highest = math.ceil(math.log10(low) - 1e-9), math.floor(math.log10(high) + 1e-9)
        rates = [10.0**power for power in range(lowest, highest + 1)]
        places = np.interp(np.log10(rates), np.log10(found.rates), found.positions)
    first, last = float(found.positions[0]), float(found.positions[-1])
    half = (last - first) / 2 / max(len(rates), 1)
    return [
        (number_text(rate, 2), place - first - half, place - first + half)
        for rate, place in zip(rates, map(float, places), strict=True)
    ]


def _record(found: RangeTest) -> dict[str, Any]:
    pairs = zip(found.swept, found.group_rates, strict=True)
    return {
        "title": found.title,
        "watched": found.watched,
        "recommended": found.recommended,
        "rate": found.rate,
        "bracket": found.bracket,
        "reason": found.reason,
        "doubts": found.doubts,
        "suggestions": {name: asdict(each) for name, each in found.suggestions.items()},
        "swept": [asdict(group) | {"rate": rate} for group, rate in pairs],
        "held": [asdict(group) for group in found.held],
        "stopped": found.stopped,
        "steps": found.steps,
        "evaluations": found.evaluations,
        "positions": found.positions.tolist(),
        "rates": found.rates.tolist(),
        "losses": found.losses.tolist(),
        "smoothed": found.smoothed.tolist(),
    }
