"""Where a picture may be written, and writing it: whole or not at all."""

import errno
import importlib.util
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from stepsize.errors import InvalidValue
from stepsize.plot._look import Drawing, boxes_for_missing_glyphs, missing_matplotlib

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["check_path", "save"]

_SUFFIXES: Final = (".png", ".svg", ".pdf")
_DOTS_PER_INCH: Final = 144
# Without dates and random identifiers the same picture is the same file.
_UNDATED: Final[dict[str, dict[str, Any]]] = {"svg": {"Date": None}, "pdf": {"CreationDate": None}}


def check_path(path: str | os.PathLike[str]) -> Path:
    """Refuse a path to which no picture can be written: before the work, not after it.

    Args:
        path: A file ending in .png, .svg or .pdf, in a folder that may be written.

    Returns:
        The path.

    Raises:
        InvalidValue: The ending is another one.
        MissingExtra: matplotlib is not installed.
        OSError: The folder is missing or may not be written, or the path is a folder.
    """
    target = Path(path)
    if target.suffix.lower() not in _SUFFIXES:
        raise InvalidValue(
            f"save(..., {str(path)!r}): a picture is a .png, .svg or .pdf file, but this "
            f"ends in {target.suffix!r}. Example: rate.png."
        )
    if importlib.util.find_spec("matplotlib") is None:
        raise missing_matplotlib()
    if target.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    folder = target.absolute().parent
    if not folder.is_dir():
        raise FileNotFoundError(errno.ENOENT, "There is no such folder", str(target.parent))
    if not os.access(target if target.exists() else folder, os.W_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
    return target


def save(picture: "Axes | Figure", path: str | os.PathLike[str]) -> Path:
    """Write a picture. The file is there whole or not at all, and the same for the same picture.

    Args:
        picture: A figure, or axes in it.
        path: As :func:`check_path` takes it.

    Returns:
        The path.

    Raises:
        InvalidValue: The path does not end in .png, .svg or .pdf.
        OSError: The file cannot be written.
    """
    target = check_path(path)
    import matplotlib

    settings: Drawing = matplotlib
    figure: Drawing = picture.get_figure(root=True)
    kind = target.suffix.lower().removeprefix(".")
    # A link stays a link: what it points at is replaced.
    final = target.resolve()
    unfinished = final.with_name(f".{final.name}.{os.getpid()}.unfinished")
    try:
        with settings.rc_context({"svg.hashsalt": "stepsize"}), boxes_for_missing_glyphs():
            figure.savefig(unfinished, format=kind, dpi=_DOTS_PER_INCH, metadata=_UNDATED.get(kind))
        unfinished.replace(final)
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from error
    finally:
        unfinished.unlink(missing_ok=True)
    return target
