"""MLflow's file store, a folder per run and in it a text file per metric; and its database.

The lines of a file are ``timestamp value step``. They are read as they lie, without MLflow: its own
reader gives step 0 to every point of a metric that was logged with a data set.
"""

import math
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any, Final, cast

from stepsize.errors import RunFileError
from stepsize.logs._logged import LoggedRun, Points
from stepsize.logs._text import number, read_text
from stepsize.messages import Message

__all__ = ["is_mlflow_database", "mlflow_runs", "read_mlflow", "read_mlflow_database"]

_TABLES: Final = {"metrics", "runs", "experiments"}
_HISTORY: Final = """
    SELECT m.run_uuid, r.name, r.status, m.key, m.step, m.value, m.is_nan
    FROM metrics AS m JOIN runs AS r ON r.run_uuid = m.run_uuid
    ORDER BY r.start_time, m.run_uuid, m.key, m.timestamp, m.step
"""


def mlflow_runs(folder: Path) -> list[Path]:
    """The runs in a store, an experiment, or the run that the folder is itself."""
    for candidates in ([folder], folder.glob("*"), folder.glob("*/*")):
        if found := sorted(each for each in candidates if _is_run(each)):
            return found
    return []


def read_mlflow(folder: Path, call: str) -> LoggedRun:
    """The run that the folder holds."""
    points = Points()
    faulty = 0
    root = folder / "metrics"
    for file in sorted(each for each in root.rglob("*") if each.is_file()):
        for line in read_text(file, call).splitlines():
            _, value, step, *_ = (*map(number, line.split(" ")), None, None, None)
            if value is None or step is None:
                faulty += 1
            else:
                points.add(file.relative_to(root).as_posix(), step, value)
    if not points:
        raise RunFileError(call, f"the MLflow run {folder.name!r} has no metrics yet")
    notes = (
        [Message("Left out: {count:count|line is|lines are} not whole.", count=faulty)]
        if faulty
        else []
    )
    return points.run(_name(folder), folder, "MLflow", notes=notes, cut_short=bool(faulty))


def is_mlflow_database(path: Path) -> bool:
    """Whether an SQLite file has MLflow's tables."""
    with closing(_opened(path)) as database:
        rows = database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        return {str(row[0]) for row in rows} >= _TABLES


def read_mlflow_database(path: Path, call: str) -> list[LoggedRun]:
    """The runs of MLflow's database, in the order in which they began."""
    runs: dict[str, tuple[str, bool, Points]] = {}
    with closing(_opened(path)) as database:
        for row in database.execute(_HISTORY):
            uuid, name, status, key, step, value, is_nan = cast(tuple[Any, ...], row)
            _, _, points = runs.setdefault(
                str(uuid), (str(name or uuid), status == "RUNNING", Points())
            )
            measured, position = number(value), number(step)
            if measured is not None and position is not None:
                points.add(str(key), position, math.nan if is_nan else measured)
    if not any(points for _, _, points in runs.values()):
        raise RunFileError(call, "the MLflow database holds no metrics yet")
    return [
        points.run(name, path, "MLflow", unfinished=unfinished)
        for name, unfinished, points in runs.values()
        if points
    ]


def _opened(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)


def _is_run(folder: Path) -> bool:
    return (folder / "metrics").is_dir() and (folder / "meta.yaml").is_file()


def _name(folder: Path) -> str:
    # As a tag it is plain text, in meta.yaml it would have to be parsed.
    tag = folder / "tags" / "mlflow.runName"
    return tag.read_text("utf-8", errors="replace") if tag.is_file() else folder.name
