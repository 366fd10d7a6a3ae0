"""JSON and JSON lines: objects, lists of objects, objects of lists."""

import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, cast

from stepsize.logs._csv import left_out
from stepsize.logs._logged import LoggedRun
from stepsize.logs._rows import Log, Row, runs_of
from stepsize.logs._text import not_a_log, number, parse_json

__all__ = ["read_json", "read_json_lines"]

_EXPORTED_CELLS: Final = 3
_STRETCHED: Final = 2


def read_json_lines(path: Path, text: str, call: str) -> list[LoggedRun]:
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
        raise not_a_log(
            call,
            "it begins like JSON, and no line of it is a JSON object",
            "If it was cut short, restore it from a copy.",
        )
    cut_short = line_number in faulty
    log = Log(path, "JSON lines", rows, notes=left_out(faulty), cut_short=cut_short)
    return runs_of(log, call)


def read_json(path: Path, value: Any, call: str) -> list[LoggedRun]:
    """transformers' trainer state, a list of objects, or an object of lists as in Keras' history.

    Args:
        path: Where it was read from.
        value: What the JSON text says: an object or a list.
        call: How an error begins.
    """
    if isinstance(value, list):
        return runs_of(Log(path, "JSON", _objects(cast(list[Any], value))), call)
    fields = cast(dict[str, Any], value)
    history = fields.get("log_history")
    if isinstance(history, list):
        return runs_of(_trainer_state(path, fields, cast(list[Any], history)), call)
    tables = {name: each for name, each in fields.items() if _holds_objects(each)}
    if len(tables) == 1:
        return runs_of(Log(path, "JSON", _objects(*tables.values())), call)
    columns = dict(_columns(fields))
    if columns:
        return runs_of(Log(path, "JSON", list(_turned(columns))), call)
    if len(fields) > 1 and all(_is_object(name, each) for name, each in fields.items()):
        rows = [{"step": name, **each} for name, each in fields.items()]
        return runs_of(Log(path, "JSON", rows), call)
    return runs_of(Log(path, "JSON lines", [fields] if fields else []), call)


def _trainer_state(path: Path, fields: Mapping[str, Any], history: list[Any]) -> Log:
    planned, reached = number(fields.get("max_steps")), number(fields.get("global_step"))
    # The Trainer writes -1 where epochs decide.
    steps = planned if planned is not None and 0 < planned < math.inf else None
    unfinished = steps is not None and reached is not None and reached < steps
    return Log(path, "trainer_state.json", _objects(history), steps=steps, unfinished=unfinished)


def _is_object(name: str, value: Any) -> bool:
    return number(name) is not None and isinstance(value, dict)


def _holds_objects(value: Any) -> bool:
    if not isinstance(value, list):
        return False
    items = cast(list[Any], value)
    return bool(items) and all(isinstance(each, dict) for each in items)


def _columns(fields: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, list[Any]]]:
    for name, value in fields.items():
        if isinstance(value, list):
            yield f"{above}{name}", cast(list[Any], value)
        elif isinstance(value, dict) and not above:
            yield from _columns(cast(Mapping[str, Any], value), f"{name}/")


def _objects(values: Sequence[Any]) -> list[Row]:
    return [_object(each) for each in values]


def _object(value: Any) -> Row:
    if isinstance(value, dict):
        return cast(Row, value)
    if isinstance(value, list) and len(cast(list[Any], value)) == _EXPORTED_CELLS:
        # TensorBoard's own export of a curve.
        return dict(zip(("Wall time", "Step", "Value"), cast(list[Any], value), strict=True))
    return {}


def _turned(columns: Mapping[str, Sequence[Any]]) -> Iterator[Row]:
    """Rows of columns. A much shorter one was measured more seldom, and is spread over the rest."""
    most = max(map(len, columns.values()))
    rows: list[dict[str, Any]] = [{} for _ in range(most)]
    for name, values in columns.items():
        each = most // len(values) if len(values) > 1 else 1
        apart = each if each >= _STRETCHED else 1
        for index, value in enumerate(values):
            rows[index * apart + apart - 1][name] = value
    yield from rows
