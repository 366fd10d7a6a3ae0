"""Procedures are measured from outside: what they cost, how they fail, what is not installed."""

import importlib.util
import json
import math
from pathlib import Path

import pytest

from benchmarks.auto.command import main
from benchmarks.auto.procedures import PROCEDURES, Procedure
from benchmarks.auto.table import BEGIN, END
from benchmarks.auto.tasks import TASKS
from stepsize.torch import TorchTraining

TASK = TASKS["badly scaled logistic regression, SGD"]


def twice(training: TorchTraining, steps: int) -> None:
    snapshot = training.snapshot()
    for factor in (10.0, 1.0):
        training.restore(snapshot)
        for _ in range(steps // 100):
            training.step({"lr": [factor]})


def test_trials_are_paid_for() -> None:
    result = Procedure("twice", twice).run(TASK, seed=101)
    assert result.cost == pytest.approx(0.02)
    assert result.failed is None


def test_what_a_procedure_raises_is_a_failed_run_with_its_reason_and_cost() -> None:
    def breaks(training: TorchTraining, steps: int) -> None:
        training.step({"lr": [1.0]})
        raise OverflowError("too fast")

    result = Procedure("breaks", breaks).run(TASK, seed=101)
    assert (result.loss, result.failed) == (None, "OverflowError: too fast")
    assert result.cost == pytest.approx(1 / TASK.steps)


def test_a_loss_that_is_not_finite_is_a_failed_run() -> None:
    def explodes(training: TorchTraining, steps: int) -> None:
        training.model.weight.detach().fill_(math.nan)

    result = Procedure("explodes", explodes).run(TASK, seed=101)
    assert result.loss is None
    assert result.failed == "the loss is not finite"


@pytest.mark.parametrize(
    ("level", "steps_and_evaluations"), [("fast", 1.45), ("default", 2.1), ("thorough", 3.1)]
)
def test_the_search_of_a_level_is_paid_for_and_its_head_start_is_not_paid_twice(
    level: str, steps_and_evaluations: float
) -> None:
    untrained = TASK.start(101).judge()
    result = PROCEDURES[f"stepsize {level}"].run(TASK, seed=101)
    assert 1 < result.cost < steps_and_evaluations
    assert result.loss is not None
    assert result.loss < untrained


@pytest.mark.parametrize("name", ["AdamW 1e-3, cosine", "SGD 0.1, step decay"])
def test_default_guesses_cost_one_run_and_learn(name: str) -> None:
    untrained = TASK.start(101).judge()
    result = PROCEDURES[name].run(TASK, seed=101)
    assert result.cost == pytest.approx(1.0)
    assert result.loss is not None
    assert result.loss < untrained


def test_the_range_test_costs_at_most_a_tenth_of_a_run_more() -> None:
    result = PROCEDURES["range test alone, cosine"].run(TASK, seed=101)
    assert 1.0 < result.cost <= 1.1


def test_optional_procedures_say_whether_their_package_is_there() -> None:
    for procedure in PROCEDURES.values():
        there = procedure.module is None or importlib.util.find_spec(procedure.module) is not None
        assert procedure.installed is there
    absent = Procedure("absent", twice, module="no_such_module_anywhere", package="none")
    assert not absent.installed


def test_a_stopped_comparison_goes_on_where_it_was_and_its_table_is_printed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cache = tmp_path / "runs.jsonl"
    chosen = ["--procedures", "AdamW 1e-3, cosine", "--tasks", TASK.name, "--cache", str(cache)]
    main(["run", *chosen, "--seeds", "101"])
    first = cache.read_text(encoding="utf-8")
    main(["run", *chosen, "--seeds", "101", "102"])
    assert cache.read_text(encoding="utf-8").startswith(first)
    keys = [json.loads(line)["key"]["seed"] for line in cache.read_text("utf-8").splitlines()]
    assert keys == [101, 102]
    capsys.readouterr()
    best = {"schedule": "linear", "rate": 0.1, "losses": {"1": 0.01, "2": 0.011}}
    half = best | {"losses": {"1": 0.02, "2": 0.021}}
    stored = {"steps": 9, "judged_by": "loss", "held_out": False, "tuned": best, "half": half}
    reference, page = tmp_path / "reference.json", tmp_path / "page.md"
    reference.write_text(json.dumps({"tasks": {TASK.name: stored}}), encoding="utf-8")
    asked = ["table", *chosen, "--seeds", "101", "102", "--reference", str(reference)]
    main(asked)
    printed = capsys.readouterr().out
    assert "| AdamW 1e-3, cosine | 1.00 (≤ 1.00) |" in printed
    page.write_text(f"Title\n{BEGIN}\n{END}\n", encoding="utf-8")
    main([*asked, "--into", str(page)])
    assert page.read_text(encoding="utf-8") == f"Title\n{BEGIN}\n{printed}{END}\n"
