"""What every controller promises: it is a pure state machine whose memory can be saved."""

import copy
import json
import math
import pickle
from functools import partial
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stepsize import Constant, Observation, Policy, PolicyState
from stepsize.controllers import (
    After,
    EarlyStop,
    GradientNorm,
    Greedy,
    Guard,
    NewBob,
    Plateau,
    Primed,
    When,
    Within,
)

counts = st.integers(0, 3)
factors = st.floats(0.1, 0.9)
rules = {
    "metric": st.just("loss"),
    "mode": st.sampled_from(["min", "max"]),
    "smoothing": st.integers(1, 3),
    "non_finite": st.sampled_from(["worse", "stop"]),
}
improvement = {
    "patience": counts,
    "threshold": st.floats(0, 0.2),
    "threshold_mode": st.sampled_from(["relative", "absolute"]),
}
plain = st.one_of(
    st.builds(Plateau, **rules, **improvement, factor=factors, cooldown=counts),
    st.builds(
        Greedy,
        **rules,
        **improvement,
        high=st.floats(1, 3),
        factor=factors,
        cooldown=counts,
        pause=counts,
        restart=st.sampled_from([None, 1, 2]),
    ),
    st.builds(NewBob, **rules, factor=factors, threshold=factors, patience=counts),
    st.builds(EarlyStop, **rules, patience=counts),
    st.builds(GradientNorm, threshold=st.floats(0.1, 3), warmup=st.integers(1, 4)),
    st.builds(
        GradientNorm, threshold=st.none(), ceiling=st.floats(0.1, 3), warmup=st.integers(1, 4)
    ),
    st.builds(Guard, patience=st.integers(1, 4), spike_patience=st.integers(1, 3)),
)


def is_low(observation: Observation) -> bool:
    return observation.metrics.get("loss", 9.0) < 2


controllers = st.recursive(
    plain,
    lambda inner: st.one_of(
        st.builds(When, st.just(is_low), inner),
        st.builds(Within, st.floats(0.1, 1), st.floats(1, 3), inner),
        st.builds(Primed, inner, st.lists(st.floats(-4, 4), max_size=25)),
    ),
    max_leaves=3,
)
values = st.floats(-4, 4) | st.sampled_from([math.nan, math.inf])
observations = st.lists(
    st.builds(
        Observation,
        st.dictionaries(st.sampled_from(["loss", "grad_norm", "parameter_norm"]), values),
        st.booleans(),
    ),
    max_size=60,
)


def answers(controller: Any, state: Any, seen: list[Observation]) -> list[Any]:
    decided: list[Any] = []
    for observation in seen:
        state, decisions = controller.observe(state, observation)
        decided.append((state, tuple(decisions)))
    return decided


@given(controllers, observations, st.data())
def test_a_memory_survives_json_at_any_moment(
    controller: Any, seen: list[Observation], data: st.DataObject
) -> None:
    cut = data.draw(st.integers(0, len(seen)))
    before = answers(controller, controller.init(), seen[:cut])
    state = before[-1][0] if before else controller.init()
    saved = json.loads(json.dumps(state, allow_nan=False))
    assert saved == state
    assert answers(controller, saved, seen[cut:]) == answers(controller, state, seen[cut:])


@given(controllers, observations)
def test_an_answer_follows_from_its_arguments_and_changes_none_of_them(
    controller: Any, seen: list[Observation]
) -> None:
    state = controller.init()
    for observation in seen:
        kept = copy.deepcopy(state)
        after, decisions = controller.observe(state, observation)
        assert state == kept
        assert controller.observe(kept, observation) == (after, decisions)
        state = after


@given(controllers, observations)
def test_a_metric_that_is_not_there_is_no_observation(
    controller: Any, seen: list[Observation]
) -> None:
    state = controller.init()
    nothing, elsewhere = Observation(), Observation({"other": math.nan})
    for observation in seen:
        for absent in (nothing, elsewhere):
            assert controller.observe(state, absent) == (state, ())
        state, _ = controller.observe(state, observation)


@given(controllers, observations)
def test_the_factors_of_a_run_are_positive_finite_and_have_reasons(
    controller: Any, seen: list[Observation]
) -> None:
    for _, decisions in answers(controller, controller.init(), seen):
        for decision in decisions:
            assert decision.reason
            assert 0 < getattr(decision, "factor", 1) < math.inf


@given(st.lists(controllers, max_size=3), observations)
def test_a_policy_of_controllers_is_saved_and_goes_on(
    listeners: list[Any], seen: list[Observation]
) -> None:
    policy = Policy(Constant(), listeners)
    state = resumed = policy.init()
    for observation in seen:
        state, decisions = policy.observe(state, observation)
        resumed = PolicyState.from_dict(json.loads(json.dumps(resumed.to_dict(), allow_nan=False)))
        resumed, again = policy.observe(resumed, observation)
        assert (resumed, again) == (state, decisions)


@given(plain | st.builds(Primed, plain, st.lists(st.floats(-4, 4), max_size=25)))
def test_a_controller_is_a_value(controller: Any) -> None:
    assert pickle.loads(pickle.dumps(controller)) == controller
    assert hash(controller) == hash(copy.copy(controller))
    assert eval(repr(controller)) == controller  # noqa: S307  # its text is ours


def test_its_text_is_what_one_would_type() -> None:
    rule = After(500, Within(0.1, 1, Plateau(metric="loss", mode="min", factor=0.5)))
    plateau = "Plateau(metric='loss', mode='min', factor=0.5)"
    within = f"Within(low=0.1, high=1, controller={plateau})"
    assert repr(rule) == f"After(start=500, controller={within})"
    assert repr(Guard()) == "Guard()"


@pytest.mark.parametrize(
    "wrap",
    [partial(After, 3), partial(When, is_low), partial(Primed, losses=[1.0])],
    ids=["After", "When", "Primed"],
)
@pytest.mark.parametrize("controller", [Guard(), Plateau(metric="loss")])
def test_a_wrapper_says_whether_there_may_be_a_rewind(wrap: Any, controller: Any) -> None:
    expected = isinstance(controller, Guard)
    assert wrap(controller).rewinds is expected
    assert Policy(Constant(), [Within(0, 1, wrap(controller))]).may_rewind is expected
