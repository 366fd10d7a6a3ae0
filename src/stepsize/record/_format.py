"""The run file: its tables, its mark, and how it is opened.

A run file is an SQLite database in WAL mode, so that readers and several writers do not wait for
each other's pages. Its tables:

    runs       one row per run; ``ended`` stays NULL until the run is closed
    series     the names of a run's curves; ``kind`` is "quantity" or "metric"
    batches    what one flush brought, all series together: triples (series, position, value)
    chunks     many points of one series together: pairs (position, value)
    decisions  what was decided, with reasons

A flush appends one small row to ``batches``, however many series there are. When enough points
have gathered, the writer replaces its batches by one chunk per series. A batch or a chunk is a
BLOB of little-endian float64: in a column, SQLite would turn NaN into NULL. Times are seconds
since 1970 (UTC); ``config`` and ``summary`` are JSON as Python writes it, so they may hold NaN.
"""

import os
import sqlite3
import time
from collections.abc import Generator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final

from stepsize.errors import InvalidType, RunFileError

__all__ = [
    "BUSY_SECONDS",
    "decode_text",
    "encode_text",
    "explained",
    "locate",
    "open_for_reading",
    "open_for_writing",
    "reopen_for_writing",
]

APPLICATION_ID: Final = int.from_bytes(b"step")
VERSION: Final = 1
BUSY_SECONDS: Final = 10.0

TABLES: Final = (
    """CREATE TABLE runs (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        name TEXT NOT NULL,
        config TEXT NOT NULL,
        started REAL NOT NULL,
        written REAL NOT NULL,
        ended REAL,
        status TEXT,
        summary TEXT
    )""",
    """CREATE TABLE series (
        run INTEGER NOT NULL REFERENCES runs,
        number INTEGER NOT NULL,
        kind TEXT NOT NULL,
        name TEXT NOT NULL,
        PRIMARY KEY (run, number)
    )""",
    """CREATE TABLE batches (
        run INTEGER NOT NULL REFERENCES runs,
        number INTEGER NOT NULL,
        points BLOB NOT NULL,
        PRIMARY KEY (run, number)
    )""",
    """CREATE TABLE chunks (
        run INTEGER NOT NULL REFERENCES runs,
        series INTEGER NOT NULL,
        number INTEGER NOT NULL,
        points BLOB NOT NULL,
        PRIMARY KEY (run, series, number)
    )""",
    """CREATE TABLE decisions (
        run INTEGER NOT NULL REFERENCES runs,
        number INTEGER NOT NULL,
        position REAL,
        kind TEXT NOT NULL,
        factor REAL,
        reason TEXT NOT NULL,
        PRIMARY KEY (run, number)
    )""",
)

CAUSES: Final = {
    sqlite3.SQLITE_NOTADB: "the file is not an SQLite database, so it is no run file. "
    "Give a file that a Recorder wrote",
    sqlite3.SQLITE_CORRUPT: "the file is damaged or was cut short. Restore it from a copy",
    sqlite3.SQLITE_CANTOPEN: "the file cannot be opened. "
    "See that its folder exists and may be written by you",
    sqlite3.SQLITE_PERM: "the file may not be opened by you. Change its permissions",
    sqlite3.SQLITE_READONLY: "the file may not be written by you. Change its permissions",
    sqlite3.SQLITE_FULL: "the disk is full. Free some space",
    sqlite3.SQLITE_IOERR: "the disk cannot be read or written, or is full. "
    "See to its free space and its health",
    sqlite3.SQLITE_BUSY: "another process keeps the file locked. "
    "End what holds it, or record into a file of its own",
}


def encode_text(text: str) -> bytes:
    """Keep lone surrogates, which file names can bring. Store the bytes as ``CAST(? AS TEXT)``."""
    return text.encode("utf-8", "surrogatepass")


def decode_text(stored: bytes) -> str:
    """The text that was stored, lone surrogates kept."""
    return stored.decode("utf-8", "surrogatepass")


@contextmanager
def explained(call: str) -> Generator[None, None, None]:
    """Turn what SQLite raises into a RunFileError that opens with ``call``."""
    try:
        yield
    except UnicodeDecodeError as error:
        raise RunFileError(f"{call}: {CAUSES[sqlite3.SQLITE_CORRUPT]} ({error}).") from error
    except sqlite3.Error as error:
        # Absent where Python's module, not the database, refused.
        code: int = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR)
        cause = CAUSES.get(code & 0xFF, "the file cannot be used")
        raise RunFileError(f"{call}: {cause} (SQLite: {error}).") from error


def locate(path: str | os.PathLike[str], call: str) -> Path:
    """Return the absolute path, so that a later chdir does not move the file."""
    try:
        file = Path(path).absolute()
    except TypeError:
        raise InvalidType(
            f"{call}: a path is a str or an os.PathLike, got {type(path).__name__}."
        ) from None
    if "\0" in str(file):  # SQLite would open the file named by what is before it
        raise RunFileError(f"{call}: a path holds no null character. Give another path.")
    if file.is_dir():
        raise RunFileError(f"{call}: the path is a folder. Give the path of a file in it.")
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
        raise RunFileError(f"{call}: the file cannot be read: {error}.") from error
    if size == 0:
        raise RunFileError(f"{call}: the file is empty: no run was ever recorded in it.")
    with explained(call), closing(_connect_to_read(path)) as connection:
        connection.execute("BEGIN")
        if not _is_run_file(connection, call):
            raise RunFileError(f"{call}: the database is empty: no run was ever recorded in it.")
        _refuse_cut_file(connection, path, call)
        yield connection


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
            _prepare_to_write(connection)
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
    return sqlite3.connect(
        f"{path.as_uri()}?{options}",
        uri=True,
        timeout=BUSY_SECONDS,
        isolation_level=None,
        check_same_thread=False,
    )


def _connect_to_read(path: Path) -> sqlite3.Connection:
    connection = _connect(path, "mode=ro")
    connection.text_factory = decode_text
    try:
        connection.execute("PRAGMA application_id")
    except sqlite3.OperationalError as error:
        connection.close()
        # In a folder that may not be written, SQLite cannot set up the memory that it shares with
        # writers. Nobody is writing then, and the file can be read as it lies, unless a writer was
        # killed and left a log.
        if error.sqlite_errorname != "SQLITE_READONLY_DIRECTORY" or not _log_is_empty(path):
            raise
        connection = _connect(path, "immutable=1")
        connection.text_factory = decode_text
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
    """Return False for an empty database; refuse everything else that is no run file."""
    application = _number(connection, "PRAGMA application_id")
    version = _number(connection, "PRAGMA user_version")
    if application == APPLICATION_ID:
        if version > VERSION:
            raise RunFileError(
                f"{call}: the file has layout {version}, and this version of stepsize knows the "
                f"layouts up to {VERSION}. Upgrade stepsize."
            )
        return True
    if application or version or _number(connection, "SELECT count(*) FROM sqlite_schema"):
        raise RunFileError(
            f"{call}: the file is an SQLite database of another program. "
            "Give a file that a Recorder wrote, or a new one."
        )
    return False


def _create(connection: sqlite3.Connection, call: str) -> None:
    with connection:
        connection.execute("BEGIN IMMEDIATE")
        if _is_run_file(connection, call):  # another process was faster
            return
        for table in TABLES:
            connection.execute(table)
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {VERSION}")


def _refuse_cut_file(connection: sqlite3.Connection, path: Path, call: str) -> None:
    """SQLite reads what is missing from the last page as zeros, and says nothing."""
    pages = _number(connection, "PRAGMA page_count")
    expected = pages * _number(connection, "PRAGMA page_size")
    size = path.stat().st_size
    if size < expected and _log_is_empty(path):  # else the missing pages may be in the log
        raise RunFileError(
            f"{call}: the file was cut short: it has {size} of {expected} bytes. "
            "Restore it from a copy."
        )


def _log_is_empty(path: Path) -> bool:
    log = Path(f"{path}-wal")
    return not log.exists() or log.stat().st_size == 0


def _number(connection: sqlite3.Connection, query: str) -> int:
    return connection.execute(query).fetchone()[0]
