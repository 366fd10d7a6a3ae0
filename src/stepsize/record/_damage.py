"""What is wrong with a file that cannot be used, in words."""

import sqlite3
from collections.abc import Generator
from contextlib import contextmanager
from typing import Final

from stepsize.errors import RunFileError

__all__ = ["OURS", "WHOLE", "damaged", "explained"]

WHOLE: Final = "the file must be a whole run file", "Restore it from a copy."
OURS: Final = "a run file is needed", "Give a file that a Recorder wrote, or a new one."
_CAUSES: Final = {
    sqlite3.SQLITE_NOTADB: (*OURS[:1], "it is not an SQLite database", OURS[1]),
    sqlite3.SQLITE_CORRUPT: (WHOLE[0], "is damaged or was cut short", WHOLE[1]),
    sqlite3.SQLITE_TOOBIG: (WHOLE[0], "holds a value that is too large", WHOLE[1]),
    sqlite3.SQLITE_CANTOPEN: (
        "the file must be readable and writable",
        "cannot be opened",
        "See that its folder exists and may be written by you.",
    ),
    sqlite3.SQLITE_PERM: (
        "the file must be open to you",
        "may not be opened by you",
        "Change its permissions.",
    ),
    sqlite3.SQLITE_READONLY: (
        "the file must be writable",
        "may not be written by you",
        "Change its permissions.",
    ),
    sqlite3.SQLITE_FULL: (
        "what is recorded is written into the file",
        "the disk is full",
        "Free some space.",
    ),
    sqlite3.SQLITE_IOERR: (
        "what is recorded is written into the file",
        "the disk cannot be read or written, or is full",
        "See to its free space and its health.",
    ),
    sqlite3.SQLITE_BUSY: (
        "the file must be free",
        "another process keeps the file locked",
        "End what holds it, or record into a file of its own.",
    ),
}
_UNKNOWN: Final = "the file must be a run file that can be used", "it cannot be used", ""


@contextmanager
def explained(call: str) -> Generator[None, None, None]:
    """Turn what SQLite raises into a RunFileError of ``call``."""
    try:
        yield
    except UnicodeDecodeError as error:
        raise damaged(call, str(error)) from error
    except sqlite3.Error as error:
        # Absent where Python's module, not the database, refused.
        code: int = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR)
        rule, value, remedy = _CAUSES.get(code & 0xFF, _UNKNOWN)
        raise RunFileError(call, rule, f"{value} (SQLite: {error})", remedy) from error


def damaged(call: str, what: str) -> RunFileError:
    """What to raise where the file's content cannot be what was written."""
    return RunFileError(call, WHOLE[0], f"is damaged: {what}", WHOLE[1])
