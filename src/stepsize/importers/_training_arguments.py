"""Schedules of the transformers Trainer and its relatives, by its arguments."""

import math
from dataclasses import replace
from typing import Any, Final

from stepsize.checks import RATE, Number
from stepsize.importers._format import Format
from stepsize.importers._imported import Imported
from stepsize.importers._run_facts import RunFacts
from stepsize.importers._section import LENGTH, NUMBER, Section
from stepsize.importers._transformers import from_transformers

__all__ = ["TRAINING_ARGUMENTS", "trainer_lengths"]

_EPOCHS: Final = 3.0  # the Trainer's default


def trainer_lengths(section: Section, facts: RunFacts) -> tuple[int, int]:
    """The run's length and its warmup in steps, as the Trainer finds them."""
    steps = section.number("max_steps", -1, NUMBER)
    epochs = section.number("num_train_epochs", _EPOCHS)
    total = facts.length(section, steps, epochs, ("max_steps", "num_train_epochs"))
    warmup: Number = section.number("warmup_steps", 0, LENGTH)
    share: Number = section.number("warmup_ratio", 0.0, LENGTH)
    # From version 5 on, warmup_steps below 1 is a share too.
    share, warmup = (warmup, 0) if 0 < warmup < 1 else (share, warmup)
    return total, math.ceil(warmup) or math.ceil(share * total)


def _recognises(document: Section) -> bool:
    if document.has("lr_scheduler_type"):
        return True
    return document.has("learning_rate") and any(
        document.has(key) for key in ("per_device_train_batch_size", "num_train_epochs")
    )


def _read(document: Section, facts: RunFacts) -> Imported:
    total, warmup = trainer_lengths(document, facts)
    settings = document.get("lr_scheduler_kwargs")
    rate = document.number("learning_rate", None, RATE)
    numbers: dict[str, Any] = {
        "num_warmup_steps": warmup,
        "num_training_steps": total,
        "lr": rate if facts.base is None else facts.base,
    }
    if settings is not None:
        numbers |= dict(Section(document.call, settings, "lr_scheduler_kwargs."))
    found = from_transformers(document.get("lr_scheduler_type") or "linear", **numbers)
    document.refuse_warmups()
    return replace(found, notes=(*found.notes, *document.rest()))


TRAINING_ARGUMENTS = Format(
    "transformers",
    "transformers/optimization.py, version 5.23",
    ("lr_scheduler_type", "learning_rate", "per_device_train_batch_size", "num_train_epochs"),
    _recognises,
    _read,
)
