"""Schedules of PaddleClas, by ``Optimizer.lr`` of its YAML."""

from collections.abc import Callable, Mapping
from typing import Final

from stepsize.importers._epochs import held_through_epochs
from stepsize.importers._format import Format
from stepsize.importers._imported import Imported
from stepsize.importers._run_facts import RunFacts, as_multiple
from stepsize.importers._section import COUNT, FLOOR, LENGTH, POSITIVE, Section
from stepsize.schedules import (
    Constant,
    Cosine,
    MultiStep,
    Polynomial,
    Schedule,
    Step,
    Table,
    Warmup,
)

__all__ = ["PADDLE_CLAS"]


def _recognises(document: Section) -> bool:
    return document.holds("Optimizer.lr.name") or document.holds("Optimizer.lr.learning_rate")


class _Lengths:
    """The lengths of one configuration: in epochs, if it steps by epoch, else in steps."""

    def __init__(self, section: Section, document: Section, facts: RunFacts) -> None:
        self.by_epoch = section.flag("by_epoch", False)
        steps = facts.per_epoch(document, "PaddleClas counts")
        self.stride = steps if self.by_epoch else 1
        self.unit = 1 if self.by_epoch else steps
        self.epochs = document.section("Global").count("epochs", None, COUNT)
        # By step, warmup_epoch counts steps of the scheduler only for some: all are in epochs here.
        self.warmup = section.number("warmup_epoch", 0, LENGTH)

    def total(self, section: Section) -> int:
        """The epochs of the run, which curves to its end need."""
        if self.epochs is None:
            raise section.lacks("epochs", "Add Global.epochs.")
        return self.epochs


def _read(document: Section, facts: RunFacts) -> Imported:
    optimizer = document.section("Optimizer")
    section = optimizer.section("lr")
    lengths = _Lengths(section, document, facts)
    name = section.choice("name", "Constant", tuple(_CURVES))
    base = (
        facts.required_rate(section, "learning_rate")
        if name != "Piecewise" or section.has("learning_rate")
        else facts.base or section.numbers("values", FLOOR)[0]
    )
    body = _CURVES[name](section, lengths, base)
    warmup = round(lengths.warmup * lengths.unit)
    start = as_multiple(section.number("warmup_start_lr", 0.0, FLOOR), base)
    schedule = Warmup(warmup, start) >> body if warmup else body
    section.ignore("last_epoch", "verbose", "epochs", "step_each_epoch")
    section.finish()
    optimizer.ignore("name", "momentum", "regularizer", "weight_decay", "beta1", "beta2")
    return Imported(held_through_epochs(schedule, lengths.stride), base, notes=document.rest())


def _constant(section: Section, lengths: _Lengths, base: float) -> Schedule:
    return Constant()


def _cosine(section: Section, lengths: _Lengths, base: float) -> Schedule:
    floor = as_multiple(section.number("eta_min", 0.0, FLOOR), base)
    return Cosine((lengths.total(section) - lengths.warmup) * lengths.unit, end=floor)


def _linear(section: Section, lengths: _Lengths, base: float) -> Schedule:
    floor = as_multiple(section.number("end_lr", 0.0, FLOOR), base)
    steps = (lengths.total(section) - lengths.warmup) * lengths.unit
    section.flag("cycle", False)
    return Polynomial(steps, section.number("power", 1.0), end=floor)


def _step(section: Section, lengths: _Lengths, base: float) -> Schedule:
    every = section.required("step_size", POSITIVE) * lengths.unit
    return Step(every, section.number("gamma", 0.1, FLOOR))


def _multi_step(section: Section, lengths: _Lengths, base: float) -> Schedule:
    gamma = section.number("gamma", 0.1, FLOOR)
    milestones = section.numbers("milestones", LENGTH)
    return MultiStep({each * lengths.unit: gamma for each in milestones})


def _piecewise(section: Section, lengths: _Lengths, base: float) -> Schedule:
    ends = [each * lengths.unit for each in section.numbers("decay_epochs", LENGTH)]
    values = [as_multiple(each, base) for each in section.numbers("values", FLOOR)]
    starts = [0, *ends[:-1]]
    rows = [[end - start, value] for start, end, value in zip(starts, ends, values, strict=False)]
    return Table([*rows, [1, values[-1]]])


_CURVES: Final[Mapping[str, Callable[[Section, _Lengths, float], Schedule]]] = {
    "Constant": _constant,
    "Cosine": _cosine,
    "Linear": _linear,
    "MultiStepDecay": _multi_step,
    "Piecewise": _piecewise,
    "Step": _step,
}

PADDLE_CLAS = Format(
    "PaddleClas",
    "ppcls/optimizer/learning_rate.py, PaddleClas 2.6",
    ("Optimizer.lr.name", "Optimizer.lr.learning_rate", "Global.epochs", "Arch", "DataLoader"),
    _recognises,
    _read,
)
