"""A ``Scheduler`` is right however a loop calls it, or says with numbers what contradicts it."""

import math
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from torch.optim.lr_scheduler import (
    CyclicLR,
    ExponentialLR,
    LambdaLR,
    ReduceLROnPlateau,
    SequentialLR,
    StepLR,
)

from stepsize import (
    Absolute,
    Constant,
    Cosine,
    Exponential,
    InvalidType,
    InvalidValue,
    Linear,
    Policy,
    Step,
    StepsizeWarning,
    Tick,
    Warmup,
    cyclic,
)
from stepsize.controllers import Plateau
from stepsize.torch import Scheduler, attach, from_scheduler

BATCHES = 4


def sgd(*bases: float, **options: Any) -> torch.optim.SGD:
    groups = [{"params": [torch.zeros(1)], "lr": base} for base in bases or (0.1,)]
    return torch.optim.SGD(groups, **options)


def rate_of(optimizer: torch.optim.Optimizer) -> float:
    return float(optimizer.param_groups[0]["lr"])


def epochs(optimizer: Any, after_epoch: Callable[[], object], count: int) -> list[float]:
    """The rate of every update, in a loop with a call after each epoch."""
    used: list[float] = []
    for _ in range(count):
        for _ in range(BATCHES):
            used.append(rate_of(optimizer))
            optimizer.step()
        after_epoch()
    return used


def batches(optimizer: Any, after_batch: Callable[[], object], count: int) -> list[float]:
    used: list[float] = []
    for _ in range(count):
        used.append(rate_of(optimizer))
        optimizer.step()
        after_batch()
    return used


# ------------------------------------------------------------------ counting updates


def test_by_default_updates_are_counted_and_calls_move_nothing() -> None:
    optimizer = sgd(1.0)
    scheduler = Scheduler(optimizer, Linear(8))
    assert batches(optimizer, scheduler.step, 4) == [1.0, 0.875, 0.75, 0.625]
    for _ in range(3):
        scheduler.step()
    assert rate_of(optimizer) == 0.5


@pytest.mark.parametrize("calls", [2, 3])
def test_several_calls_per_update_are_as_one_as_where_ranks_call_for_each_other(calls: int) -> None:
    optimizer = sgd(1.0)
    scheduler = Scheduler(optimizer, Linear(8))

    def step() -> None:
        for _ in range(calls):
            scheduler.step()

    assert batches(optimizer, step, 4) == [1.0, 0.875, 0.75, 0.625]


def test_a_call_after_every_micro_batch_of_an_accumulated_update_moves_nothing() -> None:
    optimizer = sgd(1.0)
    scheduler = Scheduler(optimizer, Linear(8))
    used: list[float] = []
    for micro_batch in range(9):
        if micro_batch % 3 == 2:
            used.append(rate_of(optimizer))
            optimizer.step()
        scheduler.step()
    assert used == [1.0, 0.875, 0.75]


def test_without_any_call_the_rate_moves_too() -> None:
    optimizer = sgd(1.0)
    scheduler = Scheduler(optimizer, Linear(4))
    assert batches(optimizer, lambda: None, 3) == [1.0, 0.75, 0.5]
    assert scheduler.last_epoch == 3


def test_the_last_rate_is_the_used_one_until_step_is_called() -> None:
    optimizer = sgd(1.0)
    scheduler = Scheduler(optimizer, Linear(4))
    assert scheduler.get_last_lr() == [1.0]
    optimizer.step()
    assert scheduler.get_last_lr() == [1.0]
    scheduler.step()
    assert scheduler.get_last_lr() == [0.75]


def test_epochs_are_noticed_at_the_second_call_once_and_the_numbers_are_shown() -> None:
    optimizer = sgd(1.0)
    scheduler = Scheduler(optimizer, Step(10, 0.1))
    with pytest.raises(InvalidValue) as caught:
        epochs(optimizer, scheduler.step, 2)
    for part in ("4 updates between two calls", "Step(10, 0.1).per_epoch(4)", "counts='calls'"):
        assert part in str(caught.value)
    epochs(optimizer, scheduler.step, 1)


@pytest.mark.parametrize(
    ("plan", "counts"), [(Step(10, 0.1), "updates"), (Step(10, 0.1).per_epoch(4), None)]
)
def test_what_is_said_or_counts_epochs_itself_is_not_asked_about(plan: Any, counts: Any) -> None:
    optimizer = sgd(1.0)
    scheduler = Scheduler(optimizer, plan, counts)
    used = epochs(optimizer, scheduler.step, 4)
    assert used == [plan(position) for position in range(16)]


def test_it_refuses_a_sequential_and_says_what_to_write() -> None:
    optimizer = sgd(1.0)
    parts = [Scheduler(optimizer, Linear(4))]
    with pytest.raises(InvalidValue, match=r"first >> second"):
        SequentialLR(optimizer, parts, milestones=[])


def test_a_metric_in_place_of_an_epoch_is_told_where_metrics_go() -> None:
    optimizer = sgd(1.0)
    with pytest.raises(InvalidValue, match=r"observe\(val_loss=\.\.\.\)"):
        Scheduler(optimizer, Linear(4)).step(0.31)


# ------------------------------------------------------------------ counting calls


def test_counting_calls_several_between_two_updates_raise_once() -> None:
    optimizer = sgd(1.0)
    scheduler = Scheduler(optimizer, Linear(30), counts="calls")

    def step_twice() -> None:
        scheduler.step()
        scheduler.step()

    with pytest.raises(InvalidValue, match="2 calls between two updates"):
        batches(optimizer, step_twice, 3)
    batches(optimizer, step_twice, 3)


def test_counting_calls_a_call_before_the_first_update_is_told_once() -> None:
    optimizer = sgd(1.0)
    scheduler = Scheduler(optimizer, Linear(30), counts="calls")
    scheduler.step()
    optimizer.step()
    with pytest.warns(StepsizeWarning, match="1 time before the first"):
        scheduler.step()
    optimizer.step()
    scheduler.step()


def test_a_hundred_calls_without_an_update_are_told() -> None:
    optimizer = sgd(1.0)
    scheduler = Scheduler(optimizer, Linear(30))
    for _ in range(99):
        scheduler.step()
    with pytest.warns(StepsizeWarning, match="100 times, and this SGD has not taken a step"):
        scheduler.step()
    scheduler.step()


# ------------------------------------------------------------------ what attach takes


def test_it_takes_policies_groups_quantities_and_sinks() -> None:
    optimizer = sgd(1.0, 2.0, momentum=0.9)
    ticks: list[Tick] = []
    plateau = Policy(Constant(), [Plateau(metric="val_loss", patience=1, factor=0.5)])
    scheduler = Scheduler(
        optimizer,
        {0: plateau, 1: Linear(4)},
        sinks=[ticks.append],
        momentum=Absolute(Linear(4, 0.8, 0.4)),
    )
    optimizer.step()
    for loss in (1.0, 2.0, 3.0):
        scheduler.observe(val_loss=loss)
    assert [group["lr"] for group in optimizer.param_groups] == [0.5, 1.5]
    assert optimizer.param_groups[0]["momentum"] == pytest.approx(0.7)
    assert ticks[0].quantities == {
        "lr/0": 1.0,
        "lr/1": 2.0,
        "momentum/0": 0.8,
        "momentum/1": 0.8,
    }


def test_acts_by_hand_and_observations_are_resumed() -> None:
    def build() -> tuple[torch.optim.SGD, Scheduler]:
        optimizer = sgd(1.0)
        plan = Policy(Linear(20), [Plateau(metric="val_loss", patience=1, factor=0.5)])
        return optimizer, Scheduler(optimizer, plan)

    optimizer, scheduler = build()
    batches(optimizer, scheduler.step, 4)
    for loss in (1.0, 2.0, 3.0):
        scheduler.observe(val_loss=loss)
    scheduler.rate.extend(40)
    saved = scheduler.state_dict()
    again, resumed = build()
    resumed.load_state_dict(saved)
    assert batches(again, resumed.step, 6) == batches(optimizer, scheduler.step, 6)


def test_a_wrapper_that_is_an_optimizer_by_class_alone_is_unwrapped() -> None:
    class Prepared(torch.optim.Optimizer):
        def __init__(self, optimizer: torch.optim.Optimizer) -> None:
            self.optimizer = optimizer

        @property
        def param_groups(self) -> Any:
            return self.optimizer.param_groups

        def step(self, closure: Any = None) -> None:
            self.optimizer.step()

    prepared: Any = Prepared(sgd(1.0))
    scheduler = Scheduler(prepared, Linear(4))
    assert scheduler.optimizer is prepared
    assert batches(prepared, scheduler.step, 3) == [1.0, 0.75, 0.5]


@pytest.mark.parametrize(
    ("wrong", "remedy"),
    [
        (lambda position: 0.5, r"Function\(it\)"),
        (StepLR(sgd(), 10), r"from_scheduler\(it\)\.attach\(\)"),
        (ReduceLROnPlateau(sgd()), r"from_scheduler\(it\)"),
    ],
    ids=["function", "scheduler", "plateau"],
)
def test_a_wrong_kind_of_plan_is_told_what_to_write(wrong: Any, remedy: str) -> None:
    with pytest.raises(InvalidType, match=remedy):
        Scheduler(sgd(), wrong)
    with pytest.raises(InvalidType, match=remedy):
        attach(sgd(), wrong)


# ------------------------------------------------------------------ loops that articles print


def loops() -> Iterator[Any]:
    """A loop, torch's scheduler in it, and the plan that a reader would write instead."""
    yield pytest.param(
        epochs, lambda o: StepLR(o, step_size=10, gamma=0.1), Step(10, 0.1), "calls", id="step"
    )
    yield pytest.param(
        epochs, lambda o: StepLR(o, step_size=10, gamma=0.5), Step(10, 0.5), "calls", id="halving"
    )
    yield pytest.param(
        epochs, lambda o: ExponentialLR(o, gamma=0.9), Exponential(0.9), "calls", id="exponential"
    )
    yield pytest.param(
        batches,
        lambda o: LambdaLR(o, warmup_then_cosine),
        Warmup(6, start=0) >> Cosine(24),
        None,
        id="warmup and cosine",
    )
    yield pytest.param(
        batches,
        lambda o: CyclicLR(o, base_lr=0.001, max_lr=0.1, step_size_up=10, step_size_down=10),
        Absolute(cyclic(10, low=0.001, high=0.1)),
        None,
        id="cyclic",
    )


def warmup_then_cosine(step: int) -> float:
    if step < 6:
        return step / 6
    return max(0.0, 0.5 * (1.0 + math.cos(math.pi * (step - 6) / 24)))


@pytest.mark.parametrize(("loop", "theirs", "ours", "counts"), [*loops()])
def test_a_loop_that_an_article_prints_uses_the_same_rates(
    loop: Any, theirs: Any, ours: Any, counts: Any
) -> None:
    optimizer, again = sgd(0.1), sgd(0.1)
    expected = loop(optimizer, theirs(optimizer).step, 25)
    used = loop(again, Scheduler(again, ours, counts).step, 25)
    assert used == pytest.approx(expected, rel=1e-9)


def test_the_loop_with_a_call_per_epoch_is_told_before_it_trains_at_nothing() -> None:
    for plan in (Step(10, 0.1), Step(10, 0.5), Exponential(0.9)):
        optimizer = sgd(0.1)
        with pytest.raises(InvalidValue, match=r"\.per_epoch\(4\)"):
            epochs(optimizer, Scheduler(optimizer, plan).step, 25)


def test_a_plateau_that_is_stepped_by_hand_is_a_policy_that_observes() -> None:
    optimizer, again = sgd(0.1), sgd(0.1)
    theirs = ReduceLROnPlateau(optimizer, factor=0.1, patience=5)
    ours = Scheduler(
        again, Policy(Constant(), [Plateau(metric="val_loss", factor=0.1, patience=5)])
    )
    losses = iter([1.0, 0.5, *[0.6] * 40])

    def observe() -> None:
        loss = next(losses)
        theirs.step(loss)
        ours.observe(val_loss=loss)

    for _ in range(16):
        optimizer.step()
        again.step()
        observe()
        assert rate_of(again) == pytest.approx(rate_of(optimizer))


def test_two_groups_keep_their_ratio_as_in_a_loop_without_a_scheduler() -> None:
    optimizer = sgd(1e-2, 1e-5)
    scheduler = Scheduler(optimizer, Exponential(0.9))
    optimizer.step()
    scheduler.step()
    first, second = (group["lr"] for group in optimizer.param_groups)
    assert (first, second) == pytest.approx((0.9e-2, 0.9e-5))


def test_rates_from_a_list_per_epoch_are_a_schedule() -> None:
    lasting = [(1, 1e-1), (2, 1e-2), (3, 1e-3)]
    expected = [rate for count, rate in lasting for _ in range(count * BATCHES)]
    plan = Constant(1e-1).until(1) >> Constant(1e-2).until(2) >> Constant(1e-3)
    optimizer = sgd(1.0)
    scheduler = Scheduler(optimizer, Absolute(plan.per_epoch(BATCHES)))
    assert epochs(optimizer, scheduler.step, 6) == expected


def test_an_imported_scheduler_goes_on_as_a_scheduler() -> None:
    optimizer, again = sgd(0.1), sgd(0.1)
    straight, theirs = StepLR(optimizer, 5, 0.5), StepLR(again, 5, 0.5)
    batches(optimizer, straight.step, 7)
    batches(again, theirs.step, 7)
    ours = from_scheduler(theirs).scheduler()
    assert batches(again, ours.step, 9) == batches(optimizer, straight.step, 9)
