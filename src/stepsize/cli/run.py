"""``stepsize run FILE.py``: find a rate, plan, train under guard, and say what happened."""

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import click

from stepsize.automatic import Level, Preparation, autopilot
from stepsize.cli.run_options import refused_with_options, run_options, with_options
from stepsize.cli.screen import answer, notice
from stepsize.cli.training_file import load_training
from stepsize.plot import save
from stepsize.progress import LiveLine
from stepsize.schedules import Absolute, Schedule

__all__ = ["command"]

_EXIT_CODES: Final[Mapping[str, int]] = {"stopped": 1, "failed": 2, "interrupted": 130}
_WITHOUT_GUARD: Final = (
    "No guard: the losses of several optimizers may rise because one gains on another, which does "
    "not call for going back; --guard watches over them all the same."
)


@click.command("run")
@click.argument("target", metavar="FILE.py[:NAME]")
@run_options
def command(
    target: str,
    steps: int,
    schedule: Schedule | Absolute | None,
    rate: Any,
    level: Level | None,
    metric: str | None,
    guard: bool | None,
    evaluate_every: int | None,
    name: str | None,
    record: Path | None,
    plot: Path | None,
    report: Path | None,
    verbose: bool,
) -> None:
    """Train what FILE.py defines, at a rate that is found, on a schedule that is planned.

    FILE.py defines a function training() that returns a TorchTraining (or any other training).
    The search for the rate is the first part of the run: what it did counts.

    \b
    stepsize run examples/digits.py --steps 600
    stepsize run examples/digits.py --steps 600 --record runs.db --report run.html
    stepsize run examples/digits.py --steps 600 --rate 0.1
    stepsize run examples/digits.py --steps 600 --schedule "Step(200, 0.1)" --rate 0.01

    The exit code is 0 when the run reached its end, 1 when the guard stopped it, 2 when something
    was refused or the training raised an error, and 130 after Ctrl-C.
    """

    def announce(prepared: Preparation, guarded: bool) -> None:
        """Say the plan and why; what else there is to say, if wanted."""
        notice(f"Plan: {prepared.plan}", f"Why: {prepared.why}")
        if prepared.doubts:
            notice(*map(with_options, prepared.doubts))
        if guard is None and not guarded and schedule is None:
            notice(_WITHOUT_GUARD)
        if verbose and prepared.details:
            notice(*map(str, prepared.details))

    training = load_training(target)
    with refused_with_options():
        done = autopilot(
            training,
            steps,
            schedule=schedule,
            rate=rate,
            level=level,
            metric=metric,
            guard=guard,
            evaluate_every=evaluate_every,
            name=name or Path(target.rpartition(":")[0] or target).stem,
            settings={"file": target},
            record=record,
            report=report,
            progress=lambda title, most: LiveLine(most, title),
            on_plan=announce,
        )
    if done.warnings:
        notice(*map(str, done.warnings))
    if plot is not None:
        save(done.plot(), plot)
    answer(*str(done).split("\n"))
    if record is not None:
        answer(f"Recorded in {record}: stepsize runs {shlex.quote(str(record))}")
    for what, path in (("Picture", plot), ("Report", report)):
        if path is not None:
            answer(f"{what}: {path}")
    if done.status != "finished":
        raise SystemExit(_EXIT_CODES[done.status])
