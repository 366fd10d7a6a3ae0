"""``stepsize find FILE.py``: a range test of what a file defines."""

import math
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import click
import numpy as np

from stepsize.cli.chart import print_chart
from stepsize.cli.options import picture_option, renamed_option
from stepsize.cli.refusal import told_with_options
from stepsize.cli.screen import answer, notice, print_json
from stepsize.cli.training_file import load_training
from stepsize.errors import InvalidValue
from stepsize.find import RangeTest, range_test
from stepsize.plot import plot_range_tests, save
from stepsize.progress import LiveCurve
from stepsize.statistics import before_divergence
from stepsize.training import Training
from stepsize.words import number_text

__all__ = ["command"]

_LINEAR_MARKS: Final = 6
_OPTIONS: Final = {
    "low": "--low",
    "high": "--high",
    "steps": "--steps",
    "linear": "--linear",
    "optimizer": "--optimizer",
    "metric": "--metric",
    "evaluate_every": "--evaluate-every",
}


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
    "--metric",
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
@renamed_option("--watch", "--metric")
def command(
    target: str,
    low: float,
    high: float,
    steps: int,
    linear: bool,
    optimizer: int | None,
    per_group: bool,
    metric: str,
    evaluate_every: int,
    plot: Path | None,
    as_json: bool,
) -> None:
    """Raise the rate of what FILE.py defines until its loss diverges, and suggest rates.

    FILE.py defines a function training() that returns a TorchTraining (or any other training).

    \b
    Examples:
      stepsize find examples/digits.py
      stepsize find examples/digits.py --metric val_loss --plot found.png
      stepsize find gan.py --optimizer 1 --metric critic_loss
    """
    training = load_training(target)
    found: list[RangeTest] = []
    selections = _selections(training, optimizer, per_group)
    for number, selected in enumerate(selections, 1):
        of = f" {number}/{len(selections)}" if len(selections) > 1 else ""
        with (
            told_with_options("range_test", "stepsize find", _OPTIONS),
            LiveCurve(steps, f"range test{of}") as live,
        ):
            found.append(
                range_test(
                    training,
                    low=low,
                    high=high,
                    steps=steps,
                    linear=linear,
                    groups=selected,
                    metric=metric,
                    evaluate_every=evaluate_every,
                    sinks=[live],
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
        notice(f"Wrote {save(picture, plot)}.")


# ------------------------------------------------------------------ what is swept


def _selections(training: Training, optimizer: int | None, per_group: bool) -> list[list[int]]:
    """For each sweep, the numbers of its groups."""
    there = sorted({group.optimizer for group in training.groups})
    if optimizer is not None and optimizer not in there:
        raise InvalidValue(
            f"--optimizer {optimizer}",
            f"N must be the number of an optimizer, {', '.join(map(str, there))}",
            f"is {optimizer}",
        )
    of_optimizer = [
        [index for index, group in enumerate(training.groups) if group.optimizer == number]
        for number in (there if optimizer is None else [optimizer])
    ]
    if per_group:
        return [[index] for indices in of_optimizer for index in indices]
    return of_optimizer


# ------------------------------------------------------------------ afterwards


def _print(found: Sequence[RangeTest]) -> None:
    for index, each in enumerate(found):
        if index:
            answer("")
        known = np.isfinite(each.smoothed)
        print_chart(
            {each.metric: before_divergence(each.smoothed[known])},
            _marks(each),
            each.positions[known],
            log=False,
            unit=f"{each.title}: {each.metric}, smoothed,",
        )
        answer(*str(each).split("\n"))


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
        "metric": found.metric,
        "recommended": found.recommended,
        "rate": found.rate,
        "bracket": found.bracket,
        "reason": str(found.reason),
        "doubts": [str(doubt) for doubt in found.doubts],
        "suggestions": {
            name: {"rate": each.rate, "rule": str(each.rule), "usually": str(each.usually)}
            for name, each in found.suggestions.items()
        },
        "swept": [asdict(group) | {"rate": rate} for group, rate in pairs],
        "held": [asdict(group) for group in found.held],
        "stopped": str(found.stopped),
        "steps": found.steps,
        "evaluations": found.evaluations,
        "positions": found.positions.tolist(),
        "rates": found.rates.tolist(),
        "losses": found.losses.tolist(),
        "smoothed": found.smoothed.tolist(),
    }
