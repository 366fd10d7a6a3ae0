"""The report: one page that holds all of a run, asks nothing of anybody, and runs nothing."""

import math
import re
from collections.abc import Sequence
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stepsize import InvalidValue, Linear, Warmup
from stepsize.find import range_test, recommend
from stepsize.plan import default_plan, plan_run
from stepsize.report import FinishedRun, run_report, write_report
from stepsize.report.chart import Chart, Line, Mark
from stepsize.report.history import History
from stepsize.report.page import Report, Section, Table, check_report_path
from stepsize.report.preparation import (
    given_plan_section,
    plan_section,
    range_test_section,
    recommendation_sections,
)
from stepsize.signals import Decision, Rewind, Scale, Tick
from stepsize.testing.training import Bowl
from stepsize.training import Outcome, run

VOID = {"meta", "br", "hr", "img", "link", "input"}
# What a person may have in a name, a reason or a path.
TEXTS = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1)
HOSTILE = '<script>alert("1")</script>&amp;\' onload="x" </style> 模型'


class Page(HTMLParser):
    """The tags of a page, which must be balanced, and its text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.texts: list[str] = []
        self._open: list[str] = []
        self.feed(html)
        self.close()
        assert not self._open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.texts).split())


def account(
    losses: Sequence[float] = (2.0, 1.0),
    decisions: Sequence[tuple[int, Decision]] = (),
    **settings: object,
) -> FinishedRun:
    history = History()
    taken = dict(decisions)
    for position, loss in enumerate(losses):
        there = (taken[position],) if position in taken else ()
        history(Tick(position, {"lr": 0.1 * (position + 1)}, {"loss": loss}, there))
    given = {
        "name": "run",
        "status": "finished",
        "outcome": Outcome(len(losses), metrics={"val_loss": 0.5}),
        "history": history,
        "seconds": 1.0,
    }
    return FinishedRun(**(given | settings))


def everything() -> Report:
    advice = recommend(Bowl(rate=0.1, noise=0.01), 200)
    history = History()
    outcome = run(Bowl(rate=0.1), Linear(200), 200, [history], evaluate_every=20)
    history(Tick(200, {}, {}, (Scale(0.5, HOSTILE), Rewind(0.5, "loss is nan"))))
    told = FinishedRun(HOSTILE, "finished", outcome, history, 2.0, head_start=60)
    found = [*recommendation_sections(advice), range_test_section(range_test(Bowl(rate=0.1)))]
    return run_report(told, found, settings={"file": HOSTILE, "guard": True}, foot=HOSTILE)


@pytest.fixture(scope="module")
def page() -> str:
    return everything().html()


# ------------------------------------------------------------------ safe and self-contained


def test_a_page_asks_for_nothing_and_runs_nothing(page: str) -> None:
    read = Page(page)
    assert set(read.tags).isdisjoint(
        {"script", "link", "img", "iframe", "object", "embed", "form", "base", "a", "video"}
    )
    names = {name for name, _ in read.attributes}
    assert not {name for name in names if name.startswith("on")}
    assert names.isdisjoint({"src", "href", "srcset", "xlink:href", "style", "action"})
    assert "url(" not in page
    assert "@import" not in page
    policies = [value for name, value in read.attributes if name == "content"]
    assert "default-src 'none'; style-src 'unsafe-inline'" in policies


def test_texts_appear_as_they_are_and_never_as_markup(page: str) -> None:
    read = Page(page)
    assert read.texts.count(HOSTILE) >= 4  # title, heading, reason, setting, foot
    assert "<script" not in page


@given(TEXTS)
def test_any_text_in_any_place_comes_out_as_it_went_in(text: str) -> None:
    chart = Chart(text, text, text, [Line(np.arange(2.0), np.ones(2))], [Mark(1, text)])
    section = Section(text, [text], text, Table([text], [[text]]), [chart])
    html = Report(text, text, {text: text}, [text], [text], [section], text).html()
    read = Page(html)
    expected = Page(Report("x", "x", {"x": "x"}, ["x"], ["x"], [section], "x").html())
    assert read.tags == expected.tags
    assert sum(text in each for each in read.texts) >= 14


# ------------------------------------------------------------------ what it holds


def test_a_page_holds_what_was_found_the_plan_the_run_and_the_decisions(page: str) -> None:
    read = Page(page).text
    for heading in ["Summary", "The rate", "The plan", "The run", "Decisions", "How it was start"]:
        assert heading in read
    for part in [
        "The sweep",
        "The trials: what the run's first 20 steps",
        "Other rules: no other rule was measured",
        "times the 200 steps of the run",
        "warmup, steps",
        "cooldown, steps",
        "scale × 0.5",
        "rewind × 0.5",
        "loss is nan",
        "val_loss: measured.",
    ]:
        assert part in read, part


def test_the_trials_of_a_recommendation_are_all_there_with_the_winner_marked() -> None:
    advice = recommend(Bowl(rate=0.1, noise=0.01), 400)
    rate, plan, following = recommendation_sections(advice)
    assert rate.table is not None
    assert len(rate.table.rows) == len(advice.trials) > 1
    assert [row[2] for row in rate.table.rows].count("lowest") == 1
    assert len(rate.charts) == 2
    assert (plan.title, plan.code) == ("The plan of this run", repr(advice.schedule))
    assert plan.table is None, "the reasons are those of the next run's plan"
    assert following.title == "The plan of the next run"
    assert following.code == repr(advice.plan.schedule)
    assert following.table is not None


def test_a_plan_says_each_part_with_its_reason_and_source() -> None:
    plan = plan_run(3e-4, "AdamW", 1_000)
    section = plan_section(plan)
    assert section.code == repr(plan.schedule)
    assert section.table is not None
    assert [row[0] for row in section.table.rows] == [
        "peak rate",
        "warmup, steps",
        "cooldown, steps",
    ]
    assert [row[3] for row in section.table.rows][1] == str(plan.warmup.reason)
    assert len(plan_section(default_plan(100)).table.rows) == 2


def test_a_given_plan_is_shown_as_given() -> None:
    schedule = Warmup(5) >> Linear(10)
    assert given_plan_section(schedule).code == repr(schedule)


def test_the_head_start_is_told_as_part_of_the_run() -> None:
    told = account([2.0] * 10, head_start=4)
    assert "The first 4 steps doubled as the rate search, which chose 0.5." in told.summary
    assert "the rate is found" in run_report(told).html()
    assert account([2.0] * 3, head_start=4).rate_found is None


def test_many_decisions_are_cut_off_with_their_number() -> None:
    many = [(position, Scale(0.99, "flat")) for position in range(300)]
    html = run_report(account([1.0] * 300, many)).html()
    assert "The first 200; 100 more followed." in html
    assert html.count("scale × 0.99</td>") == 200


@pytest.mark.parametrize("status", ["finished", "stopped", "interrupted"])
def test_the_summary_says_how_it_ended(status: str) -> None:
    outcome = Outcome(2, stopped="no rate helps" if status == "stopped" else None)
    told = account(status=status, outcome=outcome).summary[0]
    assert {"finished": "finished 2", "stopped": "no rate helps", "interrupted": "interrupted"}[
        status
    ] in told


def test_a_run_of_no_step_has_a_report() -> None:
    assert "No step was recorded." in run_report(account([], outcome=Outcome(0))).html()


@pytest.mark.parametrize(
    ("losses", "warning"),
    [
        ([2.0, math.nan, math.nan], "training loss is nan from step 1 to the end"),
        ([2.0, math.inf, 1.0], "1 of 3 values of the loss are not finite, the first at step 1"),
        (
            [math.nan, math.nan, 1.0],
            "2 of 3 values of the loss are not finite, the first at step 0",
        ),
        (
            [2.3, *[9.0] * 19, *[2.31] * 20],
            "began at 2.3, was 2.31 in the median of the run and ended at 2.31",
        ),
    ],
)
def test_a_loss_that_was_not_finite_or_did_not_fall_is_stressed(
    losses: list[float], warning: str
) -> None:
    html = run_report(account(losses)).html()
    assert re.search(f'class="warning">[^<]*{warning}', html)
    assert "nan" not in re.sub(r">[^<]*<", "><", html).lower(), "a coordinate that is no number"


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_result_that_is_no_number_is_said_in_a_warning(value: float) -> None:
    told = account([2.0, 1.0], outcome=Outcome(2, metrics={"val_loss": value, "accuracy": 0.5}))
    (warning,) = told.warnings
    assert f"gave {value} for val_loss" in warning
    assert 'class="warning">The last evaluation gave' in run_report(told).html()


def test_a_failed_run_says_what_the_training_raised() -> None:
    told = account(status="failed", failure="ValueError: boom.", outcome=Outcome(2))
    assert told.summary[:2] == [
        "run failed after 2 steps in 1.0 s.",
        "The training raised ValueError: boom.",
    ]


def test_a_loss_that_fell_is_no_reason_to_warn() -> None:
    assert not account([2.3, *[2.0] * 60]).warnings
    assert not account([2.3] * 3).warnings, "too few steps to say anything"


def test_what_a_rewind_took_back_is_not_what_the_run_came_to() -> None:
    history = History()
    for position, loss in [(0, 2.0), (1, math.nan), (0, 3.0), (1, 1.0)]:
        history(Tick(position, {"lr": 0.1}, {"loss": loss}))
    told = FinishedRun("run", "finished", Outcome(2), history, 1.0)
    assert history.loss_curve[1].tolist() == [3.0, 1.0]
    assert told.final_loss == 2.0
    assert not told.warnings
    html = run_report(told).html()
    paths = re.findall(r'class="main" d="([^"]*)"', html)
    for path in paths:
        for piece in path.split("M"):
            across = [float(point.split()[0]) for point in re.split("[ML]", piece) if point]
            assert across == sorted(across)


# ------------------------------------------------------------------ charts

NUMBERS = st.one_of(
    st.floats(-1e6, 1e6),
    st.sampled_from([0.0, math.nan, math.inf, -math.inf, 1e308, -1e308, 5e-324]),
)


@given(st.lists(NUMBERS, min_size=1, max_size=30), st.booleans(), st.booleans(), st.booleans())
def test_whatever_the_numbers_a_chart_is_xml_of_finite_coordinates(
    values: list[float], log_x: bool, log_y: bool, from_zero: bool
) -> None:
    line = Line(np.arange(float(len(values))), np.array(values))
    dots = Line(line.positions, line.values, "dots")
    svg = Chart("c", "x", "y", [line, dots], log_x=log_x, log_y=log_y, from_zero=from_zero).svg()
    root = ElementTree.fromstring(svg)
    for element in root.iter():
        for name in ("d", "x", "y", "cx", "cy", "width", "height", "points"):
            assert not re.search("nan|inf", element.get(name, "")), svg


def test_points_lie_where_the_axes_say() -> None:
    line = Line(np.array([0.0, 50.0, 100.0]), np.array([0.0, 5.0, 10.0]))
    root = ElementTree.fromstring(Chart("c", "x", "y", [line], from_zero=True).svg())
    path = next(each for each in root.iter() if each.get("class") == "main").get("d", "")
    points = [
        tuple(map(float, point.split())) for point in re.findall(r"[ML]([\d.]+ [\d.]+)", path)
    ]
    (x0, y0), (x1, y1), (x2, y2) = points
    assert (x1 - x0, y0 - y1) == pytest.approx((x2 - x1, y1 - y2), abs=0.11)
    assert y0 > y2, "higher values are higher up"
    ticks = {
        each.text: float(each.get("x", "nan"))
        for each in root.iter()
        if each.get("text-anchor") == "middle" and each.get("class") == "tick"
    }
    assert ticks["100"] - ticks["0"] == pytest.approx(x2 - x0, abs=0.2)


def test_a_gap_in_the_values_is_a_gap_in_the_line() -> None:
    line = Line(np.arange(5.0), np.array([1.0, 2.0, math.nan, 2.0, 1.0]))
    root = ElementTree.fromstring(Chart("c", "x", "y", [line]).svg())
    path = next(each for each in root.iter() if each.get("class") == "main").get("d", "")
    assert path.count("M") == 2
    assert path.count("L") == 2


def test_a_metric_that_rises_is_shown_whole_and_a_loss_that_diverges_is_cut_off() -> None:
    history = History()
    for position in range(10):
        metrics = {"accuracy": position / 10, "loss": 1.0 if position < 9 else 1e9}
        history(Tick(position, {"lr": 0.1}, metrics))
    told = FinishedRun("run", "finished", Outcome(10), history, 1.0)
    charts = {
        chart.ylabel: chart for section in run_report(told).sections for chart in section.charts
    }
    assert charts["accuracy"].top == pytest.approx(0.9)
    assert charts["loss"].top is not None
    assert charts["loss"].top < 2


def test_a_million_steps_are_a_page_of_less_than_a_megabyte() -> None:
    history = History()
    history.positions = list(map(float, range(1_000_000)))
    history.rates = [0.1] * 1_000_000
    noise = np.random.default_rng(0).random(1_000_000).tolist()
    history.measured["loss"] = history.positions, noise
    told = FinishedRun("run", "finished", Outcome(1_000_000), history, 1.0)
    assert len(run_report(told).html()) < 1_000_000


# ------------------------------------------------------------------ the file


def test_a_report_that_cannot_be_written_is_refused_before_the_work(tmp_path: Path) -> None:
    with pytest.raises(InvalidValue, match=r"must end in \.html.*ends in '\.pdf'"):
        check_report_path(tmp_path / "out.pdf")
    with pytest.raises(FileNotFoundError):
        check_report_path(tmp_path / "no" / "out.html")
    (tmp_path / "folder.html").mkdir()
    with pytest.raises(IsADirectoryError):
        check_report_path(tmp_path / "folder.html")
    assert [each.name for each in tmp_path.iterdir()] == ["folder.html"]


def test_a_report_replaces_the_old_one_whole_and_leaves_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "out.html"
    path.write_text("old")
    assert write_report(Report("new \ud800"), path) == path
    assert "<h1>new ?</h1>" in path.read_text(encoding="utf-8")
    assert list(tmp_path.iterdir()) == [path]


def test_a_failure_while_writing_leaves_the_old_report(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "out.html"
    path.write_text("old")

    def fail(self: Path, target: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(OSError, match="No space left"):
        write_report(Report("new"), path)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]
