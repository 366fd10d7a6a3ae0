"""What makes a node of the algebra a value: checked fields, a text, equality by content, limits."""

from collections.abc import Sequence
from dataclasses import MISSING, dataclass, fields
from functools import cached_property
from typing import Any, ClassVar, Self, TypeVar, dataclass_transform

from stepsize.checks import checked_number, number_ranges
from stepsize.errors import LimitExceeded

__all__ = [
    "CALL",
    "MAX_NESTING",
    "MAX_NODES",
    "MAX_TEXT",
    "PRODUCT",
    "SEQUENCE",
    "SUM",
    "Expression",
    "check_limit",
    "expression",
]

MAX_TEXT = 100_000
MAX_NODES = 1_000
MAX_NESTING = 64

# How tightly an expression's text binds, as in Python.
SEQUENCE, SUM, PRODUCT, CALL = range(4)

T = TypeVar("T")


@dataclass_transform(eq_default=False, frozen_default=True)
def expression(cls: type[T]) -> type[T]:
    """Make ``cls`` an immutable node of the algebra: a frozen dataclass compared by content."""
    return dataclass(frozen=True, eq=False, repr=False)(cls)


def check_limit(text: str, measured: int, limit: int, unit: str) -> None:
    """Refuse the expression written ``text`` if it has more than ``limit`` of ``unit``."""
    if measured > limit:
        raise LimitExceeded(
            f"{text[:60]}...",
            f"an expression has at most {limit:,} {unit}, so that it can be saved and read back",
            f"this one has {measured:,}",
            "Write a long list of values as one Table, and repetition as .repeat().",
        )


class Expression:
    """A node: its fields are checked when it is built, and its text is what one would type.

    The limits hold when a node is built, so that whatever can be built can be read back.
    """

    _binds: ClassVar[int] = CALL
    _nodes: int
    _depth: int
    _written: str

    def __post_init__(self) -> None:
        ranges = number_ranges(type(self))
        for each in fields(self):  # type: ignore[arg-type]  # every concrete schedule is a dataclass
            value = getattr(self, each.name)
            if each.name in ranges and not (value is None and each.default is None):
                value = checked_number(self._call(), each.name, value, ranges[each.name])
                object.__setattr__(self, each.name, value)
        self._check()
        children = self._children()
        object.__setattr__(self, "_nodes", self._own_nodes() + sum(c._nodes for c in children))
        object.__setattr__(self, "_depth", 1 + max((child._depth for child in children), default=0))
        object.__setattr__(self, "_written", self._write())
        self._check_limits()

    def _check(self) -> None:
        """Rules that hold between fields."""

    def _children(self) -> Sequence["Expression"]:
        return [
            value
            for each in fields(self)  # type: ignore[arg-type]
            if isinstance(value := getattr(self, each.name), Expression)
        ]

    def _own_nodes(self) -> int:
        return 1

    def _check_limits(self) -> None:
        for measured, limit, unit in (
            (self._nodes, MAX_NODES, "nodes"),
            (self._depth, MAX_NESTING, "levels of nesting"),
            (len(self._written), MAX_TEXT, "characters"),
        ):
            check_limit(self._written, measured, limit, unit)

    def _call(self) -> str:
        """The call that built this node, as one would type it."""
        required: list[str] = []
        optional: list[str] = []
        for each in fields(self):  # type: ignore[arg-type]
            value = getattr(self, each.name)
            if each.default is MISSING:
                required.append(repr(value))
            elif value != each.default:
                optional.append(f"{each.name}={value!r}")
        return f"{type(self).__name__}({', '.join(required + optional)})"

    def _write(self) -> str:
        return self._call()

    def __repr__(self) -> str:
        return self._written

    def _enclosed(self, binds: int) -> str:
        """The text as an operand, in brackets where Python would read it otherwise."""
        return self._written if self._binds > binds else f"({self._written})"

    @property
    def text(self) -> str:
        """The expression that ``parse`` reads back: what checkpoints and run files hold.

        Raises:
            UnregisteredFunction: It contains a function that has no name to be saved under.
        """
        self._require_names()
        return self._written

    def _require_names(self) -> None:
        for child in self._children():
            child._require_names()

    def _key(self) -> tuple[Any, ...]:
        return tuple(getattr(self, each.name) for each in fields(self))  # type: ignore[arg-type]

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return self._key() == other._key()  # type: ignore[union-attr]

    def __hash__(self) -> int:
        return self._hash

    @cached_property
    def _hash(self) -> int:
        # Kept: a sum hashes its operands more than once, which 64 levels would multiply.
        return hash((type(self).__name__, self._key()))

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: Any) -> Self:
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        arguments = tuple(getattr(self, each.name) for each in fields(self))  # type: ignore[arg-type]
        return type(self), arguments
