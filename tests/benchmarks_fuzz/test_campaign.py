"""What a campaign counts, and that each input can be made again."""

from pathlib import Path
from random import Random

import pytest

from benchmarks.fuzz import campaign
from benchmarks.fuzz.campaign import Broken, Target, attempt, run_campaign
from benchmarks.fuzz.targets import TARGETS
from stepsize.errors import InvalidValue


def target(read: object) -> Target:
    return Target("any", Random.random, read)  # pyright: ignore[reportArgumentType]


def test_refusals_are_fine_and_whatever_else_is_raised_is_counted(tmp_path: Path) -> None:
    def read(number: float, folder: Path) -> None:
        if number < 0.2:
            raise InvalidValue("read(...)", "it must be more", f"is {number}")
        if number < 0.4:
            raise KeyError(number)
        if number < 0.6:
            raise Broken("wrong round trips", "another")

    report = run_campaign(target(read), range(200), seed=1)
    counted = {kind: count / 200 for kind, count in report.broken.items()}
    assert counted == pytest.approx({"foreign errors": 0.2, "wrong round trips": 0.2}, abs=0.1)
    assert report.accepted == pytest.approx(80, abs=20)
    assert "KeyError" in "".join(report.examples)


def test_an_input_that_takes_too_long_is_given_up_and_counted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def read(number: float, folder: Path) -> None:
        while True:
            pass

    monkeypatch.setattr(campaign, "LONGEST_SECONDS", 0.05)
    assert run_campaign(target(read), range(2), seed=0).broken == {"hangs": 2}


@pytest.mark.parametrize("name", TARGETS)
def test_each_target_makes_the_same_input_of_a_number_again(name: str, tmp_path: Path) -> None:
    one = TARGETS[name]
    for number in range(5):
        first, second = (one.make(Random(f"0 {name} {number}")) for _ in range(2))
        assert repr(first) == repr(second)


@pytest.mark.parametrize("name", TARGETS)
def test_a_few_inputs_of_each_target_break_nothing(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    report = run_campaign(TARGETS[name], range(60), seed=7)
    assert not report.broken, report.examples
    assert 0 < report.accepted < 60


def test_an_input_can_be_tried_alone(tmp_path: Path) -> None:
    assert isinstance(attempt(TARGETS["parse"], 3, 0, tmp_path), bool)
