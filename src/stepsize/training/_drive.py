"""The policies of one run, by quantity, and their states."""

from collections.abc import Mapping, Sequence

from stepsize.errors import InvalidValue, TrainingError
from stepsize.policy import Answer, Policy, PolicyState, Rewound
from stepsize.signals import Decision, Observation, Rewind, named_by_group
from stepsize.training._protocol import Group, Training

__all__ = ["Drive"]


class Drive:
    """What each quantity follows, and how far that has come.

    Args:
        training: What is driven.
        policies: By quantity: one for all groups, or one for each optimizer.
    """

    def __init__(self, training: Training, policies: Mapping[str, Sequence[Policy]]) -> None:
        self._groups = training.groups
        self._quantities = tuple(policies)
        self._label: dict[tuple[str, int], str] = {}  # by quantity and group
        self.policies: dict[str, Policy] = {}
        optimizers = sorted({group.optimizer for group in self._groups})
        for quantity, given in policies.items():
            if len(given) > 1 and len(given) != len(optimizers):
                raise InvalidValue(
                    f"run(..., {quantity!r}: {len(given)} plans): there must be one plan, or one "
                    f"for each optimizer, but the training has {len(optimizers)} optimizer(s)."
                )
            labels = [f"{quantity} of optimizer {number}" for number in optimizers]
            for policy, label in zip(given, labels if len(given) > 1 else [quantity], strict=True):
                self.policies[label] = policy
            for index, group in enumerate(self._groups):
                each = optimizers.index(group.optimizer) if len(given) > 1 else 0
                self._label[quantity, index] = labels[each] if len(given) > 1 else quantity
                if given[each].absolute:
                    _require_base(quantity, given[each], group)
        self.states: Mapping[str, PolicyState] = {
            label: policy.init() for label, policy in self.policies.items()
        }

    def factors(self, position: int) -> dict[str, list[float]]:
        """What each group is driven at."""
        values = {
            label: policy.factor(self.states[label], position)
            for label, policy in self.policies.items()
        }
        factors: dict[str, list[float]] = {quantity: [] for quantity in self._quantities}
        for (quantity, index), label in self._label.items():
            absolute = self.policies[label].absolute
            base = self._groups[index].base if absolute else 1.0
            factors[quantity].append(values[label] / base)
        return factors

    def factors_without_rate(self, position: int) -> dict[str, list[float]]:
        """The same, with the rate 0: a step at these leaves the parameters as they are."""
        return {**self.factors(position), "lr": [0.0] * len(self._groups)}

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

    def observe(self, observation: Observation) -> Sequence[tuple[str, Decision]]:
        """Ask the controllers of every policy; returns each decision with the policy's name."""
        taken: list[tuple[str, Decision]] = []
        states = dict(self.states)
        for quantity, policy in self.policies.items():
            states[quantity], decisions = policy.observe(states[quantity], observation)
            taken.extend((quantity, decision) for decision in decisions)
        self.states = states
        return taken

    def unended(self, rewinds: Mapping[str, Rewind], seen: float) -> Rewound | None:
        """The last rewind, if the trouble that was noticed at ``seen`` is the same again."""
        last = [self.policies[name].unended(self.states[name], seen) for name in rewinds]
        return max(
            (each for each in last if each is not None),
            key=lambda each: (each.repeats, each.cuts),
            default=None,
        )

    def rewind(
        self,
        rewinds: Mapping[str, Rewind],
        earlier: Mapping[str, PolicyState],
        at: float,
        seen: float,
        answer: Answer,
    ) -> None:
        """Take all policies back together; the answer is that of those that decided so."""
        self.states = {
            name: policy.rewind(
                self.states[name], earlier[name], rewinds[name], at=at, seen=seen, answer=answer
            )
            if name in rewinds
            else policy.go_back(self.states[name], earlier[name])
            for name, policy in self.policies.items()
        }


def _require_base(quantity: str, policy: Policy, group: Group) -> None:
    if quantity != "lr":
        raise TrainingError(
            f"run(..., {{{quantity!r}: {policy.schedule!r}}}): Absolute is for 'lr' here; a "
            f"training knows no base of {quantity!r}. Give multiples, or use attach in a loop."
        )
    if group.base == 0:
        raise TrainingError(
            f"run(..., {policy.schedule!r}): a group with base rate 0 cannot be brought to a rate "
            f"by a factor, but the base of {group.name!r} is 0. Give it a base rate."
        )
