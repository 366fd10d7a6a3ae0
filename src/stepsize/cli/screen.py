"""Standard output: for people a console, for scripts JSON or CSV and nothing else."""

import csv
import io
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

import click

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

__all__ = ["print_csv", "print_json", "print_table", "screen", "written_out"]


def screen() -> "Console":
    """The console: colours on a terminal that wants them, plain text into a pipe."""
    from rich.console import Console

    return Console(highlight=False, markup=False, emoji=False)


def print_table(console: "Console", table: "Table") -> None:
    """Print a table in full: lines that the terminal breaks are better than lost digits."""
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
    writer.writerow(header)
    writer.writerows(
        [written_out(cell) if isinstance(cell, str) else cell for cell in row] for row in rows
    )
    click.echo(text.getvalue(), nl=False)


def written_out(text: str) -> str:
    """A text that others wrote, with what could steer a terminal written out.

    >>> written_out("run \\x1b[2J")
    'run \\\\x1b[2J'
    """
    return "".join(
        each if each.isprintable() else each.encode("unicode_escape").decode() for each in text
    )


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
