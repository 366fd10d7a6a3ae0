"""megatron.core.optimizer_param_scheduler"""

from functools import partial
from types import SimpleNamespace

from oracle.table import Pair, Peer

PEER = Peer("MG", "Megatron", package="megatron-core")


# The class has no defaults: a call shows what matters to its curve.
_LEFT_OUT = {
    "init_lr": 0.0,
    "max_lr": 1.0,
    "min_lr": 0.0,
    "lr_warmup_steps": 0,
    "lr_decay_steps": 1,
    "lr_decay_style": "constant",
    "start_wd": 0.0,
    "end_wd": 0.0,
    "wd_incr_steps": 1,
    "wd_incr_style": "constant",
}


def rates(call: str, count: int, base: float) -> list[float]:
    from megatron.core.optimizer_param_scheduler import OptimizerParamScheduler

    optimizer = SimpleNamespace(param_groups=[{}])
    scheduler_class = partial(OptimizerParamScheduler, **_LEFT_OUT)
    names = {"OptimizerParamScheduler": scheduler_class, "optimizer": optimizer}
    scheduler = eval(call, names)
    quantity = "weight_decay" if "wd_incr_style" in call else "lr"
    values: list[float] = []
    for _ in range(count):
        values.append(float(optimizer.param_groups[0][quantity]))
        scheduler.step(1)
    return values


_INCLUDES = "lr_decay_steps includes the warmup; min_lr is a rate."
_FALLS = ({"b": 1, "w": 3, "n": 20, "e": 0}, {"b": 0.06, "w": 0, "n": 17, "e": 0.1})
_PLANS = (
    {"b": 1, "w": 3, "n": 30, "d": 10, "e": 0},
    {"b": 6e-4, "w": 7, "n": 40, "d": 9, "e": 0.1},
)
_TAILS = ({"b": 1, "n": 30, "d": 10, "e": 0}, {"b": 6e-4, "n": 40, "d": 40, "e": 0.1})


def _wsd(style: str, warmup: str = "") -> str:
    return (
        f"OptimizerParamScheduler(optimizer, max_lr={{b}}, min_lr={{e * b}}, {warmup}"
        'lr_decay_steps={n}, lr_decay_style="WSD", wsd_decay_steps={d}, '
        f'lr_wsd_decay_style="{style}")'
    )


def _fall(style: str) -> str:
    return (
        "OptimizerParamScheduler(optimizer, max_lr={b}, min_lr={e * b}, lr_warmup_steps={w}, "
        f'lr_decay_steps={{n}}, lr_decay_style="{style}")'
    )


_EXPONENTIAL = "Exponential(0.5, {d}).until({d}) * {2 - 2 * e} + {2 * e - 1}"

PAIRS = (
    Pair(
        1,
        'OptimizerParamScheduler(optimizer, max_lr={b}, lr_decay_style="constant")',
        "Constant()",
        ({"b": 0.3},),
        base="b",
    ),
    Pair(
        3,
        _fall("linear"),
        "Warmup({w}) >> Linear({n - w}, end={e})",
        _FALLS,
        difference=_INCLUDES,
        base="b",
    ),
    Pair(
        5,
        _wsd("minus_sqrt"),
        "Hold({n - d}) >> Power({d}, 0.5, end={e})",
        _TAILS,
        difference="wsd_decay_steps is the last part of lr_decay_steps.",
        base="b",
    ),
    Pair(
        9,
        _fall("cosine"),
        "Warmup({w}) >> Cosine({n - w}, end={e})",
        _FALLS,
        difference=_INCLUDES,
        base="b",
    ),
    Pair(
        20,
        _wsd("exponential"),
        f"Hold({{n - d}}) >> {_EXPONENTIAL}",
        _TAILS,
        difference="wsd_decay_steps is the last part of lr_decay_steps.",
        base="b",
    ),
    Pair(
        23,
        _fall("inverse-square-root"),
        "Warmup({w}) >> InverseSqrt({w}).clip(low={e}).until({n - w + 1}) >> Constant({e})",
        (
            {"b": 1, "w": 3, "n": 40, "e": 0},
            {"b": 0.06, "w": 10, "n": 50, "e": 0.3},
            {"b": 0.06, "w": 10, "n": 250, "e": 0.3},
        ),
        difference=f"{_INCLUDES} After position lr_decay_steps the rate drops to min_lr.",
        base="b",
    ),
    Pair(
        48,
        "OptimizerParamScheduler(optimizer, start_wd={a}, end_wd={a}, wd_incr_steps={n}, "
        'wd_incr_style="constant")',
        "Constant({a})",
        ({"n": 20, "a": 0.1},),
        difference="The weight decay.",
    ),
    Pair(
        48,
        "OptimizerParamScheduler(optimizer, start_wd={a}, end_wd={b}, wd_incr_steps={n}, "
        'wd_incr_style="linear")',
        "Linear({n}, {a}, {b})",
        ({"n": 20, "a": 0, "b": 0.1}, {"n": 7, "a": 0.033, "b": 0.1}),
        difference="The weight decay.",
    ),
    Pair(
        48,
        "OptimizerParamScheduler(optimizer, start_wd={a}, end_wd={b}, wd_incr_steps={n}, "
        'wd_incr_style="cosine")',
        "Cosine({n}, {a}, {b})",
        ({"n": 20, "a": 0, "b": 0.1}, {"n": 7, "a": 0.033, "b": 0.1}),
        difference="The weight decay.",
    ),
    Pair(
        66,
        _wsd("linear", "lr_warmup_steps={w}, "),
        "Warmup({w}) >> Hold({n - w - d}) >> Linear({d}, end={e})",
        _PLANS,
        difference=_INCLUDES,
        base="b",
    ),
    Pair(
        67,
        _wsd("minus_sqrt", "lr_warmup_steps={w}, "),
        "Warmup({w}) >> Hold({n - w - d}) >> Power({d}, 0.5, end={e})",
        _PLANS,
        difference=_INCLUDES,
        base="b",
    ),
    Pair(
        67,
        _wsd("exponential", "lr_warmup_steps={w}, "),
        f"Warmup({{w}}) >> Hold({{n - w - d}}) >> {_EXPONENTIAL}",
        _PLANS,
        difference=_INCLUDES,
        base="b",
    ),
    Pair(
        67,
        _wsd("cosine", "lr_warmup_steps={w}, "),
        "Warmup({w}) >> Hold({n - w - d}) >> Cosine({d}, end={e})",
        _PLANS,
        difference=_INCLUDES,
        base="b",
    ),
    Pair(
        71,
        "OptimizerParamScheduler(optimizer, init_lr={a * b}, max_lr={b}, lr_warmup_steps={w}, "
        'lr_decay_steps={n}, lr_decay_style="constant")',
        "Warmup({w}, start={a}) >> Constant()",
        ({"b": 1, "w": 10, "n": 11, "a": 0}, {"b": 0.06, "w": 7, "n": 20, "a": 0.1}),
        difference="init_lr is a rate.",
        base="b",
    ),
)
