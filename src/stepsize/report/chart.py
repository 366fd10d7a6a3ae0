"""A chart as inline SVG, whose colours are the page's: light, dark or on paper."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from typing import Final, Literal

import numpy as np

from stepsize.plot.points import Array, smoothed, thinned
from stepsize.words import number_text, position_text

__all__ = ["Chart", "Line", "Mark", "averaged"]

_WIDTH, _LEFT, _RIGHT = 720, 62, 24
_TOP, _DOWN, _BOTTOM = 22, 186, 42
_ACROSS = _WIDTH - _LEFT - _RIGHT
_NAME_ROW, _NAME_ROWS = 14, 4
_COLUMNS: Final = 400
_MANY_DECADES: Final = 300
# What is drawn must stay a number when a margin is added to it, or its logarithm is taken.
_LARGEST: Final = 1e200


def averaged(values: Array) -> Array:
    """The moving average of values of which some may have diverged beyond what can be summed."""
    return smoothed(np.clip(values, -_LARGEST, _LARGEST))


@dataclass(frozen=True)
class Line:
    """A curve.

    Args:
        positions: Shape (n,).
        values: Shape (n,). What is not finite leaves a gap.
        look: "main", "faint" (behind it) or "dots" (of few values).
    """

    positions: Array
    values: Array
    look: Literal["main", "faint", "dots"] = "main"


@dataclass(frozen=True)
class Mark:
    """A named vertical line.

    Args:
        position: Where.
        name: What stands beside its upper end.
        stressed: Whether it is the one to look at.
    """

    position: float
    name: str
    stressed: bool = False


@dataclass(frozen=True)
class Chart:
    """Curves over a common axis.

    Args:
        caption: What it shows, in a sentence.
        xlabel: What the positions are.
        ylabel: What the values are.
        lines: The curves.
        marks: Vertical lines.
        reach: Positions that the horizontal axis holds in any case.
        rates_across: Whether positions are rates, not steps.
        log_x: Whether the horizontal axis is logarithmic.
        log_y: Whether the vertical axis is.
        from_zero: Whether the vertical axis begins at zero at the latest.
        top: What is above is not shown; everything is if not given.
    """

    caption: str
    xlabel: str
    ylabel: str
    lines: Sequence[Line]
    marks: Sequence[Mark] = ()
    reach: Sequence[float] = ()
    rates_across: bool = False
    log_x: bool = False
    log_y: bool = False
    from_zero: bool = False
    top: float | None = None

    def svg(self) -> str:
        """The chart as an ``<svg>`` element.

        >>> line = Line(np.arange(3.0), np.array([1.0, 2.0, 3.0]))
        >>> Chart("A line.", "step", "loss < 3", [line]).svg()[:30]
        '<svg class="chart" viewBox="0 '
        """
        across = _Axis.over(
            [
                self.reach,
                *(line.positions for line in self.lines),
                [mark.position for mark in self.marks],
            ],
            self.log_x,
        )
        upward = _Axis.over([line.values for line in self.lines], self.log_y, self.top)
        upward = upward.with_room(self.from_zero)
        above = _NAME_ROW * min(len(self.marks), _NAME_ROWS)
        height = _TOP + above + _DOWN + _BOTTOM
        parts = [
            f'<svg class="chart" viewBox="0 0 {_WIDTH} {height}" role="img" '
            f'aria-label="{escape(self.caption)}">',
            f'<text x="{_LEFT + _ACROSS / 2}" y="{height - 6}" text-anchor="middle">'
            f"{escape(self.xlabel)}</text>",
            f'<text x="{_LEFT}" y="{_TOP - 9}">{escape(self.ylabel)}</text>',
            f'<g transform="translate(0 {above})">',
            *_grid(across, upward, self.rates_across),
            # An inner svg cuts off what lies outside of the axes.
            f'<svg x="{_LEFT}" y="{_TOP}" width="{_ACROSS}" height="{_DOWN}">',
            *(_drawn(line, across, upward) for line in self.lines),
            "</svg>",
            *_marked(self.marks, across),
            "</g></svg>",
        ]
        return "".join(parts)


@dataclass(frozen=True)
class _Axis:
    low: float
    high: float
    log: bool

    @classmethod
    def over(
        cls, values: Iterable[Array | Sequence[float]], log: bool, top: float | None = None
    ) -> "_Axis":
        every = np.concatenate([np.asarray(each, np.float64) for each in values])
        shown = every[np.isfinite(every) & (np.abs(every) <= _LARGEST)]
        shown = shown[shown >= 1 / _LARGEST] if log else shown
        if top is not None and (shown <= top).any():
            shown = shown[shown <= top]
        if not len(shown):
            return cls(1.0, 10.0, True) if log else cls(0.0, 1.0, False)
        return cls(float(shown.min()), float(shown.max()), log)

    def with_room(self, from_zero: bool) -> "_Axis":
        if self.log:
            margin = (self.high / self.low) ** 0.05 if self.high > self.low else 2.0
            return _Axis(self.low / margin, self.high * margin, True)
        low, high = (
            (min(self.low, 0.0), max(self.high, 0.0)) if from_zero else (self.low, self.high)
        )
        margin = 0.06 * (high - low) or 0.06 * abs(high) or 1.0
        return _Axis(low if low == 0 else low - margin, high + margin, False)

    def places(self, values: Array) -> Array:
        """Where the values lie, from 0 to 1; NaN where they cannot be shown."""
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            if self.log:
                low, high = math.log(self.low), math.log(self.high)
                places = (np.log(np.where(values > 0, values, np.nan)) - low) / ((high - low) or 1)
            else:
                places = (values - self.low) / ((self.high - self.low) or 1)
        # Far outside is outside; and a number that SVG can read.
        return np.clip(np.where(np.isfinite(places), places, np.nan), -10, 10)

    def ticks(self, most: int, whole: bool = False) -> list[float]:
        if self.log:
            decades = range(math.floor(math.log10(self.low)), math.ceil(math.log10(self.high)) + 1)
            every = max(1, math.ceil(len(decades) / most))
            within = (1, 2, 5) if self.high / self.low < _MANY_DECADES else (1,)
            all_ = [m * 10.0**power for power in decades[::every] for m in within]
            return [each for each in all_ if self.low <= each <= self.high]
        span = (self.high - self.low) or 1.0
        power = 10.0 ** math.floor(math.log10(span / most))
        step = next(m * power for m in (1, 2, 2.5, 5, 10, 20) if m * power * most >= span)
        step = max(1.0, math.ceil(step)) if whole else step
        first = math.ceil(self.low / step - 1e-9)
        last = math.floor(self.high / step + 1e-9)
        return [number * step for number in range(first, last + 1)]


def _grid(across: _Axis, upward: _Axis, rates_across: bool) -> Iterable[str]:
    values = upward.ticks(6)
    for value, place in zip(values, upward.places(np.array(values)), strict=True):
        y = _TOP + _DOWN * (1 - place)
        yield f'<path class="grid" d="M{_LEFT} {y:.1f}h{_ACROSS}"/>'
        yield (
            f'<text class="tick" x="{_LEFT - 7}" y="{y + 4:.1f}" text-anchor="end">'
            f"{number_text(value)}</text>"
        )
    positions = across.ticks(8, whole=not rates_across)
    for position, place in zip(positions, across.places(np.array(positions)), strict=True):
        x = _LEFT + _ACROSS * place
        text = number_text(position) if rates_across else position_text(position)
        yield f'<path class="axis" d="M{x:.1f} {_TOP + _DOWN}v4"/>'
        yield (
            f'<text class="tick" x="{x:.1f}" y="{_TOP + _DOWN + 17}" text-anchor="middle">'
            f"{text}</text>"
        )
    yield f'<path class="axis" d="M{_LEFT} {_TOP + _DOWN}h{_ACROSS}"/>'


def _drawn(line: Line, across: _Axis, upward: _Axis) -> str:
    x, y = thinned(line.positions, line.values, _COLUMNS)
    places = zip(across.places(x) * _ACROSS, (1 - upward.places(y)) * _DOWN, strict=True)
    points = [(h, v) if math.isfinite(h) and math.isfinite(v) else None for h, v in places]
    if line.look == "dots":
        return "".join(
            f'<circle class="dots" cx="{p[0]:.1f}" cy="{p[1]:.1f}" r="3.5"/>' for p in points if p
        )
    path: list[str] = []
    pen = "M"
    for point in points:
        if point is None:
            pen = "M"
        else:
            path.append(f"{pen}{point[0]:.1f} {point[1]:.1f}")
            pen = "L"
    return f'<path class="{line.look}" d="{"".join(path)}"/>'


def _marked(marks: Sequence[Mark], across: _Axis) -> Iterable[str]:
    lines: list[str] = []
    names: list[str] = []
    # From the right, each higher than the one before: so no line crosses the name of another.
    for row, mark in enumerate(sorted(marks, key=lambda each: -each.position)):
        place = float(across.places(np.array([mark.position]))[0])
        x = _LEFT + _ACROSS * place
        y = _TOP - 5 - _NAME_ROW * (row % _NAME_ROWS)
        side, anchor = (4, "start") if place < 0.75 else (-4, "end")
        stress = " stressed" if mark.stressed else ""
        lines.append(f'<path class="mark{stress}" d="M{x:.1f} {y - 8}V{_TOP + _DOWN}"/>')
        names.append(
            f'<text class="name{stress}" x="{x + side:.1f}" y="{y}" text-anchor="{anchor}">'
            f"{escape(mark.name)}</text>"
        )
    return [*lines, *names]
