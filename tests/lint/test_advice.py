"""What ``attach`` says about a schedule: once, at the caller's line, and only what it can know."""

import warnings
from collections.abc import Callable, Iterator

import pytest
import torch

from stepsize import (
    Absolute,
    Constant,
    Cosine,
    Function,
    InvalidType,
    InvalidValue,
    Linear,
    Observation,
    Policy,
    Scale,
    Schedule,
    ScheduleWarning,
    Warmup,
    warmup_cosine,
)
from stepsize.torch import attach

GOOD = warmup_cosine(1_000, warmup=50)
WAVE = (Cosine(100) >> Cosine(100, start=0, end=1)).repeat()


class Halves:
    """A controller that halves the rate."""

    def init(self) -> None:
        return None

    def observe(self, state: None, observation: Observation) -> tuple[None, list[Scale]]:
        return None, [Scale(0.5, "asked")]


def adamw(*rates: float) -> torch.optim.Optimizer:
    return torch.optim.AdamW([{"params": [torch.zeros(1)], "lr": rate} for rate in rates])


def sgd(rate: float = 0.1, momentum: float = 0.9) -> torch.optim.Optimizer:
    return torch.optim.SGD([torch.zeros(1)], lr=rate, momentum=momentum)


def said(act: Callable[[], object]) -> list[str]:
    """The rules that the warnings of an act name."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        act()
    return [str(each.message).rpartition("(")[2].rstrip(")") for each in caught]


@pytest.fixture(autouse=True)
def _strict() -> Iterator[None]:
    # Whatever the project's filters are: silence is a promise here.
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


def test_a_good_plan_is_attached_in_silence() -> None:
    attach(adamw(3e-4), GOOD, steps=1_000)
    attach(sgd(), GOOD, steps=1_000)


def test_the_warning_has_the_call_the_finding_and_the_remedy_and_points_at_the_caller() -> None:
    with pytest.warns(ScheduleWarning) as caught:
        attach(sgd(), Linear(1_200), steps=1_000)
    [warning] = caught
    assert str(warning.message) == (
        "attach(..., lr=Linear(1200)): The schedule lasts 1,200 steps and the run 1,000: it ends "
        "at 0.01667, and 0 is never reached. Squeeze it into the run with .over(1000), or train "
        "1,200 steps. (outlasts_run)"
    )
    assert warning.filename == __file__


@pytest.mark.parametrize(
    ("schedule", "rule"),
    [
        (Warmup(50) >> Cosine(950), "first_update_at_zero"),
        (WAVE, "rises_again"),
        (GOOD * 1e-4, "rate_as_multiple"),
        (GOOD * 200, "peak_above"),
    ],
)
def test_what_needs_no_length_is_said_always(schedule: Schedule, rule: str) -> None:
    assert said(lambda: attach(sgd(), schedule)) == [rule]


@pytest.mark.parametrize("schedule", [Constant(), Linear(10_000), Linear(5)])
def test_what_needs_the_length_is_said_only_if_it_is_told(schedule: Schedule) -> None:
    attach(sgd(), schedule)
    assert len(said(lambda: attach(sgd(), schedule, steps=1_000))) == 1


def test_hints_are_left_to_the_command_line() -> None:
    attach(adamw(3e-4), Cosine(1_000), steps=1_000)


def test_the_table_of_the_optimizer_in_hand_is_used() -> None:
    attach(sgd(20.0, momentum=0), GOOD)
    assert said(lambda: attach(sgd(20.0, momentum=0.9), GOOD)) == ["peak_above"]
    assert said(lambda: attach(adamw(20.0), GOOD)) == ["peak_above"]
    attach(torch.optim.Adagrad([torch.zeros(1)], lr=20.0), GOOD)


def test_of_layer_wise_rates_the_highest_counts() -> None:
    attach(adamw(1e-3, 1e-9, 0.0), GOOD)
    assert said(lambda: attach(adamw(1e-3, 1.0), GOOD)) == ["peak_above"]


def test_each_schedule_is_looked_at_with_the_rates_of_its_own_groups() -> None:
    attach(adamw(1e-3, 1.0), {0: GOOD, 1: GOOD * 1e-2})
    assert said(lambda: attach(adamw(1e-3, 1.0), {0: GOOD, 1: WAVE})) == [
        "rises_again",
        "peak_above",
    ]


def test_the_values_of_an_absolute_schedule_are_the_rates() -> None:
    attach(adamw(0.0), Absolute(GOOD * 3e-4))
    assert said(lambda: attach(adamw(3e-4), Absolute(GOOD))) == ["peak_above"]


def test_one_schedule_on_several_optimizers_is_spoken_of_once() -> None:
    assert said(lambda: attach([sgd(), sgd()], WAVE)) == ["rises_again"]


def test_other_quantities_are_left_alone() -> None:
    attach(sgd(), momentum=WAVE)


def test_where_controllers_lower_the_rate_its_planned_end_is_not_judged() -> None:
    attach(sgd(), Policy(Constant(), [Halves()]), steps=1_000)
    assert said(lambda: attach(sgd(), Policy(WAVE, [Halves()]), steps=1_000)) == ["rises_again"]


def test_what_is_past_is_not_spoken_of() -> None:
    attach(sgd(), Warmup(50) >> Cosine(950), position=1, steps=1_000)


def test_a_users_function_is_not_called_before_its_step() -> None:
    asked: list[float] = []

    def curve(t: float) -> float:
        asked.append(t)
        return 1.0

    attach(sgd(), Warmup(2) >> Function(curve), steps=1_000)
    assert asked == []


def test_a_long_schedule_is_shortened_in_the_message() -> None:
    long = Warmup(2) >> Cosine(3).over(5) >> Cosine(3, start=0.5).over(500) * 0.5 + 0.25
    with pytest.warns(ScheduleWarning) as caught:
        attach(sgd(), long * long)
    assert all(len(str(each.message)) < 500 for each in caught)
    assert "...): " in str(caught[0].message)


@pytest.mark.parametrize(("steps", "error"), [(0, InvalidValue), ("9", InvalidType)])
def test_a_wrong_length_is_refused_and_nothing_is_attached(
    steps: object, error: type[Exception]
) -> None:
    optimizer = sgd()
    with pytest.raises(error, match=r"attach\(\.\.\., steps="):
        attach(optimizer, GOOD, steps=steps)  # type: ignore[arg-type]
    attach(optimizer, GOOD)
