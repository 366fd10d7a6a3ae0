"""Files that are whole or absent, whenever the process or the machine dies."""

import hashlib
import os
from collections.abc import Collection
from pathlib import Path

from stepsize.errors import StateError

__all__ = ["Blobs", "write_whole"]


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
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder

    def put(self, content: bytes) -> str:
        """Keep ``content``; returns its name."""
        name = hashlib.sha256(content).hexdigest()
        if not self._path(name).exists():
            write_whole(self._path(name), content)
        return name

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
        for path in self._folder.iterdir():
            if path.suffix == ".part" or (path.suffix == ".blob" and path.stem not in names):
                path.unlink(missing_ok=True)

    def _path(self, name: str) -> Path:
        return self._folder / f"{name}.blob"
