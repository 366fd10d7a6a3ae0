"""Real trainings whose rates are right or wrong: a small network on the digits of scikit-learn.

A fifth of the labels is drawn at random, so that the loss has a floor above zero, as data have.
"""

from collections.abc import Iterator, Mapping
from typing import Final

import numpy as np
import torch
from sklearn.datasets import load_digits
from torch import nn

from benchmarks.synthetic_runs import SyntheticRun
from stepsize import Constant, Linear, Schedule, Warmup, linear_to_zero, warmup_cosine, wsd

__all__ = ["trainings"]

_STEPS: Final = 1_500
_WARMUP: Final = 75
_TRAINED: Final = 1_200
_BATCH: Final = 64
_LOGGED_EVERY: Final = 5
_EVALUATED_EVERY: Final = 50
_NARROW, _WIDE = 8, 128
# The best of a few rates, by the loss on held-out data.
_BASES: Final[Mapping[type[torch.optim.Optimizer], float]] = {
    torch.optim.AdamW: 0.01,
    torch.optim.SGD: 0.05,
}
_GOOD: Final = linear_to_zero(_STEPS, warmup=_WARMUP)
# By fault: the schedule, what the base rate is multiplied by, and the width of the network.
_SETTINGS: Final[tuple[tuple[str | None, Schedule, float, int], ...]] = (
    (None, _GOOD, 1, _NARROW),
    (None, warmup_cosine(_STEPS, warmup=_WARMUP), 1, _NARROW),
    (None, wsd(_STEPS, warmup=_WARMUP, cooldown=600), 1, _NARROW),
    ("rate_too_low", _GOOD, 1 / 30, _NARROW),
    ("rate_too_low", _GOOD, 1 / 100, _NARROW),
    ("rate_too_low", _GOOD, 1 / 300, _NARROW),
    ("diverged", _GOOD, 1_000, _NARROW),
    ("never_decayed", Warmup(_WARMUP).skip(1) >> Constant(), 1, _NARROW),
    ("decay_ended_early", linear_to_zero(600, warmup=_WARMUP), 1, _NARROW),
    ("ended_before_cooldown", linear_to_zero(2 * _STEPS, warmup=_WARMUP), 1, _NARROW),
    ("wrong_unit", linear_to_zero(30, warmup=3), 1, _NARROW),
    ("first_update_wasted", Warmup(_WARMUP) >> Linear(_STEPS - _WARMUP), 1, _NARROW),
    ("overfitting", _GOOD, 1, _WIDE),
)


def trainings(seeds: range) -> Iterator[SyntheticRun]:
    """A training of each setting, with each of two optimizers and from each of the seeds."""
    for optimizer, base in _BASES.items():
        for fault, schedule, times, width in _SETTINGS:
            for seed in seeds:
                yield _trained(fault, schedule, base * times, width, optimizer, seed)


def _trained(
    fault: str | None,
    schedule: Schedule,
    base: float,
    width: int,
    kind: type[torch.optim.Optimizer],
    seed: int,
) -> SyntheticRun:
    torch.manual_seed(seed)
    inputs, labels = _data()
    model = nn.Sequential(
        nn.Linear(64, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU(), nn.Linear(width, 10)
    )
    extra = {"momentum": 0.9} if kind is torch.optim.SGD else {}
    optimizer = kind(model.parameters(), lr=base, **extra)  # type: ignore[call-arg]
    rates = base * schedule.values(_STEPS)
    losses, evaluations = np.empty(_STEPS), []
    for step, rate in enumerate(rates):
        optimizer.param_groups[0]["lr"] = float(rate)
        chosen = torch.randint(0, _TRAINED, (_BATCH,))
        loss = nn.functional.cross_entropy(model(inputs[chosen]), labels[chosen])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses[step] = loss.item()
        if step % _EVALUATED_EVERY == 0 or step == _STEPS - 1:
            with torch.no_grad():
                held = nn.functional.cross_entropy(model(inputs[_TRAINED:]), labels[_TRAINED:])
            evaluations.append((step, held.item()))
    at = np.arange(0, _STEPS, _LOGGED_EVERY)
    evaluated, held_out = np.array(evaluations, np.float64).T
    return SyntheticRun(
        quantities={"lr": (at.astype(np.float64), rates[at])},
        metrics={"loss": (at.astype(np.float64), losses[at]), "val_loss": (evaluated, held_out)},
        faults=frozenset({fault} if fault else ()),
    )


def _data() -> tuple[torch.Tensor, torch.Tensor]:
    random = np.random.default_rng(0)
    inputs, labels = load_digits(return_X_y=True)
    order = random.permutation(len(labels))
    drawn = np.where(random.random(len(labels)) < 0.2, random.integers(0, 10, len(labels)), labels)
    return torch.tensor(inputs[order] / 16, dtype=torch.float32), torch.tensor(drawn[order])
