"""olmo_core.optim.scheduler"""

from functools import cache
from typing import Any

from oracle.drivers import from_values, without_init
from oracle.isolation import absent
from oracle.table import Pair, Peer

PEER = Peer("OL", "OLMo-core", package="ai2-olmo-core")


@cache
def _names() -> dict[str, Any]:
    for package in ("olmo_core", "olmo_core.optim"):
        without_init(package)
    absent("cached_path", "olmo_core.nn")
    from olmo_core.optim import scheduler

    return vars(scheduler)


def rates(call: str, count: int, base: float) -> list[float]:
    return from_values(f"lambda t: {call}", _names(), count)


_FALLS = ({"w": 3, "n": 20, "e": 0, "a": 0}, {"w": 5, "n": 17, "e": 0.1, "a": 0.05})
_INCLUDES = "t_max includes the warmup; alpha_f is a multiple, warmup_min_lr a rate."
_BELOW = "Past the end it falls on, below 0."
_TAILS = ({"w": 3, "n": 30, "d": 10}, {"w": 5, "n": 37, "d": 11})
_MIDDLE = "e + (1 - e) * (1 + cos(pi * (n - d - w) / (n - w))) / 2"

PAIRS = (
    Pair(1, "ConstantScheduler().get_lr(1.0, t, 100)", "Constant()", ({},)),
    Pair(
        3,
        "LinearWithWarmup(warmup={w}, warmup_min_lr={a}, alpha_f={e}).get_lr(1.0, t, {n})",
        "Warmup({w}, start={a}) >> Linear({n - w}, end={e})",
        _FALLS,
        difference=_INCLUDES,
    ),
    Pair(
        9,
        "CosWithWarmup(warmup={w}, warmup_min_lr={a}, alpha_f={e}).get_lr(1.0, t, {n})",
        "Warmup({w}, start={a}) >> Cosine({n - w}, end={e})",
        _FALLS,
        difference=_INCLUDES,
    ),
    Pair(
        13,
        "HalfCosWithWarmup(warmup={w}, warmup_min_lr={a}, alpha_f={e}).get_lr(1.0, t, {n})",
        "Linear({w}, {a}, {(1 + e) / 2}) >> Cosine({2 * (n - w)}, end={e}).skip({n - w})",
        _FALLS,
        difference=f"{_INCLUDES} The warmup ends at half of the peak.",
    ),
    Pair(
        15,
        "CosWithWarmupAndLinearDecay(warmup={w}, alpha_f={e}, decay={d}, decay_fraction=None)"
        ".get_lr(1.0, t, {n})",
        f"Warmup({{w}}) >> Cosine({{n - w}}, end={{e}}).until({{n - d - w}})"
        f" >> Linear({{d}}, start={{{_MIDDLE}}})",
        ({"w": 3, "n": 30, "d": 10, "e": 0}, {"w": 5, "n": 37, "d": 11, "e": 0.1}),
        difference="t_max includes the warmup and the decay; the cosine is that of the whole.",
        fault=_BELOW,
        agrees_until="n + 1",
    ),
    Pair(
        19,
        "ExponentialScheduler(lr_min={m}).get_lr(1.0, t, {n})",
        "Exponential({1 / m}, {n}).until({n}) * {m}",
        ({"n": 20, "m": 1e-9}, {"n": 7, "m": 0.1}),
        difference="lr_min is a rate.",
    ),
    Pair(
        23,
        "InvSqrtWithWarmup(warmup={w}, warmup_min_lr={a}, alpha_f={e}).get_lr(1.0, t, 100)",
        "Warmup({w}, start={a}) >> InverseSqrt({w}) * {1 - e} + {e}",
        ({"w": 10, "e": 0, "a": 0}, {"w": 7, "e": 0.1, "a": 0.01}),
        difference="alpha_f, the floor, is added below the whole curve; t_max changes nothing.",
    ),
    Pair(
        28,
        "PowerLR(b={-a}, warmup={w}, decay=1, decay_fraction=None).get_lr(1.0, t, 10**9)",
        "Warmup({w}) >> InversePower({w}, {a})",
        ({"w": 10, "a": 0.51}, {"w": 1, "a": 0.3}),
        difference="b is negative.",
    ),
    Pair(
        35,
        "ComposableScheduler(stages=[ComposableSchedulerStage(duration={a}, "
        "start_lr_fraction=0.0, end_lr_fraction=1.0), ComposableSchedulerStage(duration={b}, "
        "end_lr_fraction={x})]).get_lr(1.0, t, 100)",
        "Linear({a}, 0, 1) >> Linear({b}, 1, {x})",
        ({"a": 10, "b": 20, "x": 0.3}, {"a": 7, "b": 11, "x": 1.5}),
        difference="A stage starts where the last one ended; t_max changes nothing.",
    ),
    Pair(
        36,
        "ComposableScheduler(stages=[ComposableSchedulerStage(duration={a}, "
        'shape="cosine", start_lr_fraction=0.0, end_lr_fraction=1.0), '
        'ComposableSchedulerStage(duration={b}, shape="cosine", end_lr_fraction={x})])'
        ".get_lr(1.0, t, 100)",
        "Cosine({a}, 0, 1) >> Cosine({b}, 1, {x})",
        ({"a": 10, "b": 20, "x": 0.3}, {"a": 7, "b": 11, "x": 1.5}),
        difference="A stage starts where the last one ended; t_max changes nothing.",
    ),
    Pair(
        59,
        "WSDS(period_lengths=[{p}] * {k}, warmup={w}, decay={d}, decay_min_lr={e})"
        ".get_lr(1.0, t, 100)",
        "Warmup({w}) >> Hold({p - w - d}) >> Linear({d}, end={e}) >> "
        "(Hold(1, {e}) >> Hold({p - d - 1}) >> Linear({d}, end={e})).repeat({k - 1})",
        ({"w": 3, "p": 20, "d": 5, "k": 3, "e": 0}, {"w": 4, "p": 17, "d": 6, "k": 2, "e": 0.1}),
        difference="The first position of a period still has the last one's end value; the warmup "
        "is a part of the first period.",
    ),
    Pair(
        59,
        "WSDS(period_lengths=[{p}, {q}], period_lr_multipliers=[1.0, {m}], warmup={w}, "
        "decay={d}).get_lr(1.0, t, 100)",
        "Warmup({w}) >> Hold({p - w - d}) >> Linear({d}) >> "
        "Hold(1, 0) >> (Hold({q - d - 1}) >> Linear({d})) * {m}",
        ({"w": 3, "p": 20, "q": 30, "d": 5, "m": 0.5},),
        difference="The first position of a period still has the last one's end value; the warmup "
        "is a part of the first period.",
    ),
    Pair(
        66,
        "WSD(warmup={w}, warmup_min_lr={a}, decay={d}, decay_fraction=None, decay_min_lr={e})"
        ".get_lr(1.0, t, {n})",
        "Warmup({w}, start={a}) >> Hold({n - w - d}) >> Linear({d}, end={e})",
        (
            {"w": 3, "n": 30, "d": 10, "e": 0, "a": 0},
            {"w": 5, "n": 37, "d": 11, "e": 0.1, "a": 0.02},
        ),
        difference="t_max includes the warmup; warmup_min_lr and decay_min_lr are rates.",
        fault="Past the end it falls on, below decay_min_lr.",
        agrees_until="n + 1",
    ),
    Pair(
        69,
        "PowerLR(b={-a}, warmup={w}, decay={d}, decay_fraction=None).get_lr(1.0, t, {n})",
        "Warmup({w}) >> InversePower({w}, {a}).until({n - d - w})"
        " >> Linear({d}, start={((n - d) / w) ** -a})",
        tuple({**case, "a": a} for case, a in zip(_TAILS, (0.51, 0.3), strict=True)),
        difference="t_max includes the warmup and the decay.",
        fault=_BELOW,
        agrees_until="n + 1",
    ),
    Pair(
        70,
        "ComposableScheduler(stages=[ComposableSchedulerStage(duration={n}, "
        'shape="cosine", end_lr_fraction=0.0)], override_decay=OverrideDecay(start={s}, '
        "duration={d}, end_lr_fraction={e})).get_lr(1.0, t, 100)",
        "Cosine({n}).until({s}) >> Linear({d}, start={(1 + cos(pi * s / n)) / 2}, end={e})",
        ({"n": 50, "s": 20, "d": 10, "e": 0}, {"n": 31, "s": 9, "d": 7, "e": 0.01}),
        difference="The same numbers.",
    ),
    Pair(
        70,
        "ComposableScheduler(stages=[ComposableSchedulerStage(duration={n}, "
        "end_lr_fraction=0.0)], override_decay=OverrideDecay(start={s}, duration={d}, "
        'shape="cosine", end_lr_fraction={e})).get_lr(1.0, t, 100)',
        "Linear({n}).until({s}) >> Cosine({d}, start={1 - s / n}, end={e})",
        ({"n": 50, "s": 20, "d": 10, "e": 0}, {"n": 31, "s": 9, "d": 7, "e": 0.01}),
        difference="The same numbers.",
    ),
    Pair(
        71,
        "ConstantWithWarmup(warmup={w}, warmup_min_lr={a}).get_lr(1.0, t, 100)",
        "Warmup({w}, start={a})",
        ({"w": 9, "a": 0}, {"w": 4, "a": 0.1}),
        difference="warmup_min_lr is a rate.",
    ),
)
