"""``attach``: quantities of an optimizer's groups follow schedules, step by step."""

import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, cast
from weakref import ref

from stepsize.checks import MOST_STEPS, Range, checked_number
from stepsize.driving import (
    Key,
    Plans,
    Rule,
    name_of,
    numbered_rules,
    selected_plans,
)
from stepsize.errors import AttachmentError, InvalidType, InvalidValue, StepsizeWarning
from stepsize.messages import Message
from stepsize.signals import Sink
from stepsize.torch.attaching._attachment import Attachment
from stepsize.torch.attaching._driven_optimizer import Clock, DrivenOptimizer, OptimizerLike
from stepsize.torch.attaching._lint import advise, checked_steps
from stepsize.torch.attaching._rewinds import Rewinds
from stepsize.torch.attaching._unwrapping import hidden_optimizers
from stepsize.training import Ring

__all__ = ["attach", "checked_optimizers", "refuse_without_effect", "rules_by_optimizer"]

_POSITION = Range(minimum=0, maximum=MOST_STEPS, remedy="It counts the optimizer steps so far.")

_NOTHING: Mapping[Key, Plans] = MappingProxyType({})


def attach(
    optimizer: OptimizerLike | Sequence[OptimizerLike],
    lr: Plans | None = None,
    *,
    also: Mapping[Key, Plans] = _NOTHING,
    clock: Clock | None = None,
    position: float = 0,
    steps: int | None = None,
    sinks: Iterable[Sink] = (),
    snapshot: Callable[[], Any] | None = None,
    restore: Callable[[Any], object] | None = None,
    ring: Ring | None = None,
    resume: bool | None = None,
    **quantities: Plans,
) -> Attachment:
    """Let an optimizer's rate, and any other quantity of its groups, follow a schedule.

    Nothing else is to be called: the position is the number of executed ``optimizer.step()``. The
    values of position 0 are written at once, so the first update uses ``schedule(0)``; those of the
    next position after each executed step. A step that AMP skips does not count.

    The progress is saved with the optimizer: its ``state_dict()`` holds it, and loading that,
    before or after attaching, goes on exactly. ``rate.state_dict()`` is there for other loops.

    The rate of a group is (base · schedule(position)) · scale, where the base is the group's value
    when it is attached. Groups added later follow their own base. Quantities that are not named are
    not touched.

    Args:
        optimizer: A torch optimizer, or several: they get one handle and one state, each counts its
            own steps, and their groups are numbered through. An object with ``param_groups`` but
            without step hooks is driven by ``rate.step()``.
        lr: A schedule, ``Absolute(schedule)``, a ``Policy``, or a dictionary from group (index,
            name or predicate) to one of these; groups that it does not mean are left alone.
        also: The same for quantities whose names are not keywords: ``{("betas", 0): schedule}``.
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
        resume: Whether to go on with the progress that a loaded optimizer state brings. None: yes,
            unless the plan has ended there, which is refused. False: a new run begins with that
            optimizer. True: also past the end, to extend the run.
        **quantities: The same for other quantities: ``weight_decay=...``, ``momentum=...``.

    Returns:
        The handle. It may be dropped; the optimizer keeps what it needs.

    Raises:
        AttachmentError: A quantity does not exist, or is driven already.
        InvalidType: A value is not a schedule, or the optimizer has no ``param_groups``.
        StateError: The optimizer's state brings the progress of a run that has ended.
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
            f"attach(..., clock={clock!r}, position={position!r})",
            "with a clock its reading is the position",
            f"{{position}} {position!r} is given, too",
            "Leave it out, or set the clock.",
            "position",
        )
    optimizers = checked_optimizers(optimizer)
    rules = rules_by_optimizer(_named(lr, also, quantities), optimizers)
    rewinds = Rewinds(snapshot, restore, ring)
    driven = [
        DrivenOptimizer(
            each,
            own,
            clock,
            tuple(sinks),
            prefix=f"{number}." if len(optimizers) > 1 else "",
            resume=False if start and resume is None else resume,
        )
        for number, (each, own) in enumerate(zip(optimizers, rules, strict=True))
    ]
    for key in rules[0]:
        refuse_without_effect(key, driven)
    connected: list[DrivenOptimizer] = []
    try:
        for each in driven:
            if clock is None:
                each.position = start
            connected.append(each)
            each.connect()
    except BaseException:
        for each in connected:
            each.detach("base")
        raise
    advise(driven, length)
    _warn_without_hooks(driven)
    return Attachment(driven, "lr" if "lr" in rules[0] else next(iter(rules[0])), rewinds)


def _named(
    lr: Plans | None, also: Mapping[Key, Plans], quantities: Mapping[str, Plans]
) -> Mapping[Key, Plans]:
    keywords: dict[Key, Plans] = {**({} if lr is None else {"lr": lr}), **quantities}
    twice = keywords.keys() & also.keys()
    if twice:
        raise InvalidValue(
            f"attach(..., also={dict(also)!r})",
            "a quantity is named once",
            f"{', '.join(map(str, twice))} is a keyword, too",
            "Leave one out.",
            "also",
        )
    named = {**keywords, **also}
    if not named:
        raise InvalidValue(
            "attach(optimizer)",
            "at least one quantity must be named",
            remedy="Example: attach(optimizer, Cosine(1000)).",
        )
    return named


def _warn_without_hooks(driven: Sequence[DrivenOptimizer]) -> None:
    unhooked = tuple(each.kind for each in driven if not each.hooked)
    if unhooked:
        message = Message(
            "attach(...): {kinds:names} has no step hooks. Call rate.step() after each of its "
            "steps; nothing moves the rate otherwise.",
            kinds=unhooked,
        )
        warnings.warn(str(message), StepsizeWarning, stacklevel=3)
    for each in driven:
        hidden = () if each.hooked else tuple(hidden_optimizers(each.optimizer))
        if hidden:
            message = Message(
                "attach(...): {kind:name} shows groups of one optimizer, and holds others in "
                "{names:names}, which are not driven. Give all of them: attach([first, second], "
                "...).",
                kind=each.kind,
                names=hidden,
            )
            warnings.warn(str(message), StepsizeWarning, stacklevel=3)


# ------------------------------------------------------------------ what was given


def checked_optimizers(given: Any) -> Sequence[OptimizerLike]:
    """The optimizers that were given, each with groups, and once.

    Raises:
        InvalidType: Something has no ``param_groups``, or hooks that do not work.
        InvalidValue: There are none, or one is there twice.
    """
    optimizers = cast(Sequence[Any], given if isinstance(given, list | tuple) else [given])
    for optimizer in optimizers:
        kind, groups = type(optimizer).__name__, getattr(optimizer, "param_groups", None)
        if not isinstance(groups, list) or not groups:
            raise InvalidType(
                f"attach({optimizer!r})",
                "an optimizer has param_groups, a list of at least one group",
                f"this is a {kind} with {groups!r}",
                "Pass the optimizer, or a list.",
            )
        try:
            hash(ref(optimizer))
            if hasattr(optimizer, "register_step_post_hook"):
                optimizer.register_step_post_hook(_nothing).remove()
        except (AttributeError, TypeError) as error:
            raise InvalidType(
                f"attach({kind}(...))",
                "what is driven must work with hooks and weak references",
                str(error),
                "If it wraps an optimizer, attach to that one, often .optimizer.",
            ) from error
    if not optimizers or len({id(each) for each in optimizers}) < len(optimizers):
        raise InvalidValue(
            f"attach({optimizers!r})", "a list of optimizers names at least one, and each once"
        )
    return optimizers


def _nothing(*_: object) -> None:
    """A hook that is removed before any step."""


def rules_by_optimizer(
    named: Mapping[Key, Plans], optimizers: Sequence[OptimizerLike], function: str = "attach"
) -> Sequence[Mapping[Key, Sequence[Rule]]]:
    """For each optimizer the rules of each quantity.

    Raises:
        InvalidType: Something is not a plan.
        InvalidValue: A group does not exist.
    """
    groups = [each.param_groups for each in optimizers]
    by_key: dict[Key, Sequence[Sequence[Rule]]] = {}
    for key, plans in named.items():
        call = f"{function}(..., {name_of(key)}=...)"
        by_key[key] = numbered_rules(call, selected_plans(call, plans), groups)
    return [{key: own[number] for key, own in by_key.items()} for number in range(len(groups))]


def refuse_without_effect(key: Key, driven: Sequence[DrivenOptimizer]) -> None:
    """Refuse multiples of a quantity that is 0 in every group.

    Raises:
        AttachmentError: It would stay 0.
    """
    bases = [
        (base, each.groups.driver.rules[key][rule].policy.absolute)
        for each in driven
        for rule, base in each.groups.driver.followed[key].values()
    ]
    if bases and all(base == 0 and not absolute for base, absolute in bases):
        name = name_of(key)
        raise AttachmentError(
            f"attach(..., {name}=...)",
            "schedules are multiples of the group's own value",
            f"{name} is 0 in every group, and so would stay 0",
            f"Give the optimizer its value, or the values themselves: {name}=Absolute(schedule).",
        )
