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
    return cast(dict[str, Any], _value(document, document, 0))


def _value(given: Any, root: Mapping[str, Any], chain: int) -> Any:
    if isinstance(given, Mapping):
        items = cast(Mapping[Any, Any], given).items()
        return {key: _value(each, root, chain) for key, each in items}
    if isinstance(given, list):
        return [_value(each, root, chain) for each in cast(list[Any], given)]
    if not isinstance(given, str) or isinstance(given, Computed):
        return given
    if given == _MISSING:
        return None
    if "${" not in given:
        return given
    found = _WHOLE.fullmatch(given)
    target = _at(root, found[1]) if found else None
    # A whole section is not repeated: references to references could multiply it.
    if target is None or isinstance(target, Mapping | list) or chain == _LONGEST_CHAIN:
        return Computed(given)
    return _value(target, root, chain + 1)


def _at(root: Mapping[str, Any], path: str) -> Any:
    value: Any = root
    for key in path.split("."):
        if not isinstance(value, Mapping):
            return None
        value = cast(Mapping[str, Any], value).get(key)
    return value
