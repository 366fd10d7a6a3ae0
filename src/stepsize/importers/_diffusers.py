"""Schedules of diffusers' training scripts and of kohya's, by their arguments."""

from typing import Any

from stepsize.importers._format import Format
from stepsize.importers._imported import Imported
from stepsize.importers._run_facts import RunFacts
from stepsize.importers._section import FLOOR, LENGTH, Section
from stepsize.importers._transformers import from_transformers

__all__ = ["DIFFUSERS"]


def _recognises(document: Section) -> bool:
    return (
        document.has("lr_scheduler")
        and (
            document.has("lr_warmup_steps")
            or document.has("max_train_steps")
            or document.has("max_train_epochs")
            or document.has("pretrained_model_name_or_path")
        )
        and isinstance(document.get("lr_scheduler"), str)
    )


def _read(document: Section, facts: RunFacts) -> Imported:
    name = document.word("lr_scheduler", "constant")
    base = facts.rate(document, "learning_rate", "unet_lr")
    warmup = document.number("lr_warmup_steps", 0, LENGTH)
    settings: dict[str, Any] = {}
    total = None
    if name != "constant" and not (name == "constant_with_warmup" and warmup >= 1):
        total = facts.length(
            document,
            document.number("max_train_steps", None),
            document.number("max_train_epochs", document.number("num_train_epochs", None)),
            ("max_train_steps", "max_train_epochs"),
        )
        settings["num_training_steps"] = total
    if 0 < warmup < 1 and total is not None:
        warmup = int(warmup * total)
    settings["num_warmup_steps"] = warmup
    for key, argument in (
        ("lr_scheduler_num_cycles", "num_cycles"),
        ("lr_num_cycles", "num_cycles"),
        ("lr_scheduler_power", "power"),
        ("lr_power", "power"),
    ):
        value = document.number(key, None, FLOOR)
        if value is not None and _takes(name, argument):
            settings[argument] = value
    if base is not None:
        settings["lr"] = base
    found = from_transformers(name, **settings)
    document.ignore("max_train_steps", "gradient_accumulation_steps", "train_batch_size")
    document.refuse_warmups()
    notes = (*found.notes, *document.rest())
    if document.has("unet_lr") and document.has("learning_rate"):
        notes = ("unet_lr and text_encoder_lr are rates of their own groups.", *notes)
    return Imported(found.schedule, base, notes=notes)


def _takes(name: str, argument: str) -> bool:
    return name == {"num_cycles": "cosine_with_restarts", "power": "polynomial"}[argument]


DIFFUSERS = Format(
    "diffusers and kohya",
    "diffusers/optimization.py, diffusers 0.35",
    ("lr_scheduler", "lr_warmup_steps", "max_train_steps", "pretrained_model_name_or_path"),
    _recognises,
    _read,
)
