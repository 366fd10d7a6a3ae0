"""Where a picture may be written, and writing it: whole or not at all."""

import importlib.util
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from stepsize.files import check_target, replaced_whole
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
    target = check_target(f"save(..., {str(path)!r})", path, _SUFFIXES)
    if importlib.util.find_spec("matplotlib") is None:
        raise missing_matplotlib()
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

    def write(aside: Path) -> None:
        with settings.rc_context({"svg.hashsalt": "stepsize"}), boxes_for_missing_glyphs():
            figure.savefig(aside, format=kind, dpi=_DOTS_PER_INCH, metadata=_UNDATED.get(kind))

    replaced_whole(target, write)
    return target
