"""CSV, JSON and JSON lines: rows of named values."""

import codecs
import csv
import io
import json
import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, cast

from stepsize.errors import RunFileError
from stepsize.logs._logged import NO_COUNT, LoggedRun, Points, count_anything

__all__ = ["read_csv", "read_json", "read_json_lines", "read_text"]

Row = Mapping[str, Any]

LARGEST: Final = 2**30
"""Bytes of a text file: what is larger would not fit into the memory of a laptop as rows."""

# Earlier names go first; of Lightning's and W&B's two counters, theirs is the optimizer's.
_STEPS: Final = (
    *("trainer/global_step", "global_step", "train/global_step", "optimizer_step", "step"),
    *("_step", "iteration", "iter", "train_step", "steps", "iterations", "num_updates", "update"),
)
_EPOCHS: Final = ("epoch", "epochs", "train/epoch")
_DEEPEST: Final = 8
_DECIMAL_COMMA: Final = re.compile(r"\s*[+-]?\d*,\d+([eE][+-]?\d+)?\s*")
_CONTROL: Final = re.compile(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f]")


def read_text(path: Path, call: str) -> str:
    """The text of a file.

    Raises:
        RunFileError: It is too large, or no text.
    """
    size = path.stat().st_size
    if size > LARGEST:
        raise RunFileError(
            f"{call}: a text log may have {LARGEST:,} bytes, and this file has {size:,}. "
            "Log every tenth step, or cut out the columns that matter."
        )
    content = path.read_bytes()
    two_bytes = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    try:
        text = content.decode("utf-16" if two_bytes else "utf-8-sig")
    except UnicodeDecodeError as error:
        if two_bytes or _CONTROL.search(content):
            raise RunFileError(
                f"{call}: the file is no log that stepsize knows: {error}."
            ) from error
        raise RunFileError(
            f"{call}: a text log is UTF-8 or UTF-16 with its mark, but byte {error.start} of this "
            f"file is {content[error.start]:#04x}: it may be Latin-1. Save it as UTF-8: "
            "iconv -f LATIN1 -t UTF-8."
        ) from error
    if not text.strip():
        raise RunFileError(f"{call}: the file is empty: nothing was logged in it yet.")
    return text


def read_csv(path: Path, text: str, call: str) -> LoggedRun:
    """A table with a header: any of the separators comma, semicolon and tab.

    Comments, ``#``, may stand above the header, or be it, as numpy.savetxt writes it.
    """
    header, body, above = _below_comments(text)
    separator = max(",;\t", key=header.count)
    reader = csv.reader(io.StringIO(body), delimiter=separator, strict=True)
    rows: list[Row] = []
    faulty: list[int] = []
    notes: list[str] = []
    try:
        names = [name.strip() for name in next(csv.reader([header], delimiter=separator))]
        if names and not names[-1]:
            del names[-1]
        if all(number(name) is not None for name in names):
            raise RunFileError(
                f"{call}: a CSV log begins with a line of names, such as step,lr,loss, but this "
                f"one begins with {header.strip()[:60]!r}. Add such a line."
            )
        for name in dict.fromkeys(each for each in names if names.count(each) > 1):
            notes.append(f"Several columns are called {name!r}: the last one counts.")
        commas = False
        for found in reader:
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
                faulty.append(above + reader.line_num)
        if commas:
            notes.append("Commas in numbers were read as decimal points.")
    except csv.Error as error:
        if not rows:
            raise RunFileError(
                f"{call}: the file is no log that stepsize knows: {error}."
            ) from error
        faulty.append(above + reader.line_num)
    last = above + reader.line_num
    if rows and last not in faulty and not text.endswith("\n"):
        notes.append(f"Line {last}, the last, has no end: its last number may lack digits.")
    notes.extend(_left_out(faulty))
    return _run(path, "CSV", rows, call, notes=tuple(notes), cut_short=last in faulty)


def _below_comments(text: str) -> tuple[str, str, int]:
    """The header, what is below it, and how many lines are not."""
    lines = text.splitlines(keepends=True)
    count = next((index for index, line in enumerate(lines) if not _is_comment(line)), len(lines))
    if count and (count == len(lines) or _has_only_numbers(lines[count])):
        count -= 1  # the last comment names them
    return lines[count].lstrip("# ").rstrip("\r\n"), "".join(lines[count + 1 :]), count + 1


def _has_only_numbers(line: str) -> bool:
    return all(number(cell) is not None for cell in re.split("[,;\t]", line) if cell.strip())


def _is_comment(line: str) -> bool:
    return line.startswith("#") or not line.strip()


def read_json_lines(path: Path, text: str, call: str) -> LoggedRun:
    """A JSON object per line."""
    rows: list[Row] = []
    faulty: list[int] = []
    line_number = 0
    for line_number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        try:
            value = parse_json(line)
        except ValueError:
            value = None
        if isinstance(value, dict):
            rows.append(cast(Row, value))
        else:
            faulty.append(line_number)
    if not rows:
        raise RunFileError(
            f"{call}: the file is no log that stepsize knows: it begins like JSON, and no line of "
            "it is a JSON object. If it was cut short, restore it from a copy."
        )
    cut_short = line_number in faulty
    return _run(path, "JSON lines", rows, call, notes=_left_out(faulty), cut_short=cut_short)


def read_json(path: Path, value: Any, call: str) -> LoggedRun:
    """transformers' trainer state, a list of objects, or an object of lists as in Keras' history.

    Args:
        path: Where it was read from.
        value: What the JSON text says: an object or a list.
        call: How an error begins.
    """
    if isinstance(value, list):
        return _run(path, "JSON", _objects(cast(list[Any], value)), call)
    fields = cast(dict[str, Any], value)
    history = fields.get("log_history")
    if isinstance(history, list):
        planned = number(fields.get("max_steps"))
        rows = _objects(cast(list[Any], history))
        # The Trainer writes -1 where epochs decide.
        steps = planned if planned is not None and 0 < planned < math.inf else None
        return _run(path, "trainer_state.json", rows, call, steps=steps)
    columns = {
        name: cast(list[Any], each) for name, each in fields.items() if isinstance(each, list)
    }
    if columns:
        return _run(path, "JSON", list(_turned(columns)), call)
    return _run(path, "JSON lines", [fields] if fields else [], call)


def parse_json(text: str) -> Any:
    """What a JSON text says; NaN and Infinity are allowed, as Python writes them.

    Raises:
        ValueError: It is no JSON, or nested too deeply.
    """
    try:
        return json.loads(text)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error


def number(value: Any) -> float | None:
    """The number that a cell holds; None for a text, a gap or a truth value."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        return float(value)
    except (ValueError, OverflowError):
        return None


def _run(
    path: Path,
    form: str,
    rows: Sequence[Row],
    call: str,
    *,
    steps: float | None = None,
    notes: tuple[str, ...] = (),
    cut_short: bool = False,
) -> LoggedRun:
    if not rows:
        said = " ".join([f"{call}: read as {form}, nothing was logged in the file yet.", *notes])
        raise RunFileError(said)
    flat = [dict(_flattened(row)) for row in rows]
    names = dict.fromkeys(name for row in flat for name in row)
    counter = _counter(names)
    if counter is not None and _says_nothing(flat, counter):
        notes = (*notes, f"{NO_COUNT} positions are the numbers of the rows, not {counter!r}.")
        for row in flat:
            row.pop(counter, None)
        counter = None
    elif counter is None:
        notes = (*notes, "No column counts steps: positions are the numbers of the rows.")
    elif counter.lower() in _EPOCHS:
        notes = (*notes, f"No column counts steps: positions are those of {counter!r}.")
    points = Points()
    last = -1.0
    for index, row in enumerate(flat):
        counted = float(index) if counter is None else row.get(counter, math.nan)
        # A row without its own step belongs to the step of the row before it.
        position = counted if math.isfinite(counted) else max(last, 0.0)
        last = position
        for name, value in row.items():
            if name != counter:
                points.add(name, position, value)
    if not points:
        raise RunFileError(
            f"{call}: read as {form}, the file holds no numbers beside a count of steps: it is no "
            "log that stepsize knows."
        )
    name = path.stem if path.stem else path.name
    return points.run(name, path, form, steps, notes, cut_short=cut_short)


def _says_nothing(rows: Sequence[Mapping[str, float]], counter: str) -> bool:
    """Whether values of one name would all lie at one position."""
    others = [name for row in rows for name in row if name != counter]
    counted = (row[counter] for row in rows if math.isfinite(row.get(counter, math.nan)))
    return len(set(others)) < len(others) and not count_anything(counted)


def _counter(names: Iterable[str]) -> str | None:
    known = {name.lower(): name for name in reversed(list(names))}
    return next((known[each] for each in (*_STEPS, *_EPOCHS) if each in known), None)


def _flattened(row: Row, above: str = "", depth: int = 0) -> Iterator[tuple[str, float]]:
    for name, value in row.items():
        if isinstance(value, dict) and depth < _DEEPEST:
            yield from _flattened(cast(Row, value), f"{above}{name}/", depth + 1)
        elif (known := number(value)) is not None:
            yield f"{above}{name}", known


def _objects(values: Sequence[Any]) -> list[Row]:
    return [cast(Row, each) if isinstance(each, dict) else {} for each in values]


def _turned(columns: Mapping[str, Sequence[Any]]) -> Iterator[Row]:
    for index in range(max(map(len, columns.values()))):
        yield {name: each[index] for name, each in columns.items() if index < len(each)}


def _left_out(lines: Sequence[int]) -> tuple[str, ...]:
    if not lines:
        return ()
    which = f"line {lines[0]}" if len(lines) == 1 else f"{len(lines)} lines, the first {lines[0]},"
    return (f"Left out: {which} not whole. The file may have been cut short.",)
