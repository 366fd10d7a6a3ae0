"""Write docs/en/configurations.md from the formats and their tests.

``python docs/write_configurations.py``; a test compares the page with what this gives.
"""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from stepsize import StepsizeError
from stepsize.importers import FORMATS, from_config
from tests.importers.real_keys import REAL_KEYS
from tests.importers.test_published_formulas import CASES, Case

PAGE = Path(__file__).parent / "en" / "configurations.md"

INTRODUCTION = """\
# Configurations of other tools

```sh
stepsize describe axolotl.yaml --steps 2000
stepsize check config.py --steps 90000 --steps-per-epoch 7330
stepsize plot train.toml ds_config.json
stepsize describe mpt-7b.yaml --to torch
```

`describe`, `plot`, `compare`, `check` and `run --schedule` read JSON, YAML, TOML and Python files
of at most 2 MB. Nothing in them is run: of a Python file the literals of its syntax tree are read,
and a value that the file computes is named when it is needed. In Python:

```python
from stepsize.importers import from_config

found = from_config({"lr_scheduler_type": "linear", "max_steps": 1000, "warmup_steps": 50})
assert found.schedule.text == "Warmup(50) >> Linear(950)"
```

- `--base`, `--steps` and `--steps-per-epoch` add what a file leaves to others: its rate, its
  length, its epochs in optimizer steps. They also fill in DeepSpeed's `"auto"`, as do the training
  arguments beside the file.
- A key that may concern the rate is understood, refused, or named first in the notes.
- A file that holds no schedule is said to hold none, and a relative of a known format is refused
  with the nearest one named.
- W&B's `config.yaml` is read as what it was made of.
- Files that a configuration builds on (`_base_`, `_BASE_`, `defaults`) are not read.

This page is written by `python docs/write_configurations.py`, and a test keeps it up to date.

## The formats

*Formulas* counts the configurations whose rates are recomputed at every position in the tests.
*Keys* says how many of the settings about the rate that the tool has are understood; the others are
refused or named.

| tool | source of the formula | formulas | keys understood |
|---|---|---|---|
"""

WRITTEN = """
## The way back

`describe --to TOOL` prints the call of another tool that gives the same schedule, where it has one:
`torch`, `transformers`, `optax` and `keras`. `make oracle` compares the calls with those tools' own
code.
"""


def page() -> str:
    """The whole page."""
    return "".join([INTRODUCTION, *_rows(), WRITTEN])


def _rows() -> Iterator[str]:
    for each in FORMATS:
        count = sum(case.tool == each.name for case in CASES)
        formulas = str(count) if count else "a file of tests of its own"
        yield f"| {each.name} | {each.source} | {formulas} | {_share(each.name)} |\n"


def _share(tool: str) -> str:
    keys = REAL_KEYS.get(tool)
    if keys is None:
        return "all, or refused"
    understood = [key for key, value in keys.items() if is_understood(tool, key, value)]
    left = [f"`{key.rpartition('.')[2]}`" for key in keys if key not in understood]
    rest = f"; not {', '.join(left)}" if left else ""
    return f"{len(understood)} of {len(keys)}{rest}"


def is_understood(tool: str, path: str, value: Any) -> bool:
    """Whether a key is read in one of the tool's configurations, and not only named or refused."""
    return any(_reads(case, path, value) for case in CASES if case.tool == tool)


def _reads(case: Case, path: str, value: Any) -> bool:
    try:
        found = from_config(_with(case.document, path.split("."), value), **case.known)
    except StepsizeError:
        return False
    return not any(path in note for note in found.notes if note.startswith("Not read"))


def _with(document: Any, path: list[str], value: Any) -> dict[str, Any]:
    key, *rest = path
    inside = _with(document.get(key) or {}, rest, value) if rest else value
    return {**document, key: inside}


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
