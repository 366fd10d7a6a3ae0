"""The curves of mmengine's schedulers, each from the beginning of its own window."""

import math
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from stepsize.checks import Number, Range
from stepsize.errors import InvalidValue
from stepsize.importers._section import COUNT, LENGTH, POSITIVE, Section, multiple
from stepsize.schedules import (
    Constant,
    Cosine,
    Exponential,
    Hold,
    Linear,
    MultiStep,
    Polynomial,
    Schedule,
    Step,
)
from stepsize.schedules.fields import FACTOR

__all__ = ["CURVES", "Window", "WindowedCurve"]

_PART: Final = Range(minimum=0, maximum=1, remedy="mmengine takes no other factors.")
_DIVISOR: Final = Range(above=0, maximum=1, remedy="mmengine divides by it.")
_RATIO: Final = Range(above=0, maximum=1e30, remedy="The peak is divided by it.")


@dataclass(frozen=True)
class WindowedCurve:
    """What a scheduler does to a value from the beginning of its window.

    Args:
        after: value at the beginning, as a multiple of the base -> the curve.
        scales: Whether the curve is the value times the curve of 1: such schedulers may overlap.
    """

    after: Callable[[float], Schedule]
    scales: bool


@dataclass(frozen=True)
class Window:
    """Where a scheduler works.

    Args:
        length: How many positions; infinite if the configuration does not say.
        unit: What its numbers are multiplied by: steps per epoch, if they count epochs and it
            counts steps.
        base: The base of what it drives, if known.
    """

    length: float
    unit: int
    base: Number | None

    def held(self, curve: Schedule) -> Schedule:
        """The curve, which stops at the window's last position."""
        last = self.length - 1
        if last == 0:
            return Constant(curve(0))
        return curve if curve.length <= last or math.isinf(last) else curve.until(last)

    def last(self, section: Section) -> float:
        """The last position inside, which lines and polynomials end at."""
        if math.isinf(self.length):
            raise section.lacks("end", "Add it: where the scheduler ends.")
        return self.length - 1

    def floor(self, section: Section, key: str = "eta_min") -> float:
        """A value as a multiple of the base."""
        value = section.number(key, 0.0)
        if not value:
            return 0
        if self.base is None:
            raise section.lacks(
                "optim_wrapper", f"Give the whole configuration, or base=...: {key} is {value!r}."
            )
        return multiple(value, self.base)


def _constant(section: Section, window: Window) -> WindowedCurve:
    factor = section.number("factor", 1 / 3, _DIVISOR)

    def after(value: float) -> Schedule:
        low = value * factor
        if window.length == 1 or math.isinf(window.length):
            return Constant(low)
        return Hold(window.length - 1, low) >> Constant(value)

    return WindowedCurve(after, scales=True)


def _linear(section: Section, window: Window) -> WindowedCurve:
    start = section.number("start_factor", 1 / 3, _DIVISOR)
    end = section.number("end_factor", 1.0, _PART)
    steps = window.last(section)

    def after(value: float) -> Schedule:
        return Linear(steps, value * start, value * end) if steps else Constant(value * start)

    return WindowedCurve(after, scales=True)


def _scaling(curve: Schedule, window: Window) -> WindowedCurve:
    held = window.held(curve)
    return WindowedCurve(lambda value: held if value == 1 else held * value, scales=True)


def _step(section: Section, window: Window) -> WindowedCurve:
    every = section.required("step_size", POSITIVE) * window.unit
    return _scaling(Step(every, section.number("gamma", 0.1)), window)


def _multi_step(section: Section, window: Window) -> WindowedCurve:
    gamma = section.number("gamma", 0.1, FACTOR)
    drops = Counter(each * window.unit for each in section.numbers("milestones", LENGTH))
    at_once = gamma ** drops.pop(0, 0)
    curve = MultiStep({at: gamma**times for at, times in drops.items()}) if drops else Constant()
    return _scaling(curve if at_once == 1 else curve * at_once, window)


def _exponential(section: Section, window: Window) -> WindowedCurve:
    return _scaling(Exponential(section.required("gamma")), window)


def _polynomial(section: Section, window: Window) -> WindowedCurve:
    floor, power = window.floor(section), section.number("power", 1.0)
    steps = window.last(section)

    def after(value: float) -> Schedule:
        return Polynomial(steps, power, value, floor) if steps else Constant(value)

    return WindowedCurve(after, scales=floor == 0)


def _cosine_floor(section: Section, window: Window) -> float:
    ratio = section.number("eta_min_ratio", None)
    if ratio is None:
        return window.floor(section)
    if section.has("eta_min"):
        raise InvalidValue(
            section.call,
            "the floor must be given once",
            "eta_min and eta_min_ratio are both there",
            "Leave one out.",
        )
    return ratio


def _cosine(section: Section, window: Window) -> WindowedCurve:
    floor = _cosine_floor(section, window)
    given = section.number("T_max", None, POSITIVE)
    half = window.last(section) + 1 if given is None else given * window.unit
    falls_once = window.length - 1 <= half

    def after(value: float) -> Schedule:
        fall = Cosine(half, value, floor)
        if falls_once:
            return window.held(fall)
        # It rises again, and then as high as the base.
        wave = Cosine(half, floor, 1) >> Cosine(half, 1, floor)
        return window.held(fall >> wave.repeat())

    return WindowedCurve(after, scales=floor == 0 and falls_once)


def _cosine_restarts(section: Section, window: Window) -> WindowedCurve:
    periods = [each * window.unit for each in section.numbers("periods", POSITIVE)]
    weights = section.numbers("restart_weights") if section.has("restart_weights") else [1]
    if len(weights) != len(periods):
        raise InvalidValue(
            section.call,
            "there must be as many restart_weights as periods",
            f"there are {len(weights)} and {len(periods)}",
        )
    floor = _cosine_floor(section, window)
    curve: Schedule = Hold(0)
    for period, weight in zip(periods, weights, strict=True):
        curve = curve >> Cosine(period, weight, floor)
    # After the last period, mmengine leaves the value of the last position inside it.
    held = window.held(curve.until(curve.length - 1) if curve.length > 1 else Constant(curve(0)))
    return WindowedCurve(lambda value: held, scales=False)


def _one_cycle(section: Section, window: Window) -> WindowedCurve:
    total = section.number("total_steps", None, COUNT)
    last = window.last(section) if total is None else total * window.unit - 1
    share = section.number("pct_start", 0.3, _PART)
    peak = window.floor(section, "eta_max")
    start = peak / section.number("div_factor", 25.0, _RATIO)
    end = start / section.number("final_div_factor", 1e4, _RATIO)
    shape = {"cos": Cosine, "linear": Linear}[
        section.choice("anneal_strategy", "cos", ("cos", "linear"))
    ]
    up = share * (last + 1) - 1
    if not 0 < up < last:
        raise InvalidValue(
            section.call,
            "both ways must last",
            f"of {last + 1:g} positions pct_start {share!r} leaves {up:g} to rise",
            "Change pct_start.",
        )
    if section.flag("three_phase", False):
        down = last - 2 * up
        if down <= 0:
            raise InvalidValue(
                section.call,
                "three phases must fit",
                f"two of {up:g} positions leave none of {last:g}",
                "Lower pct_start below 0.5.",
            )
        curve = shape(up, start, peak) >> shape(up, peak, start) >> shape(down, start, end)
    else:
        curve = shape(up, start, peak) >> shape(last - up, peak, end)
    held = window.held(curve)
    return WindowedCurve(lambda value: held, scales=False)


CURVES: Final[Mapping[str, Callable[[Section, Window], WindowedCurve]]] = {
    "Constant": _constant,
    "CosineAnnealing": _cosine,
    "CosineRestart": _cosine_restarts,
    "Exponential": _exponential,
    "Linear": _linear,
    "MultiStep": _multi_step,
    "OneCycle": _one_cycle,
    "Poly": _polynomial,
    "Step": _step,
}
"""By the first part of the scheduler's name: that of ``StepLR`` and ``StepMomentum`` is Step."""
