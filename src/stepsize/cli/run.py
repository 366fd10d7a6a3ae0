"""``stepsize run FILE.py``: find a rate, plan, train under guard, and say what happened."""

import errno
import math
import os
import shlex
import time
from collections.abc import Generator, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import click

from stepsize import __version__
from stepsize.cli.execution import Execution, execute, is_guarded
from stepsize.cli.options import checked_path, horizon_options, picture_option
from stepsize.cli.preparation import Level, Preparation, Wanted, prepare
from stepsize.cli.refusal import Refusal, told_with_options
from stepsize.cli.screen import answer, notice
from stepsize.cli.spec import SPEC
from stepsize.cli.training_file import load_training
from stepsize.errors import RunFileError, TrainingError
from stepsize.messages import render
from stepsize.plot import plot_run, save
from stepsize.progress import LiveLine
from stepsize.record import Recorder, read_runs
from stepsize.report import FinishedRun, run_report, write_report
from stepsize.report.finished import Status
from stepsize.report.history import History
from stepsize.report.page import check_report_path
from stepsize.schedules import Absolute, Schedule
from stepsize.signals import Sink

__all__ = ["command"]

_EXIT_CODES: Final[Mapping[Status, int]] = {"stopped": 1, "failed": 2, "interrupted": 130}
_OPTIONS: Final = {
    "steps": "--steps",
    "level": "--level",
    "metric": "--metric",
    "low": "--low of 'stepsize find'",
    "high": "--high of 'stepsize find'",
}
_WITHOUT_SEARCH: Final = (
    "To train without a search, give a rate: --rate 3e-4, or --rate keep for the one in the file."
)


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
                f"{value!r} is not a rate. Give a number above 0 such as 3e-4, 'auto' to find one, "
                "or 'keep' for the rate in the file.",
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
        raise click.BadParameter(f"{folder}: there is no such folder.", ctx, param)
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
@click.option("-v", "--verbose", is_flag=True, help="Say more about the plan and how it was found.")
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
    wanted = Wanted(steps, schedule, rate, level, metric)
    training = load_training(target)
    began = time.perf_counter()
    with _refused_with_options(wanted):
        prepared = prepare(training, wanted, _live_line)
    label = name or Path(target.rpartition(":")[0] or target).stem
    guarded: bool = is_guarded(training, schedule) if guard is None else guard
    _announce(prepared, verbose, without_guard=guard is None and not guarded and schedule is None)
    settings: dict[str, Any] = {
        "file": target,
        "steps": steps,
        **prepared.settings,
        "guard": guarded,
    }
    with ExitStack() as stack:
        history = History()
        sinks: list[Sink] = [stack.enter_context(LiveLine(steps, label)), history]
        recorder = None
        if record is not None:
            plan = repr(prepared.schedule)
            recorder = stack.enter_context(Recorder(record, label, settings, plan=plan))
            sinks.append(recorder)
        executed = execute(
            training,
            prepared,
            steps,
            guarded=guarded,
            sinks=sinks,
            history=history,
            evaluate_every=evaluate_every,
        )
        seconds = time.perf_counter() - began
        if recorder is not None:
            _finish(recorder, executed, seconds)
    searched = 0 if prepared.advice is None else prepared.advice.head_start.steps
    finished = FinishedRun(
        label, executed.status, executed.outcome, history, seconds, searched, executed.failure
    )
    if plot is not None:
        _draw(plot, finished)
    if report is not None:
        _report(report, finished, prepared, settings)
    answer(*_told(finished, record, plot, report))
    if executed.status != "finished":
        raise SystemExit(_EXIT_CODES[executed.status])


# ------------------------------------------------------------------ before


def _live_line(title: str, steps: int) -> LiveLine:
    return LiveLine(steps, title)


@contextmanager
def _refused_with_options(wanted: Wanted) -> Generator[None]:
    """What a search refuses, in the words of the command line."""
    function = "recommend" if wanted.is_searched and wanted.steps >= wanted.fewest else "range_test"
    try:
        with told_with_options(function, "stepsize run", _OPTIONS):
            yield
    except Refusal as refusal:
        error = refusal.__cause__
        # A training that raises does so at any rate: then giving one does not help.
        if isinstance(error, TrainingError) and error.__cause__ is None:
            raise Refusal(f"{refusal.message} {_WITHOUT_SEARCH}") from error
        raise


def _announce(prepared: Preparation, verbose: bool, *, without_guard: bool) -> None:
    """Say the plan and why; what else there is to say, if wanted."""
    notice(f"Plan: {prepared.plan}", f"Why: {prepared.why}")
    if prepared.doubts:
        notice(*(render(doubt, _with_options) for doubt in prepared.doubts))
    if without_guard:
        notice(
            "No guard: the losses of several optimizers may rise because one gains on another, "
            "which does not call for going back; --guard watches over them all the same."
        )
    if verbose and prepared.details:
        notice(*map(str, prepared.details))


def _with_options(template: str) -> str:
    """The template of a doubt, with options for the arguments that would lift it."""
    for argument in ("low", "high"):
        template = template.replace(f" {argument}=", f" {_OPTIONS[argument]}")
    return template


# ------------------------------------------------------------------ after


def _finish(recorder: Recorder, executed: Execution, seconds: float) -> None:
    """End the record. Where it cannot be written, the run has its summary all the same."""
    status = "crashed" if executed.status == "failed" else executed.status
    summary = {**executed.outcome.metrics, "seconds": seconds}
    try:
        recorder.finish(status, summary, executed.failure or None)
    except RunFileError as error:
        notice(f"Warning: {error}")


def _told(
    finished: FinishedRun, record: Path | None, plot: Path | None, report: Path | None
) -> Iterator[str]:
    yield from map(str, finished.summary)
    yield from map(str, finished.warnings)
    if record is not None:
        yield f"Recorded in {record}: stepsize runs {shlex.quote(str(record))}"
    if plot is not None:
        yield f"Picture: {plot}"
    if report is not None:
        yield f"Report: {report}"


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
