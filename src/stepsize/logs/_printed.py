"""What a training printed: lines with names and numbers, such as ``epoch 3 loss 0.25``."""

import math
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from stepsize.columns import (
    counter_column,
    loss_columns,
    name_words,
    rate_columns,
    unit_of,
    vocabulary,
)
from stepsize.logs._logged import LoggedRun
from stepsize.logs._rows import Log, runs_of
from stepsize.logs._text import number

__all__ = ["is_printed", "read_printed"]

_NUMBER: Final = (
    r"(?>[-+]?(?:\d{1,3}(?:,\d{3})+(?:\.\d+)?|"
    r"(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?|nan|inf(?:inity)?))"
)
# Atomic, and only from the beginning of a word: a long line takes no time for all its parts.
_WORD: Final = r"(?!(?:nan|inf)\b)(?>[^\W\d_][\w./-]*)"
_PAIR: Final = re.compile(
    rf"(?<![\w./-])(?P<name>{_WORD}(?: {_WORD}){{0,3}})['\"]?(?:\s*[:=]\s*|\s+|(?=\[))"
    rf"['\"(]?\[?\s*(?:tensor\(\s*)?(?P<value>{_NUMBER})(?![\w.%])(?:\s*/\s*(?P<total>\d+))?",
    re.IGNORECASE,
)
# Epoch [1][50/7330]   Train: 0 [50/1251 (4%)]   Train: [0/300][10/1251]
_WITHIN_EPOCH: Final = re.compile(
    r"(?:epoch|train)\W{0,3}\[?\s*(?P<epoch>\d+)(?:\s*/\s*(?P<epochs>\d+))?\s*\]?\s*[:,]?\s*"
    r"\[\s*(?P<count>\d+)\s*/\s*(?P<total>\d+)",
    re.IGNORECASE,
)
_LEADING_PAIR: Final = re.compile(r"\W*\[\s*(?P<epoch>\d+)\s*,\s*(?P<count>\d+)\s*\]")
_LEADING: Final = re.compile(r"\s*\[(?P<count>\d+)\]\s|\s*(?P<of>\d+)\s*/\s*(?P<total>\d+)\s")
_BAR: Final = re.compile(r"\|\s*(?P<count>\d+)\s*/\s*(?P<total>\d+)\s*\[")
_CHINESE: Final = re.compile(r"第\s*(?P<number>\d+)\s*(?:个\s*)?(?P<unit>轮|epoch|步|次)")
_CLOCK: Final = re.compile(
    r"\d{4}[-/]\d{1,2}[-/]\d{1,2}(?:[ T]\d{1,2}:\d{2}(?::\d{2})?(?:[.,]\d+)?)?"
    r"|\d{1,2}/\d{1,2} \d{1,2}:\d{2}:\d{2}|\d{1,3}:\d{2}:\d{2}(?:[.,]\d+)?"
)
_COLOUR: Final = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
_PHASE: Final = re.compile(
    r"(?<![^\W_])(?:(?P<training>train(?:ing)?|训练)|"
    r"(?P<evaluation>val(?:id(?:ation)?)?|eval(?:uation)?|test(?:ing)?|dev|验证|测试))(?![^\W_])",
    re.IGNORECASE,
)
_FILLER: Final = vocabulary("the is was of at end done finished after on for in info root this")
_FEWEST_LINES: Final = 2
_LONGEST_LINE: Final = 4_000
_POINT: Final = np.zeros(1), np.zeros(1)
_SAMPLES: Final = re.compile(r"Train Epoch: \d+ \[\d+/\d+ \(")


@dataclass(frozen=True)
class _Line:
    """A printed line: its numbers by name, and the totals that its counters go up to."""

    numbers: dict[str, float]
    totals: dict[str, float]


def is_printed(text: str) -> bool:
    """Whether at least two lines name a loss or a rate with its number."""
    measured = (line for line in _lines(text) if _is_measured(line.numbers))
    return sum(1 for _, _ in zip(measured, range(_FEWEST_LINES), strict=False)) >= _FEWEST_LINES


def read_printed(path: Path, text: str, call: str) -> list[LoggedRun]:
    """The run whose losses and rates a text names line by line."""
    rows: list[dict[str, float]] = []
    epochs: dict[str, float] = {}
    totals: Counter[tuple[str, float]] = Counter()
    carried: dict[str, float] = {}
    for line in _lines(text):
        totals.update(line.totals.items())
        counters = {name: value for name, value in line.numbers.items() if _counts(name)}
        if _is_measured(line.numbers):
            rows.append(carried | line.numbers)
        elif counters:  # a heading, such as "Epoch 2/10"
            carried = {name: value for name, value in counters.items() if unit_of(name) == "epoch"}
    seen = Counter(name for row in rows for name in row)
    rows = [{name: value for name, value in row.items() if seen[name] > 1} for row in rows]
    for (name, total), _ in totals.most_common():
        epochs.setdefault("epochs" if unit_of(name) == "epoch" else "steps", total)
    log = Log(
        path,
        "printed",
        rows,
        steps=epochs.get("steps"),
        epochs=epochs.get("epochs"),
        per_epoch=epochs.get("steps"),
        unit="sample" if _SAMPLES.search(text) else None,
    )
    return runs_of(log, call)


def _lines(text: str) -> Iterator[_Line]:
    # A progress bar returns to the beginning of its line.
    for line in re.split(r"[\r\n]+", _COLOUR.sub("", text)):
        if line.strip():
            yield _parsed(_CLOCK.sub(" ", line[:_LONGEST_LINE]))


def _parsed(line: str) -> _Line:
    numbers: dict[str, float] = {}
    totals: dict[str, float] = {}
    for match in _PAIR.finditer(line):
        value = number(match["value"].replace(",", ""))
        name = _named(match["name"], line[: match.start()])
        if value is None or name in numbers:
            continue
        # "loss nan" is a value, "nan iterations" is not.
        if not math.isfinite(value) and not _is_measured({name: value}):
            continue
        numbers[name] = value
        if match["total"] and _counts(name):
            totals[name] = float(match["total"])
    _add_positions(line, numbers, totals)
    return _Line(numbers, totals)


def _add_positions(line: str, numbers: dict[str, float], totals: dict[str, float]) -> None:
    """Counters that a line has without a name of their own."""
    if numbered := _CHINESE.search(line):
        unit = "epoch" if numbered["unit"] in ("轮", "epoch") else "step"
        numbers.setdefault(unit, float(numbered["number"]))
    within = _WITHIN_EPOCH.search(line)
    if within:
        numbers["epoch"] = float(within["epoch"])
        if within["epochs"]:
            totals["epoch"] = float(within["epochs"])
    counts = within or _BAR.search(line) or _LEADING.match(line) or _LEADING_PAIR.match(line)
    if counts is None or any(unit_of(name) == "step" for name in numbers if _counts(name)):
        return
    found = counts.groupdict()
    numbers["iter"] = float(found["count"] or found["of"])
    if found.get("total"):
        totals["iter"] = float(found["total"])
    if found.get("epoch") and "epoch" not in numbers:
        numbers["epoch"] = float(found["epoch"])


def _named(name: str, before: str) -> str:
    """The name without what is not part of it; a loss of an evaluation says so."""
    parts = [part for part in name.split(" ") if part.lower() not in _FILLER] or [name]
    for first in range(len(parts)):
        if _counts(" ".join(parts[first:])):
            return " ".join(parts[first:])
    short = " ".join(parts)
    phases = list(_PHASE.finditer(before))
    own = _PHASE.search(short) or rate_columns({short: _POINT}).names
    if phases and phases[-1]["evaluation"] and not own:
        return f"{phases[-1]['evaluation']}/{short}"
    return short


def _counts(name: str) -> bool:
    return counter_column([name]) is not None


def _is_measured(numbers: dict[str, float]) -> bool:
    curves = dict.fromkeys(numbers, _POINT)
    found = loss_columns(curves)
    losses = (found.training, found.validation, found.without_progress, found.candidates)
    named = {each for group in losses for each in group if "loss" in name_words(each)}
    return bool(found.training or found.validation or named or rate_columns(curves).names)
