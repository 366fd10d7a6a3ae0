"""How a run file is opened: to read it, be it damaged or hostile, or to write it."""

import os
import re
import shutil
import sqlite3
import time
from collections.abc import Generator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from stepsize.errors import InvalidType, RunFileError
from stepsize.record._damage import OURS, WHOLE, damaged, explained
from stepsize.record._schema import (
    APPLICATION_ID,
    TABLES,
    VERSION,
    create_tables,
    decode_text,
    upgrade_tables,
)

__all__ = [
    "BUSY_SECONDS",
    "has_layout",
    "locate",
    "open_for_reading",
    "open_for_writing",
    "reopen_for_writing",
]

BUSY_SECONDS: Final = 10.0

_LARGEST_CELL: Final = 256 * 1024 * 1024
_SCHEMA: Final = """
    SELECT name, type, sql, (SELECT max(hidden) FROM pragma_table_xinfo(found.name))
    FROM sqlite_schema AS found"""
_PLAIN: Final = re.compile(r"CREATE TABLE\b")


def locate(path: str | os.PathLike[str], call: str) -> Path:
    """Return the absolute path, so that a later chdir does not move the file."""
    try:
        file = Path(path).absolute()
    except TypeError:
        raise InvalidType(
            call, "a path is a str or an os.PathLike", f"is a {type(path).__name__}", "", "path"
        ) from None
    if "\0" in str(file):  # SQLite would open the file named by what is before it
        raise RunFileError(
            call, "a path holds no null character", "this one does", "Give another path.", "path"
        )
    if file.is_dir():
        raise RunFileError(
            call, "a file is needed", "the path is a folder", "Give a file in it.", "path"
        )
    return file


@contextmanager
def open_for_reading(path: Path, call: str) -> Generator[sqlite3.Connection, None, None]:
    """A read-only connection inside one transaction: all its queries see the same moment.

    Raises:
        RunFileError: There is no such file, or it holds no runs that this version can read.
    """
    # Never open(path): closing any descriptor of the file drops the locks that SQLite holds on it
    # for a Recorder in the same process.
    try:
        size = path.stat().st_size
    except OSError as error:
        raise RunFileError(call, "the file must be readable", str(error)) from error
    if size == 0:
        raise _nothing_recorded(call, "the file is empty")
    with explained(call), ExitStack() as stack:
        connection = _connect_to_read(path, stack)
        connection.execute("BEGIN")
        if not _is_run_file(connection, call):
            raise _nothing_recorded(call, "the database is empty")
        _require_plain_tables(connection, call)
        _refuse_cut_file(connection, path, call)
        yield connection


def _nothing_recorded(call: str, why: str) -> RunFileError:
    return RunFileError(call, "a run file holds runs", f"{why}: no run was ever recorded in it")


def open_for_writing(path: Path, call: str) -> sqlite3.Connection:
    """Open the run file, and make it one if it is missing or empty.

    Raises:
        RunFileError: The file cannot be written, or it is something else than a run file.
    """
    with explained(call):
        connection = _connect(path, "mode=rwc")
        try:
            with connection:
                connection.execute("BEGIN")  # or another process may create it between two looks
                exists = _is_run_file(connection, call)
            if not exists:
                _create(connection, call)
            _refuse_cut_file(connection, path, call)
            _require_plain_tables(connection, call)
            _prepare_to_write(connection)
            _upgrade(connection)
        except BaseException:
            connection.close()
            raise
    return connection


def reopen_for_writing(path: Path) -> sqlite3.Connection:
    """Open a run file that this process has written before; never create one."""
    connection = _connect(path, "mode=rw")
    _prepare_to_write(connection)
    return connection


def _connect(path: Path, options: str) -> sqlite3.Connection:
    connection = sqlite3.connect(
        f"{path.as_uri()}?{options}",
        uri=True,
        timeout=BUSY_SECONDS,
        isolation_level=None,
        check_same_thread=False,
    )
    connection.text_factory = decode_text
    return connection


def _connect_to_read(path: Path, stack: ExitStack) -> sqlite3.Connection:
    try:
        return _readable(path, "mode=ro", stack)
    except sqlite3.OperationalError as error:
        # In a folder that may not be written, SQLite cannot set up the memory that it shares with
        # writers. Nobody is writing then, and the file can be read as it lies.
        if error.sqlite_errorname not in ("SQLITE_READONLY_DIRECTORY", "SQLITE_CANTOPEN"):
            raise
        if _log_is_empty(path):
            return _readable(path, "immutable=1", stack)
        # A writer was killed and left a log, which can be read beside a copy.
        folder = Path(stack.enter_context(TemporaryDirectory()))
        copy = folder / path.name
        try:
            shutil.copyfile(path, copy)
            shutil.copyfile(f"{path}-wal", f"{copy}-wal")
        except OSError:
            raise error from None
        return _readable(copy, "mode=rw", stack)


def _readable(path: Path, options: str, stack: ExitStack) -> sqlite3.Connection:
    connection = stack.enter_context(closing(_connect(path, options)))
    connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, _LARGEST_CELL)
    connection.execute("PRAGMA trusted_schema = OFF")
    connection.execute("PRAGMA application_id")
    return connection


def _prepare_to_write(connection: sqlite3.Connection) -> None:
    _switch_to_wal(connection)
    # Survives the death of the process. NORMAL leaves out the disk sync per commit, so that after
    # a power failure the file is whole but may lack the last commits.
    connection.execute("PRAGMA synchronous = NORMAL")


def _switch_to_wal(connection: sqlite3.Connection) -> None:
    """While another process does the same to a new file, SQLite refuses without any waiting."""
    given_up = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            busy = error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY
            if not busy or time.monotonic() > given_up:
                raise
            time.sleep(0.005)


def _is_run_file(connection: sqlite3.Connection, call: str) -> bool:
    """Return False for an empty database; refuse everything else that is not a run file."""
    application = _number(connection, "PRAGMA application_id")
    version = _number(connection, "PRAGMA user_version")
    if application == APPLICATION_ID:
        if version > VERSION:
            raise RunFileError(
                call,
                f"this version of stepsize knows the layouts up to {VERSION}",
                f"the file has layout {version}",
                "Upgrade stepsize.",
            )
        return True
    if application or version or _number(connection, "SELECT count(*) FROM sqlite_schema"):
        raise RunFileError(
            call, OURS[0], "the file is an SQLite database of another program", OURS[1]
        )
    return False


def _require_plain_tables(connection: sqlite3.Connection, call: str) -> None:
    """A view or a computed column could make any number of rows out of a few bytes."""
    for name, kind, text, hidden in connection.execute(_SCHEMA):
        if name not in TABLES:
            continue
        is_plain = kind == "table" and isinstance(text, str) and _PLAIN.match(text) is not None
        if not is_plain or hidden:
            raise damaged(call, f"{name!r} is not a plain table")


def _create(connection: sqlite3.Connection, call: str) -> None:
    with connection:
        connection.execute("BEGIN IMMEDIATE")
        if _is_run_file(connection, call):  # another process was faster
            return
        create_tables(connection)


def _upgrade(connection: sqlite3.Connection) -> None:
    if not has_layout(connection):
        with connection:
            connection.execute("BEGIN IMMEDIATE")
            upgrade_tables(connection)


def has_layout(connection: sqlite3.Connection) -> bool:
    """Whether a file has what version 2 added."""
    query = "SELECT count(*) FROM sqlite_schema WHERE name = 'layout'"
    return bool(_number(connection, query))


def _refuse_cut_file(connection: sqlite3.Connection, path: Path, call: str) -> None:
    """SQLite reads what is missing from the last page as zeros, without an error."""
    pages = _number(connection, "PRAGMA page_count")
    expected = pages * _number(connection, "PRAGMA page_size")
    size = path.stat().st_size
    if size < expected and _log_is_empty(path):  # else the missing pages may be in the log
        raise RunFileError(
            call, WHOLE[0], f"was cut short: it has {size} of {expected} bytes", WHOLE[1]
        )


def _log_is_empty(path: Path) -> bool:
    log = Path(f"{path}-wal")
    return not log.exists() or log.stat().st_size == 0


def _number(connection: sqlite3.Connection, query: str) -> int:
    return connection.execute(query).fetchone()[0]
