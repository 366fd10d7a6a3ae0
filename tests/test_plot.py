"""Pictures show what they were given, legibly, and a file of one is whole or not there."""

import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.figure import Figure

from stepsize import InvalidValue, Linear, MissingExtra, wsd
from stepsize.plot import (
    check_path,
    plot_curves,
    plot_run,
    save,
)
from stepsize.plot.points import smoothed, thinned
from stepsize.plot.range_tests import plot_range_test
from stepsize.words import number_text, position_text

RAMP = np.linspace(0.0, 1.0, 101)


def lines_of(axes: Any) -> list[Any]:
    return [line for line in axes.lines if len(line.get_xdata()) > 2]


def phase_names(axes: Any) -> list[Any]:
    axes.figure.canvas.draw()
    return [text for text in axes.texts if text.get_text()]


# ------------------------------------------------------------------ numbers


@given(st.floats(1e-12, 1e15) | st.floats(-1e15, -1e-12))
def test_a_number_s_text_reads_back_within_its_digits(value: float) -> None:
    text = number_text(value)
    assert float(text.replace(",", "")) == pytest.approx(value, rel=6e-4)
    assert len(text) <= len("-999,999,999,999")


def test_numbers_are_written_as_one_types_them() -> None:
    values = [0.0, -0.0, 1.0, 0.1, 3e-4, 2.5e-5, -3e-4, 1234.5, float("nan"), float("inf")]
    texts = ["0", "0", "1", "0.1", "3e-4", "2.5e-5", "-3e-4", "1,234", "nan", "inf"]
    assert [number_text(value) for value in values] == texts


def test_positions_are_short_and_no_whole_number_of_steps_is_rounded() -> None:
    assert [position_text(p) for p in (0, 9_999_999, 30.5, 2e7, 1.5e9)] == [
        "0",
        "9,999,999",
        "30.5",
        "20M",
        "1.5B",
    ]


# ------------------------------------------------------------------ points

VALUES = st.lists(st.floats(-1e6, 1e6) | st.just(float("nan")), min_size=1, max_size=400)


@given(VALUES, st.integers(1, 20))
def test_thinning_keeps_the_extremes_the_ends_and_the_order(
    values: list[float], columns: int
) -> None:
    positions, given_values = np.arange(len(values), dtype=float), np.array(values)
    x, y = thinned(positions, given_values, columns)
    assert len(x) == len(y) <= max(4 * columns, len(values) if len(values) <= 4 * columns else 0)
    assert (x[0], x[-1]) == (0, len(values) - 1)
    assert np.all(np.diff(x) >= 0)
    if np.isfinite(given_values).any():
        assert (np.nanmin(y), np.nanmax(y)) == (np.nanmin(given_values), np.nanmax(given_values))


@pytest.mark.parametrize("slope", [3.0, -3.0])
def test_thinning_leaves_a_line_a_line(slope: float) -> None:
    positions = np.arange(10_001.0)
    x, y = thinned(positions, slope * positions, columns=100)
    assert len(x) == 400
    np.testing.assert_array_equal(y, slope * x)


def test_smoothing_lags_behind_nothing_and_ignores_what_is_not_finite() -> None:
    line = np.arange(1000.0)
    np.testing.assert_allclose(smoothed(line)[10:-10], line[10:-10])
    line[500] = np.nan
    line[600] = np.inf
    assert np.isfinite(smoothed(line)).all()
    assert np.isnan(smoothed(np.full(10, np.nan))).all()


# ------------------------------------------------------------------ curves


def test_every_curve_is_one_line_with_its_own_values() -> None:
    axes = plot_curves({"up": RAMP, "down": 1 - RAMP})
    up, down = axes.lines
    np.testing.assert_array_equal(up.get_ydata(), RAMP)
    np.testing.assert_array_equal(down.get_ydata(), 1 - RAMP)
    assert up.get_color() != down.get_color()


def test_a_single_curve_is_named_in_the_title_and_several_in_a_legend() -> None:
    alone = plot_curves({"Linear(100)": RAMP})
    assert alone.get_title(loc="left") == "Linear(100)"
    assert alone.get_figure().legends == []
    names = ["a", "_hidden", "$x_1$", "学习率"]
    several = plot_curves(dict.fromkeys(names, RAMP))
    [legend] = several.get_figure().legends
    assert [text.get_text().strip() for text in legend.get_texts()] == names
    assert several.get_title(loc="left") == ""


def test_twenty_curves_can_be_told_apart() -> None:
    lines = plot_curves({f"curve {i}": RAMP * i for i in range(1, 21)}).lines
    # get_linestyle() says "--" of all dashes of our own.
    looks = {(line.get_color(), str(vars(line)["_unscaled_dash_pattern"])) for line in lines}
    assert len(looks) == 20


def test_names_in_any_script_and_with_dollar_signs_can_be_drawn(tmp_path: Path) -> None:
    axes = plot_curves({"$100 学习率 $": RAMP}, [("预热 $", 0, 50), ("衰减_{", 50, 100)])
    assert save(axes, tmp_path / "rate.png").stat().st_size > 0


def test_the_schedule_s_own_plot_draws_its_values_and_phases() -> None:
    schedule = wsd(1_000, warmup=200, cooldown=300)
    axes = schedule.plot(base=3e-4)
    [curve] = lines_of(axes)
    np.testing.assert_array_equal(curve.get_ydata(), 3e-4 * schedule.values(1_001))
    assert {text.get_text() for text in phase_names(axes)} == {"Warmup", "Hold", "Linear"}


@settings(max_examples=15)
@given(st.lists(st.integers(1, 1000), min_size=2, max_size=12), st.integers(1, 20))
def test_phase_names_never_overlap_and_stay_inside(lengths: list[int], letters: int) -> None:
    edges = np.cumsum([0, *lengths])
    phases = [("W" * letters, a, b) for a, b in pairwise(edges.tolist())]
    axes = plot_curves({"c": np.zeros(int(edges[-1]) + 1)}, phases)
    boxes = sorted((text.get_window_extent() for text in phase_names(axes)), key=lambda box: box.x0)
    frame = axes.get_window_extent()
    assert all(box.x0 >= frame.x0 - 1 and box.x1 <= frame.x1 + 1 for box in boxes)
    assert all(left.x1 <= right.x0 for left, right in pairwise(boxes))


def test_the_name_of_a_phase_too_narrow_for_it_is_left_out() -> None:
    axes = plot_curves({"c": RAMP}, [("Warmup", 0, 1), ("Cosine", 1, 100)])
    assert [text.get_text() for text in phase_names(axes)] == ["Cosine"]


def test_a_logarithmic_axis_leaves_out_zeros_and_shows_all_else() -> None:
    axes = plot_curves({"c": np.array([0.0, 1e-6, 1.0])}, log=True)
    low, high = axes.get_ylim()
    assert axes.get_yscale() == "log"
    assert 0 < low <= 1e-6 < 1 <= high


def test_the_linear_axis_starts_at_zero_so_that_proportions_are_true() -> None:
    assert plot_curves({"c": np.array([0.9, 1.0])}).get_ylim()[0] == 0


@pytest.mark.parametrize(
    ("draw", "rule"),
    [
        pytest.param(
            lambda: plot_curves({}), "at least one curve, but none is given", id="no curve"
        ),
        pytest.param(
            lambda: plot_run({}, {}), "at least one curve, but none is given", id="no run"
        ),
        pytest.param(lambda: plot_curves({"c": RAMP[:0]}), "one value per position", id="empty"),
        pytest.param(lambda: plot_curves({"c": np.eye(2)}), "one value per position", id="matrix"),
        pytest.param(
            lambda: plot_curves({"c": RAMP}, positions=RAMP[:3]), "one value per position", id="few"
        ),
        pytest.param(lambda: plot_curves({"c": 0 * RAMP}, log=True), "values above 0", id="zeros"),
        pytest.param(
            lambda: plot_run({}, {"c": (RAMP, -RAMP)}, log_losses=True),
            "values above 0",
            id="losses",
        ),
        pytest.param(
            lambda: plot_range_test(-RAMP, RAMP, RAMP, {}, ""), "values above 0", id="rates"
        ),
    ],
)
def test_what_cannot_be_drawn_is_refused(draw: Callable[[], object], rule: str) -> None:
    with pytest.raises(InvalidValue, match=rule):
        draw()


def test_a_million_points_give_a_small_file(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).random(1_000_000)
    file = save(plot_curves({"noise": noise}), tmp_path / "noise.svg")
    assert file.stat().st_size < 1_000_000


# ------------------------------------------------------------------ runs and range tests


def run_of(count: int, scale: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    steps = np.arange(float(count))
    return steps, scale / (1 + steps)


def test_a_run_has_one_colour_in_both_panels() -> None:
    rates = {"a": run_of(50), "b": run_of(50, 2)}
    upper, lower = plot_run(rates, {"b": run_of(50), "a": run_of(50)}).axes
    rate_colours = [line.get_color() for line in upper.lines]
    assert [line.get_color() for line in lower.lines] == rate_colours[::-1]


def test_many_losses_are_drawn_lightly_under_their_average() -> None:
    steps = np.arange(1_000.0)
    losses = 1 + 0.1 * (-1.0) ** steps
    _, lower = plot_run({"a": (steps, steps)}, {"a": (steps, losses)}).axes
    raw, average = lower.lines
    assert raw.get_alpha() < 1
    np.testing.assert_array_equal(raw.get_ydata(), losses)
    assert np.abs(average.get_ydata() - 1).max() < 0.02


def test_losses_over_decades_get_a_logarithmic_axis_unless_told_otherwise() -> None:
    assert plot_run({}, {"a": run_of(50)}).axes[1].get_yscale() == "linear"
    few = {"a": (np.arange(4.0), np.array([10.0, 1.0, 0.1, 0.01]))}
    assert plot_run({}, few).axes[1].get_yscale() == "log"
    assert plot_run({}, few, log_losses=False).axes[1].get_yscale() == "linear"


def test_a_run_that_diverged_can_be_drawn(tmp_path: Path) -> None:
    steps, losses = run_of(200)
    losses[100:] = np.nan
    nothing = np.full(200, np.nan)
    figure = plot_run({"a": (steps, steps)}, {"a": (steps, losses), "b": (steps, nothing)})
    assert save(figure, tmp_path / "run.png").exists()


def test_a_range_test_shows_each_suggestion_at_its_rate_and_stresses_one() -> None:
    rates = np.geomspace(1e-6, 1, 50)
    suggestions = {"steepest": 1e-3, "minimum/10": 0.5}
    axes = plot_range_test(rates, 1 / rates, 1 / rates, suggestions, "minimum/10")
    marks = {float(line.get_xdata()[0]) for line in axes.lines if len(line.get_xdata()) == 2}
    assert marks == {1e-3, 0.5}
    weights = {text.get_text(): text.get_fontweight() for text in axes.texts}
    assert weights == {"steepest 0.001": "normal", "minimum/10 0.5": "bold"}
    axes.figure.canvas.draw()
    right_edge = axes.get_window_extent().x1
    assert all(text.get_window_extent().x1 <= right_edge for text in axes.texts)


# ------------------------------------------------------------------ files


def test_each_ending_gives_its_own_kind_of_file(tmp_path: Path) -> None:
    axes = plot_curves({"c": RAMP})
    assert save(axes, tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")
    assert save(axes, tmp_path / "a.PDF").read_bytes().startswith(b"%PDF")
    root = ElementTree.fromstring(save(axes.get_figure(), tmp_path / "a.svg").read_text())
    assert root.tag.endswith("svg")


@pytest.mark.parametrize("ending", ["png", "svg", "pdf"])
def test_the_same_picture_is_the_same_file(tmp_path: Path, ending: str) -> None:
    files = [
        save(plot_curves({"c": RAMP, "d": RAMP / 2}), tmp_path / f"{number}.{ending}")
        for number in range(2)
    ]
    assert files[0].read_bytes() == files[1].read_bytes()


def test_a_picture_that_fails_leaves_what_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "rate.png"
    target.write_bytes(b"before")

    def write_half(figure: Figure, path: Path, **_: Any) -> None:
        Path(path).write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Figure, "savefig", write_half)
    with pytest.raises(OSError, match=r"No space left on device.*rate\.png"):
        save(plot_curves({"c": RAMP}), target)
    assert target.read_bytes() == b"before"
    assert list(tmp_path.iterdir()) == [target]


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "real.png").write_bytes(b"before")
    link = tmp_path / "link.png"
    link.symlink_to(tmp_path / "real.png")
    save(plot_curves({"c": RAMP}), link)
    assert link.is_symlink()
    assert (tmp_path / "real.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("name", ["rate", "rate.bmp", "rate.png.txt"])
def test_other_endings_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(InvalidValue, match=r"must end in \.png, \.svg, \.pdf"):
        check_path(tmp_path / name)


def test_a_path_that_cannot_be_written_is_refused_before_drawing(tmp_path: Path) -> None:
    (tmp_path / "folder.png").mkdir()
    (tmp_path / "file").touch()
    with pytest.raises(IsADirectoryError):
        check_path(tmp_path / "folder.png")
    for parent in ("missing", "file"):
        with pytest.raises(FileNotFoundError, match="no such folder"):
            check_path(tmp_path / parent / "rate.png")


def test_without_matplotlib_the_message_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    for call in (lambda: Linear(10).plot(), lambda: check_path("rate.png")):
        with pytest.raises(MissingExtra, match=r"pip install 'stepsize\[plot\]'"):
            call()


def test_drawing_leaves_pyplot_alone_and_matplotlib_s_settings_as_they_were(
    tmp_path: Path,
) -> None:
    program = f"""
import sys, numpy as np, matplotlib
before = dict(matplotlib.rcParams)
from stepsize.plot import plot_curves, save
save(plot_curves({{"c": np.ones(3)}}, [("a", 0, 1), ("b", 1, 2)]), {str(tmp_path / "c.svg")!r})
assert dict(matplotlib.rcParams) == before
assert "matplotlib.pyplot" not in sys.modules
"""
    subprocess.run([sys.executable, "-W", "error", "-c", program], check=True)


def test_a_schedule_draws_a_line_per_group_at_its_own_base_rate() -> None:
    axes = Linear(10).plot(base={"body": 1e-4, "head": 1e-3})
    body, head = (line.get_ydata() for line in axes.lines)
    np.testing.assert_allclose(body, 1e-4 * Linear(10).values(11))
    np.testing.assert_allclose(head, 1e-3 * Linear(10).values(11))
    (legend,) = axes.figure.legends
    assert [text.get_text().strip() for text in legend.get_texts()] == ["body", "head"]
    assert axes.get_ylabel() == "learning rate"
