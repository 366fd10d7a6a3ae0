"""Tables of text: separated by commas, semicolons, tabs, bars or spaces."""

import csv
import io
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from stepsize.errors import RunFileError
from stepsize.logs._logged import LoggedRun
from stepsize.logs._rows import Log, Row, runs_of
from stepsize.logs._text import not_a_log, number
from stepsize.messages import Message
from stepsize.words import shortened

__all__ = ["is_table", "read_csv"]

_SEPARATORS: Final = (",", ";", "\t", "|")
_DECIMAL_COMMA: Final = re.compile(r"\s*[+-]?\d*,\d+([eE][+-]?\d+)?\s*")
_RULE: Final = re.compile(r"[|:+\-=\s]+")
"""A line between a header and its rows, as it is printed below a table's names."""
_LOOKED_AT: Final = 40


def is_table(text: str) -> bool:
    """Whether lines below a header have as many cells as it, some of them numbers."""
    header, body, _ = _below_comments(text)
    separator = _separator(header)
    columns = len(_cells(header, separator))
    if columns < 2:
        return False
    rows = [_cells(line, separator) for line in body.splitlines()[:_LOOKED_AT]]
    if separator == " ":
        return not _has_only_numbers(header) and any(
            len(row) == columns and all(number(cell) is not None for cell in row) for row in rows
        )
    return any(number(cell) is not None for row in rows for cell in row)


def read_csv(path: Path, text: str, call: str) -> list[LoggedRun]:
    """A table with a header.

    Comments, ``#``, may stand above the header, or be it, as numpy.savetxt writes it.
    """
    header, body, above = _below_comments(text)
    separator = _separator(header)
    names = _cells(header, separator)
    if names and not names[-1]:
        del names[-1]
    if all(number(name) is not None for name in names):
        raise RunFileError(
            call,
            "a CSV log begins with a line of names, such as step,lr,loss",
            f"this one begins with {shortened(header.strip(), 60)!r}",
            "Add such a line.",
        )
    rows, faulty, last, commas, damage = _rows(names, body, separator, above)
    if damage and not rows:
        raise not_a_log(call, damage)
    notes = [
        Message("Several columns are called '{column:name}': the last one counts.", column=name)
        for name in dict.fromkeys(each for each in names if names.count(each) > 1)
    ]
    if commas:
        notes.append(Message("Commas in numbers were read as decimal points."))
    if rows and last not in faulty and not text.endswith("\n"):
        notes.append(
            Message(
                "Line {line:count}, the last, has no end: its last number may lack digits.",
                line=last,
            )
        )
    if not rows and faulty:
        raise not_a_log(call, "no line of it has as many cells as the first")
    log = Log(path, "CSV", rows, notes=(*left_out(faulty), *notes), cut_short=last in faulty)
    return runs_of(log, call)


def left_out(lines: Sequence[int]) -> tuple[Message, ...]:
    """A note on lines that are not whole."""
    if not lines:
        return ()
    if len(lines) == 1:
        return (
            Message(
                "Left out: line {line:count} is not whole. The file may have been cut short.",
                line=lines[0],
            ),
        )
    return (
        Message(
            "Left out: {count:count} lines are not whole, the first is line {line:count}. The "
            "file may have been cut short.",
            count=len(lines),
            line=lines[0],
        ),
    )


def _rows(
    names: Sequence[str], body: str, separator: str, above: int
) -> tuple[list[Row], list[int], int, bool, str]:
    """The rows, the lines that are not whole, the last line, whether commas were points, damage."""
    rows: list[Row] = []
    faulty: list[int] = []
    commas, damage, line = False, "", above
    try:
        for line, found in _lines(body, separator, above):
            ends_empty = len(found) == len(names) + 1 and not found[-1].strip()
            cells = found[:-1] if ends_empty else found
            if separator == ";" and any(map(_DECIMAL_COMMA.fullmatch, cells)):
                commas = True
                cells = [
                    each.replace(",", ".") if _DECIMAL_COMMA.fullmatch(each) else each
                    for each in cells
                ]
            if len(cells) == len(names):
                rows.append(dict(zip(names, cells, strict=True)))
            elif cells and not cells[0].startswith("#"):
                faulty.append(line)
    except csv.Error as error:
        damage = str(error)
        line += 1
        faulty.append(line)
    return rows, faulty, line, commas, damage


def _lines(body: str, separator: str, above: int) -> Iterator[tuple[int, list[str]]]:
    """The number and the cells of each line."""
    if separator in " |":
        for index, line in enumerate(body.splitlines(), start=above + 1):
            if line.strip() and not _RULE.fullmatch(line):
                yield index, _cells(line, separator)
        return
    reader = csv.reader(io.StringIO(body), delimiter=separator, strict=True)
    for found in reader:
        yield above + reader.line_num, found


def _separator(header: str) -> str:
    best = max(_SEPARATORS, key=header.count)
    return best if best in header else " "


def _cells(line: str, separator: str) -> list[str]:
    if separator == " ":
        return line.split()
    if separator == "|":
        return [cell.strip() for cell in line.strip().strip("|").split("|")]
    try:
        found = next(csv.reader([line], delimiter=separator), None) or ()
    except csv.Error:
        return []
    return [cell.strip() for cell in found]


def _below_comments(text: str) -> tuple[str, str, int]:
    """The header, what follows it, and how many lines stand up to it."""
    lines = text.splitlines(keepends=True)
    count = next((index for index, line in enumerate(lines) if not _is_comment(line)), len(lines))
    if count == len(lines) or (count and _has_only_numbers(lines[count])):
        count -= 1  # the last comment names them
    while count + 1 < len(lines) and _RULE.fullmatch(lines[count]):
        count += 1  # a line above the header of a printed table
    return lines[count].lstrip("# ").rstrip("\r\n"), "".join(lines[count + 1 :]), count + 1


def _has_only_numbers(line: str) -> bool:
    return all(number(cell) is not None for cell in re.split(r"[,;\t| ]", line) if cell.strip())


def _is_comment(line: str) -> bool:
    return line.startswith("#") or not line.strip()
