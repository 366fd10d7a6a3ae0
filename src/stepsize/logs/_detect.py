"""Which form a log has, by what it holds and not by what it is called."""

import os
import sqlite3
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Final, TypeVar

from stepsize.errors import RunFileError
from stepsize.logs._csv import is_table, read_csv
from stepsize.logs._json import read_json, read_json_lines
from stepsize.logs._logged import LoggedRun, non_finite
from stepsize.logs._mlflow import (
    is_mlflow_database,
    mlflow_runs,
    read_mlflow,
    read_mlflow_database,
)
from stepsize.logs._printed import is_printed, read_printed
from stepsize.logs._tensorboard import event_folders, read_tensorboard
from stepsize.logs._text import number, parse_json, read_text
from stepsize.logs._wandb import MARK, read_wandb
from stepsize.messages import Message
from stepsize.record import Run, read_runs

__all__ = ["read_logs"]

Place = TypeVar("Place")

_KNOWN: Final = (
    "It reads run files, tables (CSV and others), JSON, JSON lines, printed text, "
    "trainer_state.json, TensorBoard's event files, Lightning's metrics.csv, W&B's offline runs, "
    "and MLflow's store or database."
)
# Of several in one folder the first counts; Lightning's and the Trainer's checkpoints are below.
_FILES: Final = ("trainer_state.json", "metrics.csv", "progress.csv", "log.txt", "results.csv")
_SQLITE: Final = b"SQLite format 3\x00"


def read_logs(path: str | os.PathLike[str]) -> list[LoggedRun]:
    """The runs that a log holds, whichever tool wrote it.

    A file may be one of our run files, a table (CSV, or separated by semicolons, tabs, bars or
    spaces), JSON lines, JSON (a list of objects, an object of lists), transformers'
    ``trainer_state.json``, what a training printed (``epoch 3 loss 0.25``), a TensorBoard event
    file, a W&B offline run (``run-….wandb``) or MLflow's database. A folder may be a TensorBoard
    log folder, an MLflow file store, experiment or run, a W&B offline run, or hold
    ``trainer_state.json`` or ``metrics.csv``, there or in the newest of its folders.

    What cannot be read of a log that is otherwise whole is left out, and ``notes`` says so: a line,
    or a run of a folder, which the first of the runs that could be read names.

    Args:
        path: The file or folder.

    Returns:
        The runs, at least one. Those of a run file in the order in which they began.

    Raises:
        RunFileError: It is none of these, holds no run, was cut short where nothing can be read, or
            is a table with one line per run, which holds no curve.
        MissingExtra: tensorboard is needed and not installed.

    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     log = Path(folder, "log.csv")
    ...     _ = log.write_text("step,lr,loss\\n0,0.1,2.5\\n1,0.1,nan\\n")
    ...     [run] = read_logs(log)
    >>> run.form, run.quantities["lr"].values, str(run.notes[0])
    ('CSV', array([0.1, 0.1]), "'loss': 1 of 2 values are not finite.")
    """
    call = f"read_logs({os.fspath(path)!r})"
    place = Path(path)
    try:
        return _folder(place, call) if place.is_dir() else _file(place, call)
    except (OSError, ValueError, sqlite3.Error) as error:
        if isinstance(error, RunFileError):
            raise
        why = error.strerror if isinstance(error, OSError) else None
        raise RunFileError(call, f"the file cannot be read: {why or error}") from error


def _file(path: Path, call: str) -> list[LoggedRun]:
    if path.stat().st_size == 0:
        raise RunFileError(call, "the file is empty: nothing was logged in it yet")
    # SQLite has to look first: to open and close a run file ourselves would drop the locks that a
    # Recorder in this process holds on it.
    try:
        return _recorded(path, call)
    except RunFileError as error:
        if getattr(error.__cause__, "sqlite_errorname", None) != "SQLITE_NOTADB":
            if _starts(path, len(_SQLITE)) == _SQLITE and is_mlflow_database(path):
                return read_mlflow_database(path, call)
            raise
    if _starts(path, len(MARK)) == MARK:
        return [read_wandb(path, call)]
    if "tfevents" in path.name:
        return [read_tensorboard({"": [path]}, call)]
    return _text_file(path, call)


def _starts(path: Path, count: int) -> bytes:
    with path.open("rb") as file:
        return file.read(count)


def _text_file(path: Path, call: str) -> list[LoggedRun]:
    text = read_text(path, call)
    first, *others = (line.strip() for line in text.splitlines() if line.strip())
    if first[0] not in "[{":
        # Its first line was damaged, or says something else.
        if others and _is_object(others[0]) and _is_json(others[0]):
            return read_json_lines(path, text, call)
        if not is_table(text) and is_printed(text):
            return read_printed(path, text, call)
        return read_csv(path, text, call)
    try:
        value = parse_json(text)
    except ValueError as error:
        if any(_is_object(line) and _is_json(line) for line in (first, *others[:1])):
            return read_json_lines(path, text, call)
        if is_printed(text):
            return read_printed(path, text, call)
        if first[0] == "{" and any(map(_is_object, (first, *others))):
            return read_json_lines(path, text, call)
        raise RunFileError(
            call,
            "a JSON text is whole",
            f"this one is damaged or was cut short: {error}",
            "Take it from the checkpoint before this one."
            if path.name == _FILES[0]
            else "Restore it from a copy, or log JSON lines: of these, all whole ones are read.",
        ) from error
    return read_json(path, value, call)


def _is_object(line: str) -> bool:
    return line.startswith("{") and line.endswith("}")


def _is_json(line: str) -> bool:
    """Whether a line is JSON, and not Python's text of a dictionary."""
    try:
        parse_json(line)
    except ValueError:
        return False
    return True


def _folder(folder: Path, call: str) -> list[LoggedRun]:
    if runs := mlflow_runs(folder):
        return _readable({run: run for run in runs}, lambda run: read_mlflow(run, call), call)
    if events := event_folders(folder):
        return _readable(events, lambda files: read_tensorboard(files, call), call)
    # wandb links its latest run beside the run itself.
    if offline := {
        file.resolve()
        for level in ("", "*/", "*/*/")
        for file in folder.glob(f"{level}run-*.wandb")
    }:
        files = {file: file for file in sorted(offline)}
        return _readable(files, lambda file: read_wandb(file, call), call)
    for name in _FILES:
        here = [folder / name] if (folder / name).is_file() else list(folder.glob(f"*/{name}"))
        if here:
            return _text_file(max(here, key=lambda file: file.stat().st_mtime), call)
    database = folder / "mlflow.db"
    if database.is_file():
        return _file(database, call)
    raise RunFileError(call, "the folder holds no log that stepsize knows", remedy=_KNOWN)


def _readable(
    places: Mapping[Path, Place], read: Callable[[Place], LoggedRun], call: str
) -> list[LoggedRun]:
    """The runs of a folder that can be read; the first one's notes name the others."""
    runs: list[LoggedRun] = []
    left_out: list[Message] = []
    errors: list[RunFileError | OSError] = []
    for path, place in places.items():
        try:
            runs.append(read(place))
        except (RunFileError, OSError) as error:
            errors.append(error)
            left_out.append(
                Message(
                    "Left out: {path:text}: {why:text}",
                    path=repr(str(path)),
                    why=str(error).removeprefix(f"{call}: "),
                )
            )
    if not runs:
        raise errors[0]
    return [replace(runs[0], notes=(*left_out, *runs[0].notes)), *runs[1:]]


def _recorded(path: Path, call: str) -> list[LoggedRun]:
    runs = read_runs(path)
    if not runs:
        raise RunFileError(call, "no run was recorded in this file yet")
    return [_as_logged(run) for run in runs]


def _as_logged(run: Run) -> LoggedRun:
    quantities, metrics = run.quantities, run.metrics
    return LoggedRun(
        name=run.name,
        path=run.path,
        form="run file",
        quantities=quantities,
        metrics=metrics,
        steps=number(run.config.get("steps")),
        notes=non_finite(quantities | metrics),
        unfinished=run.status == "running",
        counter="position",
    )
