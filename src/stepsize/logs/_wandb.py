"""W&B's offline runs: protobuf messages, in the log format of LevelDB.

wandb has no reader that Python could call. The frames with their checksums, and the few fields that
matter of the messages, are read here, so that wandb need not be installed.

Sources: LevelDB, doc/log_format.md; wandb/proto/wandb_internal.proto; the wire format of protobuf.
"""

import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Final, TypeAlias

from stepsize.errors import RunFileError
from stepsize.logs._logged import LoggedRun, Points
from stepsize.logs._text import number, parse_json
from stepsize.messages import Message as Note

__all__ = ["MARK", "read_wandb"]

MARK: Final = b":W&B"
"""What the file begins with."""

Message: TypeAlias = dict[int, list[bytes]]
"""By number, the values of a message's fields of variable length; of a repeated one, several."""

_HEADER: Final = 7
_BLOCK: Final = 32_768
_FRAME: Final = struct.Struct("<IHB")
_FULL, _FIRST, _MIDDLE, _LAST = 1, 2, 3, 4

# Numbers of fields in wandb_internal.proto.
_RECORD_HISTORY, _RECORD_RUN = 2, 17
_RUN_DISPLAY_NAME = 8
_HISTORY_ITEM = 1
_ITEM_KEY, _ITEM_NESTED_KEY, _ITEM_VALUE = 1, 2, 16

_VARINT, _EIGHT_BYTES, _VARIABLE, _FOUR_BYTES = 0, 1, 2, 5
_OWN: Final = "_"
"""What the names of wandb's own columns begin with: its step, its clocks."""


class _Damaged(Exception):
    """A frame is not whole; what stands before it is."""


def read_wandb(path: Path, call: str) -> LoggedRun:
    """The run that the file holds.

    Raises:
        RunFileError: It holds no history.
    """
    points = Points()
    name = path.stem
    notes: tuple[Note, ...] = ()
    try:
        for content in _records(path.read_bytes()):
            record = _message(content)
            for run in record.get(_RECORD_RUN, []):
                name = _text(_message(run), _RUN_DISPLAY_NAME) or name
            for history in record.get(_RECORD_HISTORY, []):
                _add(points, _message(history))
    except _Damaged as damage:
        notes = (Note("The file was cut short or damaged: {damage:text}.", damage=str(damage)),)
    except ValueError as error:
        notes = (Note("The file is damaged: {error:text}.", error=str(error)),)
    if not points:
        raise RunFileError(call, "the W&B run holds no history", remedy=" ".join(map(str, notes)))
    return points.run(name, path, "W&B", notes=notes, cut_short=bool(notes))


def _add(points: Points, history: Message) -> None:
    values: dict[str, float] = {}
    for item in map(_message, history.get(_HISTORY_ITEM, [])):
        known = number(parse_json(_text(item, _ITEM_VALUE)))
        nested = b"/".join(item.get(_ITEM_NESTED_KEY, [])).decode("utf-8", "replace")
        if known is not None:
            values[nested or _text(item, _ITEM_KEY)] = known
    step = values.get("trainer/global_step", values.get("_step"))
    if step is None:
        return
    for name, value in values.items():
        if not name.startswith(_OWN) and name != "trainer/global_step":
            points.add(name, step, value)


def _text(message: Message, field: int) -> str:
    return message.get(field, [b""])[-1].decode("utf-8", "replace")


def _message(content: bytes) -> Message:
    """A message's fields of variable length; numbers are skipped.

    Raises:
        ValueError: It is not a message.
    """
    found: Message = {}
    position = 0
    while position < len(content):
        tag, position = _varint(content, position)
        kind = tag & 7
        if kind == _VARINT:
            _, position = _varint(content, position)
            continue
        if kind == _VARIABLE:
            size, position = _varint(content, position)
        elif kind in (_EIGHT_BYTES, _FOUR_BYTES):
            size = 8 if kind == _EIGHT_BYTES else 4
        else:
            raise ValueError(f"a field of kind {kind}")
        if position + size > len(content):
            raise ValueError("a field is not whole")
        if kind == _VARIABLE:
            found.setdefault(tag >> 3, []).append(content[position : position + size])
        position += size
    return found


def _varint(content: bytes, position: int) -> tuple[int, int]:
    value = 0
    for index, byte in enumerate(content[position : position + 10]):
        value |= (byte & 127) << 7 * index
        if byte < 128:
            return value, position + index + 1
    raise ValueError("a number is not whole")


def _records(data: bytes) -> Iterator[bytes]:
    """The contents of the records, put together where they cross the border of a block."""
    position = _HEADER
    begun: list[bytes] = []
    while position < len(data):
        left = _BLOCK - position % _BLOCK
        if left < _FRAME.size:  # no frame begins so near the border
            position += left
            continue
        kind, content = _frame(data, position)
        position += _FRAME.size + len(content)
        begun.append(content)
        if kind in (_FULL, _LAST):
            yield b"".join(begun)
            begun = []
    if begun:
        raise _Damaged("its last record is not whole")


def _frame(data: bytes, position: int) -> tuple[int, bytes]:
    if position + _FRAME.size <= len(data):
        checksum, length, kind = _FRAME.unpack_from(data, position)
        start = position + _FRAME.size
        content = data[start : start + length]
        whole = len(content) == length and kind in (_FULL, _FIRST, _MIDDLE, _LAST)
        if whole and zlib.crc32(content, zlib.crc32(bytes([kind]))) == checksum:
            return kind, content
    raise _Damaged(f"{position:,} of {len(data):,} bytes were read")
