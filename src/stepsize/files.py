"""Files that are whole or absent, whenever the process or the machine dies."""

import errno
import hashlib
import os
import re
from collections.abc import Callable, Collection, Generator
from contextlib import contextmanager
from pathlib import Path

from stepsize.errors import InvalidValue, StateError

__all__ = ["ContentStore", "check_target", "remove_all_but", "replaced_whole", "write_whole"]

_BLOB = "[0-9a-f]{64}\\.blob"


def write_whole(path: Path, content: bytes) -> None:
    """Write a file so that a reader sees all of ``content``, or what was there before.

    Args:
        path: The file. A link stays a link: what it points at is replaced.
        content: All of it.

    Raises:
        OSError: It cannot be written; nothing is left behind.
    """

    def write(aside: Path) -> None:
        aside.write_bytes(content)

    replaced_whole(path, write)


def replaced_whole(path: Path, write: Callable[[Path], object]) -> None:
    """Let ``write`` make a file aside, then put it in the place of ``path``: whole, and synced.

    Raises:
        OSError: It cannot be written; the error names ``path``.
    """
    final = path.resolve()
    aside = final.with_name(f"{final.name}.{os.getpid()}.part")
    try:
        with _naming(path):
            write(aside)
            _sync(aside, os.O_RDWR)
            aside.replace(final)
    except BaseException:
        aside.unlink(missing_ok=True)
        raise
    if os.name == "posix":  # Windows opens no folders, and makes renames durable by itself
        _sync(final.parent, os.O_RDONLY)


def check_target(call: str, path: str | os.PathLike[str], suffixes: Collection[str]) -> Path:
    """Refuse a path to which no file can be written: before the work, not after it.

    Args:
        call: The call as typed.
        path: A file in a folder that may be written.
        suffixes: The endings that it may have, in lower case, such as ``(".png", ".svg")``.

    Returns:
        The path.

    Raises:
        InvalidValue: The ending is another one.
        OSError: The folder is missing or may not be written, or the path is a folder.
    """
    target = Path(path)
    if target.suffix.lower() not in suffixes:
        allowed = ", ".join(suffixes)
        raise InvalidValue(
            call,
            f"{{path}} must end in {allowed}",
            f"ends in {target.suffix!r}",
            f"Example: {target.stem or 'file'}{next(iter(suffixes))}.",
            "path",
        )
    if target.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    folder = target.absolute().parent
    if not folder.is_dir():
        raise FileNotFoundError(errno.ENOENT, "There is no such folder", str(target.parent))
    if not os.access(target if target.exists() else folder, os.W_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
    return target


def remove_all_but(wanted: Collection[str], folder: Path, names: str) -> None:
    """Remove files of a folder, and what killed writers of them left behind.

    Args:
        wanted: The names of those that stay.
        folder: Only files right in it are removed.
        names: The pattern of the names that were written; other files are left alone.
    """
    written = re.compile(rf"({names})(\.\d+\.part)?")
    for path in folder.iterdir():
        if written.fullmatch(path.name) and path.name not in wanted and path.is_file():
            path.unlink(missing_ok=True)


class ContentStore:
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
                call,
                "files are written into a folder, made if it is not there",
                str(error),
                "Name a folder of this run's own.",
            ) from error
        self._folder = folder

    def put(self, content: bytes) -> str:
        """Keep ``content``; returns its name."""
        name = hashlib.sha256(content).hexdigest()
        if not self._holds(name):
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
                f"reading {str(path)!r}",
                "a snapshot that is to be gone back to must be there",
                str(error),
                "Keep the folder as it was written.",
            ) from error
        if hashlib.sha256(content).hexdigest() != name:
            raise StateError(
                f"reading {str(path)!r}",
                "a snapshot must have the checksum that is its name",
                f"its {len(content)} bytes have another: it was damaged or cut short",
                "Restore it from a copy, or delete it.",
            )
        return content

    def keep_only(self, names: Collection[str]) -> None:
        """Remove all other contents, and what killed writers left behind."""
        remove_all_but({self._path(name).name for name in names}, self._folder, _BLOB)

    def _holds(self, name: str) -> bool:
        try:
            self.get(name)
        except StateError:
            return False
        return True

    def _path(self, name: str) -> Path:
        return self._folder / f"{name}.blob"


@contextmanager
def _naming(path: Path) -> Generator[None]:
    """Errors name the file that was asked for, and not the one aside."""
    try:
        yield
    except OSError as error:
        raise OSError(error.errno, error.strerror or str(error), str(path)) from error


def _sync(path: Path, flags: int) -> None:
    descriptor = os.open(path, flags)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
