"""Configuration files of other tools: JSON or YAML that holds a scheduler's settings.

A file may come from anywhere: it is only parsed, its size is bounded, and nothing in it is run.
"""

import json
from importlib import import_module
from pathlib import Path
from typing import Any, Final, cast

from stepsize.errors import InvalidType, MissingExtra, TextError
from stepsize.importers import Imported, from_config

__all__ = ["is_config_file", "read_config_file"]

_YAML: Final = (".yaml", ".yml")
_LARGEST_FILE: Final = 200_000
# An alias repeats a part of the file, and merged aliases of aliases multiply: a few lines could
# stand for more than any memory holds.
_MOST_ALIASES: Final = 20


def is_config_file(text: str) -> bool:
    """Whether a command's argument is the path of a configuration, by its ending."""
    return Path(text).suffix.lower() in (".json", *_YAML)


def read_config_file(path: Path, base: float | None, steps_per_epoch: float | None) -> Imported:
    """The schedule that a configuration file describes.

    Raises:
        TextError: The file is too large, or no JSON or YAML.
        InvalidType: It holds no mapping, or a value has the wrong type.
        InvalidValue: No tool is recognised, or the schedule cannot be read.
        MissingExtra: It is YAML, and PyYAML is not installed.
    """
    with path.open("rb") as file:
        content = file.read(_LARGEST_FILE + 1)
    if len(content) > _LARGEST_FILE:
        raise TextError(
            str(path),
            f"a configuration has at most {_LARGEST_FILE:,} bytes",
            "this has more",
            "Give a file with the scheduler's section only.",
        )
    is_yaml = path.suffix.lower() in _YAML
    try:
        text = content.decode("utf-8-sig")
        document = _parsed_yaml(path, text) if is_yaml else json.loads(text)
    except (ValueError, RecursionError) as error:
        raise TextError(
            str(path),
            f"the file must be {'YAML' if is_yaml else 'JSON'}",
            f"cannot be read: {error}",
            "Correct the file, or write the schedule as an expression.",
        ) from error
    if not isinstance(document, dict | list):
        raise InvalidType(
            str(path),
            "a configuration must be a mapping or a list of them",
            f"is a {type(document).__name__}",
            "Example: {'type': ..., 'params': {...}}.",
        )
    try:
        return from_config(cast(Any, document), base=base, steps_per_epoch=steps_per_epoch)
    except RecursionError as error:  # YAML can write a mapping that holds itself
        raise TextError(
            str(path), "a configuration has an end", "it is nested without one"
        ) from error


def _parsed_yaml(path: Path, text: str) -> Any:
    try:
        yaml: Any = import_module("yaml")
    except ImportError as error:
        raise MissingExtra(f"Reading {path}", "yaml", "yaml") from error
    try:
        aliases = sum(isinstance(token, yaml.AliasToken) for token in yaml.scan(text))
        if aliases > _MOST_ALIASES:
            raise TextError(
                str(path),
                f"a configuration has at most {_MOST_ALIASES} aliases (*name)",
                f"this has {aliases}",
                "Write out what they stand for.",
            )
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ValueError(" ".join(str(error).split())) from error
