"""Losses of published runs: as they are, noisier, and with a fault put into them."""

import csv
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "PublishedRun",
    "Sample",
    "climbing",
    "healthy",
    "jumping",
    "noisier",
    "training_runs",
    "wandering",
    "with_spike",
]

Array: TypeAlias = NDArray[np.float64]

# What a run that diverged ends above, and no other does.
_DIVERGED: Final = 5.0
_WANDERING_LENGTH: Final = 2_000


@dataclass(frozen=True)
class PublishedRun:
    """The training losses that a published run logged.

    Args:
        name: The file it is from.
        steps: The optimizer steps of the logs.
        losses: The losses there.
        diverged: Whether it ended far above where it had been.
    """

    name: str
    steps: Array
    losses: Array
    diverged: bool


def training_runs(folder: Path) -> list[PublishedRun]:
    """Every published run that logged its training loss."""
    files = sorted(folder.glob("lr_scheduling/csv/*.csv"))
    files += sorted(folder.glob("multipowerlaw/csv_*/*.csv"))
    return [_read(file) for file in files]


def _read(file: Path) -> PublishedRun:
    with file.open() as lines:
        rows = list(csv.DictReader(lines))
    name = "train_loss" if "train_loss" in rows[0] else "loss"
    points = np.array([(float(row["step"]), float(row[name])) for row in rows if row[name]])
    steps, losses = points.T
    return PublishedRun(file.stem, steps, losses, diverged=bool(losses[-1] > _DIVERGED))


@dataclass(frozen=True)
class Sample:
    """A run as a rule is shown it; ``onset`` is where a fault begins, None in a healthy one."""

    losses: Array
    onset: int | None = None


def noisier(losses: Array, times: float) -> Array:
    """The same curve with ``times`` the noise: what it differs by from its moving median."""
    around = np.lib.stride_tricks.sliding_window_view(np.pad(losses, 10, mode="edge"), 21)
    middle = np.median(around, axis=1)
    return middle + times * (losses - middle)


def healthy(runs: Sequence[PublishedRun], noise: float) -> list[Sample]:
    return [Sample(noisier(run.losses, noise)) for run in runs]


def climbing(samples: Sequence[Sample]) -> Iterator[Sample]:
    """From the onset on the loss climbs, by 0.3 to 3 nats, with a time constant of 5 to 50 logs."""
    random = np.random.default_rng(1)
    for sample in samples:
        onset, numbers = _onset(sample, random)
        height, pace = _between(random, 0.3, 3), _between(random, 5, 50)
        climb = height * -np.expm1(-np.maximum(0, numbers - onset) / pace)
        yield replace(sample, losses=sample.losses + climb, onset=onset)


def with_spike(samples: Sequence[Sample]) -> Iterator[Sample]:
    """From the onset on 3 to 10 losses lie 0.5 to 3 nats higher."""
    random = np.random.default_rng(2)
    for sample in samples:
        onset, numbers = _onset(sample, random)
        last = onset + random.integers(3, 11)
        height = random.uniform(0.5, 3) * ((onset <= numbers) & (numbers < last))
        yield replace(sample, losses=sample.losses + height, onset=onset)


def jumping(samples: Sequence[Sample]) -> Iterator[Sample]:
    """From the onset on all losses lie 0.5 to 3 nats higher."""
    random = np.random.default_rng(3)
    for sample in samples:
        onset, numbers = _onset(sample, random)
        height = random.uniform(0.5, 3) * (numbers >= onset)
        yield replace(sample, losses=sample.losses + height, onset=onset)


def _between(random: np.random.Generator, low: float, high: float) -> float:
    """As likely in each octave."""
    return math.exp(random.uniform(math.log(low), math.log(high)))


def _onset(sample: Sample, random: np.random.Generator) -> tuple[int, Array]:
    count = len(sample.losses)
    return int(random.uniform(0.3, 0.6) * count), np.arange(count, dtype=np.float64)


def wandering(seed: int, correlation: float) -> Array:
    drawn = np.random.default_rng(seed).standard_normal(_WANDERING_LENGTH)
    noise = np.empty_like(drawn)
    noise[0] = drawn[0]
    for at in range(1, len(drawn)):
        noise[at] = correlation * noise[at - 1] + np.sqrt(1 - correlation**2) * drawn[at]
    return 1 + 3 * np.exp(-np.arange(len(drawn)) / 200) + 0.1 * noise
