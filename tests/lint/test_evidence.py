"""The numbers that the rules cite as their source, computed again."""

import csv
import os
import re
from pathlib import Path

import pytest

from stepsize import Constant, Linear, Schedule, Warmup, linear_to_zero, wsd
from stepsize.lint import RULES
from stepsize.plan import bound

STEPS = 10_000
CURVES = Path(os.environ.get("STEPSIZE_CURVES", "absent"))
SOURCES = {rule.name: rule.source for rule in RULES}


def cost(schedule: Schedule, instead_of: Schedule) -> str:
    gap = bound(schedule, STEPS).gap / bound(instead_of, STEPS).gap - 1
    return f"{100 * gap:.0f} %"


@pytest.mark.parametrize("part", [20, 33, 50])
def test_what_a_long_warmup_costs(part: int) -> None:
    longer = linear_to_zero(STEPS, part * STEPS // 100)
    assert f"{part} % {cost(longer, linear_to_zero(STEPS, 500))}" in re.sub(
        r"instead costs | of the bound", "", SOURCES["long_warmup"]
    )


@pytest.mark.parametrize("beyond", [10, 25])
def test_what_a_schedule_beyond_the_run_costs(beyond: int) -> None:
    longer = Warmup(501).skip(1) >> Linear(9_500 * (100 + beyond) / 100)
    said = f"{cost(longer, linear_to_zero(STEPS, 500))} for {beyond} %"
    assert said in SOURCES["outlasts_run"]


def test_what_ending_at_a_quarter_costs() -> None:
    quarter = Warmup(501).skip(1) >> Linear(9_500, end=0.25)
    assert cost(quarter, linear_to_zero(STEPS, 500)) in SOURCES["ends_high"]


def test_what_a_short_cooldown_costs() -> None:
    said = f"5 % instead of 20 % costs {cost(wsd(STEPS, 500, 500), wsd(STEPS, 500, 2_000))}"
    assert said in SOURCES["steep_decay"]


def test_that_a_constant_costs_more_than_all_of_these() -> None:
    constant = Warmup(501).skip(1) >> Constant()
    assert float(cost(constant, linear_to_zero(STEPS, 500))[:-2]) > 60


@pytest.mark.skipif(not CURVES.is_dir(), reason="STEPSIZE_CURVES names no folder of curves")
@pytest.mark.parametrize(
    ("rule", "said", "wanted"),
    [
        ("never_decays", "constant {}", {"scheduler": "wsd", "decay_frac": "0.0"}),
        ("never_decays", "the last 60 % {}", {"decay_type": "linear", "decay_frac": "0.6"}),
        ("steep_decay", "10 % of the run {}", {"decay_type": "linear", "decay_frac": "0.1"}),
        ("steep_decay", "20 % {}", {"decay_type": "linear", "decay_frac": "0.2"}),
        ("steep_decay", "60 % {}", {"decay_type": "linear", "decay_frac": "0.6"}),
        ("ends_high", "cosine to 0 {}", {"scheduler": "cos", "cos_final_lr": "1e-07"}),
        ("ends_high", "to a tenth {}", {"scheduler": "cos", "cos_final_lr": "-1.0"}),
    ],
)
def test_a_measured_loss_is_that_of_the_best_published_run(
    rule: str, said: str, wanted: dict[str, str]
) -> None:
    with (CURVES / "compact" / "llama124m_index.csv").open(encoding="utf-8") as file:
        losses = [
            float(run["last_val"])
            for run in csv.DictReader(file)
            if run["iterations"] == "50000" and wanted.items() <= run.items()
        ]
    [cited] = re.findall(said.format(r"(\d\.\d+)"), SOURCES[rule])
    # Some runs were made twice, and the source gives their mean.
    assert float(cited) == pytest.approx(min(losses), abs=0.0015)
