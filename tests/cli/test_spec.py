"""A SPEC is the text of a schedule, or a file of them."""

import json
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
        (b"Cosine(10)\n\nCosin(10)\n", "line 3: 'Cosin' is not a schedule"),
        (b"a\0b", "UTF-8 text, but this is not"),
        (b"\xff\xfe\x41", "UTF-8 text, but this is not"),
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


# ------------------------------------------------------------------ durations

SIZES = ("--steps-per-epoch", 500, "--tokens-per-step", 4096, "--samples-per-step", 64)


def text_of(result: Result) -> str:
    (described,) = json.loads(result.stdout)
    return described["schedule"]


@pytest.mark.parametrize("options_first", [True, False])
def test_durations_are_counted_with_the_options_wherever_these_stand(
    stepsize: Call, options_first: bool
) -> None:
    spec = "Warmup(500ba) >> Hold(8ep) >> Hold(4096e3tok) >> Linear(64e2sp) >> Hold(0.1dur)"
    options = [*SIZES, "--steps", 10_000, "--json"]
    words = [*options, spec] if options_first else [spec, *options]
    assert text_of(stepsize("compare", *words)) == (
        "Warmup(500) >> Hold(4000) >> Hold(1000) >> Linear(100) >> Hold(1000)"
    )


def test_durations_in_a_file_are_counted_too_and_the_name_stays_as_typed(
    stepsize: Call, tmp_path: Path
) -> None:
    file = tmp_path / "schedules.txt"
    file.write_text("ours = Cosine(2ep)\nLinear(1ep)\n", encoding="utf-8")
    result = stepsize("plot", file, "--csv", "--steps-per-epoch", 3)
    assert header(result) == "position,ours,Linear(1ep)"
    assert len(result.stdout.splitlines()) == 1 + 6


@pytest.mark.parametrize(
    ("duration", "option"),
    [
        ("1ep", "--steps-per-epoch"),
        ("1tok", "--tokens-per-step"),
        ("1sp", "--samples-per-step"),
        ("1dur", "--steps"),
    ],
)
def test_the_option_that_a_duration_needs_is_named_and_is_enough(
    stepsize: Call, duration: str, option: str
) -> None:
    spec = f"Cosine({duration})"
    refused = stepsize("compare", spec)
    assert (refused.exit_code, refused.stdout) == (2, "")
    assert f"on the command line {option}.\n    {spec}\n           ^" in refused.stderr
    assert stepsize("compare", spec, option, 1).exit_code == 0


@pytest.mark.parametrize("size", [0, -1, "nan", "inf"])
def test_an_impossible_size_is_refused(stepsize: Call, size: object) -> None:
    result = stepsize("compare", "Cosine(10)", "--steps-per-epoch", size)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "steps_per_epoch must be a finite number" in result.stderr


def test_an_option_that_takes_a_schedule_counts_with_eager_options_beside_it() -> None:
    @click.command
    @click.option("--schedule", type=SPEC)
    @click.option("--steps", type=int, is_eager=True)
    @click.option("--steps-per-epoch", type=int, is_eager=True)
    def train(schedule: Schedule, steps: int, steps_per_epoch: int) -> None:
        click.echo(f"{schedule!r} for {steps} steps, {steps_per_epoch} an epoch")

    words = ["--schedule", "Cosine(0.9dur).skip(2ep)", "--steps", "100", "--steps-per-epoch", "10"]
    output = CliRunner().invoke(train, words, catch_exceptions=False).output
    assert output == "Cosine(90).skip(20) for 100 steps, 10 an epoch\n"
