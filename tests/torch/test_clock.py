"""A clock in tokens or samples: the rate follows the data, however many of them a step consumes."""

import io
from collections.abc import Sequence
from itertools import accumulate
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from stepsize import Absolute, Constant, Cosine, Horizon, InvalidValue, Linear, parse, wsd
from stepsize.torch import Attachment, attach

RAMPS = st.lists(st.integers(1, 4_096), min_size=1, max_size=40)


class Run:
    """A training that only counts: a batch of tokens (or samples) for each step."""

    def __init__(self, schedule: Any, consumed: int = 0, **more: Any) -> None:
        self.consumed = consumed
        self.used: list[float] = []
        self.optimizer = torch.optim.SGD([torch.zeros(1)], lr=0.5, momentum=0.9)
        self.rate: Attachment = attach(
            self.optimizer, schedule, clock=lambda: self.consumed, **more
        )

    def step(self, batch: int) -> None:
        """A batch is consumed, then the weights are updated."""
        self.used.append(self.optimizer.param_groups[0]["lr"])
        self.consumed += batch
        self.optimizer.step()

    def steps(self, batches: Sequence[int]) -> "Run":
        for batch in batches:
            self.step(batch)
        return self


def starts(batches: Sequence[int]) -> list[int]:
    """What was consumed before each batch."""
    return list(accumulate(batches, initial=0))[:-1]


# ------------------------------------------------------------------ batches that change


@given(RAMPS, st.data())
def test_a_cooldown_ends_at_zero_with_the_data_under_any_ramp(
    batches: list[int], data: st.DataObject
) -> None:
    total = sum(batches)
    cooldown = data.draw(st.integers(1, total))
    warmup = data.draw(st.integers(0, total - cooldown))
    schedule = wsd(total, warmup=warmup, cooldown=cooldown)
    run = Run(schedule).steps(batches)
    assert run.used == [0.5 * schedule(consumed) for consumed in starts(batches)]
    assert run.rate.next == [0.0]
    assert all(used > 0 for used in run.used)


@given(RAMPS, RAMPS)
def test_where_two_ramps_have_consumed_as_much_they_use_the_same_rate(
    first: list[int], second: list[int]
) -> None:
    schedule = Cosine(100_000, end=0.1)
    seen = [
        dict(zip(starts(ramp), Run(schedule).steps(ramp).used, strict=True))
        for ramp in (first, second)
    ]
    shared = seen[0].keys() & seen[1].keys()
    assert 0 in shared
    assert all(seen[0][consumed] == seen[1][consumed] for consumed in shared)


def test_a_batch_that_is_doubled_at_half_time_loses_nothing_of_the_schedule() -> None:
    batches = [100] * 50 + [200] * 25
    by_tokens = Run(Linear(10_000)).steps(batches)
    assert by_tokens.rate.next == [0.0]
    counted = torch.optim.SGD([torch.zeros(1)], lr=0.5)
    by_steps = attach(counted, Linear(100))
    for _ in batches:
        counted.step()
    assert by_steps.next == [pytest.approx(0.125)]  # 25 of 100 steps never came


def test_a_last_batch_that_goes_over_the_end_stays_at_the_end() -> None:
    run = Run(Linear(1_000) >> Constant(0)).steps([400, 400, 400, 400])
    assert run.used == [0.5, pytest.approx(0.3), pytest.approx(0.1), 0.0]
    assert run.rate.next == [0.0]


def test_every_quantity_and_group_reads_the_same_clock() -> None:
    run = Run(Linear(1_000), momentum=Absolute(Linear(1_000, 0.85, 0.95)))
    run.optimizer.add_param_group({"params": [torch.zeros(1)], "lr": 0.25})
    run.steps([100, 400])
    assert run.rate.next == [0.25, 0.125]
    assert run.rate.of("momentum").next == pytest.approx([0.9, 0.9])


def test_micro_batches_are_consumed_between_two_steps() -> None:
    run = Run(Linear(1_000))
    for micro_batches in ([50, 50], [100, 100, 100]):
        for tokens in micro_batches:
            run.consumed += tokens
            assert run.rate.next == run.rate.next  # asking moves nothing
        run.step(0)
    assert run.used == [0.5, pytest.approx(0.45)]
    assert run.rate.position == 400


def test_data_of_a_step_that_a_scaler_skipped_count_at_the_next_executed_one() -> None:
    run = Run(Linear(1_000))
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0)
    weight = run.optimizer.param_groups[0]["params"][0]
    used: list[float] = []
    for gradient in (1.0, float("inf"), 1.0):
        scaler.scale(torch.ones(1))  # the scaler begins with the first scaled loss
        weight.grad = torch.full((1,), gradient)
        run.consumed += 100
        used.append(run.optimizer.param_groups[0]["lr"])
        scaler.step(run.optimizer)
        scaler.update()
    assert used == [0.5, 0.45, 0.45]
    assert (run.rate.position, run.rate.next) == (300, [0.35])


def test_a_schedule_in_tokens_is_read_from_durations_by_a_horizon_of_one_token_a_step() -> None:
    total, per_epoch = 20_000, 4_000
    horizon = Horizon(steps=total, steps_per_epoch=per_epoch, tokens_per_step=1)
    schedule = parse("wsd(1dur, warmup=2e3tok, cooldown=1ep)", horizon=horizon)
    assert schedule == wsd(total, warmup=2_000, cooldown=per_epoch)
    assert Run(schedule).steps([500, 1_500] * 10).rate.next == [0.0]


@given(RAMPS, RAMPS)
def test_a_cooldown_begun_by_hand_lasts_as_many_tokens_under_any_ramp(
    before: list[int], after: list[int]
) -> None:
    run = Run(Constant()).steps(before)
    begun, length = run.consumed, sum(after)
    run.rate.start_cooldown(length)
    run.steps(after)
    at = [consumed - begun for consumed in starts([*before, *after])[len(before) :]]
    assert run.used[len(before) :] == pytest.approx([0.5 * (1 - t / length) for t in at])
    assert run.rate.next == [0.0]


# ------------------------------------------------------------------ saved and resumed


def train(ranks: list[Run], batch: int, samples: int) -> dict[int, float]:
    """Train all ranks until ``samples`` are consumed: the one rate by what was consumed before."""
    rates: dict[int, float] = {}
    while (consumed := ranks[0].consumed) < samples:
        for rank in ranks:
            rank.step(batch * len(ranks))  # every rank counts the samples of all
        (rates[consumed],) = {rank.used[-1] for rank in ranks}
    return rates


def saved_and_read(*parts: Any) -> Any:
    """As a checkpoint's file gives it back to whoever loads no code."""
    file = io.BytesIO()
    torch.save(parts, file)
    file.seek(0)
    return torch.load(file, weights_only=True)


@pytest.mark.parametrize("counter", ["before attach", "before load", "after load"])
def test_on_twice_as_many_ranks_a_resumed_run_has_the_same_rate_per_sample(counter: str) -> None:
    schedule = wsd(3_200, warmup=400, cooldown=800)
    whole = train([Run(schedule) for _ in range(2)], batch=25, samples=3_200)

    two = [Run(schedule) for _ in range(2)]
    used = train(two, batch=25, samples=1_600)
    consumed, state = saved_and_read(two[0].consumed, two[0].rate.state_dict())

    four = [Run(schedule, consumed if counter == "before attach" else 0) for _ in range(4)]
    for rank in four:
        if counter == "before load":
            rank.consumed = consumed
        rank.rate.load_state_dict(state)
        rank.consumed = consumed
        assert (rank.rate.position, rank.rate.next) == (1_600, [whole[1_600]])
    used |= train(four, batch=25, samples=3_200)

    assert sorted(used) == [*range(0, 1_600, 50), *range(1_600, 3_200, 100)]
    assert used == {samples: whole[samples] for samples in used}
    assert [rank.rate.next for rank in four] == [[0.0]] * 4


def test_a_counter_that_was_not_restored_is_noticed_at_the_first_step() -> None:
    saved = Run(Linear(1_000)).steps([100] * 5).rate.state_dict()
    resumed = Run(Linear(1_000))
    resumed.rate.load_state_dict(saved)
    with pytest.raises(InvalidValue, match=r"it shows 100 after 500.*restore the counter"):
        resumed.step(100)
