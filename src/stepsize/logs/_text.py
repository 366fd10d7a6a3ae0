"""The text of a file, whichever of the usual encodings it has, and the numbers in it."""

import codecs
import json
import re
from pathlib import Path
from typing import Any, Final

from stepsize.errors import RunFileError

__all__ = ["LARGEST_BYTES", "not_a_log", "number", "parse_json", "read_text"]

LARGEST_BYTES: Final = 2**30
"""Bytes of a text file: what is larger would not fit into the memory of a laptop as rows."""

_CONTROL: Final = re.compile(rb"[\x00-\x07\x0e-\x1a\x1c-\x1f]")
_SEEN: Final = 1024
"""Bytes of the beginning that show whether a text has two bytes per character."""


def read_text(path: Path, call: str) -> str:
    """The text of a file: UTF-8, or UTF-16 with its mark or without.

    Raises:
        RunFileError: It is too large, or not a text.
    """
    size = path.stat().st_size
    if size > LARGEST_BYTES:
        raise RunFileError(
            call,
            f"a text log may have at most {LARGEST_BYTES:,} bytes",
            f"this file has {size:,}",
            "Log every tenth step, or cut out the columns that matter.",
        )
    content = path.read_bytes()
    encoding = _encoding(content)
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError as error:
        if encoding != "utf-8-sig" or _CONTROL.search(content):
            raise not_a_log(call, f"its bytes are not a text ({error.reason})") from error
        raise RunFileError(
            call,
            "a text log is UTF-8 or UTF-16",
            f"byte {error.start} of this file is {content[error.start]:#04x}: it may be Latin-1",
            "Save it as UTF-8: iconv -f LATIN1 -t UTF-8.",
        ) from error
    if not text.strip():
        raise RunFileError(call, "the file is empty: nothing was logged in it yet")
    return text


def _encoding(content: bytes) -> str:
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    begin = content[:_SEEN]
    even, odd = begin[::2], begin[1::2]
    # Every other byte of plain letters is 0 in UTF-16.
    if odd and odd.count(0) > 0.7 * len(odd) and even.count(0) < 0.1 * len(even):
        return "utf-16-le"
    if even and even.count(0) > 0.7 * len(even) and odd.count(0) < 0.1 * len(odd):
        return "utf-16-be"
    return "utf-8-sig"


def not_a_log(call: str, why: str, remedy: str = "") -> RunFileError:
    """The refusal of a file that is something else."""
    return RunFileError(call, "the file must be a log that stepsize knows", why, remedy)


def parse_json(text: str) -> Any:
    """What a JSON text says; NaN and Infinity are allowed, as Python writes them.

    Raises:
        ValueError: It is not JSON, or nested too deeply.
    """
    try:
        return json.loads(text)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error


def number(value: Any) -> float | None:
    """The number that a cell holds; None for a text, a gap or a truth value."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        return float(value)
    except (ValueError, OverflowError):
        return None
