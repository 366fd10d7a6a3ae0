"""The ways up to the base rate."""

import math
from typing import Annotated, Any

from stepsize.checks import Number, Range
from stepsize.schedules import _curves
from stepsize.schedules._bases import Curve, Endless
from stepsize.schedules.backend import Operations
from stepsize.schedules.expression import expression
from stepsize.schedules.fields import AnyNumber, Length

__all__ = ["LogWarmup", "RectifiedWarmup", "Warmup"]


@expression
class Warmup(Curve):
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
class LogWarmup(Curve):
    """A logarithm up to the base rate: s(t) = start + (1 - start) · log(1 + t) / log(1 + steps).

    Args:
        steps: Length in optimizer steps, >= 0; 1 is reached at position ``steps``.
        start: Value at position 0.

    >>> from stepsize import LogWarmup
    >>> LogWarmup(7).values(9).round(3)
    array([0.   , 0.333, 0.528, 0.667, 0.774, 0.862, 0.936, 1.   , 1.   ])

    Source: DeepSpeed's ``WarmupLR``; its ``warmup_num_steps`` is one more than ``steps``.
    """

    steps: Length
    start: AnyNumber = 0
    end = 1

    def _weight(self, u: Any, ops: Operations) -> Any:
        whole = math.log1p(self.steps)
        return ops.where(u < 1.0, 1.0 - ops.log1p(u * self.steps) / (whole or 1.0), 0.0)


@expression
class RectifiedWarmup(Endless):
    """RAdam's rectification as a warmup, from Adam's β₂ alone. Endless; it approaches 1.

    With n = t + 1, ρ∞ = 2 / (1 - β₂) - 1 and ρ = ρ∞ - 2n · β₂^n / (1 - β₂^n):
    s(t) = sqrt((ρ - 4) · (ρ - 2) · ρ∞ / ((ρ∞ - 4) · (ρ∞ - 2) · ρ)), and 0 while ρ <= 4.

    Args:
        beta2: The optimizer's β₂, above 0.6 (below it no ρ reaches 4).

    >>> from stepsize import RectifiedWarmup
    >>> warmup = RectifiedWarmup(0.999)
    >>> round(warmup(10), 4), round(warmup(1_000), 4), round(warmup(100_000), 4)
    (0.0535, 0.6456, 1.0)

    Source: Liu et al. 2020, "On the Variance of the Adaptive Learning Rate and Beyond" (arXiv
    1908.03265), algorithm 2.
    """

    beta2: Annotated[Number, Range(above=0.6, below=1, remedy="Adam's default is 0.999.")]

    def _at(self, t: Any, ops: Operations) -> Any:
        n = t + 1.0
        limit = 2.0 / (1.0 - self.beta2) - 1.0
        # n · β₂^n / (1 - β₂^n), without the difference of two near equals.
        late = n * -math.log(self.beta2) > _LAST_EXPONENT
        growth = ops.expm1(ops.where(late, 1.0, n * -math.log(self.beta2)))
        rho = limit - ops.where(late, 0.0, 2.0 * n / growth)
        rectified = rho > 4.0
        safe = ops.where(rectified, rho, 5.0)
        squared = (safe - 4.0) * (safe - 2.0) * limit / ((limit - 4.0) * (limit - 2.0) * safe)
        return ops.where(rectified, ops.sqrt(squared), 0.0)


_LAST_EXPONENT = 700.0
