"""Schedules of Ultralytics and YOLOv5, by ``args.yaml`` or the hyperparameters."""

from typing import Final

from stepsize.importers._epochs import held_through_epochs
from stepsize.importers._format import Format
from stepsize.importers._imported import Imported
from stepsize.importers._run_facts import RunFacts
from stepsize.importers._section import COUNT, FLOOR, LENGTH, PART, Section
from stepsize.schedules import Cosine, Linear, Schedule

__all__ = ["ULTRALYTICS"]

_SHORTEST_WARMUP: Final = 100
_NOMINAL_BATCH: Final = 64
_RATES_NOTE: Final = "The biases' group warms up from warmup_bias_lr: its own schedule, not read."


def _recognises(document: Section) -> bool:
    return document.has("lr0") and document.has("lrf")


def _read(document: Section, facts: RunFacts) -> Imported:
    per_epoch = facts.per_epoch(document, "Ultralytics counts")
    epochs = document.count("epochs", None, COUNT)
    if epochs is None:
        if facts.steps is None:
            raise document.lacks("epochs", "Give {steps} and {steps_per_epoch} of the run.")
        epochs = max(1, round(facts.steps / per_epoch))
    floor = document.required("lrf", PART)
    base = facts.rate(document, "lr0")
    body: Schedule = (
        Cosine(epochs, end=floor) if document.flag("cos_lr", False) else Linear(epochs, end=floor)
    )
    schedule = held_through_epochs(body, per_epoch)
    warm = document.number("warmup_epochs", 3.0, FLOOR)
    if warm:
        steps = max(round(warm * per_epoch), _SHORTEST_WARMUP)
        schedule = Linear(steps, start=0, end=1) * schedule
    notes = _notes(document)
    chosen_by_tool = document.get("optimizer") == "auto" and facts.base is None
    if chosen_by_tool:
        notes += (
            "The optimizer is 'auto': Ultralytics then chooses the rate itself and ignores lr0. "
            "Give the rate that its log names as the base.",
        )
    document.ignore("momentum", "warmup_momentum", "warmup_bias_lr", "weight_decay")
    base = None if chosen_by_tool else base
    return Imported(schedule, base, notes=(*notes, *document.rest()))


def _notes(document: Section) -> tuple[str, ...]:
    notes: tuple[str, ...] = (_RATES_NOTE,) if document.has("warmup_bias_lr") else ()
    batch = document.number("batch", None)
    nominal = document.number("nbs", _NOMINAL_BATCH, LENGTH)
    if batch is not None and 0 < batch < nominal:
        notes += (
            f"Positions are batches of {batch:g}: Ultralytics accumulates up to {nominal:g} "
            "samples per optimizer step, and the steps per epoch count batches here.",
        )
    return notes


ULTRALYTICS = Format(
    "Ultralytics and YOLOv5",
    "ultralytics/engine/trainer.py, Ultralytics 8.3",
    ("lr0", "lrf", "warmup_epochs", "warmup_bias_lr", "cos_lr", "mosaic"),
    _recognises,
    _read,
)
