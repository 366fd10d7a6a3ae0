"""Every format's rates, recomputed from the tool's published formula at every position."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from stepsize import Schedule
from stepsize.importers import FORMATS, from_config

Formula = Callable[[int], float]


@dataclass(frozen=True)
class Case:
    """A configuration, what the caller adds, and the rate at each position."""

    tool: str
    document: dict[str, Any]
    rate: Formula
    count: int = 120
    known: dict[str, Any] = field(default_factory=dict[str, Any])


def half_cosine(u: float) -> float:
    return (1 + math.cos(math.pi * u)) / 2


def warm(t: float, warmup: float, rest: Callable[[float], float], start: float = 0.0) -> float:
    """A linear warmup from ``start``, and what follows, counted from its end."""
    return start + (1 - start) * t / warmup if t < warmup else rest(t - warmup)


def clamped(t: float, steps: float) -> float:
    return min(max(t / steps, 0.0), 1.0)


# ------------------------------------------------------------------ language models

AXOLOTL = {"base_model": "m", "micro_batch_size": 2, "learning_rate": 0.2, "max_steps": 100}
COMPOSER = {"max_duration": "100ba", "optimizer": {"lr": 0.2}}
NEOX = {
    "optimizer": {"type": "Adam", "params": {"lr": 0.2}},
    "train_iters": 100,
    "min_lr": 0.02,
    "warmup": 0.1,
}
NEMO = {"trainer": {"max_steps": 100}}
OLMO = {
    "optimizer": {"learning_rate": 0.2},
    "max_duration": 100,
    "scheduler": {"name": "cosine_with_warmup", "t_warmup": 10, "alpha_f": 0.05},
}


def composer(name: str, /, **settings: Any) -> dict[str, Any]:
    return {**COMPOSER, "scheduler": {"name": name, **settings}}


def nemo(name: str, /, **settings: Any) -> dict[str, Any]:
    sched = {"name": name, "warmup_steps": 10, **settings}
    return {**NEMO, "model": {"optim": {"lr": 0.2, "sched": sched}}}


def neox(t: int, style: str) -> float:
    if t <= 10:
        return 0.2 * max(1, t) / 10
    if style == "linear":
        return max(0.02, 0.2 * (90 - (t - 10)) / 90)
    if style == "exponential":
        return max(0.02, 0.2 * math.exp(-0.693 * (t - 10) / 90))
    return 0.02 + 0.18 * half_cosine(clamped(t - 10, 90))


def olmo(t: int) -> float:
    step = t + 1  # the trainer counts before it steps
    if step < 10:
        return 0.02 + 0.18 * step / 10
    return 0.2 * (0.05 + 0.95 * half_cosine(clamped(step - 10, 90)))


def torchtitan(t: int, shape: str) -> float:
    warmup, decay, floor = 10, 40, 0.1
    stable = 100 + 1 - warmup - decay
    if t < warmup:
        return (t + 1) / warmup
    if t < warmup + stable:
        return 1.0
    u = min(1.0, (t + 1 - warmup - stable) / decay)
    left = {"linear": 1 - u, "sqrt": 1 - math.sqrt(u), "cosine": half_cosine(u)}[shape]
    return floor + (1 - floor) * left


def verl(t: int) -> float:
    return warm(t, 10, lambda s: 0.1 + 0.9 * half_cosine(clamped(s, 90)))


def nanochat(t: int) -> float:
    if t < 10:
        return (t + 1) / 10
    left = clamped(100 - t, 40)
    return left + (1 - left) * 0.05


def modded(t: int) -> float:
    left = clamped(100 - t, 45)
    return left + (1 - left) * 0.1


LANGUAGE = [
    Case("axolotl", AXOLOTL | {"warmup_steps": 10}, lambda t: 0.2 * warm(
        t, 10, lambda s: half_cosine(clamped(s, 90)))),
    Case("axolotl", AXOLOTL | {"warmup_ratio": 0.1, "cosine_min_lr_ratio": 0.1}, lambda t: 0.2
         * warm(t, 10, lambda s: 0.1 + 0.9 * half_cosine(clamped(s, 90)))),
    Case("axolotl", AXOLOTL | {"cosine_min_lr_ratio": 0.1, "cosine_constant_lr_ratio": 0.8},
         lambda t: 0.2 * warm(t, 3, lambda s: 0.1 + 0.9 * half_cosine(clamped(s, 77)))),
    Case("axolotl", AXOLOTL | {"lr_scheduler": "linear", "warmup_steps": 10}, lambda t: 0.2 * warm(
        t, 10, lambda s: 1 - clamped(s, 90))),
    Case("axolotl", AXOLOTL | {"lr_quadratic_warmup": True, "warmup_steps": 10}, lambda t: 0.2 * (
        (t / 10) ** 2 if t < 10 else half_cosine(clamped(t - 10, 90)))),
    Case("Composer and llm-foundry", composer(
        "cosine_with_warmup", t_warmup="10ba", alpha_f=0.1), lambda t: 0.2 * warm(
        t, 10, lambda s: 0.1 + 0.9 * half_cosine(clamped(s, 90)))),
    Case("Composer and llm-foundry", composer(
        "linear_decay_with_warmup", t_warmup="0.1dur", alpha_f=0.1), lambda t: 0.2 * warm(
        t, 10, lambda s: 1 - 0.9 * clamped(s, 90))),
    Case("Composer and llm-foundry", composer(
        "inv_sqrt_with_warmup", t_warmup="10ba", t_scale="5ba", t_cooldown="20ba",
        alpha_f_decay=0, alpha_f_cooldown=0), lambda t: 0.2 * warm(
        t, 10, lambda s: 1 / math.sqrt(1 + min(s, 70) / 5) * (1 - clamped(s - 70, 20)))),
    Case("Composer and llm-foundry", composer("multistep", milestones=["30ba", "60ba"], gamma=0.1),
         lambda t: 0.2 * 0.1 ** ((t >= 30) + (t >= 60))),
    *(
        Case("GPT-NeoX", NEOX | {"lr_decay_style": style}, lambda t, style=style: neox(t, style),
             count=101)
        for style in ("linear", "cosine", "exponential")
    ),
    Case("NeMo", nemo("CosineAnnealing", min_lr=0.02), lambda t: 0.2 * (
        (t + 1) / 11 if t < 10 else 0.1 + 0.9 * half_cosine(clamped(t - 10, 90)))),
    Case("NeMo", nemo("WarmupHoldAnnealLinear", hold_steps=20, min_lr=0.02), lambda t: 0.2 * (
        (t + 1) / 11 if t < 10 else 1 - 0.9 * clamped(t - 30, 70))),
    Case("NeMo", nemo("PolynomialDecayAnnealing", power=2.0, min_lr=0.02), lambda t: 0.2 * (
        (t + 1) / 11 if t < 10 else 0.1 + 0.9 * (1 - clamped(t - 10, 90)) ** 2)),
    Case("OLMo", OLMO, olmo),
    Case("LitGPT", {
        "model_name": "pythia-14m",
            "train": {"lr_warmup_steps": 10, "max_steps": 100, "min_lr": 0.02},
        "optimizer": {"class_path": "torch.optim.AdamW", "init_args": {"lr": 0.2}},
    }, lambda t: 0.2 * warm(t, 10, lambda s: 0.1 + 0.9 * half_cosine(clamped(s, 90)))),
    Case("torchtune", {
        "optimizer": {"_component_": "torch.optim.AdamW", "lr": 0.2},
        "lr_scheduler": {
            "_component_": "torchtune.training.lr_schedulers.get_cosine_schedule_with_warmup",
            "num_warmup_steps": 10,
        },
        "epochs": 2,
    }, lambda t: 0.2 * warm(t, 10, lambda s: half_cosine(clamped(s, 90))),
        known={"steps_per_epoch": 50}),
    *(
        Case("torchtitan", {
            "training": {"steps": 100},
            "optimizer": {"lr": 0.2},
            "lr_scheduler": {
                "warmup_steps": 10, "decay_ratio": 0.4, "decay_type": shape, "min_lr_factor": 0.1
            },
        }, lambda t, shape=shape: 0.2 * torchtitan(t, shape))
        for shape in ("linear", "sqrt", "cosine")
    ),
    Case("verl", {
        "actor_rollout_ref": {"actor": {"optim": {
            "lr": 0.2, "lr_warmup_steps_ratio": 0.1, "warmup_style": "cosine", "min_lr_ratio": 0.1,
        }}},
        "trainer": {"total_training_steps": 100},
    }, lambda t: 0.2 * verl(t)),
    Case("MLX (mlx-lm)", {
        "lr_schedule": {
            "name": "cosine_decay", "warmup": 10, "warmup_init": 0.02, "arguments": [0.2, 80, 0.04]
        },
        "iters": 100,
    }, lambda t: 0.02 + 0.18 * t / 10 if t <= 10 else 0.04 + 0.16 * half_cosine(
        clamped(t - 11, 80))),
    Case("nanoGPT", {
        "learning_rate": 0.2, "max_iters": 100, "lr_decay_iters": 100, "warmup_iters": 10,
        "min_lr": 0.02,
    }, lambda t: 0.2 * (t + 1) / 11 if t < 10 else 0.02 + 0.18 * half_cosine(clamped(t - 10, 90))),
    Case("nanochat", {
        "num_iterations": 100, "warmup_ratio": 0.1, "warmdown_ratio": 0.4, "final_lr_frac": 0.05
    }, lambda t: 0.2 * nanochat(t), known={"base": 0.2}),
    Case("modded-nanogpt", {"Hyperparameters": {"num_iterations": 100, "cooldown_frac": 0.45}},
         lambda t: 0.2 * modded(t), known={"base": 0.2}),
    Case("modded-nanogpt", {
        "Hyperparameters": {"num_iterations": 100, "warmup_iters": 10, "warmdown_iters": 40}
    }, lambda t: 0.2 * min((t + 1) / 10, 1.0, clamped(100 - t, 40)), known={"base": 0.2}),
    Case("diffusers and kohya", {
        "lr_scheduler": "cosine", "lr_warmup_steps": 10, "max_train_steps": 100,
        "learning_rate": 0.2,
    }, lambda t: 0.2 * warm(t, 10, lambda s: half_cosine(clamped(s, 90)))),
]  # fmt: skip

# ------------------------------------------------------------------ vision, speech, translation


def detectron2(t: int) -> float:
    body = 0.1 ** ((t >= 60) + (t >= 80))
    return 0.2 * (0.01 + 0.99 * t / 20 if t < 20 else body)


def detectron2_cosine(t: int) -> float:
    """The warmup leads to where the cosine is at its end."""
    top = half_cosine(20 / 100)
    return 0.2 * (0.01 + (top - 0.01) * t / 20 if t < 20 else half_cosine(clamped(t, 100)))


def paddle_detection(t: int) -> float:
    return 0.2 * (warm(t, 20, lambda s: half_cosine(clamped(s, 80)), start=0.1))


def ultralytics(t: int, cosine: bool) -> float:
    epoch = min(t // 50, 10)
    falls = half_cosine(epoch / 10) if cosine else 1 - epoch / 10
    return 0.2 * min(t / 150, 1.0) * (0.01 + 0.99 * falls)


def mmcv(t: int) -> float:
    drop = 0.1 ** ((t // 50 >= 8) + (t // 50 >= 11))
    return 0.2 * drop * (1 - (1 - t / 20) * (1 - 0.001) if t < 20 else 1)


def garden(t: int) -> float:
    return 0.2 * (0.1 + 0.9 * half_cosine(clamped(t, 80)))


def garden_warm(t: int) -> float:
    return 0.02 + (garden(10) - 0.02) * t / 10 if t < 10 else garden(t)


def tri_stage(t: int) -> float:
    if t < 10:
        return 0.01 + 0.99 * t / 10
    return 1.0 if t < 40 else math.exp(math.log(0.05) * clamped(t - 40, 60))


SOLVER = {"BASE_LR": 0.2, "MAX_ITER": 100, "STEPS": [60, 80], "WARMUP_ITERS": 20}
SOLVER |= {"WARMUP_FACTOR": 0.01, "GAMMA": 0.1}
GARDEN = {
    "learning_rate": {
        "type": "cosine",
        "cosine": {"initial_learning_rate": 0.2, "decay_steps": 80, "alpha": 0.1},
    },
    "warmup": {"type": "linear", "linear": {"warmup_steps": 10, "warmup_learning_rate": 0.02}},
}


def paddle(name: str, /, **settings: Any) -> dict[str, Any]:
    lr = {"name": name, "learning_rate": 0.2, "warmup_epoch": 1, **settings}
    return {"Global": {"epochs": 10}, "Optimizer": {"name": "Momentum", "lr": lr}}


def fairseq(name: str, /, **settings: Any) -> dict[str, Any]:
    return {
        "optimization": {"lr": [0.2], "max_update": 100},
        "lr_scheduler": {"_name": name, **settings},
    }


def lightning(name: str, /, **settings: Any) -> dict[str, Any]:
    return {
        "optimizer": {"class_path": "torch.optim.SGD", "init_args": {"lr": 0.2}},
        "lr_scheduler": {
            "class_path": f"torch.optim.lr_scheduler.{name}",
            "init_args": settings,
        },
        "trainer": {"max_epochs": 12},
    }


TEN = {"steps_per_epoch": 10}
OTHERS = [
    Case("detectron2", {"SOLVER": SOLVER}, detectron2),
    Case("detectron2", {"SOLVER": SOLVER | {"STEPS": "(60, 80)"}}, detectron2),
    Case("detectron2", {"SOLVER": SOLVER | {"LR_SCHEDULER_NAME": "WarmupCosineLR"}},
         detectron2_cosine),
    Case("detectron2", {"SOLVER": SOLVER | {"LR_SCHEDULER_NAME": "WarmupPolyLR"}}, lambda t: 0.2
         * (1 - clamped(t, 100)) ** 0.9 * (0.01 + 0.99 * t / 20 if t < 20 else 1)),
    Case("PaddleDetection", {"epoch": 10, "LearningRate": {"base_lr": 0.2, "schedulers": [
        {"name": "CosineDecay", "max_epochs": 10},
        {"name": "LinearWarmup", "steps": 20, "start_factor": 0.1},
    ]}}, paddle_detection, known=TEN),
    Case("PaddleDetection", {"LearningRate": {"base_lr": 0.2, "schedulers": [
        {"name": "PiecewiseDecay", "gamma": 0.1, "milestones": [8, 11]},
        {"name": "LinearWarmup", "steps": 20, "start_factor": 0.1},
    ]}}, lambda t: 0.2 * warm(t, 20, lambda s: 0.1 ** ((s + 20 >= 80) + (s + 20 >= 110)), 0.1),
        known=TEN),
    Case("PaddleClas", paddle("Cosine", eta_min=0.02), lambda t: 0.2 * warm(
        t, 10, lambda s: 0.1 + 0.9 * half_cosine(clamped(s, 90))), known=TEN),
    Case("PaddleClas", paddle("Piecewise", decay_epochs=[3, 6], values=[0.2, 0.02, 0.002]),
         lambda t: 0.2 * warm(t, 10, lambda s: 0.1 ** ((s >= 30) + (s >= 60))), known=TEN),
    Case("PaddleClas", paddle("Step", step_size=3, gamma=0.1), lambda t: 0.2 * warm(
        t, 10, lambda s: 0.1 ** (s // 30)), known=TEN),
    Case("fairseq", fairseq("polynomial_decay", warmup_updates=10, total_num_update=100, power=2),
         lambda t: 0.2 * warm(t, 10, lambda s: (1 - clamped(s, 90)) ** 2)),
    Case("fairseq", fairseq("inverse_sqrt", warmup_updates=10, warmup_init_lr=0.02),
         lambda t: 0.2 * warm(t, 10, lambda s: math.sqrt(10 / (s + 10)), start=0.1)),
    Case("fairseq", fairseq("cosine", warmup_updates=10, warmup_init_lr=0.02, min_lr=0.02),
         lambda t: 0.2 * warm(t, 10, lambda s: 0.1 + 0.9 * half_cosine(clamped(s, 90)), 0.1)),
    Case("fairseq", fairseq("tri_stage", phase_ratio=[0.1, 0.3, 0.6], init_lr_scale=0.01,
                            final_lr_scale=0.05), lambda t: 0.2 * tri_stage(t)),
    Case("Lightning's command line", lightning("StepLR", step_size=3, gamma=0.1),
         lambda t: 0.2 * 0.1 ** (t // 30), known=TEN),
    Case("Lightning's command line", lightning("CosineAnnealingLR", T_max=10, eta_min=0.02),
         lambda t: 0.02 + 0.18 * half_cosine(t // 10 / 10), known=TEN),
    Case("Lightning's command line", lightning("LinearLR", start_factor=0.5, total_iters=4),
         lambda t: 0.2 * (0.5 + 0.5 * clamped(t // 10, 4)), known=TEN),
    *(
        Case("Ultralytics and YOLOv5", {
            "lr0": 0.2, "lrf": 0.01, "epochs": 10, "warmup_epochs": 3.0, "cos_lr": cosine,
        }, lambda t, cosine=cosine: ultralytics(t, cosine), count=600,
            known={"steps_per_epoch": 50})
        for cosine in (False, True)
    ),
    Case("mmcv (mmdetection 2 and its relatives)", {
        "optimizer": {"type": "SGD", "lr": 0.2},
        "lr_config": {
            "policy": "step", "warmup": "linear", "warmup_iters": 20, "warmup_ratio": 0.001,
            "step": [8, 11],
        },
        "runner": {"type": "EpochBasedRunner", "max_epochs": 12},
    }, mmcv, count=620, known={"steps_per_epoch": 50}),
    Case("TensorFlow's Model Garden", {"trainer": {"optimizer_config": GARDEN}}, garden_warm),
]  # fmt: skip


CASES = [*LANGUAGE, *OTHERS]
IDS = [f"{case.tool.split()[0]}-{number}" for number, case in enumerate(CASES)]


@pytest.mark.parametrize("case", CASES, ids=IDS)
def test_the_rates_are_those_of_the_published_formula_at_every_position(case: Case) -> None:
    found = from_config(case.document, **case.known)
    assert isinstance(found.schedule, Schedule)
    assert found.base == pytest.approx(0.2)
    rates = 0.2 * found.schedule.values(case.count)
    assert rates == pytest.approx(np.array([case.rate(t) for t in range(case.count)]), rel=1e-9)


def test_every_format_without_a_function_of_its_own_has_a_case() -> None:
    own_tests = {"Keras", "transformers", "timm", "mmengine", "DeepSpeed", "Megatron"}
    tried = {case.tool for case in CASES}
    assert tried == {each.name for each in FORMATS} - own_tests
