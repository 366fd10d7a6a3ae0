"""The value ``Schedule`` and the combinators that its operators and methods build.

The base class and what its operators return belong in one file: apart they would form a cycle.
"""

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import MISSING, fields
from decimal import Decimal
from functools import cached_property
from itertools import accumulate, pairwise
from typing import Annotated, Any, ClassVar, NamedTuple, TypeVar, overload

import numpy as np
from array_api_compat import (
    is_array_api_obj,  # pyright: ignore[reportUnknownVariableType]  # names absent libraries
)

from stepsize.checks import LARGEST, Number, Range, checked_number, checked_whole_number
from stepsize.errors import EndlessSchedule, InvalidType, InvalidValue
from stepsize.schedules.backend import LAST_POSITION, NUMBERS, Operations, evaluate_on_array
from stepsize.schedules.expression import PRODUCT, SEQUENCE, SUM, Expression, expression
from stepsize.schedules.fields import SHORTEST, VALUE, AnyNumber, Factor, Length, Period
from stepsize.words import number_text, position_text, shortened

__all__ = [
    "ALGEBRA_METHODS",
    "Clipped",
    "PerEpoch",
    "Phase",
    "Product",
    "Repeated",
    "Schedule",
    "Skipped",
    "Staircase",
    "Stretched",
    "Sum",
    "Then",
    "Until",
    "bounded_power",
    "saturated",
    "then",
]

ALGEBRA_METHODS = ("over", "per_epoch", "skip", "until", "repeat", "clip", "staircase")
"""The methods that build expressions: what ``parse`` accepts after a dot."""

Array = TypeVar("Array")

_MAX_STRETCHED_CYCLES = 65_536
_LONGEST_TEXT = 120
_MAX_NAMED_CYCLES = 1_000


_MOST_DRAWN = 1_000_000


class Phase(NamedTuple):
    """A named stretch of positions, ``start`` included, ``end`` not."""

    name: str
    start: float
    end: float


class Schedule(Expression):
    """A pure function from a position (optimizer steps) to a multiple of the base rate.

    A schedule is a value: immutable, compared and hashed by content, without an optimizer, a state
    or a clock. Position 0 is the first optimizer step; positions below 0 count as 0; past the end
    the last value holds for ever.

    Growth is held at ±1e30, short of overflow.

    Calling it with a Python number, a NumPy array, a torch tensor or a JAX array (also traced by
    ``jit``, ``vmap`` or ``grad``) gives the same kind back. A floating dtype is kept, integers give
    the library's default floating dtype, and arrays are evaluated in double precision inside.

    >>> from stepsize import Cosine, Warmup
    >>> schedule = Warmup(500) >> Cosine(9_500, end=0.1)
    >>> schedule(250), schedule(500), schedule(10_000), schedule(1e9)
    (0.5, 1.0, 0.1, 0.1)
    >>> schedule
    Warmup(500) >> Cosine(9500, end=0.1)
    >>> schedule.length
    10000
    """

    # ---------------------------------------------------------------- the value

    @cached_property
    def length(self) -> float:
        """How many steps until the last value is reached and held; ``math.inf`` if it never is."""
        raise NotImplementedError

    def _at(self, t: Any, ops: Operations) -> Any:
        """The formula: the value at ``t >= 0``, written against ``ops``."""
        raise NotImplementedError

    @overload
    def __call__(self, t: float, /) -> float: ...
    @overload
    def __call__(self, t: Array, /) -> Array: ...
    def __call__(self, t: Any, /) -> Any:
        """The value at position ``t``.

        Args:
            t: Optimizer steps: a finite number, or an array of them of any shape.

        Returns:
            A float for a number; for an array, an array of the same library, shape and floating
            dtype.

        Raises:
            InvalidType: ``t`` is neither a number nor an array.
            InvalidValue: ``t`` is a number, and not finite.
        """
        kind = type(t)  # pyright: ignore[reportUnknownVariableType]  # t may be anything
        if kind is float or kind is int:
            if 0 <= t <= LAST_POSITION:
                return float(self._at(t, NUMBERS))
            return self._outside(t)
        if is_array_api_obj(t):
            return evaluate_on_array(self._at, t)
        raise InvalidType(
            "schedule(t)",
            "a position is a number or an array",
            f"t is {t!r} ({kind.__name__})",
            "For the first n positions write schedule.values(n).",
        )

    def _outside(self, t: float) -> float:
        if not -math.inf < t < math.inf:
            raise InvalidValue(
                f"schedule({t})",
                "a position must be finite",
                f"is {t}",
                "For the value that holds past the end, use schedule(schedule.length).",
            )
        return float(self._at(0.0 if t < 0 else LAST_POSITION, NUMBERS))

    def values(self, n: int) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
        """The values at positions 0 .. n-1.

        >>> from stepsize import Linear
        >>> Linear(4).values(6)
        array([1.  , 0.75, 0.5 , 0.25, 0.  , 0.  ])

        Raises:
            InvalidValue: ``n`` is negative or has a fraction.
        """
        count = checked_whole_number(
            f"schedule.values({n!r})", "n", n, Range(minimum=0, maximum=2**53)
        )
        return self(np.arange(count, dtype=np.float64))

    def phases(self, horizon: float = math.inf) -> tuple[Phase, ...]:
        """The named stretches that make up the schedule, up to ``horizon``.

        >>> from stepsize import Cosine, Warmup
        >>> (Warmup(500) >> Cosine(9_500)).phases()
        (Phase(name='Warmup', start=0, end=500), Phase(name='Cosine', start=500, end=10000))
        """
        cut = (Phase(p.name, p.start, min(p.end, horizon)) for p in self._phases(horizon))
        return tuple(phase for phase in cut if phase.start < phase.end)

    def _phases(self, horizon: float) -> Iterator[Phase]:
        yield Phase(type(self).__name__, 0, self.length)

    def plot(
        self,
        steps: int | None = None,
        *,
        base: float | Mapping[str, float] = 1.0,
        log: bool = False,
    ) -> Any:
        """A matplotlib picture of the curve, its phases shaded and named.

        Args:
            steps: How many positions to draw; the schedule's length if it has one.
            base: The base rate that the values multiply; a mapping from group to base rate draws a
                line per group.
            log: Whether the vertical axis is logarithmic.

        Returns:
            The matplotlib ``Axes``; ``.figure.savefig(path)`` writes it.

        Raises:
            EndlessSchedule: The schedule is endless and ``steps`` is not given.
            MissingExtra: matplotlib is not installed.
        """
        from stepsize.plot import plot_curves

        count = self._steps_to_draw("plot", steps)
        positions = np.linspace(0, count, min(count, _MOST_DRAWN) + 1)
        values = self(positions)
        bases = base if isinstance(base, Mapping) else {repr(self): base}
        return plot_curves(
            {name: rate * values for name, rate in bases.items()},
            self.phases(count),
            positions=positions,
            log=log,
            ylabel="multiple of the base rate" if base == 1 else "learning rate",
        )

    def _steps_to_draw(self, verb: str, steps: int | None) -> int:
        if steps is not None:
            call = f"schedule.{verb}(steps={steps!r})"
            return checked_whole_number(call, "steps", steps, Range(minimum=1))
        if math.isinf(self.length):
            raise EndlessSchedule(
                f"({self!r}).{verb}()",
                "the schedule is endless",
                remedy=f"Say how much of it to show: .{verb}(steps=1000).",
                argument="steps",
            )
        return max(1, math.ceil(self.length))

    # ---------------------------------------------------------------- the algebra

    def __rshift__(self, after: "Schedule") -> "Schedule":
        """This schedule, then ``after``, which starts at this one's length."""
        if not isinstance(after, Schedule):
            return _refuse_operand(">>", after)
        return then((self, after))

    def __rrshift__(self, before: Any) -> "Schedule":
        return _refuse_operand(">>", before)

    def __mul__(self, other: "Schedule | float") -> "Schedule":
        """The product, position by position; with a number, a scaled schedule."""
        return Product((self, _operand("*", other)))

    __rmul__ = __mul__

    def __add__(self, other: "Schedule | float") -> "Schedule":
        """The sum, position by position; with a number, a shifted schedule."""
        return Sum((self, _operand("+", other)))

    __radd__ = __add__

    def over(self, total: float) -> "Schedule":
        """The same curve stretched or squeezed so that the whole lasts ``total`` steps.

        >>> from stepsize import Hold, Linear
        >>> (Hold(3) >> Linear(1)).over(1000).phases()
        (Phase(name='Hold', start=0, end=750), Phase(name='Linear', start=750, end=1000))

        Raises:
            EndlessSchedule: The schedule has no length that could be stretched.
            InvalidValue: ``total`` is not above 0, or the schedule has length 0.
        """
        return Stretched(self.schedule if isinstance(self, Stretched) else self, total)

    def per_epoch(self, steps: float) -> "Schedule":
        """A schedule whose numbers count epochs, in steps: ``s.per_epoch(m)(t) == s(t / m)``.

        ``.per_epoch(m).staircase(m)`` changes the rate between epochs only.

        Args:
            steps: Optimizer steps per epoch, > 0.

        >>> from stepsize import Linear, Step
        >>> schedule = Linear(2).per_epoch(100) >> Step(30, 0.1).per_epoch(100)
        >>> schedule(50), schedule(199), schedule(3199), schedule(3200)
        (0.75, 0.0050000000000000044, 1.0, 0.1)
        """
        return PerEpoch(self, steps)

    def skip(self, steps: float) -> "Schedule":
        """The schedule without its first ``steps`` steps: ``s.skip(n)(t) == s(n + t)``."""
        return Skipped(self, steps)

    def until(self, steps: float) -> "Schedule":
        """The first ``steps`` steps only; a shorter schedule holds its last value until then.

        This gives an endless schedule an end, so that something can follow.

        >>> from stepsize import Exponential, Linear
        >>> (Exponential(0.5).until(2) >> Linear(2, start=0.25)).values(5)
        array([1.   , 0.5  , 0.25 , 0.125, 0.   ])
        """
        return Until(self, steps)

    def repeat(self, times: int | None = None, stretch: float = 1, shrink: float = 1) -> "Schedule":
        """The schedule again and again: warm restarts.

        Args:
            times: How often; for ever if not given.
            stretch: Each cycle lasts ``stretch`` times as long as the one before.
            shrink: Each cycle's values are ``shrink`` times those of the one before.

        >>> from stepsize import Linear
        >>> Linear(2).repeat(stretch=2, shrink=0.5).values(7)
        array([1.   , 0.5  , 0.5  , 0.375, 0.25 , 0.125, 0.25 ])

        Raises:
            EndlessSchedule: The schedule never ends, so it cannot start again.
            InvalidValue: A number is out of range, or the schedule has length 0.

        Source: Loshchilov & Hutter 2017, "SGDR" (arXiv 1608.03983): ``stretch`` is its T_mult.
        """
        return Repeated(self, times, stretch, shrink)

    def clip(self, low: float | None = None, high: float | None = None) -> "Schedule":
        """The schedule, never below ``low`` and never above ``high``.

        >>> from stepsize import Exponential
        >>> Exponential(0.5).clip(low=0.2).values(4)
        array([1.  , 0.5 , 0.25, 0.2 ])
        """
        return Clipped(self, low, high)

    def staircase(self, every: float) -> "Schedule":
        """The value at the start of each stretch of ``every`` steps, held through it.

        >>> from stepsize import Linear
        >>> Linear(6).staircase(3).values(6)
        array([1. , 1. , 1. , 0.5, 0.5, 0.5])
        """
        return Staircase(self, every)


def _refuse_operand(operator: str, operand: object) -> Any:
    raise InvalidType(
        f"schedule {operator} {operand!r}",
        f"the other side must be a schedule{'' if operator == '>>' else ' or a number'}",
        f"is a {type(operand).__name__}",
        "For a constant value write Hold(steps, value), or Constant(value) as the last phase.",
    )


def _operand(operator: str, operand: Any) -> "Schedule | Number":
    if isinstance(operand, Schedule):
        return operand
    if isinstance(operand, str) or not np.isscalar(operand):
        return _refuse_operand(operator, operand)
    return checked_number(f"schedule {operator} {operand!r}", "the number", operand, VALUE)


def _require_end(call: str, schedule: Schedule, consequence: str, remedy: str) -> None:
    if math.isinf(schedule.length):
        rule = f"{shortened(repr(schedule), _LONGEST_TEXT)} is endless, so {consequence}"
        raise EndlessSchedule(call, rule, remedy=remedy)


def _require_positive_length(call: str, schedule: Schedule) -> None:
    if schedule.length < SHORTEST:
        raise InvalidValue(
            call,
            f"the schedule must last at least {number_text(SHORTEST)} steps",
            f"has length {position_text(schedule.length)}",
            "Give it a longer phase.",
        )


def _union_of_phases(schedules: Sequence[Schedule], horizon: float) -> Iterator[Phase]:
    each = [s.phases(horizon) for s in schedules]
    edges = sorted({edge for phases in each for phase in phases for edge in phase[1:]})
    for start, end in pairwise(edges):
        names = [p.name for phases in each for p in phases if p.start <= start < p.end]
        yield Phase(" × ".join(names), start, end)


def then(parts: Sequence[Schedule]) -> Schedule:
    """The parts one after another, flat; a part of length 0 vanishes."""
    flat = [leaf for part in parts for leaf in (part.parts if isinstance(part, Then) else (part,))]
    for part, following in pairwise(flat):
        _require_end(
            f"{part!r} >> {following!r}",
            part,
            "nothing can follow it",
            "Give it an end with .until(steps), or write Hold(steps, value) instead of "
            "Constant(value).",
        )
    lasting = [part for part in flat if part.length > 0] or flat[-1:]
    return lasting[0] if len(lasting) == 1 else Then(tuple(lasting))


@expression
class Then(Schedule):
    """``a >> b >> c``: each part runs for its length and hands over; the last one's value holds."""

    parts: tuple[Schedule, ...]

    _binds = SEQUENCE

    def _children(self) -> Sequence[Schedule]:
        return self.parts

    def _write(self) -> str:
        return " >> ".join(part._enclosed(SEQUENCE) for part in self.parts)

    @cached_property
    def _ends(self) -> tuple[float, ...]:
        return tuple(accumulate(part.length for part in self.parts))

    @cached_property
    def _handovers(self) -> tuple[float, ...]:
        return self._ends[:-1]

    @cached_property
    def _starts(self) -> tuple[float, ...]:
        return (0, *self._handovers)

    @cached_property
    def _rows(self) -> Sequence[tuple[Schedule, float, float]]:
        return tuple(zip(self.parts, self._starts, self._ends, strict=True))

    @cached_property
    def length(self) -> float:
        return self._ends[-1]

    def _at(self, t: Any, ops: Operations) -> Any:
        if ops.scalar:
            index: int = ops.count_passed(self._handovers, t)
            part = self.parts[index]
            inside = t - self._starts[index] if t < self._ends[index] else part.length
            return part._at(inside, ops)
        values: Any = None
        for part, start, end in reversed(self._rows):
            # A sum of fractional lengths is rounded: at its end, t - start may miss the length.
            inside = t - start if math.isinf(end) else ops.where(t < end, t - start, part.length)
            in_part = part._at(ops.where(t < start, 0.0, inside) if start else inside, ops)
            values = in_part if values is None else ops.where(t < end, in_part, values)
        return values

    def _phases(self, horizon: float) -> Iterator[Phase]:
        for part, start, _ in self._rows:
            if start < horizon:
                for name, a, b in part._phases(horizon - start):
                    yield Phase(name, start + a, start + b)


class _Commutative(Schedule):
    """What products and sums share: flat operands, schedules as typed, then the numbers."""

    operands: tuple[Schedule | Number, ...]

    _sign: ClassVar[str]

    def _combine(self, a: Any, b: Any, ops: Operations) -> Any:
        raise NotImplementedError

    def _check(self) -> None:
        flat: list[Schedule | Number] = []
        for operand in self.operands:
            flat.extend(operand.operands if isinstance(operand, type(self)) else (operand,))
        flat.sort(key=lambda operand: not isinstance(operand, Schedule))
        object.__setattr__(self, "operands", tuple(flat))

    def _children(self) -> Sequence[Schedule]:
        return [operand for operand in self.operands if isinstance(operand, Schedule)]

    def _own_nodes(self) -> int:
        return 1 + sum(not isinstance(operand, Schedule) for operand in self.operands)

    def _write(self) -> str:
        return f" {self._sign} ".join(
            operand._enclosed(self._binds) if isinstance(operand, Schedule) else repr(operand)
            for operand in self.operands
        )

    def _key(self) -> tuple[Any, ...]:
        return (frozenset(Counter(self.operands).items()),)

    @cached_property
    def length(self) -> float:
        return max(schedule.length for schedule in self._children())

    @cached_property
    def _in_one_order(self) -> tuple[Schedule | Number, ...]:
        # Rounding depends on the order; equal expressions must give equal bits.
        return tuple(sorted(self.operands, key=lambda o: (not isinstance(o, Schedule), repr(o))))

    def _at(self, t: Any, ops: Operations) -> Any:
        values: Any = None
        for operand in self._in_one_order:
            value = operand._at(t, ops) if isinstance(operand, Schedule) else operand
            values = value if values is None else self._combine(values, value, ops)
        return values

    def _phases(self, horizon: float) -> Iterator[Phase]:
        children = self._children()
        if len(children) == 1:
            return children[0]._phases(horizon)
        return _union_of_phases(children, horizon)


@expression
class Product(_Commutative):
    """``a * b * 0.1``: the product at every position; as long as its longest factor."""

    operands: tuple[Schedule | Number, ...]

    _binds = PRODUCT
    _sign = "*"

    @cached_property
    def _may_overflow(self) -> bool:
        return sum(isinstance(o, Schedule) or abs(o) > 1 for o in self.operands) > 1

    def _combine(self, a: Any, b: Any, ops: Operations) -> Any:
        return saturated(a * b, ops) if self._may_overflow else a * b


@expression
class Sum(_Commutative):
    """``a + b + 0.1``: the sum at every position; as long as its longest term."""

    operands: tuple[Schedule | Number, ...]

    _binds = SUM
    _sign = "+"

    def _combine(self, a: Any, b: Any, ops: Operations) -> Any:
        return a + b


class _Wrapper(Schedule):
    """A schedule seen through one change, written as a method call."""

    schedule: Schedule

    _method: ClassVar[str]

    def _call(self) -> str:
        _, *parameters = fields(self)  # type: ignore[arg-type]
        positional = True
        arguments: list[str] = []
        for each in parameters:
            value = getattr(self, each.name)
            if each.default is not MISSING and value == each.default:
                positional = False
            else:
                arguments.append(repr(value) if positional else f"{each.name}={value!r}")
        return f"{self.schedule._enclosed(PRODUCT)}.{self._method}({', '.join(arguments)})"

    def _phases(self, horizon: float) -> Iterator[Phase]:
        return self.schedule._phases(horizon)


@expression
class Stretched(_Wrapper):
    """``s.over(total)``: s(t · length / total)."""

    schedule: Schedule
    total: Period

    _method = "over"

    def _check(self) -> None:
        _require_end(
            self._call(), self.schedule, "it has no length to stretch", "Use .until(steps) first."
        )
        _require_positive_length(self._call(), self.schedule)

    @cached_property
    def length(self) -> float:
        return self.total

    def _at(self, t: Any, ops: Operations) -> Any:
        # t * length / total hits every boundary; t * (length / total) does not.
        inside = ops.divide(t * self.schedule.length, self.total)
        return self.schedule._at(ops.where(t < self.total, inside, self.schedule.length), ops)

    def _phases(self, horizon: float) -> Iterator[Phase]:
        total, length = self.total, self.schedule.length
        for name, start, end in self.schedule._phases(horizon * length / total):
            # The end is exact; end * total / length may be rounded.
            stretched = _whole(end * total / length) if end < length else total
            yield Phase(name, _whole(start * total / length), stretched)


@expression
class PerEpoch(_Wrapper):
    """``s.per_epoch(m)``: s(t / m)."""

    schedule: Schedule
    steps: Period

    _method = "per_epoch"

    def _check(self) -> None:
        allowed = Range(maximum=LAST_POSITION, remedy="Use fewer epochs.")
        if math.isfinite(self.length):
            checked_number(self._call(), "the length in steps", self.length, allowed)

    @cached_property
    def length(self) -> float:
        return self._in_steps(self.schedule.length)

    def _in_steps(self, epochs: float) -> float:
        # In the decimals that were typed: 0.29 epochs of 100 steps are 29 steps, not 28.999...
        if math.isinf(epochs):
            return epochs
        return _whole(float(Decimal(repr(epochs)) * Decimal(repr(self.steps))))

    def _at(self, t: Any, ops: Operations) -> Any:
        inside = ops.divide(t, self.steps)
        if math.isfinite(self.length):
            inside = ops.where(t < self.length, inside, self.schedule.length)
        return self.schedule._at(inside, ops)

    def _phases(self, horizon: float) -> Iterator[Phase]:
        for name, start, end in self.schedule._phases(horizon / self.steps):
            yield Phase(name, self._in_steps(start), self._in_steps(end))


def _whole(number: float) -> float:
    return int(number) if math.isfinite(number) and number == int(number) else number


@expression
class Skipped(_Wrapper):
    """``s.skip(n)``: s(t + n)."""

    schedule: Schedule
    steps: Length

    _method = "skip"

    @cached_property
    def length(self) -> float:
        return max(self.schedule.length - self.steps, 0)

    def _at(self, t: Any, ops: Operations) -> Any:
        length = self.schedule.length
        skipped = t + self.steps
        # The difference of fractional lengths is rounded, so the sum may miss the length.
        inside = skipped if math.isinf(length) else ops.where(t < self.length, skipped, length)
        return self.schedule._at(inside, ops)

    def _phases(self, horizon: float) -> Iterator[Phase]:
        for name, start, end in self.schedule._phases(horizon + self.steps):
            if end > self.steps:
                yield Phase(name, max(start - self.steps, 0), end - self.steps)


@expression
class Until(_Wrapper):
    """``s.until(n)``: s(min(t, n)), n steps long."""

    schedule: Schedule
    steps: Length

    _method = "until"

    @cached_property
    def length(self) -> float:
        return self.steps

    def _at(self, t: Any, ops: Operations) -> Any:
        return self.schedule._at(ops.where(t < self.steps, t, self.steps), ops)

    def _phases(self, horizon: float) -> Iterator[Phase]:
        for name, start, end in self.schedule._phases(self.steps):
            if start < self.steps:
                yield Phase(name, start, min(end, self.steps))
        if self.schedule.length < self.steps:
            yield Phase("Hold", self.schedule.length, self.steps)


@expression
class Repeated(_Wrapper):
    """``s.repeat(times, stretch, shrink)``.

    Cycle i starts at B_i = length · (1 + m + ... + m^(i-1)) for the stretch m, and gives
    shrink^i · s((t - B_i) / m^i).
    """

    schedule: Schedule
    times: "int | None" = None
    stretch: Annotated[
        Number, Range(above=0, maximum=LARGEST, remedy="1 keeps the length, 2 doubles it.")
    ] = 1
    shrink: Factor = 1

    _method = "repeat"

    def _check(self) -> None:
        call = self._call()
        if self.times is not None:
            allowed = Range(minimum=1, maximum=2**53, remedy="Leave it out to repeat for ever.")
            times = checked_whole_number(call, "times", self.times, allowed)
            object.__setattr__(self, "times", times)
        _require_end(call, self.schedule, "it cannot start again", "Use .until(steps) first.")
        _require_positive_length(call, self.schedule)
        if self.times is None and self.stretch < 1:
            raise InvalidValue(
                call,
                "cycles that grow shorter need times=...",
                f"stretch is {self.stretch!r} and times is missing: endlessly many would fit into "
                f"{position_text(self.schedule.length / (1 - self.stretch))} steps",
            )
        if self.stretch != 1 and len(self._cycles.start) > _MAX_STRETCHED_CYCLES:
            raise InvalidValue(
                call,
                f"at most {_MAX_STRETCHED_CYCLES:,} cycles may differ in length",
                remedy="Use a stretch further from 1, or fewer times.",
            )
        if self.times is not None and self.length > LAST_POSITION:
            raise InvalidValue(
                call,
                "all cycles together must last at most 2**53 steps",
                f"last {position_text(self.length)}",
                "Leave times out to repeat for ever.",
            )
        shortest = self.schedule.length * self._cycles.stretch[-1]
        if shortest < SHORTEST:
            raise InvalidValue(
                call,
                f"the last cycle must last at least {number_text(SHORTEST)} steps",
                f"lasts {number_text(shortest)}",
                "Use fewer times, or a stretch nearer to 1.",
            )

    @cached_property
    def _cycles(self) -> "_Cycles":
        """The cycles that a position can be in; one stands for all if they are equally long."""
        start, stretch, shrink = 0.0, 1.0, 1.0
        cycles: list[tuple[float, float, float]] = []
        count = 1 if self.stretch == 1 else self.times or math.inf
        while start <= LAST_POSITION and len(cycles) < min(count, _MAX_STRETCHED_CYCLES + 1):
            cycles.append((start, stretch, shrink))
            start += self.schedule.length * stretch
            stretch *= self.stretch
            shrink = min(shrink * self.shrink, LARGEST)
        return _Cycles(*zip(*cycles, strict=True))

    @cached_property
    def length(self) -> float:
        if self.times is None:
            return math.inf
        if self.stretch == 1:
            return self.schedule.length * self.times
        return _whole(self._cycles.start[-1] + self.schedule.length * self._cycles.stretch[-1])

    def _at(self, t: Any, ops: Operations) -> Any:
        inside, shrink = self._equal(t, ops) if self.stretch == 1 else self._stretched(t, ops)
        values = self.schedule._at(inside, ops)
        return values if self.shrink == 1 else saturated(values * shrink, ops)

    def _equal(self, t: Any, ops: Operations) -> tuple[Any, Any]:
        """The position inside its cycle, and what the cycle's values are scaled by."""
        length = self.schedule.length
        inside = ops.remainder(t, length)
        cycle = ops.floor((t - inside) / length + 0.5)
        if self.times is not None:
            cycle = ops.where(t < self.length, cycle, self.times)
            inside = ops.where(cycle < self.times, inside, length)
            cycle = ops.where(cycle < self.times, cycle, self.times - 1)
        return inside, bounded_power(self.shrink, cycle, ops)

    def _stretched(self, t: Any, ops: Operations) -> tuple[Any, Any]:
        length = self.schedule.length
        cycle = ops.count_passed(self._cycles.start[1:], t)
        start = ops.pick(self._cycles.start, cycle)
        inside = (t - start) / ops.pick(self._cycles.stretch, cycle)
        inside = ops.where(t < self.length, ops.where(inside < length, inside, length), length)
        return inside, ops.pick(self._cycles.shrink, cycle)

    def _phases(self, horizon: float) -> Iterator[Phase]:
        start, cycle, number = 0.0, float(self.schedule.length), 1
        while start < horizon and number <= (self.times or math.inf):
            if number > _MAX_NAMED_CYCLES:
                yield Phase("further cycles", _whole(start), self.length)
                return
            yield Phase(f"cycle {number}", _whole(start), _whole(start + cycle))
            start, cycle, number = start + cycle, cycle * self.stretch, number + 1


class _Cycles(NamedTuple):
    """One entry per cycle: where it starts, and what its length and its values are scaled by."""

    start: tuple[float, ...]
    stretch: tuple[float, ...]
    shrink: tuple[float, ...]


@expression
class Clipped(_Wrapper):
    """``s.clip(low, high)``: min(max(s(t), low), high)."""

    schedule: Schedule
    low: "AnyNumber | None" = None
    high: "AnyNumber | None" = None

    _method = "clip"

    def _check(self) -> None:
        if self.low is None and self.high is None:
            raise InvalidValue(self._call(), "give {low=}, {high=} or both")
        if self.low is not None and self.high is not None and self.low > self.high:
            raise InvalidValue(
                self._call(), "{low} must not exceed {high}", f"{self.low!r} > {self.high!r}"
            )

    @cached_property
    def length(self) -> float:
        return self.schedule.length

    def _at(self, t: Any, ops: Operations) -> Any:
        values = self.schedule._at(t, ops)
        if self.low is not None:
            values = ops.where(values < self.low, self.low, values)
        if self.high is not None:
            values = ops.where(values > self.high, self.high, values)
        return values


@expression
class Staircase(_Wrapper):
    """``s.staircase(every)``: s(every · floor(t / every)), for t up to the length of s."""

    schedule: Schedule
    every: Period

    _method = "staircase"

    @cached_property
    def length(self) -> float:
        return self.schedule.length

    def _at(self, t: Any, ops: Operations) -> Any:
        length = self.schedule.length
        held = t if math.isinf(length) else ops.where(t < length, t, length)
        return self.schedule._at(held - ops.remainder(held, self.every), ops)


def saturated(values: Any, ops: Operations) -> Any:
    """``values``, held where they would overflow a double: inf · 0 would be NaN."""
    values = ops.where(values > LARGEST, LARGEST, values)
    return ops.where(values < -LARGEST, -LARGEST, values)


def bounded_power(factor: float, exponent: Any, ops: Operations) -> Any:
    """factor ** exponent for exponent >= 0, held where it would overflow a double."""
    if factor > 1:
        most = math.log(LARGEST) / math.log(factor)
        exponent = ops.where(exponent < most, exponent, most)
    return factor**exponent
