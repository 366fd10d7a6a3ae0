"""Run the campaigns of all targets, or of some, and print what became of their inputs."""

import argparse
import sys
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.console import Console
from rich.table import Table

from benchmarks.fuzz.campaign import Report, attempt, run_campaign
from benchmarks.fuzz.targets import TARGETS

PARTS = 50
KINDS = ("foreign errors", "hangs", "wrong round trips", "raw escapes", "long messages")


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.fuzz", description=__doc__)
    parser.add_argument("targets", nargs="*", choices=[*TARGETS, []], default=[])
    parser.add_argument("--inputs", type=int, default=100_000, help="for each target")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", type=int, help="the input of this number, with its traceback")
    given = parser.parse_args(arguments)
    targets = given.targets or list(TARGETS)
    if given.only is not None:
        with TemporaryDirectory() as folder:
            accepted = attempt(TARGETS[targets[0]], given.only, given.seed, Path(folder))
        sys.stdout.write("accepted\n" if accepted else "refused\n")
        return 0
    with ProcessPoolExecutor(given.processes) as pool:
        reports = [_report(pool, name, given.inputs, given.seed) for name in targets]
    _print(reports)
    return 1 if any(report.broken for report in reports) else 0


def _report(pool: ProcessPoolExecutor, name: str, inputs: int, seed: int) -> Report:
    whole = Report(name)
    parts = [range(start, inputs, PARTS) for start in range(min(PARTS, inputs))]
    for part in pool.map(_part, [name] * len(parts), parts, [seed] * len(parts)):
        whole.add(part)
    return whole


def _part(name: str, numbers: range, seed: int) -> Report:
    return run_campaign(TARGETS[name], numbers, seed)


def _print(reports: list[Report]) -> None:
    table = Table("read", "inputs", "accepted", "seconds", *KINDS, title="fuzz")
    for each in reports:
        share = f"{each.accepted / max(each.inputs, 1):.0%}"
        counts = [str(each.broken[kind]) for kind in KINDS]
        table.add_row(each.target, f"{each.inputs:,}", share, f"{each.seconds:,.0f}", *counts)
    console = Console(width=120)
    console.print(table)
    for example in (example for each in reports for example in each.examples):
        console.print(ascii(example).replace("\\n", "\n"), markup=False, highlight=False)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
