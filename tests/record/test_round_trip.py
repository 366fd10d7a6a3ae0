"""What is recorded is read back, bit by bit."""

import gc
import math
import struct
import time
from itertools import count
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stepsize.errors import InvalidType, InvalidValue, TrainingStopped
from stepsize.record import RecordedDecision, Recorder, Series, _writer, read_runs
from stepsize.signals import Scale, Stop, Tick

# From the bits, or hypothesis would try few of the 2^53 NaNs.
numbers = st.floats() | st.binary(min_size=8, max_size=8).map(lambda b: struct.unpack("d", b)[0])
# With lone surrogates, which text() alone leaves out.
names = st.text(st.characters(), max_size=8)
curves = st.dictionaries(names, numbers, max_size=4)
decisions = st.builds(Scale, numbers, names) | st.builds(Stop, names)
ticks = st.builds(Tick, numbers, curves, curves, st.lists(decisions, max_size=2).map(tuple))


def bits(numbers):
    return np.asarray(numbers, np.float64).view(np.uint64).tolist()


def pairs(series):
    return list(zip(bits(series.positions), bits(series.values), strict=True))


@pytest.fixture(scope="module")
def crowded_file(tmp_path_factory):
    """One file for all examples: each is one more run of the same name in it."""
    return tmp_path_factory.mktemp("runs") / "runs.db"


@given(
    acts=st.lists(ticks | st.just("flush"), max_size=20),
    points_per_seal=st.sampled_from([1, 5, 100_000]),
)
def test_whatever_is_recorded_is_read_back_bit_by_bit_in_order(crowded_file, acts, points_per_seal):
    expected = {"quantities": {}, "metrics": {}}
    expected_decisions = []
    with (
        patch.object(_writer, "POINTS_PER_SEAL", points_per_seal),
        Recorder(crowded_file) as recorder,
    ):
        for act in acts:
            if act == "flush":
                recorder.flush()
                continue
            recorder(act)
            for kind, curves in expected.items():
                for name, value in getattr(act, kind).items():
                    curves.setdefault(name, []).append((*bits([act.position]), *bits([value])))
            expected_decisions += [(act.position, decision) for decision in act.decisions]
        recorder.flush()
        followed = read_runs(crowded_file)[-1]
        while_open = (followed.quantities, followed.metrics)
    run = read_runs(crowded_file)[-1]
    for quantities, metrics in [while_open, (run.quantities, run.metrics)]:
        assert {name: pairs(series) for name, series in quantities.items()} == expected[
            "quantities"
        ]
        assert {name: pairs(series) for name, series in metrics.items()} == expected["metrics"]
    assert list(map(repr, run.decisions)) == [
        repr(
            RecordedDecision(position, "scale", decision.factor, decision.reason)
            if isinstance(decision, Scale)
            else RecordedDecision(position, "stop", None, decision.reason)
        )
        for position, decision in expected_decisions
    ]
    assert set(run) == set(run.names) == expected["quantities"].keys() | expected["metrics"].keys()


@given(
    name=names,
    status=names,
    config=st.dictionaries(
        names,
        st.recursive(
            st.none() | st.booleans() | st.integers() | numbers | names,
            lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3),
            max_leaves=5,
        ),
        max_size=3,
    ),
)
def test_name_status_config_and_summary_are_read_back(crowded_file, name, status, config):
    recorder = Recorder(crowded_file, name, config)
    recorder.finish(status, config)
    run = read_runs(crowded_file)[-1]
    assert (run.id, run.name, run.status) == (recorder.run_id, name, status)
    assert repr(run.config) == repr(run.summary) == repr(config)


def test_more_points_than_one_chunk_holds_stay_in_order(tmp_path):
    total = 3 * _writer.POINTS_PER_SEAL // 2
    with Recorder(tmp_path / "runs.db") as recorder:
        for step in range(total):
            recorder(Tick(step, {"lr": 1 / (1 + step)}, {"loss": -step}))
            if step % 10_000 == 0:
                recorder.flush()
    [run] = read_runs(tmp_path / "runs.db")
    steps = np.arange(total, dtype=np.float64)
    np.testing.assert_array_equal(run["lr"], Series(steps, 1 / (1 + steps)))
    np.testing.assert_array_equal(run["loss"], Series(steps, -steps))


def test_a_loop_faster_than_the_disk_waits_and_loses_nothing(tmp_path):
    with (
        patch("stepsize.record._recorder.LONGEST_QUEUE", 100),
        Recorder(tmp_path / "runs.db") as recorder,
    ):
        for step in range(5_000):
            recorder(Tick(step, {"lr": 1.0}))
            assert len(recorder._writer.queue) <= 100
    assert len(read_runs(tmp_path / "runs.db")[0]["lr"].values) == 5_000


def test_a_name_used_twice_gives_two_runs(tmp_path):
    for rate in (0.1, 0.2):
        with Recorder(tmp_path / "runs.db", "baseline") as recorder:
            recorder(Tick(0, {"lr": rate}))
    first, second = read_runs(tmp_path / "runs.db")
    assert first.name == second.name == "baseline"
    assert first.id < second.id
    assert (first["lr"].values, second["lr"].values) == (0.1, 0.2)


def test_a_run_is_followed_while_it_goes_on(tmp_path):
    with Recorder(tmp_path / "runs.db") as recorder:
        [run] = read_runs(tmp_path / "runs.db")
        assert (run.status, run.ended, run.summary, run.names) == ("unfinished", None, {}, ())
        for length in range(1, 4):
            recorder(Tick(length, {"lr": 1.0}))
            recorder.flush()
            assert len(run["lr"].positions) == length
    [run] = read_runs(tmp_path / "runs.db")
    assert run.status == "finished"
    assert run.started <= run.written == run.ended


def test_what_is_recorded_arrives_without_flush_or_close(tmp_path):
    with Recorder(tmp_path / "runs.db") as recorder:
        recorder(Tick(0, {"lr": 1.0}))
        [run] = read_runs(tmp_path / "runs.db")
        given_up = time.monotonic() + 60
        while "lr" not in run:
            assert time.monotonic() < given_up
        assert run["lr"].values == 1.0


@pytest.mark.parametrize(
    ("raised", "status"),
    [
        (TrainingStopped, "stopped"),
        (KeyboardInterrupt, "interrupted"),
        (ZeroDivisionError, "crashed"),
    ],
)
def test_an_exception_ends_the_run_under_its_status_and_goes_on(tmp_path, raised, status):
    def train():
        with Recorder(tmp_path / "runs.db") as recorder:
            recorder(Tick(0, {"lr": 1.0}))
            raise raised

    with pytest.raises(raised):
        train()
    [run] = read_runs(tmp_path / "runs.db")
    assert run.status == status
    assert run.ended is not None
    assert len(run["lr"].values) == 1


def test_a_forgotten_recorder_loses_nothing(tmp_path):
    recorder = Recorder(tmp_path / "runs.db")
    recorder(Tick(0, {"lr": 1.0}))
    del recorder
    gc.collect()
    [run] = read_runs(tmp_path / "runs.db")
    assert run.status == "abandoned"
    assert len(run["lr"].values) == 1


def test_closing_again_changes_nothing(tmp_path):
    with Recorder(tmp_path / "runs.db") as recorder:
        recorder.finish("stopped", {"loss": math.nan})
        recorder.close()
    [run] = read_runs(tmp_path / "runs.db")
    assert run.status == "stopped"
    assert math.isnan(run.summary["loss"])


def test_a_closed_run_is_a_single_file(tmp_path):
    with Recorder(tmp_path / "runs.db") as recorder:
        recorder(Tick(0, {"lr": 1.0}))
    assert [file.name for file in tmp_path.iterdir()] == ["runs.db"]


def test_the_file_stays_where_it_was_when_the_folder_changes(tmp_path, monkeypatch):
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path)
    with Recorder("runs #1?%20.db") as recorder:
        monkeypatch.chdir(tmp_path / "elsewhere")
        recorder(Tick(0, {"lr": 1.0}))
    assert len(read_runs("../runs #1?%20.db")[0]["lr"].values) == 1


def test_a_name_that_is_a_quantity_and_a_metric_is_asked_for_by_kind(tmp_path):
    with Recorder(tmp_path / "runs.db") as recorder:
        recorder(Tick(0, {"lr": 1.0}, {"lr": 2.0}))
    [run] = read_runs(tmp_path / "runs.db")
    assert run.names == ("lr",)
    assert (run.quantities["lr"].values, run.metrics["lr"].values) == (1.0, 2.0)
    with pytest.raises(InvalidValue, match=r"\.quantities\['lr'\] or \.metrics\['lr'\]"):
        run["lr"]


def test_an_unknown_curve_is_answered_with_those_there_are(tmp_path):
    with Recorder(tmp_path / "runs.db") as recorder:
        recorder(Tick(0, {"lr": 1.0}, {"loss": 2.0}))
    [run] = read_runs(tmp_path / "runs.db")
    with pytest.raises(InvalidValue, match=r"\['los'\].*'lr', 'loss'"):
        run["los"]
    with pytest.raises(InvalidType, match="int"):
        run[0]


def record_until_it_objects(recorder):
    for _ in count():
        recorder(Tick(0))


def test_one_bad_number_is_named_and_all_else_is_kept(tmp_path):
    recorder = Recorder(tmp_path / "runs.db")
    recorder(Tick(0, {"lr": 1.0}, {"loss": "high", "accuracy": 0.5}))
    recorder(Tick(1, {"lr": 1.0}))
    with pytest.raises(InvalidType, match="metric 'loss' at position 0 is 'high'"):
        recorder.flush()
    recorder(Tick(2, {7: 1.0}))
    with pytest.raises(InvalidType, match="quantity 7 at position 2"):
        record_until_it_objects(recorder)
    recorder(Tick(3, {}, {}, (Scale("half", "flat"), Stop("flat"))))
    with pytest.raises(InvalidType, match="Scale"):
        recorder.close()
    [run] = read_runs(tmp_path / "runs.db")
    assert run.status == "finished"
    assert len(run["accuracy"].values) == 1
    assert len(run["lr"].values) == 2
    assert [decision.kind for decision in run.decisions] == ["stop"]
