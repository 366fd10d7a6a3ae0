"""Runs whose faults are known: a noisy quadratic, trained under schedules that are right or wrong.

The loss is that of SGD on a quadratic with eigenvalues 1, 2^-a, 3^-a, …, in expectation over the
gradient noise (Zhang et al. 2019, arXiv 1907.04164), plus the noise of a batch's loss. So the rate
acts on the curve as it does in training: too high diverges, too low crawls, a decay lowers the
floor. What a quadratic has not (spikes, over-fitting, an early bump) is put on top of it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from stepsize import Constant, Cosine, Hold, Schedule, Warmup, linear_to_zero, warmup_cosine, wsd

__all__ = ["FAULTS", "SyntheticRun", "healthy_run", "run_with", "tuned_rate"]

Array: TypeAlias = NDArray[np.float64]
Curve: TypeAlias = tuple[Array, Array]
Random: TypeAlias = np.random.Generator

# With many eigenvalues the loss falls to the end, as that of a language model; with few it reaches
# the level at which the noise of the gradient holds it.
_MANY: Final = np.arange(1.0, 301.0) ** -1.3
_FEW: Final = np.arange(1.0, 11.0) ** -1.3
_FLOOR: Final = 0.4
_NOISE: Final = 0.3
_LOGGED: Final = 400
_EVALUATED: Final = 40


@dataclass(frozen=True)
class SyntheticRun:
    """The curves of one run, and what is wrong with it.

    Args:
        quantities: The rates.
        metrics: The losses and what else was measured.
        faults: The rules that must speak.
        allowed: The rules that may speak: what they say follows from the fault.
        steps: How many steps were planned, where the log says so.
    """

    quantities: Mapping[str, Curve]
    metrics: Mapping[str, Curve]
    faults: frozenset[str] = frozenset()
    allowed: frozenset[str] = frozenset()
    steps: int | None = None


@dataclass
class _Draft:
    """A run in the making: everything at every step."""

    random: Random
    rates: Array
    loss: Array
    noise: float
    evaluation_noise: float
    gap: Array = field(default_factory=lambda: np.zeros(0))
    metrics: dict[str, Curve] = field(default_factory=dict[str, Curve])
    groups: dict[str, Curve] = field(default_factory=dict[str, Curve])

    def finished(
        self, *faults: str, allowed: tuple[str, ...] = (), steps: int | None = None
    ) -> SyntheticRun:
        total = len(self.rates)
        every = max(1, total // _LOGGED)
        logged = np.unique(np.append(np.arange(0, total, every), total - 1))
        at = logged.astype(np.float64)
        drawn = self.random.standard_normal(len(logged))
        seen = self.loss[logged] * (1 + self.noise * drawn)
        evaluated = np.unique(np.linspace(0, total - 1, _EVALUATED).astype(int))
        gap = self.gap if len(self.gap) else np.zeros(total)
        drawn = self.random.standard_normal(len(evaluated))
        held = 1.02 * (self.loss + gap)[evaluated] + self.evaluation_noise * drawn
        return SyntheticRun(
            quantities={"lr": (at, self.rates[logged]), **self.groups},
            metrics={
                "loss": (at, seen),
                "val_loss": (evaluated.astype(np.float64), held),
                **self.metrics,
            },
            faults=frozenset(faults),
            allowed=frozenset(allowed),
            steps=steps,
        )


def expected_loss(rates: Array, modes: Array = _MANY) -> Array:
    """The loss before each step, in expectation: shape (steps,), as ``rates``."""
    second = np.full(len(modes), 1.5)
    losses = np.empty(len(rates))
    shrink = (1 - np.outer(rates, modes)) ** 2
    added = np.outer(rates**2, _NOISE * modes)
    for step in range(len(rates)):
        losses[step] = modes @ second
        second = shrink[step] * second + added[step]
    return _FLOOR + losses / 2


@cache
def tuned_rate(steps: int) -> float:
    """The peak rate with the lowest final loss under a linear decay, to a factor of 1.4."""
    shape = linear_to_zero(steps, warmup=steps // 20).values(steps)
    grid = 1.2 / 1.4 ** np.arange(20)
    return float(min(grid, key=lambda rate: expected_loss(rate * shape)[-1]))


def healthy_run(random: Random) -> SyntheticRun:
    """A run with a good rate and a schedule that ends with it."""
    return _healthy(random).finished()


def run_with(fault: str, random: Random) -> SyntheticRun:
    """A run with one fault, and a good rate and schedule otherwise where the fault allows it."""
    return _MAKERS[fault](random)


# ------------------------------------------------------------------ the pieces


def _steps(random: Random) -> int:
    return int(random.choice([1_000, 2_000, 4_000]))


def _good_shape(random: Random, steps: int) -> Schedule:
    warmup = max(2, int(steps * random.uniform(0.02, 0.08)))
    shapes = (
        lambda: linear_to_zero(steps, warmup=warmup),
        lambda: warmup_cosine(steps, warmup=warmup),
        lambda: warmup_cosine(steps, warmup=warmup, end=0.1),
        lambda: wsd(steps, warmup=warmup, cooldown=steps // 4),
    )
    return shapes[random.integers(len(shapes))]()


def _draft(
    random: Random, rates: Array, modes: Array = _MANY, noise: float | None = None
) -> _Draft:
    # In another model's units every rate is larger or smaller; the loss is the same.
    unit = 10.0 ** random.uniform(-4, 0)
    return _Draft(
        random=random,
        rates=rates * unit,
        loss=expected_loss(rates, modes),
        noise=float(random.uniform(0.01, 0.05)) if noise is None else noise,
        evaluation_noise=float(random.uniform(0.001, 0.005)),
    )


def _healthy(random: Random, steps: int | None = None) -> _Draft:
    steps = steps or _steps(random)
    peak = tuned_rate(steps) * random.uniform(0.5, 1.0)
    return _draft(random, peak * _good_shape(random, steps).values(steps))


def _scheduled(random: Random, schedule: Schedule, steps: int, times: float = 1.0) -> _Draft:
    return _draft(random, times * tuned_rate(steps) * schedule.values(steps))


# ------------------------------------------------------------------ the faults


def _diverged(random: Random) -> SyntheticRun:
    draft = _healthy(random)
    total = len(draft.rates)
    from_step = int(total * random.uniform(0.1, 0.7))
    after = np.arange(total - from_step, dtype=np.float64)
    kind = random.integers(3)
    if kind == 0:  # it explodes
        draft.loss[from_step:] *= np.exp(np.minimum(after / (0.02 * total), 30))
        draft.loss[draft.loss > 1e6] = np.nan
    elif kind == 1:  # not a number, all at once
        draft.loss[from_step:] = np.nan
    else:  # it climbs to a level and stays there
        top = draft.loss[0] * random.uniform(0.5, 0.9)
        share = 1 - np.exp(-after / (0.05 * total))
        draft.loss[from_step:] = draft.loss[from_step] * (1 - share) + top * share
    return draft.finished("diverged", allowed=("spikes", "plateau_at_high_rate", "overfitting"))


def _at_chance(random: Random) -> SyntheticRun:
    draft = _healthy(random)
    total = len(draft.rates)
    classes = int(random.choice([2, 10, 100, 1_000]))
    since = np.maximum(np.arange(total) - 3 * total // _LOGGED, 0)
    blown_up = random.uniform(0, 5) * np.exp(-since / (0.02 * total)) * (since > 0)
    draft.loss = np.log(classes) * (1 + blown_up * (random.random() < 0.5))
    draft.noise = float(random.uniform(0.001, 0.01))
    return draft.finished(
        "never_learnt", allowed=("diverged", "noisy_evaluation", "warmup_too_short")
    )


def _spikes(random: Random) -> SyntheticRun:
    draft = _healthy(random)
    total = len(draft.rates)
    count = random.integers(2, 6)
    lasts = max(2.0, 2.0 * total / _LOGGED)
    for middle in random.uniform(0.15, 0.95, count) * total:
        after = np.arange(total) - int(middle)
        bump = np.where(after >= 0, np.exp(-np.maximum(after, 0) / lasts), 0)
        draft.loss += bump * random.uniform(0.5, 2.0) * draft.loss[0]
    return draft.finished("spikes")


def _oscillation(random: Random) -> SyntheticRun:
    steps = _steps(random)
    shape = Warmup(steps // 20).skip(1) >> Constant()
    draft = _draft(random, tuned_rate(steps) * shape.values(steps), _FEW)
    period = steps * random.uniform(0.04, 0.1)
    swing = random.uniform(0.12, 0.3) * (draft.loss[0] - draft.loss[-1])
    reached = 1 - np.exp(-np.arange(steps) / (0.02 * steps))
    draft.loss += swing * reached * (1 + np.sin(2 * np.pi * np.arange(steps) / period))
    return draft.finished(
        "oscillation", allowed=("plateau_at_high_rate", "never_decayed", "noisy_evaluation")
    )


def _plateau(random: Random) -> SyntheticRun:
    steps = _steps(random)
    held = int(steps * random.uniform(0.75, 0.9))
    shape = Warmup(steps // 20).skip(1) >> Hold(held) >> Cosine(steps - held - steps // 20 + 1)
    peak = random.uniform(0.8, 1.2)
    noise = float(random.uniform(0.01, 0.03))
    draft = _draft(random, peak * shape.values(steps), _FEW, noise)
    return draft.finished("plateau_at_high_rate")


def _too_low(random: Random) -> SyntheticRun:
    steps = _steps(random)
    times = 10 ** -random.uniform(1.3, 2.5)
    draft = _scheduled(random, _good_shape(random, steps), steps, times)
    return draft.finished("rate_too_low", allowed=("noisy_evaluation",))


def _short_warmup(random: Random) -> SyntheticRun:
    steps = _steps(random)
    shape = wsd(steps, warmup=random.integers(1, 3), cooldown=steps // 2)
    draft = _scheduled(random, shape, steps)
    after = np.arange(steps, dtype=np.float64)
    bump = after / (0.01 * steps) * np.exp(1 - after / (0.01 * steps))
    draft.loss += draft.loss[0] * random.uniform(0.6, 1.5) * bump
    return draft.finished("warmup_too_short", allowed=("spikes",))


def _long_warmup(random: Random) -> SyntheticRun:
    steps = _steps(random)
    warmup = int(steps * random.uniform(0.7, 0.9))
    draft = _scheduled(random, Warmup(warmup).skip(1) >> Cosine(steps - warmup), steps, times=0.7)
    return draft.finished("warmup_too_long", allowed=("rate_too_low",), steps=steps)


def _ended_early(random: Random) -> SyntheticRun:
    steps = _steps(random)
    over = int(steps * random.uniform(0.35, 0.75))
    draft = _scheduled(random, _good_shape_to_zero(random, over), steps, times=0.7)
    return draft.finished("decay_ended_early")


def _good_shape_to_zero(random: Random, steps: int) -> Schedule:
    recipe = linear_to_zero if random.random() < 0.5 else warmup_cosine
    return recipe(steps, warmup=max(2, steps // 20))


def _never_decayed(random: Random) -> SyntheticRun:
    steps = _steps(random)
    draft = _scheduled(random, Warmup(steps // 20).skip(1) >> Constant(), steps, times=0.5)
    return draft.finished("never_decayed", allowed=("plateau_at_high_rate",))


def _before_cooldown(random: Random) -> SyntheticRun:
    steps = _steps(random)
    ran = int(steps * random.uniform(0.4, 0.85))
    known = random.random() < 0.5
    shape = (
        _good_shape(random, steps)
        if known
        else _good_shape_to_zero(random, int(ran / random.uniform(0.4, 0.65)))
    )
    draft = _draft(random, tuned_rate(steps) * shape.values(ran))
    return draft.finished(
        "ended_before_cooldown",
        allowed=("never_decayed", "plateau_at_high_rate"),
        steps=steps if known else None,
    )


def _wrong_unit(random: Random) -> SyntheticRun:
    steps = _steps(random)
    epochs = int(random.choice([10, 20, 40]))
    per_epoch = steps // epochs
    kind = random.integers(3)
    if kind == 0:  # epochs, counted as steps
        shape = (Warmup(2) >> Cosine(epochs)).values(steps)
    elif kind == 1:  # a cosine in epochs that climbs again
        # What is logged more seldom than its waves turn shows none of them.
        half_wave = max(epochs, 4 * steps // _LOGGED)
        shape = (1 + np.cos(np.pi * np.arange(steps) / half_wave)) / 2
    else:  # steps, counted as epochs
        shape = np.repeat(warmup_cosine(steps, warmup=steps // 10).values(epochs), per_epoch)
        shape = np.pad(shape, (0, steps - len(shape)), mode="edge")
    draft = _draft(random, tuned_rate(steps) * shape)
    at = np.arange(0, steps, max(1, steps // 100), dtype=np.float64)
    draft.metrics["epoch"] = (at, at / per_epoch)
    return draft.finished(
        "wrong_unit",
        allowed=("rate_too_low", "plateau_at_high_rate", "first_update_wasted", "never_decayed"),
    )


def _first_wasted(random: Random) -> SyntheticRun:
    steps = _steps(random)
    shape = Warmup(steps // 20) >> Cosine(steps - steps // 20)
    return _scheduled(random, shape, steps, times=0.7).finished("first_update_wasted")


def _overfitting(random: Random) -> SyntheticRun:
    draft = _healthy(random)
    total = len(draft.rates)
    turns = total * random.uniform(0.3, 0.6)
    beyond = np.maximum(np.arange(total) - turns, 0) / (total - turns)
    draft.gap = random.uniform(0.3, 1.0) * draft.loss[0] * beyond
    return draft.finished("overfitting")


def _barely_moving(random: Random) -> SyntheticRun:
    draft = _healthy(random)
    at = np.linspace(0, len(draft.rates) - 1, 50).astype(int)
    shape = draft.rates[at] / draft.rates.max()
    for index in range(random.integers(2, 5)):
        ratio = 10.0 ** random.uniform(-3.5, -2.5)
        if index == 0:
            ratio = 10.0 ** random.uniform(-6.5, -5.3)
        drawn = np.exp(0.2 * random.standard_normal(len(at)))
        name = f"update_ratio/block{index}"
        draft.metrics[name] = (at.astype(np.float64), ratio * shape * drawn)
    return draft.finished("group_barely_moving")


def _noisy_evaluation(random: Random) -> SyntheticRun:
    draft = _healthy(random)
    descent = draft.loss[0] - draft.loss[-1]
    draft.evaluation_noise = float(random.uniform(0.15, 0.3) * descent)
    return draft.finished("noisy_evaluation")


_MAKERS: Final[Mapping[str, Callable[[Random], SyntheticRun]]] = {
    "diverged": _diverged,
    "never_learnt": _at_chance,
    "spikes": _spikes,
    "oscillation": _oscillation,
    "plateau_at_high_rate": _plateau,
    "rate_too_low": _too_low,
    "warmup_too_short": _short_warmup,
    "warmup_too_long": _long_warmup,
    "decay_ended_early": _ended_early,
    "never_decayed": _never_decayed,
    "ended_before_cooldown": _before_cooldown,
    "wrong_unit": _wrong_unit,
    "first_update_wasted": _first_wasted,
    "overfitting": _overfitting,
    "group_barely_moving": _barely_moving,
    "noisy_evaluation": _noisy_evaluation,
}

FAULTS: Final = tuple(_MAKERS)
"""The names of the faults, each that of the rule that must speak."""
