"""``run``: the loop that drives a training by a policy."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from stepsize.errors import InvalidType, InvalidValue, TrainingError
from stepsize.policy import Policy, PolicyState
from stepsize.schedules import Absolute, Schedule
from stepsize.signals import Decision, Observation, Sink, Stop, Tick
from stepsize.training._protocol import Group, Training

__all__ = ["Outcome", "run"]

Plan: TypeAlias = Schedule | Absolute | Policy

_SKIPS_IN_A_ROW = 1_000


@dataclass(frozen=True)
class Outcome:
    """How a run ended.

    Args:
        steps: Optimizer steps that ran.
        skipped: Steps whose update was skipped, for example by an AMP scaler.
        metrics: What ``evaluate`` measured at the end.
        stopped: The reason of the Stop decision that ended it early, else None.
        decisions: Every decision with the position at which it was taken.
    """

    steps: int
    skipped: int = 0
    metrics: Mapping[str, float] = field(default_factory=dict[str, float])
    stopped: str | None = None
    decisions: Sequence[tuple[int, Decision]] = ()


def run(
    training: Training,
    policy: Plan | Mapping[str, Plan],
    steps: int,
    sinks: Sequence[Sink] = (),
    *,
    evaluate_every: int | None = None,
) -> Outcome:
    """Train for ``steps`` optimizer steps at the rates that the policy gives.

    ``run`` owns the position: it asks the policy for the factors, advances only if the step ran,
    carries out the decisions and tells the sinks. The training is evaluated at the end, and every
    ``evaluate_every`` steps if given; controllers see both kinds of observation.

    Args:
        training: What is trained.
        policy: A schedule, ``Absolute(schedule)`` or ``Policy`` for the rate; or a mapping from
            quantity (``"lr"``, ``"weight_decay"``, ...) to these.
        steps: How many optimizer steps, >= 0.
        sinks: Each gets a ``Tick`` after every executed step and every evaluation.
        evaluate_every: Steps between evaluations.

    Returns:
        How it ended.

    Raises:
        InvalidValue: ``steps`` or ``evaluate_every`` is out of range.
        TrainingError: A group has base rate 0 under ``Absolute``; or 1,000 steps in a row were
            skipped.

    >>> from stepsize import Linear
    >>> from stepsize.testing.training import Bowl
    >>> outcome = run(Bowl(rate=0.5), Linear(20), steps=20)
    >>> outcome.steps, outcome.metrics["val_loss"] < 0.01
    (20, True)
    """
    _check_count("steps", steps, minimum=0)
    if evaluate_every is not None:
        _check_count("evaluate_every", evaluate_every, minimum=1)
    drive = _Drive(training, _by_quantity(policy))
    loop = _Loop(training, drive, sinks)
    while loop.position < steps and loop.stopped is None:
        loop.step()
        due = evaluate_every is not None and loop.position % evaluate_every == 0
        if due and loop.position < steps and loop.stopped is None:
            loop.evaluate()
    metrics = loop.evaluate()
    return Outcome(loop.position, loop.skipped, metrics, loop.stopped, tuple(loop.decisions))


def _check_count(name: str, value: object, minimum: int) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or value < minimum:
        raise InvalidValue(
            f"run(..., {name}={value!r}): {name} must be a whole number of at least {minimum}, "
            f"but is {value!r}."
        )


def _by_quantity(policy: Plan | Mapping[str, Plan]) -> Mapping[str, Policy]:
    given = policy if isinstance(policy, Mapping) else {"lr": policy}
    if not given:
        raise InvalidType(
            "run(training, {}): name at least one quantity. Example: {'lr': schedule}."
        )
    return {
        quantity: each if isinstance(each, Policy) else Policy(each)
        for quantity, each in given.items()
    }


class _Drive:
    """The policies of one run and their states."""

    def __init__(self, training: Training, policies: Mapping[str, Policy]) -> None:
        self._policies = policies
        self._states = {quantity: policy.init() for quantity, policy in policies.items()}
        self._groups = training.groups
        for quantity, policy in policies.items():
            if policy.absolute:
                _require_bases(quantity, policy, self._groups)

    def factors(self, position: int) -> dict[str, list[float]]:
        return {q: self._of(q, policy, position) for q, policy in self._policies.items()}

    def _of(self, quantity: str, policy: Policy, position: int) -> list[float]:
        value = policy.factor(self._states[quantity], position)
        if policy.absolute:
            return [value / group.base for group in self._groups]
        return [value] * len(self._groups)

    def rates(self, factors: Mapping[str, Sequence[float]]) -> dict[str, float]:
        """The values as ticks name them: rates for "lr", factors of the base for the rest."""
        named: dict[str, float] = {}
        for quantity, each in factors.items():
            values = [
                group.base * factor if quantity == "lr" else factor
                for group, factor in zip(self._groups, each, strict=True)
            ]
            named.update(named_by_group(quantity, [group.name for group in self._groups], values))
        return named

    def observe(self, observation: Observation) -> tuple[Decision, ...]:
        taken: list[Decision] = []
        for quantity, policy in self._policies.items():
            state: PolicyState = self._states[quantity]
            self._states[quantity], decisions = policy.observe(state, observation)
            taken.extend(decisions)
        return tuple(taken)


def _require_bases(quantity: str, policy: Policy, groups: Sequence[Group]) -> None:
    if quantity != "lr":
        raise TrainingError(
            f"run(..., {{{quantity!r}: {policy.schedule!r}}}): Absolute is for 'lr' here; a "
            f"training knows no base of {quantity!r}. Give multiples, or use attach in a loop."
        )
    zero = [group.name for group in groups if group.base == 0]
    if zero:
        raise TrainingError(
            f"run(..., {policy.schedule!r}): a group with base rate 0 cannot be brought to a rate "
            f"by a factor, but the base of {', '.join(map(repr, zero))} is 0. Give it a base rate."
        )


def named_by_group(
    quantity: str, names: Sequence[str], values: Sequence[float]
) -> dict[str, float]:
    """``{"lr": value}`` for one group, ``{"lr/<group>": value, ...}`` for several."""
    if len(values) == 1:
        return {quantity: values[0]}
    return {f"{quantity}/{name}": value for name, value in zip(names, values, strict=True)}


class _Loop:
    """The position and what has happened so far."""

    def __init__(self, training: Training, drive: _Drive, sinks: Sequence[Sink]) -> None:
        self._training = training
        self._drive = drive
        self._sinks = sinks
        self._skipped_in_a_row = 0
        self.position = 0
        self.skipped = 0
        self.stopped: str | None = None
        self.decisions: list[tuple[int, Decision]] = []

    def step(self) -> None:
        factors = self._drive.factors(self.position)
        observation = self._training.step(factors)
        if observation.stepped:
            self._tell(self._drive.rates(factors), observation)
            self.position += 1
            self._skipped_in_a_row = 0
        else:
            self._skip()

    def evaluate(self) -> Mapping[str, float]:
        metrics = self._training.evaluate()
        if metrics:
            self._tell({}, Observation(metrics))
        return metrics

    def _tell(self, rates: Mapping[str, float], observation: Observation) -> None:
        decisions = self._drive.observe(observation)
        for decision in decisions:
            self.decisions.append((self.position, decision))
            if isinstance(decision, Stop):
                self.stopped = decision.reason
        tick = Tick(self.position, rates, observation.metrics, decisions)
        for sink in self._sinks:
            sink(tick)

    def _skip(self) -> None:
        self.skipped += 1
        self._skipped_in_a_row += 1
        if self._skipped_in_a_row >= _SKIPS_IN_A_ROW:
            raise TrainingError(
                f"run(...): the last {_SKIPS_IN_A_ROW:,} updates were all skipped at position "
                f"{self.position}; the gradients have not been finite once. Lower the rate, check "
                "the data for NaN, or train without float16."
            )
