"""The page of the documentation: every row, our expression, and each peer's call beside it."""

import importlib
import pkgutil
from collections.abc import Iterator, Sequence
from pathlib import Path

from oracle import peers
from oracle.features import FEATURES
from oracle.rows import CYCLES, OPEN_LOOP, PLANS, WARMUPS
from oracle.table import Pair, Peer, Row, shown

__all__ = ["FEATURES_PAGE", "PAGE", "all_pairs", "features_page", "page"]

_DOCS = Path(__file__).parents[1] / "docs" / "en"
PAGE = _DOCS / "curves.md"
FEATURES_PAGE = _DOCS / "features.md"

_FAMILIES = {
    "Shapes": OPEN_LOOP,
    "Cycles and restarts": CYCLES,
    "Plans of several phases": PLANS,
    "Warmups": WARMUPS,
}

_HEAD = """\
# Every curve, and what it is called elsewhere

Look your curve up by the call that you write today; the expression beside it gives the same rate at
every step. Values are multiples of the base rate, which stays in the optimizer.

{counts}

How to read it: `n` is a length in optimizer steps, `w` a warmup's, `e` a floor; a cell may
calculate, as in `n - w`. *By formula* marks a peer that cannot be installed beside the others: its
published formula stands in for its code. Past the end, our last value holds for ever.

This page is written by `python -m oracle`, and a test keeps it up to date; `make oracle` runs every
peer's installed code against the expressions.
"""


def all_pairs() -> list[tuple[Peer, Pair]]:
    """Every pair with its peer, by the peers' names."""
    found: list[tuple[Peer, Pair]] = []
    for module in pkgutil.iter_modules(peers.__path__):
        loaded = importlib.import_module(f"oracle.peers.{module.name}")
        found.extend((loaded.PEER, pair) for pair in loaded.PAIRS)
    return sorted(found, key=lambda each: (each[1].row, each[0].name.lower()))


def page() -> str:
    """The page as Markdown."""
    pairs = all_pairs()
    lines = [_HEAD.format(counts=_counts(pairs))]
    for family, rows in _FAMILIES.items():
        lines.append(f"\n## {family}\n")
        for row in rows:
            lines.extend(_section(row, [each for each in pairs if each[1].row == row.number]))
    lines.extend(_uninstallable(pairs))
    return "\n".join(lines).rstrip() + "\n"


def _counts(pairs: Sequence[tuple[Peer, Pair]]) -> str:
    rows = [row for family in _FAMILIES.values() for row in family]
    run = {(pair.row, peer.key) for peer, pair in pairs if not pair.formula}
    stand_in = {(pair.row, peer.key) for peer, pair in pairs if pair.formula} - run
    cases = sum(len(pair.cases) for _, pair in pairs)
    exceptions = [row for row in rows if row.exception]
    faults = [pair for _, pair in pairs if pair.fault]
    proven = sum(bool(row.formula) for row in rows)
    return (
        f"{len(rows) - len(exceptions)} of the census's {len(rows)} open-loop curves have an "
        f"expression, {proven} of them proven by their formula. {len(run)} (row, peer) pairs are "
        f"proven by the peer's own code and {len(stand_in)} by its published formula: "
        f"{len(pairs)} calls with {cases} sets of parameters. In {len(faults)} calls the peer "
        "departs from the curve somewhere, and the table says where. No expression: "
        + "; ".join(f"row {row.number} ({row.name}) is {row.exception}" for row in exceptions)
        + "."
    )


def _section(row: Row, pairs: Sequence[tuple[Peer, Pair]]) -> Iterator[str]:
    yield f"### {row.number}. {row.name[0].upper()}{row.name[1:]}\n"
    if row.exception:
        yield f"None: {row.exception}.\n"
        return
    formula = f"  \n`{shown(row.formula)}`" if row.formula else ""
    yield f"`{shown(row.ours)}`{formula}\n"
    if not pairs:
        return
    yield "| where | call there | here | what differs |"
    yield "|---|---|---|---|"
    for peer, pair in pairs:
        base = "" if pair.base == "1.0" else f", base `{shown(pair.base)}`"
        stand_in = " (by formula)" if pair.formula else ""
        difference = " ".join(filter(None, [pair.difference, _fault(pair)]))
        cells = (
            f"{peer.name}{stand_in}",
            f"`{shown(pair.call)}`",
            f"`{shown(pair.ours)}`{base}",
            difference,
        )
        yield "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
    yield ""


def _fault(pair: Pair) -> str:
    if not pair.fault:
        return ""
    return f"**From position `{shown(pair.agrees_until)}` on it departs:** {pair.fault}"


def _uninstallable(pairs: Sequence[tuple[Peer, Pair]]) -> Iterator[str]:
    absent = {peer.name: peer.why_not for peer, _ in pairs if peer.why_not}
    if absent:
        yield "## By formula\n"
        yield from (f"- {name}: {why}" for name, why in sorted(absent.items()))


_FEATURES_HEAD = """\
# What other tools do, and the line that does it here

Features 1–52 of the census of public tools, which are those that concern schedules and feedback. In
the lines `schedule` and `other` are schedules, `optimizer` is a torch optimizer with the groups
`body` and `head`, `rate` is what `attach` gave back. A test runs each line.

| # | feature | here | |
|---|---|---|---|
"""


def features_page() -> str:
    """The page of features as Markdown."""
    lines: list[str] = []
    for feature in FEATURES:
        here = f"`{feature.code}`" if feature.code else "left out"
        note = feature.note or (feature.left_out and f"{feature.left_out}.")
        lines.append(f"| {feature.number} | {feature.name} | {here} | {note} |")
    return _FEATURES_HEAD + "\n".join(lines) + "\n"
