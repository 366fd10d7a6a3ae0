"""Schedules of detectron2, by the ``SOLVER`` section of its YAML."""

from typing import Final

from stepsize.errors import InvalidValue
from stepsize.importers._format import Format
from stepsize.importers._imported import Imported
from stepsize.importers._run_facts import RunFacts, as_multiple
from stepsize.importers._section import COUNT, FLOOR, LENGTH, Section
from stepsize.schedules import Constant, Cosine, Hold, Linear, MultiStep, Polynomial, Schedule

__all__ = ["DETECTRON2"]

_NAMES: Final = ("WarmupMultiStepLR", "WarmupCosineLR", "WarmupPolyLR")
_POWER: Final = 0.9


def _recognises(document: Section) -> bool:
    return document.holds("SOLVER.BASE_LR") or document.holds("SOLVER.MAX_ITER")


def _read(document: Section, facts: RunFacts) -> Imported:
    solver = document.section("SOLVER")
    _check_inherited(document, solver, facts)
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
        body = Polynomial(total, solver.number("POLY_LR_POWER", _POWER, FLOOR))
        if solver.number("POLY_LR_CONSTANT_ENDING", 0.0, FLOOR):
            raise InvalidValue(
                document.call,
                "SOLVER.POLY_LR_CONSTANT_ENDING must be 0",
                "is not, which is not read",
            )
    schedule = _warmed_up(solver, body, total, scales=name == "WarmupPolyLR")
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


def _check_inherited(document: Section, solver: Section, facts: RunFacts) -> None:
    """Refuse what stands in a file that it builds on, whose numbers detectron2 would take."""
    if not document.has("_BASE_"):
        return
    for key in ("BASE_LR", "MAX_ITER", "STEPS"):
        known = key == "BASE_LR" and facts.base is not None
        is_cosine = solver.word("LR_SCHEDULER_NAME", "") not in ("", "WarmupMultiStepLR")
        if not (solver.has(key) or known or (key == "STEPS" and is_cosine)):
            raise solver.lacks(
                key, f"It may stand in {document['_BASE_']!s}, which is not read: add it here."
            )


def _warmed_up(solver: Section, body: Schedule, total: int, *, scales: bool) -> Schedule:
    steps = min(solver.count("WARMUP_ITERS", 1_000, LENGTH), total)
    factor = solver.number("WARMUP_FACTOR", 0.001, FLOOR)
    method = solver.choice("WARMUP_METHOD", "linear", ("linear", "constant"))
    if not steps:
        return body
    if scales and method == "linear":
        return Linear(steps, factor, 1) * body
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
