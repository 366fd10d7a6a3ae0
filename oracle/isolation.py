"""Stand-ins for what a peer's scheduler file imports and does not need."""

import sys
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

__all__ = ["absent"]


def absent(*packages: str) -> None:
    """Let ``packages``, and all modules below them, be imported without being there.

    Whatever is imported from them is a class that does nothing: it can be a base class, an
    annotation, a decorator that changes nothing, a logger. No rate may be calculated from it.
    """
    sys.meta_path.insert(0, _Finder(packages))


class _Attributes(type):
    def __getattr__(cls, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return cls


class _Nothing(metaclass=_Attributes):
    def __new__(cls, *args: Any, **_: Any) -> Any:
        return args[0] if len(args) == 1 and callable(args[0]) else super().__new__(cls)

    def __init__(self, *_: Any, **__: Any) -> None:
        pass

    def __call__(self, *args: Any, **_: Any) -> Any:
        return type(self)(*args)


class _Module(ModuleType):
    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return _Nothing


class _Finder(MetaPathFinder, Loader):
    def __init__(self, packages: tuple[str, ...]) -> None:
        self._packages = packages

    def find_spec(self, fullname: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        below = (fullname == name or fullname.startswith(f"{name}.") for name in self._packages)
        return ModuleSpec(fullname, self, is_package=True) if any(below) else None

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return _Module(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        pass
