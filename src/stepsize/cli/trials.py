"""``stepsize trials FILE.py``: several schedules over several seeds, with intervals."""

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import click

from stepsize.cli.options import picture_option, specs_argument
from stepsize.cli.refusal import told_with_options
from stepsize.cli.screen import answer, notice, print_json
from stepsize.cli.spec import Spec
from stepsize.cli.training_file import load_function
from stepsize.plot import save
from stepsize.progress import LiveLine
from stepsize.record import Recorder
from stepsize.signals import Sink, Tick
from stepsize.training import Trials, trials
from stepsize.words import shortened

__all__ = ["command"]

_LONGEST_NAME: Final = 24
_OPTIONS: Final = {"steps": "--steps", "seeds": "--seeds", "metric": "--metric"}


@click.command("trials")
@click.argument("target", metavar="FILE.py[:NAME]")
@specs_argument
@click.option(
    "--steps",
    type=click.IntRange(min=1),
    required=True,
    is_eager=True,
    help="Optimizer steps of each run.",
)
@click.option(
    "--seeds",
    metavar="N",
    type=click.IntRange(min=1),
    default=3,
    show_default=True,
    help="How many seeds, counted from 0.",
)
@click.option("--metric", metavar="NAME", help="What the picture shows. Default: the first.")
@click.option(
    "--record",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Record every run into this file.",
)
@picture_option("--plot", help="Draw losses, results and differences into this picture.")
@click.option("--json", "as_json", is_flag=True, help="Print the results as JSON, for scripts.")
def command(
    target: str,
    specs: tuple[Spec, ...],
    steps: int,
    seeds: int,
    metric: str | None,
    record: Path | None,
    plot: Path | None,
    as_json: bool,
) -> None:
    """Train what FILE.py defines under each schedule on each seed, and compare with intervals.

    FILE.py defines a function training(seed) that returns a TorchTraining (or any other training).
    A schedule's values multiply the rate in the file; those of Absolute(...) are the rates. All
    schedules start from the same weights and see the same data, so the differences from the first,
    seed by seed, tell most.

    \b
    Examples:
      stepsize trials examples/digits.py --steps 300 "Linear(300)" "constant = Constant()"
      stepsize trials examples/digits.py --steps 300 --seeds 5 schedules.txt --plot trials.png
    """
    policies = {spec.name: spec.given for spec in specs}
    sinks = _Sinks(target, specs, steps, record)
    with told_with_options("trials", "stepsize trials", _OPTIONS):
        compared = trials(load_function(target), policies, steps, seeds, open_sink=sinks)
    if as_json:
        print_json(_record(compared))
    else:
        answer(*str(compared).split("\n"))
    if plot is not None:
        with told_with_options("plot", "stepsize trials", _OPTIONS):
            picture = compared.plot(metric)
        notice(f"Wrote {save(picture, plot)}.")


class _Sinks:
    """Each run's live line, and its record if there is one."""

    def __init__(
        self, target: str, specs: tuple[Spec, ...], steps: int, record: Path | None
    ) -> None:
        self._target = target
        self._texts = {spec.name: repr(spec.given) for spec in specs}
        self._steps = steps
        self._path = record

    @contextmanager
    def __call__(self, name: str, seed: int) -> Generator[Sink]:
        title = f"{shortened(name, _LONGEST_NAME)}, seed {seed}"
        with LiveLine(self._steps, title) as line:
            if self._path is None:
                yield line
                return
            config = {
                "file": self._target,
                "steps": self._steps,
                "schedule": self._texts[name],
                "seed": seed,
            }
            with Recorder(self._path, name, config) as recorder:
                yield _Both(line, recorder)


class _Both:
    def __init__(self, line: Sink, recorder: Sink) -> None:
        self._sinks = line, recorder

    def __call__(self, tick: Tick, /) -> None:
        for sink in self._sinks:
            sink(tick)


def _record(compared: Trials) -> Mapping[str, Any]:
    return {
        "steps": compared.steps,
        "seeds": compared.seeds,
        "confidence": compared.confidence,
        "policies": {
            name: {
                metric: {
                    "values": compared.values(name, metric).tolist(),
                    "interval": asdict(compared.interval(name, metric)),
                    "difference": asdict(compared.difference(name, metric)),
                }
                for metric in compared.metrics
            }
            for name in compared.names
        },
    }
