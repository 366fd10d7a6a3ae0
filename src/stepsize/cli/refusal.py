"""How the command line refuses: one message, in its own words, and exit code 2."""

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from typing import Any

import click

from stepsize.errors import StepsizeError
from stepsize.words import closest, written_out

__all__ = ["Refusal", "one_message", "told_with_options"]


class Refusal(click.ClickException):
    """What ends a command with a message."""

    exit_code = 2


@contextmanager
def told_with_options(function: str, command: str, options: Mapping[str, str]) -> Generator[None]:
    """Errors of a function are told with the options that its arguments were given by.

    Args:
        function: The function's name. Errors of other calls stay as they are.
        command: What stands instead of the call, such as ``"stepsize find"``.
        options: The option by the name of the argument.

    Raises:
        Refusal: Instead of the function's error.
    """
    try:
        yield
    except StepsizeError as error:
        if not error.call.startswith(f"{function}("):
            raise
        raise Refusal(error.told(command, options)) from error


@contextmanager
def one_message() -> Generator[None]:
    """What is raised on purpose becomes one message that cannot steer a terminal."""
    try:
        yield
    except click.ClickException as error:
        told: Any = error  # click's types have the message as final
        told.message = written_out(error.message, keep="\n")
        if isinstance(error, click.NoSuchOption):
            meant = closest(error.option_name, error.possibilities or ())
            told.possibilities = [] if meant is None else [meant]
        raise
    except StepsizeError as error:
        text = " ".join([*getattr(error, "__notes__", ()), str(error)])
        raise Refusal(written_out(text, keep="\n")) from error
