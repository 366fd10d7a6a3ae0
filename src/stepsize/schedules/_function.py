"""Any function of the position as a schedule, and the names under which functions are saved."""

import math
import re
from collections.abc import Callable
from functools import cached_property
from typing import Any, TypeVar

from stepsize.errors import InvalidType, InvalidValue, UnregisteredFunction
from stepsize.schedules.algebra import Schedule
from stepsize.schedules.backend import Operations
from stepsize.schedules.expression import expression
from stepsize.schedules.fields import Length
from stepsize.words import position_text

__all__ = ["Function", "schedule_function"]

F = TypeVar("F", bound=Callable[..., Any])

_NAME = re.compile(r"[^\W\d][\w.-]{0,99}")
_registered: dict[str, Callable[..., Any]] = {}
_names: dict[int, str] = {}


def schedule_function(name: str) -> Callable[[F], F]:
    """Give a function of the position the name under which it is saved and parsed.

    Args:
        name: Letters, digits, ``_``, ``-`` and ``.``, at most 100; starts with a letter or ``_``.

    Returns:
        A decorator that registers the function and returns it unchanged.

    Raises:
        InvalidValue: The name is malformed, or belongs to another function.

    >>> from stepsize import Function, parse, schedule_function
    >>> @schedule_function("sawtooth")
    ... def sawtooth(t):
    ...     return 1 - (t % 10) / 10
    >>> Function(sawtooth)
    Function('sawtooth')
    >>> parse("Function('sawtooth')")(5)
    0.5
    """
    if not isinstance(name, str) or not _NAME.fullmatch(name):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise InvalidValue(
            f"schedule_function({name!r})",
            "a name has letters, digits, '_', '-' and '.', at most a hundred, and starts with a "
            "letter or '_'",
            remedy='Example: "my_decay".',
            argument="name",
        )

    def register(function: F) -> F:
        known = _registered.get(name)
        if known is not None and _origin(known) != _origin(function):
            raise InvalidValue(
                f"schedule_function({name!r})",
                f"the name belongs to {_origin(known)} already",
                remedy="Choose another name.",
                argument="name",
            )
        if not callable(function):
            raise InvalidType(f"schedule_function({name!r})", f"{function!r} cannot be called")
        _names.pop(id(known), None)
        _registered[name] = function
        _names[id(function)] = name
        return function

    return register


def _origin(function: Callable[..., Any]) -> str:
    # A reloaded module or notebook cell defines the same function anew, which is not a clash.
    name = getattr(function, "__qualname__", None)
    return repr(function) if name is None else f"{function.__module__}.{name}"


@expression
class Function(Schedule):
    """Any function of the position: s(t) = function(t).

    The function gets what the schedule is called with (positions below 0 as 0): a number, or an
    array. One written for numbers only, with ``math`` or ``if``, is applied to NumPy arrays and
    torch tensors position by position.

    Args:
        function: position -> value; or the name of a registered one.
        steps: Length in optimizer steps, >= 0; endless if not given.

    Raises:
        InvalidType: It cannot be called.
        InvalidValue: No function is registered under the name; or, when the schedule is called
            with a number, the function's value is not finite.

    >>> from stepsize import Function
    >>> Function(lambda t: 1 / (1 + t)).values(3).round(3)
    array([1.   , 0.5  , 0.333])
    """

    function: "Callable[[Any], Any] | str"
    steps: "Length | None" = None

    def _check(self) -> None:
        given = self.function
        if isinstance(given, str):
            if given not in _registered:
                known = ", ".join(sorted(_registered)) or "none"
                raise InvalidValue(
                    f"Function({given!r})",
                    f"no function is registered under this name (registered: {known})",
                    remedy=f"Run the code that has @schedule_function({given!r}) first.",
                )
            object.__setattr__(self, "function", _registered[given])
        elif not callable(given):
            raise InvalidType(
                f"Function({given!r})",
                "{function} must be callable",
                f"is a {type(given).__name__}",
                "For one value for ever write Constant(value).",
                "function",
            )

    @cached_property
    def name(self) -> str | None:
        """The name under which the function was registered when this schedule was built."""
        return _names.get(id(self.function))

    def _call(self) -> str:
        given = self.function if isinstance(self.function, str) else self.name or self.function
        steps = "" if self.steps is None else f", steps={self.steps!r}"
        return f"Function({given!r}{steps})"

    def _require_names(self) -> None:
        if self.name is None:
            raise UnregisteredFunction(
                repr(self),
                "it cannot be saved: its function has no name that could be read back",
                remedy="Define it with def, under the decorator "
                '@stepsize.schedule_function("a_name").',
            )

    @cached_property
    def length(self) -> float:
        return math.inf if self.steps is None else self.steps

    def _at(self, t: Any, ops: Operations) -> Any:
        if self.steps is not None:
            t = ops.where(t < self.steps, t, self.steps)
        value = ops.apply(self.function, t)  # type: ignore[arg-type]  # a name was resolved
        if ops.scalar and not math.isfinite(value):
            raise InvalidValue(
                repr(self),
                "a rate must be finite",
                f"the value at position {position_text(t)} is {value}",
                "Mend the function, or limit where it is used with .until(steps).",
            )
        return value

    def __reduce__(self) -> tuple[Any, ...]:
        # pickle finds a function at the top of a module by itself; any other needs a name.
        if "<" in getattr(self.function, "__qualname__", "<"):
            self._require_names()
        return Function, (self.name or self.function, self.steps)
