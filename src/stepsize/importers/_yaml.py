"""YAML as data, parsed once: limits hold while it is read, and tags call nothing."""

from collections.abc import Iterator
from importlib import import_module
from typing import Any, Final, cast

from stepsize.errors import MissingExtra, TextError
from stepsize.importers._literals import Computed

__all__ = ["read_yaml"]

_DEEPEST: Final = 64
# An alias repeats a part of the file, and aliases of aliases multiply: a few lines could stand for
# more than any memory holds.
_MOST_VALUES: Final = 200_000


def read_yaml(call: str, text: str) -> Any:
    """What a YAML text holds: mappings, lists, texts and numbers.

    A mapping with a tag of the file's own, such as PaddleDetection's ``!CosineDecay``, is a mapping
    with the tag as its ``name``.

    Args:
        call: What is being read, for the messages.
        text: The YAML.

    Raises:
        TextError: It is not YAML, nests deeper than 64 levels, or stands for too many values.
        MissingExtra: PyYAML is not installed.
    """
    try:
        yaml: Any = import_module("yaml")
    except ImportError as error:
        raise MissingExtra(call, "yaml", "yaml") from error
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        node = _Composer(call, yaml).compose(yaml.parse(text, Loader=loader))
        return None if node is None else _Builder(call, yaml).build(node)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        if isinstance(error, TextError):
            raise
        raise TextError(
            call,
            "it must be YAML",
            " ".join(str(error).split())[:150],
            "Correct the file, or write the schedule as an expression.",
        ) from error


class _Composer:
    """Nodes from events, without recursion."""

    def __init__(self, call: str, yaml: Any) -> None:
        self._call, self._yaml = call, yaml
        self._resolver = yaml.resolver.Resolver()
        self._anchors: dict[str, Any] = {}
        self._open: list[Any] = []
        self._first: Any = None

    def compose(self, events: Iterator[Any]) -> Any:
        """The first document's root; None where there is no document."""
        yaml = self._yaml
        acts = {
            yaml.ScalarEvent: self._scalar,
            yaml.SequenceStartEvent: self._sequence,
            yaml.MappingStartEvent: self._mapping,
            yaml.SequenceEndEvent: self._end,
            yaml.MappingEndEvent: self._end,
            yaml.AliasEvent: self._alias,
        }
        for event in events:
            act = acts.get(type(event))
            if act is not None:
                act(event)
            elif isinstance(event, yaml.DocumentEndEvent):
                break
        return self._first

    def _scalar(self, event: Any) -> None:
        tag = event.tag or self._resolver.resolve(
            self._yaml.ScalarNode, event.value, event.implicit
        )
        self._add(event, self._yaml.ScalarNode(tag, event.value))

    def _sequence(self, event: Any) -> None:
        self._begin(event, self._yaml.SequenceNode(event.tag or "", []))

    def _mapping(self, event: Any) -> None:
        self._begin(event, self._yaml.MappingNode(event.tag or "", []))

    def _end(self, event: Any) -> None:
        node = self._open.pop()
        node.is_open = False
        if self._open:
            self._count(node.size, node.depth)

    def _alias(self, event: Any) -> None:
        node = self._anchors.get(event.anchor)
        if node is None:
            raise ValueError(f"*{event.anchor} is not defined")
        if getattr(node, "is_open", False):
            raise self._too_many("the alias of what holds it stands for endlessly many")
        self._add(None, node)
        self._count(getattr(node, "size", 1), getattr(node, "depth", 0))

    def _begin(self, event: Any, node: Any) -> None:
        node.size, node.depth, node.is_open = 1, 0, True
        self._add(event, node)
        self._open.append(node)
        if len(self._open) > _DEEPEST:
            raise self._too_deep()

    def _add(self, event: Any, node: Any) -> None:
        if event is not None and event.anchor:
            self._anchors[event.anchor] = node
        if not self._open:
            self._first = node
            return
        parent = self._open[-1]
        parent.value.append(node)
        if event is not None and not hasattr(node, "size"):
            parent.size += 1

    def _count(self, size: int, depth: int) -> None:
        """Count what the innermost open node holds: an alias as all that it stands for."""
        parent = self._open[-1]
        parent.size += size
        parent.depth = max(parent.depth, depth + 1)
        if parent.size > _MOST_VALUES:
            raise self._too_many("its aliases (*name) repeat more")
        if parent.depth > _DEEPEST:
            raise self._too_deep()

    def _too_deep(self) -> TextError:
        return TextError(self._call, f"a configuration nests at most {_DEEPEST} levels deep")

    def _too_many(self, found: str) -> TextError:
        return TextError(
            self._call,
            f"a configuration stands for at most {_MOST_VALUES:,} values",
            found,
            "Write out what they stand for.",
        )


class _Builder:
    """Plain data from nodes."""

    def __init__(self, call: str, yaml: Any) -> None:
        self._call, self._yaml = call, yaml
        scalars = yaml.constructor.SafeConstructor()
        self._scalars = scalars
        self._made = {
            f"tag:yaml.org,2002:{name}": make
            for name, make in (
                ("str", scalars.construct_yaml_str),
                ("int", scalars.construct_yaml_int),
                ("float", scalars.construct_yaml_float),
                ("bool", scalars.construct_yaml_bool),
                ("null", scalars.construct_yaml_null),
            )
        }

    def build(self, node: Any, level: int = 0) -> Any:
        """The value of a node; what an alias stands for is built where it stands."""
        if node.tag.startswith("tag:yaml.org,2002:python/"):
            if not level:
                raise ValueError(f"the tag {node.tag} asks for Python objects")
            return Computed(f"!!{node.tag.removeprefix('tag:yaml.org,2002:')}")
        if isinstance(node, self._yaml.ScalarNode):
            return self._scalar(node)
        if isinstance(node, self._yaml.SequenceNode):
            return [self.build(each, level + 1) for each in node.value]
        return self._mapping(node, level)

    def _scalar(self, node: Any) -> Any:
        if node.tag.startswith("!"):
            return f"{node.tag} {node.value}".strip()
        make = self._made.get(node.tag)
        return self._scalars.construct_object(node) if make is None else make(node)

    def _mapping(self, node: Any, level: int) -> dict[str, Any]:
        merged: dict[str, Any] = {}
        own: dict[str, Any] = {}
        if node.tag.startswith("!"):
            own["name"] = node.tag[1:]
        values = iter(node.value)
        for key_node, value_node in zip(values, values, strict=True):
            if getattr(key_node, "tag", "") == "tag:yaml.org,2002:merge":
                merged |= self._merged(self.build(value_node, level + 1))
                continue
            key = self.build(key_node, level + 1)
            if isinstance(key, dict | list):
                raise TextError(self._call, "the keys of a configuration must be text")
            own[str(key)] = self.build(value_node, level + 1)
        return merged | own

    @staticmethod
    def _merged(given: Any) -> dict[str, Any]:
        several = cast(list[Any], given) if isinstance(given, list) else [given]
        merged: dict[str, Any] = {}
        for each in reversed(several):
            if isinstance(each, dict):
                merged |= cast(dict[str, Any], each)
        return merged
