"""The primitive schedules in everyday use: constant pieces, and curves between two values."""

from collections.abc import Mapping, Sequence
from functools import cached_property
from itertools import accumulate
from typing import Annotated, Any, TypeAlias, cast

from stepsize.checks import LARGEST, Number, Range, checked_number
from stepsize.errors import InvalidType
from stepsize.schedules import _curves
from stepsize.schedules._bases import Curve, Endless
from stepsize.schedules.algebra import Schedule, bounded_power
from stepsize.schedules.backend import Operations
from stepsize.schedules.expression import expression
from stepsize.schedules.fields import FACTOR, LENGTH, VALUE, AnyNumber, Factor, Length, Period

__all__ = [
    "Constant",
    "Cosine",
    "Hold",
    "Linear",
    "MultiStep",
    "Polynomial",
    "Power",
    "Step",
    "Table",
]

_POSITION = Range(above=0, maximum=2**53, remedy="Positions count optimizer steps.")
_EXPONENT = Range(above=0, maximum=1e6, remedy="1 changes nothing.")

Exponent: TypeAlias = Annotated[Number, _EXPONENT]


@expression
class Constant(Endless):
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


@expression
class Linear(Curve):
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
class Cosine(Curve):
    """Half a cosine wave: s(t) = end + (start - end) · ((1 + cos(π · u^k)) / 2)^power.

    u = t / steps is the progress.

    Args:
        steps: Length in optimizer steps, >= 0; the end is reached at position ``steps``.
        start: Value at position 0.
        end: Value from position ``steps`` on. It does not rise again; ``.repeat()`` restarts it.
        power: Exponent of the wave, > 0: 1 is the plain one, 2 falls earlier.
        k: Exponent of the progress, > 0: the higher, the longer the rate stays high ("k-decay").

    >>> from stepsize import Cosine
    >>> curve = Cosine(10, end=0.1)
    >>> curve(0), round(curve(5), 12), curve(10), curve(20)
    (1.0, 0.55, 0.1, 0.1)

    Source: Loshchilov & Hutter 2017, "SGDR" (arXiv 1608.03983), eq. 5; ``power`` as in optax;
    ``k`` from Zhang & Li 2020, "k-decay" (arXiv 2004.05909).
    """

    steps: Length
    start: AnyNumber = 1
    end: AnyNumber = 0
    power: Exponent = 1
    k: Exponent = 1

    def _weight(self, u: Any, ops: Operations) -> Any:
        bent = _curves.bent(u, self.k, ops)
        if self.power == 1:
            return _curves.cosine(bent, ops)
        return _curves.powered_cosine(bent, self.power, ops)


@expression
class Polynomial(Curve):
    """A power of the remaining time: s(t) = end + (start - end) · (1 - u^k)^power, u = t / steps.

    Args:
        steps: Length in optimizer steps, >= 0; the end is reached at position ``steps``.
        power: Exponent, > 0: 1 is a line, 2 falls early, 0.5 falls late.
        start: Value at position 0.
        end: Value from position ``steps`` on.
        k: Exponent of the progress, > 0: the higher, the longer the rate stays high ("k-decay").

    >>> from stepsize import Polynomial
    >>> Polynomial(4, power=2).values(5)
    array([1.    , 0.5625, 0.25  , 0.0625, 0.    ])

    Source: Liu, Rabinovich & Berg 2015, "ParseNet" (arXiv 1506.04579), the "poly" policy; ``k``
    from Zhang & Li 2020, "k-decay" (arXiv 2004.05909).
    """

    steps: Length
    power: Exponent
    start: AnyNumber = 1
    end: AnyNumber = 0
    k: Exponent = 1

    def _weight(self, u: Any, ops: Operations) -> Any:
        return _curves.polynomial(_curves.bent(u, self.k, ops), self.power, ops)


@expression
class Power(Curve):
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
    power: Exponent
    start: AnyNumber = 1
    end: AnyNumber = 0

    def _weight(self, u: Any, ops: Operations) -> Any:
        return _curves.power(u, self.power, ops)


@expression
class Step(Endless):
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
class MultiStep(Endless):
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
                f"MultiStep({given!r})",
                "factors must be a mapping {position: factor} with at least one entry",
                remedy="Example: MultiStep({30: 0.1, 60: 0.1}).",
                argument="factors",
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
        raise InvalidType(
            "schedule.factors",
            "a schedule is immutable",
            remedy="Build another one with the new numbers.",
        )

    __setitem__ = __delitem__ = __ior__ = _refuse
    clear = pop = popitem = _refuse
    setdefault = update = _refuse  # pyright: ignore[reportAssignmentType]  # dict overloads them

    def __reduce__(self) -> tuple[Any, ...]:
        return dict, (dict(self),)


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
                f"Table({given!r})",
                "{rows} must be a list of [steps, value] pairs with at least one pair",
                remedy="Example: Table([[10, 1], [10, 0.1]]).",
                argument="rows",
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
