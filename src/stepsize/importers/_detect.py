"""Which tool a configuration belongs to, and its schedule."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final, cast

from stepsize.checks import Range, checked_number, checked_whole_number
from stepsize.errors import InvalidValue
from stepsize.importers._deepspeed import from_deepspeed
from stepsize.importers._imported import Imported
from stepsize.importers._keras import from_keras
from stepsize.importers._megatron import from_megatron
from stepsize.importers._mmengine import from_mmengine
from stepsize.importers._section import COUNT, STEPS, Section, argument_name, call_text
from stepsize.importers._timm import from_timm
from stepsize.importers._transformers import from_transformers
from stepsize.schedules import Absolute

__all__ = ["from_config"]

_BASE: Final = Range(above=0, maximum=1e30, remedy="It is the rate of the optimizer's groups.")
_MEGATRON: Final = {"lr_decay_style", "lr_decay_iters", "lr_decay_samples", "lr_warmup_iters"}


def from_config(
    document: Mapping[str, Any] | Sequence[Mapping[str, Any]],
    *,
    base: float | None = None,
    steps_per_epoch: float | None = None,
) -> Imported:
    """The schedule of a configuration of any of the tools that stepsize reads.

    It belongs to Keras if it has a ``class_name``, to mmengine with ``param_scheduler`` or if it is
    a scheduler with a ``type`` and its arguments, to DeepSpeed with ``scheduler`` or if it has
    ``type`` and ``params``, to transformers with ``lr_scheduler_type`` (``TrainingArguments``),
    to timm with ``sched``, to Megatron with ``lr_decay_style`` or ``lr_decay_iters``.

    Args:
        document: What the JSON or YAML file holds.
        base: The rate of the optimizer's groups, where the configuration does not say it, or to
            have another one.
        steps_per_epoch: Optimizer steps per epoch, where the configuration counts epochs.

    Returns:
        What the tool's own importer finds.

    Raises:
        InvalidType: As that importer.
        InvalidValue: No tool is recognised; otherwise as that importer.

    >>> from stepsize.importers import from_config
    >>> training_arguments = {"lr_scheduler_type": "linear", "max_steps": 1000, "warmup_steps": 50}
    >>> from_config(training_arguments).schedule
    Warmup(50) >> Linear(950)
    """
    call = call_text("from_config", document)
    if base is not None:
        base = checked_number(call, "base", base, _BASE)
    if not isinstance(document, Mapping):
        return from_mmengine(document, base=base, steps_per_epoch=steps_per_epoch)
    section = Section(call, document)
    if "class_name" in section:
        found = from_keras(document)
    elif "lr_scheduler_type" in section:
        found = _from_training_arguments(section, base, steps_per_epoch)
    elif "sched" in section:
        found = from_timm(document, base=base, updates_per_epoch=steps_per_epoch)
    elif "param_scheduler" in section or ("type" in section and "params" not in section):
        found = from_mmengine(document, base=base, steps_per_epoch=steps_per_epoch)
    elif "type" in section or _names_type(section.get("scheduler")):
        found = from_deepspeed(document, base=base)
    elif _MEGATRON & _argument_names(section):
        found = from_megatron(document)
    else:
        raise InvalidValue(
            f"{call}: the configuration must be one of Keras, mmengine, DeepSpeed, transformers, "
            "timm or Megatron, but none is recognised. Give the part that configures the "
            "scheduler, or write the schedule as an expression."
        )
    if base is None or isinstance(found.schedule, Absolute):
        return found
    return replace(found, base=base)


def _names_type(scheduler: object) -> bool:
    return isinstance(scheduler, Mapping) and "type" in scheduler


def _argument_names(section: Section) -> set[str]:
    inside = section.get("scheduler")
    nested = list(cast(Mapping[str, Any], inside)) if isinstance(inside, Mapping) else []
    return {argument_name(str(key)) for key in (*section, *nested)}


def _from_training_arguments(
    section: Section, base: float | None, steps_per_epoch: float | None
) -> Imported:
    """transformers' TrainingArguments: the run's length and warmup as the Trainer finds them."""
    steps = section.number("max_steps", -1)
    epochs = section.number("num_train_epochs", 3.0)  # the Trainer's default
    if steps <= 0:
        if steps_per_epoch is None:
            raise section.lacks(
                "max_steps", "Give steps_per_epoch=..., the optimizer steps per epoch."
            )
        per_epoch = checked_whole_number(section.call, "steps_per_epoch", steps_per_epoch, COUNT)
        steps = math.ceil(epochs * per_epoch)
    warmup = section.number("warmup_steps", 0, STEPS)
    share = section.number("warmup_ratio", 0.0, STEPS)
    # From version 5 on, warmup_steps below 1 is a share too.
    share, warmup = (warmup, 0) if 0 < warmup < 1 else (share, warmup)
    settings = Section(section.call, section.get("lr_scheduler_kwargs") or {})
    numbers: dict[str, Any] = {
        "num_warmup_steps": warmup or math.ceil(share * steps),
        "num_training_steps": steps,
        "lr": section.number("learning_rate", None, _BASE) if base is None else base,
    }
    found = from_transformers(section["lr_scheduler_type"], **{**numbers, **settings})
    return replace(found, notes=(*found.notes, *section.rest()))
