"""How a picture looks: colours, text, frame, ticks, legend and the named phases."""

import warnings
from collections.abc import Collection, Generator, Iterable, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import numpy as np

from stepsize.errors import MissingExtra
from stepsize.plot.points import Array, Curve
from stepsize.words import number_text, position_text, shortened

if TYPE_CHECKING:
    from matplotlib.text import Text

__all__ = [
    "ACCENT",
    "PALETTE",
    "QUIET",
    "SMALL",
    "Drawing",
    "boxes_for_missing_glyphs",
    "fit_positions",
    "fit_values",
    "frame",
    "head",
    "legend",
    "line",
    "missing_matplotlib",
    "name_curves",
    "new_figure",
    "shade",
    "tick_decades",
    "write",
]

# matplotlib's stubs leave the **kwargs of its drawing calls unknown: strict checking refuses them.
Drawing: TypeAlias = Any

PALETTE: Final = (
    "#2563c9",
    "#e8590c",
    "#0b9e75",
    "#a436b8",
    "#c9971c",
    "#e0315f",
    "#0c8fae",
    "#6b7280",
)
ACCENT: Final = PALETTE[1]
QUIET: Final = "#5f6b7a"
SMALL: Final = 8.5
_DASHES: Final = ("-", (0, (5, 2)), (0, (1, 1.5)), (0, (5, 1.5, 1, 1.5)))
_INK, _GRID, _SHADE = "#1f2933", "#e3e7ec", "#f4f6f9"
_NORMAL: Final = 9.5
_LONGEST_NAME: Final = 90
# What the systems bring for names that DejaVu Sans, matplotlib's own, has no glyphs for.
_CJK_FONTS: Final = (
    "Noto Sans CJK SC",
    "Source Han Sans SC",
    "PingFang SC",
    "Hiragino Sans GB",
    "Microsoft YaHei",
    "WenQuanYi Micro Hei",
    "SimHei",
)


def missing_matplotlib() -> MissingExtra:
    """What to raise where matplotlib is needed and absent."""
    return MissingExtra("Drawing a picture", "matplotlib", "plot")


def new_figure(height: float, named_below: int = 0) -> Drawing:
    """A figure ``height`` inches high, and as much more as a legend of so many names takes."""
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise missing_matplotlib() from error
    if named_below > 1:
        height += 0.2 * named_below
    return Figure(figsize=(8.0, height), dpi=100, layout="constrained", facecolor="white")


def line(index: int) -> dict[str, Any]:
    """The colour and dashes of the curve number ``index``."""
    turn, colour = divmod(index, len(PALETTE))
    return {
        "color": PALETTE[colour],
        "linestyle": _DASHES[turn % len(_DASHES)],
        "solid_capstyle": "round",
        "solid_joinstyle": "round",
    }


# ------------------------------------------------------------------ axes


def frame(axes: Drawing, xlabel: str, ylabel: str) -> None:
    """The grid, two spines and the labels."""
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        axes.spines[side].set_color(QUIET)
    axes.set_axisbelow(True)
    axes.grid(visible=True, color=_GRID, linewidth=0.8)
    axes.tick_params(length=3, color=QUIET, labelcolor=QUIET, labelsize=SMALL)
    for text in (axes.set_xlabel(xlabel), axes.set_ylabel(ylabel)):
        write(text, _NORMAL, QUIET)


def fit_positions(axes: Drawing, positions: Iterable[Array]) -> None:
    """All positions and no margin."""
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    ends = [end for each in positions for end in (each.min(), each.max())]
    if min(ends) < max(ends):
        axes.set_xlim(min(ends), max(ends))
    axes.xaxis.set_major_locator(MaxNLocator(nbins=8, steps=[1, 2, 2.5, 5, 10], integer=True))
    axes.xaxis.set_major_formatter(FuncFormatter(_position_tick))


def fit_values(
    axes: Drawing, curves: Collection[Curve], log: bool = False, from_zero: bool = False
) -> None:
    """All finite values and a margin."""
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    values = np.concatenate([np.empty(0), *(values for _, values in curves)])
    values = values[np.isfinite(values) & (values > 0)] if log else values[np.isfinite(values)]
    if not len(values):
        return
    low, high = float(values.min()), float(values.max())
    if log:
        axes.set_yscale("log", nonpositive="mask")
        margin = (high / low) ** 0.05 if high > low else 2.0
        axes.set_ylim(low / margin, high * margin)
        tick_decades(axes.yaxis, high / low)
        return
    if from_zero:
        low, high = min(low, 0.0), max(high, 0.0)
    margin = 0.06 * (high - low) or 0.06 * abs(high) or 1.0
    axes.set_ylim(low if low == 0 else low - margin, high + margin)
    axes.yaxis.set_major_locator(MaxNLocator(nbins=7, steps=[1, 2, 2.5, 5, 10]))
    axes.yaxis.set_major_formatter(FuncFormatter(_number_tick))


def tick_decades(axis: Drawing, span: float) -> None:
    """Powers of ten, with 2 and 5 between them where ``span``, high over low, leaves room."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0) if span < 300 else (1.0,)))
    axis.set_major_formatter(FuncFormatter(_number_tick))
    axis.set_minor_formatter(NullFormatter())


def _position_tick(position: float, _: int) -> str:
    return position_text(position)


def _number_tick(value: float, _: int) -> str:
    return number_text(value)


# ------------------------------------------------------------------ text


@contextmanager
def boxes_for_missing_glyphs() -> Generator[None, None, None]:
    """A name in a script that no font here has: one sees the boxes, a warning adds nothing."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from font", UserWarning)
        yield


def write(text: "Text", size: float, colour: str) -> None:
    """Give a text its font, size and colour."""
    from matplotlib.font_manager import fontManager

    there = {font.name for font in fontManager.ttflist}
    text.set_fontfamily(["DejaVu Sans", *(name for name in _CJK_FONTS if name in there)])
    text.set_fontsize(size)
    text.set_color(colour)
    # A dollar sign in a name is a dollar sign.
    text.set_parse_math(False)


def head(axes: Drawing, heading: str, above_phases: bool = False) -> None:
    """A line above the axes."""
    text = axes.set_title(
        shortened(heading, _LONGEST_NAME), loc="left", pad=22 if above_phases else 10
    )
    write(text, _NORMAL + 0.5, _INK)


def legend(figure: Drawing, names: Sequence[str]) -> None:
    """Below the axes, where it hides nothing; in as many columns as the names leave room for."""
    from matplotlib.lines import Line2D

    shown = [shortened(name, _LONGEST_NAME) for name in names]
    columns = max(1, min(4, 100 // (max(map(len, shown)) + 8)))
    made = figure.legend(
        [Line2D([], [], linewidth=2.2, **line(index)) for index in range(len(shown))],
        # Behind a space, because matplotlib leaves out names that begin with an underscore.
        [f" {name}" for name in shown],
        loc="outside lower left",
        ncols=columns,
        frameon=False,
        handlelength=2.2,
        handletextpad=0.4,
    )
    for text in made.get_texts():
        write(text, SMALL, _INK)


def name_curves(
    figure: Drawing,
    axes: Drawing,
    title: str | None,
    names: Sequence[str],
    above_phases: bool = False,
) -> None:
    """A single curve is named above, several in a legend; a title goes above in any case."""
    if len(names) > 1:
        legend(figure, names)
    elif title is None:
        title = names[0]
    if title:
        head(axes, title, above_phases)


# ------------------------------------------------------------------ phases


def shade(axes: Drawing, phases: Iterable[tuple[str, float, float]]) -> None:
    """Every second phase shaded, the names in a row above the axes, where they hide nothing."""
    left, right = axes.get_xlim()
    visible = [
        (name, max(start, left), min(end, right))
        for name, start, end in phases
        if start < right and end > left
    ]
    for _, start, end in visible[::2]:
        axes.axvspan(start, end, facecolor=_SHADE, linewidth=0, zorder=0.2)
    for _, _, end in visible[:-1]:
        axes.axvline(end, color=_GRID, linewidth=1.0, zorder=0.3)
    pixel = (right - left) / axes.get_window_extent().width
    taken: list[tuple[float, float]] = []
    # The widest first: where two names compete for a place, the longer phase has it.
    for name, start, end in sorted(visible, key=lambda phase: phase[1] - phase[2]):
        text = axes.text((start + end) / 2, 1.015, name, transform=axes.get_xaxis_transform())
        write(text, SMALL, QUIET)
        text.set(ha="center", va="bottom")
        with boxes_for_missing_glyphs():
            half = (text.get_window_extent().width / 2 + 3) * pixel
        centre = min(max((start + end) / 2, left + half), right - half)
        place = (centre - half, centre + half)
        # A name may stand out a little from its phase, as "Warmup" mostly does.
        too_narrow = 2 * half > 2.5 * (end - start)
        if too_narrow or any(a < place[1] and place[0] < b for a, b in taken):
            text.remove()
        else:
            text.set_x(centre)
            taken.append(place)
