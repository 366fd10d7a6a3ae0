"""What a command prints: for people lines, tables and curves, for scripts JSON or CSV alone.

Nothing of the command line prints by another way, so what came from outside cannot steer a
terminal, whichever command shows it; the same into a pipe, whose text may reach a terminal later.
"""

import csv
import io
import json
import math
import warnings
from collections.abc import Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeAlias, cast

import click

from stepsize.errors import StepsizeWarning
from stepsize.words import written_out

if TYPE_CHECKING:
    from stepsize.terminal import Terminal

__all__ = [
    "Cell",
    "answer",
    "notice",
    "print_csv",
    "print_json",
    "print_table",
    "shown_warnings",
    "terminal",
]

Cell: TypeAlias = "str | tuple[str, str]"
"""A text, or a text and its style."""


def answer(*lines: str) -> None:
    """Print what was asked for, on standard output."""
    click.echo("\n".join(map(written_out, lines)))


def notice(*lines: str) -> None:
    """Print what is said beside it, on standard error."""
    click.echo("\n".join(map(written_out, lines)), err=True)


def terminal(*, stderr: bool = False) -> "Terminal":
    """Where tables, curves and moving lines are drawn."""
    from stepsize.terminal import Terminal

    return Terminal(stderr=stderr)


def print_table(
    header: Sequence[str], rows: Iterable[Sequence[Cell]], left: Sequence[str] = (), gap: int = 2
) -> None:
    """Print a table in full: lines that the terminal breaks are better than lost digits.

    Args:
        header: The titles of the columns.
        rows: A cell for each column.
        left: The titles of the columns that are texts; the others are numbers.
        gap: Spaces between columns.
    """
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, padding=(0, gap, 0, 0), header_style="bold")
    for title in header:
        table.add_column(
            Text(written_out(title)),
            justify="left" if title in left else "right",
            no_wrap=True,
        )
    for row in rows:
        styled = [(cell, "") if isinstance(cell, str) else cell for cell in row]
        table.add_row(*(Text(written_out(text), style) for text, style in styled))
    console = terminal()
    boundless = console.options.update(max_width=10_000)
    console.width = max(console.width, console.measure(table, options=boundless).maximum)
    console.print(table)


def print_json(value: Any) -> None:
    """Print one JSON value. What JSON has no number for, NaN and the infinities, is null.

    What could steer a terminal stands as JSON's own escapes: a parser gives it back.
    """
    text = json.dumps(_finite(value), ensure_ascii=False, indent=2)
    click.echo(
        "".join(each if each.isprintable() or each == "\n" else _escaped(each) for each in text)
    )


def print_csv(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Print a table with a header.

    In its texts, what could steer a terminal is written out, into a pipe too: a cell is the same
    wherever it goes. JSON has the names as they are.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([written_out(title) for title in header])
    writer.writerows(
        [written_out(cell) if isinstance(cell, str) else cell for cell in row] for row in rows
    )
    click.echo(text.getvalue(), nl=False)


@contextmanager
def shown_warnings() -> Generator[None]:
    """Warnings are lines on standard error; those of stepsize itself without the place in code."""

    def show(
        message: Warning | str,
        category: type[Warning],
        filename: str,
        lineno: int,
        file: Any = None,
        line: str | None = None,
    ) -> None:
        if issubclass(category, StepsizeWarning):
            notice(f"Warning: {message}")
        else:
            text = warnings.formatwarning(message, category, filename, lineno, line)
            notice(*text.rstrip("\n").split("\n"))

    with warnings.catch_warnings():
        warnings.showwarning = show
        yield


def _escaped(character: str) -> str:
    return json.dumps(character)[1:-1]


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        items = cast(Mapping[str, Any], value).items()
        return {key: _finite(each) for key, each in items}
    if isinstance(value, list | tuple):
        return [_finite(each) for each in cast(Iterable[Any], value)]
    return value
