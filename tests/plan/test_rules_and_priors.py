"""Rules for batch size and width, and laws over model and data size."""

import math
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stepsize import InvalidType, InvalidValue
from stepsize.estimates import Estimate
from stepsize.plan import adamw_timescale, batch_rule, step_law, step_law_batch, width_rule

SIZES = st.floats(1, 1e6)


@pytest.mark.parametrize(
    ("rule", "optimizer", "exponent"),
    [(batch_rule, "SGD", 1), (batch_rule, "Adam", 0.5), (width_rule, "Adam", -1)],
)
def test_a_rule_is_a_power_of_the_ratio(
    rule: Callable[..., Estimate], optimizer: str, exponent: float
) -> None:
    assert rule(0.1, optimizer, from_=64, to=1024).value == pytest.approx(0.1 * 16**exponent)


def test_the_hidden_matrices_of_sgd_keep_their_rate_at_any_width() -> None:
    assert width_rule(0.1, "SGD", from_=64, to=1024).value == 0.1


@given(st.sampled_from([batch_rule, width_rule]), st.sampled_from(["SGD", "AdamW"]), SIZES, SIZES)
def test_the_interval_holds_the_rate_for_more_and_for_less(
    rule: Callable[..., Estimate], optimizer: str, from_: float, to: float
) -> None:
    found = rule(0.1, optimizer, from_=from_, to=to)
    assert found.low * (1 - 1e-12) <= found.value <= found.high * (1 + 1e-12)


def test_rules_chain_and_their_doubts_add_up() -> None:
    wider = width_rule(1e-3, "AdamW", from_=256, to=512)
    both = batch_rule(wider, "AdamW", from_=32, to=128)
    assert both.value == pytest.approx(1e-3)
    assert (both.low, both.high) == pytest.approx((wider.low, wider.high * 4))


@pytest.mark.parametrize(
    ("found", "published"),
    [
        (step_law(parameters=1e9, tokens=100e9), 1.79 * 1e9**-0.713 * 1e11**0.307),
        (step_law_batch(tokens=100e9), 0.58 * 1e11**0.571),
        (adamw_timescale(0.1, 50_000, 20), 1 / (0.1 * 50_000 * 1.084 * 20**-0.527)),
    ],
)
def test_a_law_is_the_published_formula_with_an_interval_and_a_source(
    found: Estimate, published: float
) -> None:
    assert found.value == pytest.approx(published)
    assert found.low < found.value < found.high
    assert "arXiv" in found.source
    assert "a prior" in str(found.reason)


GOOD: dict[Callable[..., Estimate], dict[str, float]] = {
    batch_rule: {"rate": 0.1, "from_": 1, "to": 2},
    width_rule: {"rate": 0.1, "from_": 1, "to": 2},
    step_law: {"parameters": 1e9, "tokens": 1e9},
    step_law_batch: {"tokens": 1e9},
    adamw_timescale: {"weight_decay": 0.1, "steps": 100, "tokens_per_parameter": 20},
}


@pytest.mark.parametrize("bad", [0, -1, math.nan, math.inf])
@pytest.mark.parametrize(
    ("function", "argument"),
    [(function, argument) for function, good in GOOD.items() for argument in good],
)
def test_a_number_that_is_none_above_zero_is_named(
    function: Callable[..., Estimate], argument: str, bad: float
) -> None:
    optimizer = {"optimizer": "AdamW"} if "rate" in GOOD[function] else {}
    with pytest.raises(
        InvalidValue, match=rf"^\w+\(.*\): {argument} must be a finite number and above"
    ):
        function(**{**GOOD[function], **optimizer, argument: bad})


def test_a_text_is_no_number() -> None:
    with pytest.raises(InvalidType, match=r"^step_law\('1B'"):
        step_law("1B", 1e9)  # pyright: ignore[reportArgumentType]
