"""The values of ``stepsize run``'s options, checked, and its refusals in the words of options."""

import errno
import math
import os
from collections.abc import Callable, Generator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final, TypeVar

import click

from stepsize.cli.options import checked_path, horizon_options, picture_option
from stepsize.cli.refusal import Refusal, told_with_options
from stepsize.cli.spec import SPEC
from stepsize.errors import RunFileError, TrainingError
from stepsize.messages import Message, Text, render
from stepsize.record import read_runs
from stepsize.report.page import check_report_path

__all__ = ["refused_with_options", "run_options", "with_options"]

Command = TypeVar("Command", bound=Callable[..., Any])

_OPTIONS: Final = {
    "steps": "--steps",
    "schedule": "--schedule",
    "rate": "--rate",
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


_ALL: Final = (
    click.option(
        "--steps",
        type=click.IntRange(min=1),
        required=True,
        is_eager=True,
        help="Optimizer steps to train.",
    ),
    horizon_options,
    click.option(
        "--schedule", type=SPEC, help="A schedule, or a file with one. Default: the plan."
    ),
    click.option(
        "--rate",
        type=_Rate(),
        help="The peak rate: 'auto' finds one (the default without --schedule), 'keep' takes the "
        "rate in the file (the default with it), or a number.",
    ),
    click.option(
        "--level",
        type=click.Choice(["fast", "default", "thorough"]),
        help="How much the search may cost, with the run itself: at most 1.25, 1.7 or 2.4 runs.",
    ),
    click.option(
        "--metric",
        metavar="NAME",
        help="What evaluate() measures that the search is to lower. Default: val_loss, or the only "
        "loss there is.",
    ),
    click.option(
        "--guard/--no-guard",
        default=None,
        help="Go back and lower the rate when the training goes wrong. Default: yes, but not with "
        "--schedule, nor for several optimizers.",
    ),
    click.option(
        "--evaluate-every",
        metavar="N",
        type=click.IntRange(min=1),
        help="Steps between evaluations. Default: only at the end.",
    ),
    click.option("--name", help="What the recorded run is called. Default: the file's name."),
    click.option(
        "--record",
        type=click.Path(dir_okay=False, path_type=Path),
        callback=_record_path,
        help="Record into this file.",
    ),
    picture_option("--plot", help="Draw rate and loss into this picture (.png, .svg or .pdf)."),
    click.option(
        "--report",
        metavar="FILE.html",
        callback=_report_path,
        help="Write what was found, the plan and what happened into this page.",
    ),
    click.option(
        "-v", "--verbose", is_flag=True, help="Say more about the plan and how it was found."
    ),
)


def run_options(command: Command) -> Command:
    """All options of ``stepsize run``."""
    for option in reversed(_ALL):
        command = option(command)
    return command


@contextmanager
def refused_with_options() -> Generator[None]:
    """What the run refuses, in the words of the command line."""
    try:
        with ExitStack() as stack:
            for function in ("autopilot", "recommend", "range_test"):
                stack.enter_context(told_with_options(function, "stepsize run", _OPTIONS))
            yield
    except Refusal as refusal:
        error = refusal.__cause__
        # A training that raises does so at any rate: then giving one does not help.
        if isinstance(error, TrainingError) and error.__cause__ is None:
            raise Refusal(f"{refusal.message} {_WITHOUT_SEARCH}") from error
        raise


def with_options(doubt: Text) -> str:
    """A doubt of a range test, whose template names the arguments that would lift it."""
    return render(doubt, _named) if isinstance(doubt, Message) else _named(doubt)


def _named(template: str) -> str:
    for argument in ("low", "high"):
        template = template.replace(f" {argument}=", f" {_OPTIONS[argument]}")
    return template
