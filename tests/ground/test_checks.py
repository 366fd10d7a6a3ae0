"""One form of check for every argument: numbers of all libraries, refused alike."""

import math
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from stepsize.checks import (
    RATE,
    STEPS,
    Range,
    checked_choice,
    checked_instance,
    checked_name,
    checked_number,
    checked_numbers,
    checked_whole_number,
)
from stepsize.errors import InvalidType, InvalidValue

WHOLE: list[Any] = [7, 7.0, np.int64(7), np.uint8(7), np.float32(7), np.array(7), torch.tensor(7)]
NOT_NUMBERS: list[Any] = [True, np.bool_(True), "7", None, [7], np.array([7]), 7j]


@pytest.mark.parametrize("value", WHOLE)
def test_whole_numbers_of_every_library_are_plain_ints(value: Any) -> None:
    checked = checked_whole_number("f()", "steps", value, STEPS)
    assert (checked, type(checked)) == (7, int)


@pytest.mark.parametrize("value", NOT_NUMBERS)
def test_what_is_not_a_number_is_an_invalid_type(value: Any) -> None:
    for check in (checked_number, checked_whole_number):
        with pytest.raises(InvalidType, match=r"f\(\): steps must be"):
            check("f()", "steps", value, STEPS)


@pytest.mark.parametrize("value", [0, -1, 2.5, math.nan, math.inf, 10**400, Fraction(1, 2)])
def test_what_does_not_count_steps_is_an_invalid_value(value: Any) -> None:
    with pytest.raises(InvalidValue, match="steps must be a whole number and at least 1"):
        checked_whole_number("f()", "steps", value, STEPS)


@given(st.floats(), st.floats(allow_nan=False), st.floats(allow_nan=False))
def test_a_number_is_taken_if_and_only_if_it_is_in_the_range(
    value: float, low: float, high: float
) -> None:
    allowed = Range(minimum=low, below=high)
    inside = math.isfinite(value) and low <= value < high
    assert (value in allowed) == inside
    if inside:
        assert checked_number("f()", "x", value, allowed) == value
    else:
        with pytest.raises(InvalidValue):
            checked_number("f()", "x", value, allowed)


def test_lists_arrays_and_tensors_of_rates_are_lists() -> None:
    for rates in ([0.5, 0.25], (0.5, 0.25), np.array([0.5, 0.25]), torch.tensor([0.5, 0.25])):
        assert checked_numbers("f()", "rates", rates, RATE) == [0.5, 0.25]
    for wrong in ("0.5", 0.5, None):
        with pytest.raises(InvalidType, match="rates must be a list of numbers"):
            checked_numbers("f()", "rates", wrong, RATE)


def test_names_choices_and_kinds_are_refused_with_what_would_do() -> None:
    with pytest.raises(InvalidValue, match="mode must be 'min' or 'max', but is 'low'"):
        checked_choice("f()", "mode", "low", ["min", "max"])
    with pytest.raises(InvalidValue, match="Did you mean 'cosine'"):
        checked_choice("f()", "shape", "cosin", ["linear", "cosine", "1-sqrt", "step"])
    with pytest.raises(InvalidType, match=r'metric must be the name of a metric.*"val_loss"'):
        checked_name("f()", "metric", "", "the name of a metric", '"val_loss"')
    with pytest.raises(InvalidType, match="schedule must be a text, but is 3"):
        checked_instance("f()", "schedule", 3, str, "a text", "Write one.")
