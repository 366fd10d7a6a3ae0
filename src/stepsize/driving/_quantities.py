"""How a quantity of a parameter group is named: in calls, texts, states and ticks."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

from stepsize.errors import InvalidType, InvalidValue

__all__ = [
    "Group",
    "GroupPlaces",
    "Key",
    "Selector",
    "describe_group",
    "name_of",
    "named_by_group",
    "tick_name",
]

Key: TypeAlias = str | tuple[str, int]
"""A quantity of a group: ``"lr"``, or an entry of one that is a tuple: ``("betas", 0)``."""

Group: TypeAlias = Mapping[str, Any]
"""A parameter group: its quantities, and perhaps its ``"name"``."""

Selector: TypeAlias = int | str | Callable[[Group], bool]
"""Which groups: an index, a name (the group's ``"name"``), or a predicate on the group."""


def name_of(key: Key) -> str:
    """The quantity's name.

    >>> name_of("lr"), name_of(("betas", 0))
    ('lr', 'betas[0]')
    """
    return key if isinstance(key, str) else f"{key[0]}[{key[1]}]"


def tick_name(key: Key, group: str | None) -> str:
    """What ticks call the quantity: ``lr`` where there is one group, else ``lr/<group>``."""
    return name_of(key) if group is None else f"{name_of(key)}/{group}"


def named_by_group(
    quantity: str, names: Sequence[str], values: Sequence[float]
) -> dict[str, float]:
    """The values of a quantity as ticks name them.

    >>> named_by_group("lr", ["0"], [0.1]), named_by_group("lr", ["body", "head"], [0.1, 0.2])
    ({'lr': 0.1}, {'lr/body': 0.1, 'lr/head': 0.2})
    """
    alone = len(values) == 1
    return {
        tick_name(quantity, None if alone else name): value
        for name, value in zip(names, values, strict=True)
    }


def describe_group(index: int, group: Group) -> str:
    """The group in a sentence: ``0``, or ``1 ('head')``."""
    name = group.get("name")
    return str(index) if name is None else f"{index} ({name!r})"


class GroupPlaces:
    """The groups of one optimizer or several, numbered through: where a selector finds them.

    Args:
        optimizers: The groups of each optimizer.

    >>> places = GroupPlaces([[{"name": "body"}, {"name": "head"}], [{"name": "body"}]])
    >>> places.select("attach(...)", "body"), places.select("attach(...)", 1)
    ([(0, 0), (1, 0)], [(0, 1)])
    """

    def __init__(self, optimizers: Sequence[Sequence[Group]]) -> None:
        self._groups = [
            (number, index, group)
            for number, groups in enumerate(optimizers)
            for index, group in enumerate(groups)
        ]
        self._by_name: dict[str, list[tuple[int, int]]] = {}
        for number, index, group in self._groups:
            name = group.get("name")
            if isinstance(name, str):
                self._by_name.setdefault(name, []).append((number, index))

    def select(self, call: str, selector: Selector) -> Sequence[tuple[int, int]]:
        """The groups that are meant, as (optimizer, index).

        Raises:
            InvalidType: The selector is neither an index, nor a name, nor a predicate.
            InvalidValue: There is no group of this index or name.
        """
        if callable(selector):
            return [(number, index) for number, index, group in self._groups if selector(group)]
        if isinstance(selector, bool) or not isinstance(selector, int | str):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise InvalidType(
                call,
                "a group is meant by its index, its name or a predicate",
                f"got {selector!r} ({type(selector).__name__})",
            )
        if isinstance(selector, str):
            found = self._by_name.get(selector, [])
        else:
            within = 0 <= selector < len(self._groups)
            found = [self._groups[selector][:2]] if within else []
        if not found:
            known = (describe_group(at, group) for at, (*_, group) in enumerate(self._groups))
            raise InvalidValue(
                call,
                f"there must be a group {selector!r}",
                f"there are: {', '.join(known)}",
                'A group is named in {"params": ..., "name": "head"}; for groups that come later '
                "use a predicate.",
            )
        return found
