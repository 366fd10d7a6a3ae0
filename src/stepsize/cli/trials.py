"""``stepsize trials FILE.py``: several schedules over several seeds, with intervals."""

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import click
from rich.console import Console
from rich.markup import escape

from stepsize.cli.options import picture_option, specs_argument
from stepsize.cli.screen import print_json, screen
from stepsize.cli.spec import Spec
from stepsize.cli.training_file import (
    _run_file,  # pyright: ignore[reportPrivateUsage]  # load_training() calls what it finds
    _split,  # pyright: ignore[reportPrivateUsage]
)
from stepsize.errors import TrainingError
from stepsize.plot import save
from stepsize.progress import LiveLine
from stepsize.record import Recorder
from stepsize.signals import Sink, Tick
from stepsize.training import Trials, trials

__all__ = ["command"]

_LONGEST_NAME: Final = 20


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
    watch = _Watch(target, specs, steps, record)
    compared = trials(_maker(target), policies, steps, seeds, watch=watch)
    if as_json:
        print_json(_record(compared))
    else:
        screen().print(str(compared), soft_wrap=True)
    if plot is not None:
        click.echo(f"Wrote {save(compared.plot(metric), plot)}.", err=True)


def _maker(target: str) -> Any:
    """What the file defines under the name: trials() refuses what is no function of a seed."""
    path, name = _split(target)
    module = _run_file(path)
    if not hasattr(module, name):
        raise TrainingError(
            f"{path} defines no {name!r}. Define a function {name}(seed) that returns a "
            f"TorchTraining, or name another one: {path}:NAME."
        )
    return getattr(module, name)


class _Watch:
    """Each run's live line, and its record if there is one."""

    def __init__(
        self, target: str, specs: tuple[Spec, ...], steps: int, record: Path | None
    ) -> None:
        self._target = target
        self._texts = {spec.name: repr(spec.given) for spec in specs}
        self._steps = steps
        self._path = record
        self._console = Console(stderr=True, highlight=False)

    @contextmanager
    def __call__(self, name: str, seed: int) -> Generator[Sink]:
        title = escape(f"{_shortened(name)}, seed {seed}")
        with LiveLine(self._steps, title, self._console) as line:
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


def _shortened(name: str) -> str:
    return name if len(name) <= _LONGEST_NAME else f"{name[: _LONGEST_NAME - 1]}…"


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
