"""Schedules of modded-nanogpt, by the ``Hyperparameters`` of its training script."""

import math

from stepsize.importers._format import Format
from stepsize.importers._imported import Imported
from stepsize.importers._run_facts import RunFacts
from stepsize.importers._section import COUNT, FLOOR, LENGTH, PART, Section
from stepsize.schedules import Hold, Linear, Warmup

__all__ = ["MODDED_NANOGPT"]

_FLOOR = 0.1  # what get_lr of the scripts with cooldown_frac ends at
_COOLDOWNS = ("cooldown_frac", "cooldown_iters", "warmdown_iters")


def _settings(document: Section) -> Section:
    if document.has("Hyperparameters"):
        return document.section("Hyperparameters")
    return document


def _recognises(document: Section) -> bool:
    inside = document.get("Hyperparameters") if document.has("Hyperparameters") else document
    return isinstance(inside, dict | Section) and any(key in inside for key in _COOLDOWNS)


def _read(document: Section, facts: RunFacts) -> Imported:
    settings = _settings(document)
    scheduled = settings.number("num_scheduled_iterations", None, LENGTH)
    extra = settings.number("num_extension_iterations", 0, LENGTH)
    total = settings.count("num_iterations", None, COUNT)
    if total is None:
        total = facts.length(settings, scheduled, None, ("num_iterations", "epochs"))
    warmup = settings.count("warmup_iters", 0, LENGTH)
    share = settings.number("cooldown_frac", None, PART)
    floor = settings.number("final_lr_scale", _FLOOR if share is not None else 0.0, FLOOR)
    if share is None:
        steps = settings.number("warmdown_iters", None, LENGTH)
        fall = settings.required("cooldown_iters", LENGTH) if steps is None else steps
    else:
        fall = share * total
    base = facts.rate(settings, "learning_rate")
    rise = Warmup(warmup).skip(1) if warmup > 1 else Hold(0)
    schedule = rise >> Hold(max(0, total - fall - rise.length)) >> Linear(fall, end=floor)
    notes: tuple[str, ...] = ()
    if share is not None and floor == _FLOOR:
        notes = (
            "The floor, a tenth of the peak, stands in the script's get_lr and not among its "
            "settings.",
        )
    if extra:
        notes += (f"{math.floor(extra):,} more steps follow, at the last value.",)
    settings.ignore("weight_decay", "momentum", "seq_len", "val_tokens")
    return Imported(schedule, base, notes=(*notes, *document.rest()))


MODDED_NANOGPT = Format(
    "modded-nanogpt",
    "train_gpt.py of modded-nanogpt, 2025",
    ("Hyperparameters.num_iterations", "Hyperparameters.cooldown_frac", "num_iterations"),
    _recognises,
    _read,
)
