"""allennlp.training.learning_rate_schedulers"""

from functools import cache
from typing import Any

from oracle.drivers import from_optimizer, without_init
from oracle.isolation import absent
from oracle.table import Pair, Peer

PEER = Peer("AN", "AllenNLP", package="allennlp")


@cache
def _names() -> dict[str, Any]:
    for package in ("allennlp", "allennlp.training", "allennlp.common"):
        without_init(package)
    absent("allennlp.training.optimizers", "allennlp.common.file_utils", "allennlp.common.util")
    absent("cached_path", "lmdb", "spacy")
    from allennlp.training import learning_rate_schedulers

    return vars(learning_rate_schedulers)


def rates(call: str, count: int, base: float) -> list[float]:
    names = _names()
    by_batch = (names["NoamLR"], names["PolynomialDecay"], names["SlantedTriangular"])

    def at_the_first_update(scheduler: Any) -> Any:
        if isinstance(scheduler, by_batch):
            scheduler.step_batch(1)
        return scheduler

    def advance(scheduler: Any, t: int) -> None:
        # The trainer calls step_batch before each update, and step after each epoch.
        if not isinstance(scheduler, by_batch) or (t + 1) % _EPOCH == 0:
            scheduler.step()
        if isinstance(scheduler, by_batch):
            scheduler.step_batch(t + 2)

    names = {**names, "at_the_first_update": at_the_first_update}
    return from_optimizer(f"at_the_first_update({call})", names, count, base, advance)


_EPOCH = 10  # batches
_BATCHES = "Counts from 1."
_EPOCHS = "Positions are epochs."
_INCLUDES = f"{_BATCHES} All epochs together include the warmup."

PAIRS = (
    Pair(1, "ConstantLearningRateScheduler(optimizer)", "Constant()", ({},)),
    Pair(
        3,
        "LinearWithWarmup(optimizer, num_epochs={k}, num_steps_per_epoch={m}, warmup_steps={w})",
        "(Warmup({w}) >> Linear({k * m - w})).skip(1)",
        ({"k": 3, "m": 10, "w": 4}, {"k": 1, "m": 17, "w": 0}),
        difference=_INCLUDES,
    ),
    Pair(
        4,
        "PolynomialDecay(optimizer, num_epochs={k}, num_steps_per_epoch={m}, power={p}, "
        "warmup_steps={w}, end_learning_rate={e})",
        "(Warmup({w}) >> Polynomial({k * m - w}, {p}, end={e})).skip(1)",
        (
            {"k": 3, "m": 10, "w": 4, "p": 2, "e": 0},
            {"k": 1, "m": 17, "w": 0, "p": 0.7, "e": 0.1},
        ),
        difference=f"{_INCLUDES} end_learning_rate is a rate.",
    ),
    Pair(
        9,
        "CosineWithWarmupLearningRateScheduler(optimizer, {w}, {n})",
        "Warmup({w}) >> Cosine({n - w})",
        ({"w": 3, "n": 20}, {"w": 0, "n": 17}),
        difference=f"{_EPOCHS} They include the warmup.",
        fault="Past the end it rises again.",
        agrees_until="n + 1",
    ),
    Pair(
        12,
        "CosineWithWarmupLearningRateScheduler(optimizer, {w}, {n}, num_cycles={c})",
        "Warmup({w}) >> warmup_cosine({n - w}, num_cycles={c})",
        ({"w": 3, "n": 43, "c": 1.5}, {"w": 0, "n": 40, "c": 2.25}),
        difference=f"{_EPOCHS} They include the warmup.",
        fault="Past the end the wave goes on.",
        agrees_until="n + 1",
    ),
    Pair(
        16,
        "ExponentialLearningRateScheduler(optimizer, gamma={g})",
        "Exponential({g})",
        ({"g": 0.97},),
        difference=_EPOCHS,
    ),
    Pair(
        25,
        "NoamLR(optimizer, model_size={d}, warmup_steps={w}, factor={s})",
        "noam({d}, {w}, scale={s})",
        ({"d": 512, "w": 10, "s": 2}, {"d": 64, "w": 7, "s": 0.5}),
        difference="The same numbers.",
    ),
    Pair(
        30,
        "StepLearningRateScheduler(optimizer, step_size={n}, gamma={g})",
        "Step({n}, {g})",
        ({"n": 30, "g": 0.5},),
        difference=_EPOCHS,
    ),
    Pair(
        31,
        "MultiStepLearningRateScheduler(optimizer, milestones=[{a}, {b}], gamma={g})",
        "MultiStep({dict([(a, g), (b, g)])})",
        ({"a": 10, "b": 25, "g": 0.1},),
        difference=_EPOCHS,
        count="50",
    ),
    Pair(
        43,
        "SlantedTriangular(optimizer, num_epochs={k}, num_steps_per_epoch={m}, cut_frac={f}, "
        "ratio={r})",
        "(Linear({int(k * m * f)}, {1 / r}, 1)"
        " >> Linear({k * m - int(k * m * f)}, 1, {1 / r})).skip(1)",
        ({"k": 3, "m": _EPOCH, "f": 0.1, "r": 32}, {"k": 2, "m": _EPOCH, "f": 0.27, "r": 5}),
        difference=f"{_BATCHES} The rise is cut to whole steps.",
    ),
    Pair(
        55,
        "CosineWithRestarts(optimizer, t_initial={n}, t_mul={m}, eta_min={e}, eta_mul={d})",
        "Cosine({n}, 0, {e}).repeat(stretch={m}) + Cosine({n}).repeat(stretch={m}, shrink={d})",
        (
            {"n": 8, "m": 1, "e": 0, "d": 0.5},
            {"n": 5, "m": 2, "e": 0.1, "d": 0.8},
            {"n": 6, "m": 1, "e": 0.1, "d": 1},
        ),
        difference=f"{_EPOCHS} eta_min is a rate and does not shrink; cycles are cut to whole "
        "epochs.",
        count="100",
    ),
    Pair(
        55,
        "CosineHardRestartsWithWarmupLearningRateScheduler(optimizer, {w}, {n}, num_cycles={k})",
        "Warmup({w}) >> Cosine({(n - w) // k}).repeat({k})",
        ({"w": 4, "n": 36, "k": 4}, {"w": 0, "n": 24, "k": 3}),
        difference=f"{_EPOCHS} They include the warmup.",
    ),
    Pair(
        71,
        "ConstantWithWarmupLearningRateScheduler(optimizer, {w})",
        "Warmup({w})",
        ({"w": 9}, {"w": 1}),
        difference=_EPOCHS,
    ),
)
