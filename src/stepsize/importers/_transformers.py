"""Schedules of transformers, by the names and numbers that its ``get_scheduler`` takes."""

from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias

from stepsize.checks import Number, Range
from stepsize.errors import InvalidValue
from stepsize.importers._imported import Imported
from stepsize.importers._section import LENGTH, POSITIVE, RATE, Section
from stepsize.schedules import (
    Constant,
    Cosine,
    Hold,
    InverseSqrt,
    Linear,
    Polynomial,
    Power,
    Schedule,
    Warmup,
)

__all__ = ["from_transformers"]

_CYCLES: Final = Range(above=0, maximum=1e6, remedy="0.5 falls once.")
_WAVE_NOTE: Final = (
    "Past num_training_steps the rate of transformers rises again; here the last value holds."
)


def from_transformers(name: str, **settings: Any) -> Imported:
    """The schedule of a transformers ``SchedulerType``. transformers is not imported.

    Args:
        name: "linear", "cosine", "cosine_with_restarts", "polynomial", "constant",
            "constant_with_warmup", "inverse_sqrt", "cosine_with_min_lr",
            "cosine_warmup_with_min_lr" or "warmup_stable_decay"; or the ``SchedulerType`` itself.
        **settings: What ``get_scheduler`` and the function behind the name take, with their
            defaults: ``num_warmup_steps``, ``num_training_steps`` (both in optimizer steps; the
            length includes the warmup), ``num_cycles``, ``power``, ``lr_end``, ``min_lr``,
            ``min_lr_rate``, ``warmup_lr_rate``, ``timescale``, ``num_stable_steps``,
            ``num_decay_steps``, ``warmup_type``, ``decay_type``, ``min_lr_ratio``; and ``lr``, the
            optimizer's rate, which absolute floors (``lr_end``, ``min_lr``) are divided by.

    Returns:
        The schedule, in multiples of the base rate; its base is ``lr``, if that was given. Past
        ``num_training_steps`` the last value holds, where some of transformers' rise again.

    Raises:
        InvalidType: A value is not a number.
        InvalidValue: The name is unknown, or that of a feedback rule; a setting is unknown, missing
            or out of range.

    >>> from stepsize.importers import from_transformers
    >>> from_transformers("linear", num_warmup_steps=100, num_training_steps=1000).schedule
    Warmup(100) >> Linear(900)
    >>> settings = {"num_warmup_steps": 0, "num_training_steps": 1000, "min_lr": 1e-5}
    >>> from_transformers("cosine_with_min_lr", **settings, lr=1e-4).schedule
    Cosine(1000, end=0.1)

    Source: ``transformers/optimization.py``, version 5.23.
    """
    word = str(getattr(name, "value", name))
    call = f"from_transformers({word[:60]!r}, ...)"
    if word in _CONTROLLERS:
        raise InvalidValue(
            call,
            "a schedule is known before the run",
            f"{word!r} follows a metric",
            f"Import {_CONTROLLERS[word]} from stepsize.controllers and give it to attach, "
            f"attach(optimizer, Policy(Constant(), [{_CONTROLLERS[word]}(...)])), and tell it the "
            "metric: rate.observe(val_loss=...).",
        )
    if word not in _READERS:
        raise InvalidValue(
            call,
            f"the name must be one of {', '.join(_READERS)}",
            f"is {word[:60]!r}",
            "Write a schedule of your own as an expression, or as Function(its formula).",
        )
    section = Section(call, settings)
    schedule, notes = _READERS[word](section)
    base = section.number("lr", None, RATE)
    section.get("num_training_steps")  # get_scheduler takes it for every name
    section.finish()
    return Imported(schedule, base, notes=notes)


_Found: TypeAlias = tuple[Schedule, tuple[str, ...]]


def _constant(section: Section) -> _Found:
    warmup = section.number("num_warmup_steps", 0, LENGTH)
    note = "transformers has no warmup in 'constant': num_warmup_steps has no effect there or here."
    return Constant(), (note,) if warmup else ()


def _constant_with_warmup(section: Section) -> _Found:
    return _warmup(section) >> Constant(), ()


def _linear(section: Section) -> _Found:
    rest = _rest(section)
    return _warmup(section) >> (Linear(rest) if rest else Constant(0)), ()


def _cosine(section: Section) -> _Found:
    cycles = section.number("num_cycles", 0.5, _CYCLES)
    return _warmup(section) >> _wave(_rest(section), cycles), (_WAVE_NOTE,)


def _cosine_with_min_lr(section: Section) -> _Found:
    cycles = section.number("num_cycles", 0.5, _CYCLES)
    return _warmup(section) >> _wave(_rest(section), cycles, _floor(section)), (_WAVE_NOTE,)


def _cosine_warmup_with_min_lr(section: Section) -> _Found:
    # Its warmup has its peak, and its decay its end, one step earlier than the others'.
    warmup = section.count("num_warmup_steps", None, LENGTH)
    if warmup is None:
        raise section.lacks("num_warmup_steps", "Add it: 'num_warmup_steps': a number.")
    start = section.number("warmup_lr_rate", None)
    cycles = section.number("num_cycles", 0.5, _CYCLES)
    decay = _wave(_rest(section), cycles, _floor(section))
    if start is None or warmup == 0:
        return (Warmup(warmup) >> decay).skip(1), (_WAVE_NOTE,)
    rise = Warmup(warmup - 1, start) >> Hold(1) if warmup > 1 else Hold(1, start)
    rest = decay.skip(1)
    return rise >> (rest if rest.length else Constant(rest(0))), (_WAVE_NOTE,)


def _cosine_with_restarts(section: Section) -> _Found:
    cycles, rest = section.number("num_cycles", 1, _CYCLES), _rest(section)
    if not rest:
        return _warmup(section), ()
    if isinstance(cycles, int):
        falls = Cosine(rest / cycles)
        return _warmup(section) >> (falls if cycles == 1 else falls.repeat(cycles)), ()
    return _warmup(section) >> Cosine(rest / cycles).repeat().until(rest) >> Constant(0), ()


def _polynomial(section: Section) -> _Found:
    end = section.number("lr_end", 1e-7)
    base = _base(section, "lr_end")
    if not end < base:
        raise InvalidValue(
            section.call, "lr_end must be below lr", f"is {end!r}, and lr is {base!r}"
        )
    rest, power = _rest(section), section.number("power", 1.0)
    floor = end / base
    if not rest:
        return _warmup(section) >> Constant(floor), ()
    decay = Linear(rest, end=floor) if power == 1 else Polynomial(rest, power, end=floor)
    return _warmup(section) >> decay, ()


def _inverse_sqrt(section: Section) -> _Found:
    warmup = section.required("num_warmup_steps", LENGTH)
    scale = section.number("timescale", None, POSITIVE)
    return _warmup(section) >> InverseSqrt(scale or warmup or 10_000), ()


def _warmup_stable_decay(section: Section) -> _Found:
    warmup = section.required("num_warmup_steps", LENGTH)
    falling = section.required("num_decay_steps", LENGTH)
    floor = section.number("min_lr_ratio", 0.0)
    rise = _RISES[section.choice("warmup_type", "linear", tuple(_RISES))](warmup, floor)
    cycles = section.number("num_cycles", 0.5, _CYCLES)
    stable = section.number("num_stable_steps", None, LENGTH)
    if stable is None:
        total = section.required("num_training_steps", LENGTH)
        stable = total - warmup - falling
        if stable < 0:
            raise InvalidValue(
                section.call,
                "num_warmup_steps and num_decay_steps must fit into num_training_steps",
                f"{warmup} + {falling} > {total}",
                "Shorten one of them.",
            )
    shape = section.choice("decay_type", "cosine", ("linear", "cosine", "1-sqrt"))
    if shape == "cosine":
        decay = _wave(falling, cycles, floor)
    else:
        decay = Linear(falling, end=floor) if shape == "linear" else Power(falling, 0.5, end=floor)
    schedule = rise >> Hold(stable) >> decay
    return schedule if schedule(schedule.length) == floor else schedule >> Constant(floor), ()


def _warmup(section: Section) -> Schedule:
    return Warmup(section.required("num_warmup_steps", LENGTH))


def _rest(section: Section) -> Number:
    """What the warmup leaves of the run."""
    total = section.required("num_training_steps", LENGTH)
    return max(0, total - section.required("num_warmup_steps", LENGTH))


def _wave(steps: Number, cycles: Number, end: Number = 0) -> Schedule:
    """A cosine with ``cycles`` full waves: half a wave falls once."""
    if cycles == 0.5 or not steps:
        return Cosine(steps, end=end)
    half = steps / (2 * cycles)
    return (Cosine(half, end=end) >> Cosine(half, start=end, end=1)).repeat().until(steps)


def _floor(section: Section) -> Number:
    """The floor as a multiple of the base rate."""
    if section.has("min_lr") == section.has("min_lr_rate"):
        raise InvalidValue(
            section.call,
            "the floor is min_lr or min_lr_rate, one of them",
            f"{'both are' if section.has('min_lr') else 'neither is'} given",
            "min_lr_rate=0.1 is a tenth of lr.",
        )
    if section.has("min_lr_rate"):
        return section.required("min_lr_rate")
    return section.required("min_lr") / _base(section, "min_lr")


def _base(section: Section, key: str) -> Number:
    if not section.has("lr"):
        raise section.lacks(
            "lr",
            f"{key} is a rate, and the schedule a multiple: add the optimizer's rate, lr=5e-5.",
        )
    return section.required("lr", RATE)


_RISES: Final[Mapping[str, Callable[[Number, Number], Schedule]]] = {
    "linear": Warmup,
    "cosine": lambda steps, start: Cosine(steps, start, 1),
    "1-sqrt": lambda steps, start: Polynomial(steps, 0.5, start, 1),
}

_READERS: Final[Mapping[str, Callable[[Section], _Found]]] = {
    "linear": _linear,
    "cosine": _cosine,
    "cosine_with_restarts": _cosine_with_restarts,
    "polynomial": _polynomial,
    "constant": _constant,
    "constant_with_warmup": _constant_with_warmup,
    "inverse_sqrt": _inverse_sqrt,
    "cosine_with_min_lr": _cosine_with_min_lr,
    "cosine_warmup_with_min_lr": _cosine_warmup_with_min_lr,
    "warmup_stable_decay": _warmup_stable_decay,
}

_CONTROLLERS: Final = {"reduce_lr_on_plateau": "Plateau", "greedy": "Greedy"}
