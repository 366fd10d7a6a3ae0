"""Old names of arguments and things: refused with the new ones."""

import functools
import inspect
from collections.abc import Callable, Mapping
from typing import Any, TypeVar, cast

from stepsize.errors import InvalidType, Renamed

__all__ = ["renamed", "renamed_arguments"]

Target = TypeVar("Target", bound=Callable[..., Any])


def renamed_arguments(**names: str) -> Callable[[Target], Target]:
    """Let a function or a class refuse the old names of its arguments with the new ones.

    Args:
        **names: The new name by the old one.

    >>> @renamed_arguments(watch="metric")
    ... def find(metric: str) -> str:
    ...     return metric
    >>> find(watch="loss")
    Traceback (most recent call last):
    stepsize.errors.InvalidType: find(watch='loss'): the argument 'watch' is now 'metric'. ...
    """

    def decorate(target: Target) -> Target:
        called = target.__init__ if inspect.isclass(target) else target

        @functools.wraps(called)
        def checked(*args: Any, **given: Any) -> Any:
            for old, new in names.items():
                if old in given:
                    name, value = target.__name__, given[old]
                    raise InvalidType(
                        f"{name}({old}={value!r})",
                        f"the argument {old!r} is now {new!r}",
                        remedy=f"Write {name}({new}={value!r}).",
                        argument=old,
                    )
            return called(*args, **given)

        if inspect.isclass(target):
            cast(Any, target).__init__ = checked
            return cast(Target, target)
        return cast(Target, checked)

    return decorate


def renamed(module: str, name: str, names: Mapping[str, str]) -> Exception:
    """What a module's ``__getattr__`` raises for a name that it does not have.

    Args:
        module: The module's name.
        name: The name that was asked for.
        names: The new name by the old one.

    Returns:
        ``Renamed`` for an old name, else ``AttributeError``.
    """
    if name in names:
        return Renamed(
            f"{module}.{name}", f"{name} is now {names[name]}", remedy=f"Write {names[name]}."
        )
    return AttributeError(f"module {module!r} has no attribute {name!r}")
