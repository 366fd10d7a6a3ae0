"""Every rule finds its fault in runs that have it, and is silent about runs that have not."""

from collections.abc import Sequence

import numpy as np
import pytest

from benchmarks.diagnose import Judged, generated, published
from benchmarks.published_curves import curves_folder
from benchmarks.synthetic_runs import FAULTS
from stepsize.diagnose import RULES

SEED = 5_000
RUNS = 4


@pytest.fixture(scope="module")
def judged() -> Sequence[Judged]:
    return list(generated(RUNS, SEED))


def test_every_rule_has_runs_with_its_fault() -> None:
    assert [rule.name for rule in RULES] == list(FAULTS)


def test_runs_without_a_fault_have_no_finding(judged: Sequence[Judged]) -> None:
    healthy = [each for each in judged if not each.faults]
    assert len(healthy) == RUNS
    assert [each.said for each in healthy] == [frozenset()] * RUNS


# docs/en/diagnose.md has the shares over many runs.
@pytest.mark.parametrize("name", FAULTS)
def test_a_rule_finds_its_fault(judged: Sequence[Judged], name: str) -> None:
    faulty = [each for each in judged if name in each.faults]
    found = [each for each in faulty if name in each.said]
    assert len(faulty) == RUNS
    assert len(found) >= RUNS - 1


@pytest.mark.parametrize("name", FAULTS)
def test_a_rule_is_silent_about_other_faults(judged: Sequence[Judged], name: str) -> None:
    others = [each for each in judged if name not in each.faults | each.allowed]
    assert sum(name in each.said for each in others) <= 1


def test_published_runs_are_judged_as_their_rates_say() -> None:
    folder = curves_folder()
    if folder is None:
        pytest.skip("STEPSIZE_CURVES names no folder with the published curves")
    known = list(published(folder))
    assert len(known) >= 150
    for name in ("diverged", "never_decayed"):
        assert {name in each.said for each in known if name in each.faults} == {True}
    assert all(each.said <= each.faults for each in known), "a false alarm"
    low = [each for each in known if "rate_too_low" in each.faults]
    assert np.mean(["rate_too_low" in each.said for each in low]) >= 0.35
