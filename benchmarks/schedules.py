"""Evaluating a schedule: one position, and a million."""

import math
import warnings

import array_api_compat
import numpy as np
import torch
from torch.optim.lr_scheduler import CosineAnnealingLR, LinearLR, SequentialLR

from benchmarks.timing import medians
from stepsize import Cosine, Hold, Warmup

STEPS = 1_000_000
SCHEDULE = Warmup(50_000) >> Hold(450_000) >> Cosine(500_000, end=0.1)


def in_numpy(t: np.ndarray) -> np.ndarray:
    wave = 0.1 + 0.9 * (1 + np.cos(np.pi * np.minimum((t - 500_000) / 500_000, 1))) / 2
    return np.where(t < 50_000, t / 50_000, np.where(t < 500_000, 1.0, wave))


def in_torch(steps: int) -> None:
    optimizer = torch.optim.SGD([torch.zeros(1)], lr=1.0)
    parts = [
        LinearLR(optimizer, 0.1, 1.0, steps // 2),
        CosineAnnealingLR(optimizer, steps // 2, eta_min=0.1),
    ]
    scheduler = SequentialLR(optimizer, parts, [steps // 2])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # "scheduler.step() before optimizer.step()": on purpose
        for _ in range(steps):
            scheduler.step()


def rows() -> list[tuple[str, float, str, str]]:
    positions = np.arange(STEPS, dtype=np.float64)
    many = medians(
        {
            "ours": lambda: SCHEDULE.values(STEPS),
            "numpy": lambda: in_numpy(positions),
            "torch": lambda: in_torch(STEPS // 50),
        },
        calls=1,
    )
    curve, place = Cosine(500_000, end=0.1), np.float64(250_000)
    namespace = array_api_compat.array_namespace(place)
    one = medians(
        {
            "three parts": lambda: SCHEDULE(700_000),
            "cosine": lambda: curve(250_000),
            "math": lambda: 0.1 + 0.9 * (1 + math.cos(math.pi * (250_000 / 500_000))) / 2,
            "namespace": lambda: namespace.cos(namespace.asarray(math.pi * (250_000 / 500_000))),
        },
        calls=20_000,
    )
    return [
        (
            "a million positions of three parts / the same in NumPy",
            many["ours"] / many["numpy"],
            "×",
            "<= 3",
        ),
        (
            "a million positions, torch's SequentialLR / ours",
            50 * many["torch"] / many["ours"],
            "×",
            "",
        ),
        ("a million positions", many["ours"] * 1e3, "ms", ""),
        ("one position of three parts", one["three parts"] * 1e6, "µs", ""),
        ("one position of a cosine", one["cosine"] * 1e6, "µs", ""),
        ("one cosine, math alone", one["math"] * 1e6, "µs", ""),
        ("one cosine, through the array namespace, alone", one["namespace"] * 1e6, "µs", ""),
    ]
