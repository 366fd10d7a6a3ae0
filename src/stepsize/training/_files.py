"""Files that are whole or absent, whenever the process or the machine dies."""

import hashlib
import os
import re
from collections.abc import Collection
from pathlib import Path

from stepsize.errors import InvalidValue, StateError

__all__ = ["Blobs", "remove_all_but", "write_whole"]

_BLOB = "[0-9a-f]{64}\\.blob"


def write_whole(path: Path, content: bytes) -> None:
    """Write aside, sync, rename: a reader sees all of ``content`` or what was there before."""
    aside = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        with aside.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        aside.replace(path)
    except BaseException:
        aside.unlink(missing_ok=True)
        raise
    _sync_folder(path.parent)


def remove_all_but(wanted: Collection[str], folder: Path, names: str) -> None:
    """Remove files of a folder, and what killed writers of them left behind.

    Args:
        wanted: The names of those that stay.
        folder: Only files right in it are removed.
        names: The pattern of the names that were written; others are somebody else's files.
    """
    written = re.compile(rf"({names})(\.\d+\.part)?")
    for path in folder.iterdir():
        if written.fullmatch(path.name) and path.name not in wanted and path.is_file():
            path.unlink(missing_ok=True)


def _sync_folder(folder: Path) -> None:
    if os.name != "posix":  # Windows opens no folders, and makes renames durable by itself
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


class Blobs:
    """A folder of byte strings, each in a file that is named by its SHA-256.

    The name is the checksum: a file that was damaged or exchanged is noticed when it is read, and
    the same content is written once.

    Args:
        folder: Where they lie; made if it is not there.
        call: What asks for them, as messages name it.

    Raises:
        InvalidValue: There can be no such folder.
    """

    def __init__(self, folder: Path, call: str) -> None:
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InvalidValue(
                f"{call}: files are written into a folder, made if it is not there, but {error}. "
                "Name a folder of this run's own."
            ) from error
        self._folder = folder

    def put(self, content: bytes) -> str:
        """Keep ``content``; returns its name."""
        name = hashlib.sha256(content).hexdigest()
        if not self._holds(name):
            write_whole(self._path(name), content)
        return name

    def _holds(self, name: str) -> bool:
        try:
            self.get(name)
        except StateError:
            return False
        return True

    def get(self, name: str) -> bytes:
        """The content of this name.

        Raises:
            StateError: It is not there, or damaged.
        """
        path = self._path(name)
        try:
            content = path.read_bytes()
        except OSError as error:
            raise StateError(
                f"reading {str(path)!r}: a snapshot that is to be gone back to must be there, but "
                f"{error}. Keep the folder as it was written."
            ) from error
        if hashlib.sha256(content).hexdigest() != name:
            raise StateError(
                f"reading {str(path)!r}: a snapshot must have the checksum that is its name, but "
                f"its {len(content)} bytes have another: it was damaged or cut short. Restore it "
                "from a copy, or delete it."
            )
        return content

    def keep_only(self, names: Collection[str]) -> None:
        """Remove all other contents, and what killed writers left behind."""
        remove_all_but({self._path(name).name for name in names}, self._folder, _BLOB)

    def _path(self, name: str) -> Path:
        return self._folder / f"{name}.blob"
