"""The options that the commands share."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypeVar

import click

from stepsize.cli.spec import SPEC, flat
from stepsize.plot import checked_picture_path

__all__ = [
    "PICTURE",
    "base_option",
    "log_option",
    "output_option",
    "script_options",
    "specs_argument",
    "steps_option",
]

Command = TypeVar("Command", bound=Callable[..., Any])

_MOST_STEPS: Final = 2**53


class _PictureType(click.ParamType):
    name = "file"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        return checked_picture_path(value)


class _RateType(click.ParamType):
    name = "rate"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        try:
            rate = float(value)
        except ValueError:
            self.fail(f"{value!r} is no number. Example: 3e-4.", param, ctx)
        if not 0 < rate <= 1e6:
            self.fail(f"a base rate is above 0 and at most 1e6, but this is {value}.", param, ctx)
        return rate


PICTURE: Final = _PictureType()
"""The click type of a picture to write; refused before the work, not after it."""


def specs_argument(command: Command) -> Command:
    """SPEC…: at least one schedule."""
    decorate = click.argument(
        "specs", metavar="SPEC...", type=SPEC, nargs=-1, required=True, callback=flat
    )
    return decorate(command)


def steps_option(command: Command) -> Command:
    """--steps N: how much of the schedules to look at."""
    decorate = click.option(
        "--steps",
        metavar="N",
        type=click.IntRange(1, _MOST_STEPS),
        help="How many steps to look at. Default: the length of the longest schedule; needed if all "
        "of them are endless.",
    )
    return decorate(command)


def base_option(command: Command) -> Command:
    """--base RATE: what the multiples are multiples of."""
    decorate = click.option(
        "--base",
        metavar="RATE",
        type=_RateType(),
        help="The base rate, for example 3e-4: show rates instead of multiples. "
        "It does not apply to Absolute(...).",
    )
    return decorate(command)


def log_option(command: Command) -> Command:
    """--log: a logarithmic vertical axis."""
    return click.option("--log", is_flag=True, help="Make the vertical axis logarithmic.")(command)


def output_option(command: Command) -> Command:
    """-o FILE: a picture instead of a curve in the terminal."""
    decorate = click.option(
        "-o",
        "--output",
        metavar="FILE",
        type=PICTURE,
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


def _refuse_both(ctx: click.Context, param: click.Parameter, value: bool) -> bool:
    if value and (ctx.params.get("as_json") or ctx.params.get("as_csv")):
        raise click.UsageError("--json and --csv exclude each other: give one of them.", ctx)
    return value
