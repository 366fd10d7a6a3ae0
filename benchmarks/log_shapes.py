"""Logs as people have them, healthy and with one fault: what the generator of runs does not make.

The noisy quadratic of ``benchmarks/synthetic_runs.py`` gives whole logs of clean runs. Here are
fine-tuning with a fast start, logs that were resumed, heavy-tailed noise, gaps, means of epochs,
restarts, single odd batches, and few evaluations. The curves are formulas with noise.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

__all__ = ["FAULTY", "HEALTHY", "ShapedLog"]

Array: TypeAlias = NDArray[np.float64]
Curve: TypeAlias = tuple[Array, Array]
Random: TypeAlias = np.random.Generator


@dataclass(frozen=True)
class ShapedLog:
    """The curves of a log.

    Args:
        quantities: The rates.
        metrics: The losses.
        unit: What positions count.
        steps: How many were planned, where the log says so.
    """

    quantities: Mapping[str, Curve]
    metrics: Mapping[str, Curve]
    unit: str = "step"
    steps: float | None = None


@dataclass
class _Draft:
    """A log in the making: its positions, rates, expected loss and the noise of a point."""

    at: Array
    rates: Array
    loss: Array
    noise: float

    def log(
        self,
        random: Random,
        *,
        first: int = 0,
        end: int | None = None,
        unit: str = "step",
        steps: float | None = None,
        **metrics: Curve,
    ) -> ShapedLog:
        part = slice(first, end)
        seen = self.loss + self.noise * random.standard_normal(len(self.loss))
        curves = {"loss": (self.at[part], seen[part]), **metrics}
        return ShapedLog({"lr": (self.at[part], self.rates[part])}, curves, unit, steps)


def _shape(kind: str, count: int, warmup: int) -> Array:
    at = np.arange(float(count))
    after = np.clip((at - warmup) / max(1, count - warmup), 0, 1)
    shapes = {
        "cosine": (1 + np.cos(np.pi * after)) / 2,
        "cosine to a tenth": 0.1 + 0.45 * (1 + np.cos(np.pi * after)),
        "linear": 1 - after,
        "cooldown": np.minimum(1, (count - at) / (0.2 * count)),
        "steps": np.where(after < 0.5, 1, np.where(after < 0.75, 0.1, 0.01)),
        "inverse root": np.minimum(1, np.sqrt(max(warmup, 1) / (at + 1))),
        "exponential": 0.01**after,
        "constant": np.ones(count),
    }
    return np.minimum((at + 1) / max(1, warmup), 1) * shapes[kind]


def _loss(random: Random, rates: Array, start: float, floor: float, gain: float) -> Array:
    """A power law in the summed rate, and the noise that a decay takes away."""
    spent = np.cumsum(rates) / rates.sum()
    left = (1 + spent / 0.005) ** -random.uniform(0.3, 0.7)
    return floor + (start - floor) * left + gain * rates * (1 - 1 / (1 + spent / 0.005))


def _draft(
    random: Random, kind: str | None = None, count: int | None = None, noise: float | None = None
) -> _Draft:
    count = count or int(random.choice([120, 250, 500, 1_000]))
    kind = kind or str(
        random.choice(["cosine", "cosine to a tenth", "linear", "cooldown", "steps"])
    )
    rates = _shape(kind, count, int(count * random.uniform(0.01, 0.08)))
    start = random.uniform(2, 11)
    floor = start * random.uniform(0.15, 0.4)
    loss = _loss(random, rates, start, floor, (start - floor) * random.uniform(0.03, 0.08))
    scatter = (random.uniform(0.002, 0.05) if noise is None else noise) * floor
    every = int(random.choice([1, 10, 50]))
    at = np.arange(float(count)) * every
    return _Draft(at, rates * 10 ** random.uniform(-5, -1), loss, scatter)


# ------------------------------------------------------------------ healthy


def _whole(random: Random) -> ShapedLog:
    return _draft(random).log(random)


def _heavy_tails(random: Random) -> ShapedLog:
    draft = _draft(random)
    draft.loss += draft.noise * random.standard_t(2.5, len(draft.loss))
    return draft.log(random)


def _resumed(random: Random) -> ShapedLog:
    draft = _draft(random, count=1_000)
    return draft.log(random, first=int(random.uniform(300, 800)))


def _fine_tuning(random: Random) -> ShapedLog:
    count, epochs = int(random.integers(60, 400)), int(random.integers(1, 4))
    at = np.arange(1.0, count + 1)
    level, passed = random.uniform(0.3, 2), at / count * epochs
    loss = level * (1 - 0.12 * np.floor(passed) - 0.03 * (passed % 1))
    loss += level * random.uniform(0.5, 4) * np.exp(-at / random.uniform(1, 6))
    rates = 2e-5 * _shape("linear", count, int(0.03 * count))
    return _Draft(at * 10, rates, loss, level * random.uniform(0.03, 0.12)).log(random)


def _few_epochs(random: Random) -> ShapedLog:
    count = int(random.integers(3, 12))
    loss = np.linspace(2, 1, count) ** 1.5
    draft = _Draft(np.arange(float(count)), 1e-3 * _shape("linear", count, 0), loss, 0.03)
    held = loss * 1.1 * (1 + 0.02 * random.standard_normal(count))
    return draft.log(random, unit="epoch", val_loss=(draft.at, held))


def _restarts(random: Random) -> ShapedLog:
    period = int(random.choice([200, 400]))
    rates = 0.5 * (1 + np.cos(np.pi * (np.arange(800) % period) / period))
    loss = _loss(random, rates, 8, 2, 0.8)
    return _Draft(np.arange(800.0) * 10, 1e-3 * rates, loss, 0.03).log(random)


def _odd_batches(random: Random) -> ShapedLog:
    draft = _draft(random, count=600, noise=0.05)
    places = random.integers(3, 590, 4)
    draft.loss[places] += draft.noise * random.uniform(4, 10, 4)
    return draft.log(random)


def _gaps(random: Random) -> ShapedLog:
    draft = _draft(random, count=503)
    held = np.where(np.arange(503) % 50 == 0, 1.02 * draft.loss, np.nan)
    draft.loss[np.arange(503) % 5 != 0] = np.nan
    return draft.log(random, val_loss=(draft.at, held))


def _endless_decay(random: Random) -> ShapedLog:
    return _draft(random, str(random.choice(["inverse root", "exponential"]))).log(random)


def _fitted(random: Random) -> ShapedLog:
    at = np.arange(200.0)
    loss = 2.3 * np.exp(-at / 15) + 0.003 * np.abs(random.standard_normal(200))
    return _Draft(at, np.full(200, 1e-3), loss, 0.0).log(random)


# ------------------------------------------------------------------ faulty


def _exploded(random: Random) -> ShapedLog:
    draft = _draft(random)
    count = len(draft.loss)
    since = int(count * random.uniform(0.15, 0.9))
    rise = 1 - np.exp(-np.arange(count - since) / (0.02 * count))
    top = draft.loss[0] * random.uniform(0.8, 2)
    draft.loss[since:] += (top - draft.loss[since:]) * rise
    return draft.log(random)


def _not_finite(random: Random) -> ShapedLog:
    draft = _draft(random)
    draft.loss[int(len(draft.loss) * random.uniform(0.1, 1)) - 1 :] = np.nan
    return draft.log(random)


def _evaluations_not_finite(random: Random) -> ShapedLog:
    draft = _draft(random, count=500)
    held = 1.02 * draft.loss[::25]
    held[int(random.integers(3, 15)) :] = np.nan
    return draft.log(random, val_loss=(draft.at[::25], held))


def _worsened_slowly(random: Random) -> ShapedLog:
    count = int(random.integers(150, 600))
    part = np.arange(count) / count
    loss = 2 + 3 * np.exp(-30 * part) + random.uniform(0.2, 1) * np.maximum(part - 0.1, 0)
    rates = 1e-3 * _shape("constant", count, 5)
    return _Draft(np.arange(float(count)) * 10, rates, loss, 0.03).log(random)


def _both_evaluations_rise(random: Random) -> ShapedLog:
    draft = _draft(random, "cosine", 300)
    at, part = draft.at[::6], np.arange(0, 300, 6) / 300
    risen = draft.loss[::6] + draft.loss[0] * np.maximum(part - 0.5, 0) * random.uniform(1, 2)
    evaluations = {"train/loss": (at, risen), "val/loss": (at, 1.02 * risen)}
    return draft.log(random, **evaluations)


def _overfitting(random: Random) -> ShapedLog:
    count = int(random.integers(4, 40))
    turn = random.integers(0, max(1, count - 3))
    away = np.arange(count) - turn
    held = 0.3 + 0.03 * np.abs(away) * np.where(away < 0, 1.5, 1)
    held += 0.003 * random.standard_normal(count)
    at = np.arange(1.0, 201) * 25
    loss = 0.3 * np.exp(-np.arange(200) / 40) + 0.003
    draft = _Draft(at, 2e-5 * _shape("linear", 200, 6), loss, 0.002)
    return draft.log(random, eval_loss=(np.linspace(5_000 / count, 5_000, count), held))


def _cut_off(random: Random) -> ShapedLog:
    draft = _draft(random, str(random.choice(["cosine", "linear"])), 500)
    planned = float(draft.at[-1]) + 1
    end = int(random.uniform(180, 320))
    return draft.log(random, end=end, steps=planned if random.random() < 0.5 else None)


def _constant(random: Random) -> ShapedLog:
    return _draft(random, "constant").log(random)


def _spiking(random: Random) -> ShapedLog:
    draft = _draft(random, count=500)
    for place in random.integers(50, 470, 3):
        size = (draft.loss[0] - draft.loss[-1]) * random.uniform(0.3, 1)
        draft.loss[place : place + 12] += size * np.exp(-np.arange(12) / random.uniform(1, 4))
    return draft.log(random)


HEALTHY: Final[tuple[Callable[[Random], ShapedLog], ...]] = (
    *(_whole, _heavy_tails, _resumed, _fine_tuning, _few_epochs, _restarts, _odd_batches, _gaps),
    *(_endless_decay, _fitted),
)

FAULTY: Final[Mapping[Callable[[Random], ShapedLog], frozenset[str]]] = {
    _exploded: frozenset({"diverged"}),
    _not_finite: frozenset({"diverged"}),
    _evaluations_not_finite: frozenset({"diverged"}),
    _worsened_slowly: frozenset({"diverged"}),
    _both_evaluations_rise: frozenset({"diverged"}),
    _overfitting: frozenset({"overfitting"}),
    _cut_off: frozenset({"ended_before_cooldown"}),
    _constant: frozenset({"never_decayed", "plateau_at_high_rate"}),
    _spiking: frozenset({"spikes"}),
}
"""By maker, the findings of which one at least must be there."""
