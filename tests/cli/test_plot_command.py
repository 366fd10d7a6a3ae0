"""``stepsize plot``: the curve that the schedule has, in every form."""

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import Result

from stepsize import Schedule, parse

Call = Callable[..., Result]

COSINE = "warmup_cosine(100, warmup=10, end=0.1)"


def schedule(text: str) -> Schedule:
    parsed = parse(text)
    assert isinstance(parsed, Schedule)
    return parsed


def columns(result: Result) -> dict[str, list[float]]:
    assert result.exit_code == 0, result.stderr
    header, *rows = csv.reader(io.StringIO(result.stdout))
    return {
        name: [float(cell) for cell in cells]
        for name, cells in zip(header, zip(*rows, strict=True), strict=True)
    }


def dots(result: Result) -> np.ndarray:
    """The chart's dots, from the top: 4 rows and 2 columns for each character of Braille."""
    assert result.exit_code == 0, result.stderr
    lines = result.stdout.splitlines()
    [axis] = [line for line in lines if "└" in line]
    start = axis.index("└") + 1
    bodies = [line[start:] for line in lines if "│" in line or "┤" in line]
    width = len(axis) - start
    filled = np.zeros((4 * len(bodies), 2 * width), dtype=bool)
    bits = [(0, 0), (1, 0), (2, 0), (0, 1), (1, 1), (2, 1), (3, 0), (3, 1)]
    for row, body in enumerate(bodies):
        for column, character in enumerate(body.ljust(width)):
            value = 0 if character == " " else ord(character) - 0x2800
            for bit, (down, right) in enumerate(bits):
                filled[4 * row + down, 2 * column + right] = bool(value >> bit & 1)
    return filled


# ------------------------------------------------------------------ for scripts


def test_csv_has_every_step_s_exact_rate(stepsize: Call) -> None:
    table = columns(stepsize("plot", COSINE, "Hold(7)", "--base", "3e-4", "--csv"))
    assert table["position"] == list(range(100))
    np.testing.assert_array_equal(table[COSINE], 3e-4 * schedule(COSINE).values(100))
    assert table["Hold(7)"] == [3e-4] * 100


def test_json_has_the_same_and_the_canonical_text(stepsize: Call) -> None:
    shown = json.loads(stepsize("plot", f"ours={COSINE}", "--json", "--steps", "7").stdout)
    [curve] = shown["curves"]
    assert shown["steps"] == 7
    assert shown["unit"] == "multiple of the base rate"
    assert curve["name"] == "ours"
    assert parse(curve["schedule"]) == parse(COSINE)
    assert curve["values"] == schedule(COSINE).values(7).tolist()


def test_absolute_values_are_rates_that_the_base_does_not_change(stepsize: Call) -> None:
    table = columns(
        stepsize("plot", "rates=Absolute(Hold(2, 0.5))", "times=Hold(2)", "--base", "0.1", "--csv")
    )
    assert (table["rates"], table["times"]) == ([0.5, 0.5], [0.1, 0.1])


def test_rates_and_multiples_are_not_mixed(stepsize: Call) -> None:
    result = stepsize("plot", "Absolute(Hold(2))", "Hold(2)")
    assert result.exit_code == 2
    assert "Absolute(Hold(2)) gives rates and Hold(2) multiples" in result.stderr
    assert "--base 3e-4" in result.stderr


def test_a_list_that_nobody_could_read_is_refused(stepsize: Call) -> None:
    result = stepsize("plot", "Cosine(10_000_000)", "--csv")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "at most 1,000,000 values" in result.stderr


def test_more_schedules_than_a_picture_can_show_are_refused(stepsize: Call) -> None:
    specs = [f"Hold({number})" for number in range(1, 52)]
    result = stepsize("plot", *specs)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "at most 50 schedules, but there are 51" in result.stderr
    assert len(columns(stepsize("plot", *specs, "--csv"))) == 52


# ------------------------------------------------------------------ how much is shown


def test_the_longest_schedule_that_ends_says_how_much_is_shown(stepsize: Call) -> None:
    result = stepsize("plot", "Cosine(10)", "Linear(20.5)", "Constant()", "--csv")
    assert columns(result)["position"] == list(range(21))


def test_an_endless_schedule_is_shown_as_far_as_asked(stepsize: Call) -> None:
    table = columns(stepsize("plot", "Step(2, 0.1)", "--steps", "4", "--csv"))
    assert table["Step(2, 0.1)"] == pytest.approx([1, 1, 0.1, 0.1])


@pytest.mark.parametrize("text", ["Hold(0)", "Linear(1)", "Hold(5, 0)", "Hold(5, -2)"])
def test_the_smallest_schedules_can_be_drawn(stepsize: Call, text: str) -> None:
    assert dots(stepsize("plot", text)).any()


def test_a_schedule_of_a_trillion_tokens_is_drawn_at_once_and_completely(stepsize: Call) -> None:
    filled = dots(stepsize("plot", "cyclic(1)", "--steps", 10**12))
    # Every column reaches from the low points of its cycles to their peaks.
    assert filled[0].all()
    assert filled[:54].all()
    assert not filled[60:].any()


# ------------------------------------------------------------------ in the terminal


@pytest.mark.parametrize("columns", [40, 80, 200])
def test_the_chart_s_dots_lie_on_the_curve(stepsize: Call, columns: int) -> None:
    result = stepsize("plot", "Linear(37)", COLUMNS=str(columns))
    filled = dots(result)
    height, width = filled.shape
    assert width == 2 * (min(columns, 120) - len("0.8 ┤"))
    heights = [np.flatnonzero(filled[:, column]).mean() for column in range(width)]
    expected = np.linspace(0, height - 1, width)
    np.testing.assert_allclose(heights, expected, atol=1)


def test_a_chart_is_continuous_where_the_curve_jumps(stepsize: Call) -> None:
    filled = dots(stepsize("plot", "Table([[10, 1], [10, 0]])"))
    jump = np.flatnonzero(filled.sum(axis=0) > 2)
    assert filled[:, jump].any(axis=1).all()
    assert len(jump) <= 2
    assert abs(jump.mean() - filled.shape[1] / 2) <= 2


def test_the_axis_is_labelled_with_round_numbers(stepsize: Call) -> None:
    result = stepsize("plot", "Cosine(10_000)", "--base", "3e-4")
    labels = [line.split("┤")[0].strip() for line in result.stdout.splitlines() if "┤" in line]
    assert labels == ["3e-4", "2e-4", "1e-4", "0"]
    numbers = result.stdout.splitlines()[-1].split()
    assert numbers == ["0", "2,000", "4,000", "6,000", "8,000", "10,000"]


def test_a_logarithmic_chart_leaves_out_zeros(stepsize: Call) -> None:
    result = stepsize("plot", "Linear(10) >> Hold(10, 0)", "--log")
    filled = dots(result)
    assert filled[:, : filled.shape[1] * 4 // 10].any(axis=0).all()
    assert not filled[:, filled.shape[1] * 6 // 10 :].any()
    refused = stepsize("plot", "Hold(10, 0)", "--log")
    assert refused.exit_code == 2
    assert "values above 0" in refused.stderr


def test_phases_are_named_above_a_single_curve(stepsize: Call) -> None:
    lines = stepsize("plot", "wsd(100, warmup=20, cooldown=30)").stdout.splitlines()
    assert lines[1].split() == ["Warmup", "Hold", "Linear"]


def test_into_a_pipe_goes_no_colour_and_every_curve_has_a_letter(stepsize: Call) -> None:
    result = stepsize("plot", "Cosine(10)", "flat = Hold(10, 0.5)")
    assert "\x1b" not in result.stdout
    assert "AAA" in result.stdout
    assert "BBB" in result.stdout
    assert result.stdout.splitlines()[-2:] == ["   A Cosine(10)", "   B flat"]


def test_a_terminal_gets_colours_unless_it_wants_none(stepsize: Call) -> None:
    specs = ["plot", "Cosine(10)", "Linear(10)"]
    coloured = stepsize(*specs, FORCE_COLOR="1", TERM="xterm-256color").stdout
    assert "\x1b[36m" in coloured
    assert "⠉" in coloured
    plain = stepsize(*specs, FORCE_COLOR="1", TERM="xterm-256color", NO_COLOR="1").stdout
    assert "\x1b[3" not in plain
    assert "AAA" in plain


def test_more_curves_than_letters_can_be_drawn(stepsize: Call) -> None:
    specs = [f"Hold(10, {number})" for number in range(1, 31)]
    lines = stepsize("plot", *specs).stdout.splitlines()
    assert lines[-1].split(maxsplit=1) == ["AD", "Hold(10, 30)"]


# ------------------------------------------------------------------ into a picture


def test_a_picture_goes_to_its_file_and_nothing_to_standard_output(
    stepsize: Call, tmp_path: Path
) -> None:
    file = tmp_path / "rate.svg"
    result = stepsize("plot", COSINE, "-o", file, "--log")
    assert (result.exit_code, result.stdout) == (0, "")
    assert result.stderr == f"Wrote {file}.\n"
    assert file.read_text(encoding="utf-8").rstrip().endswith("</svg>")
    assert list(tmp_path.iterdir()) == [file]


def test_a_picture_and_values_can_be_had_together(stepsize: Call, tmp_path: Path) -> None:
    result = stepsize("plot", "Cosine(3)", "-o", tmp_path / "rate.png", "--csv")
    assert len(result.stdout.splitlines()) == 4
    assert (tmp_path / "rate.png").exists()
