"""What a user gives as a schedule: its text, or the path of a file that holds some."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import click

from stepsize.errors import TextError
from stepsize.schedules import Absolute, Schedule, parse

__all__ = ["SPEC", "Spec", "flat"]

_LARGEST_FILE: Final = 1_000_000
# A name stands before the first "=", and no bracket does: "ours = Cosine(100, end=0.1)".
_NAMED = re.compile(r"\s*([^=()]*[^=()\s])\s*=\s*(.+)", re.DOTALL)


@dataclass(frozen=True)
class Spec:
    """A schedule as the user gave it.

    Args:
        name: What to call it: its name, or the text as typed.
        schedule: What is evaluated.
        absolute: Whether its values are rates and not multiples of the base rate.
        named: Whether the user gave the name.
    """

    name: str
    schedule: Schedule
    absolute: bool
    named: bool

    @property
    def text(self) -> str:
        """The canonical text."""
        return Absolute(self.schedule).text if self.absolute else self.schedule.text


class _SpecType(click.ParamType):
    """A schedule's text, or a file of them; one argument can so be several schedules."""

    name = "spec"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[Spec, ...]:
        if isinstance(value, tuple):
            return value
        path = Path(value)
        if _exists(path):
            return tuple(_read(path))
        try:
            return (_parsed(value),)
        except TextError as error:
            raise TextError(f"{error}\nNor is there a file of this name.") from error


SPEC: Final = _SpecType()
"""The click type of an argument that gives schedules."""


def flat(
    ctx: click.Context, param: click.Parameter, values: tuple[tuple[Spec, ...], ...]
) -> tuple[Spec, ...]:
    """A click callback: all schedules of all arguments, no two under one name."""
    taken: set[str] = set()
    specs: list[Spec] = []
    for spec in (each for group in values for each in group):
        name, number = spec.name, 1
        while name in taken:
            number += 1
            name = f"{spec.name} ({number})"
        taken.add(name)
        specs.append(replace(spec, name=name))
    return tuple(specs)


def _parsed(text: str) -> Spec:
    named = _NAMED.fullmatch(text)
    name, body = named.groups() if named else (" ".join(text.split()), text)
    marked = parse(body)
    absolute = isinstance(marked, Absolute)
    return Spec(name, marked.schedule if absolute else marked, absolute, named is not None)


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):  # too long for a path, or with a character that none has
        return False


def _read(path: Path) -> Iterator[Spec]:
    if path.is_dir():
        raise TextError(f"{path}: this is a folder. Give a schedule, or a file of schedules.")
    with path.open("rb") as file:
        content = file.read(_LARGEST_FILE + 1)
    if len(content) > _LARGEST_FILE:
        raise TextError(
            f"{path}: a file of schedules has at most {_LARGEST_FILE:,} bytes, and this has more. "
            "Is it the right file?"
        )
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = "\0"
    if "\0" in text:
        raise TextError(
            f"{path}: this is no text file (UTF-8). Give one with a schedule on each line."
        )
    empty = True
    for number, line in enumerate(text.splitlines(), start=1):
        # No schedule's text contains "#".
        expression = line.partition("#")[0].strip()
        if expression:
            empty = False
            try:
                yield _parsed(expression)
            except TextError as error:
                raise TextError(f"{path}, line {number}: {error}") from error
    if empty:
        raise TextError(
            f"{path}: the file holds no schedule. Write one on each line: name = Cosine(1000)."
        )
