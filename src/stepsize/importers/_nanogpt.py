"""Schedules of nanoGPT and nanochat, by their Python files of plain assignments."""

from typing import Final

from stepsize.checks import MOST_STEPS, Range
from stepsize.importers._format import Format
from stepsize.importers._imported import Imported
from stepsize.importers._run_facts import RunFacts, as_multiple
from stepsize.importers._section import COUNT, FLOOR, LENGTH, PART, Section
from stepsize.schedules import Constant, Cosine, Hold, Linear, Warmup

__all__ = ["NANOCHAT", "NANOGPT"]

# train.py's own, which a configuration overrides.
_RATE: Final = 6e-4
_FLOOR: Final = 6e-5
_WARMUP: Final = 2_000
_LENGTH: Final = 600_000

_OPEN: Final = Range(minimum=-1, maximum=MOST_STEPS, remedy="-1 leaves it to other settings.")


def _is_nanogpt(document: Section) -> bool:
    names = ("lr_decay_iters", "warmup_iters", "decay_lr")
    if document.has("max_iters") and any(document.has(name) for name in names):
        return True
    return document.has("learning_rate") and any(
        document.has(name) for name in (*names, "max_iters")
    )


def _read_nanogpt(document: Section, facts: RunFacts) -> Imported:
    wanted = ("learning_rate", "warmup_iters", "lr_decay_iters", "min_lr")
    missing = [key for key in wanted if not document.has(key)]
    base = facts.rate(document, "learning_rate") or _RATE
    document.ignore("max_iters", "gradient_accumulation_steps", "weight_decay")
    if not document.flag("decay_lr", True):
        document.ignore("warmup_iters", "lr_decay_iters", "min_lr")
        return Imported(Constant(), base, notes=document.rest())
    warmup = document.count("warmup_iters", _WARMUP, LENGTH)
    total = document.count("lr_decay_iters", _LENGTH, COUNT)
    floor = as_multiple(document.number("min_lr", _FLOOR, FLOOR), base)
    # Since December 2024 the warmup is (t + 1) / (warmup_iters + 1).
    rise = Warmup(warmup + 1).skip(1).until(warmup) if warmup else Hold(0)
    notes = tuple(f"{key} is not written: nanoGPT's own default is taken." for key in missing)
    schedule = rise >> Cosine(total - warmup, end=floor)
    return Imported(schedule, base, notes=(*notes, *document.rest()))


def _is_nanochat(document: Section) -> bool:
    return document.has("warmdown_ratio") and document.has("final_lr_frac")


def _read_nanochat(document: Section, facts: RunFacts) -> Imported:
    steps = document.count("num_iterations", None, _OPEN)
    total = facts.length(document, steps, None, ("num_iterations", "epochs"))
    rise = round(document.number("warmup_ratio", 0.0, PART) * total)
    fall = round(document.number("warmdown_ratio", 0.2, PART) * total)
    floor = document.number("final_lr_frac", 0.0, PART)
    warmup = Warmup(rise).skip(1) if rise > 1 else Hold(0)
    schedule = warmup >> Hold(total - fall - warmup.length) >> Linear(fall, end=floor)
    note = "Each group of parameters has a rate of its own; the schedule multiplies them all."
    document.ignore("weight_decay", "embedding_lr", "unembedding_lr", "matrix_lr", "scalar_lr")
    return Imported(schedule, facts.base, notes=(note, *document.rest()))


NANOGPT = Format(
    "nanoGPT",
    "train.py of nanoGPT, 2024",
    ("learning_rate", "max_iters", "lr_decay_iters", "warmup_iters", "min_lr", "n_layer"),
    _is_nanogpt,
    _read_nanogpt,
)
NANOCHAT = Format(
    "nanochat",
    "scripts/base_train.py of nanochat",
    ("warmdown_ratio", "final_lr_frac", "num_iterations", "matrix_lr"),
    _is_nanochat,
    _read_nanochat,
)
