"""A SPEC is the text of a schedule, or a file of them."""

from collections.abc import Callable
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from stepsize import Absolute, Cosine, Linear, Schedule
from stepsize.cli.spec import SPEC

Call = Callable[..., Result]


def header(result: Result) -> str:
    assert result.exit_code == 0, result.stderr
    return result.stdout.partition("\n")[0]


def test_a_file_holds_one_schedule_per_line_with_names_and_remarks(
    stepsize: Call, tmp_path: Path
) -> None:
    file = tmp_path / "schedules.txt"
    file.write_text(
        "\ufeff# two candidates\n\nold run = Cosine(10, end=0.1)  # as before\r\nLinear(  10 )\n",
        encoding="utf-8",
    )
    assert header(stepsize("plot", file, "Hold(3)", "--csv")) == (
        "position,old run,Linear( 10 ),Hold(3)"
    )


def test_an_argument_can_have_a_name_too(stepsize: Call) -> None:
    assert header(stepsize("plot", "ours = Cosine(10, end=0.1)", "--csv")) == "position,ours"


def test_equal_names_are_numbered(stepsize: Call) -> None:
    result = stepsize("plot", "Hold(1)", "a=Hold(1)", "Hold(1)", "a = Hold(1)", "--csv")
    assert header(result) == "position,Hold(1),a,Hold(1) (2),a (2)"


def test_an_existing_file_goes_before_a_text(
    stepsize: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("Hold(1)").write_text("from file = Hold(2)")
    assert header(stepsize("plot", "Hold(1)", "--csv")) == "position,from file"


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "holds no schedule"),
        (b"# nothing\n\n", "holds no schedule"),
        (b"Cosine(10)\n\nCosin(10)\n", "line 3: 'Cosin' is no schedule"),
        (b"a\0b", "no text"),
        (b"\xff\xfe\x41", "no text"),
        (b"Hold(1)\n" * 200_000, "at most 1,000,000 bytes"),
        (b"Hold(1) >> " * 9_999 + b"Hold(1)", "at most 100,000 characters"),
    ],
    ids=["empty", "remarks", "a typo", "binary", "UTF-16", "large", "a long text"],
)
def test_a_file_that_is_no_list_of_schedules_is_refused(
    stepsize: Call, tmp_path: Path, content: bytes, says: str
) -> None:
    file = tmp_path / "schedules.txt"
    file.write_bytes(content)
    result = stepsize("plot", file)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith(f"Error: {file}")
    assert says in result.stderr


def test_a_folder_is_refused(stepsize: Call, tmp_path: Path) -> None:
    assert "this is a folder" in stepsize("plot", tmp_path).stderr


@click.command
@click.option("--schedule", type=SPEC)
def show(schedule: Schedule | Absolute) -> None:
    click.echo(f"{schedule!r} {type(schedule).__name__}")


def test_an_option_takes_one_schedule_from_text_or_file(tmp_path: Path) -> None:
    file = tmp_path / "one.txt"
    file.write_text("best = Absolute(Linear(10))")
    outputs = [
        CliRunner().invoke(show, ["--schedule", each], catch_exceptions=False).output
        for each in ("Cosine(5)", str(file))
    ]
    assert outputs == [f"{Cosine(5)!r} Cosine\n", f"{Absolute(Linear(10))!r} Absolute\n"]
    file.write_text("Cosine(5)\nCosine(6)")
    refused = CliRunner().invoke(show, ["--schedule", str(file)])
    assert refused.exit_code == 2
    assert "holds 2 schedules, and one is needed" in refused.output
