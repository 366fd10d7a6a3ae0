"""GradientNorm: ZClip's rule on the rate, or on the gradient itself."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stepsize import InvalidType, InvalidValue
from stepsize.controllers import GradientNorm, replay

norms = st.lists(st.floats(1e-3, 1e3), max_size=60)


def zclip(norms: list[float], threshold: float, memory: float, warmup: int) -> list[float]:
    """Algorithm 1 of arXiv 2504.02507, in its own terms: z-scores and two running averages."""
    clipped, mean, variance = list(norms[:warmup]), 0.0, 0.0
    if len(norms) >= warmup:
        mean, variance = float(np.mean(norms[:warmup])), float(np.var(norms[:warmup]))
    for norm in norms[warmup:]:
        deviation = math.sqrt(variance)
        score = (norm - mean) / deviation if deviation else math.inf * (norm > mean)
        usual = mean + threshold**2 / score * deviation if score > threshold else norm
        clipped.append(usual)
        mean = memory * mean + (1 - memory) * usual
        variance = memory * variance + (1 - memory) * (usual - mean) ** 2
    return clipped


@given(norms, st.floats(1, 4), st.floats(0.5, 0.99), st.integers(1, 10))
def test_the_clipped_norms_are_zclips(
    norms: list[float], threshold: float, memory: float, warmup: int
) -> None:
    clipping = GradientNorm(threshold=threshold, memory=memory, warmup=warmup)
    state, clipped = clipping.init(), list[float]()
    for norm in norms:
        state, factor = clipping.clip(state, norm)
        clipped.append(factor * norm)
    assert clipped == pytest.approx(zclip(norms, threshold, memory, warmup), rel=1e-6)


@given(norms)
def test_the_rate_times_the_gradient_is_what_clipping_would_have_left(norms: list[float]) -> None:
    rule = GradientNorm(warmup=3)
    scales = replay(rule, {"grad_norm": norms}).scale
    state = rule.init()
    for norm, scale in zip(norms, scales, strict=True):
        state, factor = rule.clip(state, norm)
        assert scale * norm == pytest.approx(factor * norm, rel=1e-9)
        assert 0 < scale <= 1 + 1e-9


def test_a_ceiling_holds_from_the_first_gradient_on() -> None:
    rule = GradientNorm(threshold=None, ceiling=2.0)
    assert replay(rule, {"grad_norm": [8.0, 1.0, 4.0, 2.0]}).scale == [0.25, 1.0, 0.5, 1.0]


def test_an_outlier_does_not_raise_its_own_bar() -> None:
    usual = [1.0, 1.2] * 20
    twice = replay(GradientNorm(), {"grad_norm": [*usual, 100.0, 100.0]}).scale
    assert twice[-2] < 0.02
    assert twice[-1] == pytest.approx(twice[-2], rel=0.2)


@pytest.mark.parametrize("odd", [math.nan, math.inf, 0.0, 1e-300, 1e200, 1.7e308])
def test_an_extreme_norm_leaves_a_finite_factor_that_can_be_taken_back(odd: float) -> None:
    usual = [1.0, 1.2] * 20
    scales = replay(GradientNorm(), {"grad_norm": [*usual, odd, 1.1]}).scale
    assert all(0 < scale < math.inf for scale in scales)
    assert scales[-1] == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("settings", "error"),
    [
        ({"metric": 3}, InvalidType),
        ({"threshold": 0}, InvalidValue),
        ({"ceiling": math.inf}, InvalidValue),
        ({"memory": 1}, InvalidValue),
        ({"warmup": 0}, InvalidValue),
    ],
)
def test_a_wrong_setting_is_refused(settings: dict[str, Any], error: type[Exception]) -> None:
    with pytest.raises(error, match=rf"GradientNorm\({next(iter(settings))}="):
        GradientNorm(**settings)
