"""Schedules of detectron2, by the ``SOLVER`` section of its YAML."""

from typing import Final

from stepsize.importers._format import Format
from stepsize.importers._imported import Imported
from stepsize.importers._run_facts import RunFacts, as_multiple
from stepsize.importers._section import COUNT, FLOOR, LENGTH, Section
from stepsize.schedules import Constant, Cosine, Hold, Linear, MultiStep, Schedule

__all__ = ["DETECTRON2"]

_NAMES: Final = ("WarmupMultiStepLR", "WarmupCosineLR", "WarmupStepWithFixedGammaLR")


def _recognises(document: Section) -> bool:
    return document.holds("SOLVER.BASE_LR") or document.holds("SOLVER.MAX_ITER")


def _read(document: Section, facts: RunFacts) -> Imported:
    solver = document.section("SOLVER")
    base = facts.rate(solver, "BASE_LR")
    base = 0.001 if base is None else base  # detectron2's default
    total = solver.count("MAX_ITER", facts.steps or 40_000, COUNT)
    name = solver.choice("LR_SCHEDULER_NAME", "WarmupMultiStepLR", _NAMES)
    gamma = solver.number("GAMMA", 0.1, FLOOR)
    milestones = _milestones(solver, total)
    if name == "WarmupCosineLR":
        end = as_multiple(solver.number("BASE_LR_END", 0.0, FLOOR), base)
        body: Schedule = Cosine(total, end=end)
    elif name == "WarmupMultiStepLR":
        body = MultiStep(dict.fromkeys(milestones, gamma)) if milestones else Constant()
    else:
        every = solver.count("STEPS", total, COUNT)
        body = MultiStep({every * each: gamma for each in range(1, total // every + 1)})
    schedule = _warmed_up(solver, body, total)
    solver.ignore(
        *("IMS_PER_BATCH", "MOMENTUM", "NESTEROV", "WEIGHT_DECAY", "WEIGHT_DECAY_NORM"),
        *("WEIGHT_DECAY_BIAS", "CHECKPOINT_PERIOD", "AMP", "CLIP_GRADIENTS", "OPTIMIZER"),
    )
    if solver.has("BIAS_LR_FACTOR") and solver.number("BIAS_LR_FACTOR", 1.0) == 1:
        solver.ignore("BIAS_LR_FACTOR")
    return Imported(schedule, base, notes=(*_defaults(document), *document.rest()))


def _milestones(solver: Section, total: int) -> list[float]:
    if not solver.has("STEPS"):
        return [30_000] if total >= 30_000 else []
    given = solver["STEPS"]
    if isinstance(given, str):  # yacs keeps a tuple as text: (60000, 80000)
        given = [part for part in given.strip("()[] ").split(",") if part.strip()]
        solver = Section(solver.call, {"STEPS": given}, solver.path)
    elif isinstance(given, int | float):
        given = [given]
        solver = Section(solver.call, {"STEPS": given}, solver.path)
    return [step for step in (solver.numbers("STEPS", LENGTH) if given else []) if step <= total]


def _warmed_up(solver: Section, body: Schedule, total: int) -> Schedule:
    steps = min(solver.count("WARMUP_ITERS", 1_000, LENGTH), total)
    factor = solver.number("WARMUP_FACTOR", 0.001, FLOOR)
    method = solver.choice("WARMUP_METHOD", "linear", ("linear", "constant"))
    if not steps:
        return body
    # The warmup leads to where the body is at its end, and then the body takes over.
    top = body(steps)
    start = factor * body(0)
    if method == "constant":
        return Hold(steps, start) >> body.skip(steps)
    return Linear(steps, start, top) >> body.skip(steps)


def _defaults(document: Section) -> tuple[str, ...]:
    if not document.has("_BASE_"):
        return ()
    note = (
        "It builds on another file (_BASE_), which is not read: what is not written here has "
        "detectron2's default."
    )
    document.ignore("_BASE_")
    return (note,)


DETECTRON2 = Format(
    "detectron2",
    "detectron2/solver/build.py and fvcore/common/param_scheduler.py",
    ("SOLVER.BASE_LR", "SOLVER.MAX_ITER", "SOLVER.STEPS", "MODEL", "_BASE_"),
    _recognises,
    _read,
)
