"""R is 0 for the tuned run, 1 for half the budget, and a failure is never hidden in a mean."""

import doctest
import json
import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from benchmarks.auto import measure
from benchmarks.auto.measure import WORST, Reference, read_reference, summarize
from benchmarks.auto.table import BEGIN, END, between_marks, tables

A = Reference(tuned=[1.0, 1.2], half=[2.0, 2.2])
B = Reference(tuned=[0.0, 0.0], half=[4.0, 4.0])
losses = st.lists(st.floats(0.1, 10), min_size=2, max_size=5)


def result(loss: float | None, cost: float = 1.0, failed: str | None = None) -> dict[str, Any]:
    return {"loss": loss, "cost": cost, "failed": failed}


@given(losses, losses, st.floats(-1, 2))
def test_excess_is_the_place_between_tuned_and_half(
    tuned: list[float], half: list[float], place: float
) -> None:
    reference = Reference(tuned, half)
    assume(reference.gap > 1e-3)
    start = sum(tuned) / len(tuned)
    assert reference.excess(start + place * reference.gap) == pytest.approx(place, abs=1e-6)


def test_the_example_in_the_docstring_holds() -> None:
    assert doctest.testmod(measure) == (0, 1)


@pytest.mark.parametrize("loss", [math.inf, math.nan, 1e30])
def test_a_diverged_run_counts_as_the_worst(loss: float) -> None:
    assert A.excess(loss) == WORST


def test_a_task_counts_only_where_the_gap_exceeds_twice_the_spread() -> None:
    spread = 0.2 / math.sqrt(2)
    assert A.spread == pytest.approx(spread)
    assert Reference([0, 0.2], [2.1 * spread, 2.1 * spread + 0.2]).counts
    assert not Reference([0, 0.2], [1.9 * spread, 1.9 * spread + 0.2]).counts
    assert not Reference([1, 1], [0, 0]).counts


def test_a_summary_counts_failures_and_what_is_worse_than_half_the_budget() -> None:
    results = {
        ("a", 1): result(1.1, cost=1.0),
        ("a", 2): result(2.6, cost=1.5),
        ("b", 1): result(2.0, cost=1.0),
        ("b", 2): result(None, cost=0.5, failed="OverflowError: too fast"),
        ("does not count", 1): result(0.0, cost=100.0),
    }
    found = summarize(results, {"a": A, "b": B})
    assert found is not None
    assert found.runs == 4
    assert found.mean == pytest.approx((0 + 1.5 + 0.5 + WORST) / 4)
    assert found.spread == pytest.approx((5.75 - 0.25) / math.sqrt(2))
    assert (found.worst, found.above_one, found.failed) == (WORST, 2, 1)
    assert (found.cost, found.highest_cost) == (1.0, 1.5)
    assert summarize(results, {}) is None


def stored(path: Path) -> Path:
    def best(*values: float) -> dict[str, Any]:
        losses = {str(seed): value for seed, value in enumerate(values)}
        return {"schedule": "linear", "rate": 0.1, "losses": losses}

    def task(held_out: bool, tuned: Any, half: Any) -> dict[str, Any]:
        return {
            "steps": 1_000,
            "judged_by": "loss",
            "held_out": held_out,
            "tuned": tuned,
            "half": half,
        }

    tasks = {
        "a": task(False, best(1.0, 1.2), best(2.0, 2.2)),
        "b": task(True, best(0.0, 0.1), best(4.0, 4.1)),
        "noisy": task(False, best(0.0, 9.0), best(1.0, 9.5)),
    }
    path.write_text(json.dumps({"tasks": tasks}), encoding="utf-8")
    return path


def test_tables_show_every_procedure_and_leave_out_tasks_that_do_not_count(tmp_path: Path) -> None:
    path = stored(tmp_path / "reference.json")
    assert list(read_reference(path)) == ["a", "b"]
    known = {("a", 1): result(1.6), ("b", 1): result(None, failed="it raised")}
    text = tables({"one": known, "absent": None, "not run": {}}, path)
    lines = text.splitlines()
    assert "| one | 1.00 (≤ 1.00) | 0.50 | 10.00 | 10.00 | 1 of 2 | 1 |" in lines
    assert any(line.startswith("| absent | not installed |") for line in lines)
    assert "| a | 0.50 (0.50) |" in lines
    assert "| b (held out) | 10.00 (10.00) |" in lines
    assert [line for line in lines if "noisy" in line and line.endswith("does not count |")]


def test_a_page_keeps_what_stands_outside_the_marks() -> None:
    page = f"before\n{BEGIN}\nold\n{END}\nafter\n"
    assert between_marks(page, "new\n") == f"before\n{BEGIN}\nnew\n{END}\nafter\n"
    with pytest.raises(ValueError, match="must hold the lines"):
        between_marks("no marks", "new")
