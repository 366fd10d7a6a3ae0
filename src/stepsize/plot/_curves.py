"""Curves over the same positions, with named phases behind them."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from stepsize.plot._checks import checked_curve, require_positive, require_some
from stepsize.plot._look import (
    fit_positions,
    fit_values,
    frame,
    line,
    name_curves,
    new_figure,
    shade,
)
from stepsize.plot.points import Array, thinned

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["plot_curves"]


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
    require_some(call, curves)
    drawn = {
        name: checked_curve(call, name, np.arange(len(y)) if positions is None else positions, y)
        for name, y in curves.items()
    }
    if log:
        require_positive(call, (y for _, y in drawn.values()))
    figure = new_figure(4.5, named_below=len(drawn))
    axes = figure.add_subplot()
    for index, (x, y) in enumerate(drawn.values()):
        axes.plot(*thinned(x, y), **line(index), linewidth=1.8, clip_on=False)
    frame(axes, xlabel, ylabel)
    fit_positions(axes, [x for x, _ in drawn.values()])
    fit_values(axes, drawn.values(), log, from_zero=True)
    several_phases = len(phases) > 1
    name_curves(figure, axes, title, list(drawn), above_phases=several_phases)
    if several_phases:
        shade(axes, phases)
    return axes
