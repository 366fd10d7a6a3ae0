"""One test for each pain that users of torch's schedulers report, named after it: it is ended."""

import copy
import functools
import gc
import json
import math
import pickle
import warnings
import weakref
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.optim.lr_scheduler import SequentialLR

from stepsize import (
    Absolute,
    AttachmentError,
    Constant,
    Cosine,
    Exponential,
    ForeignWrite,
    Function,
    Hold,
    InvalidValue,
    InverseSqrt,
    Linear,
    MultiStep,
    Polynomial,
    Schedule,
    StateMismatch,
    Step,
    StepsizeWarning,
    UnregisteredFunction,
    Warmup,
    one_cycle,
    parse,
    schedule_function,
    warmup_cosine,
    wsd,
)
from stepsize.testing.schedules import any_schedule
from stepsize.torch import Scheduler, attach

past_the_end = pytest.mark.filterwarnings("ignore:lr of SGD. .* ended:stepsize.StepsizeWarning")

# What torch's own classes compute, written as schedules.
TORCH_LIKE: dict[str, Schedule] = {
    "StepLR": Step(3, 0.1),
    "MultiStepLR": MultiStep({2: 0.1, 4: 0.1}),
    "ConstantLR": Hold(4, 0.3) >> Constant(),
    "LinearLR": Warmup(5, start=0.3),
    "ExponentialLR": Exponential(0.9),
    "CosineAnnealingLR": Cosine(20),
    "CosineAnnealingWarmRestarts": Cosine(3).repeat(stretch=2),
    "PolynomialLR": Polynomial(20, 2),
    "OneCycleLR": one_cycle(20),
    "CyclicLR": parse("cyclic(3, low=0.2)"),
    "SequentialLR": Warmup(4) >> MultiStep({3: 0.1}),
    "ChainedScheduler": Warmup(4) * Exponential(0.9),
}


def sgd(*bases: float, **options: Any) -> torch.optim.SGD:
    groups = [{"params": [torch.zeros(1)], "lr": base} for base in bases or (1.0,)]
    return torch.optim.SGD(groups, **options)


def values(optimizer: torch.optim.Optimizer, key: str = "lr") -> list[float]:
    return [group[key] for group in optimizer.param_groups]


def follow(optimizer: torch.optim.Optimizer, steps: int) -> list[float]:
    """The first group's rate before each of the next steps."""
    seen: list[float] = []
    for _ in range(steps):
        seen.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
    return seen


# ------------------------------------------------------------------ A. resume and state


@pytest.mark.parametrize("schedule", TORCH_LIKE.values(), ids=TORCH_LIKE)
@pytest.mark.parametrize("loads", ["rate", "rate optimizer", "optimizer rate", "before attach"])
def test_pain_01_wrong_rate_after_resume(schedule: Schedule, loads: str) -> None:
    for saved_at in (0, 1, 2, 4, 7, 12):
        straight = sgd(0.1)
        rate = attach(straight, schedule)
        follow(straight, saved_at)
        optimizer_state, rate_state = straight.state_dict(), rate.state_dict()

        resumed = sgd(0.1)
        if loads == "before attach":
            resumed.load_state_dict(optimizer_state)
        again = attach(resumed, schedule)
        if loads == "optimizer rate":
            resumed.load_state_dict(optimizer_state)
        again.load_state_dict(rate_state)
        if loads == "rate optimizer":
            resumed.load_state_dict(optimizer_state)
        assert values(resumed) == values(straight)  # right after loading, before any step
        assert follow(resumed, 5) == follow(straight, 5)


@pytest.mark.parametrize("how", ["stretch", "hold", "restretch"])
@pytest.mark.parametrize("schedule", [Cosine(100), Linear(100), one_cycle(100), wsd(100, 5, 20)])
def test_pain_02_resume_with_a_different_length(schedule: Schedule, how: Any) -> None:
    first = sgd(1.0)
    rate = attach(first, schedule)
    follow(first, 90)
    before, saved = values(first)[0], rate.state_dict()

    resumed = sgd(1.0)
    rate = attach(resumed, schedule)
    rate.load_state_dict(saved)
    rate.extend(300, how=how)
    seen = follow(resumed, 210)
    assert seen[0] == before
    assert all(later <= earlier for earlier, later in pairwise(seen))
    assert values(resumed)[0] == pytest.approx(schedule(100))  # the end is reached at 300

    longer = sgd(1.0)
    rate = attach(longer, schedule.over(300))
    with pytest.warns(StateMismatch, match=r"rate\.extend\(total\)"):
        rate.load_state_dict(saved)


def test_pain_03_loading_puts_back_old_hyper_parameters() -> None:
    first = sgd(1.0)
    saved_rate = attach(first, Step(2, 0.1))
    follow(first, 4)
    optimizer_state, rate_state = first.state_dict(), saved_rate.state_dict()

    second = sgd(0.01)
    rate = attach(second, Step(350, 0.5), resume=False)
    second.load_state_dict(optimizer_state)
    with pytest.warns(StateMismatch) as caught:
        rate.load_state_dict(rate_state)
    message = str(caught[0].message)
    assert "saved with Step(2, 0.1), now Step(350, 0.5)" in message
    assert "base of lr in group 0: saved 1, now 0.01" in message
    assert (rate.position, values(second)) == (4, [0.01])

    third = sgd(1.0)
    third.load_state_dict(optimizer_state)
    third.param_groups[0]["lr"] = 0.5  # set before attaching: honoured
    assert attach(third, Step(350, 0.5), resume=False).next == [0.5]


def test_pain_04_initial_lr_is_not_specified() -> None:
    optimizer = sgd(0.3)
    attach(optimizer, Cosine(10).skip(7))  # to start at step 7 nothing else is needed
    assert follow(optimizer, 3) == [0.3 * Cosine(10)(t) for t in (7, 8, 9)]
    assert "initial_lr" not in optimizer.param_groups[0]


@past_the_end
@given(any_schedule(), st.integers(0, 30))
def test_pain_05_starting_at_a_step_is_wrong_or_off_by_one(schedule: Schedule, start: int) -> None:
    skipping, scheduled = sgd(0.3), sgd(0.3)
    attach(skipping, schedule.skip(start))
    expected = [0.3 * schedule(start + t) for t in range(4)]
    assert follow(skipping, 4) == expected

    scheduler = Scheduler(scheduled, schedule, "calls")
    scheduler.step(start)
    seen: list[float] = []
    for _ in range(4):
        seen.append(values(scheduled)[0])
        scheduler.step()
    assert seen == expected


@schedule_function("tests.pain_06.halving")
def halving(t: Any) -> Any:
    return 0.5**t


def test_pain_06_lambdas_are_dropped_from_the_state_or_cannot_be_pickled() -> None:
    for schedule in (*TORCH_LIKE.values(), Function(halving)):
        assert pickle.loads(pickle.dumps(schedule)) == schedule
        assert parse(json.loads(json.dumps(schedule.text))) == schedule

    first, second = sgd(1.0), sgd(1.0)
    rate = attach(first, Function(halving))
    follow(first, 2)
    resumed = attach(second, Function(halving))
    resumed.load_state_dict(rate.state_dict())
    assert follow(second, 2) == [0.25, 0.125]

    nameless = sgd(1.0)
    rate = attach(nameless, Function(lambda t: 7.0))
    with pytest.raises(UnregisteredFunction, match="schedule_function"):
        rate.state_dict()  # refused when saving, where it can still be mended


@schedule_function("tests.pain_07.numpy_scalar")
def numpy_scalar(t: Any) -> Any:
    return np.float64(0.5) if np.isscalar(t) else np.full_like(t, 0.5)


def test_pain_07_weights_only_refuses_the_state(tmp_path: Path) -> None:
    optimizer = sgd(1.0)
    optimizer.param_groups[0]["lr"] = np.float64(0.5)
    rate = attach(optimizer, Function(numpy_scalar) * Function(halving))
    rate.scale(np.float64(0.5))
    rate.set_base(np.float32(0.25))
    rate.start_cooldown(np.int64(10))
    follow(optimizer, 3)
    saved = {"optimizer": optimizer.state_dict(), "rate": rate.state_dict()}
    torch.save(saved, tmp_path / "checkpoint.pt")
    loaded = torch.load(tmp_path / "checkpoint.pt", weights_only=True)
    assert loaded["rate"] == saved["rate"]
    rate.load_state_dict(loaded["rate"])


def test_pain_08_the_state_of_another_scheduler_is_accepted() -> None:
    first, second = sgd(1.0), sgd(1.0)
    saved = attach(first, Step(2, 0.5) * MultiStep({3: 0.1})).state_dict()
    kept = json.dumps(saved)
    rate = attach(second, Warmup(2) >> Hold(2) >> Cosine(6))
    with pytest.warns(StateMismatch) as caught:
        rate.load_state_dict(saved)
    message = str(caught[0].message)
    assert "Step(2, 0.5) * MultiStep({3: 0.1})" in message
    assert "Warmup(2) >> Hold(2) >> Cosine(6)" in message
    follow(first, 3)
    assert json.dumps(saved) == kept  # a state shares nothing with the live object


# ------------------------------------------------------------------ B. what is a step?


def test_pain_10_gradient_accumulation_miscounts() -> None:
    parameter = torch.ones(1, requires_grad=True)
    optimizer = torch.optim.SGD([parameter], lr=1.0)
    rate = attach(optimizer, Linear(20))
    for batch in range(100):
        (parameter / 5).sum().backward()
        if (batch + 1) % 5 == 0:
            optimizer.step()
            optimizer.zero_grad()
    assert (rate.position, rate.next) == (20, [0.0])


def test_pain_13_training_past_the_end_raises_or_rises() -> None:
    optimizer = sgd(1.0)
    attach(optimizer, one_cycle(10))
    follow(optimizer, 10)  # the whole run: nothing to say
    final = one_cycle(10)(10)
    with pytest.warns(StepsizeWarning, match=r"ended at position 10.*rate\.extend") as caught:
        assert follow(optimizer, 50) == [final] * 50
    assert len(caught) == 1


def test_pain_14_amp_skips_a_step_and_the_scheduler_advances() -> None:
    for fused in (False, True):
        parameter = torch.ones(1, requires_grad=True)
        optimizer = torch.optim.SGD([parameter], lr=1.0, fused=fused)
        rate = attach(optimizer, Linear(10))
        scaler = torch.amp.GradScaler("cpu", init_scale=2.0)
        for loss in (float("inf"), 1.0, float("nan"), 1.0):
            optimizer.zero_grad()
            scaler.scale((parameter * loss).sum()).backward()
            scaler.step(optimizer)
            scaler.update()
        assert (rate.position, rate.current, rate.next) == (2, [0.9], [0.8])


def test_pain_17_the_first_step_is_wasted_and_the_last_is_not_at_the_minimum() -> None:
    for schedule in (warmup_cosine(20, 4, end=0.1), wsd(20, 4, 8), Warmup(5).skip(1) >> Cosine(16)):
        optimizer = sgd(1.0)
        attach(optimizer, schedule)
        seen = follow(optimizer, 20)
        assert seen[0] > 0
        assert seen[4] == max(seen) == 1.0
        assert seen[19] == min(seen[4:])
    # The articles' convention begins at 0, and is chosen by its own name.
    optimizer = sgd(1.0)
    attach(optimizer, Warmup(4) >> Hold(6))
    assert follow(optimizer, 5) == [0.0, 0.25, 0.5, 0.75, 1.0]
    # A last step that uses the end value exactly.
    optimizer = sgd(1.0)
    attach(optimizer, Linear(4, end=0.1) >> Hold(1, 0.1))
    assert follow(optimizer, 5)[-1] == 0.1


def test_pain_18_the_logged_rate_is_that_of_the_next_step() -> None:
    parameter = torch.ones(1, requires_grad=True)
    parameter.grad = torch.ones(1)
    optimizer = torch.optim.SGD([parameter], lr=1.0)
    rate = attach(optimizer, Exponential(0.5))
    for _ in range(4):
        before = parameter.item()
        announced = rate.next
        optimizer.step()
        assert rate.current == announced == [before - parameter.item()]


# ------------------------------------------------------------------ C. composition


phases = st.builds(lambda schedule, steps: schedule.until(steps), any_schedule(), st.integers(0, 5))


@past_the_end
@given(st.lists(phases, min_size=2, max_size=4))
def test_pain_20_nesting_and_handing_over(parts: list[Schedule]) -> None:
    # Each phase sees its own positions from 0 on, however it is nested; one of length 0 vanishes.
    expected = [part(t) for part in parts for t in range(int(part.length))]
    last = [part for part in parts if part.length > 0] or parts
    left, right = parts[0], parts[-1]
    for part in parts[1:]:
        left = left >> part
    for part in reversed(parts[:-1]):
        right = part >> right
    for nested in (left, right):
        optimizer = sgd(1.0)
        attach(optimizer, nested)
        assert follow(optimizer, len(expected)) == expected
        assert values(optimizer) == [last[-1](last[-1].length)]


@past_the_end
@given(any_schedule(), any_schedule(), st.integers(0, 10))
def test_pain_21_a_chain_is_no_product(a: Schedule, b: Schedule, saved_at: int) -> None:
    one, other = sgd(0.3), sgd(0.3)
    attach(one, a * b)
    rate = attach(other, b * a)
    seen = follow(other, saved_at)
    assert seen == follow(one, saved_at)
    assert seen == [0.3 * (a * b)(t) for t in range(saved_at)]
    assert (a * b)(saved_at) in (
        a(saved_at) * b(saved_at),
        pytest.approx(a(saved_at) * b(saved_at)),
    )

    resumed = sgd(0.3)
    attach(resumed, a * b).load_state_dict(rate.state_dict())
    assert follow(resumed, 4) == follow(other, 4)


@past_the_end
@pytest.mark.parametrize("schedule", TORCH_LIKE.values(), ids=TORCH_LIKE)
def test_pain_22_step_and_step_with_an_epoch_use_two_formulas(schedule: Schedule) -> None:
    stepped, jumped = sgd(0.3), sgd(0.3)
    first, second = Scheduler(stepped, schedule, "calls"), Scheduler(jumped, schedule, "calls")
    for position in range(1, 25):
        first.step()
        second.step(position)  # warnings are errors here: nothing is deprecated
        assert first.get_last_lr() == second.get_last_lr() == first.get_lr()


def test_pain_23_warm_restarts_at_fractional_and_explicit_epochs() -> None:
    optimizer = sgd(1.0)
    scheduler = Scheduler(optimizer, Cosine(1).repeat(stretch=3), "calls")
    for start in (0, 1, 4, 13, 40, 121, 364):  # 1 + 3 + 9 + ...
        scheduler.step(start)
        assert values(optimizer) == [1.0]

    halves = Cosine(5).repeat(stretch=2)
    scheduler = Scheduler(optimizer, halves, "calls")
    scheduler.step(2.5)
    state = scheduler.state_dict()
    scheduler.step()
    assert values(optimizer) == [halves(3.5)]
    scheduler.load_state_dict(state)
    scheduler.step()
    assert values(optimizer) == [halves(3.5)]


def test_pain_24_building_a_scheduler_changes_the_optimizer() -> None:
    optimizer = sgd(1.0)
    before = str(optimizer)
    _ = Warmup(4) >> Cosine(6)
    _ = one_cycle(10)
    assert str(optimizer) == before

    rate = attach(optimizer, Exponential(0.5))
    follow(optimizer, 4)
    rate.detach(leave="rate")
    assert attach(optimizer, Constant()).next == [0.0625]  # goes on from the current rate
    again = sgd(1.0)
    rate = attach(again, Exponential(0.5))
    follow(again, 4)
    rate.detach(leave="base")
    assert attach(again, Constant()).next == [1.0]  # or from the original one, by a named argument


def test_pain_25_rates_edited_by_hand_are_wiped_or_compound() -> None:
    optimizer = sgd(1.0)
    rate = attach(optimizer, Linear(10))
    follow(optimizer, 2)
    rate.scale(0.5)
    assert follow(optimizer, 3) == [1.0 * Linear(10)(t) * 0.5 for t in (2, 3, 4)]
    rate.set_base(4.0)
    resumed = sgd(1.0)
    attach(resumed, Linear(10)).load_state_dict(rate.state_dict())
    assert (
        follow(resumed, 3) == follow(optimizer, 3) == [4.0 * Linear(10)(t) * 0.5 for t in (5, 6, 7)]
    )

    optimizer.param_groups[0]["lr"] = 99.0
    with pytest.warns(ForeignWrite, match=r"was set to 99 from outside"):
        optimizer.step()
    assert values(optimizer) == [4.0 * Linear(10)(9) * 0.5]  # neither kept for ever nor compounding


@pytest.mark.parametrize(
    "schedule",
    [
        warmup_cosine(40, 5, end=0.1),
        wsd(40, 5, 10, end=0.1),
        Warmup(5) >> InverseSqrt(5).clip(low=0.1),
        Warmup(5) >> Cosine(10, end=0.1).repeat(stretch=2, shrink=0.5).clip(low=0.1),
    ],
    ids=["warmup cosine", "wsd", "inverse square root", "decaying restarts"],
)
def test_pain_26_everyday_schedules_are_missing(schedule: Schedule) -> None:
    optimizer = sgd(2.0)
    attach(optimizer, schedule)
    seen = follow(optimizer, 40)
    assert seen == [2.0 * schedule(t) for t in range(40)]  # a closed form
    assert seen[0] < seen[5] == max(seen) == 2.0  # with a warmup
    assert min(seen[5:]) >= 0.2  # and a floor


def test_pain_27_cool_down_now_and_stay_stable_longer() -> None:
    main = sgd(1.0)
    rate = attach(main, Warmup(4) >> Constant())
    follow(main, 37)
    checkpoint = rate.state_dict()

    branch = sgd(1.0)
    cooling = attach(branch, Warmup(4) >> Constant())
    cooling.load_state_dict(checkpoint)
    cooling.start_cooldown(10, shape="1-sqrt")
    seen = follow(branch, 4)
    assert seen == [pytest.approx(1 - math.sqrt(t / 10)) for t in range(4)]  # from the current rate

    interrupted = sgd(1.0)
    attach(interrupted, Warmup(4) >> Constant()).load_state_dict(cooling.state_dict())
    assert follow(interrupted, 6) == follow(branch, 6)
    assert follow(main, 20) == [1.0] * 20  # the main run is as if nothing had happened


def test_pain_28_a_cosine_climbs_again_after_its_end() -> None:
    optimizer = sgd(1.0)
    attach(optimizer, Cosine(10, end=0.1) >> Constant(0.1))
    assert follow(optimizer, 40)[10:] == [0.1] * 30
    waves = sgd(1.0)
    attach(waves, Cosine(10).repeat())  # periodic only when asked
    assert follow(waves, 11)[10] == 1.0


def test_pain_29_phases_of_length_zero_and_factors_of_zero() -> None:
    for vanishing in (Warmup(0), Linear(0), Cosine(0), Hold(0, 0.3)):
        assert (vanishing >> Linear(4)) == Linear(4)
    assert wsd(4, warmup=0, cooldown=4) == Linear(4)
    optimizer = sgd(1.0)
    attach(optimizer, MultiStep({2: 0}))
    assert follow(optimizer, 4) == [1.0, 1.0, 0.0, 0.0]
    totals: list[Callable[[], object]] = [
        lambda: Step(0, 0.1),
        lambda: Cosine(4).over(0),
        lambda: one_cycle(0),
        lambda: warmup_cosine(0),
        lambda: Linear(0).repeat(),
    ]
    for build in totals:
        with pytest.raises(InvalidValue):
            build()


# ------------------------------------------------------------------ D. groups and quantities


def test_pain_30_a_group_is_added_later() -> None:
    def unfrozen() -> torch.optim.SGD:
        optimizer = sgd(1.0)
        optimizer.add_param_group({"params": [torch.zeros(1)], "lr": 0.5})
        optimizer.add_param_group({"params": [torch.zeros(1)], "lr": 0.25})
        return optimizer

    schedule = Warmup(4) >> Linear(16)
    optimizer = sgd(1.0)
    rate = attach(optimizer, schedule)
    follow(optimizer, 8)
    optimizer.add_param_group({"params": [torch.zeros(1)], "lr": 0.5})
    optimizer.add_param_group({"params": [torch.zeros(1)], "lr": 0.25})
    rate.start_clock(2)
    follow(optimizer, 3)
    assert values(optimizer) == [schedule(11), 0.5 * schedule(11), 0.25 * schedule(3)]

    saved = {"optimizer": optimizer.state_dict(), "rate": rate.state_dict()}
    together = unfrozen()
    attach(together, schedule).load_state_dict(saved["rate"])
    together.load_state_dict(saved["optimizer"])
    # Or the resumed script adds the groups again by itself, after the state is loaded.
    one_by_one = sgd(1.0)
    resumed = attach(one_by_one, schedule)
    resumed.load_state_dict(saved["rate"])
    one_by_one.add_param_group({"params": [torch.zeros(1)], "lr": 0.5})
    one_by_one.add_param_group({"params": [torch.zeros(1)], "lr": 0.25})
    resumed.start_clock(2)
    for again in (together, one_by_one):
        assert values(again) == values(optimizer)
        follow(again, 2)
    follow(optimizer, 2)
    assert values(together) == values(one_by_one) == values(optimizer)


def test_pain_31_a_schedule_per_group() -> None:
    optimizer = torch.optim.SGD(
        [
            {"params": [torch.zeros(1)], "lr": 0.1},
            {"params": [torch.zeros(1)], "lr": 0.01, "name": "head"},
            {"params": [torch.zeros(1)], "lr": 0.001, "frozen": True},
        ]
    )
    plan = {0: one_cycle(20), "head": Linear(20), lambda group: group.get("frozen"): Constant(0)}
    attach(optimizer, plan)
    for t in range(20):
        assert values(optimizer) == [0.1 * one_cycle(20)(t), 0.01 * Linear(20)(t), 0.0]
        optimizer.step()


@given(any_schedule(), st.integers(0, 10))
def test_pain_32_floors_flatten_the_layers(schedule: Schedule, steps: int) -> None:
    bases = [0.1 * 0.7**depth for depth in range(8)]
    floored = schedule.clip(low=0.01)  # relative to each group's own base
    optimizer = sgd(*bases)
    attach(optimizer, floored >> Constant(1) if floored.length < steps else floored)
    follow(optimizer, min(steps, int(min(floored.length, 10))))
    rates = values(optimizer)
    assert [rate / rates[0] for rate in rates] == pytest.approx([base / 0.1 for base in bases])


def test_pain_33_weight_decay_momentum_betas_or_anything() -> None:
    optimizer = torch.optim.AdamW([torch.zeros(1)], lr=0.1, weight_decay=0.5)
    untouched = {k: v for k, v in optimizer.param_groups[0].items() if k not in ("lr", "params")}
    rate = attach(optimizer, one_cycle(10))
    optimizer.step()
    now = {k: v for k, v in optimizer.param_groups[0].items() if k not in ("lr", "params")}
    assert now == untouched  # a one-cycle rate turns no momentum on

    rate.detach()
    optimizer.param_groups[0]["temperature"] = 2.0
    attach(
        optimizer,
        weight_decay=Linear(10),
        temperature=Cosine(10),
        also={("betas", 0): Absolute(Linear(10, 0.85, 0.95))},
    )
    optimizer.step()
    group = optimizer.param_groups[0]
    assert group["weight_decay"] == 0.5 * 0.9
    assert group["temperature"] == 2.0 * Cosine(10)(1)
    assert group["betas"] == (Linear(10, 0.85, 0.95)(1), 0.999)


def test_pain_34_several_optimizers_and_one_schedule() -> None:
    generator, discriminator = sgd(0.1), sgd(0.4)
    rate = attach([generator, discriminator], Linear(10))
    follow(generator, 2)
    follow(discriminator, 6)
    assert rate.next == [0.1 * Linear(10)(2), 0.4 * Linear(10)(6)]
    again = [sgd(0.1), sgd(0.4)]
    resumed = attach(again, Linear(10))
    resumed.load_state_dict(rate.state_dict())
    assert (resumed.positions, resumed.next) == ([2, 6], rate.next)


class Wrapped:
    """What apex, DeepSpeed and others hand out: groups, a step, and no torch class."""

    def __init__(self, optimizer: torch.optim.Optimizer) -> None:
        self.inner = optimizer

    @property
    def param_groups(self) -> list[dict[str, Any]]:
        return self.inner.param_groups

    def step(self) -> None:
        self.inner.step()


def test_pain_35_it_is_not_an_optimizer() -> None:
    wrapped = Wrapped(sgd(1.0))
    with pytest.warns(StepsizeWarning, match=r"no step hooks. Call rate\.step\(\)"):
        rate = attach(wrapped, Linear(10))
    for _ in range(3):
        wrapped.step()
        rate.step()
    assert (rate.position, values(wrapped.inner)) == (3, [0.7])


# ------------------------------------------------------------------ F, G, J


@pytest.mark.parametrize(
    "schedule", [Exponential(0.9999), Warmup(60_000, start=0.3), Cosine(10**6)]
)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_pain_42_the_recursive_formula_drifts(schedule: Schedule, dtype: torch.dtype) -> None:
    consumed = 0
    lr = torch.tensor(0.1, dtype=dtype)
    base = lr.item()
    optimizer = torch.optim.SGD([torch.zeros(1)], lr=lr, foreach=False)
    attach(optimizer, schedule, clock=lambda: consumed)
    for consumed in (*range(1, 100), 10_000, 50_000):
        optimizer.step()
        assert lr.item() == torch.tensor(base * schedule(consumed), dtype=dtype).item()


def test_pain_43_the_rate_at_a_step_cannot_be_asked_for() -> None:
    schedule = Warmup(4) >> Cosine(6, end=0.1)
    bases = [0.1, 0.01]
    preview = [base * schedule.values(12) for base in bases]  # before any optimizer exists
    optimizer = sgd(*bases)
    rate = attach(optimizer, schedule >> Constant(0.1))
    for t in range(12):
        assert rate.next == pytest.approx([curve[t] for curve in preview], rel=1e-14)
        optimizer.step()
    # Asking changes nothing.
    assert schedule(3) == schedule(3) == 0.75
    assert rate.position == 12


def test_pain_44_warnings_that_are_wrong_and_mistakes_that_are_not_caught() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        optimizer = sgd(1.0)
        rate = attach(optimizer, Linear(20))
        step = optimizer.step
        optimizer.step = functools.partial(step)  # as a profiler wraps it
        follow(optimizer, 3)
        optimizer.step = step
        twin, schedule = copy.deepcopy((optimizer, Linear(20)))
        attach(twin, schedule)
        follow(twin, 3)
        follow(optimizer, 3)
    assert rate.position == 6

    with pytest.raises(AttachmentError, match="steps are counted once"):
        rate.step()  # stepping twice is caught at any time
    with pytest.raises(AttachmentError, match="driven already"):
        attach(optimizer, Linear(20))
    torch.optim.lr_scheduler.ConstantLR(optimizer, 0.5)  # writes the rate when it is built
    with pytest.warns(ForeignWrite, match="a torch scheduler"):
        optimizer.step()


def test_pain_45_writing_a_scheduler_of_ones_own() -> None:
    @schedule_function("tests.pain_45.sawtooth")
    def sawtooth(t: Any) -> Any:
        return 1 - (t % 4) / 8

    schedule = Warmup(2) >> Function(sawtooth) * Exponential(0.5)
    first = sgd(1.0)
    rate = attach(first, schedule)
    assert follow(first, 4) == [0.0, 0.5, 1.0, 0.875 * 0.5]
    second = sgd(1.0)
    attach(second, parse(schedule.text)).load_state_dict(rate.state_dict())
    assert follow(second, 4) == follow(first, 4)
    third = sgd(1.0)
    in_torch = SequentialLR(
        third,
        [Scheduler(third, plan, "calls") for plan in (Warmup(2), Function(sawtooth))],
        milestones=[2],
    )
    seen: list[float] = []
    for _ in range(4):
        seen += values(third)
        third.step()
        in_torch.step()
    assert seen == [0.0, 0.5, 1.0, 0.875]


def test_pain_50_reference_cycles_keep_memory() -> None:
    drives: list[Callable[[torch.optim.Optimizer], Any]] = [
        lambda optimizer: attach(optimizer, Linear(9), sinks=[lambda tick: None]),
        lambda optimizer: attach([optimizer], {0: Linear(9)}, clock=lambda: 1),
        lambda optimizer: Scheduler(optimizer, Linear(9), counts="calls"),
        lambda optimizer: Scheduler(optimizer, Linear(9), counts="updates"),
    ]
    sgd().state_dict()  # torch's first optimizer in a process leaves a cycle of its own
    gc.collect()
    gc.disable()
    try:
        for drive in drives:
            parameter = torch.zeros(1)
            optimizer = torch.optim.SGD([parameter], lr=1.0)
            handle = drive(optimizer)
            follow(optimizer, 2)
            handle.load_state_dict(handle.state_dict())
            alive: Sequence[weakref.ref[Any]] = [weakref.ref(optimizer), weakref.ref(parameter)]
            del optimizer, handle, parameter
            assert [ref() for ref in alive] == [None, None]
    finally:
        gc.enable()
