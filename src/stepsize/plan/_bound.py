"""The convex bound on the last iterate: what a schedule can reach, and at which base rate."""

import math
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from stepsize.checks import LARGEST, Range, checked_instance, checked_whole_number
from stepsize.errors import InvalidType, InvalidValue
from stepsize.estimates import checked_estimate
from stepsize.schedules import Schedule
from stepsize.words import number_text

__all__ = ["Bound", "bound"]

Values: TypeAlias = NDArray[np.float64]

STEPS = Range(minimum=1, maximum=10**8, remedy="It counts optimizer steps.")

# What a decay leaves at its end through rounding moves no weight, and would blow up the bound.
_NOTHING = 1e-12

_NUMBERS = "{gradient_norms} must be a list or an array of numbers"
_LEFT_OUT = "Leave it out where it is not known."


@dataclass(frozen=True)
class Bound:
    """How far the last iterate may end from the optimum.

    Ω(γ) = D² · start / γ + γ · (average + last) at the base rate γ.

    All numbers are for a distance D = 1 from the start to the optimum: the best rate grows with D,
    and so does the gap. Ratios between schedules need no D.

    Args:
        rate: γ*, the base rate at which the bound is lowest.
        gap: Ω*, the bound there.
        start: T₁ = 1 / (2 Σ eₜ): the start is not yet forgotten.
        average: T₂ = Σ eₜ² Gₜ² / (2 Σ eₜ): the noise of the averaged iterate.
        last: T₃ = ½ Σₖ [eₖ / Σₜ₎ₖ eₜ] · [Σₜ≥ₖ eₜ² Gₜ² / Σₜ≥ₖ eₜ]: what the last iterate adds to it.
    """

    rate: float
    gap: float
    start: float
    average: float
    last: float

    def at(self, rate: float) -> float:
        """Ω at any other base rate: ``bound.at(2 * bound.rate)`` is 1.25 × the gap.

        Raises:
            InvalidType: ``rate`` is not a number.
            InvalidValue: It is not above 0.
        """
        rate = checked_estimate(f"bound.at({rate!r})", rate).value
        return self.start / rate + rate * (self.average + self.last)


def bound(schedule: Schedule, steps: int, gradient_norms: ArrayLike | None = None) -> Bound:
    """The last-iterate bound of stochastic gradient descent on a convex Lipschitz function.

    Real losses are not convex, yet the ratios of its best rates and the order of its gaps hold on
    real runs: see :func:`transfer` and :func:`rank`, which use them. Linear time and memory.

    Args:
        schedule: Multiples of the base rate, >= 0; updates with a multiple of 0 at the end of the
            run change nothing and are left out.
        steps: Length of the run T in optimizer steps, 1 to 100 million.
        gradient_norms: Gₜ, the norm of the gradient at each step, at most 10³⁰; shape (steps,); 1
            if not given.

    Returns:
        The best base rate, the gap there, and the three terms.

    Raises:
        InvalidType: ``schedule`` is not a schedule, or ``gradient_norms`` does not hold numbers.
        InvalidValue: A number is out of range, a multiple is negative, all of them are 0, or the
            gradient is 0 at every step that has a rate.

    >>> from stepsize import Linear
    >>> lowest = bound(Linear(101), 100)
    >>> round(lowest.rate, 5), round(lowest.gap, 5)
    (0.09676, 0.20268)

    Source: Defazio et al. 2023 (arXiv 2310.07831), theorem 10; Schaipp et al. 2025 (arXiv
    2501.18965)
    """
    call = (
        f"bound({schedule!r}, {steps!r}{', gradient_norms' if gradient_norms is not None else ''})"
    )
    values = multiples(call, schedule, steps)
    return bound_of(values, _norms(call, gradient_norms, values))


def multiples(call: str, schedule: Any, steps: Any) -> Values:
    """What the schedule multiplies the base rate by at each step; checked for a bound.

    Raises:
        InvalidType: ``schedule`` is not a schedule.
        InvalidValue: ``steps`` is out of range, a multiple is negative, or all of them are 0.
    """
    count = checked_whole_number(call, "steps", steps, STEPS)
    values = checked_schedule(call, schedule).values(count)
    lowest = int(np.argmin(values))
    if values[lowest] < 0:
        raise InvalidValue(
            call,
            "a schedule must not be negative",
            f"is {number_text(values[lowest])} at position {lowest}",
            "Write .clip(low=0).",
        )
    if not values.any():
        raise InvalidValue(
            call,
            "a schedule must be above 0 somewhere",
            f"is 0 at all {count} positions",
            "Check its length and the number of steps.",
        )
    return values


def checked_schedule(call: str, schedule: Any) -> Schedule:
    """``schedule``, if it is one.

    Raises:
        InvalidType: It is something else.
    """
    return checked_instance(
        call,
        "schedule",
        schedule,
        Schedule,  # pyright: ignore[reportAbstractUsage]
        "a schedule",
        "For a text use stepsize.parse(text).",
    )


def _norms(call: str, gradient_norms: Any, values: Values) -> Values | None:
    if gradient_norms is None:
        return None
    norms = _plain_numbers(call, gradient_norms)
    if norms.shape != values.shape:
        raise InvalidValue(
            call,
            f"{{gradient_norms}} must be one number per step, shape {values.shape}",
            f"has shape {norms.shape}",
            _LEFT_OUT,
            "gradient_norms",
        )
    wrong = np.flatnonzero(~((norms >= 0) & (norms <= LARGEST)))
    if len(wrong):
        raise InvalidValue(
            call,
            f"{{gradient_norms}} must be at least 0 and at most {number_text(LARGEST)}",
            f"is {number_text(float(norms[wrong[0]]))} at position {wrong[0]}",
            _LEFT_OUT,
            "gradient_norms",
        )
    largest = float(norms[values > _NOTHING * values.max()].max())
    if largest < 1 / LARGEST:
        raise InvalidValue(
            call,
            f"{{gradient_norms}} must reach {number_text(1 / LARGEST)} where the schedule is "
            "above 0",
            f"is at most {number_text(largest)} there: any rate would do",
            _LEFT_OUT,
            "gradient_norms",
        )
    return norms


def _plain_numbers(call: str, gradient_norms: Any) -> Values:
    try:
        found = np.asarray(gradient_norms)
    except (TypeError, ValueError, RuntimeError) as error:
        # Lists of unequal lengths, and tensors that hold a graph or lie on another device.
        raise InvalidType(
            call,
            _NUMBERS,
            f"is a {type(gradient_norms).__name__} that NumPy cannot convert: {error}",
            "Write .tolist() of a tensor.",
            "gradient_norms",
        ) from error
    if found.dtype.kind not in "iuf":
        raise InvalidType(
            call, _NUMBERS, f"holds {found.dtype}", "Example: [1.0, 0.5].", "gradient_norms"
        )
    return found.astype(np.float64)


def bound_of(values: Values, norms: Values | None = None) -> Bound:
    """The bound of checked multiples, one per step."""
    largest = float(values.max())
    count = int(np.flatnonzero(values > _NOTHING * largest)[-1]) + 1
    # In multiples of the largest one, so that squares neither overflow nor vanish.
    weights = values[:count] / largest
    squares = weights**2 if norms is None else (weights * norms[:count]) ** 2
    left, noise = _sums_from_here_on(weights), _sums_from_here_on(squares)
    start = 0.5 / float(left[0])
    average = 0.5 * float(noise[0] / left[0])
    last = 0.5 * float(np.sum(weights[:-1] / left[1:] * (noise[:-1] / left[:-1])))
    return Bound(
        rate=math.sqrt(start / (average + last)) / largest,
        gap=2 * math.sqrt(start * (average + last)),
        start=start / largest,
        average=average * largest,
        last=last * largest,
    )


def _sums_from_here_on(values: Values) -> Values:
    return np.cumsum(values[::-1])[::-1]
