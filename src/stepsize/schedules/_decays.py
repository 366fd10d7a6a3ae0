"""Decays with a formula of their own: endless ones, and curves that end where a paper says."""

from typing import Annotated, Any

from stepsize.checks import LARGEST, Number, Range
from stepsize.errors import InvalidValue
from stepsize.schedules import _curves
from stepsize.schedules._bases import Curve, Endless
from stepsize.schedules.algebra import bounded_power
from stepsize.schedules.backend import Operations
from stepsize.schedules.expression import expression
from stepsize.schedules.fields import AnyNumber, Length, Period

__all__ = [
    "ExpHyperbolic",
    "Exponential",
    "Hyperbolic",
    "InversePower",
    "InverseSqrt",
    "Rex",
    "Tanh",
]


@expression
class Exponential(Endless):
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
class InverseSqrt(Endless):
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
class InversePower(Endless):
    """Decay as an inverse power of time: s(t) = (1 + t / steps)^-power. Endless.

    Inverse time decay, 1 / (1 + k · t), is ``InversePower(1 / k, 1)``; its staircase is
    ``.staircase(every)``. ``InverseSqrt`` is the one of power 1/2.

    Args:
        steps: The time scale, > 0: after it the value is 2^-power.
        power: Exponent, > 0.

    >>> from stepsize import InversePower
    >>> InversePower(100, power=1).values(201)[[0, 100, 200]].round(4)
    array([1.    , 0.5   , 0.3333])

    Source: Robbins & Monro 1951, "A Stochastic Approximation Method", for power 1.
    """

    steps: Period
    power: Annotated[Number, Range(above=0, maximum=1e6, remedy="1 is inverse time decay.")]

    def _at(self, t: Any, ops: Operations) -> Any:
        return (1.0 + ops.divide(t, self.steps)) ** -self.power


@expression
class Tanh(Curve):
    """The falling half of a hyperbolic tangent, flat at both ends.

    s(t) = end + (start - end) · (1 - tanh(lower · (1 - u) + upper · u)) / 2, u = t / steps.

    It begins and ends as near to ``start`` and ``end`` as the bounds allow: with the defaults 6e-6
    and 0.0025 of the way off.

    Args:
        steps: Length in optimizer steps, >= 0.
        lower: Argument of the tangent at the start.
        upper: Argument of the tangent at the end.
        start: Value that it comes from.
        end: Value that it goes to.

    >>> from stepsize import Tanh
    >>> Tanh(9).values(10).round(4)
    array([1.    , 1.    , 0.9997, 0.9975, 0.982 , 0.8808, 0.5   , 0.1192,
           0.018 , 0.0025])

    Source: Hsueh, Li & Wu 2019, "Stochastic Gradient Descent with Hyperbolic-Tangent Decay on
    Classification" (arXiv 1806.01593).
    """

    steps: Length
    lower: Annotated[Number, Range(minimum=-1e3, maximum=1e3, remedy="-6 starts flat.")] = -6
    upper: Annotated[Number, Range(minimum=-1e3, maximum=1e3, remedy="3 ends flat.")] = 3
    start: AnyNumber = 1
    end: AnyNumber = 0

    def _weight(self, u: Any, ops: Operations) -> Any:
        return _curves.tanh(u, self.lower, self.upper, ops)


@expression
class Rex(Curve):
    """Reflected exponential: high for long, then ever steeper.

    s(t) = end + (start - end) · z / (1 - d + d · z), z = 1 - t / steps.

    Args:
        steps: Length in optimizer steps, >= 0; the end is reached at position ``steps``.
        d: How late it falls, 0 <= d < 1: 0 is a line; papers and tools use 0.5 and 0.9.
        start: Value at position 0.
        end: Value from position ``steps`` on.

    >>> from stepsize import Rex
    >>> Rex(4).values(5).round(4)
    array([1.    , 0.8571, 0.6667, 0.4   , 0.    ])

    Source: Chen, Wolfe & Kyrillidis 2022, "REX: Revisiting Budgeted Training with an Improved
    Schedule" (arXiv 2107.04197).
    """

    steps: Length
    d: Annotated[Number, Range(minimum=0, below=1, remedy="The paper uses 0.5.")] = 0.5
    start: AnyNumber = 1
    end: AnyNumber = 0

    def _weight(self, u: Any, ops: Operations) -> Any:
        return _curves.rex(u, self.d)


def _check_bound(call: str, steps: float, bound: float) -> None:
    if bound < steps:
        raise InvalidValue(
            call,
            f"{{bound}} must be at least {{steps}} ({steps!r})",
            f"is {bound!r}",
            "It is the longest run that the curve is made for.",
            "bound",
        )


@expression
class Hyperbolic(Curve):
    """A piece of a hyperbola, alike at its beginning for runs of every length.

    s(t) = start + (start - end) · (h(t) - h(0)), where, with n = steps,
    h(t) = sqrt((n - t) / bound · (2 - (n + t) / bound)).
    It reaches ``end`` only where ``bound`` is ``steps``.

    Args:
        steps: Length in optimizer steps, >= 0.
        bound: The longest run that the curve is made for, >= steps.
        start: Value at position 0.
        end: Value that a run of ``bound`` steps reaches.

    >>> from stepsize import Hyperbolic
    >>> Hyperbolic(100, bound=200).values(101)[[0, 50, 100]].round(4)
    array([1.   , 0.693, 0.134])

    Source: Kim 2024, "HyperbolicLR" (arXiv 2407.15200), eq. 4.
    """

    steps: Length
    bound: Period
    start: AnyNumber = 1
    end: AnyNumber = 0

    def _check(self) -> None:
        _check_bound(self._call(), self.steps, self.bound)

    def _weight(self, u: Any, ops: Operations) -> Any:
        return _curves.hyperbolic(u, self.steps / self.bound, ops)


_RATE = Range(
    minimum=1e-30, maximum=LARGEST, remedy="It is reached by multiplying, so it is above 0."
)


@expression
class ExpHyperbolic(Curve):
    """``Hyperbolic`` in the logarithm of the rate.

    s(t) = start · (start / end)^(h(t) - h(0)), with the h of ``Hyperbolic``.

    Args:
        steps: Length in optimizer steps, >= 0.
        bound: The longest run that the curve is made for, >= steps.
        start: Value at position 0, > 0.
        end: Value that a run of ``bound`` steps reaches, > 0.

    >>> from stepsize import ExpHyperbolic
    >>> ExpHyperbolic(100, bound=200, end=0.01).values(101)[[0, 50, 100]].round(4)
    array([1.    , 0.2432, 0.0185])

    Source: Kim 2024, "HyperbolicLR" (arXiv 2407.15200), eq. 6.
    """

    steps: Length
    bound: Period
    start: Annotated[Number, _RATE] = 1
    end: Annotated[Number, _RATE] = 0.01

    def _check(self) -> None:
        _check_bound(self._call(), self.steps, self.bound)

    def _at(self, t: Any, ops: Operations) -> Any:
        u = ops.progress(t, self.steps)
        weight = _curves.hyperbolic(u, self.steps / self.bound, ops)
        return self.end * (self.start / self.end) ** weight
