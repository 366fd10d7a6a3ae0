"""What a schedule amounts to over a number of steps: phases, extremes and sums, as numbers."""

import math
from dataclasses import dataclass
from itertools import islice
from typing import Final, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from stepsize.schedules.algebra import Phase, Schedule

__all__ = [
    "MOST_PHASES",
    "PhaseSummary",
    "Summary",
    "first_phases",
    "steps_to_look_at",
    "summarize",
    "value_reached",
]

Array: TypeAlias = NDArray[np.float64]

MOST_PHASES: Final = 100
_MOST_POSITIONS: Final = 1_000_000
_SAMPLES_OF_A_PHASE: Final = 256


@dataclass(frozen=True)
class PhaseSummary:
    """One phase, ``start`` included, ``end`` not.

    Args:
        name: What kind of phase.
        start: Its first position.
        end: Where the next one begins.
        first: The value at ``start``.
        last: The value that it leads up to.
        low: Its lowest value.
        high: Its highest value.
        movement: Whether the value stays, only rises, only falls, or does both.
        jumps: How often the value changes, if it is constant in between.
    """

    name: str
    start: float
    end: float
    first: float
    last: float
    low: float
    high: float
    movement: Literal["stays", "rises", "falls", "moves"]
    jumps: int | None


@dataclass(frozen=True)
class Summary:
    """The first ``steps`` steps of a schedule, as numbers.

    Args:
        steps: How many steps: positions 0 .. steps-1, the last of which leads up to ``end``.
        length: The schedule's own length; infinite if it is endless.
        start: The value at position 0.
        quarters: The values at 1/4, 1/2 and 3/4 of the steps.
        end: The value that the last step leads up to.
        peak: The highest value.
        peak_at: The first position that has it.
        floor: The lowest value.
        floor_at: The first position that has it.
        average: The mean of the steps' values.
        area: Their sum.
        steps_at_zero: How many of them are 0.
        exact: False if not every step was looked at, but a million of them.
        phases: The first hundred.
        more_phases: Whether there are others.
    """

    steps: int
    length: float
    start: float
    quarters: tuple[float, float, float]
    end: float
    peak: float
    peak_at: float
    floor: float
    floor_at: float
    average: float
    area: float
    steps_at_zero: int
    exact: bool
    phases: tuple[PhaseSummary, ...]
    more_phases: bool


def summarize(schedule: Schedule, steps: int, scale: float = 1.0) -> Summary:
    """Look at the first ``steps`` steps.

    Args:
        schedule: The schedule.
        steps: How many, >= 1.
        scale: What the values are multiplied by, for example the base rate.

    >>> from stepsize import Hold, Linear
    >>> summary = summarize(Hold(50) >> Linear(50), 100)
    >>> summary.end, summary.average, summary.floor_at
    (0.0, 0.755, 100.0)
    >>> [(phase.name, phase.movement, phase.last) for phase in summary.phases]
    [('Hold', 'stays', 1.0), ('Linear', 'falls', 0.0)]
    """
    positions = steps_to_look_at(steps)
    values = scale * schedule(positions)
    end = scale * value_reached(schedule, steps)
    average = float(values.mean())
    # The value that the last step leads up to counts: a line to zero has its floor there.
    peak, peak_at = _first_highest(np.append(values, end), np.append(positions, steps))
    floor, floor_at = _first_highest(-np.append(values, end), np.append(positions, steps))
    phases = first_phases(schedule, steps)
    return Summary(
        steps=steps,
        length=schedule.length,
        start=float(values[0]),
        quarters=(
            scale * schedule(steps / 4),
            scale * schedule(steps / 2),
            scale * schedule(3 * steps / 4),
        ),
        end=end,
        peak=peak,
        peak_at=peak_at,
        floor=-floor,
        floor_at=floor_at,
        average=average,
        area=average * steps,
        steps_at_zero=round(int(np.count_nonzero(values == 0)) * steps / len(values)),
        exact=len(positions) == steps,
        phases=tuple(_summarize_phase(schedule, phase, scale) for phase in phases[:MOST_PHASES]),
        more_phases=len(phases) > MOST_PHASES,
    )


def steps_to_look_at(steps: int) -> Array:
    """All positions 0 .. steps-1, or a million of them if they are more.

    Each but the first and the last is a random one of its millionth, the same every time. Evenly
    spaced, they could keep in step with a curve that repeats, and always meet its low points.

    >>> len(steps_to_look_at(10_000)), len(steps_to_look_at(10**12))
    (10000, 1000000)
    """
    if steps <= _MOST_POSITIONS:
        return np.arange(steps, dtype=np.float64)
    within = np.random.default_rng(0).random(_MOST_POSITIONS)
    positions = np.floor((np.arange(_MOST_POSITIONS) + within) * (steps / _MOST_POSITIONS))
    positions[0], positions[-1] = 0, steps - 1
    return positions


def first_phases(schedule: Schedule, horizon: float) -> list[Phase]:
    """The phases up to ``horizon``, or the first 101 of them: a hundred and whether there are more.

    >>> from stepsize import cyclic
    >>> len(first_phases(cyclic(1), 1e12))
    101
    """
    # schedule.phases() would list all of them, and short cycles can be millions.
    phases = schedule._phases(horizon)  # pyright: ignore[reportPrivateUsage]
    cut = (Phase(p.name, p.start, min(p.end, horizon)) for p in islice(phases, MOST_PHASES + 1))
    return [phase for phase in cut if phase.start < phase.end]


def value_reached(schedule: Schedule, position: float) -> float:
    """The value that the steps before ``position`` lead up to, also where it jumps there.

    >>> from stepsize import Linear, Step
    >>> value_reached(Linear(10), 10), value_reached(Step(10, 0.1), 10)
    (0.0, 1.0)
    """
    here = schedule(position)
    just_before = schedule(math.nextafter(position, 0.0))
    shortly_before = schedule(position - max(1e-6, 1e4 * math.ulp(position)))
    # At a jump, what is missing does not shrink as one comes nearer.
    jumps = abs(here - just_before) > 0.5 * abs(here - shortly_before)
    return just_before if jumps else here


def _first_highest(values: Array, positions: Array) -> tuple[float, float]:
    # Equal peaks of a repeated curve differ by rounding.
    highest = values.max()
    first = int(np.argmax(values >= highest - 1e-12 * abs(highest)))
    return float(values[first]), float(positions[first])


def _summarize_phase(schedule: Schedule, phase: Phase, scale: float) -> PhaseSummary:
    name, start, end = phase
    inside = np.linspace(start, end, _SAMPLES_OF_A_PHASE, endpoint=False)
    last = scale * value_reached(schedule, end)
    values = np.append(scale * schedule(inside), last)
    low, high = float(values.min()), float(values.max())
    changes = np.diff(values)
    changes[np.abs(changes) <= 1e-9 * max(abs(low), abs(high))] = 0.0
    jumps = int(np.count_nonzero(changes))
    movement: Literal["stays", "rises", "falls", "moves"] = "moves"
    if not jumps:
        movement = "stays"
    elif (changes >= 0).all():
        movement = "rises"
    elif (changes <= 0).all():
        movement = "falls"
    # A curve changes from each sample to the next, a staircase rarely.
    is_staircase = 0 < jumps <= _SAMPLES_OF_A_PHASE // 8
    return PhaseSummary(
        name=name,
        start=start,
        end=end,
        first=float(values[0]),
        last=last,
        low=low,
        high=high,
        movement=movement,
        jumps=jumps if is_staircase else None,
    )
