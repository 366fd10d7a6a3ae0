"""``trials``: the same training under several policies, over several seeds."""

import inspect
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias, cast
from unicodedata import east_asian_width

import numpy as np
from numpy.typing import NDArray

from stepsize.checks import (
    STEPS,
    Range,
    checked_choice,
    checked_instance,
    checked_number,
    checked_whole_number,
)
from stepsize.errors import InvalidType, InvalidValue, StepsizeError, TrainingError
from stepsize.plot.trials import TrialCurves, plot_trials
from stepsize.renames import renamed_arguments
from stepsize.signals import Sink, Tick
from stepsize.training._confidence import Interval, confidence_interval
from stepsize.training._protocol import Training, preserved
from stepsize.training._run import Outcome, Plan, run

__all__ = ["TrialRun", "Trials", "trials"]

Array: TypeAlias = NDArray[np.float64]
MakeTraining: TypeAlias = Callable[[int], Training]
OpenSink: TypeAlias = Callable[[str, int], AbstractContextManager[Sink | None]]

_AVERAGED_STEPS: Final = 20
_CONFIDENCE: Final = Range(above=0, below=1, remedy="Example: 0.95.")
_SEED: Final = Range(remedy="Example: seeds=3, which is seeds=[0, 1, 2].")


@dataclass(frozen=True)
class TrialRun:
    """One policy on one seed.

    Args:
        seed: What ``training`` was called with.
        losses: The training loss at each executed step; shape (n,), NaN where none was measured.
        outcome: How the run ended.
    """

    seed: int
    losses: Array
    outcome: Outcome

    @property
    def metrics(self) -> Mapping[str, float]:
        """The metrics at the end: what ``evaluate`` measured, and ``"loss"``.

        Unless ``evaluate`` has that name, it is the training loss averaged over the last 20 steps.
        """
        last = self.losses[-_AVERAGED_STEPS:].tolist()
        loss = sum(value / len(last) for value in last) if last else math.nan
        return {**self.outcome.metrics, "loss": self.outcome.metrics.get("loss", loss)}

    @property
    def diverged(self) -> bool:
        """Whether a loss or a final metric was not finite."""
        return not (
            np.isfinite(self.losses).all() and all(map(math.isfinite, self.metrics.values()))
        )


@dataclass(frozen=True, repr=False)
class Trials:
    """Policies side by side over the same seeds.

    Printed, it is a table: each policy's mean of each metric with its confidence interval, and the
    paired differences from the first policy. The differences tell more, because what a seed does to
    all policies alike cancels.

    Args:
        steps: Optimizer steps of a run.
        seeds: What the trainings were made with.
        confidence: Of every interval, taken alone: of twenty 95 % intervals one misses.
        runs: By policy, one run per seed, in the order of ``seeds``.
    """

    steps: int
    seeds: tuple[int, ...]
    confidence: float
    runs: Mapping[str, Sequence[TrialRun]] = field(hash=False)

    @property
    def names(self) -> tuple[str, ...]:
        """The policies, in the order in which they were given."""
        return tuple(self.runs)

    @property
    def metrics(self) -> tuple[str, ...]:
        """What was measured at the end: what ``evaluate`` gives, and the training loss."""
        every = (one.metrics for runs in self.runs.values() for one in runs)
        return tuple(dict.fromkeys(name for metrics in every for name in metrics))

    def values(self, name: str, metric: str | None = None) -> Array:
        """What the runs of a policy ended with.

        Args:
            name: The policy.
            metric: One of ``metrics``; the first if not given.

        Returns:
            One value per seed; NaN where a run did not measure it.

        Raises:
            InvalidValue: There is no such policy or metric.
        """
        chosen = self._metric(metric)
        checked_choice(f"Trials.values({name!r})", "name", name, self.names)
        return np.array([one.metrics.get(chosen, math.nan) for one in self.runs[name]])

    def interval(self, name: str, metric: str | None = None) -> Interval:
        """The mean over the seeds and its confidence interval; arguments as in ``values``."""
        return confidence_interval(self.values(name, metric).tolist(), self.confidence)

    def difference(
        self, name: str, metric: str | None = None, against: str | None = None
    ) -> Interval:
        """How much a policy ended above another on the same seeds: mean and confidence interval.

        Args:
            name: The policy.
            metric: As in ``values``.
            against: What it is compared with; the first policy if not given.
        """
        other = self.values(self.names[0] if against is None else against, metric)
        return confidence_interval((self.values(name, metric) - other).tolist(), self.confidence)

    def plot(self, metric: str | None = None) -> Any:
        """A picture: the losses of all runs, the metric with intervals, and the differences.

        Args:
            metric: As in ``values``.

        Returns:
            The matplotlib ``Figure``.

        Raises:
            InvalidValue: There is no such metric.
            MissingExtra: matplotlib is not installed.
        """
        chosen = self._metric(metric)
        curves = {
            name: TrialCurves(
                losses=[one.losses for one in runs],
                values=self.values(name, chosen),
                interval=_ends(self.interval(name, chosen)),
                difference=_ends(self.difference(name, chosen)),
            )
            for name, runs in self.runs.items()
        }
        return plot_trials(curves, metric=chosen, confidence=self.confidence)

    def _metric(self, metric: str | None) -> str:
        if metric is None:
            return self.metrics[0]
        return checked_choice("Trials", "metric", metric, self.metrics)

    def __repr__(self) -> str:
        each = "1 seed" if len(self.seeds) == 1 else f"{len(self.seeds)} seeds"
        what = (
            "no intervals: one seed shows no spread"
            if len(self.seeds) == 1
            else f"mean ± half of the {self.confidence * 100:.4g} % confidence interval"
        )
        lines = [f"{each} ({', '.join(map(str, self.seeds))}), {self.steps:,} steps: {what}"]
        first, *others = self.names
        diverged = {name: sum(one.diverged for one in runs) for name, runs in self.runs.items()}
        header = ["", *self.metrics, *(["diverged"] if any(diverged.values()) else [])]
        rows = [
            [name, *(str(self.interval(name, metric)) for metric in self.metrics)]
            + ([f"{diverged[name]} of {len(self.seeds)}"] if any(diverged.values()) else [])
            for name in self.names
        ]
        lines += _columns([header, *rows])
        if others:
            lines += ["", f"difference from {first!r} on the same seeds:"]
            compared = [
                [name, *(_marked(self.difference(name, metric)) for metric in self.metrics)]
                for name in others
            ]
            lines += _columns([["", *self.metrics], *compared])
            if any("*" in cell for row in compared for cell in row[1:]):
                lines.append("* the interval does not hold 0")
        return "\n".join(lines)


@renamed_arguments(watch="open_sink")
def trials(
    training: MakeTraining,
    policies: Mapping[str, Plan | Mapping[str, Plan]],
    steps: int,
    seeds: int | Sequence[int] = 3,
    *,
    confidence: float = 0.95,
    open_sink: OpenSink | None = None,
) -> Trials:
    """Train under each policy on each seed, and compare.

    For each seed one training is made, and every policy starts from it as it was made: the same
    weights, the same data in the same order. So the differences between policies are paired.

    Args:
        training: ``training(seed)`` -> a training whose initial weights, order of the data and
            other randomness follow from the seed. (A training itself will not do: the ``Training``
            protocol has no way to seed one.)
        policies: By name, a schedule, ``Absolute(schedule)``, a ``Policy``, or a mapping from
            quantity to these, as ``run`` takes them. The first is what the others are compared
            with.
        steps: Optimizer steps of each run, >= 1.
        seeds: How many, counted from 0; or the seeds themselves.
        confidence: Of the intervals, above 0 and below 1.
        open_sink: ``open_sink(name, seed)`` -> a context manager around that run whose sink gets
            its ticks, such as a ``Recorder`` or a ``LiveLine``.

    Returns:
        The runs; printed, a table.

    Raises:
        InvalidType: ``training`` is not a function of a seed, ``policies`` is not a mapping, or an
            argument is not a number.
        InvalidValue: A number is out of range, there is no policy, or a seed comes twice.
        TrainingError: A run failed; or two seeds gave the same losses: the seed is not used.

    >>> from stepsize import Constant, Linear
    >>> from stepsize.testing.training import Bowl
    >>> compared = trials(
    ...     lambda seed: Bowl(rate=0.5, noise=0.3, seed=seed),
    ...     {"linear": Linear(100), "constant": Constant()},
    ...     steps=100,
    ...     seeds=5,
    ... )
    >>> compared.difference("constant", "val_loss").low > 0
    True
    """
    call = f"trials(..., steps={steps!r}, seeds={seeds!r}, confidence={confidence!r})"
    _require_maker(call, training)
    _require_policies(call, policies)
    count = checked_whole_number(call, "steps", steps, STEPS)
    share = float(checked_number(call, "confidence", confidence, _CONFIDENCE))
    chosen = _checked_seeds(call, seeds)
    runs: dict[str, list[TrialRun]] = {name: [] for name in policies}
    for seed in chosen:
        fresh = _made(training, seed)
        for name, policy in policies.items():
            # Whatever a policy did to it, the next one gets the training as it was made.
            opened = open_sink(name, seed) if open_sink else nullcontext()
            with preserved(fresh), opened as sink:
                runs[name].append(_attempt(fresh, name, policy, count, seed, sink))
            _require_different(runs[name])
    return Trials(count, chosen, share, runs)


# ------------------------------------------------------------------ one run


class _Losses:
    """A sink that keeps the losses."""

    def __init__(self) -> None:
        self.values: list[float] = []

    def __call__(self, tick: Tick) -> None:
        if tick.quantities:
            self.values.append(tick.metrics.get("loss", math.nan))


def _attempt(
    training: Training,
    name: str,
    policy: Plan | Mapping[str, Plan],
    steps: int,
    seed: int,
    sink: Sink | None,
) -> TrialRun:
    losses = _Losses()
    sinks: list[Sink] = [losses] if sink is None else [losses, sink]
    try:
        outcome = run(training, policy, steps, sinks)
    except Exception as error:
        raise TrainingError(
            "trials(...)",
            "every run must reach its end",
            f"{name!r} at seed {seed} failed after {len(losses.values):,} steps with "
            f"{type(error).__name__}: {error}",
        ) from error
    return TrialRun(seed, np.array(losses.values, dtype=np.float64), outcome)


def _made(training: MakeTraining, seed: int) -> Training:
    try:
        made = training(seed)
    except StepsizeError:
        raise
    except Exception as error:
        raise TrainingError(
            "trials(training, ...)",
            "training(seed) must return a training",
            f"training({seed}) raised {type(error).__name__}: {error}",
        ) from error
    if not isinstance(made, Training):
        raise InvalidType(
            "trials(training, ...)",
            "training(seed) must return a training",
            f"training({seed}) returned a {type(made).__name__}",
            "Return a TorchTraining(model, optimizer, ...).",
            "training",
        )
    return made


def _require_different(runs: Sequence[TrialRun]) -> None:
    if len(runs) < 2:
        return
    before, latest = runs[-2:]
    if np.array_equal(before.losses, latest.losses, equal_nan=True):
        raise TrainingError(
            "trials(training, ...)",
            "the seed must decide the initial weights and the order of the data",
            f"seeds {before.seed} and {latest.seed} gave the same loss at every step",
            "Use it: torch.manual_seed(seed) before the model is built; or give seeds=1.",
        )


# ------------------------------------------------------------------ what is asked for


def _require_maker(call: str, training: Any) -> None:
    if isinstance(training, Training) or not callable(training) or not _takes_a_seed(training):
        raise InvalidType(
            call,
            "{training} must be a function of the seed",
            f"is {training!r}",
            "Write def training(seed): ... that builds the model and returns a TorchTraining.",
            "training",
        )


def _require_policies(call: str, policies: Any) -> None:
    example = "Example: {'cosine': Cosine(1000), 'linear': Linear(1000)}."
    checked_instance(call, "policies", policies, Mapping, "a mapping", example)
    if not policies:
        raise InvalidValue(
            call, "{policies} must hold at least one policy", "there is none", example, "policies"
        )


def _checked_seeds(call: str, seeds: Any) -> tuple[int, ...]:
    """The seeds themselves, from their number or from a list of them."""
    if isinstance(seeds, str) or not isinstance(seeds, Iterable):
        return tuple(range(checked_whole_number(call, "seeds", seeds, Range(minimum=1))))
    chosen = tuple(
        checked_whole_number(call, "each of seeds", seed, _SEED)
        for seed in cast(Iterable[Any], seeds)
    )
    if not chosen or len(set(chosen)) < len(chosen):
        raise InvalidValue(
            call,
            "{seeds} must be how many, at least 1, or different whole numbers",
            "a seed comes twice" if chosen else "it is empty",
            _SEED.remedy,
            "seeds",
        )
    return chosen


def _takes_a_seed(training: Callable[..., Any]) -> bool:
    try:
        inspect.signature(training).bind(0)
    except TypeError:
        return False
    except ValueError:  # a builtin without a signature: calling it will tell
        return True
    return True


# ------------------------------------------------------------------ as text and picture


def _ends(interval: Interval) -> tuple[float, float, float]:
    return interval.low, interval.mean, interval.high


def _marked(difference: Interval) -> str:
    sign = "+" if difference.mean > 0 else ""
    return f"{sign}{difference}{' *' if difference.excludes_zero else ''}"


def _columns(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(map(_cells, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            cell + " " * (width - _cells(cell)) for cell, width in zip(row, widths, strict=True)
        ).rstrip()
        for row in rows
    ]


def _cells(text: str) -> int:
    """How many columns of a terminal the text takes."""
    return sum(2 if east_asian_width(character) in "WF" else 1 for character in text)
