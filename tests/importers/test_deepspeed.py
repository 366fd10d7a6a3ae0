"""``from_deepspeed``: DeepSpeed's published formulas, one step late as its engine takes them."""

import math
from typing import Any

import numpy as np
import pytest

from stepsize import Absolute, InvalidType, InvalidValue, Schedule
from stepsize.importers import Imported, from_deepspeed

PEAK = {"warmup_min_lr": 0.001, "warmup_max_lr": 0.01}
CYCLE = {"cycle_min_lr": 0.01, "cycle_max_lr": 0.1}


def read(kind: str, /, **params: Any) -> Imported:
    return from_deepspeed({"type": kind, "params": params}, base=0.5)


def rates(found: Imported, count: int) -> np.ndarray[Any, Any]:
    assert isinstance(found.schedule, Schedule)
    assert found.base is not None
    return found.base * found.schedule.values(count)


def gamma(kind: str, steps: int, t: int) -> float:
    return math.log(t + 1) / math.log(steps) if kind == "log" else t / steps


@pytest.mark.parametrize("kind", ["log", "linear"])
def test_a_warmup_begins_with_one_step_at_its_first_rate(kind: str) -> None:
    found = read("WarmupLR", **PEAK, warmup_num_steps=10, warmup_type=kind)
    warmup = [0.001 + 0.009 * gamma(kind, 10, t) for t in range(10)]
    assert rates(found, 14) == pytest.approx([0.001, *warmup, 0.01, 0.01, 0.01], rel=1e-13)


@pytest.mark.parametrize("kind", ["log", "linear"])
def test_the_linear_decay_ends_at_the_first_rate(kind: str) -> None:
    found = read("WarmupDecayLR", **PEAK, warmup_num_steps=4, total_num_steps=9, warmup_type=kind)
    warmup = [0.001 + 0.009 * gamma(kind, 4, t) for t in range(4)]
    decay = [0.001 + 0.009 * (9 - t) / 5 for t in range(4, 10)]
    assert rates(found, 12) == pytest.approx([0.001, *warmup, *decay, 0.001], rel=1e-13)


def test_the_cosine_multiplies_the_optimizers_rate_and_begins_at_zero() -> None:
    found = read(
        "WarmupCosineLR",
        total_num_steps=10,
        warmup_num_steps=4,
        warmup_min_ratio=0.2,
        cos_min_ratio=0.1,
        warmup_type="linear",
    )
    warmup = [0.2 + 0.8 * t / 4 for t in range(4)]
    decay = [0.1 + 0.45 * (1 + math.cos(math.pi * min(1, t / 6))) for t in range(1, 9)]
    expected = 0.5 * np.array([0, *warmup, *decay])
    assert rates(found, 13) == pytest.approx(expected, rel=1e-13)


@pytest.mark.parametrize("kind", ["WarmupDecayLR", "WarmupCosineLR"])
def test_a_run_no_longer_than_its_warmup_drops_at_its_end(kind: str) -> None:
    found = read(kind, total_num_steps=5, warmup_num_steps=5, warmup_type="linear")
    assert rates(found, 9)[5] > rates(found, 9)[6]
    assert len(set(rates(found, 9)[6:])) == 1


def test_one_cycle_then_decays_as_inverse_time() -> None:
    found = read("OneCycle", **CYCLE, cycle_first_step_size=4, decay_step_size=2, decay_lr_rate=0.5)
    cycle = [0.01 + 0.09 * height for height in (0, 0.25, 0.5, 0.75, 1, 0.75, 0.5, 0.25)]
    decay = [0.01 / (1 + 0.5 * t / 2) for t in range(6)]
    assert rates(found, 14) == pytest.approx([*cycle, *decay], rel=1e-13)


@pytest.mark.parametrize(("up", "down", "stairs"), [(12, 12, 4), (10, 17, 3), (7, 7, 7), (9, 5, 1)])
def test_the_stairs_of_one_cycle(up: int, down: int, stairs: int) -> None:
    found = read(
        "OneCycle",
        **CYCLE,
        cycle_first_step_size=up,
        cycle_second_step_size=down,
        cycle_first_stair_count=stairs,
    )
    heights = [t * stairs // up for t in range(up + 1)]
    heights += [(down - t) * stairs // down for t in range(1, down + 1)]
    expected = [0.01 + 0.09 * height / stairs for height in heights]
    assert rates(found, up + down + 1) == pytest.approx(expected, rel=1e-13)


def test_one_cycle_moves_the_momentum_against_the_rate() -> None:
    momentum = read("OneCycle", **CYCLE, cycle_first_step_size=2).momentum
    assert isinstance(momentum, Absolute)
    # DeepSpeed writes the lower bound into the optimizer before the first step.
    expected = [0.8, 0.85, 0.8, 0.85, 0.9, 0.9]
    assert momentum.schedule.values(6) == pytest.approx(expected)
    assert read("OneCycle", **CYCLE, cycle_momentum=False).momentum is None


def test_a_momentum_that_grows_for_ever_is_said_to_stay() -> None:
    found = read("OneCycle", **CYCLE, decay_step_size=5, decay_mom_rate=0.1)
    assert "grows for ever" in found.notes[-1]


@pytest.mark.parametrize("staircase", [False, True])
def test_the_range_test_grows_in_a_line_and_says_where_it_ends(staircase: bool) -> None:
    found = read(
        "LRRangeTest",
        lr_range_test_min_lr=1e-3,
        lr_range_test_step_size=4,
        lr_range_test_step_rate=2.0,
        lr_range_test_staircase=staircase,
    )
    t = np.arange(30)
    expected = 1e-3 * (1 + 2 * (t // 4 if staircase else t / 4))
    assert rates(found, 30) == pytest.approx(expected, rel=1e-11)
    assert "ends at step 4,000" in found.notes[0]


def test_the_whole_configuration_names_the_optimizers_rate() -> None:
    optimizer = {"type": "AdamW", "params": {"lr": "1e-4", "betas": [0.9, 0.95]}}
    scheduler = {"type": "WarmupCosineLR", "params": {"total_num_steps": 10}}
    found = from_deepspeed({"optimizer": optimizer, "scheduler": scheduler, "fp16": {}})
    assert found.base == 1e-4
    assert found.notes == ("Not read: 'fp16'.",)


def test_numbers_that_the_trainer_would_fill_in_are_refused() -> None:
    with pytest.raises(InvalidValue, match="'auto', which the Trainer fills in"):
        from_deepspeed({"type": "WarmupLR", "params": {"warmup_max_lr": "auto"}})


def test_auto_is_filled_in_by_the_base_rate_and_the_length_that_are_given() -> None:
    params = {"warmup_min_lr": "auto", "warmup_max_lr": "auto", "total_num_steps": "auto"}
    config = {"type": "WarmupDecayLR", "params": params | {"warmup_num_steps": 10}}
    found = from_deepspeed(config, base=0.5, steps=100)
    assert (found.base, found.schedule.text) == (
        0.5,
        "Hold(1, value=0) >> LogWarmup(9).until(10) >> Linear(90)",
    )
    assert any("'auto'" in note or '"auto"' in note for note in found.notes)


def test_a_rate_per_group_is_refused() -> None:
    with pytest.raises(InvalidType, match="belong into the optimizer's groups"):
        read("WarmupLR", warmup_max_lr=[0.1, 0.2])


@pytest.mark.parametrize(
    ("kind", "params", "message"),
    [
        ("CosineLR", {}, "type must be one of LRRangeTest, OneCycle"),
        ("WarmupDecayLR", {}, "'total_num_steps' is needed"),
        ("WarmupLR", {"warmup_steps": 5}, "'warmup_steps' is not"),
        ("WarmupLR", {"warmup_num_steps": 0}, "warmup_num_steps must be .* at least 1"),
        ("WarmupLR", {"warmup_type": "cosine"}, "warmup_type must be one of log, linear"),
        ("WarmupLR", {"last_batch_iteration": 7}, r"schedule\.skip\(steps\)"),
    ],
)
def test_what_cannot_be_read_is_named(kind: str, params: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidValue, match=message):
        read(kind, **params)


def test_without_any_rate_the_missing_one_is_named() -> None:
    with pytest.raises(InvalidValue, match="or give base="):
        from_deepspeed({"type": "WarmupLR", "params": {}})
