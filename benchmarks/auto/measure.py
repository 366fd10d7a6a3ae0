"""R: how far a run is from the tuned one, in units of what throwing away half the budget costs."""

import json
import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

__all__ = ["WORST", "Reference", "Summary", "read_reference", "summarize"]

WORST = 10.0
"""R of a run that failed, and the largest R that enters a mean."""

_SPREADS = 2


@dataclass(frozen=True)
class Reference:
    """The tuned best of one task.

    Args:
        tuned: Judged losses of the tuned full run, one per seed.
        half: The same at half the budget, tuned for it.
    """

    tuned: Sequence[float]
    half: Sequence[float]

    @property
    def gap(self) -> float:
        """What half the budget costs: the unit of R."""
        return statistics.fmean(self.half) - statistics.fmean(self.tuned)

    @property
    def spread(self) -> float:
        """One standard deviation over the seeds, pooled over both lengths."""
        variances = (statistics.variance(self.tuned), statistics.variance(self.half))
        return math.sqrt(statistics.fmean(variances))

    @property
    def counts(self) -> bool:
        """Whether the gap exceeds twice the spread; a smaller one measures the seeds."""
        return self.gap > _SPREADS * self.spread

    def excess(self, loss: float) -> float:
        """R = (loss - tuned) / (tuned at half the budget - tuned), with the means over the seeds.

        >>> Reference(tuned=[1.0, 1.2], half=[2.0, 2.2]).excess(1.6)
        0.5

        Source: METHODS.md, section 2.
        """
        if not math.isfinite(loss):
            return WORST
        return min((loss - statistics.fmean(self.tuned)) / self.gap, WORST)


def read_reference(path: Path) -> dict[str, Reference]:
    """The references of the tasks that count, by name, from what ``reference`` wrote."""
    stored = json.loads(path.read_text(encoding="utf-8"))["tasks"]
    read = {name: _read(each) for name, each in stored.items()}
    return {name: each for name, each in read.items() if each.counts}


def _read(task: Mapping[str, Any]) -> Reference:
    return Reference(*(list(task[name]["losses"].values()) for name in ("tuned", "half")))


@dataclass(frozen=True)
class Summary:
    """Several runs of one procedure.

    Args:
        runs: How many.
        mean: Mean R.
        spread: Standard deviation over the seeds of the mean over the tasks.
        worst: Largest R.
        above_one: Runs with R > 1: worse than half the budget, tuned.
        failed: Runs that raised, or whose loss was not finite.
        cost: Mean cost in full runs.
        highest_cost: Of any run.
    """

    runs: int
    mean: float
    spread: float
    worst: float
    above_one: int
    failed: int
    cost: float
    highest_cost: float


def summarize(
    results: Mapping[tuple[str, int], Mapping[str, Any]], references: Mapping[str, Reference]
) -> Summary | None:
    """Summarize results by (task, seed), over the tasks that ``references`` has.

    Returns:
        The summary; None if there is no such result.
    """
    used = {key: result for key, result in results.items() if key[0] in references}
    if not used:
        return None
    excess = {key: excess_of(result, references[key[0]]) for key, result in used.items()}
    seeds = sorted({seed for _, seed in used})
    means = [statistics.fmean(r for (_, of), r in excess.items() if of == seed) for seed in seeds]
    costs = [result["cost"] for result in used.values()]
    return Summary(
        runs=len(used),
        mean=statistics.fmean(excess.values()),
        spread=statistics.stdev(means) if len(means) > 1 else math.nan,
        worst=max(excess.values()),
        above_one=sum(r > 1 for r in excess.values()),
        failed=sum(result["failed"] is not None for result in used.values()),
        cost=statistics.fmean(costs),
        highest_cost=max(costs),
    )


def excess_of(result: Mapping[str, Any], reference: Reference) -> float:
    """R of a stored result."""
    return WORST if result["failed"] is not None else reference.excess(result["loss"])
