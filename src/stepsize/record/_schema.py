"""The tables of a run file, and the checksums of their rows.

A run file is an SQLite database in WAL mode, so that readers and several writers do not wait for
each other's pages. Its tables:

    runs       one row per run; ``ended`` stays NULL until the run is closed
    series     the names of a run's curves; ``kind`` is "quantity" or "metric"
    batches    what one flush brought, all series together: triples (series, position, value)
    chunks     many points of one series together: pairs (position, value); and their extremes
    decisions  what was decided, with reasons, and what they are made of
    segments   the parts of a run that was resumed: where each began, and how it ended
    forecasts  what was expected of the run, when it was made
    layout     the version that the file was written for

A flush appends one small row to ``batches``, however many series there are. When enough points
have gathered, the writer replaces its batches by one chunk per series. A batch or a chunk is a
BLOB of little-endian float64: in a column, SQLite would turn NaN into NULL. Times are seconds
since 1970 (UTC); ``config``, ``summary``, ``evidence`` and the like are JSON as Python writes it,
so they may hold NaN.

Each row holds the checksum of all else in it, its key included, and a run's row counts the rows
that belong to it: what a failing disk changes or drops is noticed, wherever it lies.

``user_version`` is the oldest version whose readers understand the file. Version 1 had neither
checksums nor segments; it reads files of version 2, and files of version 1 gain what they lack
when a run is next recorded into them.
"""

import math
import sqlite3
import zlib
from collections.abc import Mapping
from typing import Final, TypeAlias

__all__ = [
    "APPLICATION_ID",
    "READABLE_BY",
    "TABLES",
    "VERSION",
    "Stored",
    "checksum",
    "create_tables",
    "decode_text",
    "encode_text",
    "stored_number",
    "upgrade_tables",
]

Stored: TypeAlias = "str | bytes | float | int | None"

APPLICATION_ID: Final = int.from_bytes(b"step")
VERSION: Final = 2
READABLE_BY: Final = 1

TABLES: Final[Mapping[str, str]] = {
    "runs": """
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        name TEXT NOT NULL,
        config TEXT NOT NULL,
        started REAL NOT NULL,
        written REAL NOT NULL,
        ended REAL,
        status TEXT,
        summary TEXT""",
    "series": """
        run INTEGER NOT NULL REFERENCES runs,
        number INTEGER NOT NULL,
        kind TEXT NOT NULL,
        name TEXT NOT NULL""",
    "batches": """
        run INTEGER NOT NULL REFERENCES runs,
        number INTEGER NOT NULL,
        points BLOB NOT NULL""",
    "chunks": """
        run INTEGER NOT NULL REFERENCES runs,
        series INTEGER NOT NULL,
        number INTEGER NOT NULL,
        points BLOB NOT NULL""",
    "decisions": """
        run INTEGER NOT NULL REFERENCES runs,
        number INTEGER NOT NULL,
        position REAL,
        kind TEXT NOT NULL,
        factor REAL,
        reason TEXT NOT NULL""",
    "segments": """
        run INTEGER NOT NULL REFERENCES runs,
        number INTEGER NOT NULL,
        start REAL,
        started REAL NOT NULL,
        ended REAL,
        status TEXT,
        first_chunk INTEGER NOT NULL,
        first_decision INTEGER NOT NULL,
        process TEXT NOT NULL,
        checksum INTEGER""",
    "forecasts": """
        run INTEGER NOT NULL REFERENCES runs,
        number INTEGER NOT NULL,
        position REAL,
        made REAL NOT NULL,
        forecast TEXT NOT NULL,
        checksum INTEGER""",
    "layout": """
        version INTEGER NOT NULL""",
}
"""The columns of each table, those of version 1 where it had the table."""

_KEYS: Final[Mapping[str, str]] = {
    "series": "run, number",
    "batches": "run, number",
    "chunks": "run, series, number",
    "decisions": "run, number",
    "segments": "run, number",
    "forecasts": "run, number",
}

_ADDED: Final[Mapping[str, tuple[str, ...]]] = {
    "runs": (
        "plan TEXT",
        "fingerprint TEXT",
        "failure TEXT",
        "series INTEGER",
        "batches INTEGER",
        "decisions INTEGER",
        "segments INTEGER",
        "checksum INTEGER",
    ),
    "series": ("points INTEGER", "checksum INTEGER"),
    "batches": ("checksum INTEGER",),
    "chunks": ("extremes BLOB", "checksum INTEGER"),
    "decisions": ("evidence TEXT", "checksum INTEGER"),
}
"""What version 2 added to the tables of version 1."""


def create_tables(connection: sqlite3.Connection) -> None:
    """Make the tables of a new file."""
    _create(connection, tuple(TABLES))
    _add_columns(connection)
    connection.execute("INSERT INTO layout VALUES (?)", (VERSION,))
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    connection.execute(f"PRAGMA user_version = {READABLE_BY}")


def upgrade_tables(connection: sqlite3.Connection) -> None:
    """Give a file of version 1 what version 2 added; its runs stay as they are."""
    there = {name for (name,) in connection.execute("SELECT name FROM sqlite_schema")}
    if "layout" not in there:
        _create(connection, tuple(name for name in TABLES if name not in there))
        _add_columns(connection)
        connection.execute("INSERT INTO layout VALUES (?)", (VERSION,))


def _create(connection: sqlite3.Connection, names: tuple[str, ...]) -> None:
    for name in names:
        key = f",\n        PRIMARY KEY ({_KEYS[name]})" if name in _KEYS else ""
        connection.execute(f"CREATE TABLE {name} ({TABLES[name]}{key}\n    )")


def _add_columns(connection: sqlite3.Connection) -> None:
    for table, columns in _ADDED.items():
        for column in columns:
            connection.execute(f"ALTER TABLE {table} ADD COLUMN {column}")


def encode_text(text: str) -> bytes:
    """Keep lone surrogates, which file names can bring. Store the bytes as ``CAST(? AS TEXT)``."""
    return text.encode("utf-8", "surrogatepass")


def decode_text(stored: bytes) -> str:
    """The text that was stored, lone surrogates kept."""
    return stored.decode("utf-8", "surrogatepass")


def stored_number(value: float | None) -> float | None:
    """A number as SQLite gives it back from a column: NaN is NULL, and there is one zero."""
    return None if value is None or math.isnan(value) else value + 0.0


def checksum(*values: Stored) -> int:
    """The checksum of a row: of its values, and of where one ends and the next begins.

    >>> checksum(1, "ab", None) == checksum(1, "a", "b")
    False
    """
    total = 0
    for value in values:
        content = (
            value
            if isinstance(value, bytes)
            else encode_text(value)
            if isinstance(value, str)
            else repr(value).encode()
        )
        total = zlib.crc32(f"{type(value).__name__} {len(content)} ".encode(), total)
        total = zlib.crc32(content, total)
    return total
