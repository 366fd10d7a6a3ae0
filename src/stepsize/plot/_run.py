"""One run or several: their rates and losses."""

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Final

import numpy as np

from stepsize.plot._checks import checked_curve, require_positive, require_some
from stepsize.plot._look import fit_positions, fit_values, frame, line, name_curves, new_figure
from stepsize.plot.points import Curve, smoothed, thinned

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["plot_run"]

_MANY_LOSSES: Final = 100
_FEW_LOSSES: Final = 30


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
    require_some(call, {**rates, **losses})
    above = {name: checked_curve(call, name, *curve) for name, curve in rates.items()}
    raw = {name: checked_curve(call, name, *curve) for name, curve in losses.items()}
    below = {
        name: (x, smoothed(y) if len(y) >= _MANY_LOSSES else y) for name, (x, y) in raw.items()
    }
    if log_losses:
        require_positive(call, (y for _, y in below.values()))
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
    name_curves(figure, upper, title, names)
    return figure


def _spans_decades(curves: Collection[Curve]) -> bool:
    values = np.concatenate([np.empty(0), *(y[np.isfinite(y)] for _, y in curves)])
    return len(values) > 0 and values.min() > 0 and values.max() / values.min() > 100
