"""ignite.handlers.param_scheduler and state_param_scheduler"""

import math

from oracle.table import Pair, Peer
from stepsize import schedule_function

PEER = Peer("IG", "ignite", package="pytorch-ignite")


@schedule_function("ignite_ripple")
def ripple(t: float) -> float:
    """What a user may write: no peer and no algebra knows it."""
    return math.exp(-t / 50) * (1 + math.sin(t) ** 2 / 10)


def rates(call: str, count: int, base: float) -> list[float]:
    import torch
    from ignite import handlers
    from ignite.engine import Engine, Events
    from ignite.handlers.lr_finder import _ExponentialLR
    from ignite.handlers.state_param_scheduler import StateParamScheduler

    parameter = torch.nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.SGD([parameter], lr=base)
    names = {**vars(handlers), **vars(torch.optim.lr_scheduler), "_ExponentialLR": _ExponentialLR}
    scheduler = eval(call, {**names, "optimizer": optimizer, "ripple": ripple})
    seen: list[float] = []

    def update(engine: Engine, _: int) -> None:
        of_state = isinstance(scheduler, StateParamScheduler)
        seen.append(float(engine.state.lr if of_state else optimizer.param_groups[0]["lr"]))
        optimizer.step()

    trainer = Engine(update)
    if isinstance(scheduler, StateParamScheduler):
        scheduler.attach(trainer, Events.ITERATION_STARTED)
    elif isinstance(scheduler, torch.optim.lr_scheduler.LRScheduler):
        trainer.add_event_handler(Events.ITERATION_COMPLETED, lambda _: scheduler.step())
    else:
        trainer.add_event_handler(Events.ITERATION_STARTED, scheduler)
    trainer.run(range(count), max_epochs=1)
    return seen


ABSOLUTE = "Both values are rates; ours are multiples of the base rate, here the first value."
RESTARTS = " At cycle_size it starts again; ours holds the end."
EARLY = "Its index is raised before it is used, so its first value is that of position 1."
CYCLES = (
    "Both values are rates. The two multipliers shrink them separately, so ours is the sum of a "
    "cycle down to 0 and a cycle up from 0."
)
WARMUP = "warmup_duration counts values, so the peak is at warmup_duration - 1."

PAIRS = (
    Pair(
        3,
        "PiecewiseLinear(optimizer, 'lr', milestones_values=[(0, {a}), ({n}, {e})])",
        "Linear({n}, end={e / a})",
        ({"n": 10, "a": 1.0, "e": 0.0}, {"n": 37, "a": 3e-4, "e": 1e-5}),
        difference=ABSOLUTE,
        base="a",
    ),
    Pair(
        3,
        "LinearCyclicalScheduler(optimizer, 'lr', start_value={a}, end_value={e}, "
        "cycle_size={n}, monotonic=True)",
        "Linear({n}, end={e / a})",
        ({"n": 10, "a": 1.0, "e": 0.0}, {"n": 37, "a": 3e-4, "e": 1e-5}),
        difference=ABSOLUTE + RESTARTS,
        base="a",
        count="n",
    ),
    Pair(
        9,
        "CosineAnnealingScheduler(optimizer, 'lr', start_value={a}, end_value={e}, cycle_size={n})",
        "Cosine({n}, end={e / a})",
        ({"n": 10, "a": 1.0, "e": 0.0}, {"n": 37, "a": 3e-4, "e": 1e-5}),
        difference=ABSOLUTE + RESTARTS,
        base="a",
        count="n",
    ),
    Pair(
        16,
        "ExpStateScheduler(initial_value={b}, gamma={g}, param_name='lr', create_new=True)",
        "Exponential({g}).skip(1)",
        ({"g": 0.95, "b": 1.0}, {"g": 0.999, "b": 3e-4}),
        difference=EARLY,
        base="b",
    ),
    Pair(
        19,
        "_ExponentialLR(optimizer, start_lrs=[{a}], end_lrs=[{e}], num_iter={n})",
        "Exponential({e / a}, {n}).skip(1)",
        ({"n": 100, "a": 1e-7, "e": 10.0}, {"n": 37, "a": 1e-3, "e": 0.5}),
        difference="The ramp of its finder. It starts one step up, at start · (end/start)^(1/n), "
        "and goes on past the end.",
        base="a",
        count="2 * n",
    ),
    Pair(
        30,
        "StepStateScheduler(initial_value={b}, gamma={g}, step_size={k}, param_name='lr', "
        "create_new=True)",
        "Step({k}, {g}).skip(1)",
        ({"k": 30, "g": 0.1, "b": 1.0}, {"k": 7, "g": 0.5, "b": 3e-4}),
        difference=EARLY,
        base="b",
    ),
    Pair(
        31,
        "MultiStepStateScheduler(initial_value={b}, gamma={g}, milestones={list(m)}, "
        "param_name='lr', create_new=True)",
        "MultiStep({dict.fromkeys(m, g)}).skip(1)",
        ({"m": (30, 80), "g": 0.1, "b": 1.0}, {"m": (1, 2, 250), "g": 0.5, "b": 3e-4}),
        difference=EARLY,
        base="b",
    ),
    Pair(
        35,
        "PiecewiseLinear(optimizer, 'lr', milestones_values=[({p}, {a}), ({q}, {b}), ({r}, {c})])",
        "Hold({p}, {a}) >> Linear({q - p}, start={a}, end={b}) "
        ">> Linear({r - q}, start={b}, end={c})",
        (
            {"p": 5, "q": 20, "r": 50, "a": 0.1, "b": 1.0, "c": 0.01},
            {"p": 0, "q": 1, "r": 38, "a": 0.3, "b": 0.2, "c": 0.0},
        ),
        difference="Knots at positions; ours are lengths, and each piece says where it begins.",
    ),
    Pair(
        35,
        "PiecewiseLinearStateScheduler([({p}, {a}), ({q}, {b}), ({r}, {c})], 'lr', "
        "create_new=True)",
        "(Hold({p}, {a}) >> Linear({q - p}, start={a}, end={b}) "
        ">> Linear({r - q}, start={b}, end={c})).skip(1)",
        (
            {"p": 5, "q": 20, "r": 50, "a": 0.1, "b": 1.0, "c": 0.01},
            {"p": 0, "q": 1, "r": 38, "a": 0.3, "b": 0.2, "c": 0.0},
        ),
        difference=EARLY,
    ),
    Pair(
        44,
        "LambdaStateScheduler(ripple, 'lr', create_new=True)",
        "Function('ignite_ripple').skip(1)",
        ({},),
        difference=EARLY,
    ),
    Pair(
        51,
        "LinearCyclicalScheduler(optimizer, 'lr', start_value={a}, end_value={e}, cycle_size={n})",
        "Triangular({n / 2}, low={a}, high={e}).repeat()",
        ({"n": 10, "a": 0.1, "e": 1.0}, {"n": 37, "a": 3e-4, "e": 1e-5}),
        difference="cycle_size is the way there and back.",
    ),
    Pair(
        52,
        "LinearCyclicalScheduler(optimizer, 'lr', start_value={a}, end_value={e}, "
        "cycle_size={n}, cycle_mult={m}, start_value_mult={d}, end_value_mult={k})",
        "Triangular({n / 2}, low={a}, high=0).repeat(stretch={m}, shrink={d}) "
        "+ Triangular({n / 2}, high={e}).repeat(stretch={m}, shrink={k})",
        (
            {"n": 10, "a": 0.1, "e": 1.0, "m": 1, "d": 1.0, "k": 0.5},
            {"n": 13, "a": 0.2, "e": 0.9, "m": 2, "d": 0.7, "k": 0.4},
        ),
        difference=CYCLES,
    ),
    Pair(
        55,
        "CosineAnnealingScheduler(optimizer, 'lr', start_value={a}, end_value={e}, "
        "cycle_size={n}, cycle_mult={m}, start_value_mult={d}, end_value_mult={k})",
        "Cosine({n}, start={a}).repeat(stretch={m}, shrink={d}) "
        "+ Cosine({n}, start=0, end={e}).repeat(stretch={m}, shrink={k})",
        (
            {"n": 10, "a": 1.0, "e": 0.0, "m": 1, "d": 1.0, "k": 1.0},
            {"n": 10, "a": 1.0, "e": 0.1, "m": 2, "d": 0.5, "k": 1.0},
            {"n": 13, "a": 0.9, "e": 0.2, "m": 3, "d": 0.7, "k": 0.4},
        ),
        difference=CYCLES,
    ),
    Pair(
        55,
        "CosineAnnealingScheduler(optimizer, 'lr', start_value={a}, end_value={e}, "
        "cycle_size={n}, cycle_mult=1.5)",
        "Cosine({n}, start={a}, end={e}) >> Cosine({int(1.5 * n)}, start={a}, end={e}) "
        ">> Cosine({int(1.5 * int(1.5 * n))}, start={a}, end={e})",
        ({"n": 11, "a": 1.0, "e": 0.1},),
        difference="Fractional cycle lengths are cut to whole ones, so ours names each.",
        count="n + int(1.5 * n) + int(1.5 * int(1.5 * n))",
    ),
    Pair(
        55,
        "CosineAnnealingScheduler(optimizer, 'lr', start_value={a}, end_value={e}, "
        "cycle_size={n}, warmup_duration={w}, start_value_mult={d})",
        "(Cosine({n}, start={a}, end={e}) >> Linear({w}, start={e}, end={a * d})) "
        ">> (Cosine({n}, start={a * d}, end={e}) >> Linear({w}, start={e}, end={a * d * d}))",
        ({"n": 10, "w": 4, "a": 1.0, "e": 0.1, "d": 0.5},),
        difference="The warmup between the cycles ends at the next start; ours names each.",
        count="2 * (n + w)",
    ),
    Pair(
        71,
        "create_lr_scheduler_with_warmup(ExponentialLR(optimizer, gamma={g}), "
        "warmup_start_value={s}, warmup_duration={w})",
        "Warmup({w - 1}, start={s / b}) >> Exponential({g})",
        ({"w": 10, "s": 0.0, "g": 0.95, "b": 1.0}, {"w": 3, "s": 1e-5, "g": 0.99, "b": 3e-4}),
        difference=WARMUP,
        base="b",
    ),
    Pair(
        71,
        "create_lr_scheduler_with_warmup(CosineAnnealingScheduler(optimizer, 'lr', "
        "start_value={b}, end_value={e}, cycle_size={n}), warmup_start_value={s}, "
        "warmup_duration={w})",
        "Warmup({w - 1}, start={s / b}) >> Cosine({n}, end={e / b}).repeat()",
        (
            {"w": 10, "n": 40, "s": 0.0, "e": 0.0, "b": 1.0},
            {"w": 3, "n": 7, "s": 1e-5, "e": 2e-5, "b": 3e-4},
        ),
        difference=WARMUP,
        base="b",
    ),
    Pair(
        71,
        "create_lr_scheduler_with_warmup(CosineAnnealingScheduler(optimizer, 'lr', "
        "start_value={b}, end_value={e}, cycle_size={n}), warmup_start_value={s}, "
        "warmup_duration={w}, warmup_end_value={p})",
        "Linear({w - 1}, start={s / b}, end={p / b}) >> Hold(1, {p / b}) "
        ">> Cosine({n}, end={e / b}).repeat()",
        ({"w": 10, "n": 40, "s": 0.0, "p": 0.8, "e": 0.0, "b": 1.0},),
        difference="Where the warmup ends at another value than the schedule begins with, it is "
        "one step longer.",
        base="b",
    ),
)
