"""Numbers and lists as text."""

import math
import re

from hypothesis import given
from hypothesis import strategies as st

from stepsize.words import (
    closest,
    count_text,
    did_you_mean,
    duration_text,
    list_text,
    number_text,
    shortened,
)

finite = st.floats(-1e300, 1e300)


@given(finite)
def test_a_number_keeps_four_digits(value: float) -> None:
    read = float(number_text(value).replace(",", ""))
    assert math.isclose(read, value, rel_tol=5.1e-4, abs_tol=5e-324)


@given(st.floats(1e-300, 9.99e-4))
def test_a_small_rate_has_a_short_exponent(rate: float) -> None:
    text = number_text(rate)
    assert re.fullmatch(r"[1-9](\.\d{0,2}[1-9])?e-[1-9]\d*", text)


@given(st.text(), st.integers(20, 200))
def test_a_shortened_text_fits_and_keeps_both_ends(text: str, most: int) -> None:
    short = shortened(text, most)
    assert len(short) <= max(most, 13)
    assert short == text or (text.startswith(short.split(" ... ")[0]))


def test_a_list_reads_as_a_sentence_has_it() -> None:
    assert list_text(["a", "b", "c"], "or") == "a, b or c"
    assert list_text([]) == "none"


def test_one_is_singular_and_all_else_plural() -> None:
    assert [count_text(n, "entry", "entries") for n in (0, 1, 2)] == [
        "0 entries",
        "1 entry",
        "2 entries",
    ]


def test_a_name_that_is_nearly_right_is_recognised() -> None:
    assert closest("val_los", ["loss", "val_loss"]) == "val_loss"
    assert closest("LR", ["lr", "loss"]) == "lr"
    assert did_you_mean("bleu", ["loss", "lr"]) == "There are: 'loss', 'lr'."


@given(st.floats(0, 1e9))
def test_a_duration_has_at_most_two_units(seconds: float) -> None:
    words = duration_text(seconds).split()
    assert len(words) in (2, 4)
