"""Schedules of torchtitan, by its TOML."""

from collections.abc import Callable, Mapping
from typing import Final

from stepsize.importers._format import Format
from stepsize.importers._imported import Imported
from stepsize.importers._run_facts import RunFacts
from stepsize.importers._section import LENGTH, PART, Section
from stepsize.schedules import Cosine, Hold, Linear, Power, Schedule, Warmup

__all__ = ["TORCHTITAN"]

_WARMUP: Final = 200  # torchtitan's default


def _recognises(document: Section) -> bool:
    return document.holds("training.steps") and (
        document.has("lr_scheduler")
        or document.holds("training.warmup_steps")
        or document.holds("job.dump_folder")
        or document.holds("optimizer.lr")
    )


def _read(document: Section, facts: RunFacts) -> Imported:
    training, scheduler = document.section("training"), document.section("lr_scheduler")
    optimizer = document.section("optimizer")
    base = facts.rate(optimizer, "lr")
    optimizer.ignore("name", "eps", "beta1", "beta2", "weight_decay", "fused", "implementation")
    total = training.count("steps", facts.steps)
    total = scheduler.count("total_steps", total)
    old = training.count("warmup_steps", None, LENGTH)
    warmup = scheduler.count("warmup_steps", _WARMUP if old is None else old, LENGTH)
    share = scheduler.number("decay_ratio", None, PART)
    floor = scheduler.number("lr_min", scheduler.number("min_lr_factor", 0.0, PART), PART)
    shape = scheduler.choice("decay_type", "linear", tuple(_SHAPES))
    scheduler.finish()
    if total is None:
        raise training.lacks("steps", "Add it, or give {steps}.")
    warmup = min(warmup, total)
    decay = total - warmup if share is None else round(total * share)
    notes: tuple[str, ...] = ()
    if warmup + decay > total:
        notes = (
            f"The warmup and the decay, {warmup:,} + {decay:,} steps, do not fit into "
            f"{total:,}: torchtitan cuts the decay to {total - warmup:,}.",
        )
        decay = total - warmup
    # The warmup is at its peak one step early, and the decay begins there.
    rise = Warmup(warmup).skip(1) if warmup > 1 else Hold(0)
    fall = _SHAPES[shape](decay, floor) if decay else Hold(0)
    schedule = rise >> Hold(total - decay - rise.length) >> fall
    document.ignore("metrics", "checkpoint", "profiling", "job", "parallelism")
    return Imported(schedule, base, notes=(*notes, *document.rest()))


_SHAPES: Final[Mapping[str, Callable[[int, float], Schedule]]] = {
    "linear": lambda steps, end: Linear(steps, end=end),
    "sqrt": lambda steps, end: Power(steps, 0.5, end=end),
    "cosine": lambda steps, end: Cosine(steps, end=end),
}

TORCHTITAN = Format(
    "torchtitan",
    "torchtitan/components/lr_scheduler.py, torchtitan 0.2",
    (
        "training.steps",
        "lr_scheduler.warmup_steps",
        "optimizer.lr",
        "job.dump_folder",
        "model.name",
    ),
    _recognises,
    _read,
)
