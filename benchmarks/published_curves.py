"""Published loss curves of real trainings, read from the folder that STEPSIZE_CURVES names.

The 124M Llama on SlimPajama of Schaipp et al. 2025 (github.com/fabian-sp/lr-scheduling, MIT): five
peak rates × schedules × four horizons. The data are theirs; nothing of them is stored here.
"""

import csv
import gzip
import os
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from statistics import mean
from typing import Final, TypeAlias

from stepsize import Constant, Power, Schedule, Warmup, warmup_cosine, wsd

__all__ = ["Cell", "Losses", "cells", "constant_runs", "curves_folder"]

Losses: TypeAlias = dict[float, float]
"""By peak rate, a validation loss in nats: the mean over repeated runs."""

_INDEX: Final = "compact/llama124m_index.csv"
_CURVES: Final = "compact/llama124m_val.csv.gz"
# What a run that diverged ends above, and no other does.
_DIVERGED: Final = 5.0


@dataclass(frozen=True)
class Cell:
    """One schedule over one horizon, run at several peak rates.

    Args:
        shape: What the schedule is called.
        schedule: Multiples of the peak rate.
        steps: Optimizer steps.
        losses: The final validation losses.
    """

    shape: str
    schedule: Schedule
    steps: int
    losses: Losses = field(hash=False)


def curves_folder() -> Path | None:
    """The folder with the curves; None where there is none."""
    named = os.environ.get("STEPSIZE_CURVES")
    return Path(named) if named and (Path(named) / _INDEX).is_file() else None


def cells(folder: Path) -> list[Cell]:
    """Every schedule and horizon that was run at three peak rates or more."""
    found: defaultdict[tuple[str, Schedule, int], defaultdict[float, list[float]]]
    found = defaultdict(lambda: defaultdict(list))
    for row in _index(folder):
        if float(row["last_val"]) < _DIVERGED:
            found[_cell(row)][float(row["peak_lr"])].append(float(row["last_val"]))
    return [
        Cell(*key, {rate: mean(losses) for rate, losses in sorted(by_rate.items())})
        for key, by_rate in sorted(found.items(), key=lambda item: (item[0][0], item[0][2]))
        if len(by_rate) >= 3
    ]


def constant_runs(folder: Path) -> dict[int, Losses]:
    """The runs at a constant rate after 300 steps of warmup: by step, the losses there."""
    rates = {
        row["run"]: float(row["peak_lr"]) for row in _index(folder) if _shape(row) == "constant"
    }
    found: defaultdict[int, defaultdict[float, list[float]]]
    found = defaultdict(lambda: defaultdict(list))
    with gzip.open(folder / _CURVES, "rt") as file:
        for row in csv.DictReader(file):
            if row["run"] in rates:
                found[int(row["step"])][rates[row["run"]]].append(float(row["val_loss"]))
    return {
        step: {rate: mean(losses) for rate, losses in sorted(by_rate.items())}
        for step, by_rate in found.items()
    }


def _index(folder: Path) -> list[dict[str, str]]:
    with (folder / _INDEX).open() as file:
        return list(csv.DictReader(file))


def _shape(row: Mapping[str, str]) -> str:
    if row["scheduler"] == "cos":
        # Below zero stands for the code's default, a tenth of the peak.
        return "cosine to 10 %" if float(row["cos_final_lr"]) < 0 else "cosine to 0"
    part = float(row["decay_frac"])
    if part == 0:
        return "constant"
    return f"{'1-sqrt' if row['decay_type'] == 'sqrt' else 'linear'} {100 * part:.3g} %"


def _cell(row: Mapping[str, str]) -> tuple[str, Schedule, int]:
    shape, steps, warmup = _shape(row), int(row["iterations"]), int(row["warmup"])
    cooldown = round(float(row["decay_frac"]) * steps)
    if shape == "constant":
        schedule = Warmup(warmup + 1).skip(1) >> Constant()
    elif shape.startswith("cosine"):
        schedule = warmup_cosine(steps, warmup, end=0.1 if shape.endswith("10 %") else 0)
    elif shape.startswith("1-sqrt"):
        schedule = wsd(steps - cooldown, warmup, cooldown=0) >> Power(cooldown, 0.5)
    else:
        schedule = wsd(steps, warmup, cooldown)
    return shape, schedule, steps
