"""Recipes: functions that return algebra. Print one to see what it is made of."""

import math

from stepsize.checks import Range, checked_number
from stepsize.errors import InvalidValue
from stepsize.schedules._cycles import Triangular
from stepsize.schedules._decays import Exponential, InverseSqrt
from stepsize.schedules._shapes import Cosine, Hold, Linear
from stepsize.schedules._warmups import Warmup
from stepsize.schedules.algebra import Schedule
from stepsize.schedules.fields import FACTOR, LENGTH, PERIOD, VALUE

__all__ = ["cyclic", "linear_to_zero", "noam", "one_cycle", "warmup_cosine", "wsd"]

_TOTAL = Range(above=0, maximum=2**53, remedy="It counts optimizer steps.")


def _warmup(steps: float) -> Schedule:
    # Never 0, and at the peak at position ``steps``.
    return Warmup(steps + 1).skip(1) if steps else Hold(0)


def _rest(call: str, total: float, **parts: float) -> float:
    """What the parts leave of the total."""
    whole = checked_number(call, "total", total, _TOTAL)
    rest = whole - sum(checked_number(call, name, part, LENGTH) for name, part in parts.items())
    if rest < 0:
        named = " and ".join(f"{name} ({part!r})" for name, part in parts.items())
        raise InvalidValue(
            call,
            f"{named} must fit into {{total}}",
            f"total is {total!r}",
            "Shorten them or lengthen the run.",
        )
    return rest


def warmup_cosine(
    total: float, warmup: float = 0, end: float = 0, num_cycles: float = 0.5
) -> Schedule:
    """Linear warmup, then a cosine from the peak.

    After the warmup, with u the progress through the rest:
    end + (1 - end) · (1 + cos(2π · num_cycles · u)) / 2.
    The first update is not wasted: the warmup starts at 1 / (warmup + 1).

    Args:
        total: Length of the whole in optimizer steps, > 0.
        warmup: Its first part.
        end: Floor, as a multiple of the base rate.
        num_cycles: Full waves; the default half wave falls once, 1.5 falls, rises and falls again.

    >>> from stepsize import warmup_cosine
    >>> warmup_cosine(10_000, warmup=500, end=0.1)
    Warmup(501).skip(1) >> Cosine(9500, end=0.1)

    Source: Loshchilov & Hutter 2017 (arXiv 1608.03983); ``num_cycles`` as in transformers'
    ``get_cosine_schedule_with_warmup``.
    """
    call = f"warmup_cosine({total!r}, warmup={warmup!r}, end={end!r}, num_cycles={num_cycles!r})"
    rest = _rest(call, total, warmup=warmup)
    checked_number(call, "end", end, VALUE)
    checked_number(call, "num_cycles", num_cycles, Range(above=0, maximum=1e6))
    if num_cycles == 0.5 or rest == 0:
        return _warmup(warmup) >> Cosine(rest, end=end)
    half = rest / (2 * num_cycles)
    wave = Cosine(half, end=end) >> Cosine(half, start=end, end=1)
    return _warmup(warmup) >> wave.repeat().until(rest)


def wsd(total: float, warmup: float, cooldown: float, end: float = 0) -> Schedule:
    """Warmup, stable, decay: linear up, the peak held, linear down.

    Args:
        total: Length of the whole in optimizer steps, > 0.
        warmup: Its first part, optimizer steps.
        cooldown: Its last part, optimizer steps.
        end: Last value, as a multiple of the base rate.

    >>> from stepsize import wsd
    >>> wsd(10_000, warmup=500, cooldown=2_000)
    Warmup(501).skip(1) >> Hold(7500) >> Linear(2000)

    Source: Hu et al. 2024, "MiniCPM" (arXiv 2404.06395); Hägele et al. 2024 (arXiv 2405.18392).
    """
    call = f"wsd({total!r}, warmup={warmup!r}, cooldown={cooldown!r}, end={end!r})"
    stable = _rest(call, total, warmup=warmup, cooldown=cooldown)
    checked_number(call, "end", end, VALUE)
    return _warmup(warmup) >> Hold(stable) >> Linear(cooldown, end=end)


def linear_to_zero(total: float, warmup: float = 0) -> Schedule:
    """Linear warmup, then a straight line to zero.

    Args:
        total: Length of the whole in optimizer steps, > 0.
        warmup: Its first part, optimizer steps.

    >>> from stepsize import linear_to_zero
    >>> linear_to_zero(1_000, warmup=50)
    Warmup(51).skip(1) >> Linear(950)

    Source: Defazio et al. 2023 (arXiv 2310.07831): the worst-case optimal shape.
    """
    rest = _rest(f"linear_to_zero({total!r}, warmup={warmup!r})", total, warmup=warmup)
    return _warmup(warmup) >> Linear(rest)


def noam(model_size: float, warmup: float, scale: float = 1) -> Schedule:
    """The schedule of "Attention Is All You Need", as rates: for a base of 1.

    scale · model_size^-0.5 · min(n^-0.5, n · warmup^-1.5) at the update n = 1, 2, ...

    Args:
        model_size: Width of the model, > 0.
        warmup: Optimizer steps up to the peak, > 0.
        scale: What everything is multiplied by.

    >>> from stepsize import noam
    >>> schedule = noam(512, warmup=4_000)
    >>> round(schedule(3_999), 6), round(schedule(15_999), 6)
    (0.000699, 0.000349)

    Source: Vaswani et al. 2017 (arXiv 1706.03762), eq. 3.
    """
    call = f"noam({model_size!r}, warmup={warmup!r}, scale={scale!r})"
    width = checked_number(call, "model_size", model_size, _TOTAL)
    steps = checked_number(call, "warmup", warmup, PERIOD)
    peak = checked_number(call, "scale", scale, VALUE) / math.sqrt(width * steps)
    return (Warmup(steps) >> InverseSqrt(steps)).skip(1) * peak


def one_cycle(
    total: float, rise: float = 0.3, start: float = 1 / 25, end: float = 4e-6
) -> Schedule:
    """One cosine up, one cosine down far below where it began.

    Args:
        total: Length of the whole in optimizer steps, > 0.
        rise: Fraction of the steps spent rising, 0..1.
        start: First value, as a multiple of the peak.
        end: Last value, as a multiple of the peak.

    >>> from stepsize import one_cycle
    >>> one_cycle(1_000)
    Cosine(300, start=0.04, end=1) >> Cosine(700, end=4e-06)

    Source: Smith & Topin 2019, "Super-Convergence" (arXiv 1708.07120); the defaults are those of
    torch's ``OneCycleLR`` (div_factor 25, final_div_factor 1e4).
    """
    call = f"one_cycle({total!r}, rise={rise!r}, start={start!r}, end={end!r})"
    whole = checked_number(call, "total", total, _TOTAL)
    part = checked_number(call, "rise", rise, Range(minimum=0, maximum=1, remedy="It is a part."))
    checked_number(call, "start", start, VALUE)
    checked_number(call, "end", end, VALUE)
    up = part * whole
    return Cosine(up, start=start, end=1) >> Cosine(whole - up, end=end)


def cyclic(
    up: float,
    down: float | None = None,
    low: float = 0.1,
    high: float = 1,
    shrink: float = 1,
    factor: float = 1,
) -> Schedule:
    """Triangular cycles for ever.

    low + (high - low) · shrink^cycle · factor^t · triangle(t).

    Args:
        up: Steps from ``low`` to ``high``.
        down: Steps back; as many as ``up`` if not given.
        low: Value between the cycles, as a multiple of the base rate.
        high: Value at the first peak.
        shrink: Each cycle's height over the one before: 1 is "triangular", 0.5 "triangular2".
        factor: Decay of the height per step: "exp_range" with its gamma.

    >>> from stepsize import cyclic
    >>> cyclic(2_000, low=0.25)
    Triangular(2000).repeat() * 0.75 + 0.25

    Source: Smith 2017 (arXiv 1506.01186); the same values as torch's ``CyclicLR``.
    """
    call = f"cyclic({up!r}, {down!r}, {low!r}, {high!r}, shrink={shrink!r}, factor={factor!r})"
    checked_number(call, "up", up, LENGTH)
    if down is not None:
        checked_number(call, "down", down, LENGTH)
    bottom = checked_number(call, "low", low, VALUE)
    height = checked_number(call, "high", high, VALUE) - bottom
    checked_number(call, "shrink", shrink, FACTOR)
    decay = checked_number(call, "factor", factor, FACTOR)
    waves = Triangular(up, down).repeat(shrink=shrink)
    if decay != 1:
        waves = waves * Exponential(decay)
    return waves * height + bottom
