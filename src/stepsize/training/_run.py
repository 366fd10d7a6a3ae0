"""``run``: a policy drives a training from the first step to the last."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from stepsize.checks import COUNT, MOST_STEPS, Range, checked_whole_number
from stepsize.driving import Plan, Policy, checked_policy
from stepsize.errors import InvalidType
from stepsize.signals import Decision, Observation, Sink
from stepsize.training._cause import Agree
from stepsize.training._checkpoints import Checkpoints
from stepsize.training._factors import driver_of
from stepsize.training._loop import Loop, SavedBeside
from stepsize.training._protocol import Training
from stepsize.training.snapshots import Ring, Snapshots

__all__ = ["Outcome", "run"]

Plans: TypeAlias = Plan | Sequence[Plan]
"""One for all groups, or one for each optimizer."""


@dataclass(frozen=True)
class Outcome:
    """How a run ended.

    Args:
        steps: Optimizer steps from position 0 on; those that a rewind took back are not counted.
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
    policy: Plans | Mapping[str, Plans],
    steps: int,
    sinks: Sequence[Sink] = (),
    *,
    start: int = 0,
    evaluate_every: int | None = None,
    ring: Ring | None = None,
    checkpoints: str | os.PathLike[str] | None = None,
    every: int = 1_000,
    agree: Agree | None = None,
) -> Outcome:
    """Train for ``steps`` optimizer steps at the rates that the policy gives.

    ``run`` owns the position: it asks the policy for the factors, advances only if the step ran,
    carries out the decisions and tells the sinks. The training is evaluated at the end, and every
    ``evaluate_every`` steps if given; controllers see both kinds of observation.

    Where a controller may decide ``Rewind``, snapshots are kept. A rewind takes the training and
    all policies back to one from before the trouble, tries the suspected batches without updates,
    passes over the bad ones, and cuts the rate unless they are to blame. Its reason says what was
    found.

    With ``checkpoints`` a run that was killed goes on from the newest one, and takes the same
    steps as if nothing had happened: call it again as it was called, on a training built alike.

    Args:
        training: What is trained.
        policy: A schedule, ``Absolute(schedule)`` or ``Policy`` for the rate; or a mapping from
            quantity (``"lr"``, ``"weight_decay"``, ...) to these. A sequence of them has one for
            each optimizer; a rewind that one of them decides takes all back together.
        steps: How many optimizer steps, >= 0.
        sinks: Each gets a ``Tick`` after every executed step and every evaluation.
        start: The position to begin at, where the first steps were taken before: by
            ``recommend``, or in another loop.
        evaluate_every: Steps between evaluations.
        ring: How snapshots are kept for rewinds; ``Ring()`` if not given.
        checkpoints: A folder of this run's own. Every file of it is written whole or not at all,
            and read only if its checksum holds; the last two checkpoints are kept.
        every: Steps between checkpoints.
        agree: Where several ranks train together: a function from what this rank observed to what
            all ranks decide on, the same on each, such as ``stepsize.torch.mean_of_ranks``. What
            is decided depends on nothing else, so all ranks do the same.

    Returns:
        How it ended.

    Raises:
        InvalidValue: ``steps``, ``start``, ``evaluate_every`` or ``every`` is out of range, a
            sequence has not one plan for each optimizer, or a folder cannot be made.
        InvalidType: There are checkpoints, and the training has no ``pack`` and ``unpack``.
        TrainingError: A group has base rate 0 under ``Absolute``; or 1,000 steps in a row were
            skipped.
        StateError: The folder holds checkpoints, and all are damaged or those of another run; or a
            controller's memory is no plain data.

    Warns:
        StateMismatch: The checkpoint was written with another schedule or other controllers, whose
            memories start anew.
        StepsizeWarning: The newest checkpoint or a snapshot of the ring is damaged, and one from
            before is taken.

    >>> from stepsize import Linear
    >>> from stepsize.testing.training import Bowl
    >>> outcome = run(Bowl(rate=0.5), Linear(20), steps=20)
    >>> outcome.steps, outcome.metrics["val_loss"] < 0.01
    (20, True)
    """
    steps = _checked_count("steps", steps, _FROM_ZERO)
    start = _checked_count("start", start, _FROM_ZERO)
    every = _checked_count("every", every, COUNT)
    if evaluate_every is not None:
        evaluate_every = _checked_count("evaluate_every", evaluate_every, COUNT)
    driver = driver_of(training.groups, _by_quantity(policy))
    snapshots = Snapshots[SavedBeside](ring or Ring(), training) if driver.may_rewind else None
    loop = Loop(training, driver, sinks, snapshots, agree or _as_seen, start)
    saver = None if checkpoints is None else Checkpoints(checkpoints, training)
    is_unevaluated = saver is not None and saver.resume(loop)
    progress = loop.progress
    is_on_the_way = start < progress.position < steps and progress.stopped is None
    is_due = evaluate_every is not None and progress.position % evaluate_every == 0
    if is_unevaluated and is_on_the_way and is_due:
        loop.evaluate()  # a shorter run ended here, and took this one for its last
    while True:
        while progress.position < steps and progress.stopped is None:
            advanced = loop.step()
            going_on = advanced and progress.position < steps and progress.stopped is None
            if going_on and evaluate_every is not None and progress.position % evaluate_every == 0:
                loop.evaluate()
            if going_on and saver is not None and progress.position % every == 0:
                saver.save(loop)
        if saver is not None:
            saver.save(loop, evaluated=False)
        metrics = loop.evaluate()
        if progress.position >= steps or progress.stopped is not None:
            break  # else the last evaluation led to a rewind
    return Outcome(
        progress.position, progress.skipped, metrics, progress.stopped, tuple(progress.decisions)
    )


_FROM_ZERO: Final = Range(minimum=0, maximum=MOST_STEPS, remedy="It counts optimizer steps.")


def _checked_count(name: str, value: object, allowed: Range) -> int:
    return checked_whole_number(f"run(..., {name}={value!r})", name, value, allowed)


def _as_seen(observation: Observation) -> Observation:
    return observation


def _by_quantity(policy: Plans | Mapping[str, Plans]) -> Mapping[str, Sequence[Policy]]:
    given = policy if isinstance(policy, Mapping) else {"lr": policy}
    if not given or any(isinstance(each, Sequence) and not each for each in given.values()):
        raise InvalidType(
            f"run(training, {policy!r})",
            "{policy} names at least one quantity, and a plan for it",
            remedy="Example: {'lr': schedule}.",
            argument="policy",
        )
    return {
        quantity: [
            checked_policy(f"run(training, {{{quantity!r}: ...}})", each)
            for each in (plans if isinstance(plans, Sequence) else [plans])
        ]
        for quantity, plans in given.items()
    }
