"""TensorBoard's event files: the records and their checks are read by tensorboard itself."""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final, cast

from stepsize.errors import MissingExtra, RunFileError
from stepsize.logs._logged import LoggedRun, Points
from stepsize.messages import Message

__all__ = ["event_folders", "read_tensorboard"]

_FRAME: Final = 16
"""Bytes of a record beside its content: the length, and two checksums."""

_PHASES: Final = ("train", "validation", "val", "eval", "test")


def event_folders(folder: Path) -> dict[Path, dict[str, list[Path]]]:
    """The event files below a folder, by the folder of each run and the name that goes before those
    of their curves: nothing, or "train/" and "validation/" of Keras' folders beside each other.
    """
    found: dict[Path, list[Path]] = {}
    for file in sorted(folder.rglob("*tfevents*")):
        if file.is_file():
            found.setdefault(file.parent, []).append(file)
    runs: dict[Path, dict[str, list[Path]]] = {}
    for place, files in found.items():
        if place.name in _PHASES and any(
            other != place and other.parent == place.parent and other.name in _PHASES
            for other in found
        ):
            runs.setdefault(place.parent, {})[f"{place.name}/"] = files
        else:
            runs.setdefault(place, {})[""] = files
    return runs


def read_tensorboard(files: Mapping[str, list[Path]], call: str) -> LoggedRun:
    """One run: event files by what goes before the names of their curves.

    Raises:
        MissingExtra: tensorboard is not installed.
        RunFileError: They hold no scalars.
    """
    points = Points()
    notes: list[Message] = []
    cut_short = False
    for before, file in ((before, file) for before, group in files.items() for file in group):
        read = 0
        for record in _records(file):
            read += _FRAME + len(record)
            for name, step, value in _scalars(record):
                points.add(f"{before}{name}", step, value)
        size = file.stat().st_size
        cut_short = read < size
        if cut_short:
            notes.append(
                Message(
                    "{file:text} was cut short or damaged: {read:number 20} of {size:number 20} "
                    "bytes were read.",
                    file=repr(file.name),
                    read=read,
                    size=size,
                )
            )
    if not points:
        raise RunFileError(
            call, "the event files hold no scalars", remedy=" ".join(map(str, notes))
        )
    first = next(iter(files.values()))[0].parent
    folder = first if "" in files else first.parent
    names = points.names
    return points.run(
        folder.name,
        folder,
        "TensorBoard",
        notes=notes,
        cut_short=cut_short,
        unit="sample" if names and all("Samples/" in name for name in names) else _unit(names),
    )


def _unit(names: Iterable[str]) -> str:
    # Keras writes its means of an epoch at the epoch's number.
    return "epoch" if any(name.split("/")[-1].startswith("epoch_") for name in names) else "step"


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
    except DecodeError:  # its checksum was right: another program wrote it
        return
    for value in event.summary.value:
        if value.HasField("simple_value"):
            yield value.tag, float(event.step), value.simple_value
        elif value.metadata.plugin_data.plugin_name == "scalars" and value.HasField("tensor"):
            scalar = arrays.make_ndarray(value.tensor).reshape(-1)
            yield value.tag, float(event.step), float(scalar[0])
