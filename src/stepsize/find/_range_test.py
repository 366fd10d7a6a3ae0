"""The learning rate range test: raise the rate until the loss diverges, and read the curve."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from stepsize.checks import (
    LARGEST,
    Range,
    checked_name,
    checked_number,
    checked_whole_number,
)
from stepsize.errors import InvalidType, InvalidValue
from stepsize.find._arguments import checked_count, largest_base, require_training
from stepsize.find._suggestions import (
    DEVIATION,
    FEWEST_POINTS,
    RECOMMENDED,
    Suggestion,
    doubts,
    named,
    suggestions,
)
from stepsize.find._sweep import Array, SweepRules, sweep
from stepsize.messages import Message
from stepsize.plot.range_tests import RangeCurve, plot_range_tests
from stepsize.renames import renamed_arguments
from stepsize.signals import Sink
from stepsize.training import Group, Training, preserved
from stepsize.words import list_text, number_text

__all__ = ["RangeTest", "Suggestion", "range_test"]

_DEFAULT = "Leave it out for the default."
_RATE = Range(above=0, maximum=LARGEST, remedy=_DEFAULT)
_SMOOTHING = Range(minimum=0, below=1, remedy=_DEFAULT)
_DIVERGED = Range(above=1, maximum=LARGEST, remedy=_DEFAULT)


@dataclass(frozen=True, repr=False)
class RangeTest:
    """What a range test saw, and what can be read off it.

    Args:
        rates: The rates that were measured, ascending, of the swept group with the largest base
            rate; shape (n,). The other swept groups kept their ratios to it.
        losses: The metric at each: the training loss before the update, or what ``evaluate``
            measured after it; NaN kept; shape (n,).
        smoothed: The losses' bias-corrected moving average, over the finite ones; shape (n,).
        positions: How many steps came before each measured one; shape (n,).
        suggestions: By rule: "minimum/10", "steepest", "valley".
        metric: The name of the loss that was read.
        swept: The groups that were swept.
        held: The groups that went on at their own base rates.
        linear: Whether the rates have equal distances; equal ratios if not.
        stopped: Why the sweep ended.
        steps: Optimizer steps taken.
        evaluations: Evaluations made.
        doubts: What makes the suggestions less sure than usual.
    """

    rates: Array
    losses: Array
    smoothed: Array
    positions: Array
    suggestions: Mapping[str, Suggestion]
    metric: str
    swept: tuple[Group, ...]
    held: tuple[Group, ...]
    linear: bool
    stopped: Message
    steps: int
    evaluations: int
    doubts: tuple[Message, ...]

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
    def reason(self) -> Message:
        """Why this rate, and how wrong it may be."""
        low, high = self.bracket
        return Message(
            "{rate:rate 3}: a tenth of the rate where the loss was lowest, below where the curve "
            "turns. Such a suggestion is usually {usually:message}: from {low:rate 2} to "
            "{high:rate 2}. A range test brackets the rate; it does not choose it.",
            rate=self.rate,
            usually=self.suggestions[RECOMMENDED].usually,
            low=low,
            high=high,
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
            self.metric,
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
        low, high = (number_text(float(self.rates[end]), 3) for end in (0, -1))
        lines = [
            str(self.reason),
            f"{self.title}: {len(self.rates)} rates, {low} to {high}, in {self.steps} "
            f"steps{evaluations}; ended: {self.stopped}",
        ]
        for name, each in self.suggestions.items():
            mark = "  <- recommended" if name == RECOMMENDED else ""
            lines.append(
                f"  {name:<10} {number_text(each.rate, 3):<9} usually {each.usually}{mark}"
            )
        if len(self.swept) > 1:
            pairs = zip(self.swept, self.group_rates, strict=True)
            rates = list_text(f"{group.name!r} {number_text(rate, 3)}" for group, rate in pairs)
            lines.append(f"With their ratios kept, the groups' rates are {rates}.")
        return "\n".join([*lines, *map(str, self.doubts)])


@renamed_arguments(watch="metric", progress="sinks")
def range_test(
    training: Training,
    *,
    low: float = 1e-6,
    high: float = 10.0,
    steps: int = 100,
    linear: bool = False,
    groups: Sequence[str | int] | None = None,
    optimizer: int | None = None,
    metric: str = "loss",
    evaluate_every: int = 5,
    smoothing: float = 0.9,
    diverged: float = 4.0,
    sinks: Sequence[Sink] = (),
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
        metric: The loss to read. "loss" is the training loss. Another name is looked for in what
            ``evaluate`` measures ("val_loss"), then in what ``step`` does ("loss_of_critic").
        evaluate_every: Steps between measurements where ``evaluate`` measures it, >= 1.
        smoothing: Weight of the past in the moving average, from one step to the next,
            0 <= smoothing < 1.
        diverged: Ends the sweep, > 1.
        sinks: Each gets a ``Tick`` at each measurement: how many steps came before, the rate as
            "lr", the loss under its name.

    Returns:
        The curve and the suggestions.

    Raises:
        InvalidValue: A number is out of range, or there is no such group, optimizer or metric.
        InvalidType: ``training`` is not a training, an argument is not a number, or ``groups`` is a
            text instead of a list.
        TrainingError: The base rates that are swept are 0; a step or an evaluation raises; the
            batches end; ``evaluate`` gives NaN before any step; fewer than three losses were
            finite; or the loss never moved, so that nothing can be read off.

    >>> from stepsize.find import range_test
    >>> from stepsize.testing.training import Bowl
    >>> found = range_test(Bowl(curvature=[1.0]))       # stable below rate 2
    >>> 0.05 < found.rate < 2
    True
    >>> range_test(Bowl(), metric="val_loss").evaluations   # one before, then after 5 steps each
    21

    Source: Smith 2017, "Cyclical Learning Rates" (arXiv 1506.01186), section 3.3; "valley" as in
    fastai.
    """
    call = f"range_test(..., low={low!r}, high={high!r}, steps={steps!r})"
    require_training(training, call)
    count = checked_count(call, "steps", steps, FEWEST_POINTS, _DEFAULT)
    rates = _rates(*_checked_ends(call, low, high), count, linear)
    rules = SweepRules(
        checked_name(call, "metric", metric, "the name of a loss", "metric='val_loss'"),
        checked_count(call, "evaluate_every", evaluate_every, 1, _DEFAULT),
        float(checked_number(call, "smoothing", smoothing, _SMOOTHING)),
        float(checked_number(call, "diverged", diverged, _DIVERGED)),
        sinks,
    )
    everything = tuple(training.groups)
    chosen = _chosen(everything, groups, optimizer)
    swept = tuple(everything[index] for index in chosen)
    held = tuple(group for index, group in enumerate(everything) if index not in chosen)
    largest = largest_base(call, swept)

    def factors(rate: float) -> list[float]:
        return [rate / largest if i in chosen else 1.0 for i in range(len(everything))]

    with preserved(training):
        seen = sweep(training, rates, factors, rules, call)
    found, lowest = suggestions(seen, metric, call)
    is_usual = metric == "loss" and not linear and not held
    return RangeTest(
        seen.rates,
        seen.losses,
        seen.smoothed,
        seen.positions,
        found,
        metric,
        swept,
        held,
        linear,
        seen.stopped,
        seen.steps,
        seen.evaluations,
        doubts(seen, lowest, found, held, measured=is_usual),
    )


# ------------------------------------------------------------------ what was asked for


def _checked_ends(call: str, low: float, high: float) -> tuple[float, float]:
    lowest, highest = (
        float(checked_number(call, name, value, _RATE))
        for name, value in (("low", low), ("high", high))
    )
    if not lowest < highest:
        raise InvalidValue(
            call,
            "{low} must lie below {high}",
            f"low={low!r} and high={high!r}",
            "Leave them out for the defaults.",
        )
    return lowest, highest


def _chosen(
    everything: Sequence[Group], groups: Sequence[str | int] | None, optimizer: int | None
) -> tuple[int, ...]:
    """Which groups to sweep, by number."""
    if groups is not None and optimizer is not None:
        raise InvalidValue(
            f"range_test(..., groups={groups!r}, optimizer={optimizer!r})",
            "only one of {groups} and {optimizer} can say what is swept",
            "both are given",
            "Leave one out.",
        )
    if optimizer is not None:
        return _of_optimizer(everything, optimizer)
    if groups is None:
        return tuple(range(len(everything)))
    call = f"range_test(..., groups={groups!r})"
    if isinstance(groups, str):
        raise InvalidType(
            call, "{groups} must be a list", "is a text", f"Write [{groups!r}].", "groups"
        )
    if not groups:
        raise InvalidValue(
            call,
            "{groups} must name at least one group",
            "it is empty",
            "Leave it out to sweep all.",
            "groups",
        )
    return tuple(sorted({_number_of(each, everything, call) for each in groups}))


def _of_optimizer(everything: Sequence[Group], optimizer: int) -> tuple[int, ...]:
    call = f"range_test(..., optimizer={optimizer!r})"
    there = sorted({group.optimizer for group in everything})
    number = checked_whole_number(call, "optimizer", optimizer, Range(minimum=0))
    if number not in there:
        raise InvalidValue(
            call,
            f"{{optimizer}} must be the number of an optimizer, {list_text(map(str, there), 'or')}",
            f"is {optimizer!r}",
            argument="optimizer",
        )
    return tuple(i for i, group in enumerate(everything) if group.optimizer == number)


def _number_of(wanted: str | int, everything: Sequence[Group], call: str) -> int:
    names = [group.name for group in everything]
    if not isinstance(wanted, str):
        number = checked_whole_number(call, "each of groups", wanted, Range())
        if 0 <= number < len(names):
            return number
    elif names.count(wanted) == 1:
        return names.index(wanted)
    several = "several groups have the name" if wanted in names else "there is no group"
    raise InvalidValue(
        call,
        f"{{groups}} holds unique names, or numbers from 0 to {len(names) - 1}",
        f"{several} {wanted!r}",
        f"The groups are {named(everything)}.",
        "groups",
    )


def _rates(low: float, high: float, steps: int, linear: bool) -> list[float]:
    shares = [index / (steps - 1) for index in range(steps)]
    if linear:
        return [low + (high - low) * share for share in shares]
    return [low * (high / low) ** share for share in shares]
