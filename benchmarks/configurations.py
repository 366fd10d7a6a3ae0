"""How long the slowest configuration of 200 kB takes: files made to be slow, of every kind."""

import json
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

from stepsize.errors import StepsizeError
from stepsize.importers import read_configuration

__all__ = ["rows"]

_SIZE: Final = 200_000
_SHOWN: Final = 5


def rows() -> list[tuple[str, float, str, str]]:
    """Return (name, value, unit, aim), the slowest first."""
    with tempfile.TemporaryDirectory() as folder:
        times = {name: _seconds(Path(folder) / name, text) for name, text in _files()}
    slowest = sorted(times.items(), key=lambda item: -item[1])[:_SHOWN]
    return [(f"{name}, 200 kB", seconds, "s", "< 1") for name, seconds in slowest]


def _seconds(path: Path, text: str) -> float:
    path.write_text(text[:_SIZE], encoding="utf-8")
    began = time.process_time()
    with suppress(StepsizeError):
        read_configuration(path, steps=1_000, steps_per_epoch=100)
    return time.process_time() - began


def _files() -> Iterator[tuple[str, str]]:
    """Names and contents: brackets, long lists, many keys, aliases, deep and wide nesting."""
    olmo = "optimizer: {learning_rate: 1e-3}\nscheduler: {name: cosine_with_warmup}\n"
    yield "brackets.yaml", "[" * _SIZE
    yield "dashes.yaml", "- " * _SIZE
    yield "questions.yaml", "? " * _SIZE
    yield "pairs.yaml", "a: {" * _SIZE
    yield "closed.yaml", "[" + "[],".join("" for _ in range(_SIZE // 3)) + "]"
    yield "keys.yaml", "".join(f"k{n}: 1\n" for n in range(_SIZE))
    yield "paths.yaml", olmo + "data:\n" + "- s3://bucket/part.npy\n" * (_SIZE // 22)
    yield "quoted.yaml", 'a: "' + "x\\n" * _SIZE
    yield "indented.yaml", "".join(f"{' ' * n}k:\n" for n in range(600))
    bomb = "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 12))
    yield "aliases.yaml", "a0: &a0 [1, 2]\n" + bomb
    yield "anchors.yaml", "a: &a {lr: 1}\n" + "".join(f"b{n}: *a\n" for n in range(_SIZE))
    merged = "".join(f"a{n}: &a{n} {{<<: [*a{n - 1}, *a{n - 1}]}}\n" for n in range(1, 40))
    yield "merged.yaml", "a0: &a0 {x: 1}\n" + merged
    yield "references.yaml", olmo + "".join(f"k{n}: ${{k{n + 1}}}\n" for n in range(9_000))
    yield "brackets.json", "[" * _SIZE
    yield "keys.json", json.dumps({f"lr_{n}": n for n in range(9_000)})
    yield "dots.toml", "a" + ".a" * 90_000 + " = 1"
    yield "tables.toml", "".join(f"[a{n}]\nb = 1\n" for n in range(12_000))
    yield "brackets.toml", "a = " + "[" * _SIZE
    yield "brackets.py", "(" * _SIZE
    yield "sums.py", "x = " + "1 + " * 49_000 + "1"
    yield "names.py", "".join(f"x{n} = {n}\n" for n in range(_SIZE))
    yield "attributes.py", "x = a" + ".a" * 90_000
    yield "minus.py", "x = " + "-" * 190_000 + "1"
    yield "branches.py", "if x:\n" + " y = 1\n" * (_SIZE // 7)
    yield "nested.py", "".join(f"{' ' * n}if x:\n" for n in range(90)) + " " * 90 + "y = 1"
