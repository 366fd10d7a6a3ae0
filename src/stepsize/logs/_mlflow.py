"""MLflow's file store: a folder per run, in it a text file per metric.

The lines are ``timestamp value step``. They are read as they lie, without MLflow: its own reader
gives step 0 to every point of a metric that was logged with a data set.
"""

from pathlib import Path

from stepsize.errors import RunFileError
from stepsize.logs._logged import LoggedRun, Points
from stepsize.logs._table import number, read_text

__all__ = ["mlflow_runs", "read_mlflow"]


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
        raise RunFileError(f"{call}: the MLflow run {folder.name!r} has no metrics yet.")
    notes = (f"Left out: {faulty} lines are not whole.",) if faulty else ()
    return points.run(_name(folder), folder, "MLflow", notes=notes, cut_short=bool(faulty))


def _is_run(folder: Path) -> bool:
    return (folder / "metrics").is_dir() and (folder / "meta.yaml").is_file()


def _name(folder: Path) -> str:
    # As a tag it is plain text, in meta.yaml it would have to be parsed.
    tag = folder / "tags" / "mlflow.runName"
    return tag.read_text("utf-8", errors="replace") if tag.is_file() else folder.name
