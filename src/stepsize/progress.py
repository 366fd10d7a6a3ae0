"""The live line of a run in the terminal: a sink."""

import math
from types import TracebackType
from typing import Any, Self

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)
from rich.progress import ProgressColumn as Column
from rich.text import Text

from stepsize.signals import Tick

__all__ = ["LiveLine"]

_SMOOTHING = 0.98


class _Speed(Column):
    def render(self, task: Any) -> Text:
        return Text("" if not task.speed else f"{task.speed:,.0f} steps/s", style="dim")


class LiveLine:
    """Shows step, rate, smoothed loss, speed and time left while a run goes on.

    It is a sink and a context manager; on a terminal it redraws one line about ten times a second,
    elsewhere it prints nothing until the end.

    Args:
        steps: How many steps the run has.
        title: What stands before the bar.
        console: Where to draw; standard error if not given.
    """

    def __init__(self, steps: int, title: str, console: Console | None = None) -> None:
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TextColumn("rate {task.fields[rate]}  loss {task.fields[loss]}"),
            _Speed(),
            TimeRemainingColumn(),
            console=console or Console(stderr=True),
        )
        self._task: TaskID = self._progress.add_task(title, total=steps, rate="-", loss="-")
        self._loss = math.nan

    def __call__(self, tick: Tick) -> None:
        """Take one tick."""
        if not tick.quantities:
            return
        loss = tick.metrics.get("loss", math.nan)
        smoothed = _SMOOTHING * self._loss + (1 - _SMOOTHING) * loss
        self._loss = loss if math.isnan(self._loss) else smoothed
        self.advance(next(iter(tick.quantities.values())), self._loss)

    def advance(self, rate: float, loss: float) -> None:
        """Show one more step, its rate and a loss."""
        self._progress.update(self._task, advance=1, rate=f"{rate:.2e}", loss=f"{loss:.4f}")

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
