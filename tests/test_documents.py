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
    said = page.partition("**Reading a schedule's text runs nothing.**")[2].partition("\n- ")[0]
    assert said
    assert ("ast" in imported) == ("syntax tree" in said)


def rooms_of_the_architecture() -> dict[str, str]:
    """What the page says of each room and folder, by its path: the block, cut at their names."""
    page = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    block = page.partition("src/stepsize/\n")[2].partition("```")[0]
    found = list(re.finditer(r"(?m)(?:^  |   )(\w+(?:/|\.py))(?= )", block))
    ends = [each.start() for each in found[1:]] + [len(block)]
    rooms: dict[str, str] = {}
    for each, end in zip(found, ends, strict=True):
        inside = "torch/" if "torch" in rooms and "testing" not in rooms else ""
        name = inside + each[1].rstrip("/") if each[1] != "testing/" else "testing"
        rooms[name] = block[each.end() : end]
    return rooms


def test_the_architecture_names_every_room_and_no_other() -> None:
    there = {
        path.name
        for path in PACKAGE.iterdir()
        if not path.name.startswith("_")
        and (path.suffix == ".py" or (path / "__init__.py").exists())
    }
    named = {name for name in rooms_of_the_architecture() if "/" not in name}
    assert named == there


def test_every_file_and_name_that_the_architecture_puts_into_a_room_is_there() -> None:
    for room, text in rooms_of_the_architecture().items():
        folder = PACKAGE / room
        files = list(folder.rglob("*.py")) if folder.is_dir() else [folder]
        source = "\n".join(path.read_text(encoding="utf-8") for path in files)
        for module in re.findall(r"\b_[a-z]\w+|\b[a-z]\w+\.py", text):
            name = module.removesuffix(".py")
            assert (folder / f"{name}.py").exists(), f"{room}: {module}"
        for name in re.findall(r"\b[A-Z]\w*[a-z]\w*[A-Z]\w*|\b[a-z]+_[a-z_]+\b", text):
            assert re.search(rf"\b{name}\b", source), f"{room}: {name}"


def test_every_path_that_the_architecture_writes_is_there() -> None:
    page = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    paths = set(re.findall(r"`([\w./]+(?:/|\.py|\.md|\.toml))`", page))
    assert len(paths) > 10
    assert [
        path for path in sorted(paths) if not ((ROOT / path).exists() or (PACKAGE / path).exists())
    ] == []
    commands = set(re.findall(r"make ([a-z-]+)", page))
    targets = set(re.findall(r"(?m)^([a-z-]+)(?: [a-z -]+)?:", (ROOT / "Makefile").read_text()))
    assert commands <= targets | {"curves"}
