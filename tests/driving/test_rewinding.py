"""The one decision about a rewind: a pure function of snapshots, states and what was tried."""

from collections.abc import Mapping

import pytest

from stepsize import Constant, Policy, PolicyState, Rewind
from stepsize.driving import (
    Cause,
    Driver,
    GoBack,
    Rewound,
    Trouble,
    Try,
    decide_rewind,
    rewound,
    trouble_of,
)
from stepsize.messages import Message

NAN = Rewind(0.5, "loss is nan", limit=3)
SNAPSHOTS = [0, 50, 100]


def cause(blamed: str) -> Cause:
    return Cause(frozenset({70}), blamed, Message("it was tried"))  # pyright: ignore[reportArgumentType]


def trouble(in_a_row: int = 0, cuts: int = 0) -> Trouble[str]:
    return Trouble({"lr": NAN}, in_a_row, cuts)


def test_the_newest_snapshot_from_before_the_trouble_is_tried_first() -> None:
    assert decide_rewind(trouble(), SNAPSHOTS, 99, {}) == Try(1)
    assert decide_rewind(trouble(), SNAPSHOTS, 100, {}) == Try(2)


@pytest.mark.parametrize(
    ("blamed", "in_a_row", "answer"),
    [
        ("batches", 0, "pass over"),
        ("batches", 2, "pass over"),
        ("rate", 0, "repeat"),
        ("rate", 1, "cut"),
        ("rate", 4, None),
    ],
)
def test_what_is_to_blame_and_how_often_it_returned_decide(
    blamed: str, in_a_row: int, answer: str | None
) -> None:
    found = decide_rewind(trouble(in_a_row), SNAPSHOTS, 60, {1: cause(blamed)})
    assert found == GoBack(1, answer, cause(blamed))  # pyright: ignore[reportArgumentType]


def test_broken_weights_lead_further_back_in_the_end_to_the_start() -> None:
    tried: dict[int, Cause | None] = {}
    for expected in (2, 1, 0):
        asked = decide_rewind(trouble(), SNAPSHOTS, 120, tried)
        assert asked == Try(expected)
        tried[expected] = cause("weights")
    assert decide_rewind(trouble(), SNAPSHOTS, 120, {**tried, 0: cause("rate")}) == GoBack(
        0, "repeat", cause("rate")
    )


def test_where_no_weights_are_better_as_little_as_possible_is_given_up() -> None:
    tried: Mapping[int, Cause | None] = dict.fromkeys(range(3), cause("weights"))
    assert decide_rewind(trouble(), SNAPSHOTS, 120, tried) == GoBack(2, "repeat", cause("weights"))


def test_a_snapshot_that_cannot_be_read_is_passed_over() -> None:
    assert decide_rewind(trouble(), SNAPSHOTS, 120, {2: None}) == Try(1)


def test_after_four_cuts_in_vain_an_older_snapshot_is_tried() -> None:
    assert decide_rewind(trouble(3, cuts=4), SNAPSHOTS, 120, {}) == Try(1)


def test_where_batches_cannot_be_tried_the_rate_is_cut() -> None:
    assert decide_rewind(trouble(), SNAPSHOTS, 60, None) == GoBack(1, "cut")
    assert decide_rewind(trouble(), [], 60, None) == GoBack(None, "cut")
    assert decide_rewind(trouble(4), [], 60, None) == GoBack(None, None)


def driven() -> Driver:
    return Driver.of({"lr": Policy(Constant()), "momentum": Constant()}, [{"lr": 1, "momentum": 1}])


def test_rewinds_in_a_row_are_counted_by_the_states() -> None:
    driver = driven()
    tracks = {track.id: track for track in driver.tracks(driver.init())}
    first, _ = tracks
    progress = driver.with_states(
        driver.init(), {first: PolicyState(rewinds=(Rewound(50, 70, "cut", 0.5, 10, 2, 1),))}
    )
    tracks = {track.id: track for track in driver.tracks(progress)}
    found = trouble_of(tracks, {first: NAN}, dict.fromkeys(tracks, 75))
    assert (found.in_a_row, found.cuts) == (3, 1)
    found = trouble_of(tracks, {first: NAN}, dict.fromkeys(tracks, 1_000))
    assert (found.in_a_row, found.cuts) == (0, 0)


def test_all_tracks_go_back_and_those_that_decided_are_cut_also_by_more_than_they_asked() -> None:
    driver = driven()
    tracks = {track.id: track for track in driver.tracks(driver.init())}
    first, other = tracks
    at = dict.fromkeys(tracks, 0.0)
    states = rewound(
        tracks, Trouble({first: NAN}), "cut", driver.states(driver.init()), at=at, seen=at
    )
    progress = driver.with_states(driver.init(), states)
    assert driver.values(progress, 10)["lr"][0] == pytest.approx(0.5)
    assert driver.values(progress, 10)["momentum"][0] == 1
    deeper = rewound(
        tracks,
        Trouble({first: NAN}),
        "cut",
        driver.states(driver.init()),
        at=at,
        seen=at,
        factor=0.1,
    )
    assert deeper[first].scale == pytest.approx(0.1)
    assert deeper[other].scale == 1
