"""Print every benchmark's rows: what was measured, and what it should be at most or at least."""

import importlib
import sys

from rich.console import Console
from rich.table import Table

SUITES = ("attach", "schedules", "imports", "recorder", "plan", "configurations")


def main(names: list[str]) -> None:
    console = Console(width=110)
    for suite in names or SUITES:
        table = Table("measured", "value", "unit", "aim", title=suite, title_justify="left")
        for name, value, unit, aim in importlib.import_module(f"benchmarks.{suite}").rows():
            table.add_row(name, f"{value:,.3g}" if value < 1000 else f"{value:,.0f}", unit, aim)
        console.print(table)


if __name__ == "__main__":
    main(sys.argv[1:])
