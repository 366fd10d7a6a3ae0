"""Schedules of torchtune, by its YAML with ``_component_``."""

import math

from stepsize.errors import InvalidValue
from stepsize.importers._format import Format
from stepsize.importers._imported import Imported
from stepsize.importers._run_facts import RunFacts
from stepsize.importers._section import COUNT, LENGTH, Section
from stepsize.importers._transformers import from_transformers
from stepsize.schedules import Constant

__all__ = ["TORCHTUNE"]

_COSINE = "get_cosine_schedule_with_warmup"


def _recognises(document: Section) -> bool:
    return document.holds("optimizer._component_") or document.holds("lr_scheduler._component_")


def _read(document: Section, facts: RunFacts) -> Imported:
    optimizer = document.section("optimizer")
    base = facts.rate(optimizer, "lr")
    optimizer.ignore("_component_", "weight_decay", "fused", "betas", "eps")
    if not document.has("lr_scheduler"):
        note = "There is no lr_scheduler: torchtune leaves the rate alone."
        return Imported(Constant(), base, notes=(note, *document.rest()))
    scheduler = document.section("lr_scheduler")
    name = scheduler.word("_component_", "").rpartition(".")[2]
    if name != _COSINE:
        raise InvalidValue(
            document.call,
            f"lr_scheduler must be torchtune's {_COSINE}",
            f"is {name!r}",
            "Write what it does as an expression.",
        )
    numbers = {
        "num_warmup_steps": scheduler.required("num_warmup_steps", LENGTH),
        "num_training_steps": _total(document, facts),
        "num_cycles": scheduler.number("num_cycles", 0.5),
    }
    scheduler.finish()
    found = from_transformers("cosine", **numbers)
    document.ignore("gradient_accumulation_steps")
    document.refuse_warmups()
    return Imported(found.schedule, base, notes=(*found.notes, *document.rest()))


def _total(document: Section, facts: RunFacts) -> int:
    epochs = document.number("epochs", None, LENGTH)
    # Torchtune's max_steps_per_epoch counts optimizer steps and cuts an epoch off.
    most = document.count("max_steps_per_epoch", None, COUNT)
    per_epoch = facts.steps_per_epoch
    if most is not None:
        per_epoch = most if per_epoch is None else min(most, per_epoch)
    if epochs is not None and per_epoch is not None:
        return math.ceil(epochs * per_epoch)
    return facts.length(document, None, epochs, ("max_steps_per_epoch", "epochs"))


TORCHTUNE = Format(
    "torchtune",
    "torchtune/training/lr_schedulers.py, torchtune 0.6",
    ("optimizer._component_", "lr_scheduler._component_", "epochs", "tokenizer._component_"),
    _recognises,
    _read,
)
