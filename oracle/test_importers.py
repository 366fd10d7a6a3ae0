"""What is imported gives the rates that the peer's own code gives, at every position."""

import functools
import json
import subprocess
import sys
from typing import Any

import numpy as np
import pytest

from stepsize import Absolute
from stepsize.importers import (
    Imported,
    from_deepspeed,
    from_keras,
    from_megatron,
    from_mmengine,
    from_timm,
)

Case = dict[str, Any]
BASE = 0.1
PER_EPOCH = 7


def keras_case(name: str, count: int, **config: Any) -> Case:
    module = "keras.optimizers.schedules"
    return {"config": {"module": module, "class_name": name, "config": config}, "count": count}


START = {"initial_learning_rate": 0.2}
KERAS = [
    keras_case("ExponentialDecay", 60, **START, decay_steps=12, decay_rate=0.8),
    keras_case("ExponentialDecay", 60, **START, decay_steps=12, decay_rate=0.8, staircase=True),
    keras_case("InverseTimeDecay", 60, **START, decay_steps=12, decay_rate=0.7),
    keras_case("InverseTimeDecay", 60, **START, decay_steps=12, decay_rate=0.7, staircase=True),
    keras_case("PiecewiseConstantDecay", 40, boundaries=[7, 20], values=[1.0, 0.3, 0.02]),
    keras_case("PolynomialDecay", 80, **START, decay_steps=40, power=1.7, end_learning_rate=0.01),
    keras_case("PolynomialDecay", 80, **START, decay_steps=40),
    keras_case(
        "PolynomialDecay", 200, **START, decay_steps=20, cycle=True, power=2.0, end_learning_rate=0
    ),
    keras_case("CosineDecay", 80, **START, decay_steps=40, alpha=0.1),
    keras_case("CosineDecay", 80, **START, decay_steps=40, warmup_target=0.5, warmup_steps=9),
    keras_case("CosineDecay", 80, **START, decay_steps=40, warmup_target=0.5),
    keras_case("CosineDecayRestarts", 80, **START, first_decay_steps=16, t_mul=1.0, alpha=0.1),
    keras_case(
        "CosineDecayRestarts", 80, **START, first_decay_steps=16, t_mul=1.0, m_mul=0.8, alpha=0.1
    ),
    # Its restarts are found by a logarithm, which misses some: 1.5 has none of these in reach.
    keras_case("CosineDecayRestarts", 45, **START, first_decay_steps=31, t_mul=1.5, m_mul=0.8),
]


def timm_case(**config: Any) -> Case:
    return {"config": config, "count": 200, "base": BASE, "per_epoch": PER_EPOCH}


SHARED = {"num_epochs": 20, "min_lr": 0.003, "warmup_lr": 0.001}
UPDATES = {"step_on_epochs": False}
CYCLES = {"num_epochs": 5, "min_lr": 0.003, "cycle_limit": 3}
TIMM = [
    timm_case(**shared, sched=sched, **more)
    for sched in ("cosine", "tanh", "poly", "step", "multistep", "constant", "wsd")
    for shared in (SHARED, SHARED | UPDATES)
    for more in (
        {"decay_milestones": [4, 9, 15], "decay_epochs": 6},
        {"warmup_epochs": 3, "decay_milestones": [4, 9, 15], "decay_epochs": 6},
        {"warmup_epochs": 3, "warmup_prefix": True, "decay_epochs": 4},
    )
]
TIMM += [
    timm_case(**CYCLES, **more, sched=sched)
    for sched in ("cosine", "tanh", "poly")
    for more in ({}, {"cycle_decay": 0.5}, {"cycle_decay": 0.5, "cycle_mul": 2.0})
]
TIMM += [
    timm_case(**SHARED, sched="cosine", k_decay=1.5),
    timm_case(**SHARED, sched="poly", decay_rate=2.0, k_decay=0.7),
    timm_case(**SHARED, sched="rsqrt", warmup_epochs=4, decay_epochs=0.3),
    timm_case(**SHARED | UPDATES, sched="rsqrt", warmup_epochs=4),
    timm_case(num_epochs=20, sched="rsqrt", stable_timescale=2.0, decay_fn="cosine"),
    timm_case(epochs=20, sched="cosine", lr_cycle_limit=2, lr_cycle_decay=0.7),
    timm_case(epochs=20, sched="step", sched_on_updates=True, decay_epochs=5),
    timm_case(epochs=40, sched="multistep"),
]
TIMM += [
    timm_case(**SHARED, sched="wsd", decay_fn=shape, decay_epochs=0.4, warmup_epochs=2)
    for shape in ("linear", "1-sqrt", "cosine", "power", "exp")
]


def mmengine_case(*config: Case, per_epoch: int = PER_EPOCH) -> Case:
    return {"config": list(config), "count": 200, "base": BASE, "per_epoch": per_epoch}


def piece(kind: str, begin: int = 0, end: int = 20, **more: Any) -> Case:
    return {"type": kind, "begin": begin, "end": end, **more}


WARMUP = piece("LinearLR", end=15, start_factor=0.1, by_epoch=False)
IN_ITERATIONS = {"convert_to_iter_based": True}
MMENGINE = [
    mmengine_case(piece(kind, **arguments, **more))
    for kind, arguments in {
        "ConstantLR": {"factor": 0.3},
        "CosineAnnealingLR": {"eta_min_ratio": 0.05},
        "CosineRestartLR": {"periods": [5, 7], "restart_weights": [1, 0.5], "eta_min": 0.001},
        "ExponentialLR": {"gamma": 0.9},
        "LinearLR": {"start_factor": 0.2, "end_factor": 0.7},
        "MultiStepLR": {"milestones": [4, 9, 9, 15]},
        "OneCycleLR": {"eta_max": 0.3},
        "PolyLR": {"power": 1.5, "eta_min": 0.002},
        "StepLR": {"step_size": 6, "gamma": 0.5},
    }.items()
    for more in ({}, {"begin": 3}, {"by_epoch": False}, IN_ITERATIONS)
]
MMENGINE += [
    mmengine_case(WARMUP, piece("MultiStepLR", milestones=[8, 11], end=12)),
    mmengine_case(
        WARMUP, piece("CosineAnnealingLR", begin=15, end=150, by_epoch=False, eta_min=0.004)
    ),
    mmengine_case(
        piece("LinearLR", end=2, start_factor=0.5, end_factor=0.8, **IN_ITERATIONS),
        piece("PolyLR", begin=2, power=0.9, eta_min=1e-3, **IN_ITERATIONS),
    ),
    mmengine_case(WARMUP, piece("CosineAnnealingLR"), piece("StepLR", step_size=4)),
    mmengine_case(piece("CosineAnnealingLR", T_max=40, end=190, by_epoch=False, eta_min=0.01)),
    mmengine_case(piece("OneCycleLR", eta_max=0.3, three_phase=True, pct_start=0.4)),
    mmengine_case(piece("OneCycleLR", eta_max=0.3, anneal_strategy="linear", total_steps=30)),
    mmengine_case(
        piece("CosineAnnealingMomentum", eta_min_ratio=0.8), piece("StepLR", step_size=9)
    ),
]


def deepspeed_case(kind: str, count: int = 150, **params: Any) -> Case:
    return {"config": {"type": kind, "params": params}, "count": count, "base": BASE}


PEAK = {"warmup_max_lr": 0.02, "warmup_min_lr": 0.001}
CYCLE = {"cycle_min_lr": 0.01, "cycle_max_lr": 0.1}
DEEPSPEED = [
    *(
        deepspeed_case(kind, **params, **more, warmup_num_steps=steps)
        for kind, params in {
            "WarmupLR": PEAK,
            "WarmupDecayLR": PEAK | {"total_num_steps": 100},
            "WarmupCosineLR": {"total_num_steps": 100, "warmup_min_ratio": 0.1},
        }.items()
        for more in ({}, {"warmup_type": "linear"})
        for steps in (1, 20, 99, 100, 120)
    ),
    deepspeed_case("OneCycle", **CYCLE, cycle_first_step_size=30),
    deepspeed_case("OneCycle", **CYCLE, cycle_first_step_size=30, cycle_second_step_size=41),
    deepspeed_case(
        "OneCycle", **CYCLE, cycle_first_step_size=30, decay_step_size=10, decay_lr_rate=0.3
    ),
    *(
        deepspeed_case(
            "OneCycle",
            **CYCLE,
            cycle_first_step_size=first,
            cycle_second_step_size=second,
            cycle_first_stair_count=stairs,
        )
        for first, second, stairs in [(30, 30, 5), (30, 41, 7), (10, 17, 3), (20, 20, 20)]
    ),
    *(
        deepspeed_case(
            "LRRangeTest",
            lr_range_test_min_lr=1e-4,
            lr_range_test_step_size=20,
            lr_range_test_step_rate=2.0,
            lr_range_test_staircase=stairs,
        )
        for stairs in (False, True)
    ),
]

MEGATRON_NAMES = {
    "lr": "max_lr",
    "lr_decay_iters": "lr_decay_steps",
    "lr_warmup_iters": "lr_warmup_steps",
    "lr_warmup_init": "init_lr",
    "lr_wsd_decay_iters": "wsd_decay_steps",
}
MEGATRON_DEFAULTS = {"min_lr": 0.0, "lr_warmup_init": 0.0, "lr_warmup_iters": 0}
BATCH = 16


def megatron_case(**arguments: Any) -> Case:
    """The arguments as users write them; the scheduler counts samples."""
    settings: Case = {"global_batch_size": BATCH}
    for name, value in (MEGATRON_DEFAULTS | arguments).items():
        counted = value * BATCH if name.endswith("_iters") else value
        settings[MEGATRON_NAMES.get(name, name)] = counted
    return {
        "config": settings,
        "count": 150,
        "arguments": {**arguments, "global_batch_size": BATCH},
    }


RUN = {"lr": 3e-4, "min_lr": 3e-5, "lr_decay_iters": 100}
MEGATRON = [
    megatron_case(**RUN, **warmup, lr_decay_style=style)
    for style in ("constant", "linear", "cosine", "inverse-square-root")
    for warmup in ({}, {"lr_warmup_iters": 12}, {"lr_warmup_iters": 7, "lr_warmup_init": 1e-5})
]
MEGATRON += [
    megatron_case(
        **RUN,
        lr_decay_style="WSD",
        lr_warmup_iters=10,
        lr_wsd_decay_iters=30,
        lr_wsd_decay_style=style,
    )
    for style in ("linear", "cosine", "exponential", "minus_sqrt")
]

CASES = {
    "deepspeed": DEEPSPEED,
    "keras": KERAS,
    "megatron": MEGATRON,
    "mmengine": MMENGINE,
    "timm": TIMM,
}


def imported(peer: str, case: Case) -> Imported:
    match peer:
        case "deepspeed":
            return from_deepspeed(case["config"], base=case["base"])
        case "keras":
            return from_keras(case["config"])
        case "megatron":
            return from_megatron(case["arguments"])
        case "mmengine":
            return from_mmengine(
                case["config"], base=case["base"], steps_per_epoch=case["per_epoch"]
            )
        case _:
            return from_timm(case["config"], base=case["base"], updates_per_epoch=case["per_epoch"])


@functools.cache
def answer_of(peer: str) -> "subprocess.CompletedProcess[str]":
    cases = [
        {key: value for key, value in case.items() if key != "arguments"} for case in CASES[peer]
    ]
    return subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "oracle.importer_rates", peer],
        input=json.dumps(cases),
        capture_output=True,
        text=True,
        check=False,
    )


def rates_of(peer: str) -> list[list[float]]:
    done = answer_of(peer)
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout[done.stdout.index("[[") :])


def parameters() -> list[Any]:
    return [
        pytest.param(
            peer, number, id=f"{peer}-{number}", marks=pytest.mark.xdist_group(f"import-{peer}")
        )
        for peer, cases in CASES.items()
        for number, _ in enumerate(cases)
    ]


@pytest.mark.parametrize(("peer", "number"), parameters())
def test_the_imported_schedule_gives_the_peers_rates(peer: str, number: int) -> None:
    case = CASES[peer][number]
    found = imported(peer, case)
    theirs = np.array(rates_of(peer)[number])
    schedule, base = found.schedule, found.base
    if peer == "mmengine" and "Momentum" in case["config"][0]["type"]:
        schedule, base = found.momentum, 0.9
    if isinstance(schedule, Absolute):
        ours = schedule.schedule.values(len(theirs))
    else:
        assert schedule is not None
        assert base is not None
        ours = base * schedule.values(len(theirs))
    wrong = np.flatnonzero(~(np.abs(ours - theirs) <= 1e-12 * np.max(np.abs(theirs))))
    assert not wrong.size, (
        f"{case}\n{found.schedule}\nat {wrong[:5]} of {len(theirs)}: ours {ours[wrong[:5]]}, "
        f"theirs {theirs[wrong[:5]]}"
    )
