"""How good the plans are: replayed on published runs, whose final losses are known.

A rate's regret is what the loss at that rate exceeds the best by, on the parabola over log rate
through a cell's three lowest losses.
"""

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import mean, median
from typing import Final

import numpy as np

from benchmarks.published_curves import Cell, Losses, cells, constant_runs, curves_folder
from stepsize import Constant, Linear, Schedule, Warmup, wsd
from stepsize.estimates import Estimate
from stepsize.plan import Extension, adamw_timescale, bound, extension, step_law, transfer

__all__ = [
    "BASE_STEPS",
    "RACES",
    "Parabola",
    "Transferred",
    "extensions",
    "gaps_and_losses",
    "priors",
    "race",
    "rank_correlation",
    "rows",
    "transferred",
    "tuned_cell",
]

RACES: Final = (2_000, 3_000, 4_000, 5_000, 6_000, 8_000, 10_000)
RACE_EXPONENT: Final = 0.25
BASE_STEPS: Final = 10_000
# What this model's own cells show; transfer's default, 0, is for a model that was not measured.
MODEL_EXPONENT: Final = 0.2
# The published 124M model: without embeddings, with them, and tokens per step.
NON_EMBEDDING: Final = 84.9e6
PARAMETERS: Final = 123.6e6
TOKENS_PER_STEP: Final = 200 * 512


@dataclass(frozen=True)
class Parabola:
    """Loss over log rate."""

    curvature: float
    slope: float
    offset: float

    @classmethod
    def through_the_lowest(cls, losses: Losses) -> "Parabola":
        """Through the lowest loss and its two neighbours."""
        rates, values = np.log(list(losses)), np.array(list(losses.values()))
        middle = min(max(int(np.argmin(values)), 1), len(values) - 2)
        near = slice(middle - 1, middle + 2)
        return cls(*(float(each) for each in np.polyfit(rates[near], values[near], 2)))

    @property
    def best(self) -> float:
        """The rate with the lowest loss."""
        return float(np.exp(-self.slope / (2 * self.curvature)))

    @property
    def lowest(self) -> float:
        """The loss there."""
        return self.offset - self.slope**2 / (4 * self.curvature)

    def regret(self, rate: float) -> float:
        """What the loss at ``rate`` exceeds the lowest by."""
        return self.curvature * float(np.log(rate / self.best)) ** 2


@dataclass(frozen=True)
class Transferred:
    """A rate carried over to a cell, and what is known of the cell."""

    cell: Cell
    rate: Estimate
    best: float
    regret: float
    kept: float
    """The regret of not transferring: the old rate as it is."""


# ------------------------------------------------------------------ replays


def tuned_cell(found: Iterable[Cell]) -> Cell:
    """Where the rate was tuned once: linear cooldown over 20 %, 25k steps."""
    return next(cell for cell in found if (cell.shape, cell.steps) == ("linear 20 %", 25_000))


def transferred(found: Sequence[Cell], exponent: float = MODEL_EXPONENT) -> list[Transferred]:
    """The rate tuned in one cell, transferred to every other one."""
    source = tuned_cell(found)
    rate = Parabola.through_the_lowest(source.losses).best
    return [
        _carried(rate, (source.schedule, source.steps), cell, exponent)
        for cell in found
        if cell is not source
    ]


def race(
    found: Sequence[Cell], losses: Losses, steps: int, exponent: float = RACE_EXPONENT
) -> list[Transferred]:
    """A race of the constant rates over the first steps, its winner transferred to every cell."""
    rate = Parabola.through_the_lowest(losses).best
    run = (Warmup(301).skip(1) >> Constant(), steps)
    return [_carried(rate, run, cell, exponent) for cell in found]


def _carried(rate: float, from_: tuple[Schedule, int], cell: Cell, exponent: float) -> Transferred:
    estimate = transfer(rate, from_=from_, to=(cell.schedule, cell.steps), exponent=exponent)
    curve = Parabola.through_the_lowest(cell.losses)
    return Transferred(cell, estimate, curve.best, curve.regret(estimate.value), curve.regret(rate))


def extensions() -> dict[int, Extension]:
    """A run with a cooldown of 20 %, made two and four times as long from its middle on."""
    planned = wsd(BASE_STEPS, warmup=0, cooldown=BASE_STEPS // 5)
    return {
        times: extension(planned, at=BASE_STEPS // 2, new_total=times * BASE_STEPS)
        for times in (2, 4)
    }


def gaps_and_losses(found: Iterable[Cell]) -> dict[int, tuple[list[float], list[float]]]:
    """By horizon, the bound's gap of each cell and the lowest loss of its parabola."""
    table: dict[int, tuple[list[float], list[float]]] = {}
    for cell in found:
        gaps, losses = table.setdefault(cell.steps, ([], []))
        gaps.append(bound(cell.schedule, cell.steps).gap)
        losses.append(Parabola.through_the_lowest(cell.losses).lowest)
    return table


def rank_correlation(a: Sequence[float], b: Sequence[float]) -> float:
    """Spearman's, for numbers without ties."""
    ranks = [np.argsort(np.argsort(each)) for each in (a, b)]
    return float(np.corrcoef(*ranks)[0, 1])


def priors(found: Iterable[Cell]) -> tuple[float, dict[str, Estimate]]:
    """The best rate of cosine to zero over 50k steps, and what the priors say of that run."""
    cell = next(each for each in found if (each.shape, each.steps) == ("cosine to 0", 50_000))
    tokens = cell.steps * TOKENS_PER_STEP
    return Parabola.through_the_lowest(cell.losses).best, {
        "step_law": step_law(NON_EMBEDDING, tokens),
        "adamw_timescale": adamw_timescale(0.1, cell.steps, tokens / PARAMETERS),
    }


# ------------------------------------------------------------------ rows


def rows() -> list[tuple[str, float, str, str]]:
    """Return (name, value, unit, aim)."""
    table = [("bound of a million steps", _seconds(), "s", "< 1"), *_extension_rows()]
    folder = curves_folder()
    if folder is None:
        return table
    found = [cell for cell in cells(folder) if cell.shape != "constant"]
    carried = transferred(found)
    runs = constant_runs(folder)
    raced = [each for steps in RACES for each in race(found, runs[steps], steps)]
    for name, each, aim in (
        ("transfer from linear 20 %, 25k", carried, "≤ 0.0006"),
        ("race, then transfer", raced, "≤ 0.0005"),
    ):
        kept, regrets = [one.kept for one in each], [one.regret for one in each]
        table += [
            (f"{name}: mean regret", mean(regrets), "nats", aim),
            (f"{name}: largest regret", max(regrets), "nats", "≤ 0.004"),
            ("the same without the transfer: mean regret", mean(kept), "nats", ""),
            ("the same without the transfer: largest regret", max(kept), "nats", ""),
        ]
    return table


def _seconds() -> float:
    each: list[float] = []
    for _ in range(5):
        began = time.perf_counter()
        bound(Linear(1_000_000), 1_000_000)
        each.append(time.perf_counter() - began)
    return median(each)


def _extension_rows() -> list[tuple[str, float, str, str]]:
    longer = extensions()
    return [
        ("twice as long: multiplier", longer[2].multiplier.value, "×", "0.53 ± 0.015"),
        ("four times as long: multiplier", longer[4].multiplier.value, "×", "0.375 ± 0.015"),
        (
            "twice as long: cooldown",
            longer[2].cooldown.value / (2 * BASE_STEPS),
            "of the run",
            "0.63 ± 0.015",
        ),
    ]
