"""How certain the mean of a few trials is: Student's interval."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from stepsize.words import number_text

__all__ = ["Interval", "confidence_interval"]


@dataclass(frozen=True)
class Interval:
    """A mean, and how far the mean of very many trials may lie from it.

    Args:
        mean: The mean of the trials; NaN if one of them is not finite.
        reach: Half the interval's width: ``mean - reach`` to ``mean + reach``. Infinite for a
            single trial, which says nothing about the spread; NaN if the mean is.
        count: How many trials there were.
    """

    mean: float
    reach: float
    count: int

    @property
    def low(self) -> float:
        """The interval's lower end."""
        return self.mean - self.reach

    @property
    def high(self) -> float:
        """The interval's upper end."""
        return self.mean + self.reach

    @property
    def excludes_zero(self) -> bool:
        """Whether the interval lies on one side of 0: of a difference, whether it is clear."""
        return self.low > 0 or self.high < 0

    def __str__(self) -> str:
        mean = number_text(self.mean)
        return f"{mean} ± {number_text(self.reach, 2)}" if math.isfinite(self.reach) else mean


def confidence_interval(values: Sequence[float], confidence: float = 0.95) -> Interval:
    """Student's interval of a mean: mean ± t · s / √n, with t for n - 1 degrees of freedom.

    It holds where the values are drawn independently and their distribution is about normal. With
    few values it is wide because it has to be: t is 12.7 for two of them, 4.3 for three, 2.8 for
    five.

    Args:
        values: One per trial, at least one.
        confidence: How often such intervals hold the true mean, above 0 and below 1.

    Returns:
        The interval.

    >>> print(confidence_interval([0.30, 0.32, 0.34]))
    0.32 ± 0.05
    >>> print(confidence_interval([0.30]))
    0.3

    Source: Student 1908, "The Probable Error of a Mean", Biometrika 6.
    """
    count = len(values)
    if not all(map(math.isfinite, values)):
        return Interval(math.nan, math.nan, count)
    mean = math.fsum(value / count for value in values)
    if count == 1:
        return Interval(mean, math.inf, count)
    # dist() does not overflow where the squares of a diverged loss would.
    error = math.dist(values, [mean] * count) / math.sqrt(count * (count - 1))
    return Interval(mean, _student(count - 1, confidence) * error, count)


def _student(freedom: int, confidence: float) -> float:
    """The t for which |T| <= t has this probability, by bisection over arctan(t / √ν)."""
    low, high = 0.0, math.pi / 2
    middle = (low + high) / 2
    while low < middle < high:
        if _probability(middle, freedom) < confidence:
            low = middle
        else:
            high = middle
        middle = (low + high) / 2
    return math.sqrt(freedom) * math.tan(middle)


def _probability(angle: float, freedom: int) -> float:
    """P(|T| <= √ν tan(angle)): Abramowitz & Stegun 1964, 26.7.3 and 26.7.4, exact."""
    odd = freedom % 2
    cosine = math.cos(angle)
    term, total = cosine**odd, 0.0
    for power in range(odd, freedom - 1, 2):
        if power > odd:
            term *= cosine**2 * (power - 1) / power
        total += term
    if odd:
        return 2 / math.pi * (angle + math.sin(angle) * total)
    return math.sin(angle) * total
