"""``from_scheduler``: going on with stepsize in place of a torch scheduler changes nothing."""

import contextlib
import functools
import math
import types
import warnings
from collections.abc import Callable, Mapping, Sequence
from itertools import accumulate
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.optim import Optimizer
from torch.optim import lr_scheduler as theirs
from torch.optim.swa_utils import SWALR

from stepsize import (
    Absolute,
    AttachmentError,
    Constant,
    Cosine,
    Exponential,
    Hold,
    InvalidType,
    InvalidValue,
    Linear,
    Schedule,
    Step,
    StepsizeWarning,
)
from stepsize.torch import attach, from_scheduler

Build = Callable[[Optimizer], Any]

STEPS = 60
ONE, SEVERAL = (0.3,), (0.3, 0.02, 0.7)

pytestmark = [
    # What is taken over is not chosen here: that it could be better is not the point.
    pytest.mark.filterwarnings("ignore::stepsize.errors.ScheduleWarning"),
    # A falling schedule that ends while the steps go on is told of, once: not the point here.
    pytest.mark.filterwarnings("ignore:lr of SGD.* ended at position"),
    # Torch says this when a composition is first in a composition, whoever calls what.
    pytest.mark.filterwarnings("ignore:Detected call of `lr_scheduler.step"),
]


def an_optimizer(rates: Sequence[float] = ONE, momentum: float = 0.5) -> Optimizer:
    groups = [{"params": [torch.zeros(1)], "lr": rate} for rate in rates]
    return torch.optim.SGD(groups, lr=0.1, momentum=momentum)


def advance(optimizer: Optimizer, scheduler: Any, steps: int) -> None:
    for _ in range(steps):
        optimizer.step()
        scheduler.step()


def held(optimizer: Optimizer, quantity: str) -> list[float]:
    return [float(group[quantity]) for group in optimizer.param_groups]


def no_step() -> None:
    """stepsize follows the optimizer's own steps."""


def followed(
    optimizer: Optimizer, step: Callable[[], object], steps: int, quantity: str = "lr"
) -> np.ndarray:
    """What each of the next steps uses, one row per step."""
    rows = []
    for _ in range(steps):
        rows.append(held(optimizer, quantity))
        optimizer.step()
        step()
    return np.array(rows)


def assert_goes_on(
    build: Build,
    rates: Sequence[float] = ONE,
    at: int = 0,
    steps: int = STEPS,
    edit: Callable[[Optimizer], None] = lambda optimizer: None,
    quantity: str = "lr",
    unequal: int = 0,
) -> None:
    """Two twins are driven alike; then one goes on with torch and one with stepsize.

    The first ``unequal`` of the next steps are not compared.
    """
    twins = []
    for _ in range(2):
        optimizer = an_optimizer(rates)
        scheduler = build(optimizer)
        advance(optimizer, scheduler, at)
        edit(optimizer)
        twins.append((optimizer, scheduler))
    (old, torchs), (new, read) = twins
    expected = followed(old, torchs.step, steps, quantity)
    from_scheduler(read).attach()
    ours = followed(new, no_step, steps, quantity)
    size = max(1, np.abs(expected).max())
    np.testing.assert_allclose(ours[unequal:], expected[unequal:], rtol=0, atol=1e-12 * size)


def sequence(*parts: Build, milestones: list[int]) -> Build:
    return lambda o: theirs.SequentialLR(o, [part(o) for part in parts], milestones)


def chain(*parts: Build) -> Build:
    return lambda o: theirs.ChainedScheduler([part(o) for part in parts])


def known(name: str, **settings: Any) -> Build:
    """A LambdaLR whose function looks like one of transformers', which is not installed here."""

    def formula(step: int, **settings: Any) -> float:
        return min(1.0, step / settings["num_warmup_steps"])

    formula.__module__, formula.__name__ = "transformers.optimization", name
    return lambda o: theirs.LambdaLR(o, functools.partial(formula, **settings))


LINEAR: Build = lambda o: theirs.LinearLR(o, 0.1, 1, total_iters=6)  # noqa: E731
EXPONENTIAL: Build = lambda o: theirs.ExponentialLR(o, 0.9)  # noqa: E731
COSINE: Build = lambda o: theirs.CosineAnnealingLR(o, 9, eta_min=0.004)  # noqa: E731

SIMPLE: Mapping[str, Build] = {
    "ConstantLR": lambda o: theirs.ConstantLR(o, 0.3, total_iters=5),
    "ConstantLR of length 0": lambda o: theirs.ConstantLR(o, 1.0, total_iters=0),
    "LinearLR up": LINEAR,
    "LinearLR down": lambda o: theirs.LinearLR(o, 1, 0.2, total_iters=17),
    "LinearLR to zero": lambda o: theirs.LinearLR(o, 0.5, 0, total_iters=17),
    "ExponentialLR": EXPONENTIAL,
    "StepLR": lambda o: theirs.StepLR(o, 7, 0.3),
    "MultiStepLR": lambda o: theirs.MultiStepLR(o, [0, 5, 5, 12, 33], 0.4),
    "MultiStepLR without milestones": lambda o: theirs.MultiStepLR(o, [], 0.4),
    "PolynomialLR": lambda o: theirs.PolynomialLR(o, 20, 2.5),
    "PolynomialLR of power 1": lambda o: theirs.PolynomialLR(o, 20, 1),
    "CosineAnnealingLR": COSINE,
    "CosineAnnealingLR without a floor": lambda o: theirs.CosineAnnealingLR(o, 12),
    "CosineAnnealingLR of one step": lambda o: theirs.CosineAnnealingLR(o, 1, eta_min=0.01),
    "CosineAnnealingLR of broken length": lambda o: theirs.CosineAnnealingLR(o, 7.5, 0.01),
    "CosineAnnealingWarmRestarts": lambda o: theirs.CosineAnnealingWarmRestarts(
        o, 7, eta_min=0.004
    ),
    "CosineAnnealingWarmRestarts growing": lambda o: theirs.CosineAnnealingWarmRestarts(o, 4, 2),
    "CyclicLR triangular": lambda o: theirs.CyclicLR(o, 0.01, 0.1, 5, 8),
    "CyclicLR triangular2": lambda o: theirs.CyclicLR(o, 0.01, 0.1, 4, mode="triangular2"),
    "CyclicLR exp_range": lambda o: theirs.CyclicLR(o, 0.01, 0.1, 4, mode="exp_range", gamma=0.97),
    "CyclicLR without momentum": lambda o: theirs.CyclicLR(o, 0.01, 0.1, 4, cycle_momentum=False),
    "OneCycleLR": lambda o: theirs.OneCycleLR(o, 0.5, 100),
    "OneCycleLR linear": lambda o: theirs.OneCycleLR(o, 0.5, 100, anneal_strategy="linear"),
    "OneCycleLR of three phases": lambda o: theirs.OneCycleLR(o, 0.5, 100, three_phase=True),
    "OneCycleLR of three phases, the third cut off": lambda o: theirs.OneCycleLR(
        o, 0.5, 100, pct_start=0.7, three_phase=True
    ),
    "OneCycleLR without a rise": lambda o: theirs.OneCycleLR(o, 0.5, 100, pct_start=0.005),
    "SWALR": lambda o: SWALR(o, 0.05, anneal_epochs=8),
    "SWALR linear": lambda o: SWALR(o, 0.05, anneal_epochs=8, anneal_strategy="linear"),
    "SWALR at once": lambda o: SWALR(o, 0.05, anneal_epochs=0),
    "LambdaLR of transformers": known(
        "_get_constant_schedule_with_warmup_lr_lambda", num_warmup_steps=13
    ),
}

COMPOSED: Mapping[str, Build] = {
    "warmup, then cosine": sequence(LINEAR, COSINE, milestones=[6]),
    "three phases": sequence(LINEAR, EXPONENTIAL, SIMPLE["StepLR"], milestones=[4, 20]),
    "a phase that is cut off": sequence(EXPONENTIAL, LINEAR, milestones=[3]),
    "phases of length 0": sequence(LINEAR, EXPONENTIAL, COSINE, EXPONENTIAL, milestones=[0, 9, 9]),
    "restarts after a warmup": sequence(
        LINEAR, SIMPLE["CosineAnnealingWarmRestarts growing"], milestones=[6]
    ),
    "averaging after a decay": sequence(EXPONENTIAL, SIMPLE["SWALR"], milestones=[15]),
    "averaging at once after a decay": sequence(
        EXPONENTIAL, SIMPLE["SWALR at once"], milestones=[15]
    ),
    "averaging after a cosine": sequence(
        COSINE, SIMPLE["SWALR linear"], EXPONENTIAL, milestones=[5, 10]
    ),
    "cycles after a warmup": sequence(LINEAR, SIMPLE["CyclicLR triangular"], milestones=[6]),
    "a chain of two that multiply": chain(LINEAR, EXPONENTIAL),
    "a chain of three that multiply": chain(LINEAR, SIMPLE["StepLR"], SIMPLE["ConstantLR"]),
    "a chain of one": chain(COSINE),
    "a warmup chained with a cosine": chain(LINEAR, SIMPLE["CosineAnnealingLR without a floor"]),
    "a chain in a chain": chain(LINEAR, chain(EXPONENTIAL, SIMPLE["StepLR"])),
    "a chain whose last part writes": chain(EXPONENTIAL, SIMPLE["CosineAnnealingWarmRestarts"]),
    "a chain of a sequence": chain(sequence(LINEAR, COSINE, milestones=[6])),
    # Torch starts these one step ahead (PAINS.md 20): so do we.
    "a sequence first in a sequence": sequence(
        sequence(LINEAR, EXPONENTIAL, milestones=[5]), COSINE, milestones=[11]
    ),
    "a sequence first in a sequence first in a sequence": sequence(
        sequence(sequence(LINEAR, EXPONENTIAL, milestones=[3]), COSINE, milestones=[8]),
        EXPONENTIAL,
        milestones=[11],
    ),
}


@pytest.mark.parametrize("rates", [ONE, SEVERAL], ids=["one group", "several groups"])
@pytest.mark.parametrize("at", [0, 1, 6, 11, 37])
@pytest.mark.parametrize("name", [*SIMPLE, *COMPOSED])
def test_taking_over_changes_no_rate_from_there_on(
    name: str, at: int, rates: Sequence[float]
) -> None:
    # Past its end OneCycleLR raises.
    assert_goes_on({**SIMPLE, **COMPOSED}[name], rates, at, 61 if "OneCycle" in name else STEPS)


@pytest.mark.parametrize("name", ["OneCycleLR", "OneCycleLR linear", "CyclicLR triangular2"])
@pytest.mark.parametrize("at", [0, 3, 20, 39])
def test_taking_over_changes_no_momentum_from_there_on(name: str, at: int) -> None:
    assert_goes_on(SIMPLE[name], SEVERAL, at, quantity="momentum")


@pytest.mark.parametrize("at", [0, 3, 8, 30])
def test_the_momentum_of_a_phase_is_cycled_while_the_phase_lasts(at: int) -> None:
    build = sequence(LINEAR, SIMPLE["CyclicLR triangular"], EXPONENTIAL, milestones=[6, 20])
    assert_goes_on(build, SEVERAL, at, quantity="momentum")


def test_the_first_beta_stands_for_the_momentum_of_adam() -> None:
    betas = []
    for take_over in (False, True):
        optimizer = torch.optim.AdamW([torch.zeros(1)], lr=0.1)
        scheduler = theirs.OneCycleLR(optimizer, 0.5, 100)
        advance(optimizer, scheduler, 10)
        step = scheduler.step
        if take_over:
            found = from_scheduler(scheduler)
            found.attach()
            step = no_step
            fall, rise = Cosine(29, 0.95, 0.85), Cosine(70, 0.85, 0.95)
            assert found.also == {("betas", 0): Absolute(fall >> rise >> Hold(1, 0.95))}
        rows = []
        for _ in range(STEPS):
            rows.append(optimizer.param_groups[0]["betas"])
            optimizer.step()
            step()
        betas.append(rows)
    np.testing.assert_allclose(*betas, rtol=0, atol=1e-12)


# ------------------------------------------------------------------ how it reads


@pytest.mark.parametrize(
    ("build", "schedule", "base"),
    [
        (SIMPLE["StepLR"], Step(7, 0.3), 0.3),
        (SIMPLE["LinearLR up"], Linear(6, 0.1, 1), 0.3),
        (
            SIMPLE["CosineAnnealingLR without a floor"],
            (Cosine(12) >> Cosine(12, 0, 1)).repeat(),
            0.3,
        ),
        (SIMPLE["CosineAnnealingWarmRestarts growing"], Cosine(4).repeat(stretch=2), 0.3),
        (
            SIMPLE["OneCycleLR"],
            Cosine(29, 0.04, 1) >> Cosine(70, end=4e-6) >> Hold(1, 4e-6),
            0.5,
        ),
        (sequence(LINEAR, EXPONENTIAL, milestones=[6]), Linear(6, 0.1, 1) >> Exponential(0.9), 0.3),
        (chain(LINEAR, EXPONENTIAL), Linear(6, 0.1, 1) * Exponential(0.9), 0.3),
        (
            chain(LINEAR, SIMPLE["CosineAnnealingLR without a floor"]),
            Linear(6, 0.1, 1) * Cosine(12) >> (Cosine(12, 0, 1) >> Cosine(12)).repeat(),
            0.3,
        ),
    ],
)
@pytest.mark.parametrize("at", [0, 4])
def test_the_whole_schedule_its_position_and_its_base_are_found_wherever_the_run_is(
    build: Build, schedule: Schedule, base: float, at: int
) -> None:
    optimizer = an_optimizer()
    scheduler = build(optimizer)
    advance(optimizer, scheduler, at)
    found = from_scheduler(scheduler)
    assert found.schedule == schedule
    assert found.position == at
    assert found.bases == pytest.approx((base,), rel=1e-12)


def test_absolute_floors_give_a_schedule_for_each_group_and_shared_ones_one_for_all() -> None:
    optimizer = an_optimizer(SEVERAL)
    assert from_scheduler(theirs.StepLR(optimizer, 7)).schedule == Step(7, 0.1)
    optimizer = an_optimizer((0.5, 0.25))
    found = from_scheduler(theirs.CosineAnnealingWarmRestarts(optimizer, 8, eta_min=0.05))
    assert found.schedule == {0: Cosine(8, end=0.1).repeat(), 1: Cosine(8, end=0.2).repeat()}
    assert "group 1: lr base 0.25, Cosine(8, end=0.2).repeat()" in str(found)


def test_a_group_whose_rate_is_zero_gets_the_rates_themselves() -> None:
    def build(optimizer: Optimizer) -> theirs.LRScheduler:
        return theirs.CosineAnnealingLR(optimizer, 9, eta_min=0.1)

    assert_goes_on(build, (0.0, 0.3), at=5)


def test_reading_changes_nothing() -> None:
    optimizer = an_optimizer(SEVERAL)
    scheduler = COMPOSED["warmup, then cosine"](optimizer)
    advance(optimizer, scheduler, 8)
    before, state = held(optimizer, "lr"), repr(scheduler.state_dict())
    from_scheduler(scheduler)
    assert held(optimizer, "lr") == before
    assert repr(scheduler.state_dict()) == state


def test_a_phase_that_is_over_need_not_be_readable() -> None:
    def build(optimizer: Optimizer) -> theirs.LRScheduler:
        warmup = theirs.LambdaLR(optimizer, lambda step: (step + 1) / 5)
        decay = theirs.ExponentialLR(optimizer, 0.9)
        return theirs.SequentialLR(optimizer, [warmup, decay], [4])

    with pytest.raises(InvalidType, match="LambdaLR"):
        from_scheduler(build(an_optimizer()))
    assert_goes_on(build, at=4)


# ------------------------------------------------------------------ set by hand, or loaded


def scaled(factor: float) -> Callable[[Optimizer], None]:
    def edit(optimizer: Optimizer) -> None:
        for group in optimizer.param_groups:
            group["lr"] *= factor

    return edit


MULTIPLYING = [
    *("LinearLR up", "ExponentialLR", "StepLR", "MultiStepLR", "PolynomialLR", "LinearLR down"),
    *("a chain of three that multiply", "three phases", "warmup, then cosine", "CosineAnnealingLR"),
    *("a warmup chained with a cosine", "averaging after a decay"),
    *("a sequence first in a sequence", "a phase that is cut off"),
]


@pytest.mark.parametrize("factor", [0.5, 3.0])
@pytest.mark.parametrize("at", [0, 2, 5, 7, 14])
@pytest.mark.parametrize("name", MULTIPLYING)
def test_a_rate_that_was_set_by_hand_goes_on_as_it_does_in_torch(
    name: str, at: int, factor: float
) -> None:
    with pytest.warns(StepsizeWarning, match="goes on from the former, as torch would"):
        assert_goes_on({**SIMPLE, **COMPOSED}[name], SEVERAL, at, edit=scaled(factor))


@pytest.mark.parametrize("name", ["SWALR", "SWALR linear"])
def test_averaging_goes_on_from_a_rate_that_was_set_by_hand(name: str) -> None:
    assert_goes_on(SIMPLE[name], SEVERAL, at=3, edit=scaled(0.5))


@pytest.mark.parametrize("name", ["CosineAnnealingWarmRestarts", "CyclicLR triangular", "SWALR"])
def test_a_rate_that_torch_would_write_over_next_is_written_over_now_and_told(name: str) -> None:
    optimizer = an_optimizer()
    scheduler = SIMPLE[name](optimizer)
    advance(optimizer, scheduler, 9)
    expected = held(optimizer, "lr")
    scaled(0.5)(optimizer)
    with pytest.warns(StepsizeWarning, match="would write .* at its next step: that is written"):
        rate = from_scheduler(scheduler).attach()
    assert rate.next == pytest.approx(expected, abs=1e-12)


def test_a_rate_that_was_set_where_the_schedule_has_ended_at_zero_is_held_as_in_torch() -> None:
    def edit(optimizer: Optimizer) -> None:
        optimizer.param_groups[0]["lr"] = 0.01

    with pytest.warns(StepsizeWarning, match="goes on"):
        assert_goes_on(SIMPLE["LinearLR to zero"], at=20, edit=edit)


def test_a_rate_that_no_schedule_explains_is_refused() -> None:
    optimizer = an_optimizer()
    scheduler = theirs.StepLR(optimizer, 3, gamma=0)
    advance(optimizer, scheduler, 4)
    optimizer.param_groups[0]["lr"] = 0.01
    with pytest.raises(InvalidValue, match="no multiple of it"):
        from_scheduler(scheduler)


@pytest.mark.parametrize("at", [4, 9, 12, 20, 27, 40])
@pytest.mark.parametrize("floor", [0.0, 0.004])
def test_a_wave_whose_height_was_set_by_hand_keeps_it_to_its_bottom_as_in_torch(
    at: int, floor: float
) -> None:
    def build(optimizer: Optimizer) -> theirs.LRScheduler:
        return theirs.CosineAnnealingLR(optimizer, 9, eta_min=floor)

    optimizer = an_optimizer()
    scheduler = build(optimizer)
    advance(optimizer, scheduler, at)
    if at % 18 == 9:
        optimizer.param_groups[0]["lr"] = 0.1
        with pytest.raises(InvalidValue, match="at the bottom of the wave"):
            from_scheduler(scheduler)
    else:
        with pytest.warns(StepsizeWarning, match="to the bottom"):
            assert_goes_on(build, SEVERAL, at, edit=scaled(0.5))


def saved_and_loaded(
    build: Build, at: int, order: Sequence[str]
) -> tuple[Optimizer, Any, Optimizer, Any]:
    """A run, and a new process that loads what it saved, in this order."""
    old = an_optimizer(SEVERAL)
    torchs = build(old)
    advance(old, torchs, at)
    new = an_optimizer(SEVERAL)
    loaded = build(new)
    for what in order:
        if what == "optimizer":
            new.load_state_dict(old.state_dict())
        else:
            loaded.load_state_dict(torchs.state_dict())
    return old, torchs, new, loaded


@pytest.mark.parametrize(
    "order", [("optimizer", "scheduler"), ("scheduler", "optimizer")], ids=" then ".join
)
@pytest.mark.parametrize("name", sorted({*SIMPLE, *COMPOSED} - {"LambdaLR of transformers"}))
def test_a_loaded_scheduler_is_taken_over_as_the_one_that_was_saved(
    name: str, order: Sequence[str]
) -> None:
    build = {**SIMPLE, **COMPOSED}[name]
    old, torchs, new, loaded = saved_and_loaded(build, 7, order)
    from_scheduler(loaded).attach()
    expected = followed(old, torchs.step, 40)
    np.testing.assert_allclose(followed(new, no_step, 40), expected, rtol=0, atol=1e-12)


def test_a_scheduler_whose_optimizer_was_not_loaded_is_told_of() -> None:
    # PAINS.md 1: torch goes on from the wrong rate for ever, and says nothing.
    *_, scheduler = saved_and_loaded(SIMPLE["MultiStepLR"], 20, ["scheduler"])
    with pytest.warns(StepsizeWarning, match="the optimizer's state was not loaded"):
        rate = from_scheduler(scheduler).attach()
    expected = [base * 0.4 for base in SEVERAL]  # the milestone at 0 was applied when it was built
    assert rate.next == pytest.approx(expected)


def test_what_was_taken_over_is_saved_and_resumed_like_any_attachment() -> None:
    optimizer = an_optimizer(SEVERAL)
    scheduler = COMPOSED["warmup, then cosine"](optimizer)
    advance(optimizer, scheduler, 8)
    found = from_scheduler(scheduler)
    rate = found.attach()
    optimizer.step()
    saved, rates = (optimizer.state_dict(), rate.state_dict()), rate.next

    resumed = an_optimizer(SEVERAL)
    again = attach(resumed, found.schedule)
    resumed.load_state_dict(saved[0])
    again.load_state_dict(saved[1])
    assert again.position == 9
    assert again.next == rates


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("name", ["ExponentialLR", "CosineAnnealingLR", "OneCycleLR", "SWALR"])
def test_a_rate_that_a_tensor_holds_is_taken_over_in_the_same_tensor(
    name: str, dtype: torch.dtype
) -> None:
    twins = []
    for _ in range(2):
        optimizer = torch.optim.SGD(
            [torch.zeros(1)], lr=torch.tensor(0.3, dtype=dtype), momentum=0.5
        )
        scheduler = SIMPLE[name](optimizer)
        advance(optimizer, scheduler, 6)
        twins.append((optimizer, scheduler))
    (old, torchs), (new, read) = twins
    tensor = new.param_groups[0]["lr"]
    from_scheduler(read).attach()
    size = 10 * torch.finfo(dtype).eps
    ours, expected = followed(new, no_step, 20), followed(old, torchs.step, 20)
    np.testing.assert_allclose(ours, expected, rtol=0, atol=size)
    assert new.param_groups[0]["lr"] is tensor


# ------------------------------------------------------------------ where torch is wrong


def test_past_the_end_of_one_cycle_the_last_rate_holds_and_torch_rises_and_raises() -> None:
    # PAINS.md 13.
    optimizer, twin = an_optimizer(), an_optimizer()
    scheduler, read = (theirs.OneCycleLR(each, 0.5, 20) for each in (optimizer, twin))
    rate = from_scheduler(read).attach()
    ours = followed(twin, no_step, 30)[:, 0]
    advance(optimizer, scheduler, 20)
    assert optimizer.param_groups[0]["lr"] > 100 * ours[19]
    with pytest.raises(ValueError, match="Tried to step 21 times"):
        scheduler.step()
    assert ours[19] == pytest.approx(0.5 / 25 / 1e4)
    assert ours[19:].tolist() == [ours[19]] * 11
    assert rate.next == [ours[19]]


def test_one_cycle_in_a_sequence_scales_the_other_phases_and_that_is_told() -> None:
    # PAINS.md 20: it changes the groups' initial_lr, from which the first phase starts.
    build = sequence(LINEAR, SIMPLE["OneCycleLR"], milestones=[4])
    with pytest.warns(StepsizeWarning, match="as torch would"):
        assert_goes_on(build, SEVERAL, at=2)
    assert_goes_on(build, SEVERAL, at=30)


@pytest.mark.parametrize("inner", ["warmup, then cosine", "a chain of two that multiply"])
def test_a_composition_later_in_a_sequence_starts_where_torch_raises(inner: str) -> None:
    # PAINS.md 20.
    optimizer, twin = an_optimizer(), an_optimizer()
    build = sequence(EXPONENTIAL, COMPOSED[inner], milestones=[4])
    scheduler, read = build(optimizer), build(twin)
    schedule = from_scheduler(read).schedule
    alone = from_scheduler(COMPOSED[inner](an_optimizer())).schedule
    assert schedule == Exponential(0.9).until(4) >> alone
    with pytest.raises(NotImplementedError):
        advance(optimizer, scheduler, 4)


def test_a_chain_that_is_first_in_a_sequence_starts_one_step_ahead_as_in_torch() -> None:
    # PAINS.md 20: its ExponentialLR has multiplied once before the first step.
    build = sequence(chain(LINEAR, EXPONENTIAL), EXPONENTIAL, milestones=[8])
    with pytest.warns(StepsizeWarning, match="goes on from the former"):
        assert_goes_on(build)


def test_a_length_of_zero_leaves_torch_at_the_start_factor_and_that_is_told() -> None:
    # PAINS.md 29: ten times too low for ever.
    with pytest.warns(StepsizeWarning, match=r"it is 0.03, where .* gives 0.3"):
        assert_goes_on(lambda o: theirs.LinearLR(o, 0.1, total_iters=0))


def test_a_chain_that_is_no_product_in_torch_is_refused_with_what_to_write() -> None:
    # PAINS.md 21: restarts times steps give 1.0 instead of 0.001.
    restarts, steps = SIMPLE["CosineAnnealingWarmRestarts"], SIMPLE["StepLR"]
    with pytest.raises(InvalidValue, match=r"write it: attach\(optimizer, a \* b\)"):
        from_scheduler(chain(restarts, steps)(an_optimizer()))
    with pytest.raises(InvalidValue, match="only one of them still moves later"):
        from_scheduler(chain(LINEAR, COSINE)(an_optimizer()))
    # Later the warmup is over, and the cosine is alone; its height has suffered from the warmup.
    with pytest.warns(StepsizeWarning, match="to the bottom"):
        assert_goes_on(chain(LINEAR, COSINE), SEVERAL, at=7)


def test_a_cosine_chained_with_an_endless_decay_ends_where_torch_rises_to_another_height() -> None:
    # PAINS.md 21: after its bottom torch has forgotten what the other had multiplied.
    build = chain(SIMPLE["CosineAnnealingLR without a floor"], EXPONENTIAL)
    with pytest.warns(StepsizeWarning, match="at 0 from position 12 on"):
        assert_goes_on(build, SEVERAL, at=3, steps=10)
    optimizer = an_optimizer()
    scheduler = build(optimizer)
    advance(optimizer, scheduler, 20)
    with pytest.raises(InvalidValue, match="must be a product"):
        from_scheduler(scheduler)


def test_restarts_at_a_fraction_of_an_epoch_go_on_at_the_fraction() -> None:
    def at_a_fraction(optimizer: Optimizer) -> theirs.LRScheduler:
        scheduler = theirs.CosineAnnealingWarmRestarts(optimizer, 4, T_mult=2)
        optimizer.step()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            scheduler.step(14.5)
        return scheduler

    assert_goes_on(at_a_fraction, SEVERAL)
    assert from_scheduler(at_a_fraction(an_optimizer())).position == 14.5


def test_a_restart_that_torch_misses_by_rounding_is_there() -> None:
    # PAINS.md 23: step(121) of restarts at 1, 4, 13, 40, 121 has the rate 0.
    optimizer = an_optimizer()
    scheduler = theirs.CosineAnnealingWarmRestarts(optimizer, 1, T_mult=3)
    optimizer.step()
    scheduler.step(121)
    assert held(optimizer, "lr") == [0.0]
    with pytest.warns(StepsizeWarning, match="written now"):
        found = from_scheduler(scheduler)
    assert found.position == 121
    assert found.attach().next == [0.3]


# ------------------------------------------------------------------ what cannot be read


@pytest.mark.parametrize(
    ("build", "remedy"),
    [
        (lambda o: theirs.LambdaLR(o, lambda step: 0.9**step), "attach(optimizer, Function(it)"),
        (lambda o: theirs.LambdaLR(o, math.cos), "@schedule_function"),
        (lambda o: theirs.MultiplicativeLR(o, lambda step: 0.9), "Exponential(ratio)"),
        (theirs.ReduceLROnPlateau, "rate.observe(val_loss=...)"),
        (
            lambda o: theirs.CyclicLR(o, 0.01, 0.1, 4, scale_fn=lambda cycle: 0.5),
            "Triangular(up, down).repeat() * Function(",
        ),
        (sequence(EXPONENTIAL, lambda o: theirs.LambdaLR(o, math.cos), milestones=[5]), "LambdaLR"),
    ],
)
def test_what_has_no_formula_is_refused_with_what_to_write_instead(
    build: Build, remedy: str
) -> None:
    optimizer = an_optimizer()
    with pytest.raises(InvalidType) as refusal:
        from_scheduler(build(optimizer))
    assert str(refusal.value).startswith("from_scheduler(")
    assert remedy in str(refusal.value)


def test_a_class_of_somebody_elses_is_refused_even_if_it_is_derived_from_torchs() -> None:
    class MyStep(theirs.StepLR):
        pass

    with pytest.raises(InvalidType, match="but is a MyStep"):
        from_scheduler(MyStep(an_optimizer(), 3))


def test_a_wrapper_is_refused_with_where_the_scheduler_is() -> None:
    wrapper = types.SimpleNamespace(scheduler=None)
    with pytest.raises(InvalidType, match=r"often \.scheduler"):
        from_scheduler(wrapper)  # type: ignore[arg-type]


def test_milestones_that_do_not_ascend_are_refused() -> None:
    build = sequence(EXPONENTIAL, EXPONENTIAL, EXPONENTIAL, milestones=[9, 4])
    with pytest.raises(InvalidValue, match="milestones must ascend"):
        from_scheduler(build(an_optimizer()))


def test_a_group_that_was_added_later_is_refused_with_when_to_read() -> None:
    optimizer = an_optimizer()
    scheduler = theirs.StepLR(optimizer, 3)
    optimizer.add_param_group({"params": [torch.zeros(1)]})
    with pytest.raises(InvalidValue, match="group 1 was added after it was built"):
        from_scheduler(scheduler)


def test_bounds_that_a_loaded_optimizer_has_lost_are_refused() -> None:
    optimizer, other = an_optimizer(), an_optimizer()
    scheduler = theirs.OneCycleLR(optimizer, 0.5, 100)
    averaging = SWALR(optimizer, 0.05)
    optimizer.load_state_dict(other.state_dict())
    for each in (scheduler, averaging):
        with pytest.raises(InvalidValue, match="Load the optimizer's state"):
            from_scheduler(each)


# ------------------------------------------------------------------ taking over


def test_taking_over_a_driven_optimizer_is_refused_and_leaves_its_rates() -> None:
    optimizer = an_optimizer()
    scheduler = SIMPLE["LinearLR up"](optimizer)
    attach(optimizer, Constant())
    before = held(optimizer, "lr")
    with pytest.raises(AttachmentError, match="is driven already"):
        from_scheduler(scheduler).attach()
    assert held(optimizer, "lr") == before


def test_a_schedule_begins_at_the_position_that_attach_is_given() -> None:
    optimizer = an_optimizer()
    rate = attach(optimizer, Linear(10), position=4)
    assert (rate.position, rate.next) == (4, pytest.approx([0.3 * 0.6]))
    optimizer.step()
    assert (rate.position, rate.next) == (5, pytest.approx([0.3 * 0.5]))


def test_a_position_is_no_negative_number_and_excludes_a_clock() -> None:
    with pytest.raises(InvalidValue, match="position must be"):
        attach(an_optimizer(), Constant(), position=-1)
    with pytest.raises(InvalidValue, match="its reading is the position"):
        attach(an_optimizer(), Constant(), position=3, clock=lambda: 0)


# ------------------------------------------------------------------ at random


SIZES = st.integers(1, 15)
LEAVES = st.one_of(
    st.builds(lambda n, f: lambda o: theirs.ConstantLR(o, f, n), SIZES, st.floats(0.1, 0.9)),
    st.builds(lambda n, f: lambda o: theirs.LinearLR(o, f, 1, n), SIZES, st.floats(0.1, 0.9)),
    st.builds(lambda n, f: lambda o: theirs.StepLR(o, n, f), SIZES, st.floats(0.3, 1.2)),
    st.builds(lambda f: lambda o: theirs.ExponentialLR(o, f), st.floats(0.8, 1.05)),
    st.builds(lambda n, p: lambda o: theirs.PolynomialLR(o, n, p), SIZES, st.floats(0.5, 3)),
    st.builds(lambda n, e: lambda o: theirs.CosineAnnealingLR(o, n, e), SIZES, st.floats(0, 0.1)),
    st.builds(lambda n: lambda o: theirs.CosineAnnealingWarmRestarts(o, n, 2), SIZES),
    st.builds(lambda n: lambda o: theirs.CyclicLR(o, 0.01, 0.1, n), SIZES),
    st.builds(lambda n: lambda o: SWALR(o, 0.05, n), st.integers(0, 15)),
)


def assert_goes_on_or_tells(build: Build, at: int) -> None:
    optimizer = an_optimizer()
    scheduler = build(optimizer)
    advance(optimizer, scheduler, at)
    with warnings.catch_warnings(record=True) as recorded:
        warnings.simplefilter("always")
        from_scheduler(scheduler)
    told = " ".join(str(each.message) for each in recorded)
    if "the chain is at 0 from position" not in told:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            assert_goes_on(build, SEVERAL, at, 30, unequal=int("that is written now" in told))


@given(
    st.lists(LEAVES, min_size=1, max_size=4),
    st.lists(SIZES, min_size=3, max_size=3),
    st.integers(0, 40),
)
def test_any_sequence_is_taken_over_anywhere(
    parts: list[Build], lengths: list[int], at: int
) -> None:
    milestones = [*accumulate(lengths)][: len(parts) - 1]
    assert_goes_on_or_tells(sequence(*parts, milestones=milestones), at)


@given(st.lists(LEAVES, min_size=1, max_size=3), st.integers(0, 40))
def test_any_chain_is_taken_over_anywhere_or_refused(parts: list[Build], at: int) -> None:
    with contextlib.suppress(InvalidValue):
        assert_goes_on_or_tells(chain(*parts), at)
