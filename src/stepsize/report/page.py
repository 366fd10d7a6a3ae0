"""The page: sections of text, tables and charts in one HTML file that loads nothing."""

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from importlib.resources import files
from pathlib import Path
from typing import Final

from stepsize.files import check_target, write_whole
from stepsize.report.chart import Chart

__all__ = ["Report", "Section", "Table", "check_report_path", "write_report"]

_SUFFIXES: Final = (".html", ".htm")
_LONG: Final = 40
# Forbids every request and every script, whatever a text in the page may hold.
_POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'"


@dataclass(frozen=True)
class Table:
    """Rows of text.

    Args:
        header: The columns' titles; none if empty.
        rows: As many texts each.
    """

    header: Sequence[str]
    rows: Sequence[Sequence[str]]


@dataclass(frozen=True)
class Section:
    """A part of a report. All of it is text; the page escapes it.

    Args:
        title: Its heading.
        paragraphs: Sentences.
        code: An expression, shown as typed.
        table: A table.
        charts: Charts, with their captions.
    """

    title: str
    paragraphs: Sequence[str] = ()
    code: str | None = None
    table: Table | None = None
    charts: Sequence[Chart] = ()


@dataclass(frozen=True)
class Report:
    """A page.

    Args:
        title: Its heading.
        under: A line below the heading.
        facts: The numbers that one looks for first, by name.
        summary: What happened, in sentences.
        warnings: Sentences to stress.
        sections: The rest.
        foot: A line at the end.
    """

    title: str
    under: str = ""
    facts: Mapping[str, str] = field(default_factory=dict[str, str])
    summary: Sequence[str] = ()
    warnings: Sequence[str] = ()
    sections: Sequence[Section] = ()
    foot: str = ""

    def html(self) -> str:
        """The page as one HTML document: styles and pictures inside, no script, no request.

        >>> "<h1>a &lt; b</h1>" in Report("a < b").html()
        True
        """
        style = files("stepsize.report").joinpath("page.css").read_text(encoding="utf-8")
        return "\n".join(
            [
                "<!doctype html>",
                '<html lang="en">',
                "<head>",
                '<meta charset="utf-8">',
                f'<meta http-equiv="Content-Security-Policy" content="{escape(_POLICY)}">',
                '<meta name="viewport" content="width=device-width, initial-scale=1">',
                f"<title>{escape(self.title)}</title>",
                f"<style>\n{style}</style>",
                "</head>",
                "<body>",
                f"<h1>{escape(self.title)}</h1>",
                *_paragraphs([self.under], "under"),
                *_facts(self.facts),
                *(["<section>", "<h2>Summary</h2>"] if self.summary else []),
                *_paragraphs([" ".join(self.summary)]),
                *_paragraphs(self.warnings, "warning"),
                *(["</section>"] if self.summary else []),
                *(line for section in self.sections for line in _section(section)),
                *([f"<footer>{escape(self.foot)}</footer>"] if self.foot else []),
                "</body>",
                "</html>",
                "",
            ]
        )


def check_report_path(path: str | os.PathLike[str]) -> Path:
    """Refuse a path to which no report can be written: before the work, not after it.

    Args:
        path: A file ending in .html, in a folder that may be written.

    Returns:
        The path.

    Raises:
        InvalidValue: The ending is another one.
        OSError: The folder is missing or may not be written, or the path is a folder.
    """
    return check_target(f"write_report(..., {str(path)!r})", path, _SUFFIXES)


def write_report(report: Report, path: str | os.PathLike[str]) -> Path:
    """Write a report: the file is there whole or not at all.

    Args:
        report: The page.
        path: As :func:`check_report_path` takes it.

    Returns:
        The path.

    Raises:
        InvalidValue: The path does not end in .html.
        OSError: The file cannot be written.
    """
    target = check_report_path(path)
    # Half of a surrogate pair, which a file's name may hold, has no UTF-8.
    write_whole(target, report.html().encode("utf-8", errors="replace"))
    return target


# ------------------------------------------------------------------ parts of the page


def _section(section: Section) -> Iterable[str]:
    yield "<section>"
    yield f"<h2>{escape(section.title)}</h2>"
    yield from _paragraphs(section.paragraphs)
    if section.code is not None:
        yield f"<pre>{escape(section.code)}</pre>"
    if section.table is not None:
        yield from _table(section.table)
    for chart in section.charts:
        caption = escape(chart.caption)
        yield f"<figure>{chart.svg()}<figcaption>{caption}</figcaption></figure>"
    yield "</section>"


def _paragraphs(texts: Iterable[str], name: str = "") -> Iterable[str]:
    opening = f'<p class="{name}">' if name else "<p>"
    return (f"{opening}{escape(text)}</p>" for text in texts if text)


def _facts(facts: Mapping[str, str]) -> Iterable[str]:
    if facts:
        yield '<dl class="facts">'
        for name, value in facts.items():
            yield f"<div><dt>{escape(name)}</dt><dd>{escape(value)}</dd></div>"
        yield "</dl>"


def _table(table: Table) -> Iterable[str]:
    yield '<div class="wide"><table>'
    if table.header:
        yield f"<thead>{_row('th', table.header)}</thead>"
    yield "<tbody>"
    for row in table.rows:
        yield _row("td", row)
    yield "</tbody></table></div>"


def _row(kind: str, cells: Sequence[str]) -> str:
    return f"<tr>{''.join(_cell(kind, cell) for cell in cells)}</tr>"


def _cell(kind: str, text: str) -> str:
    # A sentence in a column as narrow as a number's would be a word per line on a phone.
    look = ' class="long"' if len(text) > _LONG else ""
    return f"<{kind}{look}>{escape(text)}</{kind}>"
