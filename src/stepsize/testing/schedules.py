"""Schedules to try things on, and the exam that every schedule must pass."""

import copy
import math
import pickle
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from itertools import pairwise
from typing import Any, TypeAlias

import numpy as np

from stepsize.errors import MissingExtra, UnregisteredFunction
from stepsize.schedules import (
    Constant,
    Function,
    Hold,
    MultiStep,
    Schedule,
    Table,
    cyclic,
    linear_to_zero,
    one_cycle,
    parse,
    schedule_function,
    warmup_cosine,
    wsd,
)
from stepsize.schedules._algebra import Product, Sum
from stepsize.schedules._fields import LARGEST, SHORTEST, Number, Range, number_ranges
from stepsize.schedules._text import known_names

try:
    from hypothesis import strategies as st
except ImportError as error:
    raise MissingExtra("stepsize.testing.schedules", "hypothesis", "testing") from error

__all__ = ["Library", "check_schedule", "positions", "schedules", "schedules_named"]

Doubles: TypeAlias = np.ndarray[tuple[int], np.dtype[np.float64]]

# ------------------------------------------------------------------ schedules to try

# Where mistakes hide: nothing, fractions, primes, and divisors whose reciprocal rounds badly.
_TELLING = (0, 0.1, 0.5, 1, 2, 3, 7, 7.3, 10, 41, 49, 147, 1000, -1, -0.25, 3e-4)


def _numbers(allowed: Range) -> st.SearchStrategy[Number]:
    """Numbers of the size that people write, within ``allowed``."""
    low, high = max(allowed.minimum, allowed.above, -1000), min(allowed.maximum, 1000)
    return st.one_of(
        st.sampled_from([number for number in _TELLING if number in allowed]),
        st.integers(math.ceil(low), math.floor(high)).filter(allowed.__contains__),
        st.decimals(str(low), str(high), places=4).map(float).filter(allowed.__contains__),
    )


_VALUES = _numbers(Range())
_LENGTHS = _numbers(Range(minimum=0))
_PERIODS = _numbers(Range(minimum=0.1))
_FACTORS = st.sampled_from([0, 0.1, 0.5, 0.999, 1, 1.5, 2]) | st.floats(0, 2)


@schedule_function("stepsize.testing.hyperbola")
def _hyperbola(t: Any) -> Any:
    return 1 / (1 + t / 100)


# What a range alone cannot say: fields that are no numbers, and recipes, whose parts must fit.
_SPECIAL: Mapping[str, st.SearchStrategy[Schedule]] = {
    "Function": st.builds(Function, st.just(_hyperbola), steps=st.none() | _LENGTHS),
    "MultiStep": st.builds(MultiStep, st.dictionaries(_PERIODS, _FACTORS, min_size=1, max_size=4)),
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
    "linear_to_zero": st.builds(
        lambda rest, warmup: linear_to_zero(warmup + rest, warmup), _PERIODS, _LENGTHS
    ),
    "one_cycle": st.builds(
        one_cycle, total=_PERIODS, rise=st.floats(0, 1), start=_VALUES, end=_VALUES
    ),
    "warmup_cosine": st.builds(
        lambda rest, warmup, end, cycles: warmup_cosine(warmup + rest, warmup, end, cycles),
        _PERIODS,
        _LENGTHS,
        _VALUES,
        st.sampled_from([0.5, 1, 1.5, 3]),
    ),
    "wsd": st.builds(
        lambda warmup, stable, cooldown, end: wsd(
            warmup + stable + cooldown, warmup, cooldown, end
        ),
        _LENGTHS,
        _PERIODS,
        _LENGTHS,
        _VALUES,
    ),
}


def schedules_named(name: str) -> st.SearchStrategy[Schedule]:
    """Schedules of one class or recipe, by the name that ``parse`` knows.

    A class whose fields are numbers needs nothing here: their ranges say what to try.
    """
    if name in _SPECIAL:
        return _SPECIAL[name]
    make = known_names()[name]
    assert isinstance(make, type), f"say in stepsize.testing.schedules what to try {name} with"
    ranges = number_ranges(make)
    return st.builds(
        make,
        **{
            each.name: _numbers(ranges[each.name])
            | (st.none() if each.default is None else st.nothing())
            for each in fields(make)
        },
    )


def schedules(max_leaves: int = 6) -> st.SearchStrategy[Schedule]:
    """Expressions over every class, recipe, operator and method.

    Args:
        max_leaves: About how many classes and recipes one expression may hold.
    """
    leaves = st.one_of([schedules_named(name) for name in sorted(known_names())])
    return st.recursive(leaves, _combined, max_leaves=max_leaves)


def _combined(parts: st.SearchStrategy[Schedule]) -> st.SearchStrategy[Schedule]:
    ending = st.builds(_ended, parts, _PERIODS)
    return st.one_of(
        st.builds(lambda a, b: a >> b, ending, parts),
        st.builds(lambda a, b: a * b, parts, parts | _VALUES),
        st.builds(lambda a, b: a + b, parts, parts | _VALUES),
        st.builds(Schedule.over, ending, _PERIODS),
        st.builds(Schedule.skip, parts, _LENGTHS),
        st.builds(Schedule.until, parts, _LENGTHS),
        st.builds(Schedule.repeat, ending, times=st.none() | st.integers(1, 5), shrink=_FACTORS),
        st.builds(
            Schedule.repeat,
            ending,
            times=st.integers(1, 5),
            stretch=st.sampled_from([0.5, 1.5, 2, 3]),
            shrink=_FACTORS,
        ),
        st.builds(Schedule.repeat, ending, stretch=st.sampled_from([1.5, 2, 3])),
        st.builds(lambda a, low, span: a.clip(low, low + abs(span)), parts, _VALUES, _VALUES),
        st.builds(Schedule.clip, parts, low=_VALUES),
        st.builds(Schedule.clip, parts, high=_VALUES),
        st.builds(Schedule.staircase, parts, _PERIODS),
    )


def _ended(schedule: Schedule, steps: float) -> Schedule:
    return schedule if 0.1 <= schedule.length < math.inf else schedule.until(steps)


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
    evaluate: Callable[[Schedule, np.ndarray[Any, Any]], np.ndarray[Any, Any]]
    slope: Callable[[Schedule, np.ndarray[Any, Any]], np.ndarray[Any, Any]] | None = None
    dtypes: Sequence[str] = ("float64", "float32", "int32")


_NUMPY = Library("NumPy", lambda schedule, t: schedule(t))


def positions(schedule: Schedule) -> Doubles:
    """Where mistakes hide: the first steps, each side of every hand-over, the far end, below 0."""
    edges = {edge for phase in schedule.phases(10_000) for edge in phase[1:]}
    edges |= {schedule.length} if math.isfinite(schedule.length) else set()
    near = [edge + shift for edge in sorted(edges)[:16] for shift in (-1, -0.5, 0, 0.5, 1)]
    around = [math.floor(edge) for edge in near]
    return np.array([*range(50), *near, *around, 2.0**24 - 1, 1e9, -0.0, -0.5, -7])


def check_schedule(schedule: Schedule, libraries: Sequence[Library] = ()) -> None:
    """The exam: raises AssertionError where ``schedule`` breaks what every schedule promises.

    It is a value (immutable, copied and pickled as itself, read back from its text); it gives
    finite floats everywhere and holds its last value past the end; arrays agree with numbers
    within 1e-12 (double) or 4 units in the last place (single) of the curve's largest value.

    Args:
        schedule: The schedule to examine.
        libraries: Array libraries to compare with; NumPy is always one.

    >>> from stepsize import Cosine, Warmup
    >>> check_schedule(Warmup(500) >> Cosine(9_500, end=0.1))
    """
    _check_value(schedule)
    _check_numbers(schedule)
    for library in (_NUMPY, *libraries):
        _check_library(schedule, library)


def _check_value(schedule: Schedule) -> None:
    for name in [each.name for each in fields(schedule)] + ["anything"]:  # type: ignore[arg-type]
        try:
            setattr(schedule, name, 1)
        except AttributeError:
            continue
        raise AssertionError(f"{schedule!r}: a schedule is immutable, but .{name} was set")
    twins = [copy.copy(schedule), copy.deepcopy(schedule), pickle.loads(pickle.dumps(schedule))]  # noqa: S301
    try:
        twins.append(parse(schedule.text))
    except UnregisteredFunction:
        pass
    for twin in twins:
        assert twin == schedule, f"{schedule!r} came back as {twin!r}"
        assert hash(twin) == hash(schedule), f"{schedule!r}: equal schedules hash alike"
        assert repr(twin) == repr(schedule), f"{schedule!r} came back as {twin!r}"


def _check_numbers(schedule: Schedule) -> None:
    length = schedule.length
    assert length >= 0, f"{schedule!r}: length {length}"
    for t in positions(schedule).tolist():
        value = schedule(t)
        assert type(value) is float, f"{schedule!r}({t}) gave {value!r}"
        assert math.isfinite(value), f"{schedule!r}({t}) gave {value!r}"
        if t < 0:
            assert value == schedule(0), f"{schedule!r}: positions below 0 count as 0"
        if t >= length:
            assert value == schedule(length), f"{schedule!r}: past the end the last value holds"
    if 0 < length < math.inf:
        after = Constant(schedule(0) + 1)
        assert (schedule >> after)(length) == after(0), f"{schedule!r} does not hand over"
        assert (schedule >> after)(0) == schedule(0), f"{schedule!r} does not come first"
    else:
        assert length or schedule >> Hold(1) == Hold(1), f"{schedule!r} does not vanish"
    phases = schedule.phases(10_000)
    for before, following in pairwise(phases):
        gap = abs(following.start - before.end)
        assert gap < SHORTEST, f"{schedule!r}: phases leave a gap: {phases}"


def _check_library(schedule: Schedule, library: Library) -> None:
    where = f"{schedule!r} in {library.name}"
    scale = _scale(schedule)
    for dtype in library.dtypes:
        # A position that is an exact integer in one dtype must be it in all.
        t = np.trunc(positions(schedule)) if dtype.startswith("int") else positions(schedule)
        t = t.astype(dtype)
        values = library.evaluate(schedule, t)
        assert values.shape == t.shape, f"{where}: the shape {values.shape}"
        assert values.dtype.kind == "f", f"{where}: the dtype {values.dtype}"
        if dtype.startswith("float"):
            assert values.dtype == t.dtype, f"{where}: {dtype} became {values.dtype}"
        with np.errstate(over="ignore", invalid="ignore"):  # beyond a small dtype: inf, as expected
            expected = np.array([schedule(each) for each in t.tolist()]).astype(values.dtype)
            wrong = ~((values == expected) | (np.abs(values - expected) <= _allowed(scale, values)))
        assert not wrong.any(), (
            f"{where}: at {t[wrong]} ({dtype}) it is {values[wrong]}, not {expected[wrong]}"
        )
        if library.slope is not None and dtype.startswith("float"):
            slope = library.slope(schedule, t)
            assert not np.isnan(slope).any(), f"{where}: no slope at {t[np.isnan(slope)]}"


def _allowed(scale: float, values: np.ndarray[Any, Any]) -> float:
    if values.dtype == np.float64:
        return 1e-12 * scale
    return 4 * float(np.spacing(np.float32(min(scale, np.finfo(np.float32).max))))


def _scale(part: Schedule | Number) -> float:
    """The largest value of the curve, or of what it is the difference of: rounding's measure."""
    if not isinstance(part, Schedule):
        return abs(part)
    if isinstance(part, Sum):
        return sum(map(_scale, part.operands))
    if isinstance(part, Product):
        return min(math.prod(map(_scale, part.operands)), LARGEST)
    own = float(np.max(np.abs(part(positions(part)))))
    inner = [getattr(part, "schedule", None), *getattr(part, "parts", ())]
    return max([own, *(_scale(each) for each in inner if each is not None)])
