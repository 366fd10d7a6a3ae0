"""timm.scheduler"""

from oracle.drivers import from_optimizer, without_init
from oracle.table import Pair, Peer
from stepsize import schedule_function

PEER = Peer("TM", "timm", package="timm")


@schedule_function("timm_smoothstep")
def smoothstep_down(u: float) -> float:
    """A cooldown of the user's own, on [0, 1]."""
    return 1 - u * u * (3 - 2 * u)


def rates(call: str, count: int, base: float) -> list[float]:
    # timm's own __init__ needs torchvision, its schedulers do not.
    without_init("timm")
    from timm import scheduler

    names = {**vars(scheduler), "smoothstep_down": smoothstep_down}
    return from_optimizer(call, names, count, base, lambda each, t: each.step(t + 1))


JUMPS = "Without warmup_prefix t_initial includes the warmup, which jumps into the running curve."
PREFIX = "With warmup_prefix the warmup comes on top of t_initial."
TOTAL = "The warmup comes on top of t_initial, which includes the decay."

PAIRS = (
    Pair(
        1,
        'create_scheduler_v2(optimizer, "constant", warmup_epochs={w}, warmup_lr={a})[0]',
        "Warmup({w}, start={a / b})",
        ({"w": 5, "a": 1e-5, "b": 0.1}, {"w": 0, "a": 0, "b": 1.0}),
        difference="The warmup starts from a rate, which is 1e-5 by default.",
        base="b",
        count="20",
    ),
    Pair(
        4,
        "PolyLRScheduler(optimizer, {n}, power={p}, lr_min={e})",
        "Polynomial({n}, {p}, end={e / b})",
        (
            {"n": 100, "p": 0.5, "e": 0, "b": 1.0},
            {"n": 13, "p": 2.5, "e": 1e-3, "b": 0.1},
        ),
        difference="lr_min is a rate.",
        base="b",
    ),
    Pair(
        4,
        "PolyLRScheduler(optimizer, {n}, power={p}, warmup_t={w}, warmup_lr_init={a})",
        "Warmup({w}, start={a}) >> Polynomial({n}, {p}).skip({w})",
        ({"n": 100, "p": 0.5, "w": 10, "a": 0.1}, {"n": 23, "p": 2, "w": 4, "a": 0}),
        difference=JUMPS,
    ),
    Pair(
        5,
        'WSDLRScheduler(optimizer, {d}, {d}, decay_fn="power", decay_power={p}, lr_min={e})',
        "Power({d}, {p}, end={e / b})",
        (
            {"d": 40, "p": 2, "e": 0, "b": 1.0},
            {"d": 13, "p": 0.7, "e": 1e-3, "b": 0.1},
        ),
        difference="lr_min is a rate.",
        base="b",
    ),
    Pair(
        5,
        "WSDLRScheduler(optimizer, {d}, {d})",
        "Power({d}, 0.5)",
        ({"d": 40}, {"d": 7}),
    ),
    Pair(
        7,
        "PolyLRScheduler(optimizer, {n}, power={p}, cycle_limit={c}, cycle_mul={m}, "
        "cycle_decay={g})",
        "Polynomial({n}, {p}).repeat({c}, stretch={m}, shrink={g})",
        (
            {"n": 10, "p": 0.5, "c": 4, "m": 1, "g": 1},
            {"n": 7, "p": 2, "c": 3, "m": 2, "g": 0.5},
            {"n": 10, "p": 1.5, "c": 4, "m": 1.5, "g": 0.8},
        ),
    ),
    Pair(
        7,
        "PolyLRScheduler(optimizer, {n}, power={p}, cycle_limit={c}, cycle_decay={g}, lr_min={e})",
        "Polynomial({n}, {p}).repeat({c}, shrink={g}) + "
        "Polynomial({n}, {p}, start=0, end={e}).repeat({c})",
        (
            {"n": 10, "p": 0.5, "c": 4, "g": 0.5, "e": 0.01},
            {"n": 7, "p": 3, "c": 3, "g": 1, "e": 0.1},
        ),
        difference="The peaks shrink, the floor stays.",
    ),
    Pair(
        8,
        "PolyLRScheduler(optimizer, {n}, power={p}, k_decay={k}, lr_min={e})",
        "Polynomial({n}, {p}, end={e}, k={k})",
        ({"n": 100, "p": 0.5, "k": 2, "e": 0}, {"n": 31, "p": 2, "k": 0.7, "e": 0.1}),
    ),
    Pair(
        9,
        "CosineLRScheduler(optimizer, {n}, lr_min={e})",
        "Cosine({n}, end={e / b})",
        ({"n": 100, "e": 0, "b": 1.0}, {"n": 7, "e": 1e-5, "b": 5e-4}),
        difference="lr_min is a rate. Stepped per epoch, the curve is "
        ".per_epoch(m).staircase(m) of ours.",
        base="b",
    ),
    Pair(
        9,
        "CosineLRScheduler(optimizer, {n}, warmup_t={w}, warmup_lr_init={a}, lr_min={e})",
        "Warmup({w}, start={a}) >> Cosine({n}, end={e}).skip({w})",
        ({"n": 100, "w": 10, "a": 0.1, "e": 0}, {"n": 33, "w": 5, "a": 0, "e": 0.01}),
        difference=JUMPS,
    ),
    Pair(
        9,
        "CosineLRScheduler(optimizer, {n}, warmup_t={w}, warmup_lr_init={a}, lr_min={e}, "
        "warmup_prefix=True)",
        "Warmup({w}, start={a}) >> Cosine({n}, end={e})",
        ({"n": 100, "w": 10, "a": 0.1, "e": 0}, {"n": 33, "w": 5, "a": 0, "e": 0.01}),
        difference=PREFIX,
    ),
    Pair(
        11,
        "CosineLRScheduler(optimizer, {n}, k_decay={k}, lr_min={e})",
        "Cosine({n}, end={e}, k={k})",
        ({"n": 100, "k": 2, "e": 0}, {"n": 31, "k": 0.7, "e": 0.1}),
    ),
    Pair(
        14,
        'create_scheduler_v2(optimizer, "cosine", num_epochs={n}, cooldown_epochs={c}, '
        "min_lr={e})[0]",
        "Cosine({n}, end={e}) >> Hold({c}, {e})",
        ({"n": 50, "c": 10, "e": 0.1}, {"n": 9, "c": 30, "e": 0}),
        difference="cooldown_epochs is added to num_epochs.",
    ),
    Pair(
        20,
        'WSDLRScheduler(optimizer, {d}, {d}, decay_fn="exp", decay_ratio={r}, lr_min={e})',
        "Exponential({r}, {d}).until({d}) * {(1 - e) / (1 - r)} + {(e - r) / (1 - r)}",
        ({"d": 40, "r": 0.1, "e": 0}, {"d": 13, "r": 0.5, "e": 0.2}),
    ),
    Pair(
        23,
        'WSDLRScheduler(optimizer, {n}, {d}, stable_fn="rsqrt", warmup_t={w})',
        "Warmup({w}) >> InverseSqrt({w}).until({n - d})",
        ({"n": 1000, "d": 200, "w": 100}, {"n": 200, "d": 1, "w": 7}),
        difference=TOTAL,
        count="w + n - d",
    ),
    Pair(
        28,
        'WSDLRScheduler(optimizer, {n}, {d}, stable_fn="power", stable_power={p}, '
        "stable_timescale={s}, warmup_t={w})",
        "Warmup({w}) >> InversePower({s}, {p}).until({n - d})",
        (
            {"n": 1000, "d": 200, "p": 0.7, "s": 50, "w": 100},
            {"n": 200, "d": 1, "p": 1.3, "s": 12.5, "w": 0},
        ),
        difference=TOTAL,
        count="w + n - d",
    ),
    Pair(
        30,
        "StepLRScheduler(optimizer, {k}, {g}, warmup_t={w})",
        "Warmup({w}) >> Step({k}, {g})",
        ({"k": 30, "g": 0.1, "w": 5}, {"k": 2.5, "g": 0.97, "w": 0}),
        difference="The interval may be a fraction; warmup_prefix is on here.",
    ),
    Pair(
        30,
        "StepLRScheduler(optimizer, {k}, {g}, warmup_t={w}, warmup_prefix=False)",
        "Warmup({w}) >> Step({k}, {g}).skip({w})",
        ({"k": 30, "g": 0.1, "w": 5}, {"k": 3, "g": 0.5, "w": 10}),
        difference="Without warmup_prefix the steps count from the start of the warmup.",
    ),
    Pair(
        31,
        "MultiStepLRScheduler(optimizer, [{i}, {j}], {g}, warmup_t={w})",
        "Warmup({w}) >> MultiStep({dict.fromkeys([i, j], g)}).skip(1)",
        ({"i": 30, "j": 60, "g": 0.1, "w": 5}, {"i": 2, "j": 9, "g": 0.5, "w": 0}),
        difference="A milestone acts one step earlier, at m - 1.",
    ),
    Pair(
        37,
        "TanhLRScheduler(optimizer, {n}, lb={l}, ub={u}, lr_min={e})",
        "Hold(1) >> Tanh({n}, {l}, {u}, end={e / b}).skip(1) >> Constant({e / b})",
        (
            {"n": 100, "l": -7, "u": 3, "e": 0, "b": 1.0},
            {"n": 31, "l": -2, "u": 1.5, "e": 1e-3, "b": 0.1},
        ),
        difference="The very first update is at the full rate, the curve begins just below; its "
        "last value falls short of lr_min, which follows; lr_min is a rate.",
        base="b",
        count="2 * n",
    ),
    Pair(
        37,
        "TanhLRScheduler(optimizer, {n}, warmup_t={w}, warmup_lr_init={a})",
        "Linear({w}, {a}, {(1 - tanh(10 * w / n - 7)) / 2}) >> Tanh({n}, -7, 3).skip({w}) >> "
        "Constant(0)",
        ({"n": 100, "w": 60, "a": 0.1}, {"n": 33, "w": 5, "a": 0}),
        difference="The warmup ends where the running curve is; t_initial includes it.",
        count="2 * n",
    ),
    Pair(
        44,
        "WSDLRScheduler(optimizer, {n}, {d}, decay_fn=smoothstep_down)",
        "Hold({n - d}) >> Function('timm_smoothstep', steps=1).over({d})",
        ({"n": 100, "d": 20}, {"n": 33, "d": 7}),
        difference="The function is one of the progress through the decay.",
    ),
    Pair(
        55,
        "CosineLRScheduler(optimizer, {n}, cycle_limit={c}, cycle_mul={m}, cycle_decay={g})",
        "Cosine({n}).repeat({c}, stretch={m}, shrink={g})",
        (
            {"n": 10, "c": 4, "m": 1, "g": 1},
            {"n": 7, "c": 3, "m": 2, "g": 0.5},
            {"n": 10, "c": 4, "m": 1.5, "g": 0.8},
        ),
    ),
    Pair(
        55,
        "CosineLRScheduler(optimizer, {n}, cycle_limit={c}, cycle_mul={m})",
        "Cosine({n}).repeat({c}, stretch={m})",
        ({"n": 16, "c": 4, "m": 0.5}, {"n": 81, "c": 3, "m": 1 / 3}),
        difference="With shrinking cycles it raises a domain error at n / (1 - m).",
        count="n / (1 - m) - 1",
    ),
    Pair(
        55,
        "CosineLRScheduler(optimizer, {n}, cycle_limit={c}, cycle_mul={m}, cycle_decay={g}, "
        "lr_min={e}, warmup_t={w}, warmup_prefix=True)",
        "Warmup({w}) >> Cosine({n}).repeat({c}, stretch={m}, shrink={g}) + "
        "Cosine({n}, start=0, end={e}).repeat({c}, stretch={m})",
        (
            {"n": 10, "c": 4, "m": 1, "g": 0.5, "e": 0.01, "w": 5},
            {"n": 7, "c": 3, "m": 2, "g": 0.9, "e": 0.1, "w": 3},
        ),
        difference="The peaks shrink, the floor stays. " + PREFIX,
    ),
    Pair(
        55,
        "CosineLRScheduler(optimizer, {n}, cycle_limit={c}, cycle_mul=3)",
        "Cosine({n}).repeat({c}, stretch=3)",
        ({"n": 2, "c": 6},),
        fault="log(3^5, 3) is rounded to 4.999..., so the sixth cycle starts a step late.",
        agrees_until="n * (3**5 - 1) // 2",
    ),
    Pair(
        56,
        "TanhLRScheduler(optimizer, {n}, lb={l}, ub={u}, cycle_limit={c}, cycle_mul={m}, "
        "cycle_decay={g})",
        "Hold(1) >> Tanh({n}, {l}, {u}).repeat({c}, stretch={m}, shrink={g}).skip(1) >> "
        "Constant(0)",
        (
            {"n": 10, "l": -7, "u": 3, "c": 4, "m": 1, "g": 1},
            {"n": 7, "l": -2, "u": 1.5, "c": 3, "m": 2, "g": 0.5},
        ),
        difference="The very first update is at the full rate; the last cycle falls short of "
        "lr_min, which follows.",
        count="100",
    ),
    Pair(
        56,
        "TanhLRScheduler(optimizer, {n}, lb={l}, ub={u}, cycle_limit={c}, cycle_decay={g}, "
        "lr_min={e})",
        "Hold(1) >> Tanh({n}, {l}, {u}).repeat({c}, shrink={g}).skip(1) + "
        "Tanh({n}, {l}, {u}, start=0, end={e}).repeat({c}).skip(1) >> Constant({e})",
        (
            {"n": 10, "l": -4, "u": 4, "c": 3, "g": 0.5, "e": 0.1},
            {"n": 7, "l": -2, "u": 1.5, "c": 5, "g": 0.9, "e": 0.01},
        ),
        difference="The peaks shrink, the floor stays.",
        count="100",
    ),
    Pair(
        65,
        'WSDLRScheduler(optimizer, {n}, {d}, decay_fn="cosine", warmup_t={w}, lr_min={e})',
        "Warmup({w}) >> Hold({n - d}) >> Cosine({d}, end={e})",
        ({"n": 100, "d": 20, "w": 10, "e": 0}, {"n": 33, "d": 7, "w": 0, "e": 0.1}),
        difference=TOTAL,
    ),
    Pair(
        66,
        'WSDLRScheduler(optimizer, {n}, {d}, decay_fn="linear", warmup_t={w}, lr_min={e})',
        "Warmup({w}) >> Hold({n - d}) >> Linear({d}, end={e})",
        ({"n": 100, "d": 20, "w": 10, "e": 0}, {"n": 33, "d": 7, "w": 0, "e": 0.1}),
        difference=TOTAL,
    ),
    Pair(
        67,
        "WSDLRScheduler(optimizer, {n}, {d}, warmup_t={w}, lr_min={e})",
        "Warmup({w}) >> Hold({n - d}) >> Power({d}, 0.5, end={e})",
        ({"n": 100, "d": 20, "w": 10, "e": 0}, {"n": 33, "d": 7, "w": 0, "e": 0.1}),
        difference=TOTAL,
    ),
    Pair(
        67,
        'WSDLRScheduler(optimizer, {n}, {d}, decay_fn="power", decay_power={p}, warmup_t={w})',
        "Warmup({w}) >> Hold({n - d}) >> Power({d}, {p})",
        ({"n": 100, "d": 20, "w": 10, "p": 2}, {"n": 33, "d": 7, "w": 0, "p": 0.3}),
        difference=TOTAL,
    ),
    Pair(
        67,
        'WSDLRScheduler(optimizer, {n}, {d}, decay_fn="exp", decay_ratio={r}, warmup_t={w})',
        "Warmup({w}) >> Hold({n - d}) >> "
        "Exponential({r}, {d}).until({d}) * {1 / (1 - r)} + {-r / (1 - r)}",
        ({"n": 100, "d": 20, "w": 10, "r": 0.1}, {"n": 33, "d": 7, "w": 0, "r": 0.5}),
        difference=TOTAL,
    ),
    Pair(
        67,
        "WSDLRScheduler(optimizer, {n}, {d}, decay_fn=smoothstep_down, warmup_t={w}, lr_min={e})",
        "Warmup({w}) >> Hold({n - d}) >> "
        "Function('timm_smoothstep', steps=1).over({d}) * {1 - e} + {e}",
        (
            {"n": 100, "d": 20, "w": 10, "e": 0.1},
            {"n": 33, "d": 7, "w": 0, "e": 0},
        ),
        difference=TOTAL,
    ),
    Pair(
        69,
        'WSDLRScheduler(optimizer, {n}, {d}, stable_fn="rsqrt", decay_fn="linear", warmup_t={w})',
        "Warmup({w}) >> InverseSqrt({w}) * (Hold({n - d}) >> Linear({d}))",
        ({"n": 300, "d": 60, "w": 20}, {"n": 33, "d": 7, "w": 3}),
        difference=TOTAL + " The body goes on decaying under the cooldown.",
        count="2 * (w + n)",
    ),
    Pair(
        69,
        'WSDLRScheduler(optimizer, {n}, {d}, stable_fn="power", stable_power={p}, '
        'stable_timescale={s}, decay_fn="linear", lr_min={e})',
        "(InversePower({s}, {p}).clip(low={e}) + {-e}) * (Hold({n - d}) >> Linear({d})) + {e}",
        (
            {"n": 300, "d": 60, "p": 0.7, "s": 50, "e": 0.05},
            {"n": 90, "d": 30, "p": 2, "s": 10, "e": 0.1},
        ),
        difference="lr_min is the floor of the body and of the cooldown.",
        count="2 * n",
    ),
    Pair(
        71,
        "StepLRScheduler(optimizer, 1000, warmup_t={w}, warmup_lr_init={a})",
        "Warmup({w}, start={a / b})",
        ({"w": 10, "a": 0, "b": 1.0}, {"w": 7, "a": 1e-5, "b": 0.1}),
        difference="The warmup starts from a rate.",
        base="b",
    ),
)
