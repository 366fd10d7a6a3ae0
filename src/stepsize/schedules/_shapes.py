"""The primitive schedules, one class each."""

import math
from collections.abc import Mapping, Sequence
from functools import cached_property
from itertools import accumulate
from typing import Annotated, Any, cast

from stepsize.errors import InvalidType
from stepsize.schedules import _curves
from stepsize.schedules._algebra import Schedule, bounded_power
from stepsize.schedules._backend import Operations
from stepsize.schedules._expression import expression
from stepsize.schedules._fields import (
    FACTOR,
    LARGEST,
    LENGTH,
    VALUE,
    AnyNumber,
    Factor,
    Length,
    Number,
    Period,
    Range,
    checked_number,
)

__all__ = [
    "Constant",
    "Cosine",
    "Exponential",
    "Hold",
    "InverseSqrt",
    "Linear",
    "MultiStep",
    "Polynomial",
    "Power",
    "Step",
    "Table",
    "Warmup",
]

_POSITION = Range(above=0, maximum=2**53, remedy="Positions count optimizer steps.")


class _Endless(Schedule):
    @cached_property
    def length(self) -> float:
        return math.inf


@expression
class Constant(_Endless):
    """One value for ever: s(t) = value. Endless; ``Hold`` is the one that ends.

    Args:
        value: Multiple of the base rate.

    >>> from stepsize import Constant
    >>> Constant()(0), Constant(0.5)(1_000_000)
    (1.0, 0.5)
    """

    value: AnyNumber = 1

    def _at(self, t: Any, ops: Operations) -> Any:
        return self.value


@expression
class Hold(Schedule):
    """One value for a number of steps: s(t) = value.

    Args:
        steps: Length in optimizer steps, >= 0.
        value: Multiple of the base rate.

    >>> from stepsize import Hold, Linear
    >>> (Hold(2) >> Linear(2)).values(5)
    array([1. , 1. , 1. , 0.5, 0. ])
    """

    steps: Length
    value: AnyNumber = 1

    @cached_property
    def length(self) -> float:
        return self.steps

    def _at(self, t: Any, ops: Operations) -> Any:
        return self.value


class _Curve(Schedule):
    """A curve of finite length between two values: s(t) = start · w(u) + end · (1 - w(u))."""

    steps: Length
    start: AnyNumber
    end: AnyNumber

    @cached_property
    def length(self) -> float:
        return self.steps

    def _at(self, t: Any, ops: Operations) -> Any:
        weight = self._weight(ops.progress(t, self.steps), ops)
        return self.start * weight + self.end * (1.0 - weight)

    def _weight(self, u: Any, ops: Operations) -> Any:
        """How much of ``start`` is left at progress ``u``: 1 at u = 0, 0 at u = 1."""
        raise NotImplementedError


@expression
class Linear(_Curve):
    """A straight line: s(t) = start + (end - start) · t / steps.

    Args:
        steps: Length in optimizer steps, >= 0; the end is reached at position ``steps``.
        start: Value at position 0.
        end: Value from position ``steps`` on.

    >>> from stepsize import Linear
    >>> line = Linear(10, start=1, end=0.5)
    >>> line(0), line(5), line(10), line(11)
    (1.0, 0.75, 0.5, 0.5)
    """

    steps: Length
    start: AnyNumber = 1
    end: AnyNumber = 0

    def _weight(self, u: Any, ops: Operations) -> Any:
        return _curves.linear(u)


@expression
class Cosine(_Curve):
    """Half a cosine wave: s(t) = end + (start - end) · (1 + cos(π · t / steps)) / 2.

    Args:
        steps: Length in optimizer steps, >= 0; the end is reached at position ``steps``.
        start: Value at position 0.
        end: Value from position ``steps`` on. It does not rise again; ``.repeat()`` restarts it.

    >>> from stepsize import Cosine
    >>> curve = Cosine(10, end=0.1)
    >>> curve(0), round(curve(5), 12), curve(10), curve(20)
    (1.0, 0.55, 0.1, 0.1)

    Source: Loshchilov & Hutter 2017, "SGDR" (arXiv 1608.03983), eq. 5.
    """

    steps: Length
    start: AnyNumber = 1
    end: AnyNumber = 0

    def _weight(self, u: Any, ops: Operations) -> Any:
        return _curves.cosine(u, ops)


@expression
class Polynomial(_Curve):
    """A power of the remaining time: s(t) = end + (start - end) · (1 - t / steps)^power.

    Args:
        steps: Length in optimizer steps, >= 0; the end is reached at position ``steps``.
        power: Exponent, > 0: 1 is a line, 2 falls early, 0.5 falls late.
        start: Value at position 0.
        end: Value from position ``steps`` on.

    >>> from stepsize import Polynomial
    >>> Polynomial(4, power=2).values(5)
    array([1.    , 0.5625, 0.25  , 0.0625, 0.    ])

    Source: Liu, Rabinovich & Berg 2015, "ParseNet" (arXiv 1506.04579), the "poly" policy.
    """

    steps: Length
    power: Annotated[Number, Range(above=0, maximum=1e6, remedy="1 is a straight line.")]
    start: AnyNumber = 1
    end: AnyNumber = 0

    def _weight(self, u: Any, ops: Operations) -> Any:
        return _curves.polynomial(u, self.power, ops)


@expression
class Power(_Curve):
    """A power of the elapsed time: s(t) = start + (end - start) · (t / steps)^power.

    ``Power(steps, 0.5)`` is the "1-sqrt" cooldown. ``Polynomial`` is its mirror: a power of the
    remaining time.

    Args:
        steps: Length in optimizer steps, >= 0; the end is reached at position ``steps``.
        power: Exponent, > 0: 1 is a line, 0.5 falls early, 2 falls late.
        start: Value at position 0.
        end: Value from position ``steps`` on.

    >>> from stepsize import Power
    >>> Power(4, power=0.5).values(5).round(3)
    array([1.   , 0.5  , 0.293, 0.134, 0.   ])

    Source: Hägele et al. 2024, "Scaling Laws and Compute-Optimal Training Beyond Fixed Training
    Durations" (arXiv 2405.18392), eq. 1.
    """

    steps: Length
    power: Annotated[Number, Range(above=0, maximum=1e6, remedy="1 is a straight line.")]
    start: AnyNumber = 1
    end: AnyNumber = 0

    def _weight(self, u: Any, ops: Operations) -> Any:
        return _curves.power(u, self.power, ops)


@expression
class Warmup(_Curve):
    """A straight line up to the base rate: s(t) = start + (1 - start) · t / steps.

    With the default start the first update has rate 0; ``Warmup(n + 1).skip(1)`` is never 0 and
    reaches the peak at position n. The recipes use that form.

    Args:
        steps: Length in optimizer steps, >= 0; 1 is reached at position ``steps``.
        start: Value at position 0.

    >>> from stepsize import Warmup
    >>> Warmup(4).values(6)
    array([0.  , 0.25, 0.5 , 0.75, 1.  , 1.  ])
    >>> Warmup(5).skip(1).values(5)
    array([0.2, 0.4, 0.6, 0.8, 1. ])

    Source: Goyal et al. 2017, "Accurate, Large Minibatch SGD" (arXiv 1706.02677), section 2.2.
    """

    steps: Length
    start: AnyNumber = 0
    end = 1

    def _weight(self, u: Any, ops: Operations) -> Any:
        return _curves.linear(u)


@expression
class Step(_Endless):
    """Step decay: s(t) = factor ^ floor(t / every). Endless.

    The other convention in use, factor ^ floor((1 + t) / every), is ``Step(...).skip(1)``.

    Args:
        every: Steps between drops, > 0.
        factor: What each drop multiplies by, >= 0.

    >>> from stepsize import Step
    >>> Step(2, 0.1).values(5)
    array([1.  , 1.  , 0.1 , 0.1 , 0.01])
    >>> Step(2, 0.1).skip(1).values(5)
    array([1.  , 0.1 , 0.1 , 0.01, 0.01])
    """

    every: Period
    factor: Factor

    def _at(self, t: Any, ops: Operations) -> Any:
        return bounded_power(self.factor, ops.floor(ops.divide(t, self.every)), ops)


@expression
class MultiStep(_Endless):
    """Drops at chosen positions: s(t) = the product of the factors whose position is <= t. Endless.

    Args:
        factors: ``{position: factor}``: from ``position`` (> 0) on, also multiply by ``factor``.

    >>> from stepsize import MultiStep
    >>> MultiStep({2: 0.5, 4: 0.1}).values(6)
    array([1.  , 1.  , 0.5 , 0.5 , 0.05, 0.05])
    """

    factors: Mapping[float, float]

    def _check(self) -> None:
        given: object = self.factors
        if not isinstance(given, Mapping) or not given:
            raise InvalidType(
                f"MultiStep({given!r}): factors must be a mapping {{position: factor}} with at "
                "least one entry. Example: MultiStep({30: 0.1, 60: 0.1})."
            )
        call = self._call()
        checked = {
            checked_number(call, "each position", at, _POSITION): checked_number(
                call, "each factor", factor, FACTOR
            )
            for at, factor in cast(Mapping[Any, Any], given).items()
        }
        object.__setattr__(self, "factors", _FrozenMapping(sorted(checked.items())))

    def _key(self) -> tuple[Any, ...]:
        return tuple(self.factors.items())

    @cached_property
    def _values(self) -> tuple[float, ...]:
        factors = self.factors.values()
        return tuple(accumulate(factors, lambda a, b: min(a * b, LARGEST), initial=1.0))

    def _at(self, t: Any, ops: Operations) -> Any:
        return ops.pick(self._values, ops.count_passed(tuple(self.factors), t))


class _FrozenMapping(dict[float, float]):
    """A dictionary that cannot be changed, so that a schedule stays a value."""

    def _refuse(self, *_: Any, **__: Any) -> Any:
        raise InvalidType("A schedule is immutable. Build another one with the new numbers.")

    __setitem__ = __delitem__ = __ior__ = _refuse
    clear = pop = popitem = _refuse
    setdefault = update = _refuse  # pyright: ignore[reportAssignmentType]  # dict overloads them

    def __reduce__(self) -> tuple[Any, ...]:
        return dict, (dict(self),)


@expression
class Exponential(_Endless):
    """Exponential decay: s(t) = factor ^ (t / every). Endless.

    The three forms in use: γ^epoch is ``Exponential(γ)``; e^(-k·epoch) is
    ``Exponential(math.exp(-k))``; rate^(step / decay_steps) is ``Exponential(rate, decay_steps)``,
    and its staircase is ``.staircase(decay_steps)``.

    Args:
        factor: What ``every`` steps multiply by, > 0.
        every: Steps per factor, > 0.

    >>> from stepsize import Exponential
    >>> Exponential(0.5, every=2).values(5).round(4)
    array([1.    , 0.7071, 0.5   , 0.3536, 0.25  ])
    """

    factor: Annotated[Number, Range(above=0, maximum=LARGEST, remedy="0.99 decays by 1 % a step.")]
    every: Period = 1

    def _at(self, t: Any, ops: Operations) -> Any:
        return bounded_power(self.factor, ops.divide(t, self.every), ops)


@expression
class InverseSqrt(_Endless):
    """Inverse square root decay from 1: s(t) = 1 / sqrt(1 + t / steps). Endless.

    ``Warmup(w) >> InverseSqrt(w)`` is the schedule of "Attention Is All You Need": after the
    warmup the rate is sqrt(w / t) for the step t counted from the start.

    Args:
        steps: The time scale, > 0: after 3 · steps the value is 1/2.

    >>> from stepsize import InverseSqrt
    >>> InverseSqrt(100)(0), InverseSqrt(100)(300)
    (1.0, 0.5)

    Source: Vaswani et al. 2017 (arXiv 1706.03762), eq. 3.
    """

    steps: Period

    def _at(self, t: Any, ops: Operations) -> Any:
        return 1.0 / ops.sqrt(1.0 + ops.divide(t, self.steps))


@expression
class Table(Schedule):
    """Constant stretches from a list: each row's value for its number of steps.

    Args:
        rows: ``[[steps, value], ...]``: lengths in optimizer steps (>= 0) and values.

    >>> from stepsize import Table
    >>> Table([[1, 1.0], [2, 0.1], [1, 0.01]]).values(6)
    array([1.  , 0.1 , 0.1 , 0.01, 0.01, 0.01])
    """

    rows: Sequence[Sequence[float]]

    def _check(self) -> None:
        given: object = self.rows
        rows = list(cast(Sequence[Any], given)) if isinstance(given, Sequence) else []
        if not rows or any(
            isinstance(row, str) or not isinstance(row, Sequence) or len(cast(Any, row)) != 2
            for row in rows
        ):
            raise InvalidType(
                f"Table({given!r}): rows must be a list of [steps, value] pairs with at least one "
                "pair. Example: Table([[10, 1], [10, 0.1]])."
            )
        call = f"Table({rows!r})"
        checked = tuple(
            (
                checked_number(call, "steps of each row", steps, LENGTH),
                checked_number(call, "value of each row", value, VALUE),
            )
            for steps, value in rows
        )
        object.__setattr__(self, "rows", checked)

    def _write(self) -> str:
        return f"Table([{', '.join(f'[{steps!r}, {value!r}]' for steps, value in self.rows)}])"

    @cached_property
    def _ends(self) -> tuple[float, ...]:
        return tuple(accumulate(steps for steps, _ in self.rows))

    @cached_property
    def length(self) -> float:
        return self._ends[-1]

    def _at(self, t: Any, ops: Operations) -> Any:
        row = ops.count_passed(self._ends[:-1], t)
        return ops.pick([value for _, value in self.rows], row)
