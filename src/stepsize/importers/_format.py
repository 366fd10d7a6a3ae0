"""What a format is: the configurations of one tool, how they are told, and how they are read."""

from collections.abc import Callable
from dataclasses import dataclass

from stepsize.importers._imported import Imported
from stepsize.importers._run_facts import RunFacts
from stepsize.importers._section import Section

__all__ = ["Format"]


@dataclass(frozen=True)
class Format:
    """The configurations of one tool.

    Args:
        name: The tool, as its authors write it.
        source: The file with the formula.
        marks: Paths that such a configuration has: the nearest relative of an unknown one is the
            format with most of them.
        recognises: Whether a document is one.
        read: The schedule of the document.
    """

    name: str
    source: str
    marks: tuple[str, ...]
    recognises: Callable[[Section], bool]
    read: Callable[[Section, RunFacts], Imported]
