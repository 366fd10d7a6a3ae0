"""``stepsize compare`` and ``describe``: what schedules amount to, in a table and in words."""

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

Call = Callable[..., Result]

WSD = "wsd(10000, warmup=500, cooldown=2000)"


def words(result: Result) -> list[str]:
    assert result.exit_code == 0, result.stderr
    return [" ".join(line.split()) for line in result.stdout.splitlines()]


def test_the_table_has_a_row_per_schedule_with_the_numbers_that_one_expects(
    stepsize: Call,
) -> None:
    lines = words(stepsize("compare", WSD, "flat=Hold(100, 0.5)", "--base", "0.1"))
    assert lines[-3:] == [
        "start peak at ¼ ½ ¾ end average area zeros",
        "A 2e-4 0.1 500 0.1 0.1 0.1 0 0.0875 875 0",
        "B 0.05 0.05 0 0.05 0.05 0.05 0.05 0.05 500 0",
    ]


def test_the_table_keeps_its_digits_in_a_narrow_terminal(stepsize: Call) -> None:
    narrow = stepsize("compare", WSD, "Cosine(10)", "--base", "3.1234e-4", COLUMNS="30")
    wide = stepsize("compare", WSD, "Cosine(10)", "--base", "3.1234e-4", COLUMNS="100")
    assert words(narrow)[-3:] == words(wide)[-3:]
    assert "…" not in narrow.stdout


def test_with_a_picture_the_table_says_whose_its_rows_are(stepsize: Call, tmp_path: Path) -> None:
    lines = words(stepsize("compare", "a=Hold(1)", "Hold(2)", "-o", tmp_path / "both.png"))
    assert lines[1:3] == ["A a", "B Hold(2)"]
    assert (tmp_path / "both.png").exists()


@pytest.mark.parametrize("command", ["compare", "describe"])
def test_the_csv_has_the_summaries(stepsize: Call, command: str) -> None:
    result = stepsize(command, "Linear(4)", "x=Table([[3, 0], [1, 2]])", "--csv")
    first, second = csv.DictReader(io.StringIO(result.stdout))
    assert (first["name"], first["schedule"]) == ("Linear(4)", "Linear(4)")
    assert float(first["half"]) == 0.5
    assert float(first["area"]) == 1 + 0.75 + 0.5 + 0.25
    assert (float(second["peak"]), float(second["peak_at"])) == (2, 3)
    assert int(second["steps_at_zero"]) == 3


@pytest.mark.parametrize("command", ["compare", "describe"])
def test_the_json_has_the_summaries_and_phases(stepsize: Call, command: str) -> None:
    result = stepsize(command, "Warmup(2) >> Step(4, 0.5)", "--steps", "10", "--json")
    [summary] = json.loads(result.stdout)
    assert summary["length"] is None
    assert [phase["name"] for phase in summary["phases"]] == ["Warmup", "Step"]
    assert summary["phases"][1]["jumps"] == 1
    assert summary["end"] == 0.5


def test_a_schedule_is_described_phase_by_phase(stepsize: Call) -> None:
    assert words(stepsize("describe", WSD)) == [
        "Warmup(501).skip(1) >> Hold(7500) >> Linear(2000)",
        "The values are multiples of the base rate.",
        "",
        "Warmup step 0 to 500 rises from 0.001996 to 1",
        "Hold step 500 to 8,000 stays at 1",
        "Linear step 8,000 to 10,000 falls from 1 to 0",
        "then from step 10,000 on stays at 0",
        "",
        "Length 10,000 steps",
        "Peak 1 at step 500",
        "Floor 0 at step 10,000, which the last step leads up to",
        "Average 0.875",
        "Area 8,750, the sum over 10,000 steps",
        "At zero 0 steps",
    ]


def test_an_endless_schedule_is_said_to_be_endless(stepsize: Call) -> None:
    lines = words(stepsize("describe", "drops = Step(30, 0.1)", "--steps", "90", "--base", "0.1"))
    assert lines[0] == "drops: Step(30, 0.1)"
    assert lines[1] == "The values are rates."
    assert "Step step 0 to 90 falls from 0.1 to 0.001 in 2 jumps" in lines
    assert "Length endless; all numbers are for the first 90" in lines
    assert not any(line.startswith("then") for line in lines)


def test_of_a_schedule_cut_short_only_what_is_seen_is_told(stepsize: Call) -> None:
    lines = words(stepsize("describe", WSD, "--steps", "600"))
    assert "Hold step 500 to 600 stays at 1" in lines
    assert "Length 10,000 steps; all numbers are for the first 600" in lines


def test_after_its_end_a_schedule_stays(stepsize: Call) -> None:
    lines = words(stepsize("describe", "Cosine(10, end=0.1)", "--steps", "30"))
    assert "then from step 10 on stays at 0.1" in lines


def test_many_phases_are_not_all_listed(stepsize: Call) -> None:
    lines = words(stepsize("describe", "cyclic(5)", "--steps", "10_000_000"))
    assert lines[3] == "cycle 1 step 0 to 10 goes from 0.1 to 0.1, between 0.1 and 1"
    assert "... and more than 88 others" in lines
    assert lines[-1].startswith("Measured at a million of the steps")


def test_schedules_are_described_one_after_another_each_over_its_own_length(
    stepsize: Call,
) -> None:
    lines = words(stepsize("describe", "Hold(5)", "Absolute(Hold(7, 0.1))"))
    assert "Length 5 steps" in lines
    assert "Length 7 steps" in lines
    assert "Absolute(Hold(7, value=0.1))" in lines
    assert "The values are rates." in lines
