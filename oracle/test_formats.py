"""Configurations against the tools' own code, and the calls that are written for other tools."""

from functools import cache
from typing import Any

import numpy as np
import pytest

from oracle.call_rates import rates_of_calls
from stepsize import Schedule, parse
from stepsize.importers import from_config, to_call

BASE = 0.2
HELD = ", power=2, hold_steps=9"
STEPS = 101

AXOLOTL = {"base_model": "m", "micro_batch_size": 2, "learning_rate": BASE, "max_steps": 100}


def composer(name: str, /, **settings: Any) -> dict[str, Any]:
    scheduler = {"name": name, **settings}
    return {"max_duration": "100ba", "optimizer": {"lr": BASE}, "scheduler": scheduler}


def nemo(name: str, /, **settings: Any) -> dict[str, Any]:
    sched = {"name": name, "max_steps": 100, **settings}
    return {"model": {"optim": {"lr": BASE, "sched": sched}}, "trainer": {"max_steps": 100}}


def torchtitan(**settings: Any) -> dict[str, Any]:
    return {
        "training": {"steps": 100},
        "optimizer": {"lr": BASE},
        "lr_scheduler": {"warmup_steps": 10, **settings},
    }


# By peer: the configuration, and the call that the tool makes of it.
CONFIGURATIONS: dict[str, list[tuple[dict[str, Any], str]]] = {
    "axolotl": [
        (
            AXOLOTL | {"warmup_steps": 10, "cosine_min_lr_ratio": 0.1},
            "get_cosine_schedule_with_min_lr(optimizer, 10, 100, min_lr_ratio=0.1)",
        ),
        (
            AXOLOTL | {"warmup_steps": 10, "lr_quadratic_warmup": True},
            "get_cosine_schedule_with_quadratic_warmup(optimizer, 10, 100)",
        ),
        (
            AXOLOTL
            | {"warmup_steps": 10, "cosine_min_lr_ratio": 0.1, "cosine_constant_lr_ratio": 0.8},
            "get_cosine_schedule_with_warmup_decay_constant(optimizer, 10, 100, "
            "constant_lr_ratio=0.8, min_lr_ratio=0.1)",
        ),
        (
            AXOLOTL | {"warmup_steps": 10, "lr_scheduler": "rex"},
            f"RexLR(optimizer, max_lr={BASE}, min_lr=0, total_steps=100, num_warmup_steps=10)",
        ),
    ],
    "composer": [
        (
            composer("cosine_with_warmup", t_warmup="10ba", alpha_f=0.1),
            'CosineAnnealingWithWarmupScheduler(t_warmup="10ba", alpha_f=0.1, t_max="100ba")',
        ),
        (
            composer("linear_decay_with_warmup", t_warmup="10ba", alpha_f=0.1),
            'LinearWithWarmupScheduler(t_warmup="10ba", alpha_f=0.1, t_max="100ba")',
        ),
        (
            composer("polynomial", power=2, alpha_f=0.1),
            'PolynomialScheduler(power=2, t_max="100ba", alpha_f=0.1)',
        ),
        (
            composer("multistep", milestones=["30ba", "60ba"], gamma=0.1),
            'MultiStepScheduler(milestones=["30ba", "60ba"], gamma=0.1)',
        ),
    ],
    "nemo": [
        (
            nemo(name, warmup_steps=10, min_lr=0.02, **more),
            f"{name}(optimizer, warmup_steps=10, max_steps=100, min_lr=0.02{text})",
        )
        for name, more, text in (
            ("CosineAnnealing", {}, ""),
            ("CosineAnnealing", {"constant_steps": 20}, ", constant_steps=20"),
            ("WarmupAnnealing", {}, ""),
            ("PolynomialDecayAnnealing", {"power": 2}, ", power=2"),
            ("PolynomialHoldDecayAnnealing", {"power": 2, "hold_steps": 9}, HELD),
            ("SquareAnnealing", {}, ""),
            ("SquareRootAnnealing", {}, ""),
            ("InverseSquareRootAnnealing", {}, ""),
            ("WarmupHoldAnnealLinear", {"hold_steps": 9}, ", hold_steps=9"),
            ("WarmupHoldAnnealOneMinusSquareRoot", {"hold_steps": 9}, ", hold_steps=9"),
        )
    ],
    "torchtitan": [
        (
            torchtitan(decay_type=shape, min_lr_factor=0.1, **more),
            f"LRSchedulersContainer.Config(warmup_steps=10, {text}decay_type={shape!r}, "
            "min_lr_factor=0.1).build(optimizers=[optimizer], training_steps=100)",
        )
        for shape in ("linear", "sqrt", "cosine")
        for more, text in (({}, ""), ({"decay_ratio": 0.4}, "decay_ratio=0.4, "))
    ],
}  # fmt: skip

# By tool: schedules that it has a call for.
WRITTEN = {
    "keras": [
        "Cosine(90, end=0.1)",
        "Warmup(10) >> Cosine(90, end=0.1)",
        "Linear(90, end=0.1)",
        "Polynomial(90, 2, end=0.1)",
        "Exponential(0.9, every=7)",
        "Step(30, 0.5)",
    ],
    "optax": [
        "Constant(0.5)",
        "Warmup(10) >> Cosine(90, end=0.1)",
        "Warmup(10, start=0.1) >> Linear(90)",
        "Warmup(10) >> Hold(40) >> Linear(50, end=0.1)",
        "Polynomial(90, 2, end=0.1)",
        "Exponential(0.9, every=7)",
        "Step(30, 0.5)",
        "MultiStep({30: 0.1, 60: 0.5})",
    ],
    "torch": [
        "Step(30, 0.5)",
        "MultiStep({30: 0.1, 60: 0.1})",
        "Warmup(10) >> Cosine(90, end=0.1)",
        "Warmup(10, start=0.1) >> Hold(40) >> Linear(50)",
        "Polynomial(90, 2)",
        "Exponential(0.97)",
    ],
    "transformers": [
        "Constant()",
        "Warmup(10) >> Constant()",
        "Warmup(10) >> Linear(90)",
        "Warmup(10) >> Cosine(90)",
        "Warmup(10) >> Cosine(90, end=0.1)",
        "Warmup(10) >> InverseSqrt(10)",
    ],
}


@cache
def configured(peer: str) -> list[list[float]]:
    return rates_of_calls(peer, [(call, STEPS, BASE) for _, call in CONFIGURATIONS[peer]])


@cache
def written(tool: str) -> list[list[float]]:
    calls = [to_call(parse(text), tool, base=BASE) for text in WRITTEN[tool]]
    return rates_of_calls(tool, [(call, STEPS, BASE) for call in calls])


def numbered(cases: dict[str, list[Any]], kind: str) -> list[Any]:
    return [
        pytest.param(
            name, number, id=f"{name}-{number}", marks=pytest.mark.xdist_group(f"{kind}-{name}")
        )
        for name, each in cases.items()
        for number, _ in enumerate(each)
    ]


def assert_equal(schedule: Any, base: float, theirs: list[float], call: str) -> None:
    assert isinstance(schedule, Schedule)
    ours = base * schedule.values(STEPS)
    assert ours == pytest.approx(np.array(theirs), rel=1e-9, abs=1e-12), f"{call}\n{schedule}"


@pytest.mark.parametrize(("peer", "number"), numbered(CONFIGURATIONS, "configured"))
def test_a_configuration_gives_the_rates_of_the_tools_own_code(peer: str, number: int) -> None:
    document, call = CONFIGURATIONS[peer][number]
    found = from_config(document)
    assert found.base == BASE
    assert_equal(found.schedule, BASE, configured(peer)[number], call)


@pytest.mark.parametrize(("tool", "number"), numbered(WRITTEN, "written"))
def test_a_call_that_is_written_gives_the_schedules_rates(tool: str, number: int) -> None:
    text = WRITTEN[tool][number]
    assert_equal(parse(text), BASE, written(tool)[number], text)
