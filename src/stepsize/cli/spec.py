"""What a user gives as a schedule: its text, or the path of a file that holds some."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, Final

import click

from stepsize.cli.refusal import Refusal
from stepsize.cli.screen import notice
from stepsize.errors import StepsizeError, TextError
from stepsize.importers import Imported, is_configuration, read_configuration
from stepsize.schedules import Absolute, Horizon, Schedule, parse
from stepsize.words import closest, shortened

__all__ = ["SPEC", "Spec", "all_specs", "given_horizon", "remember_size"]

_OPTIONS: Final = {
    "base": "--base",
    "steps": "--steps",
    "steps_per_epoch": "--steps-per-epoch",
}
_TELLS_NOTES: Final = "describe"  # it prints them all
_LARGEST_FILE: Final = 1_000_000
_SIZES: Final = "stepsize.horizon"
# A name stands before the first "=", and no bracket does: "ours = Cosine(100, end=0.1)".
_NAMED: Final = re.compile(r"\s*([^=()]*[^=()\s])\s*=\s*(.+)", re.DOTALL)


@dataclass(frozen=True)
class Spec:
    """A schedule as the user gave it.

    Args:
        name: What to call it: its name, or the text as typed.
        given: The schedule, or the marked one.
        named: Whether the user gave the name.
        imported: What was read, where a configuration of another tool was given.
    """

    name: str
    given: Schedule | Absolute
    named: bool
    imported: Imported | None = None

    @property
    def schedule(self) -> Schedule:
        """What is evaluated."""
        return self.given.schedule if isinstance(self.given, Absolute) else self.given

    @property
    def absolute(self) -> bool:
        """Whether its values are rates and not multiples of the base rate."""
        return isinstance(self.given, Absolute)


class _SpecType(click.ParamType):  # pyright: ignore[reportMissingTypeArgument]  # older clicks take none
    """One schedule: its text, or a file that holds one."""

    name = "spec"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> Schedule | Absolute:
        if isinstance(value, Schedule | Absolute):
            return value
        specs = list(_specs(value, ctx))
        if len(specs) > 1:
            self.fail(f"{value} holds {len(specs)} schedules, and one is needed.", param, ctx)
        return specs[0].given


SPEC: Final = _SpecType()
"""The click type of an option that takes one schedule."""


def all_specs(
    ctx: click.Context, param: click.Parameter, values: tuple[str, ...]
) -> tuple[Spec, ...]:
    """A click callback: all schedules of all arguments, no two under one name."""
    taken: set[str] = set()
    specs: list[Spec] = []
    for spec in (each for value in values for each in _specs(value, ctx)):
        name, number = spec.name, 1
        while name in taken:
            number += 1
            name = f"{spec.name} ({number})"
        taken.add(name)
        specs.append(replace(spec, name=name))
    return tuple(specs)


def remember_size(ctx: click.Context, param: click.Parameter, value: float | None) -> float | None:
    """A click callback: this option is the field of the horizon that has its name."""
    ctx.meta.setdefault(_SIZES, {})[param.name] = value
    return value


def given_horizon(ctx: click.Context | None) -> Horizon:
    """What the options say that the durations of a SPEC are counted with.

    Only eager options are known before a SPEC is read.
    """
    given = {} if ctx is None else {**ctx.params, **ctx.meta.get(_SIZES, {})}
    return Horizon(**{field.name: given.get(field.name) for field in fields(Horizon)})


def _specs(value: str, ctx: click.Context | None) -> Iterator[Spec]:
    if is_configuration(value) and "(" not in value:
        yield _imported(value, ctx)
        return
    path, horizon = Path(value), given_horizon(ctx)
    if _exists(path):
        yield from _read(path, horizon)
        return
    if _means_path(path):
        raise TextError(
            repr(shortened(value, 80)),
            "a schedule, or a file of schedules, is needed",
            "there is no such file",
            _neighbour(path),
        )
    yield _parsed(value, horizon)


def _imported(path: str, ctx: click.Context | None) -> Spec:
    horizon = given_horizon(ctx)
    try:
        imported = read_configuration(
            path,
            base=None if ctx is None else ctx.params.get("base"),
            steps=None if horizon.steps is None else int(horizon.steps),
            steps_per_epoch=horizon.steps_per_epoch,
        )
    except StepsizeError as error:
        raise Refusal(error.told(options=_OPTIONS)) from error
    if ctx is None or ctx.info_name != _TELLS_NOTES:
        notice(*(f"{path}: {note}" for note in imported.notes if "about the rate" in note))
    return Spec(path, imported.schedule, named=True, imported=imported)


def _means_path(path: Path) -> bool:
    """Whether a text that is neither a file nor, having no brackets, a schedule was to be one."""
    text = str(path)
    return "(" not in text and (bool(path.suffix) or len(path.parts) > 1)


def _neighbour(path: Path) -> str:
    """What may be meant by a path that is not there."""
    folder = path.parent
    if not _exists(folder):
        return f"Nor is there a folder {shortened(str(folder), 80)!r}."
    found = closest(path.name, [each.name for each in folder.iterdir() if each.is_file()])
    return "" if found is None else f"Did you mean {str(folder / found)!r}?"


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):  # too long for a path, or with a character that none has
        return False


def _parsed(text: str, horizon: Horizon) -> Spec:
    named = _NAMED.fullmatch(text)
    if named:
        return Spec(named[1], parse(named[2], horizon=horizon), named=True)
    return Spec(" ".join(text.split()), parse(text, horizon=horizon), named=False)


def _read(path: Path, horizon: Horizon) -> Iterator[Spec]:
    empty = True
    for number, line in enumerate(_content(path).splitlines(), start=1):
        # No schedule's text contains "#".
        text = line.partition("#")[0].strip()
        if text:
            empty = False
            try:
                yield _parsed(text, horizon)
            except TextError as error:
                error.add_note(f"{path}, line {number}:")  # the program puts notes first
                raise
    if empty:
        raise TextError(
            str(path),
            "a file of schedules has one on each line",
            "it holds no schedule",
            "Write: name = Cosine(1000).",
        )


def _content(path: Path) -> str:
    if path.is_dir():
        raise TextError(
            str(path), "a schedule, or a file of schedules, is needed", "this is a folder"
        )
    with path.open("rb") as file:
        content = file.read(_LARGEST_FILE + 1)
    if len(content) > _LARGEST_FILE:
        raise TextError(
            str(path),
            f"a file of schedules has at most {_LARGEST_FILE:,} bytes",
            "this has more",
            "Is it the right file?",
        )
    if b"\0" not in content:
        try:
            return content.decode("utf-8-sig")
        except UnicodeDecodeError:
            pass
    raise TextError(
        str(path),
        "a file of schedules is UTF-8 text",
        "this is not",
        "Give a file with a schedule on each line.",
    )
