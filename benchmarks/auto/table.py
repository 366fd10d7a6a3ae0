"""The Markdown tables: procedures compared, R by task, and the reference itself."""

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.auto.measure import Reference, excess_of, read_reference, summarize

__all__ = ["BEGIN", "END", "between_marks", "tables"]

BEGIN, END = "<!-- table: begin -->", "<!-- table: end -->"

Results = Mapping[str, Mapping[tuple[str, int], Mapping[str, Any]] | None]
"""Per procedure its results by (task, seed); None where its package is not installed."""


def tables(results: Results, reference: Path) -> str:
    """All tables, from the results and the reference's file."""
    stored = json.loads(reference.read_text(encoding="utf-8"))
    counting = read_reference(reference)
    parts = [
        _overview(results, counting, stored["tasks"]),
        _by_task(results, counting, stored["tasks"]),
        _reference(counting, stored["tasks"]),
    ]
    return "\n\n".join(parts) + "\n"


def between_marks(page: str, text: str) -> str:
    """``page`` with what stands between the two marks replaced by ``text``.

    Raises:
        ValueError: The page does not have both marks.
    """
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"the page must hold the lines {BEGIN} and {END}, in this order")
    return f"{before}{BEGIN}\n{text}{END}{after}"


def _overview(results: Results, counting: Mapping[str, Reference], tasks: Mapping[str, Any]) -> str:
    header = ["procedure", "cost in runs", "R, open tasks", "R, held-out tasks", "worst R"]
    rows = []
    for name, known in results.items():
        if known is None:
            rows.append([name, "not installed", "", "", "", "", ""])
            continue
        whole = summarize(known, counting)
        if whole is None:
            continue
        rows.append(
            [
                name,
                f"{whole.cost:.2f} (≤ {whole.highest_cost:.2f})",
                *(_mean(known, counting, tasks, held_out) for held_out in (False, True)),
                f"{whole.worst:.2f}",
                f"{whole.above_one} of {whole.runs}",
                str(whole.failed),
            ]
        )
    return _markdown([*header, "R > 1", "failed"], rows)


def _mean(
    known: Mapping[tuple[str, int], Mapping[str, Any]],
    counting: Mapping[str, Reference],
    tasks: Mapping[str, Any],
    held_out: bool,
) -> str:
    chosen = {name: each for name, each in counting.items() if tasks[name]["held_out"] is held_out}
    summary = summarize(known, chosen)
    if summary is None:
        return "–"
    return f"{summary.mean:.2f}" + (
        f" ± {summary.spread:.2f}" if math.isfinite(summary.spread) else ""
    )


def _by_task(results: Results, counting: Mapping[str, Reference], tasks: Mapping[str, Any]) -> str:
    shown = {name: known for name, known in results.items() if known}
    rows = []
    for task, reference in counting.items():
        cells = [
            _cell(excess_of(result, reference) for (of, _), result in known.items() if of == task)
            for known in shown.values()
        ]
        rows.append([_named(task, tasks), *cells])
    return _markdown(["mean R (worst)", *shown], rows)


def _cell(excess: Iterable[float]) -> str:
    values = list(excess)
    return f"{sum(values) / len(values):.2f} ({max(values):.2f})" if values else "–"


def _named(task: str, tasks: Mapping[str, Any]) -> str:
    return f"{task} (held out)" if tasks[task]["held_out"] else task


def _reference(counting: Mapping[str, Reference], tasks: Mapping[str, Any]) -> str:
    header = ["task", "steps", "judged by", "tuned", "loss", "at half the budget", "gap / spread"]
    rows = []
    for name, task in tasks.items():
        best = task["tuned"]
        measured = Reference(*(list(task[each]["losses"].values()) for each in ("tuned", "half")))
        tuned, half = (sum(each) / len(each) for each in (measured.tuned, measured.half))
        ratio = f"{measured.gap / measured.spread:.1f}"
        rows.append(
            [
                _named(name, tasks),
                f"{task['steps']:,}",
                task["judged_by"],
                f"{best['schedule']}, {best['rate']:.2g}",
                f"{tuned:.4g}",
                f"{half:.4g}",
                ratio if name in counting else f"{ratio}: does not count",
            ]
        )
    return _markdown(header, rows)


def _markdown(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
