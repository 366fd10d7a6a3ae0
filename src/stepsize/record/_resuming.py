"""Going on with a run that is in the file already."""

import sqlite3
import time
from dataclasses import replace

import numpy as np

from stepsize.checks import checked_whole_number
from stepsize.errors import RunFileError
from stepsize.record._process import is_alive
from stepsize.record._rows import OpenRun, write_segment
from stepsize.record._schema import encode_text
from stepsize.record._sealing import write_chunks

__all__ = ["resumed_run"]

_SILENT_SECONDS = 600.0


def resumed_run(
    connection: sqlite3.Connection, given: OpenRun, resume: bool | int, call: str
) -> OpenRun | None:
    """The run to go on with, in a new segment; None if no run has its name yet.

    Args:
        connection: Inside a transaction.
        given: What the recorder was given.
        resume: True for the latest run of the given name, or a run's id.
        call: What asks for it, as messages name it.

    Raises:
        RunFileError: There is no run of this id, or another process is recording it.
    """
    run_id = _wanted(connection, given, resume, call)
    if run_id is None:
        return None
    name, config, started, written, plan, fingerprint, total = connection.execute(
        "SELECT name, config, started, written, plan, fingerprint, checksum FROM runs WHERE id = ?",
        (run_id,),
    ).fetchone()
    run = replace(
        given,
        id=run_id,
        name=name,
        config=config,
        started=started,
        written=max(given.written, written),
        plan=plan if given.plan is None else given.plan,
        fingerprint=fingerprint if given.fingerprint is None else given.fingerprint,
        segment_started=max(given.started, written),
        is_checked=total is not None,
    )
    _end_segments(connection, run, written, call)
    _count(connection, run)
    _seal_batches(connection, run)
    connection.execute(
        "UPDATE runs SET plan = CAST(? AS TEXT), fingerprint = ? WHERE id = ?",
        (None if run.plan is None else encode_text(run.plan), run.fingerprint, run_id),
    )
    run.first_chunk, run.first_decision = run.chunks, run.decisions
    return run


def _wanted(
    connection: sqlite3.Connection, given: OpenRun, resume: bool | int, call: str
) -> int | None:
    if resume is True:
        found = connection.execute(
            "SELECT max(id) FROM runs WHERE name = CAST(? AS TEXT)", (encode_text(given.name),)
        ).fetchone()
        return found[0]
    wanted = checked_whole_number(call, "resume", resume)
    if connection.execute("SELECT id FROM runs WHERE id = ?", (wanted,)).fetchone() is None:
        ids = [str(number) for (number,) in connection.execute("SELECT id FROM runs")]
        raise RunFileError(
            call,
            "{resume} must be the id of a run",
            f"is {wanted}",
            f"There are: {', '.join(ids) or 'none'}.",
            "resume",
        )
    return wanted


def _end_segments(connection: sqlite3.Connection, run: OpenRun, written: float, call: str) -> None:
    """End the segments of processes that were killed; refuse where one goes on."""
    rows = connection.execute(
        "SELECT run, number, start, started, ended, status, first_chunk, first_decision, process "
        "FROM segments WHERE run = ? ORDER BY number",
        (run.id,),
    ).fetchall()
    for row in rows:
        if row[4] is None:
            alive = is_alive(row[8])
            if alive or (alive is None and time.time() - written < _SILENT_SECONDS):
                raise RunFileError(
                    call,
                    "a run is recorded by one process at a time",
                    f"run {run.id} is still recorded by {row[8]}",
                    "Wait for its end, or give another name.",
                )
            write_segment(connection, (*row[:4], written, "abandoned", *row[6:]))
    if not rows:  # a run of version 1 is its first segment
        row = run.id, 0, None, run.started, written, "unknown", 0, 0, "-"
        write_segment(connection, row)


def _count(connection: sqlite3.Connection, run: OpenRun) -> None:
    """What is in the file: its series, chunks, decisions and segments."""
    for number, kind, name in connection.execute(
        "SELECT number, kind, name FROM series WHERE run = ? ORDER BY number", (run.id,)
    ).fetchall():
        run.series[kind, name] = number
        lengths = connection.execute(
            "SELECT coalesce(sum(length(points)), 0) FROM chunks WHERE run = ? AND series = ?",
            (run.id, number),
        ).fetchone()
        run.points[number] = lengths[0] // 16
    counts = {
        table: connection.execute(
            f"SELECT coalesce(max(number) + 1, 0) FROM {table} WHERE run = ?",  # noqa: S608
            (run.id,),
        ).fetchone()[0]
        for table in ("chunks", "decisions", "segments")
    }
    run.chunks, run.decisions = counts["chunks"], counts["decisions"]
    run.segment = counts["segments"]


def _seal_batches(connection: sqlite3.Connection, run: OpenRun) -> None:
    """What a killed process left in batches becomes chunks."""
    rows = connection.execute(
        "SELECT points FROM batches WHERE run = ? ORDER BY number", (run.id,)
    ).fetchall()
    triples = np.frombuffer(b"".join(points for (points,) in rows), "<f8").reshape(-1, 3)
    connection.execute("DELETE FROM batches WHERE run = ?", (run.id,))
    if len(triples):
        run.sealed(write_chunks(connection, run.id, run.chunks, triples))
