"""The pictures of range tests: one, or several below each other."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stepsize import InvalidValue
from stepsize.find import range_test
from stepsize.plot import plot_range_tests, save
from stepsize.statistics import before_divergence
from stepsize.testing.training import Bowl


@pytest.mark.parametrize(("linear", "scale"), [(False, "log"), (True, "linear")])
def test_the_axis_of_the_rates_is_as_the_sweep_was(
    linear: bool, scale: str, tmp_path: Path
) -> None:
    found = range_test(Bowl(), low=0.5, linear=linear)
    axes = found.plot()
    assert axes.get_xscale() == scale
    low, high = axes.get_xlim()
    marks = [each.rate for each in found.suggestions.values()]
    assert low <= min(marks) < max(marks) <= high
    assert save(axes, tmp_path / "found.png").exists()


def test_the_losses_have_the_name_of_what_was_watched() -> None:
    assert range_test(Bowl(), metric="val_loss").plot().get_ylabel() == "val_loss"


def test_several_tests_have_a_panel_each_under_their_titles(tmp_path: Path) -> None:
    curve = range_test(Bowl()).curve
    figure: Any = plot_range_tests({"generator": curve, "critic": curve})
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["generator", "critic"]
    assert save(figure, tmp_path / "found.png").exists()
    with pytest.raises(InvalidValue, match="at least one curve, but none is given"):
        plot_range_tests({})


def test_a_loss_that_diverges_leaves_the_rest_to_see() -> None:
    found = range_test(Bowl(curvature=[1.0]), high=1e9, diverged=1e9)
    assert found.smoothed.max() > 100 * found.smoothed[0]
    assert found.plot().get_ylim()[1] < 2 * found.smoothed[0]


@given(st.lists(st.floats(-1e6, 1e6) | st.just(np.nan), min_size=1, max_size=30))
def test_cutting_off_keeps_all_up_to_the_lowest_loss_and_raises_nothing(
    values: list[float],
) -> None:
    losses = np.array(values)
    cut = before_divergence(losses)
    np.testing.assert_array_equal(np.isnan(cut), np.isnan(losses))
    known = np.isfinite(losses)
    assert np.all(cut[known] <= losses[known])
    if known.any():
        turn = int(np.nanargmin(losses))
        np.testing.assert_array_equal(cut[: turn + 1], losses[: turn + 1])
