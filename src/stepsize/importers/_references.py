"""References inside a configuration, as OmegaConf writes them: ``${model.lr}``, and ``???``."""

import re
from collections.abc import Mapping
from typing import Any, Final, cast

from stepsize.importers._literals import Computed

__all__ = ["resolved"]

_WHOLE: Final = re.compile(r"\$\{\s*\.{0,4}([\w.\-/]+)\s*\}")
_MISSING: Final = "???"
_LONGEST_CHAIN: Final = 8


def resolved(document: Mapping[str, Any]) -> dict[str, Any]:
    """The document with what its references stand for; a missing value is None.

    What a reference computes, such as ``${oc.env:HOME}``, stays as text that says so.

    >>> resolved({"lr": "${model.lr}", "model": {"lr": 0.1, "steps": "???"}})
    {'lr': 0.1, 'model': {'lr': 0.1, 'steps': None}}
    """
    return {key: _value(each, document) for key, each in document.items()}


def _value(given: Any, root: Mapping[str, Any]) -> Any:
    if isinstance(given, Mapping):
        items = cast(Mapping[Any, Any], given).items()
        return {key: _value(each, root) for key, each in items}
    if isinstance(given, list):
        return [_value(each, root) for each in cast(list[Any], given)]
    if type(given) is not str:
        return given
    if given == _MISSING:
        return None
    return _followed(given, root) if "${" in given else given


def _followed(given: str, root: Mapping[str, Any]) -> Any:
    """What a reference stands for, through references to references."""
    value: Any = given
    for _ in range(_LONGEST_CHAIN):
        found = _WHOLE.fullmatch(value)
        value = _at(root, found[1]) if found else None
        # A whole section is not repeated: references to references could multiply it.
        if value is None or isinstance(value, Mapping | list):
            break
        if not isinstance(value, str) or "${" not in value:
            return None if value == _MISSING else value
    return Computed(given)


def _at(root: Mapping[str, Any], path: str) -> Any:
    value: Any = root
    for key in path.split("."):
        if not isinstance(value, Mapping):
            return None
        value = cast(Mapping[str, Any], value).get(key)
    return value
