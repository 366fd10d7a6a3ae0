"""``Scheduler`` is a torch LRScheduler in every respect, and right where torch's own are not."""

import copy
import gc
import json
import pickle
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.optim.lr_scheduler import ChainedScheduler, ExponentialLR, LinearLR, SequentialLR

from stepsize import (
    Absolute,
    CopyRefused,
    Cosine,
    ForeignWrite,
    Function,
    InvalidType,
    InvalidValue,
    Linear,
    Schedule,
    StateError,
    StateMismatch,
    UnregisteredFunction,
    Warmup,
)
from stepsize.testing.schedules import any_schedule
from stepsize.torch import Scheduler

past_the_end = pytest.mark.filterwarnings("ignore:lr of SGD. .* ended:stepsize.StepsizeWarning")
"""For tests whose schedules end before the steps do."""


def sgd(*bases: float, **options: Any) -> torch.optim.SGD:
    groups = [{"params": [torch.zeros(1)], "lr": base} for base in bases or (0.1,)]
    return torch.optim.SGD(groups, **options)


def values(optimizer: torch.optim.Optimizer) -> list[float]:
    return [float(group["lr"]) for group in optimizer.param_groups]


def by_calls(optimizer: torch.optim.Optimizer, plan: Any) -> Scheduler:
    return Scheduler(optimizer, plan, counts="calls")


def follow(optimizer: Any, scheduler: Any, steps: int) -> list[list[float]]:
    """The rates before each of the next steps."""
    seen: list[list[float]] = []
    for _ in range(steps):
        seen.append(values(optimizer))
        optimizer.step()
        scheduler.step()
    return seen


@past_the_end
@given(any_schedule(), st.lists(st.sampled_from([0.1, 1.0, 3e-4]), min_size=1, max_size=3))
def test_the_position_is_the_number_of_calls(schedule: Schedule, bases: list[float]) -> None:
    optimizer = sgd(*bases)
    seen = follow(optimizer, by_calls(optimizer, schedule), 6)
    assert seen == [[base * schedule(t) for base in bases] for t in range(6)]


def test_it_is_an_lrscheduler_and_does_not_touch_the_step_of_the_optimizer() -> None:
    optimizer = sgd(0.1, 0.2)
    scheduler = by_calls(optimizer, Linear(4))
    assert isinstance(scheduler, torch.optim.lr_scheduler.LRScheduler)
    assert "step" not in vars(optimizer)
    assert scheduler.optimizer is optimizer
    assert scheduler.base_lrs == [0.1, 0.2]
    # An attribute of this name makes accelerate treat a scheduler as a OneCycleLR.
    assert not hasattr(scheduler, "total_steps")


def test_get_lr_depends_on_the_position_alone() -> None:
    optimizer = sgd(1.0, 2.0)
    scheduler = by_calls(optimizer, Linear(4))
    scheduler.last_epoch = 3
    assert scheduler.get_lr() == scheduler.get_lr() == [0.25, 0.5]
    assert scheduler.get_last_lr() == [1.0, 2.0]


@past_the_end
@given(any_schedule(), st.lists(st.integers(0, 20), max_size=4))
def test_step_with_a_position_and_steps_without_give_the_same_rates(
    schedule: Schedule, jumps: list[int]
) -> None:
    optimizer = sgd(0.3)
    scheduler = by_calls(optimizer, schedule)
    for position in jumps:
        scheduler.step(position)
        assert values(optimizer) == [0.3 * schedule(position)]
        scheduler.step()
        assert values(optimizer) == [0.3 * schedule(position + 1)]


def test_a_position_may_be_fractional() -> None:
    optimizer = sgd(1.0)
    scheduler = by_calls(optimizer, Linear(4))
    scheduler.step(2.5)
    assert (scheduler.get_last_lr(), scheduler.last_epoch) == ([0.375], 2.5)


def test_absolute_values_are_the_rates() -> None:
    optimizer = sgd(1.0, 2.0)
    scheduler = by_calls(optimizer, Absolute(Linear(4, 0.8, 0.4)))
    scheduler.step(4)
    assert scheduler.get_last_lr() == [0.4, 0.4]


def test_tensor_rates_are_written_in_place_and_each_group_has_its_own() -> None:
    lr = torch.tensor(1.0)
    groups = [{"params": [torch.zeros(1)]}, {"params": [torch.zeros(1)]}]
    optimizer = torch.optim.Adam(groups, lr=lr, foreach=False)
    scheduler = by_calls(optimizer, Linear(4))
    scheduler.step()
    first, second = (group["lr"] for group in optimizer.param_groups)
    assert first is lr
    assert first is not second
    assert scheduler.get_last_lr() == [0.75, 0.75]


def test_a_group_added_later_follows_its_own_base() -> None:
    optimizer = sgd(1.0)
    scheduler = by_calls(optimizer, Linear(4))
    optimizer.add_param_group({"params": [torch.zeros(1)], "lr": 8.0})
    scheduler.step()
    assert scheduler.get_last_lr() == [0.75, 6.0]
    assert scheduler.base_lrs == [1.0, 8.0]


# ------------------------------------------------------------------ counting updates


def test_counting_updates_it_does_not_matter_how_often_step_is_called() -> None:
    optimizer = sgd(1.0)
    scheduler = Scheduler(optimizer, Linear(10), counts="updates")
    for _ in range(8):
        scheduler.step()
    assert values(optimizer) == [1.0]
    optimizer.step()
    optimizer.step()
    assert values(optimizer) == [0.8]  # at once, whenever .step() is called
    scheduler.step()
    assert (values(optimizer), scheduler.last_epoch) == ([0.8], 2)


def test_counting_updates_a_step_that_amp_skips_inside_its_kernel_is_none() -> None:
    parameter = torch.ones(2, requires_grad=True)
    optimizer = torch.optim.SGD([parameter], lr=1.0, fused=True)
    scheduler = Scheduler(optimizer, Linear(10), counts="updates")
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0)
    for loss in (1.0, float("inf"), 1.0):
        optimizer.zero_grad()
        scaler.scale((parameter * loss).sum()).backward()
        scaler.step(optimizer)
        scaler.update()
        scheduler.step()
    assert scheduler.last_epoch == 2


def test_counting_updates_goes_on_after_a_resume() -> None:
    first = sgd(1.0)
    saved = Scheduler(first, Linear(10), counts="updates")
    follow(first, saved, 3)
    optimizer = sgd(1.0)
    scheduler = Scheduler(optimizer, Linear(10), counts="updates")
    scheduler.load_state_dict(saved.state_dict())
    assert follow(optimizer, scheduler, 2) == [[0.7], [0.6]]


def test_a_dropped_scheduler_stops_counting_and_frees_the_optimizer() -> None:
    sgd().state_dict()  # torch's first optimizer in a process leaves a cycle of its own
    gc.collect()
    gc.disable()
    try:
        optimizer = sgd(1.0)
        scheduler = Scheduler(optimizer, Linear(4), counts="updates")
        follow(optimizer, scheduler, 2)
        del scheduler
        assert not optimizer._optimizer_step_post_hooks
        alive = weakref.ref(optimizer)
        del optimizer
        assert alive() is None
    finally:
        gc.enable()


# ------------------------------------------------------------------ inside torch's composers


@past_the_end
def test_in_a_sequential_each_scheduler_sees_its_own_positions() -> None:
    optimizer = sgd(1.0)
    parts = [Warmup(4), Cosine(6, end=0.1), Linear(5, 0.1, 0)]
    phases = SequentialLR(
        optimizer, [by_calls(optimizer, part) for part in parts], milestones=[4, 10]
    )
    whole = parts[0] >> parts[1] >> parts[2]
    assert follow(optimizer, phases, 17) == [[whole(t)] for t in range(17)]


def test_in_a_sequential_it_works_beside_torchs_own() -> None:
    optimizer = sgd(1.0)
    warmup = LinearLR(optimizer, 0.25, 1.0, 3)
    phases = SequentialLR(optimizer, [warmup, by_calls(optimizer, Linear(4))], milestones=[3])
    assert follow(optimizer, phases, 7) == [
        [pytest.approx(rate)] for rate in (0.25, 0.5, 0.75, 1.0, 0.75, 0.5, 0.25)
    ]


@past_the_end
@pytest.mark.parametrize("saved_at", range(12))
def test_a_sequential_resumes_in_every_phase(saved_at: int) -> None:
    def build() -> tuple[torch.optim.SGD, SequentialLR]:
        optimizer = sgd(1.0)
        parts = [by_calls(optimizer, part) for part in (Warmup(4), Linear(4), Linear(4, 0.5, 0.2))]
        return optimizer, SequentialLR(optimizer, parts, milestones=[4, 8])

    optimizer, phases = build()
    follow(optimizer, phases, saved_at)
    saved = copy.deepcopy(phases.state_dict())
    again, resumed = build()
    resumed.load_state_dict(saved)
    assert follow(again, resumed, 6) == follow(optimizer, phases, 6)


def test_it_works_alone_in_a_chained_scheduler() -> None:
    optimizer = sgd(1.0)
    chained = ChainedScheduler([by_calls(optimizer, Linear(4) * Linear(8))], optimizer)
    assert follow(optimizer, chained, 3) == [[1.0], [0.75 * 0.875], [0.5 * 0.75]]
    saved = chained.state_dict()
    again = sgd(1.0)
    resumed = ChainedScheduler([by_calls(again, Linear(4) * Linear(8))], again)
    resumed.load_state_dict(saved)
    assert values(again) == [0.25 * 0.625]


def test_a_write_between_two_calls_is_told_once_and_written_over() -> None:
    optimizer = sgd(1.0)
    chained = ChainedScheduler(
        [by_calls(optimizer, Linear(4)), ExponentialLR(optimizer, 0.5)], optimizer
    )
    optimizer.step()
    chained.step()  # writes 0.75, which the other halves
    with pytest.warns(ForeignWrite, match=r"set to 0\.375 since the last call.*a \* b"):
        chained.step()
    chained.step()


# ------------------------------------------------------------------ state


def test_the_state_is_plain_and_the_rates_are_right_as_soon_as_it_is_loaded(tmp_path: Path) -> None:
    optimizer = sgd(1.0, 2.0)
    scheduler = by_calls(optimizer, Linear(10))
    follow(optimizer, scheduler, 4)
    state = scheduler.state_dict()
    assert json.loads(json.dumps(state)) == state
    torch.save(state, tmp_path / "state.pt")

    again = sgd(1.0, 2.0)
    resumed = by_calls(again, Linear(10))
    resumed.load_state_dict(torch.load(tmp_path / "state.pt", weights_only=True))
    assert values(again) == values(optimizer) == [0.6, 1.2]


def test_a_state_of_another_configuration_is_a_warning_and_the_code_holds() -> None:
    first, again = sgd(1.0), sgd(2.0)
    saved = by_calls(first, Linear(10))
    follow(first, saved, 4)
    scheduler = Scheduler(again, Cosine(20), counts="updates")
    with pytest.warns(StateMismatch) as caught:
        scheduler.load_state_dict(saved.state_dict())
    for part in (
        r"saved with Linear(10), now Cosine(20)",
        "saved 1, now 2",
        "saved counting calls",
    ):
        assert part in str(caught[0].message)
    assert values(again) == [2.0 * Cosine(20)(4)]


def test_what_is_no_state_is_refused() -> None:
    optimizer = sgd()
    with pytest.raises(StateError, match="a state is that of a Scheduler"):
        by_calls(optimizer, Linear(4)).load_state_dict({"last_epoch": 3})


def test_a_function_without_a_name_is_refused_when_saving() -> None:
    optimizer = sgd()
    with pytest.raises(UnregisteredFunction):
        by_calls(optimizer, Function(lambda t: 1.0)).state_dict()


def pickled(pair: Any) -> Any:
    return pickle.loads(pickle.dumps(pair))


@pytest.mark.parametrize("copied", [copy.deepcopy, pickled])
def test_optimizer_and_scheduler_can_be_copied_together(copied: Callable[[Any], Any]) -> None:
    optimizer = sgd(1.0)
    scheduler = by_calls(optimizer, Linear(4))
    twin, twin_scheduler = copied((optimizer, scheduler))
    assert twin_scheduler.optimizer is twin
    assert follow(twin, twin_scheduler, 3) == [[1.0], [0.75], [0.5]]
    assert values(optimizer) == [1.0]


def test_a_scheduler_that_counts_updates_refuses_to_be_copied() -> None:
    optimizer = sgd(1.0)
    scheduler = Scheduler(optimizer, Linear(4), counts="updates")
    with pytest.raises(CopyRefused, match=r"Save state_dict\(\)"):
        copy.deepcopy(scheduler)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ((torch.zeros(1), Linear(3)), InvalidType, "must be a torch optimizer"),
        ((sgd(), 0.5), InvalidType, r"follows a schedule, Absolute\(schedule\)"),
        ((sgd(), Linear(3), "epochs"), InvalidValue, "counts must be 'calls' or 'updates'"),
    ],
    ids=["optimizer", "schedule", "counts"],
)
def test_wrong_arguments_are_refused(arguments: Any, error: Any, message: str) -> None:
    with pytest.raises(error, match=message):
        Scheduler(*arguments)
