"""Looking again whenever a file changes, until Ctrl-C."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from stepsize.cli.screen import notice
from stepsize.errors import RunFileError

__all__ = ["follow"]

_PAUSE_SECONDS: Final = 1.0


def follow(
    path: str, look: Callable[[], None], pause: Callable[[float], None] = time.sleep
) -> None:
    """Look at a file at once, and again each time that it has changed, until Ctrl-C.

    What cannot be read is said once, and looked at again when it has changed: a training that has
    just begun may not have logged anything yet.

    Args:
        path: The file, or a folder in which files change.
        look: What to do with it.
        pause: Waits for so many seconds.
    """
    seen: object = None
    told = ""
    try:
        while True:
            now = _state(Path(path))
            if now != seen:
                seen = now
                try:
                    look()
                except RunFileError as error:
                    if str(error) != told:
                        told = str(error)
                        notice(f"Waiting: {told}")
            pause(_PAUSE_SECONDS)
    except KeyboardInterrupt:
        return


def _state(path: Path) -> object:
    """What differs after a change."""
    places = sorted(path.rglob("*")) if path.is_dir() else [path]
    found: list[tuple[str, int, int]] = []
    for place in places:
        try:
            status = place.stat()
        except FileNotFoundError:
            continue
        found.append((str(place), status.st_size, status.st_mtime_ns))
    return found
