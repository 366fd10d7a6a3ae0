"""``attach``: quantities of an optimizer's groups follow schedules, step by step."""

import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, TypeAlias, cast
from weakref import ref

from stepsize.checks import Range, checked_number
from stepsize.errors import AttachmentError, InvalidType, InvalidValue, StepsizeWarning
from stepsize.policy import Policy
from stepsize.schedules import Absolute, Schedule
from stepsize.signals import Sink
from stepsize.torch._advice import advise, checked_steps
from stepsize.torch._attachment import Attachment
from stepsize.torch._engine import Clock, Engine, OptimizerLike
from stepsize.torch._groups import Key, Selector, label, select_numbered
from stepsize.torch._rescue import Rescue
from stepsize.torch._roster import Rule
from stepsize.training import Ring

__all__ = ["attach"]

_POSITION = Range(minimum=0, maximum=2**53, remedy="It counts the optimizer steps so far.")

Plan: TypeAlias = Schedule | Absolute | Policy
"""What a quantity of a group follows."""

Value: TypeAlias = Plan | Mapping[Selector, Plan]
"""One plan for all groups, or a plan for each of several selections of groups."""

_NOTHING: Mapping[Key, Value] = MappingProxyType({})


def attach(
    optimizer: OptimizerLike | Sequence[OptimizerLike],
    lr: Value | None = None,
    *,
    also: Mapping[Key, Value] = _NOTHING,
    clock: Clock | None = None,
    position: float = 0,
    steps: int | None = None,
    sinks: Iterable[Sink] = (),
    snapshot: Callable[[], Any] | None = None,
    restore: Callable[[Any], object] | None = None,
    ring: Ring | None = None,
    **quantities: Value,
) -> Attachment:
    """Let an optimizer's rate, and any other quantity of its groups, follow a schedule.

    Nothing else is to be called: the position is the number of executed ``optimizer.step()``. The
    values of position 0 are written at once, so the first update uses ``schedule(0)``; those of the
    next position after each executed step. A step that AMP skips does not count.

    The rate of a group is (base · schedule(position)) · scale, where the base is the group's value
    when it is attached. Groups added later follow their own base. Quantities that are not named are
    not touched.

    Args:
        optimizer: A torch optimizer, or several: they get one handle and one state, each counts its
            own steps, and their groups are numbered through. An object with ``param_groups`` but
            without step hooks is driven by ``rate.step()``.
        lr: A schedule, ``Absolute(schedule)``, a ``Policy``, or a dictionary from group (index,
            name or predicate) to one of these; groups that it does not mean are left alone.
        also: The same for quantities whose names are no keywords: ``{("betas", 0): schedule}``.
        clock: Reads how many units (tokens, samples, epochs) were consumed; read after each
            executed step, its reading is the position. It must never go back.
        position: The position of the next step, to go on with a run whose first steps were not
            followed. A state that is loaded brings its own; a clock, its reading.
        steps: Length of the run, in units of the clock: the schedule is checked against it. None if
            unknown.
        sinks: Each gets a ``Tick`` after each executed step and each observation.
        snapshot: Gives a copy of model and optimizer, for a controller that decides ``Rewind``.
            Called within ``rate.observe``, if nothing is wrong there.
        restore: Puts such a copy back. It gets a deep copy of the kept one, so going back costs the
            memory of one more. Positions stay where they are, so the schedule ends where the loop
            does.
        ring: How often snapshots are taken and how many are kept; ``Ring()`` if not given.
        **quantities: The same for other quantities: ``weight_decay=...``, ``momentum=...``.

    Returns:
        The handle. It may be dropped; the optimizer keeps what it needs.

    Raises:
        AttachmentError: A quantity does not exist, or is driven already.
        InvalidType: A value is no schedule, or the optimizer has no ``param_groups``.
        InvalidValue: No quantity is named, a group does not exist, a position is negative or given
            beside a clock, or only one of ``snapshot`` and ``restore`` is given.

    Warns:
        ScheduleWarning: A schedule of ``lr`` is hardly what was meant: see docs/en/lint.md.
        StepsizeWarning: The object has no hooks: ``rate.step()`` must be called. Later, once: steps
            go on after a falling schedule of ``lr`` has ended.
        ForeignWrite: Once, later: somebody else wrote a driven quantity. Sixteen groups are looked
            at per step, so that one write to one of very many groups can escape.

    >>> import torch
    >>> from stepsize import Absolute, Linear
    >>> from stepsize.torch import attach
    >>> optimizer = torch.optim.SGD([torch.zeros(1)], lr=0.5, momentum=0.9)
    >>> schedule = Linear(2, start=0.5, end=1) >> Linear(2)
    >>> rate = attach(optimizer, schedule, momentum=Absolute(Linear(4, 0.85, 0.95)))
    >>> for _ in range(4):
    ...     optimizer.step()
    ...     print(rate.current, rate.next)
    [0.25] [0.375]
    [0.375] [0.5]
    [0.5] [0.25]
    [0.25] [0.0]
    >>> rate.of("momentum").next
    [0.95]
    """
    length = checked_steps(steps)
    start = checked_number(f"attach(..., position={position!r})", "position", position, _POSITION)
    if start and clock is not None:
        raise InvalidValue(
            f"attach(..., clock={clock!r}, position={position!r}): with a clock its reading is the "
            f"position, but {position!r} is given, too. Leave it out, or set the clock."
        )
    optimizers = _optimizers(optimizer)
    keywords: dict[str, Value] = {**({} if lr is None else {"lr": lr}), **quantities}
    twice = keywords.keys() & also.keys()
    if twice:
        raise InvalidValue(
            f"attach(..., also={dict(also)!r}): a quantity is named once, but "
            f"{', '.join(map(str, twice))} is a keyword, too. Leave one out."
        )
    named: dict[Key, Value] = {**keywords, **also}
    if not named:
        raise InvalidValue(
            "attach(optimizer): at least one quantity must be named. "
            "Example: attach(optimizer, Cosine(1000))."
        )
    sinks = tuple(sinks)
    rescue = Rescue(snapshot, restore, ring)
    plans = {key: _plans(f"attach(..., {label(key)}=...)", value) for key, value in named.items()}
    rules = {key: _rules(label(key), plan, optimizers) for key, plan in plans.items()}
    engines = [
        Engine(
            each,
            {key: rules[key][number] for key in rules},
            clock,
            sinks,
            prefix=f"{number}." if len(optimizers) > 1 else "",
        )
        for number, each in enumerate(optimizers)
    ]
    for key in named:
        _refuse_without_effect(key, engines)
    for engine in engines:
        if clock is None:
            engine.position = start
        engine.connect()
    advise(engines, length)
    unhooked = [engine.kind for engine in engines if not engine.hooked]
    if unhooked:
        warnings.warn(
            f"attach(...): {', '.join(unhooked)} has no step hooks. "
            "Call rate.step() after each of its steps; nothing moves the rate otherwise.",
            StepsizeWarning,
            stacklevel=2,
        )
    return Attachment(engines, "lr" if "lr" in named else next(iter(named)), rescue)


# ------------------------------------------------------------------ what was given


def _optimizers(given: Any) -> Sequence[OptimizerLike]:
    optimizers = cast(Sequence[Any], given if isinstance(given, list | tuple) else [given])
    for optimizer in optimizers:
        kind, groups = type(optimizer).__name__, getattr(optimizer, "param_groups", None)
        if not isinstance(groups, list) or not groups:
            raise InvalidType(
                f"attach({optimizer!r}): an optimizer has param_groups, a list of at least one "
                f"group, but this is a {kind} with {groups!r}. Pass the optimizer, or a list."
            )
        try:
            hash(ref(optimizer))
            if hasattr(optimizer, "register_step_post_hook"):
                optimizer.register_step_post_hook(_nothing).remove()
        except (AttributeError, TypeError) as error:
            raise InvalidType(
                f"attach({kind}(...)): what is driven must work with hooks and weak references, "
                f"but {error}. If it wraps an optimizer, attach to that one, often "
                ".optimizer."
            ) from error
    if not optimizers or len({id(each) for each in optimizers}) < len(optimizers):
        raise InvalidValue(
            f"attach({optimizers!r}): a list of optimizers names at least one, and each once."
        )
    return optimizers


def _nothing(*_: object) -> None:
    """A hook that is removed before any step."""


def _plans(call: str, value: Value) -> Sequence[tuple[Policy, Sequence[Selector] | None]]:
    """Each policy with the selectors of its groups; None means all."""
    if not isinstance(value, Mapping):
        return [(_policy(call, value), None)]
    if not value:
        raise InvalidValue(f"{call}: the dictionary is empty. Give it a schedule for a group.")
    merged: list[tuple[Policy, list[Selector]]] = []
    for selector, plan in value.items():
        policy = _policy(call, plan)
        for known, selectors in merged:
            if known == policy:
                selectors.append(selector)
                break
        else:
            merged.append((policy, [selector]))
    return merged


def _policy(call: str, plan: Any) -> Policy:
    if isinstance(plan, Policy):
        return plan
    if isinstance(plan, Schedule | Absolute):
        return Policy(plan)
    raise InvalidType(
        f"{call}: it follows a schedule, Absolute(schedule), a Policy, or a dictionary from group "
        f"to one of these, but got {plan!r}. For a constant write Constant(), a text goes through "
        "parse(text)."
    )


def _rules(
    quantity: str,
    plans: Sequence[tuple[Policy, Sequence[Selector] | None]],
    optimizers: Sequence[OptimizerLike],
) -> Sequence[Sequence[Rule]]:
    """For each optimizer the rules of one quantity."""
    rules: list[list[Rule]] = [[] for _ in optimizers]
    for policy, selectors in plans:
        if selectors is None:
            for own in rules:
                own.append(Rule(policy, everything=True))
            continue
        call = f"attach(..., {quantity}={{...}})"
        later = tuple(each for each in selectors if not isinstance(each, int))
        all_groups = [optimizer.param_groups for optimizer in optimizers]
        found = {place for each in selectors for place in select_numbered(call, each, all_groups)}
        for number, own in enumerate(rules):
            indices = frozenset(index for of, index in found if of == number)
            own.append(Rule(policy, indices=indices, later=later))
    return rules


def _refuse_without_effect(key: Key, engines: Sequence[Engine]) -> None:
    driven = [
        (slot, rule.policy.absolute)
        for engine in engines
        for slot in engine.roster.slots[key]
        for rule in [engine.roster.rules[key][slot.rule]]
    ]
    if driven and all(slot.given == 0 and not absolute for slot, absolute in driven):
        raise AttachmentError(
            f"attach(..., {label(key)}=...): schedules are multiples of the group's own value, but "
            f"{label(key)} is 0 in every group, and so would stay 0. Give the optimizer its value, "
            f"or the values themselves: {label(key)}=Absolute(schedule)."
        )
