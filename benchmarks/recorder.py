"""What recording costs the training loop, and how many points per second go in and out."""

import sqlite3
from contextlib import closing
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter

from stepsize.record import Recorder, read_runs
from stepsize.signals import Tick

__all__ = ["rows"]

STEPS = 300_000
REPEATS = 3
STRETCHES = 2_000


def rows() -> list[tuple[str, float, str, str]]:
    """Return (name, value, unit, aim)."""
    # Rate, weight decay and loss: three points per step. Built before, since the driver pays for
    # its ticks, whoever takes them.
    ticks = [
        Tick(float(step), {"lr": 1e-3, "weight_decay": 0.1}, {"loss": 1.0 / (1 + step)})
        for step in range(STEPS)
    ]
    with TemporaryDirectory() as folder:
        path = Path(folder) / "runs.db"
        measured = [_record(path, ticks) for _ in range(REPEATS)]
        opened = median(_overview(path) for _ in range(REPEATS))
        _forget_extremes(path)
        indexed = median(_overview(path) for _ in range(REPEATS))
    in_loop = median(loop for loop, _ in measured)
    in_all = median(total for _, total in measured)
    return [
        # A loop that does nothing else: the recorder's own thread competes with it all the time.
        ("recorder, cost inside the loop", in_loop / STEPS * 1e6, "µs per step", "≤ 2"),
        ("recorder, until it is in the file", 3 * STEPS / in_all, "points/s", "≥ 1,000,000"),
        ("a curve's extremes, as recorded", STEPS / opened, "points/s", "≥ 10,000,000"),
        ("a curve's extremes, found anew", STEPS / indexed, "points/s", "≥ 10,000,000"),
    ]


def _record(path: Path, ticks: list[Tick]) -> tuple[float, float]:
    with Recorder(path) as recorder:
        start = perf_counter()
        for tick in ticks:
            recorder(tick)
        loop = perf_counter() - start
    return loop, perf_counter() - start


def _overview(path: Path) -> float:
    start = perf_counter()
    read_runs(path)[0].overview("loss", STRETCHES)
    return perf_counter() - start


def _forget_extremes(path: Path) -> None:
    """As in a file of version 1."""
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE runs SET checksum = NULL")
        connection.execute("UPDATE chunks SET extremes = NULL, checksum = NULL")
