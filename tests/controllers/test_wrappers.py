"""The wrappers: around any controller, around each other, and on any schedule."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stepsize import (
    Constant,
    Cosine,
    InvalidType,
    InvalidValue,
    Observation,
    Policy,
    Rewind,
    Scale,
    Schedule,
    Warmup,
)
from stepsize.controllers import (
    After,
    Greedy,
    Guard,
    NewBob,
    Plateau,
    Primed,
    When,
    Within,
    replay,
)

PLATEAU = Plateau(metric="loss", factor=0.5, patience=0)
losses = st.lists(st.floats(0, 4), max_size=40)


@given(losses, st.integers(0, 50))
def test_after_is_the_controller_on_what_comes_from_there_on(
    curve: list[float], steps: int
) -> None:
    waited = replay(After(steps, PLATEAU), {"loss": curve}).scale
    assert waited[:steps] == [1.0] * len(waited[:steps])
    assert waited[steps:] == replay(PLATEAU, {"loss": curve[steps:]}).scale


def test_after_needs_the_position_and_says_so() -> None:
    waiting = After(5, PLATEAU)
    with pytest.raises(InvalidValue, match="must say its position"):
        waiting.observe(waiting.init(), Observation({"loss": 1.0}))


@given(losses)
def test_when_is_the_controller_on_what_the_predicate_holds_for(curve: list[float]) -> None:
    low = When(lambda seen: seen.metrics["loss"] < 2, PLATEAU)
    kept = [value for value in curve if value < 2]
    final = [*replay(PLATEAU, {"loss": kept}).scale, 1.0][len(kept) - 1 if kept else 0]
    assert [*replay(low, {"loss": curve}).scale, 1.0][len(curve) - 1 if curve else 0] == final


@given(st.lists(st.sampled_from([{"loss": 1.0}, {"val_loss": 1.0}, {"val_loss": 3.0}, {}])))
def test_when_takes_a_metric_that_is_not_there_for_no_observation(seen: list[Any]) -> None:
    fitted = When(lambda seen: seen.metrics["val_loss"] < 2, PLATEAU)
    low = When(lambda seen: seen.metrics.get("val_loss", 9) < 2, PLATEAU)
    one, other = fitted.init(), low.init()
    for metrics in seen:
        one, decided = fitted.observe(one, Observation(metrics))
        other, expected = low.observe(other, Observation(metrics))
        assert (one, decided) == (other, expected)


@pytest.mark.parametrize("error", [KeyError("val_loss"), ZeroDivisionError()], ids=repr)
def test_when_does_not_hide_the_other_errors_of_its_predicate(error: Exception) -> None:
    def failing(_: Observation) -> bool:
        raise error

    broken = When(failing, PLATEAU)
    with pytest.raises(type(error)):
        broken.observe(broken.init(), Observation({"val_loss": 1.0}))


@given(losses, losses)
def test_experienced_is_the_controller_after_its_losses(
    before: list[float], curve: list[float]
) -> None:
    whole = replay(PLATEAU, {"loss": [*before, *curve]}).scale
    start = [1.0, *whole][len(before)]
    later = replay(Primed(PLATEAU, before), {"loss": curve}).scale
    assert [start * scale for scale in later] == whole[len(before) :]


@given(losses, st.floats(0.05, 1), st.floats(1, 8))
def test_within_clips_the_product_and_nothing_else(
    curve: list[float], low: float, high: float
) -> None:
    greedy = Greedy(metric="loss", high=16, low=0.01, factor=0.5, patience=0)
    free = replay(greedy, {"loss": curve}).scale
    bounded = replay(Within(low, high, greedy), {"loss": curve}).scale
    assert bounded == pytest.approx([min(max(scale, low), high) for scale in free])


def test_within_lets_a_rewind_pass() -> None:
    bounded = Within(1, 1, Guard())
    _, decisions = bounded.observe(bounded.init(), Observation({"loss": float("nan")}))
    assert [type(each) for each in decisions] == [Rewind]


def test_wrappers_nest_in_any_order() -> None:
    curve = {"loss": [5.0, 5.0, 1.0, 1.0, 1.0, 1.0, 1.0]}

    def fitted(seen: Observation) -> bool:
        return seen.metrics["loss"] < 2

    one = After(3, When(fitted, Within(0.3, 1, PLATEAU)))
    other = Within(0.3, 1, When(fitted, After(3, PLATEAU)))
    assert replay(one, curve).scale == replay(other, curve).scale
    assert replay(one, curve).scale == [1.0] * 4 + [0.5, 0.3, 0.3]


@pytest.mark.parametrize(
    "schedule",
    [
        Warmup(4) >> Constant(),
        Cosine(12),
        (Warmup(3) >> Cosine(5, end=0.1)).repeat() * 0.5 + 0.01,
    ],
    ids=repr,
)
@given(curve=st.lists(st.floats(0, 4), min_size=12, max_size=12))
def test_feedback_multiplies_whatever_the_schedule_says(
    schedule: Schedule, curve: list[float]
) -> None:
    rules = (PLATEAU, Within(0.2, 1, NewBob(metric="val_loss")))
    policy = Policy(schedule, rules)
    state = policy.init()
    alone = [replay(rule, {"loss": curve, "val_loss": curve}).scale for rule in rules]
    for at, value in enumerate(curve):
        state, _ = policy.observe(state, Observation({"loss": value, "val_loss": value}))
        expected = schedule(at) * alone[0][at] * alone[1][at]
        assert policy.factor(state, at) == pytest.approx(expected, rel=1e-9, abs=1e-12)


@given(losses)
def test_a_rule_that_wraps_nothing_it_changes_is_the_rule(curve: list[float]) -> None:
    plain = replay(PLATEAU, {"loss": curve}).scale
    wrapped = After(0, When(lambda _: True, Within(0, 1, PLATEAU)))
    assert replay(wrapped, {"loss": curve}).scale == pytest.approx(plain)


@pytest.mark.parametrize(
    ("build", "error", "message"),
    [
        (lambda: After(-1, PLATEAU), InvalidValue, "start must be .* at least 0, but is -1"),
        (lambda: After(3, Cosine(9)), InvalidType, r"After\(start=3, .*has init\(\)"),  # type: ignore[arg-type]
        (lambda: After(3, Plateau), InvalidType, r"Plateau is a class. Write Plateau\(\.\.\.\)"),  # type: ignore[arg-type]
        (lambda: Primed(PLATEAU, None), InvalidType, "losses must be a sequence"),  # type: ignore[arg-type]
        (lambda: Primed(PLATEAU, ["low"]), InvalidType, "could not convert"),  # type: ignore[list-item]
        (lambda: Primed(PLATEAU, [], ""), InvalidType, "metric must be the name of a metric"),
        (lambda: Within(2, 3, PLATEAU), InvalidValue, "low must be .* at most 1, but is 2"),
        (lambda: Within(0, 0.5, PLATEAU), InvalidValue, "high must be .* at least 1, but is 0.5"),
        (lambda: When("loss < 2", PLATEAU), InvalidType, "predicate must be a function"),  # type: ignore[arg-type]
    ],
)
def test_a_wrong_argument_is_refused(build: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        build()


def test_a_factor_is_kept_with_its_reason() -> None:
    bounded = Within(0.8, 1, PLATEAU)
    state, _ = bounded.observe(bounded.init(), Observation({"loss": 1.0}))
    _, decisions = bounded.observe(state, Observation({"loss": 1.0}))
    (decision,) = decisions
    assert isinstance(decision, Scale)
    assert decision.factor == 0.8
    assert str(decision.reason) == "loss (best: 1) has not improved for 1 observation"
