"""The table of curves: every row's expression gives the row's formula."""

import numpy as np
import pytest

from oracle.page import PAGE, page
from oracle.rows import ROWS
from oracle.table import Row, evaluate, schedule_of
from stepsize import schedule_function


@schedule_function("half-life")
def half_life(t: float) -> float:
    return 0.5 ** (t / 100)


def test_every_row_of_the_census_is_there() -> None:
    assert [row.number for row in ROWS] == list(range(1, 84))
    assert [row.number for row in ROWS if row.exception] == [50]


@pytest.mark.parametrize("row", [r for r in ROWS if r.formula], ids=lambda r: str(r.number))
def test_the_expression_gives_the_formula_at_every_position(row: Row) -> None:
    positions = np.arange(200)
    formula = np.array([evaluate(row.formula, row.case, t) for t in positions.tolist()])
    ours = schedule_of(row.ours, row.case).values(len(positions))
    np.testing.assert_allclose(ours, formula, rtol=0, atol=1e-12 * np.max(np.abs(formula)))


def test_the_page_of_curves_is_up_to_date() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "write it anew: python -m oracle"
