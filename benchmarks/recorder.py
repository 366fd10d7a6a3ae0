"""What recording costs the training loop, and how many points per second reach the file."""

from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter

from stepsize.record import Recorder
from stepsize.signals import Tick

__all__ = ["rows"]

STEPS = 300_000
REPEATS = 3


def rows() -> list[tuple[str, float, str, str]]:
    """Return (name, value, unit, aim)."""
    # Rate, weight decay and loss: three points per step. Built before, since the driver pays for
    # its ticks, whoever takes them.
    ticks = [
        Tick(float(step), {"lr": 1e-3, "weight_decay": 0.1}, {"loss": 1.0 / (1 + step)})
        for step in range(STEPS)
    ]
    with TemporaryDirectory() as folder:
        measured = [_record(Path(folder) / "runs.db", ticks) for _ in range(REPEATS)]
    in_loop = median(loop for loop, _ in measured)
    in_all = median(total for _, total in measured)
    return [
        # A loop that does nothing else: the recorder's own thread competes with it all the time.
        ("recorder, cost inside the loop", in_loop / STEPS * 1e6, "µs per step", "≤ 2"),
        ("recorder, until it is in the file", 3 * STEPS / in_all, "points/s", "≥ 1,000,000"),
    ]


def _record(path: Path, ticks: list[Tick]) -> tuple[float, float]:
    with Recorder(path) as recorder:
        start = perf_counter()
        for tick in ticks:
            recorder(tick)
        loop = perf_counter() - start
    return loop, perf_counter() - start
