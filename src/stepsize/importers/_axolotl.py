"""Schedules of axolotl, by its YAML."""

from stepsize.importers._format import Format
from stepsize.importers._imported import Imported
from stepsize.importers._run_facts import RunFacts
from stepsize.importers._section import LENGTH, NUMBER, PART, Section
from stepsize.importers._transformers import from_transformers
from stepsize.schedules import Constant, Cosine, Power, Rex, Schedule, Warmup

__all__ = ["AXOLOTL"]

_SHARE = 0.03
_MOST = 100


def _recognises(document: Section) -> bool:
    return document.has("base_model") and (
        document.has("micro_batch_size") or document.has("sequence_len")
    )


def _read(document: Section, facts: RunFacts) -> Imported:
    name = document.word("lr_scheduler", "cosine")
    base = facts.rate(document, "learning_rate")
    total = facts.length(
        document,
        document.number("max_steps", None, NUMBER),
        document.number("num_epochs", 1.0),
        ("max_steps", "num_epochs"),
    )
    warmup = _warmup(document, total)
    floor = document.number("cosine_min_lr_ratio", None, PART)
    constant = document.number("cosine_constant_lr_ratio", None, PART)
    settings = dict(document.section("lr_scheduler_kwargs").items())
    document.ignore("weight_decay", "gradient_accumulation_steps", "micro_batch_size")
    document.ignore("lr_quadratic_warmup")
    document.refuse_warmups()
    if name == "cosine" and document.flag("lr_quadratic_warmup", False):
        rise: Schedule = Power(warmup, 2, start=0, end=1)
        return Imported(rise >> _fall(total - warmup, 0), base, notes=document.rest())
    if name == "cosine" and floor is not None:
        end = total if constant is None else int(total * constant)
        schedule = Warmup(warmup) >> _fall(end - warmup, floor)
        return Imported(schedule, base, notes=document.rest())
    if name == "rex":
        curve = (Warmup(warmup) >> Rex(total - warmup, 0.9, end=floor or 0)).skip(1)
        return Imported(curve, base, notes=document.rest())
    if name == "one_cycle":
        return Imported(_one_cycle(total, warmup, settings), base, notes=document.rest())
    numbers = {"num_warmup_steps": warmup, "num_training_steps": total, **settings}
    if base is not None:
        numbers["lr"] = base
    found = from_transformers(name, **numbers)
    return Imported(found.schedule, base, notes=(*found.notes, *document.rest()))


def _warmup(document: Section, total: int) -> int:
    steps = document.count("warmup_steps", None, LENGTH)
    share = document.number("warmup_ratio", None, PART)
    if steps is None:
        steps = min(int(_SHARE * total), _MOST) if share is None else int(share * total)
    return 2 if steps == 1 else steps


def _fall(steps: int, floor: float) -> Schedule:
    return Cosine(steps, end=floor) if steps > 0 else Constant(floor)


def _one_cycle(total: int, warmup: int, given: dict[str, object]) -> Schedule:
    settings = Section("lr_scheduler_kwargs", given, "lr_scheduler_kwargs.")
    share = settings.number("pct_start", warmup / total, PART)
    start = 1 / settings.number("div_factor", 25.0)
    end = start / settings.number("final_div_factor", 1e4)
    settings.ignore("anneal_strategy")
    settings.finish()
    rise = share * total - 1
    if rise <= 0:
        return Cosine(total - 1, end=end)
    return Cosine(rise, start=start, end=1) >> Cosine(total - 1 - rise, end=end)


AXOLOTL = Format(
    "axolotl",
    "axolotl/utils/schedulers.py, axolotl 0.11",
    ("base_model", "micro_batch_size", "sequence_len", "num_epochs", "lr_scheduler", "adapter"),
    _recognises,
    _read,
)
