"""Range tests: the losses over the rates, and the suggestions."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from stepsize.plot._checks import checked_curve, require_positive, require_some
from stepsize.plot._look import (
    ACCENT,
    PALETTE,
    QUIET,
    SMALL,
    fit_positions,
    fit_values,
    frame,
    head,
    new_figure,
    tick_decades,
    write,
)
from stepsize.plot.points import Array
from stepsize.statistics import before_divergence
from stepsize.words import number_text

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["RangeCurve", "plot_range_test", "plot_range_tests"]


class RangeCurve(NamedTuple):
    """A range test, as :func:`plot_range_test` takes it.

    Args:
        rates: Ascending, > 0; shape (n,).
        losses: The loss at each; shape (n,).
        smoothed: Their moving average; shape (n,).
        suggestions: By name, a rate.
        recommended: The suggestion to stress.
        metric: What the losses are called.
        log: Whether the axis of the rates is logarithmic.
    """

    rates: Array
    losses: Array
    smoothed: Array
    suggestions: Mapping[str, float]
    recommended: str
    metric: str = "loss"
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
        InvalidValue: There is no test, a shape is wrong, or no rate is above 0.
        MissingExtra: matplotlib is not installed.

    >>> rates = np.geomspace(1e-4, 1, 5)
    >>> losses = np.array([2.3, 2.2, 1.0, 0.8, 5.0])
    >>> curve = RangeCurve(rates, losses, losses, {"minimum/10": 0.01}, "minimum/10")
    >>> len(plot_range_tests({"generator": curve, "critic": curve}).axes)
    2
    """
    require_some("plot_range_tests(tests)", tests)
    figure = new_figure(4.5 if len(tests) == 1 else 3.2 * len(tests))
    panels = figure.subplots(len(tests), 1, squeeze=False)[:, 0]
    for axes, (title, curve) in zip(panels, tests.items(), strict=True):
        _draw_range_test(axes, title, curve)
    return figure


def _draw_range_test(axes: Any, title: str, curve: RangeCurve) -> None:
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    call = "plot_range_test(rates, losses, smoothed, ...)"
    x, raw = checked_curve(call, "losses", curve.rates, curve.losses)
    _, average = checked_curve(call, "smoothed", curve.rates, curve.smoothed)
    require_positive(call, [x])
    axes.plot(x, raw, color=PALETTE[0], linewidth=0.8, alpha=0.35)
    axes.plot(x, average, color=PALETTE[0], linewidth=1.8)
    frame(axes, "learning rate", curve.metric)
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
