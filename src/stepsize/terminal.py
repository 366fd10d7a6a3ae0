"""The one way to a terminal for what is drawn: tables, curves and lines that move."""

from collections.abc import Iterable

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment

from stepsize.words import written_out

__all__ = ["Terminal"]


class Terminal(Console):
    """A console of rich that shows texts from outside as they are, and lets none steer it.

    Colours on a terminal that wants them, plain text into a pipe. Names of runs, texts of errors
    and contents of files may hold escape sequences: they are written out, whatever is drawn.

    Args:
        stderr: Whether to draw on standard error and not on standard output.

    >>> from stepsize.words import written_out
    >>> Terminal().print("name: \\x1b[2J")
    name: \\x1b[2J
    """

    def __init__(self, *, stderr: bool = False) -> None:
        super().__init__(stderr=stderr, highlight=False, markup=False, emoji=False)

    def render(
        self, renderable: RenderableType, options: ConsoleOptions | None = None
    ) -> Iterable[Segment]:
        """The pieces that are drawn, with all texts written out."""
        for segment in super().render(renderable, options):
            if segment.control:
                yield segment
            else:
                yield Segment(written_out(segment.text, keep="\n"), segment.style)
