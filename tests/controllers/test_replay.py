"""replay: what a controller would have done on a curve."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stepsize import Cosine, InvalidType, InvalidValue, Observation, Scale, StepsizeWarning
from stepsize.controllers import After, EarlyStop, Guard, Plateau, Primed, Within, replay
from stepsize.record import Recorder, read_runs
from stepsize.signals import Tick

PLATEAU = Plateau(metric="val_loss", factor=0.5, patience=0)


class Listener:
    """Remembers what it was shown."""

    def init(self) -> list[Any]:
        return []

    def observe(self, state: list[Any], observation: Observation) -> tuple[list[Any], list[Any]]:
        self.seen = [*state, dict(observation.metrics)]
        return self.seen, []


def test_metrics_of_one_position_are_one_observation() -> None:
    listener = Listener()
    curves = {"loss": [5.0, 4.0, 3.0], "val_loss": ([0, 2], [6.0, 4.0]), "f1": ([7], [0.5])}
    replayed = replay(listener, curves)
    assert replayed.positions == [0.0, 1.0, 2.0, 7.0]
    assert listener.seen == [
        {"loss": 5.0, "val_loss": 6.0},
        {"loss": 4.0},
        {"loss": 3.0, "val_loss": 4.0},
        {"f1": 0.5},
    ]


def test_a_curve_that_goes_back_is_shown_as_it_was_recorded() -> None:
    listener = Listener()
    replayed = replay(listener, {"loss": ([0, 1, 2, 1, 1, 2], [3.0, 2.0, 9.0, 2.1, 2.2, 1.9])})
    assert replayed.positions == [0, 1, 2, 1, 1, 2]
    assert [seen["loss"] for seen in listener.seen] == [3.0, 2.0, 9.0, 2.1, 2.2, 1.9]


def test_a_recorded_run_can_be_replayed(tmp_path: Path) -> None:
    file = tmp_path / "runs.db"
    with Recorder(file, name="flat") as recorder:
        for step in range(4):
            recorder(Tick(step, {"lr": 0.1}, {"val_loss": 1.0}))
    (run,) = read_runs(file)
    assert replay(PLATEAU, run.metrics).scale == [1.0, 0.5, 0.25, 0.125]


@pytest.mark.parametrize("kind", [list, tuple, np.array], ids=["list", "tuple", "array"])
@pytest.mark.parametrize("length", [0, 1, 2, 3])
def test_a_curve_may_be_any_sequence_even_of_two_numbers(kind: Any, length: int) -> None:
    assert len(replay(PLATEAU, {"val_loss": kind([1.0] * length)}).scale) == length
    pair = (kind([5.0] * length), kind([1.0] * length))
    assert replay(PLATEAU, {"val_loss": pair}).positions == [5.0] * length


def test_a_stop_ends_it_and_a_rewind_cuts() -> None:
    stopping = EarlyStop(metric="loss", patience=0)
    assert replay(stopping, {"loss": [1.0, 2.0, 0.5, 0.4]}).positions == [0.0, 1.0]
    cut = replay(Guard(), {"loss": [1.0, float("nan"), float("inf")]})
    assert cut.scale == [1.0, 0.5, 0.25]


def test_decisions_come_with_their_positions() -> None:
    decisions = replay(PLATEAU, {"val_loss": ([0, 100], [1.0, 2.0])}).decisions
    reason = "val_loss (best: 1) has not improved for 1 observation"
    ((position, decision),) = decisions
    assert (position, type(decision), decision.factor) == (100.0, Scale, 0.5)
    assert str(decision.reason) == reason


@pytest.mark.parametrize(
    ("curves", "error", "message"),
    [
        ([1.0, 2.0], InvalidType, r"curves must be a mapping .* is a list"),
        ({"loss": 3.0}, InvalidType, "this float is not"),
        ({"loss": ["high", "low"]}, InvalidType, "could not convert string"),
        ({"loss": ([0, 1], [1.0, 2.0, 3.0])}, InvalidValue, "has 2 positions and 3 numbers"),
        ({"loss": "321"}, InvalidType, r"a curve must be .* a str is not a sequence of numbers"),
        ({"loss": ([0, 1], {3.2: 1, 2.9: 1})}, InvalidType, "a dict is not a sequence of numbers"),
        ({"loss": {0: 3.2, 1: 2.9}}, InvalidType, "this dict is not"),
        ({"loss": ([0, float("nan")], [1.0, 2.0])}, InvalidValue, "finite numbers, but one is nan"),
        ({"loss": ([0, float("inf")], [1.0, 2.0])}, InvalidValue, "finite numbers, but one is inf"),
    ],
)
def test_what_is_no_curve_is_refused(curves: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        replay(PLATEAU, curves)


@pytest.mark.parametrize(
    ("controller", "message"),
    [
        (Plateau, r"replay\(Plateau, ...\): .*Plateau is a class. Write Plateau\(...\)"),
        (Cosine(5), r"replay\(Cosine\(5\), ...\): .* has init\(\)"),
        ([PLATEAU], r"replay\(\[Plateau\(.*\)\], ...\): a controller has init"),
    ],
)
def test_what_is_no_controller_is_refused(controller: Any, message: str) -> None:
    with pytest.raises(InvalidType, match=message):
        replay(controller, {"val_loss": [1.0]})


@pytest.mark.parametrize(
    "controller", [PLATEAU, After(0, Within(0, 1, PLATEAU)), Primed(PLATEAU, [])], ids=repr
)
def test_a_controller_that_watches_none_of_the_curves_is_reported(controller: Any) -> None:
    with pytest.warns(
        StepsizeWarning, match="its metric is 'val_loss' and the curves are 'vall_oss'"
    ):
        assert replay(controller, {"vall_oss": [1.0, 2.0]}).scale == [1.0, 1.0]


def test_a_controller_that_watches_one_of_the_curves_is_not_reported() -> None:
    replay(Guard(), {"grad_norm": [1.0]})  # what has to be finite is watched as well
    replay(PLATEAU, {"loss": [1.0], "val_loss": [1.0]})
    replay(PLATEAU, {})
    replay(Listener(), {"anything": [1.0]})  # does not say what it watches
