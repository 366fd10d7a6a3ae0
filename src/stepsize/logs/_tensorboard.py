"""TensorBoard's event files: the records and their checks are read by tensorboard itself."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, cast

from stepsize.errors import MissingExtra, RunFileError
from stepsize.logs._logged import LoggedRun, Points

__all__ = ["event_files", "read_tensorboard"]

_FRAME: Final = 16
"""Bytes of a record beside its content: the length, and two checksums."""


def event_files(folder: Path) -> dict[Path, list[Path]]:
    """The event files below a folder, by the folder that they lie in: each is a run."""
    found: dict[Path, list[Path]] = {}
    for file in sorted(folder.rglob("*tfevents*")):
        if file.is_file():
            found.setdefault(file.parent, []).append(file)
    return found


def read_tensorboard(files: list[Path], call: str) -> LoggedRun:
    """One run: all event files of one folder, in the order of their names.

    Raises:
        MissingExtra: tensorboard is not installed.
        RunFileError: They hold no scalars.
    """
    points = Points()
    notes: list[str] = []
    cut_short = False
    for file in files:
        read = 0
        for record in _records(file):
            read += _FRAME + len(record)
            for name, step, value in _scalars(record):
                points.add(name, step, value)
        size = file.stat().st_size
        cut_short = read < size
        if cut_short:
            notes.append(
                f"{file.name!r} was cut short or damaged: {read:,} of {size:,} bytes were read."
            )
    if not points:
        raise RunFileError(" ".join([f"{call}: the event files hold no scalars.", *notes]))
    folder = files[0].parent
    return points.run(folder.name, folder, "TensorBoard", notes=tuple(notes), cut_short=cut_short)


def _records(file: Path) -> Iterator[bytes]:
    try:
        from tensorboard.backend.event_processing import (  # pyright: ignore[reportMissingTypeStubs]
            event_file_loader,
        )
    except ImportError as error:
        raise MissingExtra("Reading TensorBoard's event files", "tensorboard", "logs") from error
    loader: Any = event_file_loader.RawEventFileLoader(str(file))
    yield from loader.Load()


def _scalars(record: bytes) -> Iterator[tuple[str, float, float]]:
    from google.protobuf.message import DecodeError
    from tensorboard.compat.proto import event_pb2  # pyright: ignore[reportMissingTypeStubs]
    from tensorboard.util import tensor_util  # pyright: ignore[reportMissingTypeStubs]

    messages, arrays = cast(Any, event_pb2), cast(Any, tensor_util)
    try:
        event = messages.Event.FromString(record)
    except DecodeError:  # its checksum was right: written by something else
        return
    for value in event.summary.value:
        if value.HasField("simple_value"):
            yield value.tag, float(event.step), value.simple_value
        elif value.metadata.plugin_data.plugin_name == "scalars" and value.HasField("tensor"):
            scalar = arrays.make_ndarray(value.tensor).reshape(-1)
            yield value.tag, float(event.step), float(scalar[0])
