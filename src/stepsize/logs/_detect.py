"""Which form a log has, by what it holds and not by what it is called."""

import os
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Final

from stepsize.errors import RunFileError
from stepsize.logs._logged import LoggedRun, non_finite
from stepsize.logs._mlflow import mlflow_runs, read_mlflow
from stepsize.logs._table import number, parse_json, read_csv, read_json, read_json_lines, read_text
from stepsize.logs._tensorboard import event_files, read_tensorboard
from stepsize.logs._wandb import MARK, read_wandb
from stepsize.record import Run, read_runs

__all__ = ["read_logs"]

_KNOWN: Final = (
    "a run file, CSV, JSON lines, trainer_state.json, TensorBoard's event files, Lightning's "
    "metrics.csv, a W&B offline run, or an MLflow file store"
)
# Of several in one folder the first counts; Lightning's and the Trainer's checkpoints are below.
_FILES: Final = ("trainer_state.json", "metrics.csv")


def read_logs(path: str | os.PathLike[str]) -> list[LoggedRun]:
    """The runs that a log holds, whichever tool wrote it.

    A file may be one of our run files, CSV (Lightning's and Keras' loggers write it), JSON lines,
    JSON (a list of objects, an object of lists), transformers' ``trainer_state.json``, a
    TensorBoard event file or a W&B offline run (``run-….wandb``). A folder may be a
    TensorBoard log folder, an MLflow file store, experiment or run, a W&B offline run, or hold
    ``trainer_state.json`` or ``metrics.csv``, there or in the newest of its folders.

    What cannot be read of a log that is otherwise whole is left out, and ``notes`` says so: a line,
    or a run of a folder, which the first of the runs that could be read names.

    Args:
        path: The file or folder.

    Returns:
        The runs, at least one. Those of a run file in the order in which they began.

    Raises:
        RunFileError: It is none of these, holds no run, or was cut short where nothing can be read.
        MissingExtra: tensorboard is needed and not installed.

    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     log = Path(folder, "log.csv")
    ...     _ = log.write_text("step,lr,loss\\n0,0.1,2.5\\n1,0.1,nan\\n")
    ...     [run] = read_logs(log)
    >>> run.form, run.quantities["lr"].values, run.notes
    ('CSV', array([0.1, 0.1]), ("'loss': 1 of 2 values are not finite.",))
    """
    call = f"read_logs({os.fspath(path)!r})"
    place = Path(path)
    try:
        return _folder(place, call) if place.is_dir() else _file(place, call)
    except (OSError, ValueError) as error:
        if isinstance(error, RunFileError):
            raise
        why = error.strerror if isinstance(error, OSError) else None
        raise RunFileError(f"{call}: the file cannot be read: {why or error}.") from error


def _file(path: Path, call: str) -> list[LoggedRun]:
    if path.stat().st_size == 0:
        raise RunFileError(f"{call}: the file is empty: nothing was logged in it yet.")
    # SQLite has to look first: to open and close a run file ourselves would drop the locks that a
    # Recorder in this process holds on it.
    try:
        return _recorded(path, call)
    except RunFileError as error:
        if getattr(error.__cause__, "sqlite_errorname", None) != "SQLITE_NOTADB":
            raise
    with path.open("rb") as file:
        start = file.read(len(MARK))
    if start == MARK:
        return [read_wandb(path, call)]
    if "tfevents" in path.name:
        return [read_tensorboard([path], call)]
    return [_text_file(path, call)]


def _text_file(path: Path, call: str) -> LoggedRun:
    text = read_text(path, call)
    first, *others = (line.strip() for line in text.splitlines() if line.strip())
    if first[0] not in "[{":
        # Its first line was damaged, or says something else.
        if others and others[0].startswith("{") and others[0].endswith("}"):
            return read_json_lines(path, text, call)
        return read_csv(path, text, call)
    try:
        value = parse_json(text)
    except ValueError as error:
        if first[0] == "{" and any(
            line.startswith("{") and line.endswith("}") for line in (first, *others)
        ):
            return read_json_lines(path, text, call)
        remedy = (
            "Take it from the checkpoint before this one."
            if path.name == _FILES[0]
            else "Restore it from a copy, or log JSON lines: of these, all whole ones are read."
        )
        raise RunFileError(
            f"{call}: the JSON text is damaged or was cut short: {error}. {remedy}"
        ) from error
    return read_json(path, value, call)


def _folder(folder: Path, call: str) -> list[LoggedRun]:
    if runs := mlflow_runs(folder):
        return _readable(runs, lambda run: read_mlflow(run, call), call)
    if events := event_files(folder):
        return _readable(events, lambda each: read_tensorboard(events[each], call), call)
    # wandb links its latest run beside the run itself.
    if offline := {
        file.resolve()
        for level in ("", "*/", "*/*/")
        for file in folder.glob(f"{level}run-*.wandb")
    }:
        return _readable(sorted(offline), lambda file: read_wandb(file, call), call)
    for name in _FILES:
        here = [folder / name] if (folder / name).is_file() else list(folder.glob(f"*/{name}"))
        if here:
            return [_text_file(max(here, key=lambda file: file.stat().st_mtime), call)]
    raise RunFileError(f"{call}: the folder holds no log that stepsize knows. It reads {_KNOWN}.")


def _readable(
    places: Iterable[Path], read: Callable[[Path], LoggedRun], call: str
) -> list[LoggedRun]:
    """The runs of a folder that can be read; the first one's notes name the others."""
    runs: list[LoggedRun] = []
    left_out: list[str] = []
    errors: list[RunFileError | OSError] = []
    for place in places:
        try:
            runs.append(read(place))
        except (RunFileError, OSError) as error:
            errors.append(error)
            left_out.append(f"Left out: {str(place)!r}: {str(error).removeprefix(f'{call}: ')}")
    if not runs:
        raise errors[0]
    return [replace(runs[0], notes=(*left_out, *runs[0].notes)), *runs[1:]]


def _recorded(path: Path, call: str) -> list[LoggedRun]:
    runs = read_runs(path)
    if not runs:
        raise RunFileError(f"{call}: no run was recorded in this file yet.")
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
    )
