"""A picture made of characters: curves in the terminal.

A character shows 2 × 4 dots of a curve (Braille). Where several curves cannot be told apart by
colour, or Braille cannot be printed, a curve is made of its letter instead.
"""

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from stepsize.cli.screen import terminal
from stepsize.errors import InvalidValue
from stepsize.words import number_text, position_text, written_out

if TYPE_CHECKING:
    from rich.text import Text

__all__ = ["COLOURS", "letter", "print_chart"]

Array: TypeAlias = NDArray[np.float64]

COLOURS: Final = ("cyan", "yellow", "magenta", "green", "red", "blue")
_NARROWEST: Final = 40
_WIDEST: Final = 120
_ROWS: Final = 16
# The bit of each dot of a Braille character, by row from the top and column.
_BRAILLE: Final = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))


def letter(index: int) -> str:
    """The letters of the curves: A .. Z, AA, AB, ..."""
    earlier, last = divmod(index, 26)
    return (letter(earlier - 1) if earlier else "") + chr(ord("A") + last)


def print_chart(
    curves: Mapping[str, Array],
    phases: Sequence[tuple[str, float, float]],
    positions: Array,
    *,
    log: bool,
    unit: str,
) -> None:
    """Draw curves as wide as the terminal, and under them whose they are.

    Args:
        curves: By name, the values at each position, all finite; each of shape (n,).
        phases: ``(name, start, end)`` each; named above the curve where there is room.
        positions: Ascending; shape (n,).
        log: Whether the vertical axis is logarithmic.
        unit: What the values are.

    Raises:
        InvalidValue: No value is above 0 for ``log``.
    """
    from rich.text import Text

    console = terminal()
    plain = console.options.ascii_only
    in_colour = console.color_system is not None and not console.no_color
    scale = _Scale(np.concatenate(list(curves.values())), log)
    labels = scale.labels()
    margin = max(map(len, labels.values()))
    canvas = _Canvas(
        min(max(console.width, _NARROWEST), _WIDEST) - margin - 2,
        dots=not plain and (in_colour or len(curves) == 1),
    )
    span = float(positions[-1] - positions[0])
    for index, values in enumerate(curves.values()):
        canvas.draw((positions - positions[0]) / span, scale.heights(values), index)

    indent = " " * (margin + 2)
    lines = [Text(f"{indent}{_title(unit, log, span)}", style="bold")]
    if len(phases) > 1:
        places = [
            (name, (start + end) / 2 / span, (end - start) / span) for name, start, end in phases
        ]
        lines.append(Text(indent + _placed(places, canvas.width), style="dim"))
    signs = _PLAIN if plain else _BOX
    for row, content in enumerate(canvas.lines()):
        head = f"{labels.get(row, ''):>{margin}} {signs.tick if row in labels else signs.vertical}"
        lines.append(Text.assemble((head, "dim"), content))
    ticks = _position_ticks(span, canvas.width)
    at = {round(tick / span * (canvas.width - 1)) for tick in ticks}
    axis = "".join(signs.mark if each in at else signs.across for each in range(canvas.width))
    lines.append(Text(f"{' ' * margin} {signs.corner}{axis}", style="dim"))
    numbers = _placed([(position_text(tick), tick / span, 1.0) for tick in ticks], canvas.width)
    lines.append(Text(indent + numbers, style="dim"))
    for line in [*lines, *_legend(list(curves), margin)]:
        line.rstrip()
        console.print(line, soft_wrap=True)


class _Signs(NamedTuple):
    """What a frame is made of."""

    vertical: str
    tick: str
    corner: str
    across: str
    mark: str


_BOX: Final = _Signs("│", "┤", "└", "─", "┬")
_PLAIN: Final = _Signs("|", "+", "+", "-", "+")


def _title(unit: str, log: bool, span: float) -> str:
    steps = f"{position_text(span)} step{'s' if span > 1 else ''}"
    return f"{written_out(unit)}{' (log)' if log else ''} over {steps}"


def _legend(names: Sequence[str], margin: int) -> "list[Text]":
    """Whose the curves are, where there are several."""
    from rich.text import Text

    if len(names) < 2:
        return []
    return [
        Text.assemble(
            (f"{letter(index):>{margin + 1}} ", COLOURS[index % len(COLOURS)]), written_out(name)
        )
        for index, name in enumerate(names)
    ]


class _Scale:
    """The vertical axis: from values to heights between 0 and 1."""

    def __init__(self, values: Array, log: bool) -> None:
        self._log = log
        values = values[values > 0] if log else values
        if not len(values):
            raise InvalidValue(
                "--log",
                "a logarithmic axis shows values above 0",
                "there are none",
                "Leave it out.",
            )
        low, high = float(values.min()), float(values.max())
        if log:
            low, high = math.floor(math.log10(low)), math.ceil(math.log10(high))
            high = max(high, low + 1)
            self._step = float(math.ceil((high - low) / (_ROWS / 3)))
        else:
            low, high = min(low, 0.0), max(high, 0.0)
            high = high if high > low else low + 1.0
            self._step = _round_step((high - low) / (_ROWS / 3))
        # Whole ticks at both ends.
        self._low = math.floor(low / self._step + 1e-9) * self._step
        self._high = math.ceil(high / self._step - 1e-9) * self._step

    def heights(self, values: Array) -> Array:
        """Where the values are, from 0 at the bottom to 1; NaN where they cannot be drawn."""
        with np.errstate(divide="ignore", invalid="ignore"):
            levels = np.log10(values) if self._log else values
            heights = (levels - self._low) / (self._high - self._low)
        return np.where(np.isfinite(heights), heights, np.nan)

    def labels(self) -> dict[int, str]:
        """The ticks' texts by row."""
        count = round((self._high - self._low) / self._step)
        levels = [self._low + self._step * index for index in range(count + 1)]
        return {
            round((1 - index / count) * (_ROWS - 1)): number_text(
                10.0**level if self._log else level
            )
            for index, level in enumerate(levels)
        }


class _Canvas:
    """Characters in rows, each made of dots or a letter."""

    def __init__(self, width: int, dots: bool) -> None:
        self.width = width
        self._dots = dots
        self._across, self._down = (2, 4) if dots else (1, 1)
        self._content = np.zeros((_ROWS, width), dtype=np.int64)
        self._owner = np.zeros((_ROWS, width), dtype=np.int64)

    def draw(self, x: Array, y: Array, index: int) -> None:
        """Draw curve number ``index``; ``x`` and ``y`` between 0 and 1, ``y`` up."""
        columns, rows = self.width * self._across, _ROWS * self._down
        low, high = _covered(x * (columns - 1), (1 - y) * (rows - 1), columns)
        for column in np.flatnonzero(low <= high):
            for row in range(round(low[column]), round(high[column]) + 1):
                cell = row // self._down, column // self._across
                bit = _BRAILLE[row % self._down][column % self._across] if self._dots else 1
                self._content[cell] |= bit
                self._owner[cell] = index

    def lines(self) -> "list[Text]":
        """The rows from the top, coloured by curve."""
        from rich.text import Text

        lines: list[Text] = []
        for content, owners in zip(self._content, self._owner, strict=True):
            line = Text()
            for cell, owner in zip(map(int, content), map(int, owners), strict=True):
                character = chr(0x2800 + cell) if self._dots else letter(owner)[-1]
                line.append(character if cell else " ", style=COLOURS[owner % len(COLOURS)])
            lines.append(line)
        return lines


def _covered(x: Array, y: Array, columns: int) -> tuple[Array, Array]:
    """The lowest and highest ``y`` of a line in each column; nothing where it has gaps."""
    between = np.linspace(0, columns - 1, 4 * columns)
    x, y = np.concatenate([x, between]), np.concatenate([y, np.interp(between, x, y)])
    order = np.argsort(x, kind="stable")
    column, y = np.rint(x[order]).astype(np.int64), y[order]
    # A line that goes from one column to the next meets itself half way.
    meetings = (y[1:] + y[:-1]) / 2
    low, high = np.full(columns, np.inf), np.full(columns, -np.inf)
    for at, value in ((column, y), (column[1:], meetings), (column[:-1], meetings)):
        there = np.isfinite(value)
        np.minimum.at(low, at[there], value[there])
        np.maximum.at(high, at[there], value[there])
    return low, high


def _round_step(smallest: float) -> float:
    """The next of 1, 2, 2.5 and 5 times a power of ten."""
    power = 10.0 ** math.floor(math.log10(smallest))
    return next(m * power for m in (1.0, 2.0, 2.5, 5.0, 10.0) if m * power >= smallest * (1 - 1e-9))


def _position_ticks(span: float, width: int) -> list[float]:
    step = max(1.0, _round_step(span / max(2, width // 14)))
    return [step * index for index in range(int(span / step) + 1)]


def _placed(names: Sequence[tuple[str, float, float]], width: int) -> str:
    """Names in one line: ``(name, where its middle is, how wide its place)`` as shares of it.

    A name that would touch another, or stand far out of its place, is left out.
    """
    line = [" "] * (width + 1)
    for name, middle, share in sorted(names, key=lambda each: -each[2]):
        start = round(middle * (width - 1) - (len(name) - 1) / 2)
        start = min(max(start, 0), width - len(name))
        before, after = max(start - 1, 0), start + len(name) + 1
        if (
            start >= 0
            and len(name) <= max(2.5 * share * width, 1)
            and not "".join(line[before:after]).strip()
        ):
            line[start : start + len(name)] = name
    return "".join(line)
