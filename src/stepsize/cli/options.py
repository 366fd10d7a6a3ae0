"""The options that the commands share."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypeVar

import click

from stepsize.checks import MOST_STEPS
from stepsize.cli.spec import all_specs, remember_size
from stepsize.plot import check_path
from stepsize.words import number_text

__all__ = [
    "base_option",
    "checked_path",
    "horizon_options",
    "log_option",
    "output_option",
    "picture_option",
    "renamed_option",
    "script_options",
    "specs_argument",
    "steps_option",
]

Command = TypeVar("Command", bound=Callable[..., Any])

_HIGHEST_BASE: Final = 1e6


def specs_argument(command: Command) -> Command:
    """SPEC...: at least one schedule, as text or in a file; and what its durations need."""
    decorate = click.argument(
        "specs", metavar="SPEC...", nargs=-1, required=True, callback=all_specs
    )
    return decorate(horizon_options(command))


def horizon_options(command: Command) -> Command:
    """--steps-per-epoch and its like: ``given_horizon(ctx)`` has them, with ``--steps``."""
    for name, example in (
        ("--samples-per-step", "1e6sp"),
        ("--tokens-per-step", "1e9tok"),
        ("--steps-per-epoch", "10ep"),
    ):
        command = click.option(
            name,
            metavar="N",
            type=float,
            is_eager=True,
            expose_value=False,
            callback=remember_size,
            help=f"For durations in a SPEC such as {example}.",
        )(command)
    return command


def steps_option(command: Command) -> Command:
    """--steps N: how much of the schedules to look at; the run, for durations such as 0.1dur."""
    decorate = click.option(
        "--steps",
        metavar="N",
        type=int,
        is_eager=True,
        callback=_steps,
        help="How many steps to look at. Default: the length of the longest schedule. Needed if "
        "all of them are endless, or for durations in a SPEC such as 0.1dur.",
    )
    return decorate(command)


def base_option(command: Command) -> Command:
    """--base RATE: what the multiples are multiples of."""
    decorate = click.option(
        "--base",
        metavar="RATE",
        type=float,
        is_eager=True,  # a configuration's floors are multiples of it
        callback=_base,
        help="The base rate, for example 3e-4: show rates instead of multiples. It does not apply "
        "to Absolute(...).",
    )
    return decorate(command)


def log_option(command: Command) -> Command:
    """--log: a logarithmic vertical axis."""
    return click.option("--log", is_flag=True, help="Make the vertical axis logarithmic.")(command)


def picture_option(*names: str, help: str) -> Callable[[Command], Command]:  # noqa: A002 - as click
    """A picture to write; a path that cannot be written is refused before the work."""
    return click.option(*names, metavar="FILE", callback=_picture, help=help)


def output_option(command: Command) -> Command:
    """-o FILE: a picture instead of a curve in the terminal."""
    decorate = picture_option(
        "-o",
        "--output",
        help="Write a picture (.png, .svg or .pdf) instead of drawing in the terminal.",
    )
    return decorate(command)


def script_options(what: str) -> Callable[[Command], Command]:
    """--json and --csv: ``what`` for scripts, and nothing else on standard output."""

    def decorate(command: Command) -> Command:
        for form in ("csv", "json"):
            command = click.option(
                f"--{form}",
                f"as_{form}",
                is_flag=True,
                callback=_refuse_both,
                help=f"Print {what} as {form.upper()}, for scripts.",
            )(command)
        return command

    return decorate


def renamed_option(before: str, now: str) -> Callable[[Command], Command]:
    """An option of an earlier version: refused with the new one."""

    def refuse(ctx: click.Context, param: click.Parameter, value: str | None) -> None:
        if value is not None:
            raise click.UsageError(f"{before} is now {now}. Write {now} {value}.", ctx)

    return click.option(before, hidden=True, expose_value=False, callback=refuse)


def _steps(ctx: click.Context, param: click.Parameter, steps: int | None) -> int | None:
    if steps is not None and not 1 <= steps <= MOST_STEPS:
        raise click.BadParameter(f"N is at least 1 and at most 2^53, but is {steps}.", ctx, param)
    return steps


def _base(ctx: click.Context, param: click.Parameter, base: float | None) -> float | None:
    if base is not None and not 0 < base <= _HIGHEST_BASE:
        raise click.BadParameter(
            f"a base rate is above 0 and at most {number_text(_HIGHEST_BASE)}, but this is "
            f"{number_text(base)}.",
            ctx,
            param,
        )
    return base


def _picture(ctx: click.Context, param: click.Parameter, path: str | None) -> Path | None:
    return checked_path(check_path, ctx, param, path)


def checked_path(
    check: Callable[[str], Path], ctx: click.Context, param: click.Parameter, path: str | None
) -> Path | None:
    """A path to write to, refused in the name of its option."""
    try:
        return None if path is None else check(path)
    except OSError as error:
        raise click.BadParameter(f"{error.filename}: {error.strerror}.", ctx, param) from error


def _refuse_both(ctx: click.Context, param: click.Parameter, value: bool) -> bool:
    if value and (ctx.params.get("as_json") or ctx.params.get("as_csv")):
        raise click.UsageError("--json and --csv exclude each other: give one of them.", ctx)
    return value
