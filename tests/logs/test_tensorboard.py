"""TensorBoard's event files, as tensorboard itself writes them."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from stepsize.errors import RunFileError
from stepsize.logs import read_logs

pytest.importorskip("tensorboard")
from tensorboard.compat.proto import event_pb2, summary_pb2
from tensorboard.summary.writer.event_file_writer import EventFileWriter
from tensorboard.util.tensor_util import make_tensor_proto


def event(step: int, **values: float) -> Any:
    found = [
        summary_pb2.Summary.Value(tag=name.replace("__", "/"), simple_value=value)
        for name, value in values.items()
    ]
    return event_pb2.Event(step=step, summary=summary_pb2.Summary(value=found))


def log(folder: Path, *events: Any) -> Path:
    writer = EventFileWriter(str(folder))
    for each in events:
        writer.add_event(each)
    writer.close()
    [*_, path] = sorted(folder.glob("*tfevents*"))
    return path


def test_scalars_are_read_with_one_run_per_folder(tmp_path: Path) -> None:
    for name in ("first", "second"):
        log(tmp_path / name, *(event(step, train__loss=1 / 2**step, lr=0.5) for step in range(9)))
    first, second = read_logs(tmp_path)
    assert [first.name, second.name, first.form] == ["first", "second", "TensorBoard"]
    assert first.metrics["train/loss"].values.tolist() == [1 / 2**step for step in range(9)]
    assert first.quantities["lr"].positions.tolist() == list(range(9))


def test_scalars_that_newer_tools_write_as_tensors_are_read(tmp_path: Path) -> None:
    metadata = summary_pb2.SummaryMetadata(
        plugin_data=summary_pb2.SummaryMetadata.PluginData(plugin_name="scalars")
    )
    events = [
        event_pb2.Event(
            step=step,
            summary=summary_pb2.Summary(
                value=[
                    summary_pb2.Summary.Value(
                        tag="loss",
                        metadata=metadata,
                        tensor=make_tensor_proto(2.0 - step, dtype="float32"),
                    )
                ]
            ),
        )
        for step in range(3)
    ]
    [run] = read_logs(log(tmp_path, *events))
    assert run.metrics["loss"].values.tolist() == [2, 1, 0]


def test_a_file_that_was_cut_short_is_read_up_to_there_and_noted(tmp_path: Path) -> None:
    path = log(tmp_path, *(event(step, loss=1.0) for step in range(50)))
    path.write_bytes(path.read_bytes()[:-10])
    [run] = read_logs(path)
    assert len(run.metrics["loss"].values) == 49
    assert "was cut short or damaged" in str(run.notes[0])
    assert run.cut_short


def test_a_changed_byte_is_noticed(tmp_path: Path) -> None:
    path = log(tmp_path, *(event(step, loss=1.0) for step in range(50)))
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    [run] = read_logs(path)
    assert 0 < len(run.metrics["loss"].values) < 50
    assert "damaged" in str(run.notes[0])


def test_a_folder_without_scalars_does_not_hide_the_others(tmp_path: Path) -> None:
    log(tmp_path / "a_empty")
    for name in ("b", "c"):
        log(tmp_path / name, *(event(step, loss=1.0) for step in range(3)))
    first, second = read_logs(tmp_path)
    assert [first.name, second.name] == ["b", "c"]
    assert tuple(map(str, first.notes)) == (
        f"Left out: {str(tmp_path / 'a_empty')!r}: the event files hold no scalars.",
    )
    assert tuple(map(str, second.notes)) == ()


def test_scalars_without_a_step_are_numbered_and_a_note_says_so(tmp_path: Path) -> None:
    [run] = read_logs(log(tmp_path, *(event(0, loss=float(each)) for each in range(600))))
    assert run.metrics["loss"].positions.tolist() == list(range(600))
    assert "All steps that were logged are equal" in str(run.notes[0])


def test_a_file_without_scalars_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RunFileError, match="hold no scalars"):
        read_logs(log(tmp_path))


def test_without_tensorboard_the_command_that_installs_it_is_named(tmp_path: Path) -> None:
    path = log(tmp_path, event(0, loss=1.0))
    code = f"""
import sys
sys.modules["tensorboard"] = None  # as if it were not installed
from stepsize import MissingExtra
from stepsize.logs import read_logs
try:
    read_logs({str(path)!r})
except MissingExtra as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "pip install 'stepsize[logs]'" in done.stdout
