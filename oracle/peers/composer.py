"""composer.optim.scheduler (MosaicML)"""

from functools import cache
from types import SimpleNamespace
from typing import Any

from oracle.drivers import without_init
from oracle.table import Pair, Peer
from stepsize import schedule_function

PEER = Peer("CO", "Composer", package="mosaicml")


@schedule_function("composer_half_life")
def _half_life(t: Any) -> Any:
    return 0.5 ** (t / 100)


@cache
def _names() -> dict[str, Any]:
    for package in ("composer", "composer.utils", "composer.core", "composer.optim"):
        without_init(package)
    from composer import core, utils
    from composer.utils.string_enum import StringEnum

    utils.StringEnum = StringEnum
    from composer.core.time import Time, Timestamp, TimeUnit

    vars(core).update(Time=Time, TimeUnit=TimeUnit, State=object)
    from composer.optim import scheduler

    return {**vars(scheduler), "Timestamp": Timestamp}


def rates(call: str, count: int, base: float) -> list[float]:
    names = _names()
    scheduler = eval(call, dict(names))
    state = SimpleNamespace(max_duration=names["Time"](1, "ba"), timestamp=names["Timestamp"]())
    values: list[float] = []
    for _ in range(count):
        values.append(base * float(scheduler(state)))
        state.timestamp = state.timestamp.to_next_batch()
    return values


_FALLS = ({"n": 20, "e": 0}, {"n": 7, "e": 0.1})
_WARM = ({"w": 3, "n": 20, "e": 0}, {"w": 1, "n": 17, "e": 0.1})
_INCLUDES = "t_max includes the warmup; alpha_f is a multiple."

PAIRS = (
    Pair(
        2,
        'ConstantScheduler(alpha={f}, t_max="{n}ba")',
        "Hold({n}, {f}) >> Constant()",
        ({"n": 5, "f": 0.1}, {"n": 1, "f": 2}),
        difference="The same numbers.",
        count="20",
    ),
    Pair(
        3,
        'LinearScheduler(alpha_i={a}, alpha_f={e}, t_max="{n}ba")',
        "Linear({n}, {a}, {e})",
        ({"n": 20, "a": 1, "e": 0}, {"n": 7, "a": 0.3, "e": 1.2}),
        difference="The same numbers.",
    ),
    Pair(
        4,
        'PolynomialScheduler(power={p}, t_max="{n}ba", alpha_f={e})',
        "Polynomial({n}, {p}, end={e})",
        ({"n": 20, "p": 2, "e": 0}, {"n": 7, "p": 0.5, "e": 0.1}),
        difference="The same numbers.",
    ),
    Pair(
        9,
        'CosineAnnealingScheduler(t_max="{n}ba", alpha_f={e})',
        "Cosine({n}, end={e})",
        _FALLS,
        difference="The same numbers.",
    ),
    Pair(
        16,
        'ExponentialScheduler(gamma={g}, decay_period="{n}ba")',
        "Exponential({g}, {n})",
        ({"g": 0.9, "n": 1}, {"g": 0.5, "n": 30}),
        difference="The same numbers.",
    ),
    Pair(
        30,
        'StepScheduler(step_size="{n}ba", gamma={g})',
        "Step({n}, {g})",
        ({"n": 10, "g": 0.1}, {"n": 7, "g": 0.5}),
        difference="The same numbers.",
    ),
    Pair(
        31,
        'MultiStepScheduler(milestones=["{a}ba", "{b}ba"], gamma={g})',
        "MultiStep({dict([(a, g), (b, g)])})",
        ({"a": 10, "b": 25, "g": 0.1}, {"a": 1, "b": 2, "g": 0.5}),
        difference="The same numbers.",
        count="50",
    ),
    Pair(
        44,
        "lambda state, ssr=1.0: 0.5 ** (state.timestamp.batch.value / 100)",
        "Function('composer_half_life')",
        ({},),
        difference="The function takes the trainer's state; ours the position, and it has a name.",
    ),
    Pair(
        55,
        'CosineAnnealingWarmRestartsScheduler(t_0="{n}ba", t_mult={m}, alpha_f={e})',
        "Cosine({n}, end={e}).repeat(stretch={m})",
        ({"n": 8, "m": 1, "e": 0}, {"n": 5, "m": 2, "e": 0.1}, {"n": 8, "m": 1.5, "e": 0.1}),
        difference="Each cycle is cut to whole batches.",
        count="60",
    ),
    Pair(
        71,
        'ConstantWithWarmupScheduler(t_warmup="{w}ba", alpha={a}, t_max="{n}ba")',
        "Warmup({w}) * {a}",
        ({"w": 9, "n": 20, "a": 1}, {"w": 1, "n": 20, "a": 0.5}),
        difference="The same numbers.",
    ),
    Pair(
        71,
        'LinearWithWarmupScheduler(t_warmup="{w}ba", alpha_f={e}, t_max="{n}ba")',
        "Warmup({w}) >> Linear({n - w}, end={e})",
        _WARM,
        difference=_INCLUDES,
    ),
    Pair(
        71,
        'CosineAnnealingWithWarmupScheduler(t_warmup="{w}ba", alpha_f={e}, t_max="{n}ba")',
        "Warmup({w}) >> Cosine({n - w}, end={e})",
        _WARM,
        difference=_INCLUDES,
    ),
    Pair(
        71,
        'PolynomialWithWarmupScheduler(t_warmup="{w}ba", power={p}, alpha_f={e}, t_max="{n}ba")',
        "Warmup({w}) >> Polynomial({n - w}, {p}, end={e})",
        ({"w": 3, "n": 20, "p": 2, "e": 0}, {"w": 1, "n": 17, "p": 0.7, "e": 0.1}),
        difference=_INCLUDES,
    ),
    Pair(
        71,
        'MultiStepWithWarmupScheduler(t_warmup="{w}ba", milestones=["{a}ba", "{b}ba"], gamma={g})',
        "Warmup({w}) >> MultiStep({dict([(a, g), (b, g)])}).skip({w})",
        ({"w": 5, "a": 10, "b": 25, "g": 0.1},),
        difference="Milestones count from position 0, the warmup included.",
        count="50",
    ),
)
