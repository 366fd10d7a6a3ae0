"""``stepsize run FILE.py``: find a rate, plan, train, evaluate, and say what happened."""

import math
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click
import numpy as np
from rich.console import Console

from stepsize.cli.options import horizon_options, picture_option
from stepsize.cli.spec import SPEC
from stepsize.cli.training_file import load_training
from stepsize.errors import InvalidValue
from stepsize.find import RangeTest, range_test
from stepsize.plan import default_plan
from stepsize.plot import plot_run, save
from stepsize.policy import Policy
from stepsize.progress import LiveLine
from stepsize.record import Recorder
from stepsize.schedules import Absolute, Schedule
from stepsize.signals import Sink, Tick
from stepsize.training import Outcome, Training, run

__all__ = ["command"]

_AVERAGED = 20


@dataclass
class _History:
    """A sink that keeps what the summary and the picture need."""

    positions: list[float] = field(default_factory=list[float])
    rates: list[float] = field(default_factory=list[float])
    losses: list[float] = field(default_factory=list[float])

    def __call__(self, tick: Tick) -> None:
        if tick.quantities:
            self.positions.append(tick.position)
            self.rates.append(max(tick.quantities.values()))
            self.losses.append(tick.metrics.get("loss", math.nan))


class _Rate(click.ParamType[float | str]):
    name = "auto|keep|X"

    def convert(self, value: Any, param: Any, ctx: Any) -> Any:
        if value in ("auto", "keep") or isinstance(value, float):
            return value
        try:
            rate = float(value)
        except ValueError:
            rate = math.nan
        if not 0 < rate < math.inf:
            self.fail(
                f"{value!r} is no rate. Give a number above 0 such as 3e-4, 'auto' to find one, or "
                "'keep' for the rate in the file.",
                param,
                ctx,
            )
        return rate


@click.command("run")
@click.argument("target", metavar="FILE.py[:NAME]")
@click.option(
    "--steps",
    type=click.IntRange(min=1),
    required=True,
    is_eager=True,
    help="Optimizer steps to train.",
)
@horizon_options
@click.option("--schedule", type=SPEC, help="A schedule, or a file with one. Default: the plan.")
@click.option(
    "--rate",
    type=_Rate(),
    help="The peak rate: 'auto' finds one (the default without --schedule), 'keep' takes the rate "
    "in the file (the default with it), or a number.",
)
@click.option("--name", help="What the recorded run is called. Default: the file's name.")
@click.option(
    "--record", type=click.Path(dir_okay=False, path_type=Path), help="Record into this file."
)
@picture_option("--plot", help="Draw rate and loss into this picture (.png, .svg or .pdf).")
def command(
    target: str,
    steps: int,
    schedule: Schedule | Absolute | None,
    rate: float | str | None,
    name: str | None,
    record: Path | None,
    plot: Path | None,
) -> None:
    """Train what FILE.py defines, at a rate that is found, on a schedule that is planned.

    FILE.py defines a function training() that returns a TorchTraining (or any other training).

    \b
    stepsize run examples/digits.py --steps 600
    stepsize run examples/digits.py --steps 600 --schedule "Step(200, 0.1)" --rate 0.01
    """
    console = Console(stderr=True, highlight=False)
    if rate is None:
        rate = "auto" if schedule is None else "keep"
    if isinstance(schedule, Absolute) and rate != "keep":
        raise InvalidValue(
            f"--schedule {schedule!r} --rate {rate}: the values of an Absolute schedule are the "
            "rates themselves, so there is no other rate to give or to find. Leave one out."
        )
    training = load_training(target)
    base, found = _choose_rate(training, rate, console)
    planned = _choose_schedule(training, schedule, steps, console)
    policy = Policy(planned if base is None else _at_rate(training, planned, base))
    history = _History()
    label = name or Path(target.rpartition(":")[0] or target).stem
    began = time.perf_counter()
    with ExitStack() as stack:
        line = stack.enter_context(LiveLine(steps, label, console))
        sinks: list[Sink] = [line, history]
        recorder = None
        if record is not None:
            config = _config(target, steps, planned, base, found)
            recorder = stack.enter_context(Recorder(record, name=label, config=config))
            sinks.append(recorder)
        outcome, status = _train(training, policy, steps, sinks, history)
        seconds = time.perf_counter() - began
        if recorder is not None:
            recorder.finish(status, {**outcome.metrics, "seconds": seconds})
    if plot is not None:
        _draw(plot, label, history)
    click.echo(_summary(label, outcome, status, history, seconds, record, plot))
    if status == "interrupted":
        raise SystemExit(130)


# ------------------------------------------------------------------ before


def _choose_rate(
    training: Training, rate: float | str, console: Console
) -> tuple[float | None, RangeTest | None]:
    """The peak rate of the largest base (None keeps the bases), and how it was found."""
    if rate == "keep":
        return None, None
    if rate != "auto":
        return float(rate), None
    with LiveLine(100, "range test", console) as line:
        found = range_test(training, progress=lambda _, at, loss: line.advance(at, loss))
    console.print(f"rate {found.reason}", soft_wrap=True)
    return found.rate, found


def _choose_schedule(
    training: Training, schedule: Schedule | Absolute | None, steps: int, console: Console
) -> Schedule | Absolute:
    if schedule is not None:
        return schedule
    beta2 = next((group.beta2 for group in training.groups if group.beta2 is not None), None)
    plan = default_plan(steps, beta2)
    console.print(f"plan {plan.schedule!r}: {plan.reason}.", soft_wrap=True)
    return plan.schedule


def _at_rate(training: Training, schedule: Schedule | Absolute, rate: float) -> Schedule:
    assert isinstance(schedule, Schedule), "Absolute with a rate was refused"
    largest = max(group.base for group in training.groups)
    if largest <= 0:
        raise InvalidValue(
            f"--rate {rate:g}: the groups' base rates are all 0, so no factor leads to this rate. "
            "Give the optimizer in the file any lr above 0."
        )
    return schedule * (rate / largest)


def _config(
    target: str,
    steps: int,
    schedule: Schedule | Absolute,
    rate: float | None,
    found: RangeTest | None,
) -> dict[str, Any]:
    config: dict[str, Any] = {"file": target, "steps": steps, "schedule": repr(schedule)}
    if rate is not None:
        config["rate"] = rate
    if found is not None:
        config["found"] = {rule: each.rate for rule, each in found.suggestions.items()}
    return config


# ------------------------------------------------------------------ during


def _train(
    training: Training, policy: Policy, steps: int, sinks: Sequence[Sink], history: _History
) -> tuple[Outcome, str]:
    try:
        outcome = run(training, policy, steps, sinks)
    except KeyboardInterrupt:
        # Ctrl-C ends the run, not the report: what there is gets evaluated and shown.
        return Outcome(len(history.positions), metrics=training.evaluate()), "interrupted"
    return outcome, "stopped" if outcome.stopped else "finished"


# ------------------------------------------------------------------ after


def _summary(
    label: str,
    outcome: Outcome,
    status: str,
    history: _History,
    seconds: float,
    record: Path | None,
    plot: Path | None,
) -> str:
    ended = {
        "finished": f"finished {outcome.steps:,} steps",
        "stopped": f"was stopped after {outcome.steps:,} steps: {outcome.stopped}",
        "interrupted": f"was interrupted after {outcome.steps:,} steps",
    }[status]
    lines = [f"{label} {ended} in {seconds:.1f} s."]
    if history.losses:
        first, last = history.losses[0], _mean(history.losses[-_AVERAGED:])
        peak = max(range(len(history.rates)), key=history.rates.__getitem__)
        lines.append(
            f"The training loss went from {first:.4g} to {last:.4g} (mean of the last "
            f"{min(_AVERAGED, len(history.losses))}); the rate peaked at {history.rates[peak]:.3g} "
            f"at step {peak:,} and ended at {history.rates[-1]:.3g}."
        )
        broken = next((i for i, each in enumerate(history.losses) if not math.isfinite(each)), None)
        if broken is not None:
            lines.append(
                f"The loss was not finite from step {broken:,} on: the rate is too high, or the "
                "data holds NaN. Try a tenth of the rate."
            )
    if outcome.skipped:
        lines.append(f"{outcome.skipped:,} updates were skipped by the gradient scaler.")
    if outcome.metrics:
        lines.append(f"Evaluation: {_listed(outcome.metrics)}.")
    if record is not None:
        lines.append(f"Recorded in {record}: stepsize runs {record}")
    if plot is not None:
        lines.append(f"Picture: {plot}")
    return "\n".join(lines)


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def _listed(metrics: Mapping[str, float]) -> str:
    return ", ".join(f"{name} {value:.4g}" for name, value in metrics.items())


def _draw(path: Path, label: str, history: _History) -> None:
    positions = np.array(history.positions)
    picture = plot_run(
        {label: (positions, np.array(history.rates))},
        {label: (positions, np.array(history.losses))},
    )
    save(picture, path)
