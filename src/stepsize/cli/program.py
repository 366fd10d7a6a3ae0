"""The program ``stepsize``: finds the command, and says what went wrong in one message.

A command's file is imported when the command is called: no call waits for what others need.
To add one: write ``cli/<name>.py``, whose ``command`` is a click command, and list it here.
"""

import errno
import importlib
import io
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, NoReturn

import click

from stepsize import __version__
from stepsize.cli.refusal import Refusal, one_message
from stepsize.cli.screen import notice, shown_warnings
from stepsize.words import did_you_mean, written_out

__all__ = ["COMMANDS", "main", "program"]

COMMANDS: Final[Mapping[str, str]] = {
    "run": "Train what a file defines, at a rate that is found.",
    "find": "Suggest rates for what a file defines: a range test.",
    "trials": "Train under several schedules over several seeds, with intervals.",
    "plot": "Draw schedules in the terminal or into a picture.",
    "compare": "Put schedules side by side: a table and their curves.",
    "describe": "Say in words what a schedule does.",
    "check": "Find what is wrong with a schedule before the run.",
    "diagnose": "Say what was wrong with runs that were logged, and what to change.",
    "runs": "List the runs that a file holds, and draw them.",
}

_INTERRUPTED: Final = 130
_FOR_FILES: Final = {".py": "run", ".json": "describe", ".yaml": "describe", ".yml": "describe"}
_FOR_OTHER_FILES: Final = "runs"


class _Program(click.Group):
    """The commands by name, and one way for all errors to reach the user."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        return importlib.import_module(f"stepsize.cli.{cmd_name}").command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0]
        if name not in COMMANDS and not name.startswith("-"):
            raise click.UsageError(f"There is no command {name!r}. {_meant(name)}", ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))

    def make_context(self, *args: Any, **extra: Any) -> click.Context:
        with one_message():
            return super().make_context(*args, **extra)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            with one_message(), shown_warnings():
                result = super().invoke(ctx)
            # Here and not at exit, where a reader that has gone could no longer be met quietly.
            sys.stdout.flush()
        except OSError as error:
            if error.errno == errno.EPIPE:
                raise
            where = "" if error.filename is None else f"{error.filename}: "
            raise Refusal(written_out(f"{where}{error.strerror or error}.")) from error
        except KeyboardInterrupt:
            notice("", "Interrupted.")
            ctx.exit(_INTERRUPTED)
        return result


def _meant(name: str) -> str:
    """What may be meant by a name that is not a command."""
    path = Path(name.removesuffix(":training"))
    if path.suffix:
        command = _FOR_FILES.get(path.suffix.lower(), _FOR_OTHER_FILES)
        if path.exists():
            return f"Did you mean 'stepsize {command} {name}'?"
    return did_you_mean(name, list(COMMANDS))


@click.command(
    cls=_Program,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, prog_name="stepsize")
def program() -> None:
    """One tool for the whole life of a learning rate.

    \b
    Examples:
      stepsize plot "Warmup(500) >> Cosine(9500, end=0.1)"
      stepsize plot "wsd(10000, warmup=500, cooldown=2000)" --base 3e-4 -o rate.png
      stepsize compare "Cosine(1000)" "Linear(1000)" --base 3e-4
      stepsize describe "cyclic(500)" --steps 5000
      stepsize run examples/digits.py --steps 600 --record runs.db
      stepsize runs runs.db --plot runs.png

    A schedule is an expression, or the path of a file that holds some, one per line.
    """


def main() -> NoReturn:
    """Run the command line: the script ``stepsize``."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # A terminal that cannot show a character shows "?" instead of a traceback.
            stream.reconfigure(errors="replace")
    program.main(prog_name="stepsize")
    raise AssertionError("click ends the process")
