"""transformers.optimization"""

from oracle.drivers import from_optimizer
from oracle.table import Pair, Peer

PEER = Peer("HF", "transformers", package="transformers")

RISES = "Past the end the wave goes on: the rate rises again."


def rates(call: str, count: int, base: float) -> list[float]:
    from transformers import optimization

    if "Adafactor" in call:
        return _rates_of_adafactor(call, vars(optimization), count)
    return from_optimizer(call, vars(optimization), count, base)


def _rates_of_adafactor(call: str, names: dict[str, object], count: int) -> list[float]:
    # This scheduler writes nothing: it asks its optimizer, which knows how often it has stepped.
    import torch

    parameter = torch.nn.Parameter(torch.ones(1))
    scheduler = eval(call, {**names, "parameters": [parameter]})
    parameter.grad = torch.ones(1)
    rates: list[float] = []
    for t in range(count):
        scheduler.optimizer.state[parameter]["step"] = t + 1
        rates.append(scheduler.get_lr()[0])
    return rates


PAIRS = (
    Pair(1, "get_constant_schedule(optimizer)", "Constant()", ({"b": 0.3},), base="b", count="20"),
    Pair(
        3,
        "get_linear_schedule_with_warmup(optimizer, {w}, {n})",
        "Warmup({w}) >> Linear({n - w})",
        ({"w": 10, "n": 100}, {"w": 0, "n": 7}, {"w": 3, "n": 4}),
        difference="num_training_steps includes the warmup.",
    ),
    Pair(
        4,
        "get_polynomial_decay_schedule_with_warmup(optimizer, {w}, {n}, lr_end={e}, power={p})",
        "Warmup({w}) >> Polynomial({n - w}, {p}, end={e / b})",
        (
            {"w": 10, "n": 100, "b": 0.1, "e": 1e-7, "p": 1.0},
            {"w": 0, "n": 33, "b": 2e-3, "e": 1e-4, "p": 0.5},
            {"w": 7, "n": 50, "b": 1.0, "e": 0.25, "p": 2.5},
        ),
        difference="num_training_steps includes the warmup; lr_end is a rate.",
        base="b",
    ),
    Pair(
        5,
        'get_wsd_schedule(optimizer, 0, {d}, num_stable_steps=0, decay_type="1-sqrt", '
        "min_lr_ratio={e})",
        "Power({d}, 0.5, end={e})",
        ({"d": 40, "e": 0}, {"d": 13, "e": 0.07}),
    ),
    Pair(
        9,
        "get_cosine_schedule_with_warmup(optimizer, {w}, {n})",
        "Warmup({w}) >> Cosine({n - w})",
        ({"w": 10, "n": 100}, {"w": 0, "n": 31}, {"w": 5, "n": 12}),
        difference="num_training_steps includes the warmup.",
        fault=RISES,
        agrees_until="n + 1",
    ),
    Pair(
        9,
        "get_cosine_with_min_lr_schedule_with_warmup(optimizer, {w}, {n}, min_lr={e})",
        "Warmup({w}) >> Cosine({n - w}, end={e / b})",
        ({"w": 10, "n": 100, "b": 0.1, "e": 0.01}, {"w": 0, "n": 31, "b": 3e-4, "e": 1e-5}),
        difference="num_training_steps includes the warmup; min_lr is a rate.",
        base="b",
        fault=RISES,
        agrees_until="n + 1",
    ),
    Pair(
        9,
        "get_cosine_with_min_lr_schedule_with_warmup(optimizer, {w}, {n}, min_lr_rate={e})",
        "Warmup({w}) >> Cosine({n - w}, end={e})",
        ({"w": 10, "n": 100, "e": 0.1}, {"w": 3, "n": 20, "e": 0.37}),
        difference="num_training_steps includes the warmup.",
        fault=RISES,
        agrees_until="n + 1",
    ),
    Pair(
        9,
        "get_cosine_with_min_lr_schedule_with_warmup_lr_rate(optimizer, {w}, {n}, min_lr_rate={e})",
        "Warmup({w}).skip(1) >> Cosine({n - w}, end={e})",
        ({"w": 10, "n": 100, "e": 0.1}, {"w": 1, "n": 30, "e": 0}, {"w": 7, "n": 23, "e": 0.2}),
        difference="The warmup is (t + 1) / w; the whole ends one step early, at n - 1.",
        fault=RISES,
        agrees_until="n",
    ),
    Pair(
        9,
        "get_cosine_with_min_lr_schedule_with_warmup_lr_rate(optimizer, 0, {n}, min_lr_rate={e})",
        "Cosine({n}, end={e}).skip(1)",
        ({"n": 50, "e": 0.1}, {"n": 9, "e": 0}),
        difference="Without a warmup the first update is a step below the peak already.",
        fault=RISES,
        agrees_until="n",
    ),
    Pair(
        12,
        "get_cosine_schedule_with_warmup(optimizer, {w}, {n}, num_cycles={c})",
        "Warmup({w}) >> warmup_cosine({n - w}, num_cycles={c})",
        (
            {"w": 10, "n": 100, "c": 1.5},
            {"w": 0, "n": 60, "c": 3},
            {"w": 4, "n": 57, "c": 0.8},
        ),
        difference="num_training_steps includes the warmup.",
        fault="Past the end the wave goes on.",
        agrees_until="n + 1",
    ),
    Pair(
        12,
        "get_wsd_schedule(optimizer, {w}, {d}, num_stable_steps={s}, num_cycles={c}, "
        "min_lr_ratio={e})",
        "Warmup({w}, start={e}) >> Hold({s}) >> "
        "warmup_cosine({d}, end={e}, num_cycles={c}) >> Constant({e})",
        (
            {"w": 10, "s": 20, "d": 30, "c": 1.5, "e": 0},
            {"w": 3, "s": 5, "d": 41, "c": 2, "e": 0.1},
        ),
        difference="Whatever the wave ends at, the floor follows; the warmup starts from it.",
        count="2 * (w + s + d)",
    ),
    Pair(
        23,
        "get_inverse_sqrt_schedule(optimizer, {w})",
        "Warmup({w}) >> InverseSqrt({w})",
        ({"w": 100}, {"w": 7}),
        count="1000",
    ),
    Pair(
        23,
        "get_inverse_sqrt_schedule(optimizer, {w}, timescale={s})",
        "Warmup({w}) >> InverseSqrt({s})",
        ({"w": 10, "s": 300}, {"w": 0, "s": 10_000}, {"w": 50, "s": 7.5}),
        count="1000",
    ),
    Pair(
        49,
        "AdafactorSchedule(Adafactor(parameters, scale_parameter=False))",
        "InverseSqrt(1).clip(high=0.01)",
        ({},),
        difference="The optimizer computes it; scale_parameter multiplies it with each "
        "parameter's size, which no schedule knows.",
        count="12_000",
    ),
    Pair(
        49,
        "AdafactorSchedule(Adafactor(parameters, scale_parameter=False, warmup_init=True))",
        "Linear(9999, start=1e-6, end=0.01) >> InverseSqrt(10_000) * 0.01",
        ({},),
        difference="As above.",
        count="12_000",
    ),
    Pair(
        55,
        "get_cosine_with_hard_restarts_schedule_with_warmup(optimizer, {w}, {n}, num_cycles={c})",
        "Warmup({w}) >> Cosine({(n - w) / c}).repeat({c})",
        ({"w": 10, "n": 100, "c": 3}, {"w": 0, "n": 64, "c": 4}, {"w": 5, "n": 42, "c": 5}),
        difference="num_training_steps includes the warmup.",
    ),
    Pair(
        65,
        "get_wsd_schedule(optimizer, {w}, {d}, num_training_steps={n}, min_lr_ratio={e})",
        "Warmup({w}, start={e}) >> Hold({n - w - d}) >> Cosine({d}, end={e})",
        ({"w": 10, "d": 30, "n": 100, "e": 0}, {"w": 3, "d": 11, "n": 20, "e": 0.1}),
        difference="The warmup starts from the floor.",
    ),
    Pair(
        66,
        "get_wsd_schedule(optimizer, {w}, {d}, num_training_steps={n}, min_lr_ratio={e}, "
        'decay_type="linear")',
        "Warmup({w}, start={e}) >> Hold({n - w - d}) >> Linear({d}, end={e})",
        ({"w": 10, "d": 30, "n": 100, "e": 0}, {"w": 3, "d": 11, "n": 20, "e": 0.1}),
        difference="The warmup starts from the floor.",
    ),
    Pair(
        67,
        "get_wsd_schedule(optimizer, {w}, {d}, num_training_steps={n}, min_lr_ratio={e}, "
        'decay_type="1-sqrt")',
        "Warmup({w}, start={e}) >> Hold({n - w - d}) >> Power({d}, 0.5, end={e})",
        ({"w": 10, "d": 30, "n": 100, "e": 0}, {"w": 3, "d": 11, "n": 20, "e": 0.1}),
        difference="The warmup starts from the floor.",
    ),
    Pair(
        71,
        "get_constant_schedule_with_warmup(optimizer, {w})",
        "Warmup({w})",
        ({"w": 10}, {"w": 1}, {"w": 37}),
    ),
    Pair(
        72,
        "get_cosine_with_min_lr_schedule_with_warmup_lr_rate(optimizer, {w}, {n}, "
        "min_lr_rate={e}, warmup_lr_rate={a})",
        "Warmup({w - 1}, start={a}) >> Cosine({n - w}, end={e})",
        ({"w": 10, "n": 100, "e": 0.1, "a": 0.05}, {"w": 6, "n": 25, "e": 0, "a": 0.5}),
        difference="The warmup reaches the peak at w - 1, and the whole its end at n - 1.",
        fault=RISES,
        agrees_until="n",
    ),
    Pair(
        74,
        'get_wsd_schedule(optimizer, {w}, 1, num_stable_steps=1000, warmup_type="cosine", '
        "min_lr_ratio={a})",
        "Cosine({w}, start={a}, end=1)",
        ({"w": 40, "a": 0}, {"w": 13, "a": 0.2}),
    ),
    Pair(
        75,
        'get_wsd_schedule(optimizer, {w}, 1, num_stable_steps=1000, warmup_type="1-sqrt", '
        "min_lr_ratio={a})",
        "Polynomial({w}, 0.5, start={a}, end=1)",
        ({"w": 40, "a": 0}, {"w": 13, "a": 0.2}),
    ),
)
