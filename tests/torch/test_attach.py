"""``attach``: what is driven, by what, from when on, and what is left alone."""

import copy
import gc
import pickle
import weakref
from collections.abc import Sequence
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from stepsize import (
    Absolute,
    AttachmentError,
    Constant,
    CopyRefused,
    Cosine,
    ForeignWrite,
    Hold,
    InvalidType,
    InvalidValue,
    Linear,
    Policy,
    Scale,
    Schedule,
    StepsizeWarning,
    Stop,
    Tick,
    TrainingStopped,
    Warmup,
)
from stepsize.testing.schedules import any_schedule
from stepsize.torch import Attachment, Scheduler, attach, attached_quantities


def sgd(*bases: float, **options: Any) -> torch.optim.SGD:
    groups = [{"params": [torch.zeros(1)], "lr": base} for base in bases or (0.1,)]
    return torch.optim.SGD(groups, **options)


def named(**bases: float) -> torch.optim.SGD:
    return torch.optim.SGD(
        [{"params": [torch.zeros(1)], "lr": base, "name": name} for name, base in bases.items()]
    )


def values(optimizer: torch.optim.Optimizer, key: str = "lr") -> list[Any]:
    return [group[key] for group in optimizer.param_groups]


def steps(optimizer: torch.optim.Optimizer, count: int) -> None:
    for _ in range(count):
        optimizer.step()


# ------------------------------------------------------------------ positions and values


@pytest.mark.filterwarnings("ignore:lr of SGD. .* ended:stepsize.StepsizeWarning")
@given(any_schedule(), st.lists(st.sampled_from([0.1, 1.0, 3e-4]), min_size=1, max_size=20))
def test_each_step_uses_base_times_schedule_at_its_position(
    schedule: Schedule, bases: list[float]
) -> None:
    optimizer = sgd(*bases)
    attach(optimizer, schedule)
    for position in range(6):
        assert values(optimizer) == [base * schedule(position) for base in bases]
        optimizer.step()


def test_the_scale_multiplies_last() -> None:
    # Chosen so that another order of the same three factors gives other bits.
    base, factor, scale = 0.1, 0.7, 0.3
    assert base * (factor * scale) != (base * factor) * scale
    optimizer = sgd(base)
    rate = attach(optimizer, Constant(factor))
    rate.scale(scale)
    steps(optimizer, 2)
    assert values(optimizer) == [(base * factor) * scale]


def test_absolute_values_are_the_rates_whatever_the_bases() -> None:
    optimizer = sgd(0.1, 5.0)
    attach(optimizer, Absolute(Linear(4, 0.8, 0.4)))
    assert values(optimizer) == [0.8, 0.8]
    steps(optimizer, 4)
    assert values(optimizer) == [0.4, 0.4]


def test_current_is_what_the_last_step_used_and_next_what_the_next_will_use() -> None:
    optimizer = sgd(1.0, 10.0)
    rate = attach(optimizer, Linear(4))
    assert (rate.current, rate.next) == (None, [1.0, 10.0])
    optimizer.step()
    assert (rate.current, rate.next) == ([1.0, 10.0], [0.75, 7.5])
    optimizer.step()
    assert (rate.current, rate.next, rate.position) == ([0.75, 7.5], [0.5, 5.0], 2)


def test_print_shows_a_line_per_group() -> None:
    optimizer = named(trunk=0.1, head=1.0)
    rate = attach(optimizer, Linear(4))
    optimizer.step()
    assert str(rate).splitlines() == [
        "SGD at position 1",
        "  group 0 ('trunk'): lr 0.1 used, 0.075 next, base 0.1, Linear(4)",
        "  group 1 ('head'): lr 1 used, 0.75 next, base 1, Linear(4)",
    ]


def test_an_update_that_raised_does_not_count() -> None:
    optimizer = sgd()
    rate = attach(optimizer, Linear(4))

    def broken() -> float:
        raise RuntimeError("out of memory")

    with pytest.raises(RuntimeError, match="out of memory"):
        optimizer.step(broken)
    assert (rate.position, rate.current) == (0, None)


def test_the_handle_may_be_dropped() -> None:
    optimizer = sgd(1.0)
    attach(optimizer, Linear(4))
    gc.collect()
    steps(optimizer, 2)
    assert values(optimizer) == [0.5]


def test_a_clock_in_tokens_gives_the_position() -> None:
    consumed = 0
    optimizer = sgd(1.0)
    rate = attach(optimizer, Linear(1000), clock=lambda: consumed)
    for tokens in (100, 100, 400):
        consumed += tokens
        optimizer.step()
    assert (rate.position, rate.current, rate.next) == (600, [0.8], [0.4])


def test_a_clock_that_goes_back_is_refused() -> None:
    readings = iter([0, 100, 50])
    optimizer = sgd()
    attach(optimizer, Linear(1000), clock=lambda: next(readings))
    optimizer.step()
    with pytest.raises(InvalidValue, match="a clock never goes back, but it shows 50 after 100"):
        optimizer.step()


# ------------------------------------------------------------------ which groups, which quantities


def test_groups_follow_the_schedules_of_a_dictionary_by_index_name_or_predicate() -> None:
    optimizer = named(trunk=1.0, head=1.0, bias=1.0, other=1.0)
    rate = attach(
        optimizer,
        {0: Linear(10), "head": Linear(5), lambda group: group["name"] == "bias": Hold(9, 0.5)},
    )
    optimizer.step()
    assert rate.next == [0.9, 0.8, 0.5, 1.0]
    assert rate.current == [1.0, 1.0, 0.5, 1.0]


def test_nothing_is_touched_that_was_not_named() -> None:
    optimizer = torch.optim.AdamW([torch.zeros(1)], lr=0.1)
    before = {key: value for key, value in optimizer.param_groups[0].items() if key != "lr"}
    attach(optimizer, Linear(4))
    steps(optimizer, 2)
    after = {key: value for key, value in optimizer.param_groups[0].items() if key != "lr"}
    assert after == before


def test_any_quantity_can_be_driven_also_an_entry_of_a_tuple_and_one_of_the_users_own() -> None:
    optimizer = torch.optim.AdamW(
        [{"params": [torch.zeros(1)], "temperature": 2.0}], lr=0.1, weight_decay=0.2
    )
    rate = attach(
        optimizer,
        weight_decay=Linear(10),
        temperature=Linear(4),
        also={("betas", 0): Absolute(Linear(10, 0.8, 0.9)), "eps": Constant(10)},
    )
    optimizer.step()
    group = optimizer.param_groups[0]
    assert group["lr"] == 0.1
    assert group["weight_decay"] == 0.2 * 0.9
    assert group["temperature"] == 1.5
    assert group["betas"] == (pytest.approx(0.81), 0.999)
    assert group["eps"] == 1e-8 * 10
    assert rate.next == [0.2 * 0.9]  # without lr, the first named
    assert rate.of(("betas", 0)).current == [0.8]
    assert "betas[0]" in str(rate)


def test_of_refuses_what_is_not_driven() -> None:
    optimizer = sgd()
    with pytest.raises(InvalidValue, match=r"driven are: 'lr'"):
        attach(optimizer, Linear(3)).of("momentum")


NO_NUMBER = r'group\["{}"\]: only a number can be driven'


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({}, InvalidValue, "at least one quantity must be named"),
        ({"lr": 0.1}, InvalidType, r"For a constant write Constant\(\)"),
        ({"lr": "Linear(3)"}, InvalidType, r"parse\(text\)"),
        ({"lr": {}}, InvalidValue, "dictionary names groups, but it is empty"),
        (
            {"lr": {7: Linear(3)}},
            InvalidValue,
            r"must be a group 7, but there are: 0, 1 \('head'\)",
        ),
        ({"lr": {-1: Linear(3)}}, InvalidValue, "must be a group -1"),
        ({"lr": {"tail": Linear(3)}}, InvalidValue, "must be a group 'tail'"),
        ({"lr": {2.5: Linear(3)}}, InvalidType, "by its index, its name or a predicate"),
        ({"lr": {True: Linear(3)}}, InvalidType, "but got True"),
        ({"lr": {1: Linear(3), "head": Linear(4)}}, AttachmentError, "meant by several keys"),
        (
            {"momentun": Linear(3)},
            AttachmentError,
            "must have this quantity, but it has.*'mom",
        ),
        ({"params": Linear(3)}, AttachmentError, "must have this quantity"),
        ({"nesterov": Linear(3)}, AttachmentError, NO_NUMBER.format("nesterov")),
        ({"foreach": Linear(3)}, AttachmentError, NO_NUMBER.format("foreach")),
        ({"pair": Linear(3)}, AttachmentError, r"also=\{\('pair', 0\): schedule\}"),
        ({"also": {("pair", 2): Linear(3)}}, AttachmentError, "must have this entry"),
        ({"also": {("lr", 0): Linear(3)}}, AttachmentError, "must have this entry"),
        ({"whole": Linear(3)}, AttachmentError, "a tensor of torch.int64"),
        ({"vector": Linear(3)}, AttachmentError, r"shape \(2,\)"),
        ({"weight_decay": Linear(3)}, AttachmentError, r"weight_decay=Absolute\(schedule\)"),
        ({"lr": Linear(3), "also": {"lr": Linear(3)}}, InvalidValue, "named once"),
    ],
    ids=repr,
)
def test_what_cannot_be_driven_is_refused_and_nothing_has_changed(
    arguments: dict[str, Any], error: type[Exception], message: str
) -> None:
    own = {"pair": (0.1, 0.2), "whole": torch.tensor(1), "vector": torch.zeros(2)}
    optimizer = torch.optim.SGD(
        [{"params": [torch.zeros(1)], **own}, {"params": [torch.zeros(1)], "name": "head", **own}],
        lr=0.1,
    )
    before = copy.deepcopy(optimizer.param_groups)
    with pytest.raises(error, match=message):
        attach(optimizer, **arguments)
    assert str(optimizer.param_groups) == str(before)
    assert not hooks(optimizer)
    assert attached_quantities(optimizer) == set()


@pytest.mark.parametrize(
    ("optimizer", "error"),
    [(torch.zeros(1), InvalidType), (None, InvalidType), ([], InvalidValue)],
    ids=["a tensor", "nothing", "an empty list"],
)
def test_what_is_no_optimizer_is_refused(optimizer: Any, error: type[Exception]) -> None:
    with pytest.raises(error, match=r"attach\("):
        attach(optimizer, Linear(3))


def test_an_optimizer_without_groups_is_refused() -> None:
    optimizer = sgd()
    optimizer.param_groups.clear()
    with pytest.raises(InvalidType, match="at least one group"):
        attach(optimizer, Linear(3))


# ------------------------------------------------------------------ one driver per quantity


def test_a_second_attachment_of_a_quantity_is_refused_and_the_first_goes_on() -> None:
    optimizer = sgd(1.0, 1.0)
    attach(optimizer, Linear(4))
    with pytest.raises(AttachmentError, match=r"lr of groups 0, 1 .* is driven already, by an att"):
        attach(optimizer, Cosine(9))
    optimizer.step()
    assert values(optimizer) == [0.75, 0.75]


def test_other_quantities_and_other_groups_may_have_attachments_of_their_own() -> None:
    optimizer = sgd(1.0, 1.0, weight_decay=1.0)
    attach(optimizer, {0: Linear(4)})
    attach(optimizer, {1: Linear(2)})
    attach(optimizer, weight_decay=Linear(10))
    optimizer.step()
    assert values(optimizer) == [0.75, 0.5]
    assert values(optimizer, "weight_decay") == [0.9, 0.9]
    assert attached_quantities(optimizer) == {"lr", "weight_decay"}


def test_two_attachments_of_one_optimizer_resume_independently() -> None:
    first = sgd(1.0, weight_decay=1.0)
    one, two = attach(first, Linear(4)), attach(first, weight_decay=Linear(10))
    steps(first, 2)

    again = sgd(1.0, weight_decay=1.0)
    again.load_state_dict(first.state_dict())
    attach(again, Linear(4)).load_state_dict(one.state_dict())
    attach(again, weight_decay=Linear(10)).load_state_dict(two.state_dict())
    assert (values(again), values(again, "weight_decay")) == ([0.5], [0.8])


def test_a_later_group_cannot_get_into_two_attachments() -> None:
    optimizer = named(trunk=1.0)
    attach(optimizer, Linear(4))
    attach(optimizer, momentum=Absolute(Constant(0.9)))
    optimizer.add_param_group({"params": [torch.zeros(1)], "name": "head"})
    with pytest.raises(AttachmentError, match=r"lr of group 1 .* driven already"):
        attach(optimizer, {"head": Linear(3)})


# ------------------------------------------------------------------ groups that come later


def test_a_later_group_follows_its_own_base_on_the_common_clock_from_its_first_step_on() -> None:
    optimizer = sgd(1.0)
    rate = attach(optimizer, Linear(10))
    steps(optimizer, 5)
    optimizer.add_param_group({"params": [torch.zeros(1)], "lr": 8.0})
    optimizer.step()
    assert rate.current == [0.5, 4.0]
    assert values(optimizer) == [0.4, 8.0 * 0.4]


def test_a_later_group_may_have_a_clock_of_its_own() -> None:
    optimizer = sgd(1.0)
    rate = attach(optimizer, Warmup(4) >> Linear(8))
    steps(optimizer, 8)
    optimizer.add_param_group({"params": [torch.zeros(1)], "lr": 8.0, "name": "head"})
    rate.start_clock("head")
    assert rate.next == [0.5, 0.0]
    steps(optimizer, 2)
    assert rate.next == [0.25, 4.0]


def test_an_extension_means_the_end_of_the_run_on_every_clock() -> None:
    optimizer = sgd(1.0)
    rate = attach(optimizer, Linear(10))
    steps(optimizer, 4)
    optimizer.add_param_group({"params": [torch.zeros(1)], "lr": 1.0})
    rate.start_clock(1)
    rate.extend(24)
    steps(optimizer, 10)
    assert rate.next == pytest.approx([0.3, 0.5])
    steps(optimizer, 10)
    assert rate.next == [0.0, 0.0]


def test_later_groups_follow_the_names_and_predicates_that_mean_them() -> None:
    optimizer = named(trunk=1.0, head=1.0)
    rate = attach(optimizer, {"head": Linear(4), lambda group: group["lr"] > 5: Linear(8)})
    for name, base in (("neck", 1.0), ("head", 2.0), ("wide", 8.0)):
        optimizer.add_param_group({"params": [torch.zeros(1)], "lr": base, "name": name})
    optimizer.step()
    assert rate.next == [1.0, 0.75, 1.0, 1.5, 7.0]


def test_taking_groups_away_is_refused_because_which_is_which_is_unknown() -> None:
    optimizer = sgd(1.0, 2.0)
    attach(optimizer, Linear(4))
    del optimizer.param_groups[0]
    with pytest.raises(AttachmentError, match="there were 2 and now there are 1"):
        optimizer.step()


# ------------------------------------------------------------------ several, and other optimizers


def test_a_list_of_optimizers_has_one_handle_and_each_counts_its_own_steps() -> None:
    first, second = sgd(1.0, 2.0), sgd(4.0)
    rate = attach([first, second], Linear(4))
    assert rate.current is None
    steps(first, 2)
    assert rate.current == [0.75, 1.5, 4.0]
    second.step()
    assert rate.next == [0.5, 1.0, 3.0]
    assert rate.positions == [2, 1]
    with pytest.raises(AttachmentError, match=r"Use rate\.positions"):
        _ = rate.position
    assert len(str(rate).splitlines()) == 5


def test_groups_of_several_optimizers_are_numbered_through() -> None:
    first, second = sgd(1.0, 1.0), sgd(1.0)
    rate = attach([first, second], {0: Linear(4), 2: Linear(2)})
    first.step()
    second.step()
    assert rate.next == [0.75, 1.0, 0.5]
    rate.set_base({2: 8.0})
    assert rate.next == [0.75, 1.0, 4.0]


def test_a_list_that_cannot_be_attached_whole_is_not_attached_at_all() -> None:
    first, second = sgd(1.0), sgd(1.0)
    attach(second, Linear(4))
    with pytest.raises(AttachmentError, match="driven already"):
        attach([first, second], Linear(4))
    assert attached_quantities(first) == set()
    with pytest.raises(InvalidValue, match="each once"):
        attach([first, first], Linear(4))


class Duck:
    """Has parameter groups, and is no torch optimizer."""

    def __init__(self) -> None:
        self.param_groups: list[dict[str, Any]] = [{"params": [], "lr": 1.0}]


def test_an_object_without_hooks_is_driven_by_step_and_told_so() -> None:
    duck = Duck()
    with pytest.warns(StepsizeWarning, match=r"Duck has no step hooks. Call rate\.step\(\)"):
        rate = attach(duck, Linear(4))
    rate.step()
    assert (rate.current, duck.param_groups[0]["lr"]) == ([1.0], 0.75)
    assert "driven by rate.step()" in str(rate)


class Shell(torch.optim.Optimizer):
    """As accelerate's: a torch optimizer by class, whose parts were never made."""

    def __init__(self, optimizer: torch.optim.Optimizer) -> None:
        self.optimizer = optimizer

    @property
    def param_groups(self) -> list[dict[str, Any]]:
        return self.optimizer.param_groups


def test_a_wrapper_whose_hooks_do_not_work_is_refused_with_the_remedy() -> None:
    inner = sgd(1.0)
    with pytest.raises(InvalidType, match=r"attach to that one, often \.optimizer"):
        attach(Shell(inner), Linear(4))
    assert attach(inner, Linear(4)).next == [1.0]


def test_counting_a_step_twice_is_refused() -> None:
    optimizer = sgd()
    rate = attach(optimizer, Linear(4))
    with pytest.raises(AttachmentError, match="steps are counted once"):
        rate.step()


# ------------------------------------------------------------------ by hand


def test_what_is_done_by_hand_holds_from_the_next_step_on() -> None:
    optimizer = sgd(1.0, 2.0)
    rate = attach(optimizer, Linear(10))
    steps(optimizer, 5)
    rate.scale(0.5)
    assert (rate.current, rate.next) == ([0.6, 1.2], [0.25, 0.5])
    rate.set_base({1: 8.0})
    assert rate.next == [0.25, 2.0]
    rate.set_base(4.0)
    assert rate.next == [1.0, 1.0]
    optimizer.step()
    assert rate.next == [0.8, 0.8]
    rate.set_base({0: 1.0, 1: 2.0})
    assert rate.next == [0.2, 0.4]


def test_acts_are_about_the_rate_unless_another_quantity_is_meant() -> None:
    optimizer = sgd(1.0, weight_decay=1.0)
    rate = attach(optimizer, Linear(10), weight_decay=Linear(10))
    rate.scale(0.5)
    rate.of("weight_decay").set_base(3.0)
    assert (values(optimizer), values(optimizer, "weight_decay")) == ([0.5], [3.0])


def test_an_act_that_one_schedule_refuses_changes_none() -> None:
    optimizer = sgd(1.0, 1.0)
    rate = attach(optimizer, {0: Linear(10), 1: Constant()})
    before = rate.state_dict()
    with pytest.raises(InvalidValue, match="endless"):
        rate.extend(20)
    with pytest.raises(InvalidValue, match="must be"):
        rate.scale(-1)
    with pytest.raises(InvalidValue, match="must be a group 5"):
        rate.set_base({0: 1.0, 5: 1.0})
    with pytest.raises(InvalidType, match="a base"):
        rate.set_base("high")  # type: ignore[arg-type]
    assert rate.state_dict() == before


def test_a_base_is_refused_for_groups_that_have_none() -> None:
    optimizer = sgd(1.0, 1.0, 1.0)
    rate = attach(optimizer, {0: Linear(10), 1: Absolute(Linear(10))})
    with pytest.raises(InvalidValue, match="group 1 follows an Absolute schedule"):
        rate.set_base({0: 1.0, 1: 1.0})
    with pytest.raises(InvalidValue, match="group 2 is not driven"):
        rate.set_base({2: 1.0})
    assert rate.next == [1.0, 1.0, 1.0]


def test_numbers_by_hand_may_come_from_tensors_and_arrays() -> None:
    optimizer = sgd(1.0)
    rate = attach(optimizer, Linear(10))
    rate.scale(torch.tensor(0.5))  # type: ignore[arg-type]
    rate.set_base(torch.tensor(2.0).double().numpy())  # type: ignore[arg-type]
    assert rate.next == [1.0]


# ------------------------------------------------------------------ controllers and sinks


class AtMost:
    """Halves the rate when the metric is above a limit, and stops at twice the limit."""

    def __init__(self, limit: float) -> None:
        self.limit = limit

    def init(self) -> int:
        return 0

    def observe(self, state: int, observation: Any) -> tuple[int, Sequence[Any]]:
        seen = observation.metrics.get("val_loss")
        if seen is None or seen <= self.limit:
            return state, []
        decision = Stop("hopeless") if seen > 2 * self.limit else Scale(0.5, "too high")
        return state + 1, [decision]


class HalveAlways:
    """Halves the rate at every observation."""

    def init(self) -> int:
        return 0

    def observe(self, state: int, observation: Any) -> tuple[int, Sequence[Any]]:
        return state, [Scale(0.5, "always")]


def test_what_the_controllers_decide_holds_from_the_next_step_on() -> None:
    optimizer = sgd(1.0)
    rate = attach(optimizer, Policy(Linear(10), [AtMost(1.0)]))
    steps(optimizer, 5)
    rate.observe(val_loss=0.5)
    assert rate.next == [0.5]
    rate.observe(val_loss=torch.tensor(1.5))
    assert rate.next == [0.25]
    with pytest.raises(TrainingStopped, match="at position 5: hopeless"):
        rate.observe(val_loss=9.0)


def test_a_missing_metric_is_no_observation() -> None:
    ticks: list[Tick] = []
    optimizer = sgd(1.0)
    rate = attach(optimizer, Policy(Linear(10), [AtMost(1.0)]), sinks=[ticks.append])
    rate.observe()
    rate.observe(val_loss=None)
    assert ticks == []
    rate.observe(accuracy=0.5)
    assert rate.next == [1.0]


def test_a_metric_that_is_no_number_is_refused() -> None:
    optimizer = sgd()
    rate = attach(optimizer, Linear(10))
    with pytest.raises(InvalidType, match=r"rate\.observe\(val_loss=tensor.*Average it first"):
        rate.observe(val_loss=torch.zeros(2))


def test_sinks_get_a_tick_after_each_executed_step_and_each_observation() -> None:
    ticks: list[Tick] = []
    optimizer = sgd(1.0, weight_decay=0.5)
    policy = Policy(Linear(4), [AtMost(1.0)])
    rate = attach(optimizer, policy, weight_decay=Constant(), sinks=[ticks.append])
    steps(optimizer, 2)
    rate.observe(val_loss=1.5)
    assert ticks == [
        Tick(0, {"lr": 1.0, "weight_decay": 0.5}),
        Tick(1, {"lr": 0.75, "weight_decay": 0.5}),
        Tick(1, metrics={"val_loss": 1.5}, decisions=(Scale(0.5, "too high"),)),
    ]


def test_ticks_name_the_groups_where_there_are_several() -> None:
    ticks: list[Tick] = []
    optimizer = sgd(1.0, 2.0, 3.0)
    for group, name in zip(optimizer.param_groups, ["head", "twin", "twin"], strict=True):
        group["name"] = name
    attach(optimizer, Linear(4), sinks=[ticks.append])
    optimizer.step()
    assert ticks == [Tick(0, {"lr/head": 1.0, "lr/1": 2.0, "lr/2": 3.0})]


def test_ticks_of_several_optimizers_tell_them_apart() -> None:
    ticks: list[Tick] = []
    first, second = sgd(1.0), sgd(2.0)
    attach([first, second], Linear(4), sinks=[ticks.append])
    second.step()
    first.step()
    assert ticks == [Tick(0, {"lr/1.0": 2.0}), Tick(0, {"lr/0.0": 1.0})]


# ------------------------------------------------------------------ foreign writes


def test_a_foreign_write_is_noticed_in_words_once_and_written_over() -> None:
    optimizer = named(trunk=1.0, head=1.0)
    rate = attach(optimizer, Linear(10))
    steps(optimizer, 2)
    optimizer.param_groups[1]["lr"] = 0.3
    message = (
        r"lr of group 1 \('head'\) of SGD was set to 0\.3 from outside .* before position 3\. "
        r".*rate\.scale.*rate\.set_base.*rate\.detach"
    )
    with pytest.warns(ForeignWrite, match=message):
        optimizer.step()
    assert rate.current == [0.8, 0.3]  # what the step really used
    assert rate.next == [0.7, 0.7]
    optimizer.param_groups[1]["lr"] = 0.3
    optimizer.step()  # said once: a second warning would be an error here
    assert rate.next == [0.6, 0.6]


def test_a_foreign_writer_is_noticed_within_one_pass_over_many_groups() -> None:
    optimizer = sgd(*[1.0] * 100)
    attach(optimizer, Linear(1000))

    def train_with_a_writer_on_one_group() -> None:
        for _ in range(100):
            optimizer.param_groups[77]["lr"] = 0.3
            optimizer.step()

    with pytest.warns(ForeignWrite, match="group 77"):
        train_with_a_writer_on_one_group()


def test_a_single_write_to_all_of_many_groups_is_noticed_at_the_next_step() -> None:
    optimizer = sgd(*[1.0] * 100)
    attach(optimizer, Linear(1000))
    steps(optimizer, 3)
    for group in optimizer.param_groups:
        group["lr"] = 0.3
    with pytest.warns(ForeignWrite):
        optimizer.step()


@pytest.mark.parametrize(
    "act",
    [lambda rate: rate.scale(0.5), lambda rate: rate.set_base(0.5), lambda rate: rate.observe(x=9)],
    ids=["scale", "set_base", "a controller"],
)
def test_a_foreign_write_is_noticed_before_an_act_writes_over_it(act: Any) -> None:
    optimizer = sgd(1.0)
    rate = attach(optimizer, Policy(Linear(10), [HalveAlways()]))
    optimizer.param_groups[0]["lr"] = 0.3
    with pytest.warns(ForeignWrite):
        act(rate)
    assert rate.next == [0.5]


def test_a_torch_scheduler_on_the_same_optimizer_is_named_as_the_likely_writer() -> None:
    optimizer = sgd(1.0)
    attach(optimizer, Linear(10))
    scheduler = torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.5)
    optimizer.step()
    scheduler.step()
    with pytest.warns(ForeignWrite, match="probably a torch scheduler"):
        optimizer.step()


def test_a_foreign_write_that_is_made_an_error_leaves_position_and_rate_right() -> None:
    optimizer = sgd(1.0)
    rate = attach(optimizer, Linear(10))
    optimizer.param_groups[0]["lr"] = 0.3
    with pytest.raises(ForeignWrite):  # warnings are errors in these tests
        optimizer.step()
    assert (rate.position, rate.next) == (1, [0.9])


def test_loading_the_optimizer_is_not_foreign() -> None:
    optimizer = sgd(1.0)
    rate = attach(optimizer, Linear(10))
    steps(optimizer, 2)
    old = sgd(0.3)
    optimizer.load_state_dict(old.state_dict())
    assert rate.next == [0.8]
    optimizer.step()
    assert rate.current == [0.8]


# ------------------------------------------------------------------ the end of an attachment


def hooks(optimizer: Any) -> list[Any]:
    return [
        hook
        for name, registered in vars(optimizer).items()
        if name.endswith("_hooks")
        for hook in registered.values()
    ]


@pytest.mark.parametrize("lr", [0.1, torch.tensor(0.1)], ids=["number", "tensor"])
def test_detach_leaves_no_trace(lr: Any) -> None:
    optimizer = torch.optim.SGD([torch.zeros(1)], lr=lr, weight_decay=0.5)
    before, attributes = copy.deepcopy(optimizer.state_dict()), set(vars(optimizer))
    rate = attach(optimizer, Warmup(3), weight_decay=Linear(4))
    steps(optimizer, 2)
    optimizer.load_state_dict(optimizer.state_dict())
    rate.detach()
    assert optimizer.state_dict() == before
    assert (set(vars(optimizer)), hooks(optimizer)) == (attributes, [])
    assert attached_quantities(optimizer) == set()
    optimizer.step()
    assert optimizer.state_dict() == before
    rate.detach()  # a second time changes nothing


def test_a_new_attachment_takes_the_base_or_the_rate_that_detach_left() -> None:
    optimizer = sgd(1.0)
    rate = attach(optimizer, Linear(10))
    steps(optimizer, 5)
    rate.detach()
    rate = attach(optimizer, Linear(10))
    assert rate.next == [1.0]
    steps(optimizer, 5)
    rate.detach(leave="rate")
    assert attach(optimizer, Linear(10)).next == [0.5]
    with pytest.raises(InvalidValue, match="leave must be"):
        rate.detach(leave="nothing")  # type: ignore[arg-type]


def test_detaching_absolute_values_leaves_what_the_group_had() -> None:
    optimizer = sgd(1.0)
    attach(optimizer, Absolute(Linear(10, 0.3, 0.1))).detach()
    assert values(optimizer) == [1.0]


def test_a_detached_handle_says_so() -> None:
    optimizer = sgd()
    rate = attach(optimizer, Linear(10))
    rate.detach()
    with pytest.raises(AttachmentError, match="was detached"):
        rate.scale(0.5)


def test_the_optimizer_is_freed_without_the_garbage_collector_and_the_handle_says_so() -> None:
    sgd().state_dict()  # torch's first optimizer in a process leaves a cycle of its own
    gc.collect()
    gc.disable()
    try:
        optimizer = sgd(1.0, 2.0)
        rate = attach(
            optimizer, Linear(10), sinks=[lambda tick: None], momentum=Absolute(Constant())
        )
        steps(optimizer, 2)
        rate.scale(0.5)
        rate.load_state_dict(rate.state_dict())
        optimizer.load_state_dict(optimizer.state_dict())
        alive = weakref.ref(optimizer)
        del optimizer
        assert alive() is None
    finally:
        gc.enable()
    with pytest.raises(AttachmentError, match="does not exist any more"):
        _ = rate.next


@pytest.mark.parametrize(
    "copied",
    [copy.deepcopy, lambda optimizer: pickle.loads(pickle.dumps(optimizer))],
    ids=["deepcopy", "pickle"],
)
def test_a_copied_optimizer_carries_no_attachment_and_keeps_the_last_rate(copied: Any) -> None:
    optimizer = sgd(1.0)
    rate = attach(optimizer, Linear(4))
    optimizer.step()
    twin = copied(optimizer)
    steps(twin, 2)
    assert (values(twin), rate.position) == ([0.75], 1)
    assert (hooks(twin), attached_quantities(twin)) == ([], set())
    assert set(twin.param_groups[0]) == set(sgd().param_groups[0])
    attach(twin, Linear(4))


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, pickle.dumps])
def test_copying_the_handle_is_refused_with_the_remedy(copied: Any) -> None:
    optimizer = sgd()
    rate = attach(optimizer, Linear(4))
    with pytest.raises(CopyRefused, match=r"Save rate\.state_dict\(\)"):
        copied(rate)


def test_the_handle_tells_what_it_is() -> None:
    optimizer = sgd(momentum=0.9)
    rate: Attachment = attach(optimizer, Linear(4), momentum=Constant())
    assert repr(rate) == "<Attachment of lr, momentum to SGD>"


# ------------------------------------------------------------------ beside a Scheduler


def test_scheduler_and_attach_refuse_each_other_on_one_quantity() -> None:
    optimizer = sgd(1.0, weight_decay=1.0)
    scheduler = Scheduler(optimizer, Linear(4))
    with pytest.raises(AttachmentError, match=r"driven already, by a Scheduler"):
        attach(optimizer, Linear(4))
    attach(optimizer, weight_decay=Linear(4))
    assert attached_quantities(optimizer) == {"lr", "weight_decay"}
    del scheduler
    rate = attach(optimizer, Linear(4))
    with pytest.raises(AttachmentError, match="by an attachment at position 0"):
        Scheduler(optimizer, Linear(4))
    rate.detach()
    Scheduler(optimizer, Linear(4))
