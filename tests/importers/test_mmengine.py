"""``from_mmengine``: its recursive formulas, run as published, against what is imported.

``stepped`` is an independent reading of mmengine's rule: at each of its positions inside
[begin, end), a scheduler turns the current value into the next one.
"""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stepsize import InvalidValue, Schedule, parse
from stepsize.importers import from_mmengine

Update = Callable[[float, int], float]


def stepped(*schedulers: tuple[int, int, int, Update], count: int) -> list[float]:
    """Schedulers given as (steps per position, begin, end, update)."""
    value, values = 1.0, []
    for t in range(count):
        for stride, begin, end, update in schedulers:
            position, remainder = divmod(t, stride)
            if not remainder and begin <= position < end:
                value = update(value, position - begin)
        values.append(value)
    return values


def linear(start: float, end: float, total: int) -> Update:
    def update(value: float, n: int) -> float:
        if n == 0:
            return value * start
        return value * (1 + (end - start) / (total * start + (n - 1) * (end - start)))

    return update


def cosine(half: int, floor: float) -> Update:
    def update(value: float, n: int) -> float:
        if n == 0:
            return value
        if (n - 1 - half) % (2 * half) == 0:
            return value + (1 - floor) * (1 - math.cos(math.pi / half)) / 2
        ratio = (1 + math.cos(math.pi * n / half)) / (1 + math.cos(math.pi * (n - 1) / half))
        return ratio * (value - floor) + floor

    return update


def polynomial(power: float, floor: float, total: int) -> Update:
    def update(value: float, n: int) -> float:
        return (value - floor) * (1 - 1 / (total - n + 1)) ** power + floor if n else value

    return update


def drops(milestones: list[int], gamma: float) -> Update:
    return lambda value, n: value * gamma ** milestones.count(n)


def read(*config: dict[str, Any], steps_per_epoch: int = 5, base: float | None = None) -> Schedule:
    found = from_mmengine(config, base=base, steps_per_epoch=steps_per_epoch)
    assert isinstance(found.schedule, Schedule)
    return found.schedule


def test_a_warmup_in_iterations_multiplies_drops_in_epochs() -> None:
    schedule = read(
        {"type": "LinearLR", "start_factor": 0.1, "by_epoch": False, "begin": 0, "end": 12},
        {"type": "MultiStepLR", "milestones": [1, 4, 4], "gamma": 0.5, "end": 6},
    )
    expected = stepped((1, 0, 12, linear(0.1, 1, 11)), (5, 0, 6, drops([1, 4, 4], 0.5)), count=40)
    assert schedule.values(40) == pytest.approx(expected, rel=1e-12)


def test_a_decay_towards_a_floor_begins_at_the_value_that_the_warmup_left() -> None:
    schedule = read(
        {"type": "LinearLR", "start_factor": 0.1, "end_factor": 0.6, "by_epoch": False, "end": 9},
        {"type": "CosineAnnealingLR", "begin": 9, "end": 30, "by_epoch": False, "eta_min": 0.01},
        base=0.1,
    )
    expected = stepped((1, 0, 9, linear(0.1, 0.6, 8)), (1, 9, 30, cosine(21, 0.1)), count=40)
    assert schedule.values(40) == pytest.approx(expected, rel=1e-11)


@given(half=st.integers(2, 9), begin=st.integers(0, 6), end=st.integers(7, 50))
def test_a_cosine_longer_than_its_half_wave_rises_again(half: int, begin: int, end: int) -> None:
    schedule = read(
        {
            "type": "CosineAnnealingLR",
            "T_max": half,
            "begin": begin,
            "end": end,
            "by_epoch": False,
            "eta_min_ratio": 0.2,
        }
    )
    expected = stepped((1, begin, end, cosine(half, 0.2)), count=60)
    assert schedule.values(60) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("converted", [False, True])
def test_epochs_are_held_or_converted(converted: bool) -> None:
    schedule = read(
        {
            "type": "PolyLR",
            "power": 2.0,
            "eta_min": 0.01,
            "begin": 1,
            "end": 7,
            "convert_to_iter_based": converted,
        },
        base=0.1,
    )
    stride, begin, end = (1, 5, 35) if converted else (5, 1, 7)
    expected = stepped((stride, begin, end, polynomial(2, 0.1, end - begin - 1)), count=50)
    assert schedule.values(50) == pytest.approx(expected, rel=1e-11)


def test_restarts_begin_at_their_weights_and_stop_before_the_last_period_ends() -> None:
    schedule = read(
        {
            "type": "CosineRestartLR",
            "periods": [4, 6],
            "restart_weights": [1, 0.5],
            "eta_min_ratio": 0.1,
            "by_epoch": False,
            "end": 100,
        }
    )
    expected = [
        0.1 + (weight - 0.1) * (1 + math.cos(math.pi * t / period)) / 2
        for weight, period in ((1, 4), (0.5, 6))
        for t in range(period)
    ]
    assert schedule.values(15) == pytest.approx([*expected, *[expected[-1]] * 5], rel=1e-12)


def test_one_cycle_brings_its_own_peak() -> None:
    found = from_mmengine({"type": "OneCycleLR", "eta_max": 0.4, "end": 20, "by_epoch": False})
    assert found.base == 0.4
    assert isinstance(found.schedule, Schedule)
    values = found.schedule.values(20)
    assert values[[0, 5, 19]] == pytest.approx([1 / 25, 1, 1 / 25e4])


def test_a_constant_factor_ends_one_position_before_its_window() -> None:
    schedule = read({"type": "ConstantLR", "factor": 0.5, "end": 4, "by_epoch": False})
    assert schedule.values(6).tolist() == [0.5, 0.5, 0.5, 1, 1, 1]


@pytest.mark.parametrize(
    ("scheduler", "text"),
    [
        ({"type": "mmengine.optim.StepLR", "step_size": 3}, "Step(3, 0.1)"),
        ({"type": "ExponentialLR", "gamma": 0.9}, "Exponential(0.9)"),
        ({"type": "StepParamScheduler", "param_name": "lr", "step_size": 3}, "Step(3, 0.1)"),
    ],
)
def test_scales_without_an_end_are_endless(scheduler: dict[str, Any], text: str) -> None:
    assert read({**scheduler, "by_epoch": False}) == parse(text)


def test_the_whole_configuration_gives_the_rate_the_momentum_and_the_length() -> None:
    found = from_mmengine(
        {
            "optim_wrapper": {"type": "OptimWrapper", "optimizer": {"lr": 0.2, "momentum": 0.8}},
            "param_scheduler": [
                {"type": "CosineAnnealingLR", "eta_min": 0.02},
                {"type": "LinearMomentum", "start_factor": 0.5},
            ],
            "train_cfg": {"by_epoch": True, "max_epochs": 12},
            "model": {"type": "ResNet"},
        },
        steps_per_epoch=1,
    )
    assert (found.base, found.schedule) == (0.2, parse("Cosine(12, end=0.1).until(11)"))
    assert found.momentum == parse("Linear(11, start=0.5, end=1)")
    assert found.notes == ("Not read: 'model'.",)


def test_schedulers_that_cannot_be_multiplied_must_not_overlap() -> None:
    with pytest.raises(InvalidValue, match="at step 4 another one is still at work"):
        read(
            {"type": "StepLR", "step_size": 2, "by_epoch": False, "end": 5},
            {"type": "PolyLR", "eta_min": 0.01, "by_epoch": False, "begin": 4, "end": 9},
            base=0.1,
        )
    with pytest.raises(InvalidValue, match="OneCycleLR must be alone"):
        read(
            {"type": "OneCycleLR", "eta_max": 0.1, "end": 20},
            {"type": "StepLR", "step_size": 2},
        )


def test_a_plateau_is_refused_with_what_to_write_instead() -> None:
    with pytest.raises(InvalidValue, match=r"reacts to a metric.*Policy\("):
        read({"type": "ReduceOnPlateauLR"})


@pytest.mark.parametrize(
    ("scheduler", "message"),
    [
        ({"type": "QuadraticWarmupLR"}, "must be one of mmengine's"),
        ({"step_size": 3}, "'type' is needed"),
        ({"type": "StepLR", "step_size": 3, "gama": 2}, "'gama' is not"),
        ({"type": "LinearLR"}, "'end' is needed"),
        ({"type": "LinearLR", "start_factor": 0, "end": 9}, "start_factor must be .* above 0"),
        ({"type": "StepLR", "step_size": 3, "begin": 5, "end": 5}, "end must be above begin"),
        ({"type": "PolyLR", "eta_min": 0.1, "end": 5}, "base=...: eta_min is 0.1"),
        ({"type": "CosineAnnealingLR", "eta_min": 0, "eta_min_ratio": 0, "end": 5}, "given once"),
        ({"type": "CosineRestartLR", "periods": [1, 2]}, "as many restart_weights"),
        ({"type": "OneCycleLR", "eta_max": 0.1, "end": 3}, "both ways must last"),
        ({"type": "StepMomentum", "step_size": 3}, "a scheduler of the learning rate"),
        (
            {"type": "StepLR", "step_size": 3, "by_epoch": False, "convert_to_iter_based": True},
            "must go with by_epoch",
        ),
    ],
)
def test_what_cannot_be_read_is_named(scheduler: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidValue, match=message):
        read(scheduler)


def test_epochs_need_their_length_in_steps() -> None:
    with pytest.raises(InvalidValue, match="Give steps_per_epoch,"):
        from_mmengine({"type": "StepLR", "step_size": 3})


def test_an_empty_list_is_refused() -> None:
    with pytest.raises(InvalidValue, match="or a list of them"):
        from_mmengine([])


def test_a_window_of_one_position_changes_the_value_once() -> None:
    for scheduler in (
        {"type": "LinearLR", "start_factor": 0.5},
        {"type": "ConstantLR", "factor": 0.5},
    ):
        schedule = read({**scheduler, "begin": 2, "end": 3, "by_epoch": False})
        assert schedule.values(5).tolist() == [1, 1, 0.5, 0.5, 0.5]
    assert np.all(read({"type": "PolyLR", "end": 1, "by_epoch": False}).values(5) == 1)
