"""Rows of named values made runs: what counts, which rows and columns belong to which run."""

import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, TypeAlias, cast

from stepsize.columns import counter_column, name_words, unit_of
from stepsize.errors import RunFileError
from stepsize.logs._logged import LoggedRun, Points, count_anything
from stepsize.logs._restarts import joined_epochs
from stepsize.logs._tables_of_runs import refuse_table_of_runs, runs_by_text
from stepsize.logs._text import number
from stepsize.messages import Message

__all__ = ["Log", "Row", "runs_of"]

Row: TypeAlias = Mapping[str, Any]

_DEEPEST: Final = 8
_PHASES: Final = frozenset({"mode", "phase", "split", "stage", "subset", "partition", "set"})
_TRAINING: Final = frozenset({"train", "training", "trn"})
_EVALUATION: Final = frozenset(
    {"val", "valid", "validation", "eval", "evaluation", "test", "dev", "testing"}
)
_EXTREMES: Final = ("__MIN", "__MAX")
_PANEL: Final = " - "
_EXPORTED: Final = re.compile(r"tag[-_](?P<tag>.+)")


@dataclass(frozen=True)
class Log:
    """What was found in a file, before it is known what its columns are.

    Args:
        path: The file.
        form: What it is.
        rows: Named cells.
        steps: How many steps were planned, if the file says so.
        notes: What was left out.
        cut_short: Whether the file lost its end.
        unfinished: Whether the run had not ended.
        per_epoch: What the counter goes up to in an epoch, if it begins again with each.
        epochs: How many epochs were planned, if the file says so.
        unit: What positions count, if it is not what the counter's name says.
    """

    path: Path
    form: str
    rows: Sequence[Row]
    steps: float | None = None
    notes: tuple[Message, ...] = ()
    cut_short: bool = False
    unfinished: bool = False
    per_epoch: float | None = None
    epochs: float | None = None
    unit: str | None = None


def runs_of(log: Log, call: str) -> list[LoggedRun]:
    """The runs that the rows hold.

    Raises:
        RunFileError: There are no rows or no numbers, or each row is a run.
    """
    if not log.rows:
        raise RunFileError(
            call,
            f"read as {log.form}, nothing was logged in the file yet",
            remedy=" ".join(map(str, log.notes)),
        )
    flat = [dict(_flattened(row)) for row in log.rows]
    numbers = [
        {name: known for name, known in map(_numbered, row.items()) if known is not None}
        for row in flat
    ]
    texts = [{name: cell for name, cell in row.items() if number(cell) is None} for row in flat]
    refuse_table_of_runs(numbers, texts, call)
    rows = _phased(_named_by_file(_without_extremes(numbers), log.path), texts)
    groups = _panels(rows) or runs_by_text(rows, texts) or {"": rows}
    runs = [
        _one_run(replace(log, notes=() if index else log.notes), name, group)
        for index, (name, group) in enumerate(groups.items())
    ]
    found = [run for run in runs if run is not None]
    if not found:
        raise RunFileError(
            call,
            "the file must be a log that stepsize knows",
            f"read as {log.form}, it holds no numbers beside a count of steps",
        )
    return found


def _one_run(log: Log, name: str, rows: Sequence[dict[str, float]]) -> LoggedRun | None:
    notes = list(log.notes)
    names = list(dict.fromkeys(name for row in rows for name in row))
    counter = counter_column(names, usable=_counting(rows, names)) or counter_column(names)
    rows = _one_counter(rows, counter, names)
    positions: Sequence[float | None] = [row.get(counter or "") for row in rows]
    joined = joined_epochs(rows, counter, log.per_epoch) if counter else None
    steps = _planned(log, counter, rows)
    if joined is not None:
        positions = joined.positions
        notes.append(joined.note)
        steps = None if log.epochs is None else log.epochs * joined.per_epoch
    elif counter is not None and _says_nothing(rows, counter):
        notes.append(
            Message(
                "All steps that were logged are equal, or beyond 2^53: positions are the numbers "
                "of the rows, not '{counter:name}'.",
                counter=counter,
            )
        )
        rows = [{each: value for each, value in row.items() if each != counter} for row in rows]
        counter = None
    elif counter is None:
        notes.append(Message("No column counts steps: positions are the numbers of the rows."))
    if counter is None:
        positions = list(map(float, range(len(rows))))
    points = Points()
    for row, position in zip(rows, _filled(positions), strict=True):
        for each, value in row.items():
            if each != counter and not each.startswith("_"):
                points.add(each, position, value)
    if not points:
        return None
    return points.run(
        name or log.path.stem or log.path.name,
        log.path,
        log.form,
        steps=steps,
        notes=notes,
        cut_short=log.cut_short,
        unfinished=log.unfinished,
        counter=counter,
        unit=log.unit or _unit(counter, names),
    )


def _planned(log: Log, counter: str | None, rows: Sequence[Mapping[str, float]]) -> float | None:
    if counter is None or unit_of(counter) == "epoch":
        return log.epochs if counter else None
    begun = {row[name] for row in rows for name in row if unit_of_column(name) == "epoch"}
    if log.steps is not None and log.epochs is not None and len(begun) == 1:
        return log.steps * log.epochs  # the first epoch is not over yet
    return log.steps


def _one_counter(
    rows: Sequence[dict[str, float]], counter: str | None, names: Iterable[str]
) -> Sequence[dict[str, float]]:
    """Rows that count by one name, where some lines have "step" and the others "iter"."""
    if counter is None or unit_of(counter) != "step":
        return rows
    others = [
        name
        for name in names
        if name != counter and unit_of_column(name) == "step" and _is_counter(name)
    ]
    apart = [name for name in others if not any(name in row and counter in row for row in rows)]
    return [
        {counter if name in apart else name: value for name, value in row.items()} for row in rows
    ]


def _unit(counter: str | None, names: Iterable[str]) -> str:
    # DeepSpeed's names say what their positions count.
    if counter is not None and any("Samples/" in name for name in names):
        return "sample"
    return unit_of(counter)


def unit_of_column(name: str) -> str:
    """What a column counts; "" if it does not count."""
    return unit_of(name) if _is_counter(name) else ""


def _filled(positions: Iterable[float | None]) -> Iterator[float]:
    """A row without its own position belongs to that of the row before it."""
    last = -1.0
    for position in positions:
        last = position if position is not None and math.isfinite(position) else max(last, 0.0)
        yield last


def _counting(rows: Sequence[Mapping[str, float]], names: Iterable[str]) -> list[str]:
    """The columns whose values tell positions apart."""
    return [
        name
        for name in names
        if count_anything(row[name] for row in rows if math.isfinite(row.get(name, math.nan)))
    ]


def _says_nothing(rows: Sequence[Mapping[str, float]], counter: str) -> bool:
    """Whether values of one name would all lie at one position."""
    others = [name for row in rows for name in row if name != counter]
    counted = (row[counter] for row in rows if math.isfinite(row.get(counter, math.nan)))
    return len(set(others)) < len(others) and not count_anything(counted)


# ------------------------------------------------------------------ cells


def _flattened(row: Row, above: str = "", depth: int = 0) -> Iterator[tuple[str, Any]]:
    for name, value in row.items():
        if isinstance(value, dict) and depth < _DEEPEST:
            yield from _flattened(cast(Row, value), f"{above}{name}/", depth + 1)
        elif isinstance(value, int | float | str) and name and value != "":
            yield f"{above}{name}", value


def _numbered(cell: tuple[str, Any]) -> tuple[str, float | None]:
    return cell[0], number(cell[1])


def _without_extremes(rows: list[dict[str, float]]) -> list[dict[str, float]]:
    """Without the ends of the band that W&B draws about an averaged curve."""
    return [
        {name: value for name, value in row.items() if not name.endswith(_EXTREMES)} for row in rows
    ]


def _named_by_file(rows: list[dict[str, float]], path: Path) -> list[dict[str, float]]:
    """TensorBoard exports one curve per file: its name stands in that of the file."""
    names = {name_words(name) for row in rows for name in row}
    if names != {("wall", "time"), ("step",), ("value",)}:
        return rows
    tag = _EXPORTED.search(path.stem)
    called = tag["tag"] if tag else path.stem
    return [
        {
            called if name_words(name) == ("value",) else name: value
            for name, value in row.items()
            if name_words(name) != ("wall", "time")
        }
        for row in rows
    ]


def _phased(
    rows: list[dict[str, float]], texts: Sequence[Mapping[str, str]]
) -> list[dict[str, float]]:
    """Rows of evaluations apart from those of the training, where a column says which is which."""
    said = {
        name
        for row in texts
        for name in row
        if name_words(name) and name_words(name)[-1] in _PHASES
    }
    for column in said:
        values = {word for row in texts for word in name_words(row.get(column, ""))}
        if values and values <= _TRAINING | _EVALUATION:
            return [
                _evaluated(row, text[column])
                if not _EVALUATION.isdisjoint(name_words(text.get(column, "")))
                else row
                for row, text in zip(rows, texts, strict=True)
            ]
    return rows


def _evaluated(row: Mapping[str, float], phase: str) -> dict[str, float]:
    """The row's measurements under the phase's name; its rate is that of the training."""
    return {
        name if _is_counter(name) else f"{phase}/{name}": value
        for name, value in row.items()
        if not {"lr"} <= set(name_words(name))
    }


def _is_counter(name: str) -> bool:
    return counter_column([name]) is not None


def _panels(rows: Sequence[Mapping[str, float]]) -> dict[str, list[dict[str, float]]]:
    """By run, its rows of a panel of W&B, whose columns are called ``RUN - metric``."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    paneled = {name: name.rsplit(_PANEL, 1) for name in names if _PANEL in name}
    shared = [name for name in names if name not in paneled]
    if not paneled or not all(map(_is_counter, shared)):
        return {}
    groups: dict[str, list[dict[str, float]]] = {}
    for run in dict.fromkeys(run for run, _ in paneled.values()):
        own = {name: metric for name, (whose, metric) in paneled.items() if whose == run}
        groups[run] = [
            {
                own.get(name, name): value
                for name, value in row.items()
                if name in own or name in shared
            }
            for row in rows
            if not own.keys().isdisjoint(row)
        ]
    return groups
