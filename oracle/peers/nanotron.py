"""nanotron.helpers"""

from functools import cache, partial
from types import SimpleNamespace
from typing import Any

from oracle.drivers import from_optimizer, without_init
from oracle.isolation import absent
from oracle.table import Pair, Peer

PEER = Peer("NT", "nanotron", package="nanotron")


@cache
def _names() -> dict[str, Any]:
    without_init("nanotron")
    absent("nanotron.config", "nanotron.distributed", "nanotron.logging", "nanotron.models")
    absent("nanotron.optim", "nanotron.parallel", "nanotron.random")
    from nanotron.helpers import lr_scheduler_builder

    def builder(optimizer: Any, *args: Any) -> Any:
        return lr_scheduler_builder(SimpleNamespace(get_base_optimizer=lambda: optimizer), *args)

    arguments = partial(
        SimpleNamespace,
        learning_rate=1.0,
        lr_warmup_style="linear",
        lr_decay_steps=None,
        lr_decay_starting_step=None,
    )
    return {"lr_scheduler_builder": builder, "LRSchedulerArgs": arguments}


def rates(call: str, count: int, base: float) -> list[float]:
    return from_optimizer(call, _names(), count, base)


def _call(style: str, more: str = "") -> str:
    return (
        f"lr_scheduler_builder(optimizer, LRSchedulerArgs(learning_rate=1.0, {more}"
        f'lr_warmup_steps={{w}}, lr_decay_style="{style}", min_decay_lr={{e}}), {{n}})'
    )


_FALLS = ({"w": 3, "n": 20, "e": 0}, {"w": 1, "n": 17, "e": 0.1})
_PLANS = ({"w": 3, "s": 15, "n": 40, "e": 0}, {"w": 5, "s": 9, "n": 37, "e": 0.1})
_INCLUDES = "The total includes the warmup; min_decay_lr is a rate."
_STARTS = (
    "lr_decay_starting_step is a position; the decay ends at the total less the warmup, unless "
    "lr_decay_steps says otherwise."
)

PAIRS = (
    Pair(
        3,
        _call("linear"),
        "Warmup({w}) >> Linear({n - w}, end={e})",
        _FALLS,
        difference=_INCLUDES,
    ),
    Pair(
        5,
        _call("1-sqrt"),
        "Power({n}, 0.5, end={e})",
        ({"w": 0, "n": 20, "e": 0}, {"w": 0, "n": 17, "e": 0.1}),
        difference=f"{_INCLUDES} Newer than nanotron 0.4.",
        formula="e + (1 - e) * (1 - sqrt(t / n)) if t < n else e",
    ),
    Pair(
        9,
        _call("cosine"),
        "Warmup({w}) >> Cosine({n - w}, end={e})",
        _FALLS,
        difference=_INCLUDES,
    ),
    Pair(
        65,
        _call("cosine", "lr_decay_starting_step={s}, "),
        "Warmup({w}) >> Hold({s - w}) >> Cosine({n - w - s}, end={e})",
        _PLANS,
        difference=_STARTS,
    ),
    Pair(
        66,
        _call("linear", "lr_decay_starting_step={s}, "),
        "Warmup({w}) >> Hold({s - w}) >> Linear({n - w - s}, end={e})",
        _PLANS,
        difference=_STARTS,
    ),
    Pair(
        66,
        _call("linear", "lr_decay_starting_step={s}, lr_decay_steps={d}, "),
        "Warmup({w}) >> Hold({s - w}) >> Linear({d}, end={e})",
        ({"w": 3, "s": 15, "d": 10, "n": 40, "e": 0.1},),
        difference="lr_decay_starting_step is a position.",
    ),
    Pair(
        67,
        _call("1-sqrt", "lr_decay_starting_step={s}, "),
        "Warmup({w}) >> Hold({s - w}) >> Power({n - w - s}, 0.5, end={e})",
        _PLANS,
        difference=f"{_STARTS} Newer than nanotron 0.4.",
        formula="t / w if t <= w else 1 if t < s else "
        "e + (1 - e) * (1 - sqrt((t - s) / (n - w - s))) if t < n - w else e",
    ),
    Pair(
        71,
        _call("linear"),
        "Warmup({w}) >> Linear({n - w}, end={e})",
        ({"w": 9, "n": 15, "e": 1.0},),
        difference=_INCLUDES,
    ),
    Pair(
        73,
        _call("linear", 'lr_warmup_style="constant", '),
        "Hold({w}) >> Linear({n - w}, end={e})",
        ({"w": 9, "n": 20, "e": 0.1},),
        difference="The constant is the peak itself.",
    ),
)
