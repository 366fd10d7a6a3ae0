"""speechbrain.nnet.schedulers"""

from functools import cache
from typing import Any

from oracle.drivers import without_init
from oracle.isolation import absent
from oracle.table import Pair, Peer

PEER = Peer("SB", "SpeechBrain", package="speechbrain")


@cache
def _names() -> dict[str, Any]:
    for package in ("speechbrain", "speechbrain.nnet"):
        without_init(package)
    absent("speechbrain.utils")
    from speechbrain.nnet import schedulers

    return vars(schedulers)


def rates(call: str, count: int, base: float) -> list[float]:
    import torch

    names = _names()
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=base)
    scheduler = eval(call, dict(names))
    by_epoch = (names["LinearScheduler"], names["StepScheduler"])
    by_update = (names["TriStageLRSchedule"], names["WarmCoolDecayLRSchedule"])

    def rate(t: int) -> float:
        if isinstance(scheduler, by_epoch):
            return scheduler(t)[1]
        if isinstance(scheduler, names["CyclicLRScheduler"]):
            return scheduler.clr(t)
        if isinstance(scheduler, by_update):
            scheduler(optimizer, t)
        else:
            scheduler(optimizer)
        return optimizer.param_groups[0]["lr"]

    return [float(rate(t)) for t in range(count)]


_FROM_ONE = "Called before each update, it counts from 1."
_EPOCHS = "Positions are epochs."
_DROPS = ({"a": 10, "b": 25, "x": 0.5, "y": 0.1},)

PAIRS = (
    Pair(
        3,
        "LinearScheduler(1.0, {e}, {n})",
        "Linear({n - 1}, end={e})",
        ({"n": 9, "e": 0.5}, {"n": 17, "e": 0}),
        difference=f"{_EPOCHS} The length is n - 1; past epoch n it raises IndexError. Its list is "
        "in single precision.",
        count="n + 1",
    ),
    Pair(
        3,
        "LinearWarmupScheduler(1.0, {w}, {n})",
        "(Warmup({w}) >> Linear({n - w})).skip(1)",
        ({"w": 3, "n": 20}, {"w": 0, "n": 17}),
        difference=f"{_FROM_ONE} num_training_steps includes the warmup.",
    ),
    Pair(
        9,
        "CyclicCosineScheduler({w}, lr_initial=1.0, total_steps={n})",
        "(Cosine({n}, 0, 1) >> Cosine({n})).repeat().skip({n - w + 1})",
        ({"w": 5, "n": 20}, {"w": 1, "n": 17}),
        difference=f"{_FROM_ONE} The warmup is the rising half of the wave, which goes on.",
        count="100",
    ),
    Pair(
        16,
        "WarmAndExpDecayLRSchedule(1.0, {w}, {n}, decay_factor={g})",
        "Warmup({w}) >> Exponential({g}, {n - w})",
        ({"w": 3, "n": 20, "g": 0.1}, {"w": 5, "n": 47, "g": 0.5}),
        difference="total_steps includes the warmup; past it the decay goes on.",
    ),
    Pair(
        17,
        "StepScheduler(1.0, half_life={h})",
        "Exponential(0.5, {h}).skip(1)",
        ({"h": 5}, {"h": 2.5}),
        difference=f"{_EPOCHS} Counts from 1.",
    ),
    Pair(
        18,
        "WarmCoolDecayLRSchedule(1.0, {w}, 1, 10**9, decay_factor={g}, decay_every={k})",
        "Warmup({w}) >> Exponential({g}, {k})",
        ({"w": 5, "g": 0.75, "k": 50}, {"w": 1, "g": 0.3, "k": 33}),
        difference="The decay of decay_every steps; written as exp(-g t).",
    ),
    Pair(
        19,
        "TriStageLRSchedule(1.0, 1, 0, {n}, {n + 1}, init_lr_scale={e}, final_lr_scale={e})",
        "Linear(1, {e}, 1) >> Exponential({e}, {n})",
        ({"n": 20, "e": 0.05}, {"n": 7, "e": 0.5}),
        difference="Past the end the decay goes on.",
    ),
    Pair(
        21,
        "LinearNoamScheduler(1.0, {w}, {k})",
        "(Warmup({w}) >> Hold({k}) >> InversePower({w}, 1)).skip(1)",
        ({"w": 10, "k": 5}, {"w": 3, "k": 0}),
        difference=_FROM_ONE,
    ),
    Pair(
        23,
        "NoamScheduler(1.0, {w})",
        "(Warmup({w}) >> InverseSqrt({w})).skip(1)",
        ({"w": 10}, {"w": 3}),
        difference=_FROM_ONE,
    ),
    Pair(
        24,
        "InverseSquareRootScheduler({w})",
        "(Hold({w}) >> InverseSqrt({w})).skip(1) * {1 / sqrt(w)}",
        ({"w": 10}, {"w": 3}),
        difference=f"{_FROM_ONE} Whatever the base rate.",
    ),
    Pair(
        25,
        "NoamScheduler({s}, {w}, model_size={d})",
        "noam({d}, {w}, scale={s})",
        ({"d": 512, "w": 10, "s": 2}, {"d": 64, "w": 7, "s": 0.5}),
        difference="lr_initial is the scale.",
    ),
    Pair(
        27,
        "NoamIntervalScheduler(1.0, {w}, [{a}, {b}], [{x}, {y}])",
        "(Warmup({w}) >> InverseSqrt({w})).skip(1) * MultiStep({dict([(a, x), (b, y)])})",
        ({"w": 10, "a": 20, "b": 35, "x": 0.5, "y": 0.1}, {"w": 3, "a": 2, "b": 7, "x": 2, "y": 1}),
        difference=f"{_FROM_ONE} The factors multiply after that many calls.",
    ),
    Pair(
        30,
        "StepScheduler(1.0, decay_factor={g}, decay_drop={n})",
        "Step({n}, {g}).skip(1)",
        ({"n": 10, "g": 0.1}, {"n": 7, "g": 0.5}),
        difference=f"{_EPOCHS} Counts from 1: the first drop is at n - 1.",
    ),
    Pair(
        32,
        "IntervalScheduler([dict(steps={a}, lr={x}), dict(steps={b}, lr={y})])",
        "Table([[{a - 1}, 1], [{b - a}, {x}], [1, {y}]])",
        _DROPS,
        difference="Rates; they hold from one position earlier, as it counts from 1.",
    ),
    Pair(
        51,
        "CyclicLRScheduler(base_lr={l}, max_lr=1.0, step_size={n})",
        "cyclic({n}, low={l})",
        ({"n": 10, "l": 0.1}, {"n": 7.5, "l": 0}),
        difference="base_lr and max_lr are rates.",
    ),
    Pair(
        52,
        'CyclicLRScheduler(base_lr={l}, max_lr=1.0, step_size={n}, mode="triangular2")',
        "cyclic({n}, low={l}, shrink=0.5)",
        ({"n": 10, "l": 0.1}, {"n": 7.5, "l": 0}),
        difference="base_lr and max_lr are rates.",
    ),
    Pair(
        53,
        'CyclicLRScheduler(base_lr={l}, max_lr=1.0, step_size={n}, mode="exp_range", gamma={g})',
        "cyclic({n}, low={l}, factor={g})",
        ({"n": 10, "l": 0.1, "g": 0.99}, {"n": 7.5, "l": 0, "g": 0.9}),
        difference="base_lr and max_lr are rates.",
    ),
    Pair(
        54,
        "CyclicLRScheduler(base_lr={l}, max_lr=1.0, step_size={n}, "
        "scale_fn=lambda cycle: {s} ** (cycle - 1))",
        "cyclic({n}, low={l}, shrink={s})",
        ({"n": 10, "l": 0.1, "s": 0.8},),
        difference="The function counts cycles from 1; what is no power is a Table per cycle.",
    ),
    Pair(
        68,
        "TriStageLRSchedule(1.0, {w}, {h}, {n}, {w + h + n}, init_lr_scale={a}, "
        "final_lr_scale={e})",
        "Linear({w}, {a}, 1) >> Hold({h}) >> Exponential({e}, {n})",
        (
            {"w": 5, "h": 20, "n": 30, "a": 0.01, "e": 0.05},
            {"w": 3, "h": 0, "n": 17, "a": 0.5, "e": 0.5},
        ),
        difference="Past the end the decay goes on; total_steps changes nothing.",
    ),
    Pair(
        69,
        "WarmCoolDecayLRSchedule(1.0, {w}, {c}, {n}, decay_factor={g}, decay_every={k})",
        "Warmup({w}) >> Exponential({g}, {k}).until({n - c - w})"
        " >> Linear({c}, start={g ** ((n - c - w) / k)})",
        (
            {"w": 5, "c": 10, "n": 60, "g": 0.75, "k": 20},
            {"w": 8, "c": 7, "n": 41, "g": 0.3, "k": 33},
        ),
        difference="total_steps includes the warmup.",
        fault="The cooldown counts the warmup as decay: the rate jumps down where it begins; past "
        "the end it falls below 0.",
        agrees_until="n - c + 1",
    ),
    Pair(
        71,
        "WarmAndExpDecayLRSchedule(1.0, {w}, {n}, decay_factor=1.0)",
        "Warmup({w})",
        ({"w": 9, "n": 20},),
        difference="The same numbers.",
    ),
    Pair(
        71,
        "TriStageLRSchedule(1.0, {w}, 10**9, 1, 10**9, init_lr_scale={a})",
        "Warmup({w}, start={a})",
        ({"w": 9, "a": 0.1}, {"w": 4, "a": 0.01}),
        difference="init_lr_scale is a multiple.",
    ),
)
