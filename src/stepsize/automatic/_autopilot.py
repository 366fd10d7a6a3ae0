"""``autopilot``: find a rate, plan, train under guard, record and report, in one call."""

import os
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from stepsize import __version__
from stepsize.automatic._execution import Execution, execute, is_guarded
from stepsize.automatic._preparation import Level, Preparation, Progress, Wanted, prepare
from stepsize.errors import RunFileError
from stepsize.messages import Message, Text
from stepsize.plot import plot_run
from stepsize.record import Recorder
from stepsize.report import FinishedRun, run_report, write_report
from stepsize.report.history import History
from stepsize.report.page import check_report_path
from stepsize.schedules import Absolute, Schedule
from stepsize.signals import Sink, Tick
from stepsize.training import Outcome, Training

__all__ = ["AutopilotRun", "autopilot"]


@dataclass(frozen=True)
class AutopilotRun:
    """A run that is over, with how it came about. Printed, it is the summary.

    Args:
        finished: What happened, and what to say about it.
        preparation: The rate and the plan that it followed, and why.
        settings: What the record and the report say of it.
        warnings: What could not be written, although the run went on.
    """

    finished: FinishedRun
    preparation: Preparation
    settings: Mapping[str, Any]
    warnings: Sequence[Text] = ()

    @property
    def outcome(self) -> Outcome:
        """What came out."""
        return self.finished.outcome

    @property
    def status(self) -> str:
        """How it ended: "finished", "stopped", "interrupted" or "failed"."""
        return self.finished.status

    def plot(self) -> Any:
        """A picture of the rate and the losses.

        Returns:
            The matplotlib ``Figure``.

        Raises:
            MissingExtra: matplotlib is not installed.
        """
        name, history = self.finished.name, self.finished.history
        curves = history.curves
        losses = {name: curves["loss"]} if "loss" in curves else {}
        return plot_run({name: history.rate_curve}, losses)

    def __str__(self) -> str:
        return "\n".join(map(str, [*self.finished.summary, *self.finished.warnings]))


def autopilot(
    training: Training,
    steps: int,
    *,
    schedule: Schedule | Absolute | None = None,
    rate: float | Literal["auto", "keep"] | None = None,
    level: Level | None = None,
    metric: str | None = None,
    guard: bool | None = None,
    evaluate_every: int | None = None,
    name: str = "run",
    settings: Mapping[str, Any] | None = None,
    record: str | os.PathLike[str] | None = None,
    report: str | os.PathLike[str] | None = None,
    sinks: Sequence[Sink] = (),
    progress: Progress | None = None,
    on_plan: Callable[[Preparation, bool], None] | None = None,
) -> AutopilotRun:
    """Train for ``steps`` at a rate that is found, on a schedule that is planned, under guard.

    ``stepsize run`` is this function. The search for the rate is the first part of the run, so what
    it did counts. The training is left at the end of the run.

    Args:
        training: What is trained, before its first step.
        steps: Length of the run, in optimizer steps, >= 1. Below 200 there is no room for trials,
            and a range test takes their place.
        schedule: What the run follows, in multiples of the rate, or ``Absolute``. A plan if not
            given.
        rate: The peak rate: a number, "auto" to find one (without a schedule the default), or
            "keep" for the optimizer's own (with one the default).
        level: How much the search may cost: "fast", "default" or "thorough".
        metric: What ``evaluate`` measures that the search is to lower.
        guard: Whether to go back and lower the rate when the training goes wrong. If not given,
            yes, but not with a schedule, nor for several optimizers.
        evaluate_every: Steps between evaluations; only at the end if not given.
        name: What the run is called in the record and the report.
        settings: What the record and the report also say of it.
        record: A file of runs to record into.
        report: A page to write, ``.html``.
        sinks: Each gets the ticks of the whole run, the part that the search did included.
        progress: By a title and the most steps, a context manager whose sink shows them: for the
            search, then for the run. ``lambda title, steps: LiveLine(steps, title)`` is one.
        on_plan: Called before training goes on, with the plan and whether a guard watches.

    Returns:
        The run, its plan and its reasons.

    Raises:
        InvalidType: An argument has the wrong type.
        InvalidValue: An argument is out of range, or two contradict each other.
        TrainingError: No rate can be recommended, or the training cannot be begun.
        RunFileError: The record cannot be written.

    >>> from stepsize.automatic import autopilot
    >>> from stepsize.testing.training import Bowl
    >>> done = autopilot(Bowl(noise=0.05), steps=400)
    >>> done.status, done.outcome.steps, done.outcome.metrics["val_loss"] < 1e-3
    ('finished', 400, True)
    """
    wanted = Wanted(steps, schedule, rate, level, metric)
    page = None if report is None else check_report_path(str(report))
    show = progress or _unseen
    began = time.perf_counter()
    prepared = prepare(training, wanted, show)
    guarded = is_guarded(training, schedule) if guard is None else guard
    if on_plan is not None:
        on_plan(prepared, guarded)
    told = {**(settings or {}), "steps": steps, **prepared.settings, "guard": guarded}
    warnings: list[Text] = []
    with ExitStack() as stack:
        history = History()
        every = [stack.enter_context(show(name, steps)), history, *sinks]
        recorder = None
        if record is not None:
            plan = repr(prepared.schedule)
            recorder = stack.enter_context(Recorder(record, name, told, plan=plan))
            every.append(recorder)
        executed = execute(
            training,
            prepared,
            steps,
            guarded=guarded,
            sinks=every,
            history=history,
            evaluate_every=evaluate_every,
        )
        seconds = time.perf_counter() - began
        if recorder is not None:
            warnings.extend(_finish(recorder, executed, seconds))
    searched = 0 if prepared.advice is None else prepared.advice.head_start.steps
    finished = FinishedRun(
        name, executed.status, executed.outcome, history, seconds, searched, executed.failure
    )
    if page is not None:
        _report(page, finished, prepared, told)
    return AutopilotRun(finished, prepared, told, warnings)


def _unseen(title: str, steps: int) -> Any:
    def ignore(tick: Tick, /) -> None:
        pass

    return nullcontext(ignore)


def _finish(recorder: Recorder, executed: Execution, seconds: float) -> Sequence[Message]:
    """End the record. Where it cannot be written, the run has its summary all the same."""
    status = "crashed" if executed.status == "failed" else executed.status
    summary = {**executed.outcome.metrics, "seconds": seconds}
    try:
        recorder.finish(status, summary, executed.failure or None)
    except RunFileError as error:
        return [Message("Warning: {error:text}", error=str(error))]
    return ()


def _report(
    path: Path, finished: FinishedRun, prepared: Preparation, settings: Mapping[str, Any]
) -> None:
    now = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    foot = f"Written by stepsize {__version__} on {now}."
    write_report(run_report(finished, prepared.sections, settings=settings, foot=foot), path)
