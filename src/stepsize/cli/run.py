"""``stepsize run FILE.py``: find a rate, plan, train under guard, and say what happened."""

import errno
import math
import os
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import click
from rich.console import Console
from rich.markup import escape

from stepsize import __version__
from stepsize.cli.options import checked_path, horizon_options, picture_option
from stepsize.cli.preparation import Level, Preparation, Wanted, prepare
from stepsize.cli.spec import SPEC
from stepsize.cli.training_file import described, load_training
from stepsize.controllers import Experienced, Guard
from stepsize.errors import RunFileError, StepsizeError, TrainingError
from stepsize.find import Recommendation
from stepsize.plot import plot_run, save
from stepsize.policy import Policy
from stepsize.progress import LiveLine
from stepsize.record import Recorder, read_runs
from stepsize.report import FinishedRun, run_report, write_report
from stepsize.report.finished import Status
from stepsize.report.history import History
from stepsize.report.page import check_report_path
from stepsize.schedules import Absolute, Schedule
from stepsize.signals import Controller, Sink, Tick, named_by_group
from stepsize.training import Outcome, Training, run

__all__ = ["command"]

_EXIT_CODES: Final[Mapping[Status, int]] = {"stopped": 1, "failed": 2, "interrupted": 130}


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


def _report_path(ctx: click.Context, param: click.Parameter, path: str | None) -> Path | None:
    return checked_path(check_report_path, ctx, param, path)


def _record_path(ctx: click.Context, param: click.Parameter, path: Path | None) -> Path | None:
    if path is None:
        return None
    folder = path.absolute().parent
    if not folder.is_dir():
        raise click.BadParameter(f"{folder}: There is no such folder.", ctx, param)
    # SQLite keeps its log beside the file.
    for place in (folder, path):
        if place.exists() and not os.access(place, os.W_OK):
            raise click.BadParameter(f"{place}: {os.strerror(errno.EACCES)}.", ctx, param)
    if path.exists() and path.stat().st_size:
        try:
            read_runs(str(path))
        except RunFileError as error:
            raise click.BadParameter(str(error), ctx, param) from error
    return path


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
@click.option(
    "--level",
    type=click.Choice(["fast", "default", "thorough"]),
    help="How much the search may cost, with the run itself: 1.1, 1.3 or 2.1 runs.",
)
@click.option(
    "--metric",
    metavar="NAME",
    help="What evaluate() measures that the search is to lower. Default: val_loss, or the only "
    "loss there is.",
)
@click.option(
    "--guard/--no-guard",
    default=None,
    help="Go back and lower the rate when the training goes wrong. Default: yes, but not with "
    "--schedule, nor for several optimizers.",
)
@click.option(
    "--evaluate-every",
    metavar="N",
    type=click.IntRange(min=1),
    help="Steps between evaluations. Default: only at the end.",
)
@click.option("--name", help="What the recorded run is called. Default: the file's name.")
@click.option(
    "--record",
    type=click.Path(dir_okay=False, path_type=Path),
    callback=_record_path,
    help="Record into this file.",
)
@picture_option("--plot", help="Draw rate and loss into this picture (.png, .svg or .pdf).")
@click.option(
    "--report",
    metavar="FILE.html",
    callback=_report_path,
    help="Write what was found, the plan and what happened into this page.",
)
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
    wanted = Wanted(steps, schedule, rate, level, metric)
    console = Console(stderr=True, highlight=False)
    training = load_training(target)
    began = time.perf_counter()
    prepared = prepare(training, wanted, console)
    label = name or Path(target.rpartition(":")[0] or target).stem
    guarded = _is_guarded(training, schedule, console) if guard is None else guard
    settings = {"file": target, "steps": steps, **prepared.settings, "guard": guarded}
    with ExitStack() as stack:
        line = stack.enter_context(LiveLine(steps, escape(label), console))
        history = History()
        sinks: list[Sink] = [line, history]
        recorder = None
        if record is not None:
            recorder = stack.enter_context(Recorder(record, name=label, config=settings))
            sinks.append(recorder)
        outcome, status, failure = _train(
            training, prepared, steps, guarded, sinks, history, evaluate_every
        )
        seconds = time.perf_counter() - began
        if recorder is not None:
            recorder.finish(status, {**outcome.metrics, "seconds": seconds})
    searched = 0 if prepared.advice is None else prepared.advice.head_start.steps
    finished = FinishedRun(label, status, outcome, history, seconds, searched, failure)
    if plot is not None:
        _draw(plot, finished)
    if report is not None:
        _report(report, finished, prepared, settings)
    click.echo(_told(finished, record, plot, report))
    if status != "finished":
        raise SystemExit(_EXIT_CODES[status])


# ------------------------------------------------------------------ during


def _is_guarded(training: Training, schedule: Schedule | Absolute | None, console: Console) -> bool:
    """Whether the training is watched over where the user has not said."""
    if schedule is not None:
        return False
    if len({group.optimizer for group in training.groups}) == 1:
        return True
    console.print(
        "No guard: the losses of several optimizers may rise because one gains on another, which "
        "is no trouble to go back from; --guard watches over them all the same.",
        soft_wrap=True,
    )
    return False


def _train(
    training: Training,
    prepared: Preparation,
    steps: int,
    guarded: bool,
    sinks: Sequence[Sink],
    history: History,
    evaluate_every: int | None,
) -> tuple[Outcome, Status, str]:
    """What came out, how it ended, and what the training raised, if anything."""
    advice, start = prepared.advice, 0
    guard: Controller = Guard()
    if advice is not None:
        start = advice.resume(training)
        guard = Experienced(guard, advice.head_start.losses.tolist())
        _tell_head_start(training, advice, sinks)
    policy = Policy(prepared.schedule, [guard] if guarded else [])
    try:
        try:
            outcome = run(
                training, policy, steps, sinks, start=start, evaluate_every=evaluate_every
            )
        except KeyboardInterrupt:
            # Ctrl-C ends the run, not its summary: what there is gets evaluated and shown.
            return Outcome(_reached(history), metrics=training.evaluate()), "interrupted", ""
    except TrainingError as error:
        if not history.positions:
            raise
        return Outcome(_reached(history)), "failed", f"{type(error).__name__}: {error}"
    except StepsizeError:
        raise
    except Exception as error:
        # stepsize raises nothing else on purpose: it is the user's step() or evaluate().
        return Outcome(_reached(history)), "failed", described(error)
    return outcome, "stopped" if outcome.stopped else "finished", ""


def _reached(history: History) -> int:
    return int(history.positions[-1]) + 1 if history.positions else 0


def _tell_head_start(training: Training, advice: Recommendation, sinks: Sequence[Sink]) -> None:
    """Tell the sinks of what the search did as if it were done now."""
    names = [group.name for group in training.groups]
    factors = advice.schedule.values(advice.head_start.steps).tolist()
    for position, loss in enumerate(advice.head_start.losses.tolist()):
        rates = [group.base * factors[position] for group in training.groups]
        tick = Tick(position, named_by_group("lr", names, rates), {"loss": loss})
        for sink in sinks:
            sink(tick)


# ------------------------------------------------------------------ after


def _told(
    finished: FinishedRun, record: Path | None, plot: Path | None, report: Path | None
) -> str:
    lines = [*finished.summary, *finished.warnings]
    if record is not None:
        lines.append(f"Recorded in {record}: stepsize runs {record}")
    if plot is not None:
        lines.append(f"Picture: {plot}")
    if report is not None:
        lines.append(f"Report: {report}")
    return "\n".join(lines)


def _draw(path: Path, finished: FinishedRun) -> None:
    curves = finished.history.curves
    losses = {finished.name: curves["loss"]} if "loss" in curves else {}
    save(plot_run({finished.name: finished.history.rate_curve}, losses), path)


def _report(
    path: Path, finished: FinishedRun, prepared: Preparation, settings: Mapping[str, Any]
) -> None:
    now = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    foot = f"Written by stepsize {__version__} on {now}."
    write_report(run_report(finished, prepared.sections, settings=settings, foot=foot), path)
