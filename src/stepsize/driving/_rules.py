"""Which groups follow which policy, also those that are added later."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias, overload

from stepsize.driving._policy import Policy
from stepsize.driving._quantities import Group, GroupPlaces, Key, Selector, describe_group, name_of
from stepsize.errors import AttachmentError, InvalidType, InvalidValue
from stepsize.schedules import Absolute, Schedule

__all__ = ["Plan", "Plans", "Rule", "Rules", "checked_policy", "numbered_rules", "selected_plans"]

Plan: TypeAlias = Schedule | Absolute | Policy
"""What a quantity of a group follows."""

Plans: TypeAlias = Plan | Mapping[Selector, Plan]
"""One plan for all groups, or a plan for each of several selections of groups."""


@dataclass(frozen=True)
class Rule:
    """Which groups follow a policy.

    Args:
        policy: What they follow.
        everything: All groups do, also those added later.
        indices: These do.
        names: Groups of these names do, also those added later.
        predicates: Groups for which one of them is true do, also those added later.
    """

    policy: Policy
    everything: bool = False
    indices: frozenset[int] = frozenset()
    names: frozenset[str] = frozenset()
    predicates: tuple[Callable[[Group], bool], ...] = ()


class Rules(Sequence[Rule]):
    """The rules of one quantity, and quickly which of them a group follows.

    Args:
        key: The quantity.
        rules: Its rules; a group is meant by at most one of them.
    """

    def __init__(self, key: Key, rules: Sequence[Rule]) -> None:
        self._key = key
        self._rules = tuple(rules)
        self._general = [n for n, rule in enumerate(rules) if rule.everything or rule.predicates]
        self._by_index: dict[int, list[int]] = {}
        self._by_name: dict[str, list[int]] = {}
        for number, rule in enumerate(rules):
            for index in rule.indices:
                self._by_index.setdefault(index, []).append(number)
            for name in rule.names:
                self._by_name.setdefault(name, []).append(number)

    def __len__(self) -> int:
        return len(self._rules)

    @overload
    def __getitem__(self, number: int) -> Rule: ...
    @overload
    def __getitem__(self, number: slice) -> Sequence[Rule]: ...
    def __getitem__(self, number: int | slice) -> Rule | Sequence[Rule]:
        return self._rules[number]

    def of(self, index: int, group: Group) -> int | None:
        """The number of the rule that a group follows; None if it follows none.

        Raises:
            AttachmentError: Several rules mean it.
        """
        name = group.get("name")
        found = {
            *self._by_index.get(index, ()),
            *(self._by_name.get(name, ()) if isinstance(name, str) else ()),
            *(n for n in self._general if _means(self._rules[n], group)),
        }
        if len(found) > 1:
            raise AttachmentError(
                f"attach(..., {name_of(self._key)}={{...}})",
                "a group follows one schedule",
                f"group {describe_group(index, group)} is meant by several keys",
                "Make them exclude each other.",
            )
        return next(iter(found), None)


def _means(rule: Rule, group: Group) -> bool:
    return rule.everything or any(each(group) for each in rule.predicates)


# ------------------------------------------------------------------ what was given


def checked_policy(call: str, plan: Any) -> Policy:
    """The policy that was given, or that of a schedule alone.

    Raises:
        InvalidType: It is neither. A torch scheduler and a function are told what to write.
    """
    if isinstance(plan, Policy):
        return plan
    if isinstance(plan, Schedule | Absolute):
        return Policy(plan)
    remedy = "For a constant write Constant(); a text goes through parse(text)."
    if hasattr(plan, "get_last_lr") or hasattr(plan, "last_epoch"):
        remedy = (
            "To take over a torch scheduler write from_scheduler(it).attach(); where a framework "
            "wants a torch scheduler, Scheduler(optimizer, schedule)."
        )
    elif callable(plan):
        remedy = "A function of the position becomes a schedule by Function(it)."
    raise InvalidType(
        call,
        "a quantity follows a schedule, Absolute(schedule), a Policy, or a dictionary from group "
        "to one of these",
        f"this is {plan!r} ({type(plan).__name__})",
        remedy,
    )


def selected_plans(call: str, value: Any) -> Sequence[tuple[Policy, Sequence[Selector] | None]]:
    """Each policy with the selectors of its groups; None means all.

    Groups whose policies are equal share one: they are computed once.

    Raises:
        InvalidType: Something is not a plan.
        InvalidValue: A dictionary is empty.
    """
    if not isinstance(value, Mapping):
        return [(checked_policy(call, value), None)]
    given: Mapping[Selector, Any] = value  # pyright: ignore[reportUnknownVariableType]
    if not given:
        raise InvalidValue(
            call, "a dictionary names groups", "it is empty", "Give it a schedule for a group."
        )
    shared = _Shared()
    for selector, plan in given.items():
        shared.add(checked_policy(call, plan), selector)
    return shared.found


@dataclass
class _Shared:
    """Equal policies, found by the hash of the schedule: settings of controllers may have none."""

    found: list[tuple[Policy, list[Selector]]] = field(
        default_factory=list[tuple[Policy, list[Selector]]]
    )
    by_schedule: dict[Any, list[tuple[Policy, list[Selector]]]] = field(
        default_factory=dict[Any, list[tuple[Policy, list[Selector]]]]
    )

    def add(self, policy: Policy, selector: Selector) -> None:
        alike = self.by_schedule.setdefault(policy.schedule, [])
        for known, selectors in alike:
            if known == policy:
                selectors.append(selector)
                return
        alike.append((policy, [selector]))
        self.found.append(alike[-1])


def numbered_rules(
    call: str,
    plans: Sequence[tuple[Policy, Sequence[Selector] | None]],
    optimizers: Sequence[Sequence[Group]],
) -> Sequence[Sequence[Rule]]:
    """For each optimizer the rules of one quantity: indices count through all groups.

    Raises:
        InvalidType: A selector is neither an index, nor a name, nor a predicate.
        InvalidValue: There is no group of an index or name.
    """
    places = GroupPlaces(optimizers)
    rules: list[list[Rule]] = [[] for _ in optimizers]
    for policy, selectors in plans:
        if selectors is None:
            for own in rules:
                own.append(Rule(policy, everything=True))
            continue
        # Names and predicates find groups that are added later, too.
        now = {each: places.select(call, each) for each in selectors if not callable(each)}
        found = [place for each, at in now.items() if isinstance(each, int) for place in at]
        names = frozenset(each for each in selectors if isinstance(each, str))
        predicates = tuple(each for each in selectors if callable(each))
        by_optimizer: dict[int, set[int]] = {}
        for number, index in found:
            by_optimizer.setdefault(number, set()).add(index)
        for number, own in enumerate(rules):
            indices = frozenset(by_optimizer.get(number, ()))
            own.append(Rule(policy, indices=indices, names=names, predicates=predicates))
    return rules
