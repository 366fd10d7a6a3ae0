"""Lines in the terminal that move while something runs: sinks."""

import math
from types import TracebackType
from typing import Any, Final, Self

import numpy as np
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from stepsize.signals import Tick
from stepsize.statistics import before_divergence
from stepsize.terminal import Terminal
from stepsize.words import number_text

__all__ = ["LiveCurve", "LiveLine"]

_SMOOTHING: Final = 0.98
_BAR: Final = 24
_CURVE: Final = 26
_HEIGHTS: Final = "▁▂▃▄▅▆▇█"
_PLAIN_HEIGHTS: Final = "_.-~=+*#"


class _Speed(ProgressColumn):
    def render(self, task: Any) -> Text:
        return Text("" if not task.speed else f"{task.speed:,.0f} steps/s", style="dim")


class _Line:
    """One line: its columns, and the fields in them that change."""

    def __init__(
        self,
        steps: int,
        title: str,
        console: Console | None,
        *columns: ProgressColumn,
        **fields: Any,
    ) -> None:
        self._progress = Progress(
            TextColumn("{task.description}", markup=False),
            *columns,
            console=console or Terminal(stderr=True),
        )
        self._task = self._progress.add_task(title, total=steps, **fields)

    def show(self, steps: float, **fields: Any) -> None:
        """Show how many steps are done, and what the fields are now."""
        self._progress.update(self._task, completed=steps, **fields)

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._progress.stop()


class LiveLine(_Line):
    """Shows step, rate, smoothed loss, speed and time left while a run or a search goes on.

    It is a sink and a context manager; on a terminal it redraws one line about ten times a second,
    elsewhere it prints nothing until the end.

    Args:
        steps: How many steps there are at most.
        title: What stands before the bar.
        console: Where to draw; standard error if not given.
    """

    def __init__(self, steps: int, title: str, console: Console | None = None) -> None:
        super().__init__(
            steps,
            title,
            console,
            BarColumn(bar_width=_BAR),
            MofNCompleteColumn(),
            TextColumn("rate {task.fields[rate]}  loss {task.fields[loss]}", markup=False),
            _Speed(),
            TimeRemainingColumn(),
            rate="-",
            loss="-",
        )
        self._done = 0
        self._loss = math.nan

    def __call__(self, tick: Tick) -> None:
        """Take one tick: a step, unless it holds an evaluation alone."""
        if not tick.quantities and (tick.metrics or tick.decisions):
            return
        self._done += 1
        loss = tick.metrics.get("loss", math.nan)
        smoothed = _SMOOTHING * self._loss + (1 - _SMOOTHING) * loss
        self._loss = loss if math.isnan(self._loss) else smoothed
        known = "loss" in tick.metrics or math.isfinite(self._loss)
        self.show(self._done, rate=_rate_text(tick), loss=number_text(self._loss) if known else "-")


class LiveCurve(_Line):
    """Shows a range test going on: its losses as a curve that grows, the rate and the loss.

    It is a sink and a context manager, as ``LiveLine``. The first metric of a tick is the loss.

    Args:
        steps: How many rates there are.
        title: What stands before the curve.
        console: Where to draw; standard error if not given.
    """

    def __init__(self, steps: int, title: str, console: Console | None = None) -> None:
        super().__init__(
            steps,
            title,
            console,
            TextColumn("{task.fields[curve]}", markup=False),
            MofNCompleteColumn(),
            TextColumn("rate {task.fields[rate]}  loss {task.fields[loss]}", markup=False),
            curve=" " * _CURVE,
            rate="-",
            loss="-",
        )
        self._steps = steps
        self._losses = np.full(_CURVE, math.nan)
        self._reached = 0
        ascii_only = self._progress.console.options.ascii_only
        self._heights = _PLAIN_HEIGHTS if ascii_only else _HEIGHTS

    def __call__(self, tick: Tick) -> None:
        """Take one measurement."""
        taken = tick.position + 1
        loss = next(iter(tick.metrics.values()), math.nan)
        reached = math.ceil(taken / self._steps * _CURVE)
        self._losses[min(self._reached, reached - 1) : reached] = (
            loss if math.isfinite(loss) else math.nan
        )
        self._reached = reached
        self.show(taken, curve=self._drawn(), rate=_rate_text(tick), loss=number_text(loss))

    def _drawn(self) -> str:
        known = np.isfinite(self._losses)
        if not known.any():
            return " " * _CURVE
        losses = before_divergence(self._losses)
        low, high = float(losses[known].min()), float(losses[known].max())
        span = (high - low) or 1.0
        top = len(self._heights) - 1
        return "".join(
            self._heights[round((float(loss) - low) / span * top)] if there else " "
            for loss, there in zip(losses, known, strict=True)
        )


def _rate_text(tick: Tick) -> str:
    return next((number_text(rate, 3) for rate in tick.quantities.values()), "-")
