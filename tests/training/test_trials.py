"""Trials: every policy meets the same beginnings, and the intervals are those of statistics."""

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from stepsize import (
    Absolute,
    Constant,
    InvalidType,
    InvalidValue,
    Linear,
    Policy,
    StepsizeError,
    TrainingError,
)
from stepsize.signals import Observation, Sink, Tick
from stepsize.testing.training import Bowl
from stepsize.training import Factors, Trials, confidence_interval, run, trials

# Rounded: the squares that NumPy sums of smaller numbers are zero.
FINITE = st.floats(-1e6, 1e6).map(lambda value: round(value, 6))
POLICIES = {"linear": Linear(40), "constant": Constant(), "absolute": Absolute(Linear(40, 0.3))}


def bowl(seed: int) -> Bowl:
    return Bowl(rate=0.3, noise=0.2, seed=seed)


class Quiet(Bowl):
    """A bowl that overflows as torch does: without a warning."""

    def step(self, factors: Factors) -> Observation:
        with np.errstate(all="ignore"):
            return super().step(factors)

    def evaluate(self) -> Mapping[str, float]:
        with np.errstate(all="ignore"):
            return super().evaluate()


def quiet(seed: int) -> Quiet:
    return Quiet(rate=0.3, noise=0.2, seed=seed)


@pytest.fixture(scope="module")
def compared() -> Trials:
    return trials(bowl, POLICIES, steps=40, seeds=4)


# ------------------------------------------------------------------ intervals


@given(st.lists(FINITE, min_size=2, max_size=40), st.floats(0.01, 0.999))
def test_an_interval_is_the_one_of_student(values: list[float], confidence: float) -> None:
    found = confidence_interval(values, confidence)
    error = float(np.std(values, ddof=1)) / math.sqrt(len(values))
    reach = stats.t.ppf((1 + confidence) / 2, len(values) - 1) * error
    size = max(map(abs, values))
    assert found.mean == pytest.approx(np.mean(values), abs=1e-9 * size)
    assert found.reach == pytest.approx(reach, rel=1e-7, abs=1e-7 * size)
    assert found.count == len(values)


@given(FINITE)
def test_one_value_says_nothing_about_the_spread(value: float) -> None:
    found = confidence_interval([value])
    assert (found.mean, found.reach) == (value, math.inf)
    assert not found.excludes_zero


def test_a_value_that_is_not_finite_makes_the_interval_unknown_and_none_clear() -> None:
    for value in (math.nan, math.inf):
        found = confidence_interval([1.0, value])
        assert math.isnan(found.mean)
        assert not found.excludes_zero


def test_of_intervals_at_80_percent_80_percent_hold_the_mean() -> None:
    random = np.random.default_rng(0)
    held = [
        found.low <= 3 <= found.high
        for found in (
            confidence_interval(random.normal(3, 2, 4).tolist(), 0.8) for _ in range(2_000)
        )
    ]
    assert np.mean(held) == pytest.approx(0.8, abs=0.03)


# ------------------------------------------------------------------ the same beginnings


def test_each_policy_runs_as_it_would_run_alone(compared: Trials) -> None:
    for name, policy in POLICIES.items():
        for one in compared.runs[name]:
            losses: list[float] = []

            def keep(tick: Tick, losses: list[float] = losses) -> None:
                if tick.quantities:
                    losses.append(tick.metrics["loss"])

            alone = run(bowl(one.seed), policy, 40, [keep])
            assert one.losses.tolist() == losses
            assert one.outcome == alone


@given(st.permutations(list(POLICIES)))
def test_the_order_of_the_policies_changes_no_run(names: list[str]) -> None:
    first = trials(bowl, {name: POLICIES[name] for name in names}, steps=5, seeds=2)
    again = trials(bowl, POLICIES, steps=5, seeds=2)
    for name in names:
        assert first.values(name).tolist() == again.values(name).tolist()


def test_differences_are_taken_seed_by_seed(compared: Trials) -> None:
    apart = compared.values("constant") - compared.values("linear")
    assert compared.difference("constant") == confidence_interval(apart.tolist())
    assert compared.difference("linear").mean == 0
    assert compared.difference("linear", against="constant").mean == pytest.approx(-apart.mean())


def test_the_seeds_may_be_given() -> None:
    compared = trials(bowl, {"constant": Constant()}, steps=3, seeds=[7, 3])
    assert [one.seed for one in compared.runs["constant"]] == [7, 3]


def test_numbers_of_numpy_are_numbers() -> None:
    plain = trials(bowl, {"constant": Constant()}, steps=3, seeds=2)
    seeds = np.arange(2)
    for counted in (np.int64(2), seeds, list(seeds)):
        found = trials(
            bowl, {"constant": Constant()}, np.int64(3), counted, confidence=np.float64(0.95)
        )
        assert found.seeds == plain.seeds
        assert str(found) == str(plain)


def test_an_old_name_of_an_argument_is_refused_with_the_new_one() -> None:
    call: Any = trials
    with pytest.raises(InvalidType, match="the argument 'watch' is now 'open_sink'"):
        call(bowl, POLICIES, steps=1, watch=None)


def test_a_run_that_diverged_is_counted_and_the_others_stay() -> None:
    policies = {"fine": Constant(), "wild": Constant(1e30)}
    compared = trials(quiet, policies, steps=20, seeds=2)
    assert [one.diverged for one in compared.runs["wild"]] == [True, True]
    assert not any(one.diverged for one in compared.runs["fine"])
    lines = str(compared).splitlines()
    assert "diverged" in lines[1]
    assert lines[3].endswith("2 of 2")
    assert math.isfinite(compared.interval("fine").mean)


def test_policies_for_several_quantities_run_too() -> None:
    mapped: Mapping[str, Any] = {"lr": Policy(Linear(4)), "weight_decay": Constant()}
    assert trials(bowl, {"both": mapped}, steps=4, seeds=1).runs["both"][0].outcome.steps == 4


def test_each_run_is_watched_by_a_sink_of_its_own() -> None:
    seen: dict[tuple[str, int], int] = {}

    @contextmanager
    def opened(name: str, seed: int) -> Iterator[Sink]:
        def count(tick: Tick) -> None:
            seen[name, seed] = seen.get((name, seed), 0) + bool(tick.quantities)

        yield count

    trials(bowl, {"a": Constant(), "b": Linear(3)}, steps=3, seeds=2, open_sink=opened)
    assert seen == {(name, seed): 3 for name in "ab" for seed in (0, 1)}


# ------------------------------------------------------------------ shown


def test_the_table_has_each_mean_with_its_interval_and_marks_what_is_clear() -> None:
    policies = {"still": Constant(0.01), "moving": Constant()}
    text = str(trials(bowl, policies, steps=40, seeds=3))
    assert text.startswith("3 seeds (0, 1, 2), 40 steps: mean ± half of the 95 % confidence inter")
    assert "difference from 'still' on the same seeds:" in text
    assert text.endswith("* the interval does not hold 0")
    (moving,) = (line for line in text.splitlines() if line.startswith("moving") and "*" in line)
    assert moving.split()[1].startswith("-")


def test_one_seed_has_no_interval_and_says_so() -> None:
    text = str(trials(bowl, {"a": Constant(), "b": Linear(9)}, steps=9, seeds=1))
    assert "no intervals: one seed shows no spread" in text
    assert "±" not in text


def test_the_picture_shows_losses_values_and_differences(compared: Trials) -> None:
    labels = [axes.get_xlabel() for axes in compared.plot("val_loss").axes]
    assert labels == [
        "optimizer step",
        "val_loss, mean and 95 % interval",
        "difference from 'linear', same seeds",
    ]
    with pytest.raises(InvalidValue, match=r"must be 'val_loss' or 'loss', but is 'bleu'"):
        compared.plot("bleu")
    with pytest.raises(InvalidValue, match="name must be 'linear', 'constant' or 'absolute'"):
        compared.values("cosine")


def test_a_picture_of_runs_that_diverged_can_be_drawn() -> None:
    policies = {"fine": Constant(), "wild": Constant(1e30)}
    assert len(trials(quiet, policies, steps=9, seeds=2).plot().axes) == 3


# ------------------------------------------------------------------ mistakes


class Breaking(Bowl):
    def step(self, factors: Factors) -> Observation:
        raise RuntimeError("out of memory")


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"training": Bowl()}, InvalidType, "must be a function of the seed"),
        ({"training": lambda: bowl(0)}, InvalidType, "must be a function of the seed"),
        ({"training": lambda seed: 3}, InvalidType, r"training\(0\) returned a int"),
        ({"training": lambda seed: 1 / 0}, TrainingError, r"training\(0\) raised ZeroDivision"),
        ({"training": lambda seed: Bowl(noise=1)}, TrainingError, "seeds 0 and 1 gave the same"),
        (
            {"training": lambda seed: Breaking()},
            TrainingError,
            "'a' at seed 0 failed after 0 steps with RuntimeError: out of memory",
        ),
        ({"policies": [Constant()]}, InvalidType, "policies must be a mapping, but is .* .list"),
        ({"policies": {}}, InvalidValue, "at least one policy, but there is none"),
        ({"steps": 0}, InvalidValue, "steps must be a whole number and at least 1"),
        ({"seeds": 0}, InvalidValue, "seeds must be a whole number and at least 1"),
        ({"seeds": [1, 1]}, InvalidValue, "different whole numbers"),
        ({"seeds": []}, InvalidValue, "seeds must be how many"),
        (
            {"confidence": 1.0},
            InvalidValue,
            "confidence must be a finite number and above 0 and below 1",
        ),
    ],
)
def test_a_mistake_is_named_with_its_remedy(
    arguments: Mapping[str, Any], error: type[StepsizeError], message: str
) -> None:
    usual: dict[str, Any] = {"training": bowl, "policies": {"a": Constant()}, "steps": 3}
    with pytest.raises(error, match=message):
        trials(**(usual | arguments))
