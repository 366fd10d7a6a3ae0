"""The policies of one run on one driver, and what they give a training: factors by group."""

from collections.abc import Mapping, Sequence
from typing import TypeAlias

from stepsize.driving import (
    Driver,
    Followed,
    Key,
    Policy,
    Progress,
    Rule,
    TrackId,
    named_by_group,
)
from stepsize.errors import InvalidValue, TrainingError
from stepsize.training._protocol import Group

__all__ = ["PoliciesByQuantity", "driver_of", "factors_at", "rates_of", "track_names", "zero_rates"]

PoliciesByQuantity: TypeAlias = Mapping[str, Sequence[Policy]]
"""By quantity: one policy for all groups, or one for each optimizer."""


def driver_of(groups: Sequence[Group], policies: PoliciesByQuantity) -> Driver:
    """What drives these groups: each quantity by one rule, or by one for each optimizer.

    Raises:
        InvalidValue: A quantity has neither one policy nor one for each optimizer.
        TrainingError: A policy is ``Absolute`` where a training knows no base.
    """
    optimizers = _optimizers(groups)
    rules: dict[Key, Sequence[Rule]] = {}
    for quantity, given in policies.items():
        if len(given) not in (1, len(optimizers)):
            raise InvalidValue(
                f"run(..., {quantity!r}: {len(given)} plans)",
                "there must be one plan, or one for each optimizer",
                f"the training has {len(optimizers)} optimizer(s)",
                argument="policy",
            )
        if len(given) == 1:
            rules[quantity] = [Rule(given[0], everything=True)]
            continue
        rules[quantity] = [
            Rule(policy, indices=frozenset(i for i, g in enumerate(groups) if g.optimizer == each))
            for policy, each in zip(given, optimizers, strict=True)
        ]
    driver = Driver(rules)
    named = [{"name": group.name} for group in groups]
    followed = [
        {key: Followed(rule, 1.0) for key, rule in driver.rules_of(index, group)}
        for index, group in enumerate(named)
    ]
    for group, each in zip(groups, followed, strict=True):
        for key, (rule, _) in each.items():
            if driver.rules[key][rule].policy.absolute:
                _require_base(str(key), driver.rules[key][rule].policy, group)
    return driver.with_groups(named, followed)


def _optimizers(groups: Sequence[Group]) -> Sequence[int]:
    return sorted({group.optimizer for group in groups})


def _require_base(quantity: str, policy: Policy, group: Group) -> None:
    if quantity != "lr":
        raise TrainingError(
            f"run(..., {{{quantity!r}: {policy.schedule!r}}})",
            "Absolute is for 'lr' here",
            f"a training knows no base of {quantity!r}",
            "Give multiples, or use attach in a loop.",
        )
    if group.base == 0:
        raise TrainingError(
            f"run(..., {policy.schedule!r})",
            "a group is brought to a rate by a factor of its base rate",
            f"the base of {group.name!r} is 0",
            "Give it a base rate.",
        )


def factors_at(
    driver: Driver, progress: Progress, position: float, groups: Sequence[Group]
) -> dict[str, list[float]]:
    """What each group is driven at: multiples of its base."""
    factors = {str(key): [0.0] * len(groups) for key in driver.rules}
    for track in driver.tracks(progress):
        value = track.factor(position)
        for index in track.groups:
            base = groups[index].base if track.policy.absolute else 1.0
            factors[str(track.id.key)][index] = value / base
    return factors


def zero_rates(factors: Mapping[str, Sequence[float]], count: int) -> dict[str, Sequence[float]]:
    """The same, with the rate 0: a step at these leaves the parameters as they are."""
    return {**factors, "lr": [0.0] * count}


def rates_of(factors: Mapping[str, Sequence[float]], groups: Sequence[Group]) -> dict[str, float]:
    """The values as ticks name them: rates for "lr", multiples of the base for the rest."""
    names = [group.name for group in groups]
    named: dict[str, float] = {}
    for quantity, each in factors.items():
        values = [
            group.base * factor if quantity == "lr" else factor
            for group, factor in zip(groups, each, strict=True)
        ]
        named.update(named_by_group(quantity, names, values))
    return named


def track_names(driver: Driver, groups: Sequence[Group]) -> Mapping[TrackId, str]:
    """What messages, and checkpoints of version 1, call each track."""
    optimizers = _optimizers(groups)
    return {
        TrackId(key, number): str(key)
        if len(rules) == 1
        else f"{key} of optimizer {optimizers[number]}"
        for key, rules in driver.rules.items()
        for number in range(len(rules))
    }
