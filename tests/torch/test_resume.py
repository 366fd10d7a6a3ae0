"""Whatever is loaded, in whatever order: the rates go on as if the run had not been interrupted."""

import copy
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from stepsize import (
    Absolute,
    Cosine,
    Function,
    Hold,
    Linear,
    Policy,
    Scale,
    Schedule,
    StateError,
    StateMismatch,
    UnregisteredFunction,
    Warmup,
    schedule_function,
)
from stepsize.controllers import EarlyStop, Plateau
from stepsize.testing.schedules import any_schedule
from stepsize.torch import Attachment, attach

ORDERS = [
    ("attach", "load optimizer", "load rate"),
    ("attach", "load rate", "load optimizer"),
    ("load optimizer", "attach", "load rate"),
    ("attach", "load rate"),
]

past_the_end = pytest.mark.filterwarnings("ignore:lr of SGD. .* ended:stepsize.StepsizeWarning")

orders = st.sampled_from(ORDERS)
bases = st.lists(st.sampled_from([0.1, 0.3, 1.0, 3e-4, 7.0]), min_size=1, max_size=4)


def sgd(bases: Sequence[float], **options: Any) -> torch.optim.SGD:
    groups = [{"params": [torch.zeros(1)], "lr": base} for base in bases]
    return torch.optim.SGD(groups, **options)


def rates(optimizer: torch.optim.Optimizer) -> list[float]:
    return [float(group["lr"]) for group in optimizer.param_groups]


def follow(optimizer: torch.optim.Optimizer, steps: int) -> list[list[float]]:
    """The rates before each of the next steps."""
    seen: list[list[float]] = []
    for _ in range(steps):
        seen.append(rates(optimizer))
        optimizer.step()
    return seen


def resume(
    order: Sequence[str],
    optimizer: torch.optim.Optimizer,
    driven: Mapping[str, Any],
    saved: Mapping[str, Any],
) -> Attachment:
    rate: Attachment | None = None
    for act in order:
        if act == "attach":
            rate = attach(optimizer, **driven, resume=True)
        elif act == "load optimizer":
            optimizer.load_state_dict(copy.deepcopy(saved["optimizer"]))
        else:
            assert rate is not None
            rate.load_state_dict(json.loads(json.dumps(saved["rate"])))
    assert rate is not None
    return rate


@past_the_end
@given(any_schedule(), bases, orders, st.integers(0, 12), st.booleans())
def test_every_order_gives_the_rates_of_the_straight_run_bit_for_bit(
    schedule: Schedule, bases: list[float], order: Sequence[str], saved_at: int, absolute: bool
) -> None:
    driven = {"lr": Absolute(schedule) if absolute else schedule}
    straight = sgd(bases)
    rate = attach(straight, **driven)
    follow(straight, saved_at)
    saved = {"optimizer": straight.state_dict(), "rate": rate.state_dict()}

    resumed = sgd(bases)
    resume(order, resumed, driven, saved)

    assert follow(resumed, 8) == follow(straight, 8)


@past_the_end
@given(any_schedule(), bases, orders, st.data())
def test_what_was_done_by_hand_survives_every_order(
    schedule: Schedule, bases: list[float], order: Sequence[str], data: st.DataObject
) -> None:
    straight = sgd(bases)
    rate = attach(straight, schedule)
    for _ in range(data.draw(st.integers(0, 4))):
        follow(straight, data.draw(st.integers(0, 3)))
        act = data.draw(st.sampled_from(["scale", "set_base", "set_base of one", "cooldown"]))
        if act == "scale":
            rate.scale(data.draw(st.sampled_from([0.5, 2, 0.1])))
        elif act == "set_base":
            rate.set_base(0.7)
        elif act == "set_base of one":
            rate.set_base({len(bases) - 1: 0.2})
        else:
            rate.start_cooldown(5, shape="1-sqrt")
    saved = {"optimizer": straight.state_dict(), "rate": rate.state_dict()}

    resumed = sgd(bases)
    resume(order, resumed, {"lr": schedule}, saved)

    assert follow(resumed, 8) == follow(straight, 8)


@past_the_end
@given(any_schedule(), bases, bases, orders.filter(lambda order: order[0] == "attach"), st.data())
def test_a_new_base_in_the_code_wins_over_the_saved_one(
    schedule: Schedule, old: list[float], new: list[float], order: Sequence[str], data: Any
) -> None:
    new = [new[i % len(new)] for i in range(len(old))]
    first = sgd(old)
    rate = attach(first, schedule)
    follow(first, 3)
    saved = {"optimizer": first.state_dict(), "rate": rate.state_dict()}

    resumed = sgd(new)
    if new == old:
        resume(order, resumed, {"lr": schedule}, saved)
    else:
        with pytest.warns(StateMismatch, match="base of lr in group"):
            resume(order, resumed, {"lr": schedule}, saved)

    straight = sgd(new)
    attach(straight, schedule)
    follow(straight, 3)
    assert follow(resumed, 6) == follow(straight, 6)


@pytest.mark.parametrize("number", [float, torch.tensor], ids=["number", "tensor"])
def test_a_new_default_in_the_code_wins_even_if_the_optimizer_was_loaded_before_attaching(
    number: Any,
) -> None:
    def build(lr: float) -> torch.optim.SGD:
        groups = [{"params": [torch.zeros(1)]}, {"params": [torch.zeros(1)], "lr": number(5.0)}]
        return torch.optim.SGD(groups, lr=number(lr), foreach=False)

    first = build(0.25)
    rate = attach(first, Linear(8))
    follow(first, 4)
    saved = {"optimizer": first.state_dict(), "rate": rate.state_dict()}

    resumed = build(0.5)
    resumed.load_state_dict(saved["optimizer"])
    with pytest.warns(StateMismatch, match=r"had the base 0\.25 .* now built with 0\.5"):
        rate = attach(resumed, Linear(8))
    with pytest.warns(StateMismatch, match=r"saved 0\.25, now 0\.5"):
        rate.load_state_dict(saved["rate"])
    assert rates(resumed) == [0.5 * 0.5, 5.0 * 0.5]


def test_a_rate_set_in_the_group_after_loading_is_its_new_base() -> None:
    first = sgd([0.1])
    attach(first, Linear(10))
    follow(first, 3)

    resumed = sgd([0.1])
    resumed.load_state_dict(first.state_dict())
    resumed.param_groups[0]["lr"] = 0.5
    attach(resumed, Linear(10), resume=False)
    assert rates(resumed) == [0.5]


@pytest.mark.parametrize("order", ORDERS, ids=" > ".join)
def test_every_order_holds_for_tensors_tuples_and_several_quantities(order: Sequence[str]) -> None:
    driven = {
        "lr": Warmup(3) >> Cosine(9, end=0.1),
        "weight_decay": {0: Linear(9), "head": Hold(4) >> Linear(2)},
        "also": {("betas", 0): Absolute(Linear(7, 0.8, 0.9))},
    }

    def build() -> torch.optim.AdamW:
        groups = [{"params": [torch.zeros(1)]}, {"params": [torch.zeros(1)], "name": "head"}]
        return torch.optim.AdamW(groups, lr=torch.tensor(0.1), weight_decay=0.3, foreach=False)

    def values(optimizer: torch.optim.Optimizer, steps: int) -> list[Any]:
        seen: list[Any] = []
        for _ in range(steps):
            seen.append(
                [(float(g["lr"]), g["weight_decay"], g["betas"]) for g in optimizer.param_groups]
            )
            optimizer.step()
        return seen

    straight = build()
    rate = attach(straight, **driven)
    values(straight, 4)
    saved = {"optimizer": straight.state_dict(), "rate": rate.state_dict()}
    expected = values(straight, 6)

    resumed = build()
    resume(order, resumed, driven, saved)
    assert values(resumed, 6) == expected


@pytest.mark.parametrize("order", ORDERS, ids=" > ".join)
def test_a_checkpoint_goes_through_a_file_that_loads_with_weights_only(
    order: Sequence[str], tmp_path: Path
) -> None:
    straight = sgd([0.1, 0.2], momentum=0.9)
    rate = attach(straight, Linear(10))
    follow(straight, 2)
    rate.scale(0.5)
    rate.extend(30)
    torch.save({"optimizer": straight.state_dict(), "rate": rate.state_dict()}, tmp_path / "c.pt")
    expected = follow(straight, 5)

    resumed = sgd([0.1, 0.2], momentum=0.9)
    saved = torch.load(tmp_path / "c.pt", weights_only=True)
    resume(order, resumed, {"lr": Linear(10)}, saved)
    assert follow(resumed, 5) == expected


def test_the_state_holds_numbers_strings_lists_and_dictionaries_only() -> None:
    optimizer = sgd([0.1, 0.2])
    rate = attach(optimizer, Linear(10))
    follow(optimizer, 3)
    rate.scale(torch.tensor(0.5).item())
    rate.set_base({1: 0.4})
    rate.start_cooldown(3)
    state = rate.state_dict()
    assert json.loads(json.dumps(state)) == state


def test_after_loading_no_step_has_been_executed_yet() -> None:
    optimizer = sgd([0.1])
    rate = attach(optimizer, Linear(10))
    follow(optimizer, 3)
    rate.load_state_dict(rate.state_dict())
    assert rate.current is None


def test_the_state_is_a_snapshot() -> None:
    optimizer = sgd([0.1])
    rate = attach(optimizer, Linear(10))
    state, before = rate.state_dict(), json.dumps(rate.state_dict())
    follow(optimizer, 3)
    rate.scale(0.5)
    assert json.dumps(state) == before


def test_an_optimizers_checkpoint_in_memory_does_not_follow_the_training_that_goes_on() -> None:
    optimizer = torch.optim.SGD([torch.zeros(1)], lr=torch.tensor(0.1))
    attach(optimizer, Linear(10))
    saved = optimizer.state_dict()
    follow(optimizer, 3)
    assert saved["param_groups"][0]["lr"].item() == pytest.approx(0.1)


def test_several_optimizers_share_one_state_and_keep_their_own_positions() -> None:
    first, second = sgd([0.1, 0.2]), sgd([1.0])
    rate = attach([first, second], Linear(10))
    follow(first, 5)
    follow(second, 2)
    rate.scale(0.5)
    saved = rate.state_dict()

    again = sgd([0.1, 0.2]), sgd([1.0])
    resumed = attach(list(again), Linear(10))
    resumed.load_state_dict(saved)
    assert resumed.positions == [5, 2]
    assert resumed.next == rate.next == [0.1 * 0.5 * 0.5, 0.2 * 0.5 * 0.5, 1.0 * 0.8 * 0.5]


def test_controllers_remember_through_a_checkpoint() -> None:
    policy = Policy(Linear(10), [HalveAtEverySecond()])
    optimizer = sgd([0.1])
    rate = attach(optimizer, policy)
    rate.observe(loss=1.0)
    saved = rate.state_dict()

    again = sgd([0.1])
    resumed = attach(again, policy)
    resumed.load_state_dict(saved)
    resumed.observe(loss=1.0)
    assert resumed.next == [0.05]


def test_a_state_saved_with_other_controllers_says_so_and_keeps_what_they_had_scaled() -> None:
    first, again = sgd([0.1]), sgd([0.1])
    rate = attach(first, Policy(Linear(10), [HalveAtEverySecond()]))
    rate.observe(loss=1.0)
    rate.observe(loss=1.0)
    saved = rate.state_dict()

    resumed = attach(again, Policy(Linear(10), [HalveAtEverySecond(), HalveAtEverySecond()]))
    with pytest.warns(
        StateMismatch, match=r"saved with the controllers \[.*; those that differ start anew"
    ):
        resumed.load_state_dict(saved)
    assert resumed.next == [0.05]
    resumed.observe(loss=1.0)
    resumed.observe(loss=1.0)
    assert resumed.next == [0.0125]


def test_a_controller_with_other_settings_starts_anew_and_both_are_shown() -> None:
    before, now = Plateau(metric="loss", patience=1), EarlyStop(metric="loss", patience=2)
    first, again = sgd([0.1]), sgd([0.1])
    rate = attach(first, Policy(Linear(10), [before]))
    for _ in range(3):
        rate.observe(loss=1.0)

    resumed = attach(again, Policy(Linear(10), [now]))
    with pytest.warns(StateMismatch) as caught:
        resumed.load_state_dict(json.loads(json.dumps(rate.state_dict())))
    assert f"lr: saved with the controllers [{before!r}], now [{now!r}]" in str(caught[0].message)
    assert resumed.next == rate.next == [0.1 * 0.1]
    for _ in range(2):
        assert resumed.observe(loss=1.0) == ()


def test_a_state_from_before_controllers_had_texts_is_read() -> None:
    policy = Policy(Linear(10), [HalveAtEverySecond()])
    first, again = sgd([0.1]), sgd([0.1])
    rate = attach(first, policy)
    rate.observe(loss=1.0)
    saved = rate.state_dict()
    body = json.loads(saved["stepsize"])
    del body["optimizers"][0]["quantities"]["lr"]["tracks"][0]["progress"]["controllers"]
    saved = {"stepsize": json.dumps(body)}

    resumed = attach(again, policy)
    resumed.load_state_dict(saved)
    resumed.observe(loss=1.0)
    assert resumed.next == [0.05]


@pytest.mark.parametrize(
    "damage",
    [
        lambda state: {},
        lambda state: {**state, "version": 99},
        lambda state: {**state, "optimizers": []},
        lambda state: {**state, "optimizers": [{"position": "far"}]},
        lambda state: {**state, "optimizers": [{**state["optimizers"][0], "position": "far"}]},
        lambda state: [1, 2],
    ],
    ids=["empty", "version", "no optimizer", "no quantities", "position", "a list"],
)
def test_what_is_no_state_is_refused_and_changes_nothing(damage: Any) -> None:
    optimizer = sgd([0.1])
    rate = attach(optimizer, Linear(10))
    follow(optimizer, 3)
    before = rate.state_dict()
    with pytest.raises(StateError, match=r"rate\.load_state_dict"):
        rate.load_state_dict(damage(json.loads(before["stepsize"])))
    assert rate.state_dict() == before
    assert rates(optimizer) == [0.1 * 0.7]


def test_a_state_of_other_quantities_is_a_warning_that_names_them() -> None:
    first, again = (sgd([0.1], weight_decay=0.1) for _ in range(2))
    saved = attach(first, Linear(9)).state_dict()
    rate = attach(again, weight_decay=Linear(9))
    with pytest.warns(StateMismatch) as caught:
        rate.load_state_dict(saved)
    assert "lr: saved as driven, now not" in str(caught[0].message)
    assert "weight_decay: now driven, in the saved run not" in str(caught[0].message)


def test_a_state_of_fewer_schedules_is_a_warning() -> None:
    first, again = sgd([0.1, 0.2]), sgd([0.1, 0.2])
    saved = attach(first, {0: Linear(5), 1: Linear(6)}).state_dict()
    rate = attach(again, Linear(5))
    with pytest.warns(StateMismatch, match=r"a schedule Linear\(6\), which is not there now"):
        rate.load_state_dict(saved)


def test_a_function_without_a_name_is_refused_when_saving_and_drives_none_the_less() -> None:
    optimizer = sgd([0.1])
    rate = attach(optimizer, Function(lambda t: 1 / (1 + t)))
    follow(optimizer, 1)
    assert rates(optimizer) == [0.05]
    with pytest.raises(UnregisteredFunction, match="schedule_function"):
        rate.state_dict()
    optimizer.state_dict()  # the optimizer's own checkpoint needs no name


def test_a_registered_function_is_saved_and_resumed() -> None:
    @schedule_function("tests.torch.hyperbola")
    def hyperbola(t: Any) -> Any:
        return 1 / (1 + t)

    first, again = sgd([0.1]), sgd([0.1])
    rate = attach(first, Function(hyperbola))
    follow(first, 3)
    resumed = attach(again, Function(hyperbola))
    resumed.load_state_dict(rate.state_dict())
    assert resumed.next == [0.1 / 4]


class HalveAtEverySecond:
    """A controller that halves the rate at every second observation."""

    def init(self) -> int:
        return 0

    def observe(self, state: int, observation: Any) -> tuple[int, Sequence[Any]]:
        seen = state + 1
        return seen, [Scale(0.5, "the second one")] if seen % 2 == 0 else []
