"""fastai.callback.schedule: its shapes, and the ``fit_`` methods that use them"""

import math
import sys
from types import ModuleType, SimpleNamespace
from typing import Any

from oracle.isolation import absent
from oracle.table import Pair, Peer
from stepsize import schedule_function

# combine_scheds keeps the edges of its phases in single precision.
PEER = Peer("FA", "fastai", package="fastai", tolerance=1e-6)


@schedule_function("fastai_ripple")
def ripple(u: float) -> float:
    """What a user may write: no peer and no algebra knows it."""
    return math.exp(-u) * (1 + math.sin(20 * u) ** 2 / 10)


def between(start: float, end: float, pos: float) -> float:
    """The same as fastai asks for it."""
    return start + (end - start) * ripple(pos)


class Learner:
    """What the ``fit_`` methods ask of a learner; each epoch has one batch."""

    moms = (0.95, 0.85, 0.95)

    def __init__(self) -> None:
        hypers = [{"lr": 0.0, "mom": 0.0}]
        self.opt = SimpleNamespace(hypers=hypers, set_hyper=hypers[0].__setitem__)
        self.rates: list[float] = []

    def fit(self, n_epoch: int, cbs: Any, **_: Any) -> None:
        (scheduler,) = cbs
        scheduler.opt = self.opt
        for epoch in range(n_epoch):
            scheduler.pct_train = epoch / n_epoch
            scheduler.before_batch()
            (rate,) = self.opt.hypers[0]["lr"]
            self.rates.append(float(rate))


def rates(call: str, count: int, base: float) -> list[float]:
    names = {**vars(_schedules()), "between": between}
    if call.startswith("learn."):
        learn = Learner()
        eval(call, {"learn": learn})
        return learn.rates
    # They know no length: the caller divides the step t by it.
    value_at = eval(f"lambda t: {call}", names)
    return [float(value_at(t)) for t in range(count)]


def _schedules() -> ModuleType:
    # fastai.basics is all of fastai, with its data sets; the schedules need what fastcore has.
    import fastcore.all
    import numpy as np
    import torch

    if "fastai.basics" not in sys.modules:
        basics = ModuleType("fastai.basics")
        vars(basics).update({k: v for k, v in vars(fastcore.all).items() if k[:2] != "__"})
        recorder = type("Recorder", (), {})
        vars(basics).update(Callback=object, Learner=Learner, Recorder=recorder, np=np, math=math)
        vars(basics).update(torch=torch, tensor=torch.tensor)
        sys.modules["fastai.basics"] = basics
        absent("fastai.callback.tracker")
    from fastai.callback import schedule

    return schedule


FRACTION = "It takes the fraction of the run, t/n; past 1 it goes on."
RATES = FRACTION + " Both values are rates."
EPOCHS = "Its length is in epochs, here of one batch."

PAIRS = (
    Pair(
        1,
        "SchedNo({b}, {b})(t / {n})",
        "Constant()",
        ({"b": 1.0, "n": 10}, {"b": 3e-4, "n": 37}),
        difference=FRACTION,
        base="b",
        count="2 * n",
    ),
    Pair(
        3,
        "SchedLin({b}, {e})(t / {n})",
        "Linear({n}, end={e / b})",
        ({"b": 1.0, "e": 0.0, "n": 10}, {"b": 3e-4, "e": 1e-5, "n": 37}),
        difference=RATES,
        base="b",
        count="n + 1",
    ),
    Pair(
        5,
        "SchedPoly({b}, {e}, power={p})(t / {n})",
        "Power({n}, {p}, end={e / b})",
        (
            {"b": 1.0, "e": 0.0, "n": 10, "p": 0.5},
            {"b": 3e-4, "e": 1e-5, "n": 37, "p": 2},
        ),
        difference=RATES,
        base="b",
        count="n + 1",
    ),
    Pair(
        9,
        "SchedCos({b}, {e})(t / {n})",
        "Cosine({n}, end={e / b})",
        ({"b": 1.0, "e": 0.0, "n": 10}, {"b": 3e-4, "e": 1e-5, "n": 37}),
        difference=RATES,
        base="b",
        count="n + 1",
    ),
    Pair(
        19,
        "SchedExp({b}, {e})(t / {n})",
        "Exponential({e / b}, {n})",
        ({"b": 1.0, "e": 0.01, "n": 10}, {"b": 1e-7, "e": 10.0, "n": 100}),
        difference=RATES,
        base="b",
        count="2 * n",
    ),
    Pair(
        36,
        "combined_cos({p}, {a}, {b}, {c})(t / {n})",
        "Cosine({p * n}, start={a}, end={b}) >> Cosine({n - p * n}, start={b}, end={c})",
        (
            {"p": 0.25, "a": 0.04, "b": 1.0, "c": 1e-5, "n": 100},
            {"p": 0.4, "a": 0.3, "b": 0.1, "c": 0.2, "n": 37},
        ),
        difference=FRACTION,
        count="n + 1",
    ),
    Pair(
        44,
        "annealer(between)({b}, {e})(t / {n})",
        "Function('fastai_ripple', 1).over({n}) * {(e / b - 1)} + 1",
        ({"b": 1.0, "e": 0.1, "n": 50},),
        difference="A function of start, end and the fraction of the run; ours is stretched over "
        "the run.",
        base="b",
        count="n + 1",
    ),
    Pair(
        55,
        "learn.fit_sgdr({k}, {n}, lr_max={b}, cycle_mult={m})",
        "Cosine({n}).repeat({k}, stretch={m})",
        ({"k": 2, "n": 5, "m": 3, "b": 3e-4}, {"k": 2, "n": 3, "m": 2, "b": 1.0}),
        difference=EPOCHS,
        base="b",
    ),
    Pair(
        55,
        "learn.fit_sgdr({k}, {n}, lr_max={b}, cycle_mult={m})",
        "Cosine({n}).repeat({k}, stretch={m})",
        ({"k": 3, "n": 2, "m": 2, "b": 1.0},),
        difference=EPOCHS,
        base="b",
        fault="The rounded sum of the cycles' fractions can be above that of the steps: this "
        "restart comes one update late.",
        agrees_until="n + n * m",
    ),
    Pair(
        61,
        "learn.fit_one_cycle({n}, lr_max={b}, div={d}, div_final={f}, pct_start={p})",
        "one_cycle({n}, rise={p}, start={1 / d}, end={1 / f})",
        (
            {"n": 100, "b": 1.0, "d": 25.0, "f": 1e5, "p": 0.25},
            {"n": 37, "b": 3e-4, "d": 10.0, "f": 100, "p": 0.3},
        ),
        difference=EPOCHS
        + " The last update is one step before the end; div_final is of the peak.",
        base="b",
    ),
    Pair(
        64,
        "learn.fit_flat_cos({n}, lr={b}, div_final={f}, pct_start={p})",
        "Hold({p * n}) >> Cosine({n - p * n}, end={1 / f})",
        (
            {"n": 100, "b": 1.0, "f": 1e5, "p": 0.75},
            {"n": 37, "b": 3e-4, "f": 100, "p": 0.5},
        ),
        difference=EPOCHS + " The last update is one step before the end.",
        base="b",
    ),
    Pair(
        71,
        "combine_scheds([{p}, {1 - p}], [SchedLin({a}, {b}), SchedCos({b}, {c})])(t / {n})",
        "Linear({p * n}, start={a}, end={b}) >> Cosine({n - p * n}, start={b}, end={c})",
        (
            {"p": 0.25, "a": 0.04, "b": 1.0, "c": 1e-5, "n": 100},
            {"p": 0.4, "a": 0.03, "b": 0.1, "c": 0.02, "n": 37},
        ),
        difference="The lengths are fractions of the run.",
        count="n + 1",
    ),
    Pair(
        74,
        "combined_cos({p}, {a}, {b}, {b})(t / {n})",
        "Cosine({p * n}, start={a}, end={b})",
        ({"p": 0.25, "a": 0.0, "b": 1.0, "n": 100}, {"p": 0.5, "a": 1e-5, "b": 3e-4, "n": 37}),
        difference="The length is a fraction of the run.",
        count="n + 1",
    ),
)
