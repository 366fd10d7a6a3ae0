"""Finished runs are never lost and never repeated."""

import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.auto.runs import Runs

WRITER = """
import sys
from pathlib import Path
from benchmarks.auto.runs import Runs

runs = Runs(Path(sys.argv[1]))
for number in range(200):
    runs.once({"by": sys.argv[2], "number": number}, lambda: {"text": sys.argv[2] * 500})
"""


def never() -> dict[str, int]:
    pytest.fail("a known run was repeated")


def test_a_known_run_is_not_repeated_also_by_the_next_process(tmp_path: Path) -> None:
    path = tmp_path / "new" / "runs.jsonl"
    runs = Runs(path)
    assert runs.once({"seed": 1, "task": "a"}, lambda: {"loss": 2}) == {"loss": 2}
    assert runs.once({"task": "a", "seed": 1}, never) == {"loss": 2}
    assert Runs(path).once({"seed": 1, "task": "a"}, never) == {"loss": 2}
    assert Runs(path).get({"seed": 2, "task": "a"}) is None


def test_a_line_torn_by_a_crash_costs_only_its_own_run(tmp_path: Path) -> None:
    path = tmp_path / "runs.jsonl"
    runs = Runs(path)
    for seed in (1, 2):
        runs.once({"seed": seed}, lambda seed=seed: {"loss": seed})
    path.write_bytes(path.read_bytes()[:-9])
    again = Runs(path)
    assert again.get({"seed": 1}) == {"loss": 1}
    assert again.once({"seed": 2}, lambda: {"loss": 20}) == {"loss": 20}
    assert Runs(path).get({"seed": 2}) == {"loss": 20}


def test_processes_may_write_the_same_file_at_once(tmp_path: Path) -> None:
    path = tmp_path / "runs.jsonl"
    writers = [
        subprocess.Popen([sys.executable, "-c", WRITER, str(path), name]) for name in ("a", "b")
    ]
    assert [writer.wait(timeout=60) for writer in writers] == [0, 0]
    runs = Runs(path)
    for name in ("a", "b"):
        for number in range(200):
            assert runs.get({"by": name, "number": number}) == {"text": name * 500}
