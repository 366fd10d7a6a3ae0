"""Configuration files of other tools: JSON, YAML, TOML and Python files of literals.

A file may come from anywhere: it is only parsed, its size is bounded, and nothing in it is run.
"""

import json
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, cast

from stepsize.errors import InvalidType, InvalidValue, StepsizeError, TextError
from stepsize.importers._detect import from_config
from stepsize.importers._imported import Imported
from stepsize.importers._literals import read_literals
from stepsize.importers._run_facts import RunFacts
from stepsize.importers._section import Section
from stepsize.importers._training_arguments import TRAINING_ARGUMENTS, trainer_lengths
from stepsize.importers._yaml import read_yaml

__all__ = ["is_configuration", "read_configuration"]

_LARGEST_FILE: Final = 2_000_000
_YAML: Final = (".yaml", ".yml")
_KINDS: Final = (".json", ".toml", ".py", *_YAML)
_MOST_DOTS: Final = 64
_AUTO: Final = "auto"
_COMPUTED: Final = (
    "What its functions compute is not read, since nothing in it is run: write the schedule as an "
    "expression."
)
_MOST_NEIGHBOURS: Final = 50
_LARGEST_NEIGHBOUR: Final = 200_000


def is_configuration(text: str) -> bool:
    """Whether a text is the path of a configuration, by its ending.

    >>> is_configuration("args.yaml"), is_configuration("Cosine(100)")
    (True, False)
    """
    return Path(text).suffix.lower() in _KINDS


def read_configuration(
    path: str | Path,
    *,
    base: float | None = None,
    steps: float | None = None,
    steps_per_epoch: float | None = None,
) -> Imported:
    """The schedule that a configuration file of another tool describes.

    Args:
        path: A ``.json``, ``.yaml``, ``.toml`` or ``.py`` file of at most 2 MB. Of a Python file
            the literals are read from its syntax tree. Where DeepSpeed's file says "auto", the
            training arguments are looked for in the same folder.
        base: The rate of the optimizer's groups, where the configuration does not say it, or to
            have another one.
        steps: Length of the run in optimizer steps, where the configuration does not say it.
        steps_per_epoch: Optimizer steps per epoch, where the configuration counts epochs.

    Returns:
        The schedule, its base rate, and notes about what was not read.

    Raises:
        OSError: The file cannot be read.
        TextError: It is too large, or not of its kind.
        InvalidType: It does not hold a mapping, or a value has the wrong type.
        InvalidValue: No tool is recognised, it holds no schedule, or a number is missing.
        MissingExtra: It is YAML, and PyYAML is not installed.
    """
    place = Path(path)
    document = _document(place)
    base, steps, notes = _beside(place, document, base, steps, steps_per_epoch)
    try:
        found = from_config(document, base=base, steps=steps, steps_per_epoch=steps_per_epoch)
    except RecursionError as error:
        raise TextError(str(place), "the configuration is nested without end") from error
    except StepsizeError as error:
        if not error.rule:
            raise
        remedy = error.remedy
        if place.suffix.lower() == ".py" and "holds no schedule" in error.rule:
            remedy = _COMPUTED
        raise type(error)(str(place), error.rule, error.value, remedy, error.argument) from error
    return Imported(found.schedule, found.base, found.momentum, (*notes, *found.notes))


def _document(path: Path) -> Any:
    with path.open("rb") as file:
        content = file.read(_LARGEST_FILE + 1)
    if len(content) > _LARGEST_FILE:
        raise TextError(
            str(path),
            f"a configuration has at most {_LARGEST_FILE:,} bytes",
            "this has more",
            "Give a file with the scheduler's section only.",
        )
    kind = path.suffix.lower()
    try:
        text = content.decode("utf-8-sig")
        if kind == ".json":
            document: Any = json.loads(text)
        elif kind == ".toml":
            _check_dots(str(path), text)
            document = tomllib.loads(text)
        elif kind == ".py":
            document = read_literals(str(path), text)
        else:
            document = read_yaml(str(path), text)
    except StepsizeError:
        raise
    except (ValueError, RecursionError) as error:
        raise TextError(
            str(path),
            f"it must be {_named(kind)}",
            " ".join(str(error).split())[:150],
            "Correct the file, or write the schedule as an expression.",
        ) from error
    if document is None:
        raise InvalidType(str(path), "a configuration must hold something", "is empty")
    if not isinstance(document, dict | list):
        raise InvalidType(
            str(path),
            "a configuration must be a mapping or a list of them",
            f"is a {type(document).__name__}",
            "Example: {'type': ..., 'params': {...}}.",
        )
    return cast(Any, document)


def _check_dots(call: str, text: str) -> None:
    # tomllib takes quadratic time for a long dotted key.
    if any(line.partition("=")[0].count(".") > _MOST_DOTS for line in text.splitlines()):
        raise TextError(call, f"a key has at most {_MOST_DOTS} dots")


def _named(kind: str) -> str:
    return {".json": "JSON", ".toml": "TOML", ".py": "Python"}.get(kind, "YAML")


# ------------------------------------------------------------------ "auto"


def _beside(
    path: Path,
    document: Any,
    base: float | None,
    steps: float | None,
    steps_per_epoch: float | None,
) -> tuple[float | None, float | None, tuple[str, ...]]:
    """What the training arguments beside a DeepSpeed file say of its "auto"."""
    if not isinstance(document, Mapping):
        return base, steps, ()
    scheduler = cast(Mapping[str, Any], document).get("scheduler")
    params = (
        cast(Mapping[str, Any], scheduler).get("params") if isinstance(scheduler, Mapping) else None
    )
    if not isinstance(params, dict) or _AUTO not in cast(dict[str, Any], params).values():
        return base, steps, ()
    given = cast(dict[str, Any], params)
    arguments = _training_arguments(path)
    if arguments is None:
        return base, steps, ()
    neighbour, section = arguments
    facts = RunFacts(
        steps=None if steps is None else int(steps),
        steps_per_epoch=None if steps_per_epoch is None else int(steps_per_epoch),
    )
    try:
        total, warmup = trainer_lengths(section, facts)
    except InvalidValue:
        return base, steps, ()
    rate = section.number("learning_rate", None)
    if given.get("warmup_num_steps") == _AUTO:
        given["warmup_num_steps"] = warmup
    note = f"What is 'auto' is filled in from {neighbour.name}: {total:,} steps, {warmup:,} warmup."
    return (rate if base is None else base), (total if steps is None else steps), (note,)


def _training_arguments(path: Path) -> tuple[Path, Section] | None:
    """The only file of the folder that holds the Trainer's arguments."""
    found: list[tuple[Path, Section]] = []
    neighbours = sorted(
        each
        for each in path.parent.iterdir()
        if each.suffix.lower() in (".json", *_YAML) and each != path and each.is_file()
    )
    for each in neighbours[:_MOST_NEIGHBOURS]:
        if each.stat().st_size > _LARGEST_NEIGHBOUR:
            continue
        try:
            document = _document(each)
            section = Section(str(each), document)
        except (StepsizeError, OSError):
            continue
        if TRAINING_ARGUMENTS.recognises(section):
            found.append((each, section))
    return found[0] if len(found) == 1 else None
