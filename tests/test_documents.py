"""What documents and messages name exists."""

import ast
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

from stepsize.schedules.expression import MAX_NESTING, MAX_NODES, MAX_TEXT

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "src" / "stepsize"
EXTRAS = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]


def extras_named_in_errors() -> Iterator[str]:
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "MissingExtra":
                extra = node.args[-1]
                assert isinstance(extra, ast.Constant), path
                yield str(extra.value)


def test_every_extra_that_an_error_names_exists() -> None:
    named = set(extras_named_in_errors())
    assert named
    assert named <= EXTRAS.keys()


def test_every_extra_that_a_page_names_exists() -> None:
    pages = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]
    assert len(pages) > 10
    named = {
        extra.strip()
        for page in pages
        for group in re.findall(r"'(?:\.|stepsize)\[([\w, ]+)\]'", page.read_text("utf-8"))
        for extra in group.split(",")
    }
    assert named
    assert named <= EXTRAS.keys()


def test_the_security_page_states_the_limits_of_the_parser_that_is_there() -> None:
    page = (ROOT / "SECURITY.md").read_text(encoding="utf-8")
    for limit, unit in (
        (MAX_TEXT, "characters"),
        (MAX_NODES, "nodes"),
        (MAX_NESTING, "levels of nesting"),
    ):
        assert f"{limit:,} {unit}" in " ".join(page.split())
    parser = ast.parse((PACKAGE / "schedules" / "text.py").read_text(encoding="utf-8"))
    imported = [
        alias.name
        for node in ast.walk(parser)
        if isinstance(node, ast.Import)
        for alias in node.names
    ]
    assert ("ast" in imported) == ("syntax tree" in page)
