"""The pictures: curves with their phases, a run or several, a range test."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from stepsize.errors import InvalidValue
from stepsize.plot._look import (
    ACCENT,
    PALETTE,
    QUIET,
    SMALL,
    fit_positions,
    fit_values,
    frame,
    head,
    legend,
    line,
    new_figure,
    shade,
    tick_decades,
    write,
)
from stepsize.plot._points import Array, Curve, smoothed, thinned
from stepsize.statistics import before_divergence
from stepsize.words import number_text

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = [
    "RangeCurve",
    "plot_curves",
    "plot_range_test",
    "plot_range_tests",
    "plot_run",
]

_MANY_LOSSES: Final = 100
_FEW_LOSSES: Final = 30


def plot_curves(
    curves: Mapping[str, Array],
    phases: Sequence[tuple[str, float, float]] = (),
    *,
    log: bool = False,
    positions: Array | None = None,
    xlabel: str = "optimizer step",
    ylabel: str = "base × schedule",
    title: str | None = None,
) -> "Axes":
    """Curves over the same positions, with named phases behind them.

    A single curve is named in the title, several in a legend below the picture.

    Args:
        curves: By name, the values at each position; each of shape (n,). NaN leaves a gap.
        phases: ``(name, start, end)`` each, ``end`` excluded, shown if there are several. A name
            that does not fit is left out.
        log: Whether the vertical axis is logarithmic; values of 0 and below are then not drawn.
        positions: Shape (n,); 0 .. n-1 if not given.
        xlabel: What the positions count.
        ylabel: What the values are.
        title: A line above the picture, instead of a single curve's name.

    Returns:
        The matplotlib ``Axes``; ``save`` writes its figure.

    Raises:
        InvalidValue: There is no curve, a shape is wrong, or nothing is above 0 for ``log``.
        MissingExtra: matplotlib is not installed.

    >>> axes = plot_curves({"a line": np.linspace(1, 0, 101)}, [("Linear", 0, 100)])
    >>> axes.get_title(loc="left"), axes.get_xlim()
    ('a line', (np.float64(0.0), np.float64(100.0)))
    """
    call = "plot_curves(curves)"
    _require_some(call, curves)
    drawn = {
        name: _checked(call, name, np.arange(len(y)) if positions is None else positions, y)
        for name, y in curves.items()
    }
    if log:
        _require_positive(call, (y for _, y in drawn.values()))
    figure = new_figure(4.5, named_below=len(drawn))
    axes = figure.add_subplot()
    for index, (x, y) in enumerate(drawn.values()):
        axes.plot(*thinned(x, y), **line(index), linewidth=1.8, clip_on=False)
    frame(axes, xlabel, ylabel)
    fit_positions(axes, [x for x, _ in drawn.values()])
    fit_values(axes, drawn.values(), log, from_zero=True)
    several_phases = len(phases) > 1
    _name(figure, axes, title, list(drawn), above_phases=several_phases)
    if several_phases:
        shade(axes, phases)
    return axes


def plot_run(
    rates: Mapping[str, Curve],
    losses: Mapping[str, Curve],
    *,
    title: str | None = None,
    log_losses: bool | None = None,
    xlabel: str = "optimizer step",
) -> "Figure":
    """One run or several: the rates above, the losses below, over the same positions.

    A name has the same colour in both panels. A curve of a hundred losses and more is drawn
    lightly, under its centred moving average over 2 % of the points.

    Args:
        rates: By name, ``(positions, rates)``, each of shape (n,).
        losses: By name, ``(positions, losses)``, each of shape (m,).
        title: A line above the picture.
        log_losses: Whether the losses' axis is logarithmic; if not given, it is where all of them
            are positive and they span more than two powers of ten.
        xlabel: What the positions count.

    Returns:
        The matplotlib ``Figure``; ``save`` writes it.

    Raises:
        InvalidValue: There is no curve, a shape is wrong, or no loss is above 0 for ``log_losses``.
        MissingExtra: matplotlib is not installed.

    >>> steps = np.arange(100.0)
    >>> rates, losses = 0.1 * 0.99**steps, 1 / (1 + steps)
    >>> figure = plot_run({"baseline": (steps, rates)}, {"baseline": (steps, losses)})
    >>> [axes.get_ylabel() for axes in figure.axes]
    ['learning rate', 'loss']
    """
    call = "plot_run(rates, losses)"
    _require_some(call, {**rates, **losses})
    above = {name: _checked(call, name, *curve) for name, curve in rates.items()}
    raw = {name: _checked(call, name, *curve) for name, curve in losses.items()}
    below = {
        name: (x, smoothed(y) if len(y) >= _MANY_LOSSES else y) for name, (x, y) in raw.items()
    }
    if log_losses:
        _require_positive(call, (y for _, y in below.values()))
    log = _spans_decades(below.values()) if log_losses is None else log_losses
    names = list(dict.fromkeys([*above, *below]))
    figure = new_figure(6.0, named_below=len(names))
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(2, 3))
    for name, (x, y) in above.items():
        upper.plot(*thinned(x, y), **line(names.index(name)), linewidth=1.8)
    for name, (x, y) in raw.items():
        look = line(names.index(name))
        if len(y) >= _MANY_LOSSES:
            lower.plot(*thinned(x, y), color=look["color"], linewidth=0.6, alpha=0.25)
        if len(y) <= _FEW_LOSSES:
            look |= {"marker": "o", "markersize": 4.0}
        lower.plot(*thinned(*below[name]), **look, linewidth=1.6)
    frame(upper, "", "learning rate")
    frame(lower, xlabel, "loss")
    fit_positions(lower, [x for x, _ in (*above.values(), *below.values())])
    fit_values(upper, above.values(), from_zero=True)
    fit_values(lower, below.values(), log)
    _name(figure, upper, title, names)
    return figure


class RangeCurve(NamedTuple):
    """A range test, as :func:`plot_range_test` takes it.

    Args:
        rates: Ascending, > 0; shape (n,).
        losses: The loss at each; shape (n,).
        smoothed: Their moving average; shape (n,).
        suggestions: By name, a rate.
        recommended: The suggestion to stress.
        watched: What the losses are called.
        log: Whether the axis of the rates is logarithmic.
    """

    rates: Array
    losses: Array
    smoothed: Array
    suggestions: Mapping[str, float]
    recommended: str
    watched: str = "loss"
    log: bool = True


def plot_range_test(
    rates: Array,
    losses: Array,
    smoothed: Array,
    suggestions: Mapping[str, float],
    recommended: str,
) -> "Axes":
    """A range test: the losses over the rates, and the suggested rates as vertical lines.

    What the average rises to after its lowest value is cut off where it is above all that came
    before: a loss that diverges would leave nothing of the rest to see.

    Args:
        rates: Ascending, > 0; shape (n,).
        losses: The loss at each; shape (n,).
        smoothed: Their moving average; shape (n,).
        suggestions: By name, a rate.
        recommended: The suggestion to stress.

    Returns:
        The matplotlib ``Axes``; ``save`` writes its figure.

    Raises:
        InvalidValue: A shape is wrong, or no rate is above 0.
        MissingExtra: matplotlib is not installed.

    >>> rates = np.geomspace(1e-4, 1, 5)
    >>> losses = np.array([2.3, 2.2, 1.0, 0.8, 5.0])
    >>> axes = plot_range_test(rates, losses, losses, {"minimum/10": 0.01}, "minimum/10")
    >>> axes.get_xscale()
    'log'
    """
    curve = RangeCurve(rates, losses, smoothed, suggestions, recommended)
    return plot_range_tests({"range test": curve}).axes[0]


def plot_range_tests(tests: Mapping[str, RangeCurve]) -> "Figure":
    """Several range tests, one below the other: a panel each, as :func:`plot_range_test` draws it.

    Args:
        tests: By title.

    Returns:
        The matplotlib ``Figure``; ``save`` writes it.

    Raises:
        InvalidValue: There is none, a shape is wrong, or no rate is above 0.
        MissingExtra: matplotlib is not installed.

    >>> rates = np.geomspace(1e-4, 1, 5)
    >>> losses = np.array([2.3, 2.2, 1.0, 0.8, 5.0])
    >>> curve = RangeCurve(rates, losses, losses, {"minimum/10": 0.01}, "minimum/10")
    >>> len(plot_range_tests({"generator": curve, "critic": curve}).axes)
    2
    """
    _require_some("plot_range_tests(tests)", tests)
    figure = new_figure(4.5 if len(tests) == 1 else 3.2 * len(tests))
    panels = figure.subplots(len(tests), 1, squeeze=False)[:, 0]
    for axes, (title, curve) in zip(panels, tests.items(), strict=True):
        _draw_range_test(axes, title, curve)
    return figure


def _draw_range_test(axes: Any, title: str, curve: RangeCurve) -> None:
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    call = "plot_range_test(rates, losses, smoothed, ...)"
    x, raw = _checked(call, "losses", curve.rates, curve.losses)
    _, average = _checked(call, "smoothed", curve.rates, curve.smoothed)
    _require_positive(call, [x])
    axes.plot(x, raw, color=PALETTE[0], linewidth=0.8, alpha=0.35)
    axes.plot(x, average, color=PALETTE[0], linewidth=1.8)
    frame(axes, "learning rate", curve.watched)
    fit_positions(axes, [x[x > 0], *(np.array([rate]) for rate in curve.suggestions.values())])
    fit_values(axes, [(x, before_divergence(average))])
    if curve.log:
        axes.set_xscale("log")
        tick_decades(axes.xaxis, float(x.max() / x[x > 0].min()))
    else:
        axes.xaxis.set_major_locator(MaxNLocator(nbins=8, steps=[1, 2, 2.5, 5, 10]))
        axes.xaxis.set_major_formatter(FuncFormatter(_rate_tick))
    head(axes, title)
    marks = sorted(curve.suggestions.items(), key=lambda item: item[1])
    for row, (name, rate) in enumerate(marks):
        stressed = name == curve.recommended
        _mark(axes, f"{name} {number_text(rate, 2)}", rate, row, stressed)


def _rate_tick(rate: float, _: int) -> str:
    return number_text(rate)


def _mark(axes: Any, name: str, position: float, row: int, stressed: bool) -> None:
    """A vertical line and its name, on the side of it where there is room."""
    colour = ACCENT if stressed else QUIET
    axes.axvline(position, color=colour, linewidth=1.6 if stressed else 1.0, linestyle=(0, (4, 3)))
    across, _ = axes.transAxes.inverted().transform(axes.transData.transform((position, 0.0)))
    text = axes.annotate(
        name,
        (position, 1.0),
        (5 if across < 0.75 else -5, -12 - 15 * row),
        xycoords=axes.get_xaxis_transform(),
        textcoords="offset points",
        ha="left" if across < 0.75 else "right",
    )
    write(text, SMALL, colour)
    text.set_fontweight("bold" if stressed else "normal")
    text.set_bbox({"facecolor": "white", "edgecolor": "none", "pad": 1.0, "alpha": 0.8})


def _name(
    figure: Any, axes: Any, title: str | None, names: Sequence[str], above_phases: bool = False
) -> None:
    if len(names) > 1:
        legend(figure, names)
    elif title is None:
        title = names[0]
    if title:
        head(axes, title, above_phases)


# ------------------------------------------------------------------ what can be drawn


def _require_some(call: str, curves: Mapping[str, object]) -> None:
    if not curves:
        raise InvalidValue(f"{call}: there is no curve to draw. Give at least one name and array.")


def _require_positive(call: str, arrays: Iterable[Array]) -> None:
    if not any(np.any(values > 0) for values in arrays):
        raise InvalidValue(
            f"{call}: a logarithmic axis shows values above 0, and there are none. Leave log out."
        )


def _checked(call: str, name: str, positions: Any, values: Any) -> Curve:
    x, y = np.asarray(positions, np.float64), np.asarray(values, np.float64)
    if y.ndim != 1 or x.shape != y.shape or not len(y):
        raise InvalidValue(
            f"{call}: a curve is one value per position, but {name!r} has values of shape "
            f"{y.shape} at positions of shape {x.shape}. Give two arrays of one length, not empty."
        )
    return x, y


def _spans_decades(curves: Collection[Curve]) -> bool:
    values = np.concatenate([np.empty(0), *(y[np.isfinite(y)] for _, y in curves)])
    return len(values) > 0 and values.min() > 0 and values.max() / values.min() > 100
