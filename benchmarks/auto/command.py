"""The command line: make the reference, run procedures, print the tables."""

import argparse
import dataclasses
import json
import platform
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.progress import track

from benchmarks.auto.procedures import PROCEDURES
from benchmarks.auto.reference import JUDGING_SEEDS, TUNING_SEEDS, make_reference
from benchmarks.auto.runs import Runs
from benchmarks.auto.table import between_marks, tables
from benchmarks.auto.tasks import TASKS

__all__ = ["main"]

_FOLDER = Path(__file__).parent
_CACHE = Path(".benchmarks/auto")
_SEEDS = JUDGING_SEEDS[:3]


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.auto", description=__doc__)
    commands = parser.add_subparsers(required=True)

    reference = commands.add_parser("reference", help="the tuned best of each task, by grids")
    _add_choice(reference, "--tasks", list(TASKS))
    reference.add_argument("--cache", type=Path, default=_CACHE / "reference.jsonl")
    reference.add_argument("--output", type=Path, default=_FOLDER / "reference.json")
    reference.set_defaults(command=_reference)

    run = commands.add_parser("run", help="run procedures; those that are known are not repeated")
    table = commands.add_parser("table", help="print the tables of the runs that are known")
    for each in (run, table):
        _add_choice(each, "--procedures", list(PROCEDURES))
        _add_choice(each, "--tasks", list(TASKS))
        each.add_argument("--seeds", nargs="+", type=int, default=_SEEDS, metavar="SEED")
        each.add_argument("--cache", type=Path, default=_CACHE / "procedures.jsonl")
    run.set_defaults(command=_run)
    table.add_argument("--reference", type=Path, default=_FOLDER / "reference.json")
    table.add_argument("--into", type=Path, help="a page that holds the marks to write between")
    table.set_defaults(command=_table)

    given = parser.parse_args(arguments)
    # Results must not depend on how many cores there are.
    torch.set_num_threads(1)
    given.command(given)


def _add_choice(parser: argparse.ArgumentParser, name: str, choices: list[str]) -> None:
    shown = "; ".join(choices)
    parser.add_argument(
        name, nargs="+", choices=choices, default=choices, metavar="NAME", help=f"of: {shown}"
    )


def _reference(given: argparse.Namespace) -> None:
    runs = Runs(given.cache)
    for name in track([*given.tasks], "reference", console=Console(stderr=True)):
        _store(given.output, name, make_reference(TASKS[name], runs))


def _store(path: Path, name: str, made: dict[str, Any]) -> None:
    stored = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {"tasks": {}}
    tasks = {**stored["tasks"], name: made}
    described = {
        "command": "python -m benchmarks.auto reference",
        "python": platform.python_version(),
        "torch": torch.__version__,
        "tuning_seeds": TUNING_SEEDS,
        "judging_seeds": JUDGING_SEEDS,
        "tasks": {each: tasks[each] for each in TASKS if each in tasks},
    }
    path.write_text(json.dumps(described, indent=1) + "\n", encoding="utf-8")


def _run(given: argparse.Namespace) -> None:
    console = Console(stderr=True)
    runs = Runs(given.cache)
    procedures = [PROCEDURES[name] for name in given.procedures]
    for missing in (each for each in procedures if not each.installed):
        console.print(f"{missing.name}: not installed: pip install {missing.package}")
    todo = [
        (procedure, TASKS[task], seed)
        for task in given.tasks
        for procedure in procedures
        if procedure.installed
        for seed in given.seeds
    ]
    for procedure, task, seed in track(todo, "procedures", console=console):
        runs.once(
            _key(procedure.name, task.name, seed),
            lambda p=procedure, t=task, s=seed: dataclasses.asdict(p.run(t, s)),
        )


def _key(procedure: str, task: str, seed: int) -> dict[str, Any]:
    return {"procedure": procedure, "task": task, "seed": seed}


def _table(given: argparse.Namespace) -> None:
    runs = Runs(given.cache)
    results: dict[str, dict[tuple[str, int], dict[str, Any]] | None] = {}
    for name in given.procedures:
        asked = ((task, seed) for task in given.tasks for seed in given.seeds)
        known = {key: found for key in asked if (found := runs.get(_key(name, *key))) is not None}
        results[name] = known if known or PROCEDURES[name].installed else None
    text = tables(results, given.reference)
    if given.into is None:
        print(text, end="")
        return
    page = given.into.read_text(encoding="utf-8")
    given.into.write_text(between_marks(page, text), encoding="utf-8")
