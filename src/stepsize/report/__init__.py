"""One self-contained HTML page of a run: its plan and why, what happened, what was wrong.

finished      a run that is over, in sentences      history   the sink that keeps its curves
preparation   the sections on rate and plan         page      sections, tables and the file
chart         curves as inline SVG
"""

from stepsize.renames import renamed
from stepsize.report._run import run_report
from stepsize.report.finished import FinishedRun
from stepsize.report.page import write_report

__all__ = ["FinishedRun", "run_report", "write_report"]

_RENAMED = {
    "RunAccount": "stepsize.report.FinishedRun",
    "History": "stepsize.report.history.History",
}


def __getattr__(name: str) -> object:
    raise renamed(__name__, name, _RENAMED)
