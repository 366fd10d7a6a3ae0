"""The learning rate range test: raise the rate until the loss diverges, and read the curve."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from numbers import Integral
from typing import Any

from stepsize.errors import InvalidType, InvalidValue, TrainingError
from stepsize.find._arguments import require_training
from stepsize.find._reading import (
    DEVIATION,
    FEWEST_POINTS,
    RECOMMENDED,
    Suggestion,
    doubts_of,
    named,
    read,
)
from stepsize.find._sweep import Curve, Progress, sweep
from stepsize.plot.range_tests import RangeCurve, plot_range_tests
from stepsize.training import Group, Training, preserved

__all__ = ["RangeTest", "Suggestion", "range_test"]


@dataclass(frozen=True, repr=False)
class RangeTest:
    """What a range test saw, and what can be read off it.

    Args:
        rates: The rates at which it looked, ascending, of the swept group with the largest base
            rate; shape (n,). The other swept groups kept their ratios to it.
        losses: What was watched, at each: the training loss before the update, or what ``evaluate``
            measured after it; NaN kept; shape (n,).
        smoothed: The losses' bias-corrected moving average, over the finite ones; shape (n,).
        positions: How many steps came before each look's own; shape (n,).
        suggestions: By rule: "minimum/10", "steepest", "valley".
        watched: The name of what was watched.
        swept: The groups that were swept.
        held: The groups that went on at their own base rates.
        linear: Whether the rates have equal distances; equal ratios if not.
        stopped: Why the sweep ended.
        steps: Optimizer steps that it cost.
        evaluations: Evaluations that it cost.
        doubts: What makes the suggestions less sure than usual, in sentences.
    """

    rates: Curve
    losses: Curve
    smoothed: Curve
    positions: Curve
    suggestions: Mapping[str, Suggestion]
    watched: str
    swept: tuple[Group, ...]
    held: tuple[Group, ...]
    linear: bool
    stopped: str
    steps: int
    evaluations: int
    doubts: tuple[str, ...]

    @property
    def recommended(self) -> str:
        """The rule whose suggestion is recommended."""
        return RECOMMENDED

    @property
    def rate(self) -> float:
        """The recommended rate, of the swept group with the largest base rate."""
        return self.suggestions[RECOMMENDED].rate

    @property
    def bracket(self) -> tuple[float, float]:
        """One standard deviation, a factor of 8, either side of the recommended rate."""
        return self.rate / DEVIATION, self.rate * DEVIATION

    @property
    def group_rates(self) -> tuple[float, ...]:
        """The recommended rate of each group in ``swept``."""
        largest = max(group.base for group in self.swept)
        return tuple(self.rate * (group.base / largest) for group in self.swept)

    @property
    def title(self) -> str:
        """What was swept, in words."""
        if not self.held:
            return "range test"
        optimizers = sorted({group.optimizer for group in self.swept})
        of = f"optimizer {', '.join(map(str, optimizers))}"
        held = {group.optimizer for group in self.held}
        if held.isdisjoint(optimizers):
            return f"range test of {of}"
        several = len(held.union(optimizers)) > 1
        return f"range test of {named(self.swept)}{f' of {of}' if several else ''}"

    @property
    def reason(self) -> str:
        """Why this one, and how wrong it may be."""
        low, high = self.bracket
        return (
            f"{self.rate:.3g}: a tenth of the rate where the loss was lowest, below where the "
            f"curve turns. Such a suggestion is usually {self.suggestions[RECOMMENDED].usually}: "
            f"from {low:.2g} to {high:.2g}. A range test brackets the rate; it does not choose it."
        )

    @property
    def curve(self) -> RangeCurve:
        """What a picture shows; ``plot.plot_range_tests`` draws several."""
        marks = {name: each.rate for name, each in self.suggestions.items()}
        return RangeCurve(
            self.rates,
            self.losses,
            self.smoothed,
            marks,
            self.recommended,
            self.watched,
            log=not self.linear,
        )

    def plot(self) -> Any:
        """A matplotlib picture: the losses over the rates, the suggestions marked.

        Returns:
            The matplotlib ``Axes``.

        Raises:
            MissingExtra: matplotlib is not installed.
        """
        return plot_range_tests({self.title: self.curve}).axes[0]

    def __repr__(self) -> str:
        evaluations = f" and {self.evaluations} evaluations" if self.evaluations else ""
        lines = [
            f"{self.title}: {len(self.rates)} rates, {self.rates[0]:.3g} to {self.rates[-1]:.3g}, "
            f"in {self.steps} steps{evaluations}; ended: {self.stopped}"
        ]
        for name, each in self.suggestions.items():
            mark = "  <- recommended" if name == RECOMMENDED else ""
            lines.append(f"  {name:<10} {each.rate:<9.3g} usually {each.usually}{mark}")
        lines.append(self.reason)
        if len(self.swept) > 1:
            pairs = zip(self.swept, self.group_rates, strict=True)
            rates = ", ".join(f"{group.name!r} {rate:.3g}" for group, rate in pairs)
            lines.append(f"With their ratios kept, the groups' rates are {rates}.")
        return "\n".join([*lines, *self.doubts])


def range_test(
    training: Training,
    *,
    low: float = 1e-6,
    high: float = 10.0,
    steps: int = 100,
    linear: bool = False,
    groups: Sequence[str | int] | None = None,
    optimizer: int | None = None,
    watch: str = "loss",
    evaluate_every: int = 5,
    smoothing: float = 0.9,
    diverged: float = 4.0,
    progress: Progress | None = None,
) -> RangeTest:
    """Sweep the rate from ``low`` to ``high``, one optimizer step at each, and read the losses.

    All groups are swept together with their ratios kept, or those that ``groups`` or ``optimizer``
    names; the others then go on at their own base rates. The training is afterwards exactly as it
    was, also after an error. The sweep ends early when the smoothed loss exceeds ``diverged`` times
    its lowest value so far (measured from the first loss where losses are negative), or after three
    losses in a row that are not finite.

    Args:
        training: What is tested.
        low: First rate, > 0, of the swept group with the largest base rate.
        high: Last rate, > low.
        steps: Rates to try, >= 3.
        linear: Whether the rates have equal distances; equal ratios if not.
        groups: Names or numbers of the groups to sweep.
        optimizer: The number of the optimizer whose groups to sweep: in a training with several,
            such as a GAN, each is searched with the others held.
        watch: "loss" is the training loss. Another name is looked for in what ``evaluate`` measures
            ("val_loss"), then in what ``step`` does ("loss_of_critic").
        evaluate_every: Steps from one look to the next where ``evaluate`` measures it, >= 1.
        smoothing: Weight of the past in the moving average, from one step to the next,
            0 <= smoothing < 1.
        diverged: Ends the sweep, > 1.
        progress: Called at each look with (steps taken, rate, loss).

    Returns:
        The curve and the suggestions.

    Raises:
        InvalidValue: A number is out of range, or there is no such group, optimizer or measure.
        InvalidType: ``training`` is none, or ``groups`` is a text and no list.
        TrainingError: The base rates that are swept are 0; a step or an evaluation raises; the
            batches end; ``evaluate`` gives NaN before any step; fewer than three losses were
            finite; or the loss never moved, so that nothing can be read off.

    >>> from stepsize.find import range_test
    >>> from stepsize.testing.training import Bowl
    >>> found = range_test(Bowl(curvature=[1.0]))       # stable below rate 2
    >>> 0.05 < found.rate < 2
    True
    >>> range_test(Bowl(), watch="val_loss").evaluations    # one before, then after 5 steps each
    21

    Source: Smith 2017, "Cyclical Learning Rates" (arXiv 1506.01186), section 3.3; "valley" as in
    fastai.
    """
    call = f"range_test(..., low={low!r}, high={high!r}, steps={steps!r})"
    require_training(training, call)
    _check(call, low, high, steps, evaluate_every, smoothing, diverged)
    everything = tuple(training.groups)
    chosen = _chosen(everything, groups, optimizer)
    largest = max(everything[index].base for index in chosen)
    if largest <= 0:
        raise TrainingError(
            f"{call}: the swept groups' base rates are {[everything[i].base for i in chosen]}, and "
            "their ratios are kept, so one must be above 0. Give the optimizer any lr above 0."
        )

    def factors(rate: float) -> list[float]:
        return [rate / largest if i in chosen else 1.0 for i in range(len(everything))]

    with preserved(training):
        seen = sweep(
            training,
            _rates(low, high, int(steps), linear),
            factors,
            watch=watch,
            evaluate_every=evaluate_every,
            smoothing=smoothing,
            diverged=diverged,
            progress=progress,
            call=call,
        )
    suggestions, turn = read(seen, watch, call)
    swept = tuple(everything[index] for index in chosen)
    held = tuple(group for index, group in enumerate(everything) if index not in chosen)
    return RangeTest(
        seen.rates,
        seen.losses,
        seen.smoothed,
        seen.positions,
        suggestions,
        watch,
        swept,
        held,
        linear,
        seen.stopped,
        seen.steps,
        seen.evaluations,
        doubts_of(seen, turn, suggestions, held, usual=watch == "loss" and not linear and not held),
    )


# ------------------------------------------------------------------ what was asked for


def _check(
    call: str,
    low: float,
    high: float,
    steps: object,
    evaluate_every: object,
    smoothing: float,
    diverged: float,
) -> None:
    rules: tuple[tuple[bool, str], ...] = (
        (0 < low < high < math.inf, f"0 < low < high is needed, but low={low!r}, high={high!r}"),
        (
            _is_count(steps, FEWEST_POINTS),
            f"steps must be a whole number of at least {FEWEST_POINTS}, but is {steps!r}",
        ),
        (
            _is_count(evaluate_every, 1),
            f"evaluate_every must be a whole number of at least 1, but is {evaluate_every!r}",
        ),
        (0 <= smoothing < 1, f"smoothing must be at least 0 and below 1, but is {smoothing!r}"),
        (1 < diverged < math.inf, f"diverged must be above 1, but is {diverged!r}"),
    )
    for holds, rule in rules:
        if not holds:
            raise InvalidValue(f"{call}: {rule}. Leave it out for the default.")


def _is_count(value: object, least: int) -> bool:
    return isinstance(value, Integral) and not isinstance(value, bool) and int(value) >= least


def _chosen(
    everything: Sequence[Group], groups: Sequence[str | int] | None, optimizer: int | None
) -> tuple[int, ...]:
    """Which groups to sweep, by number."""
    if groups is not None and optimizer is not None:
        raise InvalidValue(
            f"range_test(..., groups={groups!r}, optimizer={optimizer!r}): both say what is swept. "
            "Give one of them."
        )
    if optimizer is not None:
        call = f"range_test(..., optimizer={optimizer!r})"
        there = sorted({group.optimizer for group in everything})
        if optimizer not in there:
            raise InvalidValue(
                f"{call}: it must be the number of an optimizer, {', '.join(map(str, there))}, but "
                f"is {optimizer!r}."
            )
        return tuple(i for i, group in enumerate(everything) if group.optimizer == optimizer)
    if groups is None:
        return tuple(range(len(everything)))
    call = f"range_test(..., groups={groups!r})"
    if isinstance(groups, str):
        raise InvalidType(f"{call}: groups must be a list, but is a text. Write [{groups!r}].")
    if not groups:
        raise InvalidValue(f"{call}: name at least one group, or leave it out to sweep all.")
    return tuple(sorted({_number_of(each, everything, call) for each in groups}))


def _number_of(wanted: str | int, everything: Sequence[Group], call: str) -> int:
    names = [group.name for group in everything]
    if isinstance(wanted, int) and 0 <= wanted < len(names):
        return wanted
    if names.count(str(wanted)) == 1 and isinstance(wanted, str):
        return names.index(wanted)
    several = "several groups have the name" if wanted in names else "there is no group"
    raise InvalidValue(
        f"{call}: a group is named once, or given by its number, 0 to {len(names) - 1}, but "
        f"{several} {wanted!r}. The groups are {named(everything)}."
    )


def _rates(low: float, high: float, steps: int, linear: bool) -> list[float]:
    shares = [index / (steps - 1) for index in range(steps)]
    if linear:
        return [low + (high - low) * share for share in shares]
    return [low * (high / low) ** share for share in shares]
