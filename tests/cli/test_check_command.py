"""``stepsize check``: remarks in words and for scripts, and what the exit code says."""

import csv
import io
import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from stepsize.lint import RULES

Call = Callable[..., Result]
Start = Callable[..., "subprocess.Popen[str]"]

FAULTY = "Warmup(500) >> Cosine(9500)"
SOUND = "warmup_cosine(8000, warmup=500)"


def words(result: Result) -> list[str]:
    return [" ".join(line.split()) for line in result.stdout.splitlines()]


def test_a_good_plan_gives_no_remark_and_exit_code_0(stepsize: Call) -> None:
    result = stepsize("check", SOUND, "--steps", 8_000, "--optimizer", "AdamW", "--base", "3e-4")
    assert result.exit_code == 0
    assert words(result) == ["Warmup(501).skip(1) >> Cosine(7500)", "Nothing was found."]


def test_a_remark_has_its_numbers_its_place_its_remedy_and_its_source(stepsize: Call) -> None:
    result = stepsize("check", "Cosine(9000)", "--steps", 10_000)
    assert result.exit_code == 1
    assert words(result) == [
        "Cosine(9000)",
        "",
        "mistake: zero_tail, step 9,000 to 10,000",
        "The last 1,000 of 10,000 updates have rate 0, 10 % of the run.",
        "Stretch the schedule over the run with .over(10000).",
        "Source: an update at rate 0 changes nothing; ivadomed#57, villa#1495.",
    ]


def test_one_schedule_with_remarks_among_others_gives_exit_code_1(
    stepsize: Call, tmp_path: Path
) -> None:
    file = tmp_path / "plans.txt"
    file.write_text(f"good = {SOUND}\nbad = {FAULTY}\n", encoding="utf-8")
    result = stepsize("check", file, "--steps", 8_000)
    assert result.exit_code == 1
    assert words(result)[:4] == [
        "good: Warmup(501).skip(1) >> Cosine(7500)",
        "Nothing was found.",
        "",
        "bad: Warmup(500) >> Cosine(9500)",
    ]


def test_steps_per_epoch_finds_what_counts_epochs_and_resolves_durations(stepsize: Call) -> None:
    run = ("--steps", 90_000, "--steps-per-epoch", 1_000)
    assert "curve_in_epochs" in stepsize("check", "Step(30, 0.1)", *run).stdout
    assert stepsize("check", "Step(30ep, 0.1)", *run).exit_code == 0


def test_with_a_base_rate_the_peak_is_compared_and_numbers_are_rates(stepsize: Call) -> None:
    result = stepsize("check", SOUND, "--steps", 8_000, "--optimizer", "adam", "--base", 0.1)
    assert result.exit_code == 1
    assert "The peak rate is 0.1, 10 times the highest that is usual, 0.01" in result.stdout


def test_an_ignored_rule_does_not_speak(stepsize: Call) -> None:
    ignored = ("--ignore", "outlasts_run", "--ignore", "first_update_at_zero")
    assert stepsize("check", FAULTY, "--steps", 8_000, *ignored).exit_code == 0
    assert "outlasts_run" in stepsize("check", FAULTY, "--steps", 8_000, *ignored[2:]).stdout


def test_the_json_has_every_field_of_every_remark(stepsize: Call) -> None:
    result = stepsize("check", FAULTY, f"good={SOUND}", "--steps", 8_000, "--json")
    assert result.exit_code == 1
    bad, good = json.loads(result.stdout)
    assert (good["name"], good["findings"]) == ("good", [])
    assert bad["schedule"] == FAULTY
    first, second = bad["findings"]
    assert (first["rule"], first["level"]) == ("first_update_at_zero", "mistake")
    assert (second["start"], second["end"]) == (8_000, 10_000)
    assert second["numbers"]["end"] == pytest.approx(0.105, abs=1e-3)
    assert set(first) == {
        *("rule", "level", "evidence", "remedy", "source", "start", "end", "numbers", "messages")
    }


def test_the_csv_has_a_line_per_remark(stepsize: Call) -> None:
    result = stepsize("check", FAULTY, SOUND, "--steps", 8_000, "--csv")
    rows = list(csv.DictReader(io.StringIO(result.stdout)))
    assert [row["rule"] for row in rows] == ["first_update_at_zero", "outlasts_run"]
    assert {row["schedule"] for row in rows} == {FAULTY}


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ([FAULTY], "--steps"),
        ([FAULTY, "--steps", 0], "0"),
        ([FAULTY, "--steps", 9, "--optimizer", "adagrab"], "adamw"),
        ([FAULTY, "--steps", 9, "--ignore", "spelling"], RULES[0].name),
        (["Cosin(9)", "--steps", 9], "Cosine"),
    ],
)
def test_what_cannot_be_read_gives_exit_code_2(
    stepsize: Call, arguments: list[object], named: str
) -> None:
    result = stepsize("check", *arguments)
    assert result.exit_code == 2
    assert named in result.stderr


@pytest.mark.parametrize(("spec", "code"), [(SOUND, 0), (FAULTY, 1)])
def test_a_real_process_says_it_by_its_exit_code(process: Start, spec: str, code: int) -> None:
    command = process("check", spec, "--steps", 8_000)
    _, err = command.communicate()
    assert (command.returncode, err) == (code, "")


def test_a_reader_that_goes_away_is_met_quietly(process: Start) -> None:
    command = process("check", FAULTY, "--steps", 8_000)
    assert command.stdout is not None
    command.stdout.close()
    command.stdout = None
    _, err = command.communicate()
    assert err == ""
