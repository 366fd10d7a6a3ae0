"""The picture of trials: every run's loss, what the policies ended with, how they differ."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from stepsize.errors import InvalidValue
from stepsize.plot._look import (
    PALETTE,
    QUIET,
    Drawing,
    fit_positions,
    fit_values,
    frame,
    legend,
    line,
    new_figure,
    write,
)
from stepsize.plot.points import Array, smoothed, thinned
from stepsize.words import number_text, shortened

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["TrialCurves", "plot_trials"]

_LONGEST_LABEL: Final = 22
_ROW: Final = 0.28
_DECADES: Final = 100

Ends = tuple[float, float, float]


class TrialCurves(NamedTuple):
    """The runs of one policy, as :func:`plot_trials` takes them.

    Args:
        losses: Per seed, the loss at each step; shape (n,) each.
        values: Per seed, what it ended with; shape (seeds,).
        interval: Their interval: low, mean, high.
        difference: The interval of the differences from the first policy: low, mean, high.
    """

    losses: Sequence[Array]
    values: Array
    interval: Ends
    difference: Ends


def plot_trials(
    trials: Mapping[str, TrialCurves], *, metric: str = "loss", confidence: float = 0.95
) -> "Figure":
    """Trials of several policies over the same seeds.

    Above, each run's smoothed loss, thin, and the mean of each policy's runs. Below, a row per
    policy: each run's final value, their mean and its interval; and, for all but the first, the
    interval of the differences from the first.

    Args:
        trials: By policy.
        metric: What the final values are.
        confidence: Of the intervals.

    Returns:
        The matplotlib ``Figure``; ``save`` writes it.

    Raises:
        InvalidValue: There is no policy.
        MissingExtra: matplotlib is not installed.

    >>> losses = [np.linspace(2, 1, 50), np.linspace(2.1, 1.2, 50)]
    >>> curves = TrialCurves(losses, np.array([1.0, 1.2]), (-0.2, 1.1, 2.4), (0, 0, 0))
    >>> [axes.get_xlabel() for axes in plot_trials({"cosine": curves}).axes]
    ['optimizer step', 'loss, mean and 95 % interval']
    """
    if not trials:
        raise InvalidValue(
            "plot_trials(trials)", "a picture shows at least one policy", "none is given"
        )
    names = list(trials)
    figure = new_figure(4.4 + _ROW * len(names), named_below=len(names))
    several = len(names) > 1
    heights = (3.0, 0.9 + _ROW * len(names))
    mosaic = (
        [["losses", "losses"], ["values", "differences"]] if several else [["losses"], ["values"]]
    )
    panels = figure.subplot_mosaic(mosaic, height_ratios=heights)
    _draw_losses(panels["losses"], trials)
    _draw_rows(panels["values"], names, {name: each.interval for name, each in trials.items()})
    for row, each in enumerate(trials.values()):
        panels["values"].plot(
            each.values,
            [row + 0.25] * len(each.values),
            "o",
            color=PALETTE[row % len(PALETTE)],
            markersize=4.5,
            alpha=0.5,
            markeredgewidth=0,
        )
    percent = f"{confidence * 100:.4g} %"
    frame(panels["values"], f"{metric}, mean and {percent} interval", "")
    if several:
        axes = panels["differences"]
        differences = {name: each.difference for name, each in list(trials.items())[1:]}
        axes.axvline(0.0, color=QUIET, linewidth=1.0)
        _draw_rows(axes, names, differences)
        axes.tick_params(labelleft=False)
        frame(axes, f"difference from {shortened(names[0], _LONGEST_LABEL)!r}, same seeds", "")
        legend(figure, names)
    return figure


def _draw_losses(axes: Drawing, trials: Mapping[str, TrialCurves]) -> None:
    frame(axes, "optimizer step", "loss")
    raw = [losses for each in trials.values() for losses in each.losses]
    if not any(np.isfinite(losses).any() for losses in raw):
        return
    ceiling = _ceiling(raw)
    drawn: list[Array] = []
    for index, each in enumerate(trials.values()):
        # Twice the ceiling is out of sight, and can be averaged and drawn.
        averaged = [smoothed(np.minimum(losses, 2 * ceiling)) for losses in each.losses]
        for losses in averaged:
            axes.plot(*thinned(_steps(losses), losses), **line(index), linewidth=0.8, alpha=0.4)
        # A policy that was stopped early on some seeds has a mean as far as all of its runs go.
        shared = min(map(len, averaged))
        mean = np.mean([losses[:shared] for losses in averaged], axis=0)
        axes.plot(*thinned(_steps(mean), mean), **line(index), linewidth=1.8)
        drawn += [*averaged, mean]
    fit_positions(axes, [_steps(losses) for losses in raw])
    seen = np.concatenate([losses[np.isfinite(losses)] for losses in drawn])
    _fit_losses(axes, seen[seen <= ceiling])


def _ceiling(losses: Sequence[Array]) -> float:
    """As far above the start as the lowest loss is below it, or as zero is.

    What is higher has diverged, and would leave nothing of the others to see.
    """
    finite = [each[np.isfinite(each)] for each in losses if np.isfinite(each).any()]
    start = max(float(each[0]) for each in finite)
    lowest = min(float(each.min()) for each in finite)
    return start + max(start - lowest, abs(start))


def _fit_losses(axes: Drawing, losses: Array) -> None:
    low, high = float(losses.min(initial=np.inf)), float(losses.max(initial=-np.inf))
    fit_values(axes, [(losses, losses)], log=low > 0 and high / _DECADES > low)


def _draw_rows(axes: Drawing, names: Sequence[str], intervals: Mapping[str, Ends]) -> None:
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    for name, (low, mean, high) in intervals.items():
        row = names.index(name)
        colour = PALETTE[row % len(PALETTE)]
        if np.isfinite(high - low):
            axes.plot([low, high], [row, row], color=colour, linewidth=2.2, solid_capstyle="butt")
        axes.plot([mean], [row], "|", color=colour, markersize=13, markeredgewidth=2.2)
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.set_yticks(range(len(names)), [shortened(name, _LONGEST_LABEL) for name in names])
    for label in axes.get_yticklabels():
        write(label, 8.5, QUIET)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=4))
    axes.xaxis.set_major_formatter(FuncFormatter(_number_tick))


def _steps(values: Array) -> Array:
    return np.arange(len(values), dtype=np.float64)


def _number_tick(value: float, _: Any) -> str:
    return number_text(value)
