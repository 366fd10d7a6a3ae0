"""Rules over a metric: which way is better, what an improvement is, what no number is."""

import json
import math
import warnings
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stepsize import InvalidType, InvalidValue, Observation, Scale, StepsizeWarning, Stop
from stepsize.controllers import EarlyStop, Greedy, NewBob, Plateau, replay

RULES = [
    Plateau(metric="m", mode="min", patience=1, cooldown=1, factor=0.5),
    Plateau(metric="m", mode="min", patience=0, threshold=0.1, smoothing=2, floor=0.3),
    Plateau(metric="m", mode="min", patience=1, threshold=0.1, threshold_mode="absolute"),
    Greedy(metric="m", mode="min", high=4, factor=0.5, patience=1, cooldown=1, pause=1),
    Greedy(metric="m", mode="min", high=2, low=0.5, factor=0.5, patience=0, restart=2),
    NewBob(metric="m", mode="min", threshold=0.1),
    NewBob(metric="m", mode="min", threshold=-0.1, patience=1),
    EarlyStop(metric="m", mode="min", patience=2),
]
numbers = st.floats(-4, 4, width=32)
curves = st.lists(numbers, max_size=30)
every_rule = pytest.mark.parametrize("rule", RULES, ids=repr)


def decided(rule: Any, curve: list[float]) -> list[tuple[float, type, float | None]]:
    return [
        (position, type(decision), getattr(decision, "factor", None))
        for position, decision in replay(rule, {"m": curve}).decisions
    ]


@every_rule
@given(curve=curves)
def test_a_metric_and_its_negative_are_judged_alike(rule: Any, curve: list[float]) -> None:
    negative = replace(rule, mode="max")
    assert decided(rule, curve) == decided(negative, [-value for value in curve])


@pytest.mark.parametrize(
    "rule", [r for r in RULES if getattr(r, "threshold_mode", "") != "absolute"], ids=repr
)
@given(curve=curves, power=st.integers(-6, 6))
def test_a_relative_threshold_does_not_know_the_unit(
    rule: Any, curve: list[float], power: int
) -> None:
    assert decided(rule, curve) == decided(rule, [value * 2.0**power for value in curve])


@pytest.mark.parametrize("mode", ["min", "max"])
def test_torchs_fault_is_not_ours_worse_never_counts_as_better(mode: str) -> None:
    worse = [-1.0, -0.95, -0.9, -0.85, -0.8]
    curve = worse if mode == "min" else [-value for value in worse]
    plateau = Plateau(metric="m", mode=mode, factor=0.5, patience=0)  # type: ignore[arg-type]
    assert replay(plateau, {"m": curve}).scale == [1.0, 0.5, 0.25, 0.125, 0.0625]


def test_a_flat_negative_metric_is_a_plateau_like_a_flat_positive_one() -> None:
    plateau = Plateau(metric="m", mode="min", factor=0.5, patience=0)
    assert decided(plateau, [-1.0] * 4) == decided(plateau, [1.0] * 4) != []


@pytest.mark.parametrize(
    ("name", "mode"),
    [
        ("loss", "min"),
        ("val_loss", "min"),
        ("eval/Loss", "min"),
        ("accuracy", "max"),
        ("val_accuracy", "max"),
        ("test/top5.accuracy", "max"),
        ("validation loss 2", "min"),
    ],
)
def test_the_direction_may_be_left_out_where_the_name_says_it(name: str, mode: str) -> None:
    better = {"min": 1.0, "max": 3.0}[mode]
    rule = EarlyStop(metric=name, patience=0)
    assert replay(rule, {name: [2.0, better]}).decisions == ()
    assert replay(rule, {name: [2.0, 4 - better]}).decisions != ()


@pytest.mark.parametrize(
    "name",
    [
        "bleu",
        "perplexity",
        "f1",
        "neg_log_loss",
        "negative_loss",
        "minus_loss",
        "lossless",
        "loss_ratio",
        "-loss",
        "1-accuracy",
        "1 - accuracy",
        "top5-accuracy",
        "1/(loss)",
    ],
)
@pytest.mark.parametrize("rule", [Plateau, NewBob, EarlyStop])
def test_any_other_name_needs_its_direction(rule: Any, name: str) -> None:
    with pytest.raises(InvalidValue, match=r"mode must be 'min' or 'max' unless .*Say which"):
        rule(metric=name)
    rule(metric=name, mode="max")


@every_rule
@pytest.mark.parametrize("odd", [math.nan, math.inf, -math.inf])
def test_what_is_no_number_is_no_observation_with_one_warning(rule: Any, odd: float) -> None:
    with pytest.warns(StepsizeWarning, match="was passed over") as warned:
        seen = replay(rule, {"m": [1.0, odd, 0.9, odd, odd, 2.0, 2.0, 2.0]})
    assert len(warned) == 1
    gaps = (1, 3, 4)
    expected = [scale for position, scale in enumerate(seen.scale) if position not in gaps]
    assert replay(rule, {"m": [1.0, 0.9, 2.0, 2.0, 2.0]}).scale == expected


@every_rule
def test_what_is_no_number_can_count_as_worse(rule: Any) -> None:
    worse = replace(rule, non_finite="worse")
    with warnings.catch_warnings(action="error"):
        nan = decided(worse, [1.0, math.nan, math.nan, math.nan])
    assert nan == decided(rule, [1.0, 10.0, 100.0, 1000.0])


@every_rule
def test_what_is_no_number_can_stop(rule: Any) -> None:
    seen = replay(replace(rule, non_finite="stop"), {"m": [1.0, math.nan, 0.5]})
    position, decision = seen.decisions[-1]
    assert (position, type(decision), str(decision.reason)) == (1.0, Stop, "m is nan")


@every_rule
@given(curve=curves, window=st.integers(2, 4))
def test_a_smoothed_rule_is_the_rule_on_moving_means(
    rule: Any, curve: list[float], window: int
) -> None:
    # Starting anew, Greedy forgets the window as well.
    plain = replace(rule, smoothing=1, **({"restart": None} if isinstance(rule, Greedy) else {}))
    windows = [curve[max(0, at - window + 1) : at + 1] for at in range(len(curve))]
    means = [sum(each) / len(each) for each in windows]
    assert decided(replace(plain, smoothing=window), curve) == decided(plain, means)


def test_smoothing_judges_the_mean_of_the_last_numbers() -> None:
    rough = [4.0, 2.0, 3.0, 1.0, 2.0, 0.0]
    plateau = Plateau(metric="m", mode="min", factor=0.5, patience=0)
    assert replay(plateau, {"m": rough}).scale[-1] == 0.25
    assert replay(replace(plateau, smoothing=2), {"m": rough}).scale[-1] == 1.0


def test_a_cut_waits_for_patience_and_the_next_for_the_cooldown_too() -> None:
    plateau = Plateau(metric="loss", factor=0.5, patience=2, cooldown=3)
    assert [at for at, _ in replay(plateau, {"loss": [1.0] * 15}).decisions] == [3.0, 9.0]


@given(st.lists(numbers, min_size=1, max_size=40), st.floats(0, 1), st.floats(0.05, 0.95))
def test_no_rate_falls_below_the_floor_or_rises(
    curve: list[float], floor: float, factor: float
) -> None:
    plateau = Plateau(metric="loss", factor=factor, patience=0, floor=floor)
    scales = replay(plateau, {"loss": curve}).scale
    assert min(scales) >= floor * (1 - 1e-12)
    assert list(scales) == sorted(scales, reverse=True)


def test_a_tiny_rate_is_cut_like_any_other() -> None:
    # torch and transformers stop at a change of 1e-8.
    plateau = Plateau(metric="loss", factor=0.1, patience=0)
    assert replay(plateau, {"loss": [1.0] * 21}).scale[-1] == pytest.approx(1e-20)


@given(st.lists(numbers, min_size=1, max_size=60), st.floats(0.05, 1), st.floats(1, 8))
def test_greedy_stays_between_its_bounds(curve: list[float], low: float, high: float) -> None:
    greedy = Greedy(metric="loss", high=high, low=low, factor=0.7, patience=0)
    scales = replay(greedy, {"loss": curve}).scale
    assert low * (1 - 1e-12) <= min(scales)
    assert max(scales) <= high * (1 + 1e-12)


def test_greedy_starts_anew_after_so_many_cuts_at_the_bottom() -> None:
    greedy = Greedy(metric="loss", high=2, low=0.25, factor=0.5, patience=0, restart=2)
    scales = replay(greedy, {"loss": [1.0] * 6}).scale
    assert scales == [2.0, 1.0, 0.5, 0.25, 1.0, 2.0]


def test_newbob_compares_with_the_observation_before_and_not_with_the_best() -> None:
    falling_after_a_jump = [1.0, 5.0, 4.0, 3.0, 2.0]
    assert decided(NewBob(metric="m", mode="min"), []) == []
    assert replay(NewBob(metric="loss"), {"loss": falling_after_a_jump}).scale[-1] == 0.5
    plateau = Plateau(metric="loss", factor=0.5, patience=0)
    assert replay(plateau, {"loss": falling_after_a_jump}).scale[-1] == 0.0625


def test_newbob_says_what_it_compared() -> None:
    rule = NewBob(metric="accuracy", non_finite="worse")
    cuts = replay(rule, {"accuracy": [0.5, 0.5, math.nan]}).decisions
    end = "less than 0.25 % better"
    assert [str(decision.reason) for _, decision in cuts] == [
        f"accuracy went from 0.5 to 0.5, {end}",
        f"accuracy went from 0.5 to nan, {end}",
    ]


def test_newbob_takes_the_first_step_away_from_zero_for_what_it_is() -> None:
    rule = NewBob(metric="accuracy")
    assert replay(rule, {"accuracy": [0.0, 0.4]}).scale == [1.0, 1.0]
    assert replay(rule, {"accuracy": [0.0, 0.0]}).scale == [1.0, 0.5]


def test_an_early_stop_ends_the_replay_and_says_what_the_best_was() -> None:
    seen = replay(EarlyStop(metric="accuracy", patience=2), {"accuracy": [0.5, 0.9] + [0.8] * 9})
    ((position, decision),) = seen.decisions
    assert (position, type(decision)) == (4.0, Stop)
    assert str(decision.reason) == "accuracy (best: 0.9) has not improved for 3 observations"
    assert len(seen.positions) == 5


@pytest.mark.parametrize(
    ("build", "error", "message"),
    [
        (lambda: Plateau(metric=""), InvalidType, r"Plateau\(metric=''\): metric must be"),
        (lambda: Plateau(metric="loss", mode="low"), InvalidValue, "mode must be 'min' or 'max'"),
        (lambda: Plateau(metric="loss", factor=1), InvalidValue, "above 0 and below 1, but is 1"),
        (lambda: Plateau(metric="loss", factor="x"), InvalidType, "factor must be a finite"),
        (lambda: Plateau(metric="loss", factor=math.nan), InvalidValue, "but is nan"),
        (lambda: Plateau(metric="loss", patience=-1), InvalidValue, "at least 0, but is -1"),
        (lambda: Plateau(metric="loss", patience=1.5), InvalidValue, "whole number"),
        (lambda: Plateau(metric="loss", patience=True), InvalidType, "but is True"),
        (lambda: Plateau(metric="loss", threshold=-1), InvalidValue, "0 counts every improvement"),
        (lambda: Plateau(metric="loss", threshold_mode="rel"), InvalidValue, "'relative' or"),
        (lambda: Plateau(metric="loss", floor=2), InvalidValue, "at most 1, but is 2"),
        (lambda: Plateau(metric="loss", non_finite="raise"), InvalidValue, "'ignore', 'worse' or"),
        (lambda: Plateau(metric="loss", smoothing=0), InvalidValue, "1 smooths nothing"),
        (lambda: Greedy(metric="loss", high=0.5), InvalidValue, "at least 1, but is 0.5"),
        (lambda: Greedy(metric="loss", high=2, low=0), InvalidValue, "above 0 and at most 1"),
        (lambda: Greedy(metric="loss", high=2, restart=0), InvalidValue, "It counts cuts"),
        (lambda: NewBob(metric="loss", threshold=1), InvalidValue, "below 1, but is 1"),
    ],
)
def test_a_wrong_setting_is_refused_with_the_rule_and_the_value(
    build: Any, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        build()


def test_numpys_numbers_are_settings_and_leave_the_memory_plain() -> None:
    factor, patience = np.float32(0.5), np.int64(1)
    rule = NewBob(metric="loss", factor=factor, patience=patience)  # type: ignore[arg-type]
    assert rule == NewBob(metric="loss", factor=0.5, patience=1)
    assert repr(rule) == "NewBob(metric='loss', patience=1)"
    json.dumps(rule.init())


def test_a_reason_says_what_was_seen() -> None:
    state = Plateau(metric="loss", patience=0).init()
    for value in (0.25, 0.5):
        state, decisions = Plateau(metric="loss", patience=0).observe(
            state, Observation({"loss": value})
        )
    (decision,) = decisions
    assert isinstance(decision, Scale)
    assert decision.factor == 0.1
    assert str(decision.reason) == "loss (best: 0.25) has not improved for 1 observation"
