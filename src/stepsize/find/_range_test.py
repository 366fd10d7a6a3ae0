"""The learning rate range test: raise the rate until the loss diverges, and read the curve."""

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stepsize.errors import InvalidValue, TrainingError
from stepsize.training import Training, preserved

__all__ = ["RangeTest", "Suggestion", "range_test"]

Curve = NDArray[np.float64]

_NON_FINITE_IN_A_ROW = 3
_FEWEST_POINTS = 3


@dataclass(frozen=True)
class Suggestion:
    """A rate read off the curve.

    Args:
        rate: The rate.
        rule: How it was read.
        usually: How far off such a suggestion usually is.
    """

    rate: float
    rule: str
    usually: str


# Medians and spread over 12 small tasks (CNN, transformer, LSTM, MLP, ResNet, ...), AdamW and SGD,
# against the best of eight rates: "What 2,966 small trainings say".
_SPREAD = "one standard deviation is a factor of 5 to 8 either way"
_USUALLY = {
    "minimum/10": f"about 0.8 × the best rate; {_SPREAD}",
    "steepest": f"about 0.7 × the best rate; {_SPREAD}",
    "valley": f"about 0.1 × the best rate; {_SPREAD}",
}
_RECOMMENDED = "minimum/10"


@dataclass(frozen=True, repr=False)
class RangeTest:
    """What a range test saw, and what can be read off it.

    Args:
        rates: The rates that were tried, ascending, of the group with the largest base rate; shape
            (n,). The other groups kept their ratios to it.
        losses: The training loss at each, before the update; NaN kept; shape (n,).
        smoothed: The losses' bias-corrected moving average, over the finite ones; shape (n,).
        suggestions: By rule: "minimum/10", "steepest", "valley".
        stopped: Why the sweep ended.
        steps: Optimizer steps that it cost.
    """

    rates: Curve
    losses: Curve
    smoothed: Curve
    suggestions: Mapping[str, Suggestion]
    stopped: str
    steps: int

    @property
    def recommended(self) -> str:
        """The rule whose suggestion is recommended."""
        return _RECOMMENDED

    @property
    def rate(self) -> float:
        """The recommended rate, of the group with the largest base rate."""
        return self.suggestions[_RECOMMENDED].rate

    @property
    def reason(self) -> str:
        """Why this one, and how wrong it may be."""
        return (
            f"{self.rate:.3g}: a tenth of the rate where the loss was lowest, below where the "
            f"curve turns. Such a suggestion is usually {self.suggestions[_RECOMMENDED].usually}. "
            "A range test brackets the rate; it does not choose it."
        )

    def plot(self) -> Any:
        """A matplotlib picture: the losses over the rates, the suggestions marked.

        Returns:
            The matplotlib ``Axes``.

        Raises:
            MissingExtra: matplotlib is not installed.
        """
        from stepsize.plot import plot_range_test

        marks = {name: each.rate for name, each in self.suggestions.items()}
        return plot_range_test(self.rates, self.losses, self.smoothed, marks, self.recommended)

    def __repr__(self) -> str:
        lines = [
            f"range test: {len(self.rates)} rates, {self.rates[0]:.3g} to {self.rates[-1]:.3g}"
        ]
        lines[0] += f"; ended: {self.stopped}"
        for name, each in self.suggestions.items():
            mark = "  <- recommended" if name == _RECOMMENDED else ""
            lines.append(f"  {name:<10} {each.rate:<9.3g} usually {each.usually}{mark}")
        return "\n".join([*lines, self.reason])


def range_test(
    training: Training,
    *,
    low: float = 1e-6,
    high: float = 10.0,
    steps: int = 100,
    smoothing: float = 0.9,
    diverged: float = 4.0,
    progress: Callable[[int, float, float], None] | None = None,
) -> RangeTest:
    """Sweep the rate from ``low`` to ``high`` in equal ratios, one optimizer step each.

    All groups are swept together with their ratios kept. The training is afterwards exactly as it
    was, also after an error. The sweep ends early when the smoothed loss exceeds ``diverged`` times
    its lowest value so far (measured from the first loss where losses are negative), or after three
    losses in a row that are not finite.

    Args:
        training: What is tested.
        low: First rate, > 0, of the group with the largest base rate.
        high: Last rate, > low.
        steps: Rates to try, >= 3.
        smoothing: Weight of the past in the moving average, 0 <= smoothing < 1.
        diverged: Ends the sweep, > 1.
        progress: Called after each step with (steps done, rate, loss).

    Returns:
        The curve and the suggestions.

    Raises:
        InvalidValue: A number is out of range.
        TrainingError: All base rates are 0; fewer than three losses were finite; or the loss never
            moved, so that nothing can be read off.

    >>> from stepsize.find import range_test
    >>> from stepsize.testing.training import Bowl
    >>> found = range_test(Bowl(curvature=[1.0]))       # stable below rate 2
    >>> 0.05 < found.rate < 2
    True

    Source: Smith 2017, "Cyclical Learning Rates" (arXiv 1506.01186), section 3.3; "valley" as in
    fastai.
    """
    _check(low, high, steps, smoothing, diverged)
    bases = [group.base for group in training.groups]
    largest = max(bases)
    if largest <= 0:
        raise TrainingError(
            f"range_test(...): the groups' base rates are {bases}, and their ratios are kept, so "
            "one must be above 0. Give the optimizer any lr above 0."
        )
    rates: list[float] = []
    losses: list[float] = []
    watch = _Divergence(smoothing, diverged)
    attempts = 0
    with preserved(training):
        for rate in _ratios(low, high, steps):
            loss = math.nan
            attempts += 1
            observation = training.step({"lr": [rate / largest] * len(bases)})
            if not observation.stepped:
                continue
            loss = float(observation.metrics["loss"])
            rates.append(rate)
            losses.append(loss)
            if progress is not None:
                progress(len(rates), rate, loss)
            if watch.sees(loss):
                break
    return _read(np.array(rates), np.array(losses), np.array(watch.smoothed), watch, attempts)


def _check(low: float, high: float, steps: int, smoothing: float, diverged: float) -> None:
    call = f"range_test(..., low={low!r}, high={high!r}, steps={steps!r})"
    rules: tuple[tuple[bool, str], ...] = (
        (0 < low < high < math.inf, f"0 < low < high is needed, but low={low!r}, high={high!r}"),
        (
            isinstance(steps, int) and steps >= _FEWEST_POINTS,
            f"steps must be a whole number of at least {_FEWEST_POINTS}, but is {steps!r}",
        ),
        (0 <= smoothing < 1, f"smoothing must be at least 0 and below 1, but is {smoothing!r}"),
        (1 < diverged < math.inf, f"diverged must be above 1, but is {diverged!r}"),
    )
    for holds, rule in rules:
        if not holds:
            raise InvalidValue(f"{call}: {rule}. Leave it out for the default.")


def _ratios(low: float, high: float, steps: int) -> Iterator[float]:
    for index in range(steps):
        yield low * (high / low) ** (index / (steps - 1))


class _Divergence:
    """The bias-corrected moving average of the finite losses, and when to give up."""

    def __init__(self, smoothing: float, diverged: float) -> None:
        self._smoothing = smoothing
        self._diverged = diverged
        self._sum = self._weight = 0.0
        self._lowest = self._first = math.nan
        self._non_finite = 0
        self.smoothed: list[float] = []
        self.reason = "the highest rate was reached"

    def sees(self, loss: float) -> bool:
        """Take one loss; True if the sweep should end."""
        if not math.isfinite(loss):
            self.smoothed.append(self.smoothed[-1] if self.smoothed else math.nan)
            self._non_finite += 1
            self.reason = f"{self._non_finite} losses in a row were not finite"
            return self._non_finite >= _NON_FINITE_IN_A_ROW
        self._non_finite = 0
        self.reason = "the highest rate was reached"
        self._sum = self._smoothing * self._sum + (1 - self._smoothing) * loss
        self._weight = self._smoothing * self._weight + (1 - self._smoothing)
        average = self._sum / self._weight
        self.smoothed.append(average)
        if math.isnan(self._first):
            self._first = self._lowest = average
        self._lowest = min(self._lowest, average)
        # For losses that may be negative "four times" has no meaning: their size at the start does.
        limit = self._diverged * self._lowest
        if self._lowest <= 0:
            limit = self._lowest + self._diverged * max(abs(self._first), abs(self._lowest))
        if average > limit:
            self.reason = f"the loss diverged: above {self._diverged:g} × its lowest value"
            return True
        return False


def _read(
    rates: Curve, losses: Curve, smoothed: Curve, watch: _Divergence, attempts: int
) -> RangeTest:
    finite = np.isfinite(losses)
    if finite.sum() < _FEWEST_POINTS:
        raise TrainingError(
            f"range_test(...): only {int(finite.sum())} of {attempts} steps gave a finite loss, "
            f"and {_FEWEST_POINTS} are needed. Lower low=, or check the data and the model for NaN."
        )
    x, y = np.log(rates[finite]), smoothed[finite]
    if np.ptp(losses[finite]) <= 1e-12 * np.max(np.abs(losses[finite])):
        raise TrainingError(
            f"range_test(...): the loss did not move: it was {losses[finite][0]:g} at every rate "
            f"up to {rates[-1]:g}. Check that the loss depends on the optimizer's parameters, or "
            "raise high=."
        )
    readings = {
        "minimum/10": (math.exp(x[np.argmin(y)]) / 10, "a tenth of the rate at the lowest loss"),
        "steepest": (math.exp(x[_steepest(x, y)]), "where the loss falls fastest"),
        "valley": (math.exp(x[_valley(y)]), "two thirds along the longest descent"),
    }
    suggestions = {
        name: Suggestion(rate, rule, _USUALLY[name]) for name, (rate, rule) in readings.items()
    }
    return RangeTest(rates, losses, smoothed, suggestions, watch.reason, attempts)


def _steepest(x: Curve, y: Curve) -> int:
    # What comes after the lowest loss is divergence, not learning.
    end = max(int(np.argmin(y)) + 1, 2)
    return int(np.argmin(np.gradient(y[:end], x[:end])))


def _valley(y: Curve) -> int:
    """Two thirds along the longest strictly falling subsequence."""
    length = np.ones(len(y), dtype=int)
    before = np.full(len(y), -1)
    for i in range(1, len(y)):
        longer = np.flatnonzero(y[:i] > y[i])
        if len(longer):
            best = longer[np.argmax(length[longer])]
            length[i], before[i] = length[best] + 1, best
    path = [int(np.argmax(length))]
    while before[path[-1]] >= 0:
        path.append(int(before[path[-1]]))
    path.reverse()
    return path[min(len(path) * 2 // 3, len(path) - 1)]
