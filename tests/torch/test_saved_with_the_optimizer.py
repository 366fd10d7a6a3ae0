"""Whoever saves and loads the optimizer resumes exactly, with nothing else to remember."""

import copy
import io
from collections.abc import Sequence
from typing import Any

import pytest
import torch
from torch.distributed.checkpoint.state_dict import get_optimizer_state_dict

from stepsize import (
    AttachmentError,
    Constant,
    Cosine,
    ForeignWrite,
    Function,
    Linear,
    Policy,
    StateError,
    StateMismatch,
    StepsizeWarning,
    Tick,
)
from stepsize.controllers import Guard, Plateau
from stepsize.torch import Scheduler, attach


def adamw(*bases: float) -> torch.optim.AdamW:
    groups = [{"params": [torch.nn.Parameter(torch.ones(2))], "lr": each} for each in bases]
    return torch.optim.AdamW(groups)


def train(optimizer: torch.optim.Optimizer, steps: int) -> list[list[float]]:
    used: list[list[float]] = []
    for _ in range(steps):
        used.append([float(group["lr"]) for group in optimizer.param_groups])
        for group in optimizer.param_groups:
            for parameter in group["params"]:
                parameter.grad = torch.ones_like(parameter)
        optimizer.step()
    return used


def through_a_file(state: Any) -> Any:
    file = io.BytesIO()
    torch.save(state, file)
    file.seek(0)
    return torch.load(file, weights_only=True)


PLAN = Policy(Linear(40), [Plateau(metric="loss", patience=1, factor=0.5)])


@pytest.mark.parametrize("order", [("attach", "load"), ("load", "attach")])
@pytest.mark.parametrize("drives", [attach, Scheduler])
def test_position_acts_and_memories_are_in_the_optimizers_own_state(
    order: Sequence[str], drives: Any
) -> None:
    optimizer, again = adamw(0.1, 0.3), adamw(0.1, 0.3)
    driven = drives(optimizer, PLAN)
    rate = getattr(driven, "rate", driven)
    train(optimizer, 6)
    for loss in (1.0, 2.0, 2.0, 2.0):
        rate.observe(loss=loss)
    rate.extend(80)
    saved = through_a_file(optimizer.state_dict())
    kept: Any = None
    for act in order:
        if act == "load":
            again.load_state_dict(saved)
        else:
            kept = drives(again, PLAN)
    assert train(again, 8) == train(optimizer, 8)
    assert "Resumed at position 6" in str(kept)


def test_the_notice_of_a_resume_is_in_the_record() -> None:
    optimizer, again = adamw(0.1), adamw(0.1)
    attach(optimizer, Linear(40))
    train(optimizer, 5)
    ticks: list[Tick] = []
    attach(again, Linear(40), sinks=[ticks.append])
    again.load_state_dict(optimizer.state_dict())
    train(again, 2)
    [decision] = ticks[0].decisions
    assert "Resumed at position 5" in str(decision.reason)
    assert ticks[1].decisions == ()


def test_a_mismatch_is_in_the_text_of_the_rate_too() -> None:
    optimizer, again = adamw(0.1), adamw(0.1)
    attach(optimizer, Linear(40))
    train(optimizer, 5)
    rate = attach(again, Cosine(40))
    with pytest.warns(StateMismatch):
        again.load_state_dict(optimizer.state_dict())
    assert "saved with Linear(40), now Cosine(40)" in str(rate)


def test_a_new_run_with_a_loaded_optimizer_says_so() -> None:
    optimizer, again = adamw(0.1), adamw(0.1)
    attach(optimizer, Linear(40))
    train(optimizer, 5)
    rate = attach(again, Linear(40), resume=False)
    again.load_state_dict(optimizer.state_dict())
    assert (rate.position, rate.next) == (0, [0.1])


@pytest.mark.parametrize("order", [("attach", "load"), ("load", "attach")])
def test_progress_at_the_end_of_the_plan_is_refused_and_both_ways_are_named(
    order: Sequence[str],
) -> None:
    optimizer, again = adamw(0.1), adamw(0.1)
    attach(optimizer, Linear(10))
    train(optimizer, 10)

    def go_on() -> None:
        for act in order:
            if act == "load":
                again.load_state_dict(optimizer.state_dict())
            else:
                attach(again, Linear(10))

    with pytest.raises(StateError, match=r"resume=False.*resume=True.*rate\.extend"):
        go_on()


def test_a_finished_run_that_is_resumed_on_purpose_can_be_extended() -> None:
    optimizer, again = adamw(0.1), adamw(0.1)
    attach(optimizer, Linear(10))
    train(optimizer, 9)
    again.load_state_dict(optimizer.state_dict())
    rate = attach(again, Linear(10), resume=True)
    rate.extend(20)
    assert rate.position == 9


def test_a_rewind_through_the_optimizers_state_does_not_take_the_position_back() -> None:
    optimizer = adamw(0.1)
    rate = attach(
        optimizer,
        Policy(Constant(), [Guard(metric="loss")]),
        snapshot=optimizer.state_dict,
        restore=optimizer.load_state_dict,
    )
    for loss in (1.0, 1.0, 1.0, 1.0, float("nan")):
        train(optimizer, 1)
        rate.observe(loss=loss)
    assert rate.position == 5


def test_a_function_without_a_name_does_not_keep_an_optimizer_from_being_saved() -> None:
    optimizer = adamw(0.1)
    rate = attach(optimizer, Function(lambda t: 1.0))
    assert optimizer.state_dict()["param_groups"][0]["lr"] == 0.1
    assert "progress is not in the optimizer's state" in str(rate)


def test_an_optimizer_that_has_stepped_without_our_state_is_told_at_the_first_step() -> None:
    optimizer = adamw(0.1)
    train(optimizer, 60)
    rate = attach(optimizer, Linear(400))
    with pytest.warns(StepsizeWarning, match=r"taken 60 steps before.*position=60"):
        train(optimizer, 1)
    train(optimizer, 1)
    assert "taken 60 steps before" in str(rate)


# ------------------------------------------------------------------ steps that are none


def test_the_dummy_step_of_a_distributed_checkpoint_does_not_count() -> None:
    model = torch.nn.Linear(2, 1)
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.1)
    rate = attach(optimizer, Linear(10))
    get_optimizer_state_dict(model, optimizer)
    assert (rate.position, rate.next) == (0, [0.1])
    assert optimizer.state  # the step was taken


def test_the_dummy_step_leaves_a_rate_that_is_a_tensor_where_it_was() -> None:
    model = torch.nn.Linear(2, 1)
    optimizer = torch.optim.AdamW(model.parameters(), lr=torch.tensor(0.5), foreach=False)
    held = optimizer.param_groups[0]["lr"]
    rate = attach(optimizer, Linear(10))
    get_optimizer_state_dict(model, optimizer)
    assert optimizer.param_groups[0]["lr"] is held
    assert (rate.position, rate.next) == (0, [0.5])
    optimizer.step()
    assert (rate.position, rate.next) == (1, [pytest.approx(0.45)])


def test_a_rate_that_is_held_at_zero_is_a_foreign_write_after_all() -> None:
    optimizer = adamw(0.1)
    rate = attach(optimizer, Linear(40))

    def hold() -> None:
        for _ in range(15):
            optimizer.param_groups[0]["lr"] = 0.0
            train(optimizer, 1)

    with pytest.warns(ForeignWrite):
        hold()
    assert rate.position > 0


# ------------------------------------------------------------------ groups


def test_groups_that_are_computed_at_each_access_are_refused() -> None:
    class Computed:
        def __init__(self) -> None:
            self.rate = 0.1

        @property
        def param_groups(self) -> list[dict[str, Any]]:
            return [{"params": [], "lr": self.rate}]

    with pytest.raises(AttachmentError, match="computed at each access"):
        attach(Computed(), Linear(4))


def test_optimizers_that_a_wrapper_hides_are_told() -> None:
    class Both:
        def __init__(self) -> None:
            self.first, self.second = adamw(0.1), adamw(0.2)

        @property
        def param_groups(self) -> list[dict[str, Any]]:
            return self.first.param_groups

    with pytest.warns(StepsizeWarning) as caught:
        attach(Both(), Linear(4))
    assert any("holds others in second" in str(each.message) for each in caught)


def test_groups_that_a_dictionary_does_not_name_are_listed_also_when_added_later() -> None:
    optimizer = adamw(0.1, 0.2)
    rate = attach(optimizer, {0: Linear(4)})
    assert "left alone: lr of group 1" in str(rate)
    parameter = torch.nn.Parameter(torch.ones(1))
    optimizer.add_param_group({"params": [parameter], "lr": 0.3, "name": "late"})
    train(optimizer, 1)
    assert "added group 2 ('late') follows no schedule" in str(rate)


# ------------------------------------------------------------------ observations


def test_controllers_that_are_told_nothing_for_a_hundred_steps_are_mentioned_once() -> None:
    optimizer = adamw(0.1)
    attach(optimizer, PLAN.__class__(Linear(400), PLAN.controllers))
    train(optimizer, 99)
    with pytest.warns(StepsizeWarning, match="100 steps were taken and nothing was observed"):
        train(optimizer, 1)
    train(optimizer, 100)


def test_a_metric_that_no_controller_looks_at_is_told_at_once() -> None:
    optimizer = adamw(0.1)
    rate = attach(optimizer, Policy(Linear(400), [Plateau(metric="val_loss")]))
    train(optimizer, 20)
    with pytest.warns(StepsizeWarning, match="no controller looks at valloss; .* val_loss"):
        rate.observe(valloss=1.0)
    rate.observe(valloss=1.0)


def test_a_training_loss_that_is_told_at_every_step_is_no_mistake() -> None:
    optimizer = adamw(0.1)
    rate = attach(optimizer, Policy(Linear(400), [Plateau(metric="val_loss")]))
    for _ in range(5):
        train(optimizer, 1)
        rate.observe(loss=1.0)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_compiled_steps_keep_their_graphs() -> None:
    graphs = 0

    def backend(module: Any, inputs: Any) -> Any:
        nonlocal graphs
        graphs += 1
        return module.forward

    torch._dynamo.reset()
    parameter = torch.nn.Parameter(torch.ones(2))
    optimizer = torch.optim.AdamW([parameter], lr=torch.tensor(0.5))
    attach(optimizer, Linear(200))
    step = torch.compile(optimizer.step, backend=backend)
    for _ in range(20):
        parameter.grad = torch.ones(2)
        step()
    assert graphs == 1
    assert float(optimizer.param_groups[0]["lr"]) == pytest.approx(0.45)


def test_a_snapshot_of_the_state_is_not_shared() -> None:
    optimizer = adamw(0.1)
    attach(optimizer, Linear(40))
    saved = copy.deepcopy(optimizer.state_dict())
    train(optimizer, 3)
    again = adamw(0.1)
    rate = attach(again, Linear(40))
    again.load_state_dict(saved)
    assert rate.position == 0
