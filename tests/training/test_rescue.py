"""A rewind: what it finds, what it changes, and what it leaves as it was."""

import itertools
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stepsize import (
    Constant,
    InvalidValue,
    Linear,
    Policy,
    PolicyState,
    Rewind,
    Stop,
)
from stepsize.controllers import Guard
from stepsize.driving import GoBack, Trouble, decide_rewind
from stepsize.errors import InvalidType, StateError, StepsizeWarning
from stepsize.record import Recorder, read_runs
from stepsize.signals import Decision, Observation, Tick
from stepsize.training import Ring, run
from stepsize.training.snapshots import Snapshots

GUARDED = Policy(Constant(), [Guard()])


def spoilt(batch: tuple[np.ndarray, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    x, y = batch
    return x, y * math.nan


def enlarged(batch: tuple[np.ndarray, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    x, y = batch
    return 1_000 * x, y


def rewinds(decisions: Sequence[tuple[int, Decision]]) -> list[tuple[int, Rewind]]:
    return [(at, each) for at, each in decisions if isinstance(each, Rewind)]


@dataclass(frozen=True)
class Above:
    """A controller that asks for a rewind while a metric is above a limit."""

    limit: float
    watches: str = "loss"
    factor: float = 0.5
    rewinds: bool = True

    def init(self) -> None:
        return None

    def observe(self, state: None, observation: Observation) -> tuple[None, Sequence[Decision]]:
        seen = observation.metrics.get(self.watches, 0.0)
        above = not seen <= self.limit
        return state, (Rewind(self.factor, f"{seen:.3g} is too much", limit=2),) if above else ()


# ------------------------------------------------------------------ the batches


@settings(max_examples=15)
@given(bad=st.sets(st.integers(1, 110), min_size=1, max_size=6))
def test_a_run_with_broken_batches_ends_as_if_the_data_did_not_have_them(
    stream: Any, bad: set[int]
) -> None:
    broken = stream(changed=dict.fromkeys(bad, spoilt))
    outcome = run(broken, GUARDED, 120)
    without = stream(missing=sorted(bad))
    run(without, Constant(), 120)
    assert broken.used == without.used
    assert np.array_equal(broken.weights, without.weights)
    assert outcome.steps == 120
    assert all(each.factor == 1 for _, each in rewinds(outcome.decisions))


def test_what_was_wrong_with_a_batch_is_said(stream: Any) -> None:
    outcome = run(stream(changed={70: spoilt}), GUARDED, 100)
    (at, decision), *others = rewinds(outcome.decisions)
    assert (at, others) == (70, [])
    assert "loss is nan. Back from step 70 to 50. batch 70 is to blame" in str(decision.reason)
    assert "numbers of the gradient and y are not finite" in str(decision.reason)
    assert "lr is unchanged" in str(decision.reason)


def test_a_batch_out_of_range_is_found_though_its_damage_shows_later(stream: Any) -> None:
    outcome = run(stream(changed={80: enlarged}), GUARDED, 120)
    (_, decision), *others = rewinds(outcome.decisions)
    assert others == []
    assert "batch 80 is to blame" in str(decision.reason)
    assert "x reaches" in str(decision.reason)
    assert outcome.steps == 120


def test_a_stretch_of_bad_batches_is_passed_over_at_once(stream: Any) -> None:
    stretch = range(150, 180)
    broken = stream(changed={n: lambda batch: (batch[0], -5 * batch[1]) for n in stretch})
    outcome = run(broken, GUARDED, 300)
    assert len(rewinds(outcome.decisions)) == 1
    assert set(stretch).isdisjoint(broken.used)


# ------------------------------------------------------------------ chance, and the rate


@given(at=st.integers(25, 110), size=st.sampled_from([1e4, -1e6, math.nan, math.inf]))
@settings(max_examples=15)
def test_after_a_glitch_that_does_not_return_the_run_is_as_if_nothing_had_been(
    stream: Any, at: int, size: float
) -> None:
    undisturbed, glitched = stream(), stream(glitches={at: size})
    run(undisturbed, GUARDED, 130)
    outcome = run(glitched, GUARDED, 130)
    assert np.array_equal(glitched.weights, undisturbed.weights)
    assert glitched.used == undisturbed.used
    assert [each.factor for _, each in rewinds(outcome.decisions)] == [1]


def test_a_rate_that_is_too_high_is_cut_until_the_training_holds(stream: Any) -> None:
    ticks: list[Tick] = []
    training = stream(rate=20.0)
    outcome = run(training, GUARDED, 400, [ticks.append])
    factors = [each.factor for _, each in rewinds(outcome.decisions)]
    assert factors[0] == 1  # the first answer is to repeat, in case that it was chance
    assert math.prod(factors[1:]) <= 0.1
    assert outcome.steps == 400
    assert np.allclose(training.weights, [1, -2, 0.5, 3], atol=0.3)
    recorded = [each for tick in ticks for each in tick.decisions]
    assert recorded == [each for _, each in outcome.decisions]
    assert all(each.reason for each in recorded)


def test_a_run_without_trouble_is_not_touched(stream: Any) -> None:
    guarded, alone = stream(), stream()
    seen: list[Tick] = []
    outcome = run(guarded, Policy(Linear(300), [Guard()]), 300, [seen.append])
    run(alone, Linear(300), 300)
    assert np.array_equal(guarded.weights, alone.weights)
    assert outcome.decisions == ()
    assert [tick.quantities["lr"] for tick in seen] == [0.1 * Linear(300)(t) for t in range(300)]


# ------------------------------------------------------------------ giving up


def test_trouble_that_nothing_ends_is_stopped_with_a_report(stream: Any) -> None:
    training = stream(changed=dict.fromkeys(range(60, 10_000), spoilt))
    outcome = run(training, GUARDED, 200)
    assert outcome.stopped is not None
    assert "11 rewinds in a row have not ended it" in outcome.stopped
    for part in (
        "Data:",
        "Initialisation: the loss before the first update was",
        "Rate: lr 0.1 at step 50",
    ):
        assert part in outcome.stopped
    assert np.isfinite(training.weights).all()


def test_a_model_that_is_broken_from_the_start_is_said_to_be(stream: Any) -> None:
    training = stream()
    training.weights[:] = math.nan
    outcome = run(training, GUARDED, 50)
    assert outcome.stopped is not None
    assert "the model or its first batch was broken from the start" in outcome.stopped


def test_a_controller_that_does_not_say_that_it_rewinds_only_cuts(stream: Any) -> None:
    silent = Policy(Constant(), [Above(3.0, rewinds=False)])
    with pytest.warns(StepsizeWarning, match="no snapshots are kept.*said once"):
        outcome = run(stream(), silent, 20)
    assert next(each.factor for _, each in rewinds(outcome.decisions)) == 0.5
    assert "There is no snapshot to go back to; lr is cut" in str(outcome.decisions[0][1].reason)
    assert isinstance(outcome.decisions[-1][1], Stop)


# ------------------------------------------------------------------ several policies and ranks


def test_of_several_optimizers_one_is_cut_and_all_go_back_together(stream: Any) -> None:
    ticks: list[Tick] = []
    training = stream(rate=20.0, optimizers=2)
    plans = [GUARDED, Constant(0.005)]
    outcome = run(training, plans, 100, [ticks.append])
    done = [str(each.reason) for _, each in rewinds(outcome.decisions)]
    assert done
    assert all("of optimizer 0" in each and "of optimizer 1" not in each for each in done)
    assert {tick.quantities["lr/1"] for tick in ticks} == {0.1}
    assert ticks[-1].quantities["lr/0"] < 5
    assert len(training.used) == len(set(training.used)) == outcome.steps


def test_there_is_one_plan_or_one_for_each_optimizer(stream: Any) -> None:
    with pytest.raises(InvalidValue, match=r"'lr': 3 plans.*has 2 optimizer"):
        run(stream(optimizers=2), [Constant(), Constant(), Constant()], 5)


def test_decisions_rest_on_what_all_ranks_agreed_on(stream: Any) -> None:
    def worst(observation: Observation) -> Observation:
        other = math.nan if observation.position is None and next(calls) == 30 else 0.0
        loss = observation.metrics["loss"] + other
        return Observation({**observation.metrics, "loss": loss})

    calls = iter(range(10_000))
    outcome = run(stream(), GUARDED, 60, agree=worst)
    assert [at for at, _ in rewinds(outcome.decisions)] == [30]


# ------------------------------------------------------------------ the ring


@pytest.mark.parametrize("keep", [1, 2, 4])
def test_a_ring_on_disk_is_bounded_and_leads_to_the_same_run(
    stream: Any, tmp_path: Path, keep: int
) -> None:
    most = 0

    def count(tick: Tick) -> None:
        nonlocal most
        most = max(most, len(list(tmp_path.iterdir())))

    changed = {120: spoilt, 222: enlarged}
    in_memory, on_disk = stream(changed=changed), stream(changed=changed)
    run(in_memory, GUARDED, 300, ring=Ring(every=20, keep=keep))
    run(on_disk, GUARDED, 300, [count], ring=Ring(every=20, keep=keep, folder=tmp_path))
    assert np.array_equal(in_memory.weights, on_disk.weights)
    assert most == keep


def test_a_snapshot_file_that_was_changed_is_not_gone_back_to(stream: Any, tmp_path: Path) -> None:
    def damage(tick: Tick) -> None:
        if tick.position == 60:
            for path in tmp_path.glob("*.blob"):
                path.write_bytes(path.read_bytes()[:-1] + b"?")

    with pytest.raises(StateError, match=r"checksum that is its name.*damaged or cut short"):
        run(stream(changed={70: spoilt}), GUARDED, 90, [damage], ring=Ring(folder=tmp_path))


def _damage_newest(folder: Path) -> None:
    newest = max(folder.glob("*.blob"), key=lambda path: path.stat().st_mtime_ns)
    newest.write_bytes(newest.read_bytes()[:-1])


def test_in_place_of_a_damaged_snapshot_an_older_one_is_gone_back_to(
    stream: Any, tmp_path: Path
) -> None:
    def damage(tick: Tick) -> None:
        if tick.position == 60:
            _damage_newest(tmp_path)

    training = stream(changed={70: spoilt})
    with pytest.warns(StepsizeWarning, match=r"was passed over, because.*damaged or cut short"):
        outcome = run(training, GUARDED, 90, [damage], ring=Ring(every=20, folder=tmp_path))
    ((_, decision),) = rewinds(outcome.decisions)
    assert "to 40. batch 70 is to blame" in str(decision.reason)
    assert 70 not in training.used


def test_a_damaged_snapshot_does_not_keep_a_checkpoint_from_being_written(
    stream: Any, tmp_path: Path
) -> None:
    def damage(tick: Tick) -> None:
        if tick.position == 65:
            _damage_newest(tmp_path / "ring")

    with pytest.warns(StepsizeWarning, match=r"one snapshot fewer is kept.*damaged or cut short"):
        outcome = run(
            stream(changed={70: spoilt}),
            GUARDED,
            90,
            [damage],
            ring=Ring(every=20, folder=tmp_path / "ring"),
            checkpoints=tmp_path / "checkpoints",
            every=69,
        )
    ((_, decision),) = rewinds(outcome.decisions)
    assert "to 69. batch 70 is to blame" in str(decision.reason)


@given(end=st.integers(0, 3_000), keep=st.integers(1, 6))
def test_the_ages_of_the_snapshots_grow_and_their_number_does_not(end: int, keep: int) -> None:
    kept = Snapshots[None](Ring(every=50, keep=keep))
    for position in range(end + 1):
        if kept.is_due(position):
            kept.take(position, position, None)
    ages = [end - position for position in kept.positions]
    assert len(ages) <= keep
    assert ages == sorted(ages, reverse=True)
    assert ages[-1] < 50
    if keep > 1 and end >= 50:
        assert ages[0] >= min(end, 50 * 2 ** (keep - 2)) - 50
    for limit in range(0, end, 130):
        way = decide_rewind(
            Trouble({0: Rewind(0.5, "")}), kept.positions, max(limit, kept.positions[0]), tried=None
        )
        assert isinstance(way, GoBack)
        assert way.snapshot is not None
        found = kept.positions[way.snapshot]
        assert found <= limit or found == kept.positions[0]
        assert kept.snapshot(way.snapshot) == found


@pytest.mark.parametrize("given", [{"every": 0}, {"keep": 0}, {"every": 2.5}, {"keep": True}])
def test_a_bad_ring_is_named(given: Mapping[str, Any]) -> None:
    with pytest.raises((InvalidValue, InvalidType), match=r"Ring\(.*whole number and at least 1"):
        Ring(**given)
    with pytest.raises(InvalidType, match="folder is a str"):
        Ring(folder=3)  # pyright: ignore[reportArgumentType]


# ------------------------------------------------------------------ the policy

CUT = Rewind(0.5, "too much", warmup=4)


@given(at=st.integers(0, 50), later=st.integers(0, 50))
def test_a_first_cut_is_given_back_and_a_second_one_stays(at: int, later: int) -> None:
    policy = Policy(Constant())
    start, seen = policy.init(), at + later
    once = policy.rewind(start, start, CUT, at=at, seen=seen)
    assert policy.factor(once, at) == pytest.approx(0.5 / 5)
    assert policy.factor(once, at + 4) == pytest.approx(0.5)
    assert policy.factor(once, seen + 1_000) == 1
    twice = policy.rewind(once, start, CUT, at=at, seen=seen)
    assert policy.factor(twice, seen + 1_000) == pytest.approx(0.5 * 0.25)
    values = [policy.factor(once, t) for t in range(at, at + 200, 7)]
    assert all(before <= after <= 1 for before, after in itertools.pairwise(values))


@given(seen=st.lists(st.integers(0, 500), max_size=8), answers=st.randoms(use_true_random=False))
def test_the_rewinds_survive_saving_and_never_raise_a_value(seen: list[int], answers: Any) -> None:
    policy = Policy(Linear(1_000))
    state = policy.init()
    for position in seen:
        answer = answers.choice(["repeat", "pass over", "cut"])
        state = policy.rewind(state, policy.init(), CUT, at=position, seen=position, answer=answer)
    again = PolicyState.from_dict(json.loads(json.dumps(state.to_dict())))
    assert again == state
    assert all(0 <= policy.factor(again, t) <= Linear(1_000)(t) for t in range(0, 1_000, 37))


@given(factor=st.floats(0.1, 2))
def test_what_was_done_by_hand_since_survives_a_rewind(factor: float) -> None:
    policy = Policy(Linear(100))
    earlier = policy.init()
    state = policy.scale(policy.extend(earlier, 20, 200), 30, factor)
    back = policy.rewind(state, earlier, CUT, at=10, seen=30, answer="pass over")
    assert policy.factor(back, 150) == pytest.approx(factor * policy.factor(state, 150) / factor)


def test_a_rewind_is_recorded_with_its_factor_and_reason(stream: Any, tmp_path: Path) -> None:
    training = stream(changed={30: spoilt})
    with Recorder(tmp_path / "runs.db", name="rescued") as recorder:
        outcome = run(training, GUARDED, 40, [recorder])
    (recorded,) = read_runs(tmp_path / "runs.db")[0].decisions
    ((at, decision),) = rewinds(outcome.decisions)
    assert (recorded.position, recorded.kind, recorded.factor) == (at, "rewind", 1.0)
    assert recorded.reason == str(decision.reason)
