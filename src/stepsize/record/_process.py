"""Which process records a run, and whether it still does."""

import os
import socket
from pathlib import Path

__all__ = ["is_alive", "this_process"]


def this_process() -> str:
    """The name of this process among those of all machines: host, number, and when it began."""
    return f"{socket.gethostname()} {os.getpid()} {_began(os.getpid())}"


def is_alive(process: str) -> bool | None:
    """Whether a process, by the name that :func:`this_process` gave it, runs; None if not known.

    >>> is_alive(this_process())
    True
    """
    host, number, began = f"{process} ? ?".split()[:3]
    if host != socket.gethostname() or os.name != "posix" or not number.isdecimal():
        return None
    try:
        os.kill(int(number), 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        pass
    return began == _began(int(number))


def _began(number: int) -> str:
    """When a process began: numbers are given again. Empty where the system does not say."""
    try:
        status = Path(f"/proc/{number}/stat").read_text(encoding="utf-8", errors="replace")
        return status.rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        return "-"
