"""Schedules in the order in which the bound expects them to end."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple, cast

from stepsize.errors import InvalidType, InvalidValue
from stepsize.messages import Message
from stepsize.plan._bound import Bound, bound_of, multiples
from stepsize.schedules import Schedule
from stepsize.words import shortened

__all__ = ["Ranked", "Ranking", "rank"]


class Ranked(NamedTuple):
    """A schedule and its bound."""

    schedule: Schedule
    bound: Bound


@dataclass(frozen=True)
class Ranking:
    """Schedules by their gap, the best first.

    Args:
        rows: The schedules and their bounds.
        steps: The horizon.
        reason: How the order came about, and how far to trust it.
        source: Who published it.
    """

    rows: tuple[Ranked, ...]
    steps: int
    reason: Message
    source: str

    def __str__(self) -> str:
        best = self.rows[0].bound
        lines = [f"over {self.steps} steps   gap     best rate"]
        for place, (schedule, each) in enumerate(self.rows, start=1):
            gap, rate = each.gap / best.gap, each.rate / best.rate
            lines.append(f"{place:>3}. × {gap:<8.4g} × {rate:<8.4g} {schedule!r}")
        return "\n".join([*lines, f"{self.reason}. Source: {self.source}."])


def rank(schedules: Iterable[Schedule], steps: int) -> Ranking:
    """Order schedules by what the convex bound lets each reach, every one at its own best rate.

    Args:
        schedules: At least one.
        steps: Length of the run in optimizer steps, 1 to 100 million.

    Returns:
        The schedules, the lowest gap first, with their bounds.

    Raises:
        InvalidType: ``schedules`` is not a list, or something in it is not a schedule.
        InvalidValue: The list is empty, ``steps`` is out of range, or a schedule is negative or 0
            throughout.

    >>> from stepsize import Constant, Cosine, Linear
    >>> ranking = rank([Constant(), Cosine(1_000), Linear(1_000)], 1_000)
    >>> [schedule for schedule, _ in ranking.rows]
    [Linear(1000), Cosine(1000), Constant()]

    Source: Schaipp et al. 2025 (arXiv 2501.18965)
    """
    given = _listed(schedules, steps)
    call = f"rank({list(given)!r}, {steps!r})"
    if not given:
        raise InvalidValue(
            call, "{schedules} must have at least one schedule", "is empty", argument="schedules"
        )
    rows = [Ranked(each, bound_of(multiples(call, each, steps))) for each in given]
    return Ranking(
        tuple(sorted(rows, key=lambda row: row.bound.gap)),
        steps,
        Message(
            "by the gap of the convex bound, each schedule at its own best rate. Against the tuned "
            "final losses of 31 published cells of a 124M language model the rank correlation is "
            "0.99 over all horizons, but 0.49 to 0.87 within one: near ones may change places"
        ),
        "Schaipp et al. 2025 (arXiv 2501.18965)",
    )


def _listed(schedules: Any, steps: Any) -> tuple[Schedule, ...]:
    if not isinstance(schedules, Iterable):
        raise InvalidType(
            f"rank({schedules!r}, {steps!r})",
            "{schedules} must be a list of schedules",
            f"is a {type(schedules).__name__}",
            f"Write rank([{shortened(repr(schedules), 60)}], {steps!r}).",
            "schedules",
        )
    return tuple(cast(Iterable[Schedule], schedules))
