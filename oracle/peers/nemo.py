"""nemo.core.optim.lr_scheduler"""

from functools import cache
from typing import Any

from oracle.drivers import from_optimizer, without_init
from oracle.isolation import absent
from oracle.table import Pair, Peer

PEER = Peer("NM", "NeMo", package="nemo-toolkit")


@cache
def _names() -> dict[str, Any]:
    for package in ("nemo", "nemo.core", "nemo.core.optim"):
        without_init(package)
    absent("nemo.core.classes", "nemo.utils")
    from nemo.core.optim import lr_scheduler

    return vars(lr_scheduler)


def rates(call: str, count: int, base: float) -> list[float]:
    return from_optimizer(call, _names(), count, base)


_WARMUP = "Warmup({w + 1}).skip(1)"
_INCLUDES = "max_steps includes the warmup, which starts at 1 / (w + 1); min_lr is a rate."
_CUTS = f"{_INCLUDES} min_lr cuts the curve off."
_FALLS = ({"w": 3, "n": 20, "e": 0}, {"w": 0, "n": 17, "e": 0.1})
_POWERS = ({"w": 3, "n": 20, "p": 2, "e": 0.1}, {"w": 0, "n": 17, "p": 0.7, "e": 0})
_PLANS = ({"w": 3, "h": 5, "n": 30, "e": 0.1}, {"w": 4, "h": 0, "n": 21, "e": 0})

PAIRS = (
    Pair(
        3,
        "WarmupAnnealing(optimizer, warmup_steps={w}, max_steps={n}, min_lr={e})",
        f"{_WARMUP} >> Linear({{n - w}}, end={{e}})",
        _FALLS,
        difference=_INCLUDES,
    ),
    Pair(
        4,
        "PolynomialDecayAnnealing(optimizer, warmup_steps={w}, max_steps={n}, power={p}, "
        "min_lr={e})",
        f"{_WARMUP} >> Polynomial({{n - w}}, {{p}}, end={{e}})",
        _POWERS,
        difference=_INCLUDES,
    ),
    Pair(
        4,
        "PolynomialHoldDecayAnnealing(optimizer, warmup_steps={w}, hold_steps={h}, "
        "max_steps={n}, power={p}, min_lr={e})",
        f"{_WARMUP} >> Hold({{h}}) >> Polynomial({{n - w - h}}, {{p}}, end={{e}})",
        ({"w": 3, "h": 5, "n": 20, "p": 2, "e": 0.1}, {"w": 2, "h": 1, "n": 17, "p": 0.7, "e": 0}),
        difference=_INCLUDES,
    ),
    Pair(
        4,
        "SquareAnnealing(optimizer, warmup_steps={w}, max_steps={n}, min_lr={e})",
        f"{_WARMUP} >> Polynomial({{n - w}}, 2).clip(low={{e}})",
        _FALLS,
        difference=_CUTS,
    ),
    Pair(
        4,
        "SquareRootAnnealing(optimizer, warmup_steps={w}, max_steps={n}, min_lr={e})",
        f"{_WARMUP}.until({{w + 1}}) >> Polynomial({{n}}, 0.5).skip({{w + 1}}).clip(low={{e}})",
        _FALLS,
        difference=f"{_CUTS} The decay counts from 0: the rate jumps down after the warmup.",
    ),
    Pair(
        5,
        "WarmupHoldAnnealOneMinusSquareRoot(optimizer, hold_steps={h}, max_steps={n}, min_lr={e})",
        "Hold({h}) >> Power({n - h}, 0.5).clip(low={e})",
        ({"h": 10, "n": 30, "e": 0}, {"h": 0, "n": 17, "e": 0.2}),
        difference="max_steps includes the hold; min_lr is a rate and cuts the curve off.",
    ),
    Pair(
        6,
        "PolynomialDecayAnnealing(optimizer, max_steps={n}, power={p}, cycle=True)",
        "Hold(1) >> Polynomial({n}, {p}).skip(1).until({n}).repeat()"
        " * InversePower({n}, {p}).staircase({n})",
        ({"n": 10, "p": 2}, {"n": 7, "p": 0.5}),
        count="3 * n",
        fault="cycle changes nothing: past max_steps the rate is min_lr.",
        agrees_until="n + 1",
    ),
    Pair(
        9,
        "CosineAnnealing(optimizer, warmup_steps={w}, max_steps={n}, min_lr={e})",
        f"{_WARMUP} >> Cosine({{n - w}}, end={{e}})",
        _FALLS,
        difference=_INCLUDES,
    ),
    Pair(
        14,
        "CosineAnnealing(optimizer, warmup_steps={w}, constant_steps={c}, max_steps={n}, "
        "min_lr={e})",
        "Warmup({w}) >> Cosine({n - w - c}, end={e})",
        ({"w": 3, "c": 5, "n": 20, "e": 0.1}, {"w": 0, "c": 1, "n": 17, "e": 0}),
        difference="max_steps includes the warmup and the constant end; with constant_steps the "
        "warmup starts at 0.",
    ),
    Pair(
        16,
        'get_scheduler("ExponentialLR", gamma={g})(optimizer)',
        "Exponential({g})",
        ({"g": 0.97},),
        difference="torch's.",
    ),
    Pair(
        23,
        "InverseSquareRootAnnealing(optimizer, warmup_steps={w}, max_steps={n}, min_lr={e})",
        f"{_WARMUP} >> InverseSqrt({{w + 1}}).until({{n - w + 1}}) >> Constant({{e}})",
        ({"w": 3, "n": 40, "e": 0}, {"w": 0, "n": 33, "e": 0.01}),
        difference=f"{_INCLUDES} After max_steps the rate drops to min_lr.",
        count="2 * n",
    ),
    Pair(
        24,
        "T5InverseSquareRootAnnealing(optimizer, constant_steps={c}, max_steps={n}, min_lr={e})",
        "(Hold({c}) >> InverseSqrt({c}).until({n - c + 1})) * {1 / sqrt(c)} >> Constant({e})",
        ({"c": 5, "n": 40, "e": 0}, {"c": 1, "n": 33, "e": 0.01}),
        difference="Whatever the base rate. After max_steps the rate drops to min_lr.",
        count="2 * n",
    ),
    Pair(
        25,
        "NoamAnnealing(optimizer, d_model={d}, warmup_steps={w}, min_lr={e})",
        "Hold(1, {d ** -0.5 * w ** -1.5}) >> noam({d}, {w})",
        ({"d": 512, "w": 10, "e": 0}, {"d": 64, "w": 7, "e": 0}),
        difference="Counts from 0, and position 0 has the rate of position 1.",
    ),
    Pair(
        25,
        "NoamAnnealing(optimizer, d_model={d}, warmup_steps={w}, min_lr={e})",
        "Hold(1, {d ** -0.5 * w ** -1.5}) >> noam({d}, {w}).until({w})"
        " >> noam({d}, {w}).skip({w}).clip(low={e})",
        ({"d": 512, "w": 10, "e": 0.005},),
        difference="Counts from 0, and position 0 has the rate of position 1; min_lr is a rate and "
        "holds after the warmup only.",
    ),
    Pair(
        26,
        "NoamHoldAnnealing(optimizer, warmup_steps={w}, hold_steps={h}, max_steps={n}, "
        "decay_rate={a}, min_lr={e})",
        f"{_WARMUP} >> Hold({{h}}) >> InversePower({{w}}, {{a}}).clip(low={{e}})"
        ".until({n - w - h + 1}) >> Constant({e})",
        ({"w": 5, "h": 8, "n": 60, "a": 0.5, "e": 0}, {"w": 3, "h": 0, "n": 40, "a": 1, "e": 0.2}),
        difference=f"{_CUTS} After max_steps the rate is min_lr.",
        count="2 * n",
    ),
    Pair(
        30,
        'get_scheduler("StepLR", step_size={n}, gamma={g})(optimizer)',
        "Step({n}, {g})",
        ({"n": 30, "g": 0.5},),
        difference="torch's.",
    ),
    Pair(
        51,
        'get_scheduler("CyclicLR", base_lr={l}, max_lr=1.0, step_size_up={n}, '
        "cycle_momentum=False)(optimizer)",
        "cyclic({n}, low={l})",
        ({"n": 10, "l": 0.1}, {"n": 7, "l": 0}),
        difference="torch's: base_lr and max_lr are rates.",
    ),
    Pair(
        66,
        "WarmupHoldAnnealLinear(optimizer, warmup_steps={w}, hold_steps={h}, max_steps={n}, "
        "min_lr={e})",
        f"{_WARMUP} >> Hold({{h}}) >> Linear({{n - w - h}}, end={{e}})",
        _PLANS,
        difference=_INCLUDES,
    ),
    Pair(
        67,
        "WarmupHoldAnnealOneMinusSquareRoot(optimizer, warmup_steps={w}, hold_steps={h}, "
        "max_steps={n}, min_lr={e})",
        f"{_WARMUP} >> Hold({{h}}) >> Power({{n - w - h}}, 0.5).clip(low={{e}})",
        _PLANS,
        difference=_CUTS,
    ),
    Pair(
        72,
        "WarmupPolicy(optimizer, warmup_steps={w})",
        f"{_WARMUP} >> Constant()",
        ({"w": 9}, {"w": 1}),
        difference="Starts at 1 / (w + 1); the peak is at position w.",
    ),
)
