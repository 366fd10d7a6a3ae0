"""Which tool a configuration belongs to, and its schedule."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final, cast

from stepsize.errors import InvalidValue
from stepsize.importers._axolotl import AXOLOTL
from stepsize.importers._composer import COMPOSER
from stepsize.importers._deepspeed import from_deepspeed
from stepsize.importers._detectron2 import DETECTRON2
from stepsize.importers._diffusers import DIFFUSERS
from stepsize.importers._fairseq import FAIRSEQ
from stepsize.importers._format import Format
from stepsize.importers._imported import Imported
from stepsize.importers._keras import from_keras
from stepsize.importers._lightning import LIGHTNING
from stepsize.importers._litgpt import LITGPT
from stepsize.importers._megatron import from_megatron
from stepsize.importers._mlx import MLX
from stepsize.importers._mmcv import MMCV
from stepsize.importers._mmengine import from_mmengine
from stepsize.importers._modded_nanogpt import MODDED_NANOGPT
from stepsize.importers._model_garden import MODEL_GARDEN
from stepsize.importers._nanogpt import NANOCHAT, NANOGPT
from stepsize.importers._nemo import NEMO
from stepsize.importers._neox import NEOX
from stepsize.importers._olmo import OLMO
from stepsize.importers._paddle_clas import PADDLE_CLAS
from stepsize.importers._paddle_detection import PADDLE_DETECTION
from stepsize.importers._references import resolved
from stepsize.importers._run_facts import RunFacts, checked_facts
from stepsize.importers._section import (
    Section,
    argument_name,
    call_text,
    rate_paths,
)
from stepsize.importers._timm import from_timm
from stepsize.importers._torchtitan import TORCHTITAN
from stepsize.importers._torchtune import TORCHTUNE
from stepsize.importers._training_arguments import TRAINING_ARGUMENTS
from stepsize.importers._ultralytics import ULTRALYTICS
from stepsize.importers._verl import VERL
from stepsize.importers._wandb import without_wandb
from stepsize.schedules import Absolute
from stepsize.words import shortened

__all__ = ["FORMATS", "from_config"]

_MEGATRON: Final = {"lr_decay_style", "lr_decay_iters", "lr_decay_samples", "lr_warmup_iters"}
_RATE_ALONE: Final = ("lr", "learning_rate", "base_lr", "lr0")
_FEWEST_MARKS: Final = 2
_MOST_SHOWN: Final = 3
_LONGEST_NAMED: Final = 80


def from_config(
    document: Mapping[str, Any] | Sequence[Mapping[str, Any]],
    *,
    base: float | None = None,
    steps_per_epoch: float | None = None,
    steps: float | None = None,
) -> Imported:
    """The schedule of a configuration of any of the tools that stepsize reads.

    Args:
        document: What the JSON, YAML or TOML file holds.
        base: The rate of the optimizer's groups, where the configuration does not say it, or to
            have another one.
        steps_per_epoch: Optimizer steps per epoch, where the configuration counts epochs.
        steps: Length of the run in optimizer steps, where the configuration does not say it.

    Returns:
        What the tool's own importer finds. A note names what was not read, keys that may concern
        the rate apart and first.

    Raises:
        InvalidType: A value has the wrong type.
        InvalidValue: No tool is recognised, the configuration holds no schedule, or a number is
            missing, unknown or out of range.

    >>> from stepsize.importers import from_config
    >>> training_arguments = {"lr_scheduler_type": "linear", "max_steps": 1000, "warmup_steps": 50}
    >>> from_config(training_arguments).schedule
    Warmup(50) >> Linear(950)
    """
    call = call_text("from_config")
    facts = checked_facts(call, base, steps, steps_per_epoch)
    if not isinstance(document, Mapping):
        return from_mmengine(document, base=base, steps_per_epoch=steps_per_epoch)
    content = resolved(Section(call, without_wandb(document)))
    section = Section(call, content)
    found = next((each for each in FORMATS if each.recognises(section)), None)
    if found is None:
        raise _unknown(section)
    # Anew, so that what telling the formats apart has looked at counts as unread.
    imported = found.read(Section(call, content), facts)
    if base is None or isinstance(imported.schedule, Absolute):
        return imported
    return replace(imported, base=facts.base)


# ------------------------------------------------------------------ importers with own functions


def _is_keras(document: Section) -> bool:
    return "class_name" in document


def _read_keras(document: Section, facts: RunFacts) -> Imported:
    return from_keras(dict(document))


def _is_timm(document: Section) -> bool:
    return "sched" in document


def _read_timm(document: Section, facts: RunFacts) -> Imported:
    return from_timm(dict(document), base=facts.base, updates_per_epoch=facts.steps_per_epoch)


def _is_mmengine(document: Section) -> bool:
    return "param_scheduler" in document or ("type" in document and "params" not in document)


def _read_mmengine(document: Section, facts: RunFacts) -> Imported:
    return from_mmengine(dict(document), base=facts.base, steps_per_epoch=facts.steps_per_epoch)


def _is_deepspeed(document: Section) -> bool:
    scheduler = document.get("scheduler")
    return "type" in document or (isinstance(scheduler, Mapping) and "type" in scheduler)


def _read_deepspeed(document: Section, facts: RunFacts) -> Imported:
    return from_deepspeed(dict(document), base=facts.base, steps=facts.steps)


def _is_megatron(document: Section) -> bool:
    inside = document.get("scheduler")
    nested = list(cast(Mapping[str, Any], inside)) if isinstance(inside, Mapping) else []
    return bool(_MEGATRON & {argument_name(str(key)) for key in (*document, *nested)})


def _read_megatron(document: Section, facts: RunFacts) -> Imported:
    return from_megatron(dict(document))


_KERAS = Format(
    "Keras",
    "keras/src/optimizers/schedules/learning_rate_schedule.py, Keras 3",
    ("class_name", "config.initial_learning_rate", "config.decay_steps"),
    _is_keras,
    _read_keras,
)
_TIMM = Format(
    "timm",
    "timm/scheduler/scheduler_factory.py, timm 1.0",
    ("sched", "warmup_epochs", "min_lr", "warmup_lr", "decay_epochs", "cooldown_epochs"),
    _is_timm,
    _read_timm,
)
_MMENGINE = Format(
    "mmengine",
    "mmengine/optim/scheduler/param_scheduler.py, mmengine 0.10",
    ("param_scheduler", "optim_wrapper", "train_cfg", "default_hooks", "_base_"),
    _is_mmengine,
    _read_mmengine,
)
_DEEPSPEED = Format(
    "DeepSpeed",
    "deepspeed/runtime/lr_schedules.py, DeepSpeed 0.19",
    (
        *("scheduler.type", "zero_optimization", "train_batch_size", "gradient_clipping"),
        *("train_micro_batch_size_per_gpu", "optimizer.params", "fp16", "bf16"),
    ),
    _is_deepspeed,
    _read_deepspeed,
)
_MEGATRON_FORMAT = Format(
    "Megatron",
    "megatron/core/optimizer_param_scheduler.py, Megatron Core 0.16",
    ("lr_decay_style", "lr_decay_iters", "train_iters", "min_lr", "lr_warmup_iters"),
    _is_megatron,
    _read_megatron,
)

FORMATS: Final[tuple[Format, ...]] = (
    _KERAS,
    TORCHTUNE,
    VERL,
    NEMO,
    NEOX,
    OLMO,
    COMPOSER,
    MODEL_GARDEN,
    FAIRSEQ,
    DETECTRON2,
    PADDLE_DETECTION,
    PADDLE_CLAS,
    MMCV,
    LITGPT,
    LIGHTNING,
    TORCHTITAN,
    MLX,
    AXOLOTL,
    ULTRALYTICS,
    TRAINING_ARGUMENTS,
    DIFFUSERS,
    _TIMM,
    _MMENGINE,
    _DEEPSPEED,
    NANOCHAT,
    MODDED_NANOGPT,
    NANOGPT,
    _MEGATRON_FORMAT,
)
"""Every format, those with the most telling keys first."""


# ------------------------------------------------------------------ what is not read


def _unknown(document: Section) -> InvalidValue:
    about_rate = list(rate_paths(document))
    nearest = _nearest(document)
    if not any(not _is_rate_alone(path) for path in about_rate):
        return _without_schedule(document, about_rate, nearest)
    shown = ", ".join(about_rate[:_MOST_SHOWN])
    if nearest is None:
        names = ", ".join(each.name for each in FORMATS)
        return InvalidValue(
            document.call,
            "the configuration must be of a tool that is read",
            f"it is not recognised (about the rate are {shown})",
            f"Read are {names}. Write the schedule as an expression.",
        )
    there = [mark for mark in nearest.marks if document.holds(mark)]
    absent = [mark for mark in nearest.marks if not document.holds(mark)]
    return InvalidValue(
        document.call,
        "the configuration must be of a tool that is read",
        f"it is not recognised (about the rate are {shown}){_inherited(document)}",
        f"The nearest is {nearest.name}: {', '.join(there[:_MOST_SHOWN])} are there, "
        f"{', '.join(absent[:_MOST_SHOWN])} are not. Write the schedule as an expression.",
    )


def _without_schedule(
    document: Section, rates: Sequence[str], nearest: Format | None
) -> InvalidValue:
    kind = "" if nearest is None else f" of {nearest.name}"
    only = f", only {', '.join(rates[:_MOST_SHOWN])}" if rates else ""
    return InvalidValue(
        document.call,
        f"this configuration{kind} holds no schedule{only}{_inherited(document)}",
        remedy="The schedule is set elsewhere, such as in the trainer's arguments: give that file, "
        "or write the schedule as an expression.",
    )


def _inherited(document: Section) -> str:
    """What is said of a configuration that builds on other files."""
    keys = [key for key in ("_base_", "_BASE_", "defaults", "extends") if document.has(key)]
    if not keys:
        return ""
    named = shortened(str(document[keys[0]]), _LONGEST_NAMED)
    return f"; it builds on {named} ({keys[0]}), which is not read"


def _is_rate_alone(path: str) -> bool:
    return path.rpartition(".")[2].lower() in _RATE_ALONE


def _nearest(document: Section) -> Format | None:
    """The format with the most of its marks in the document."""
    found = max(FORMATS, key=lambda each: sum(map(document.holds, each.marks)))
    return found if sum(map(document.holds, found.marks)) >= _FEWEST_MARKS else None
