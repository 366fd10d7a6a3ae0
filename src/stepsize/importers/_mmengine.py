"""Schedules of mmengine (mmdetection, ...), by their ``param_scheduler`` configuration."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, cast

from stepsize.checks import Number, Range, checked_number, checked_whole_number
from stepsize.errors import InvalidValue
from stepsize.importers._epochs import held_through_epochs
from stepsize.importers._imported import Imported
from stepsize.importers._mmengine_curves import CURVES, Window, WindowedCurve
from stepsize.importers._section import COUNT, LENGTH, RATE, Section, call_text
from stepsize.schedules import Hold, Schedule

__all__ = ["from_mmengine"]

_LATER: Final = Range(minimum=1, maximum=2**53, remedy="It is the position after the last one.")


def from_mmengine(
    config: Mapping[str, Any] | Sequence[Mapping[str, Any]],
    *,
    base: float | None = None,
    steps_per_epoch: float | None = None,
) -> Imported:
    """The schedule that mmengine's ``param_scheduler`` describes.

    Windows (``begin``, ``end``), positions in epochs or iterations and ``convert_to_iter_based``
    are read as mmengine's runner does. Schedulers whose windows overlap multiply; those that move
    towards a floor or to rates of their own need a window for themselves.

    Args:
        config: One scheduler ``{"type": "CosineAnnealingLR", ...}``, a list of them, or the whole
            configuration: ``param_scheduler``, and with it the optimizer's rate from
            ``optim_wrapper`` and the run's length from ``train_cfg``.
        base: The rate of the optimizer's groups, which absolute floors are divided by; that of
            ``optim_wrapper`` if not given.
        steps_per_epoch: Optimizer steps per epoch, for schedulers that count epochs, as most do.

    Returns:
        The schedule in optimizer steps, as multiples of the base; ``momentum`` is what the momentum
        schedulers do, as multiples of the optimizer's momentum.

    Raises:
        InvalidType: A value has the wrong type.
        InvalidValue: A type or key is unknown, something is missing or out of range, a scheduler
            reacts to a metric, or two that cannot be multiplied overlap.

    >>> from stepsize.importers import from_mmengine
    >>> warmup = {"type": "LinearLR", "start_factor": 0.1, "by_epoch": False, "end": 501}
    >>> drops = {"type": "MultiStepLR", "milestones": [8], "end": 12}
    >>> from_mmengine([warmup, drops], steps_per_epoch=1000).schedule
    Linear(500, start=0.1, end=1) * MultiStep({8: 0.1}).until(11).per_epoch(1000).staircase(1000)

    Source: ``mmengine/optim/scheduler/param_scheduler.py``, mmengine 0.10.
    """
    call = call_text("from_mmengine")
    run = _run(call, config, base, steps_per_epoch)
    pieces: dict[str, list[_Piece]] = {"lr": [], "momentum": []}
    for each in run.schedulers:
        piece = _piece(Section(call, each), run)
        pieces[piece.quantity].append(piece)
    rates = pieces["lr"]
    if not rates:
        raise InvalidValue(
            call,
            "there must be a scheduler of the learning rate",
            "there is none",
            "Write Constant() if it stays.",
        )
    if len(rates) > 1 and any(piece.replaces_base for piece in rates):
        raise InvalidValue(
            call,
            "OneCycleLR must be alone, because it replaces the rate that others multiply",
            f"there are {len(rates)} schedulers of the rate",
            "Import them one by one.",
        )
    momentum = _together(call, pieces["momentum"]) if pieces["momentum"] else None
    return Imported(_together(call, rates), run.bases["lr"], momentum, run.notes)


@dataclass(frozen=True)
class _Run:
    """What the schedulers of one configuration share."""

    schedulers: Sequence[Any]
    bases: Mapping[str, Number | None]
    steps_per_epoch: int | None
    epochs: int | None
    iterations: int | None
    notes: tuple[str, ...]


@dataclass(frozen=True)
class _Piece:
    """One scheduler: its window in optimizer steps, and what it does from there."""

    quantity: str
    start: float
    end: float
    curve: WindowedCurve
    replaces_base: bool


def _run(call: str, config: object, base: float | None, steps_per_epoch: float | None) -> _Run:
    lr = None if base is None else checked_number(call, "base", base, RATE)
    per_epoch = None
    if steps_per_epoch is not None:
        per_epoch = checked_whole_number(call, "steps_per_epoch", steps_per_epoch, COUNT)
    is_whole = isinstance(config, Mapping) and "param_scheduler" in config
    given = cast(object, config)
    whole = Section(call, given if is_whole else {})
    schedulers = _listed(call, whole["param_scheduler"] if is_whole else given)
    wrapper = Section(call, whole.get("optim_wrapper") or {})
    optimizer = Section(call, wrapper.get("optimizer") or {})
    betas = optimizer.numbers("betas") if optimizer.has("betas") else [None]
    train = Section(call, whole.get("train_cfg") or {})
    if lr is None:
        lr = optimizer.number("lr", _peak(call, schedulers), RATE)
    return _Run(
        schedulers=schedulers,
        bases={"lr": lr, "momentum": optimizer.number("momentum", betas[0])},
        steps_per_epoch=per_epoch,
        epochs=train.count("max_epochs", None),
        iterations=train.count("max_iters", None),
        notes=whole.rest(),
    )


def _listed(call: str, schedulers: object) -> Sequence[Any]:
    if isinstance(schedulers, Mapping):
        return [cast(Mapping[str, Any], schedulers)]
    if not isinstance(schedulers, Sequence) or isinstance(schedulers, str) or not schedulers:
        raise InvalidValue(
            call,
            "param_scheduler must be a scheduler's mapping or a list of them",
            remedy="Example: {'type': 'LinearLR', 'start_factor': 0.1, 'by_epoch': False, "
            "'end': 500}.",
        )
    return cast(Sequence[Any], schedulers)


def _peak(call: str, schedulers: Sequence[Any]) -> Number | None:
    """The rate that OneCycleLR replaces the optimizer's with; the other schedulers have none."""
    for each in schedulers:
        peak = Section(call, each).number("eta_max", None, RATE)
        if peak is not None:
            return peak
    return None


def _piece(section: Section, run: _Run) -> _Piece:
    shape, quantity = _kind(section)
    by_epoch = section.flag("by_epoch", True)
    converted = section.flag("convert_to_iter_based", False)
    if converted and not by_epoch:
        raise InvalidValue(
            section.call, "convert_to_iter_based must go with by_epoch", "by_epoch is false"
        )
    per_epoch = run.steps_per_epoch
    if by_epoch and per_epoch is None:
        raise section.lacks(
            "steps_per_epoch",
            "Give {steps_per_epoch}, the optimizer steps per epoch; 1 counts in epochs.",
        )
    # The factor of the scheduler's own numbers, and the steps of one of its positions.
    unit = per_epoch or 1 if converted else 1
    stride = per_epoch or 1 if by_epoch and not converted else 1
    begin = math.floor(section.number("begin", 0, LENGTH) * unit)
    end = section.number("end", run.epochs if by_epoch else run.iterations, _LATER)
    stop = math.inf if end is None else math.floor(end * unit)
    if stop <= begin:
        raise InvalidValue(section.call, "end must be above begin", f"{stop} <= {begin}")
    curve = CURVES[shape](section, Window(stop - begin, unit, run.bases[quantity]))
    for known in ("verbose", "_scope_"):
        section.get(known)
    section.finish()

    def in_steps(value: float) -> Schedule:
        return held_through_epochs(curve.after(value), stride)

    moved = WindowedCurve(in_steps, curve.scales)
    return _Piece(quantity, begin * stride, stop * stride, moved, shape == "OneCycle")


def _kind(section: Section) -> tuple[str, str]:
    """The shape and what it is applied to, from the scheduler's class."""
    if not section.has("type"):
        raise section.lacks("type", "Add it: 'type': 'LinearLR', for example.")
    given = section["type"]
    name = str(getattr(given, "__name__", given)).rpartition(".")[2]
    if name.startswith("ReduceOnPlateau"):
        raise InvalidValue(
            section.call,
            "a schedule depends on the position alone",
            f"{name[:60]} reacts to a metric",
            "Import the other schedulers, and use Policy(schedule, [controller]) with "
            "stepsize.controllers.Plateau(metric=monitor, mode=..., factor=..., patience=...).",
        )
    for suffix, quantity in (("LR", "lr"), ("Momentum", "momentum"), ("ParamScheduler", "")):
        shape = name.removesuffix(suffix)
        if shape != name and shape in CURVES:
            return shape, quantity or section.choice("param_name", "", ("lr", "momentum"))
    raise InvalidValue(
        section.call,
        f"the type must be one of mmengine's ({', '.join(CURVES)}, with LR, Momentum or "
        "ParamScheduler)",
        f"is {name[:60]!r}",
        "Write what it does as an expression.",
    )


def _together(call: str, pieces: Sequence[_Piece]) -> Schedule:
    """What all schedulers of one quantity do, one after another or multiplied."""
    in_order = sorted(pieces, key=lambda piece: piece.start)
    schedule: Schedule = Hold(in_order[0].start)
    done: list[_Piece] = []
    for piece in in_order:
        running = [other for other in done if other.end > piece.start]
        if not running:
            value = schedule(piece.start)
            before = schedule if schedule.length == piece.start else schedule.until(piece.start)
            schedule = before >> piece.curve.after(value)
        elif piece.curve.scales and all(other.curve.scales for other in running):
            schedule = schedule * (Hold(piece.start) >> piece.curve.after(1))
        else:
            raise InvalidValue(
                call,
                "a scheduler that moves towards a floor, or to rates of its own, must have its "
                "window for itself",
                f"at step {piece.start:,.0f} another one is still at work",
                "Set the first one's end to the second one's begin.",
            )
        done.append(piece)
    return schedule
