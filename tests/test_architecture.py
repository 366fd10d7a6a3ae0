"""The architecture is a test: who imports whom, what an import loads, what is documented."""

import ast
import graphlib
import importlib
import inspect
import pkgutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import grimp
import pytest
from importlinter.cli import lint_imports

import stepsize

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "src" / "stepsize"
ROOMS = {module.name for module in pkgutil.iter_modules([str(PACKAGE)])}


def modules() -> Iterator[ModuleType]:
    yield stepsize
    for found in pkgutil.walk_packages(stepsize.__path__, "stepsize."):
        if not found.name.endswith(".__main__"):
            yield importlib.import_module(found.name)


def public_things() -> Iterator[tuple[str, object]]:
    for module in modules():
        for name in getattr(module, "__all__", ()):
            yield f"{module.__name__}.{name}", getattr(module, name)


def has_own_docstring(thing: object) -> bool:
    if not isinstance(thing, type):
        return bool(inspect.getdoc(thing))
    text = vars(thing).get("__doc__") or ""
    written_by_dataclass = text.startswith(f"{thing.__name__}(") and "\n" not in text
    return bool(text) and not written_by_dataclass


def test_the_import_contracts_of_pyproject_are_kept() -> None:
    assert lint_imports(config_filename=str(ROOT / "pyproject.toml"), no_cache=True) == 0


def test_no_module_imports_itself_through_others() -> None:
    graph = grimp.build_graph("stepsize", cache_dir=None)
    imports = {module: graph.find_modules_directly_imported_by(module) for module in graph.modules}
    try:
        graphlib.TopologicalSorter(imports).prepare()
    except graphlib.CycleError as error:
        pytest.fail(" <- ".join(error.args[1]))


def test_importing_stepsize_loads_no_framework_no_storage_and_no_screen() -> None:
    heavy = ["click", "jax", "matplotlib", "rich", "scipy", "sqlite3", "torch"]
    rooms = [f"stepsize.{room}" for room in ["cli", "plot", "progress", "record", "torch"]]
    listing = subprocess.run(
        [sys.executable, "-c", "import stepsize, sys; print(*sys.modules)"],
        check=True,
        capture_output=True,
        text=True,
    )
    loaded = set(listing.stdout.split())
    assert "stepsize.schedules" in loaded
    assert sorted(loaded.intersection([*heavy, *rooms])) == []


def test_every_leaf_module_lists_its_public_names_literally() -> None:
    leaves = [path for path in PACKAGE.rglob("*.py") if not path.name.startswith("__")]
    assert leaves

    def lists_names(path: Path) -> bool:
        return any(
            isinstance(statement, ast.Assign | ast.AnnAssign)
            and ast.unparse(statement).startswith("__all__")
            and isinstance(statement.value, ast.List)
            and all(isinstance(name, ast.Constant) for name in statement.value.elts)
            for statement in ast.parse(path.read_text(encoding="utf-8")).body
        )

    assert [str(path.relative_to(ROOT)) for path in leaves if not lists_names(path)] == []


def test_every_public_class_and_function_has_a_docstring_of_its_own() -> None:
    things = dict(public_things())
    assert "stepsize.errors.InvalidValue" in things
    undocumented = [
        name
        for name, thing in things.items()
        if (inspect.isclass(thing) or inspect.isroutine(thing)) and not has_own_docstring(thing)
    ]
    assert undocumented == []


def test_no_public_name_is_the_name_of_a_room() -> None:
    # A command of the command line may be: nobody imports it from stepsize.
    importable = [name for name, _ in public_things() if not name.startswith("stepsize.cli.")]
    assert [name for name in importable if name.rpartition(".")[2] in ROOMS] == []
