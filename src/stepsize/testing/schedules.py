"""Schedules to try things on, and the exam that every schedule must pass."""

import copy
import math
import pickle
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, fields
from itertools import pairwise
from typing import Any, TypeAlias

import numpy as np

from stepsize.checks import LARGEST, Number, Range, number_ranges
from stepsize.errors import MissingExtra, UnregisteredFunction
from stepsize.schedules import (
    Constant,
    ExpHyperbolic,
    Function,
    Hold,
    Hyperbolic,
    MultiStep,
    RectifiedWarmup,
    Schedule,
    Table,
    cyclic,
    linear_to_zero,
    noam,
    one_cycle,
    parse,
    schedule_function,
    warmup_cosine,
    wsd,
)
from stepsize.schedules.algebra import Product, Sum, Then
from stepsize.schedules.fields import SHORTEST
from stepsize.schedules.text import known_names

try:
    from hypothesis import strategies as st
except ImportError as error:
    raise MissingExtra("stepsize.testing.schedules", "hypothesis", "testing") from error

__all__ = ["Library", "any_schedule", "check_schedule", "positions", "schedules_named"]

Array: TypeAlias = np.ndarray[Any, Any]
Schedules: TypeAlias = st.SearchStrategy[Schedule]
Numbers: TypeAlias = st.SearchStrategy[Number]

# ------------------------------------------------------------------ schedules to try

# Where mistakes hide: nothing, fractions, primes, and divisors whose reciprocal rounds badly.
_TELLING = (0, 0.1, 0.5, 1, 2, 3, 7, 7.3, 10, 41, 49, 147, 1000, -1, -0.25, 3e-4)


def _numbers(allowed: Range) -> Numbers:
    """Numbers such as people write, within ``allowed``."""
    low, high = (
        max(allowed.minimum, allowed.above, -1000),
        min(allowed.maximum, allowed.below, 1000),
    )
    return st.one_of(
        st.sampled_from([number for number in _TELLING if number in allowed]),
        st.integers(math.ceil(low), math.floor(high)).filter(allowed.__contains__),
        st.decimals(str(low), str(high), places=4).map(float).filter(allowed.__contains__),
    )


_VALUES = _numbers(Range())
_LENGTHS = _numbers(Range(minimum=0))
_PERIODS = _numbers(Range(minimum=0.1))
_FACTORS = st.sampled_from([0, 0.1, 0.5, 0.999, 1, 1.5, 2]) | st.floats(0, 2)
_RATES = _numbers(Range(minimum=1e-4))
_TIMES = st.integers(1, 5)


@schedule_function("stepsize.testing.hyperbola")
def _hyperbola(t: Any) -> Any:
    return 1 / (1 + t / 100)


def _hyperbolic(make: Any, steps: float, beyond: float, start: float, end: float) -> Schedule:
    return make(steps, steps + beyond, start, end)


def _linear_to_zero(rest: float, warmup: float) -> Schedule:
    return linear_to_zero(warmup + rest, warmup)


def _warmup_cosine(rest: float, warmup: float, end: float, num_cycles: float) -> Schedule:
    return warmup_cosine(warmup + rest, warmup, end, num_cycles)


def _wsd(warmup: float, stable: float, cooldown: float, end: float) -> Schedule:
    return wsd(warmup + stable + cooldown, warmup, cooldown, end)


# What ranges cannot say: fields that are not numbers, and recipes, whose parts must fit together.
_SPECIAL: Mapping[str, Schedules] = {
    "ExpHyperbolic": st.builds(
        _hyperbolic, st.just(ExpHyperbolic), _LENGTHS, _PERIODS, start=_RATES, end=_RATES
    ),
    "Function": st.builds(Function, st.just(_hyperbola), steps=st.none() | _LENGTHS),
    "Hyperbolic": st.builds(
        _hyperbolic, st.just(Hyperbolic), _LENGTHS, _PERIODS, start=_VALUES, end=_VALUES
    ),
    "MultiStep": st.builds(MultiStep, st.dictionaries(_PERIODS, _FACTORS, min_size=1, max_size=4)),
    "RectifiedWarmup": st.builds(RectifiedWarmup, st.sampled_from([0.8, 0.95, 0.99, 0.999])),
    "Table": st.builds(Table, st.lists(st.tuples(_LENGTHS, _VALUES), min_size=1, max_size=4)),
    "cyclic": st.builds(
        cyclic,
        up=_PERIODS,
        down=st.none() | _LENGTHS,
        low=_VALUES,
        high=_VALUES,
        shrink=_FACTORS,
        factor=_FACTORS.filter(bool),
    ),
    "linear_to_zero": st.builds(_linear_to_zero, rest=_PERIODS, warmup=_LENGTHS),
    "noam": st.builds(noam, model_size=_PERIODS, warmup=_PERIODS, scale=_VALUES),
    "one_cycle": st.builds(
        one_cycle, total=_PERIODS, rise=st.floats(0, 1), start=_VALUES, end=_VALUES
    ),
    "warmup_cosine": st.builds(
        _warmup_cosine,
        rest=_PERIODS,
        warmup=_LENGTHS,
        end=_VALUES,
        num_cycles=st.sampled_from([0.5, 1, 1.5, 3]),
    ),
    "wsd": st.builds(_wsd, warmup=_LENGTHS, stable=_PERIODS, cooldown=_LENGTHS, end=_VALUES),
}


def schedules_named(name: str) -> Schedules:
    """Schedules of one class or recipe, by the name that ``parse`` knows.

    A class whose fields are numbers needs nothing here: their ranges say what to try.
    """
    if name in _SPECIAL:
        return _SPECIAL[name]
    make: Any = known_names()[name]
    ranges = number_ranges(make)
    tried = {
        each.name: _numbers(ranges[each.name])
        | (st.none() if each.default is None else st.nothing())
        for each in fields(make)
    }
    return st.builds(make, **tried)


def any_schedule(max_leaves: int = 6) -> Schedules:
    """Expressions over every class, recipe, operator and method.

    Args:
        max_leaves: About how many classes and recipes one expression may hold.
    """
    leaves = st.one_of([schedules_named(name) for name in sorted(known_names())])
    return st.recursive(leaves, _combined, max_leaves=max_leaves)


def _combined(parts: Schedules) -> Schedules:
    ending = st.builds(_ended, parts, _PERIODS)
    growing = st.sampled_from([1.5, 2, 3])
    return st.one_of(
        st.builds(Schedule.__rshift__, ending, parts),
        st.builds(Schedule.__mul__, parts, parts | _VALUES),
        st.builds(Schedule.__add__, parts, parts | _VALUES),
        st.builds(Schedule.over, ending, _PERIODS),
        st.builds(Schedule.per_epoch, parts, _PERIODS),
        st.builds(Schedule.skip, parts, _LENGTHS),
        st.builds(Schedule.until, parts, _LENGTHS),
        st.builds(Schedule.repeat, ending, times=st.none() | _TIMES, shrink=_FACTORS),
        st.builds(Schedule.repeat, ending, _TIMES, growing | st.just(0.5), _FACTORS),
        st.builds(Schedule.repeat, ending, stretch=growing),
        st.builds(_clipped, parts, _VALUES, _LENGTHS),
        st.builds(Schedule.clip, parts, low=_VALUES),
        st.builds(Schedule.clip, parts, high=_VALUES),
        st.builds(Schedule.staircase, parts, _PERIODS),
    )


def _ended(schedule: Schedule, steps: float) -> Schedule:
    return schedule if 0.1 <= schedule.length < math.inf else schedule.until(steps)


def _clipped(schedule: Schedule, low: float, span: float) -> Schedule:
    return schedule.clip(low, low + span)


# ------------------------------------------------------------------ the exam


@dataclass(frozen=True)
class Library:
    """How the exam asks an array library.

    Args:
        name: What a failure calls it.
        evaluate: ``(schedule, positions) -> values``, from and to NumPy arrays.
        slope: The same for the derivative with respect to the position.
        dtypes: Of the positions to ask for.
    """

    name: str
    evaluate: Callable[[Schedule, Array], Array]
    slope: Callable[[Schedule, Array], Array] | None = None
    dtypes: Sequence[str] = ("float64", "float32", "int32")


def _call(schedule: Schedule, t: Array) -> Array:
    return schedule(t)


_NUMPY = Library("NumPy", _call)


def positions(schedule: Schedule) -> Array:
    """Where mistakes hide: the first steps, each side of every hand-over, the far end, below 0."""
    edges = {edge for phase in schedule.phases(10_000) for edge in phase[1:]}
    edges |= {schedule.length} if math.isfinite(schedule.length) else set()
    near = [edge + shift for edge in sorted(edges)[:16] for shift in (-1, -0.5, 0, 0.5, 1)]
    whole = [math.floor(edge) for edge in near]
    return np.array([*range(50), *near, *whole, 2.0**24 - 1, 1e9, -0.0, -0.5, -7])


def check_schedule(schedule: Schedule, libraries: Sequence[Library] = ()) -> None:
    """The exam: raises AssertionError where ``schedule`` breaks what every schedule promises.

    It is a value: immutable, copied and pickled as itself, read back from its text. It gives
    finite floats everywhere, holds its last value past the end and hands over at its length.
    Arrays agree with numbers within 1e-12 (double) or 4 units in the last place (single) of the
    curve's largest value, and no slope is NaN.

    Args:
        schedule: The schedule to examine.
        libraries: Array libraries to compare with; NumPy is always one.

    >>> from stepsize import Cosine, Warmup
    >>> check_schedule(Warmup(500) >> Cosine(9_500, end=0.1))
    """
    _check_numbers(schedule)
    _check_phases(schedule)
    for library in (_NUMPY, *libraries):
        _check_library(schedule, library)
    _check_value(schedule)


def _check_value(schedule: Schedule) -> None:
    for name in (*_fields(schedule), "anything"):
        with suppress(AttributeError):
            setattr(schedule, name, 1)
            raise AssertionError(f"{schedule!r}: a schedule is immutable, but .{name} was set")
    _check_twin(schedule, copy.copy(schedule))
    _check_twin(schedule, copy.deepcopy(schedule))
    _check_twin(schedule, pickle.loads(pickle.dumps(schedule)))  # noqa: S301  # pickled right here
    with suppress(UnregisteredFunction):
        _check_twin(schedule, parse(schedule.text))


def _check_twin(schedule: Schedule, twin: object) -> None:
    assert twin == schedule, f"{schedule!r} came back as {twin!r}"
    assert hash(twin) == hash(schedule), f"{schedule!r}: equal schedules hash alike"
    assert repr(twin) == repr(schedule), f"{schedule!r} came back as {twin!r}"


def _check_numbers(schedule: Schedule) -> None:
    length = schedule.length
    assert length >= 0, f"{schedule!r}: the length is {length}"
    for t in positions(schedule).tolist():
        value = schedule(t)
        assert type(value) is float, f"{schedule!r}({t}) gave {value!r}"
        assert math.isfinite(value), f"{schedule!r}({t}) gave {value!r}"
        if t < 0:
            assert value == schedule(0), f"{schedule!r}: positions below 0 count as 0"
        if t >= length:
            assert value == schedule(length), f"{schedule!r}: past the end the last value holds"
    if length == 0:
        assert schedule >> Hold(1) == Hold(1), f"{schedule!r}: a phase of length 0 vanishes"
    elif length < math.inf:
        following = schedule >> Constant(0.5)
        assert following(0) == schedule(0), f"{schedule!r} does not come first"
        assert following(length) == 0.5, f"{schedule!r} does not hand over at its length"


def _check_phases(schedule: Schedule) -> None:
    phases = schedule.phases(10_000)
    for before, after in pairwise(phases):
        gap = abs(after.start - before.end)
        assert gap < SHORTEST, f"{schedule!r}: phases leave a gap: {phases}"


def _check_library(schedule: Schedule, library: Library) -> None:
    where = f"{schedule!r} in {library.name}"
    scale = _scale(schedule)
    for dtype in library.dtypes:
        given = positions(schedule)
        t = (np.trunc(given) if dtype.startswith("int") else given).astype(dtype)
        values = library.evaluate(schedule, t)
        assert values.shape == t.shape, f"{where}: the shape became {values.shape}"
        if dtype.startswith("float"):
            assert values.dtype == t.dtype, f"{where}: {dtype} became {values.dtype}"
        expected = np.array([schedule(each) for each in t.tolist()]).astype(values.dtype)
        wrong = np.abs(values - expected) > _allowed(scale, values.dtype)
        wrong |= np.isnan(values)
        for at, value, right in zip(t[wrong], values[wrong], expected[wrong], strict=True):
            raise AssertionError(f"{where}: at {at!r} it is {value!r}, but should be {right!r}")
        if library.slope is not None and dtype.startswith("float"):
            missing = np.isnan(library.slope(schedule, t))
            assert not missing.any(), f"{where}: the slope at {t[missing]} is NaN"


def _allowed(scale: float, dtype: Any) -> float:
    return 1e-12 * scale if dtype == np.float64 else 4 * float(np.spacing(np.float32(scale)))


def _scale(part: Schedule | Number) -> float:
    """What rounding is measured by: the largest value of the curve, or of what it is made of.

    A difference of two large curves is as exact as they are, however small it is itself.
    """
    if not isinstance(part, Schedule):
        return abs(part)
    if isinstance(part, Sum):
        return sum(map(_scale, part.operands))
    if isinstance(part, Product):
        return min(math.prod(map(_scale, part.operands)), LARGEST)
    own = float(np.max(np.abs(part(positions(part)))))
    return max([own, *map(_scale, _parts(part))])


def _parts(schedule: Schedule) -> Sequence[Schedule]:
    if isinstance(schedule, Then):
        return schedule.parts
    return [value for value in _fields(schedule).values() if isinstance(value, Schedule)]


def _fields(schedule: Any) -> Mapping[str, Any]:
    return {each.name: getattr(schedule, each.name) for each in fields(schedule)}
