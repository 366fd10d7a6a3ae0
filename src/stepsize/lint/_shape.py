"""Rules about what happens inside a run: rises, jumps, zeros and signs."""

from typing import Final, NamedTuple

import numpy as np

from stepsize.lint._rule import Example, rule
from stepsize.lint._run import Array, PlannedRun
from stepsize.messages import Message
from stepsize.rules import Finding

__all__ = ["jump_up", "negative_rate", "rises_again", "zeros_inside"]

_FALLEN: Final = 0.5
_REGAINED: Final = 0.25
_SUDDEN: Final = 0.5
_ONE_OF_SEVERAL: Final = 2  # a jump that is less than twice the next one is a stair
_FINE: Final = 257
_FEWEST_ZEROS: Final = 2


class _Rise(NamedTuple):
    """The first rise after a fall."""

    low: float
    start: float
    high: float
    end: float
    sudden: bool


def _second_rise(run: PlannedRun) -> _Rise | None:
    """Where the rate, fallen below half of what it was, doubles and regains a quarter of its peak.

    Seeded noise of less than a third up and down never does both.
    """
    # Beside a huge negative value the peak would vanish in rounding; negative_rate speaks of those.
    values = np.maximum(run.values, 0.0)
    fallen = np.flatnonzero(values < _FALLEN * np.maximum.accumulate(values))
    if (
        not len(fallen)
        or run.peak <= 0
        or run.restarts_on_purpose
        or run.counted_in_epochs is not None
    ):
        return None
    after = values[fallen[0] :]
    lowest = np.minimum.accumulate(after)
    risen = np.flatnonzero(after >= np.maximum(2 * lowest, lowest + _REGAINED * run.peak))
    if not len(risen):
        return None
    high = int(risen[0])
    # The last of the lowest: after a stretch at the floor, the rise begins where it is left.
    low = high - int(np.argmin(after[high::-1]))
    positions = run.positions[fallen[0] :]
    return _Rise(
        float(after[low]),
        float(positions[low]),
        float(after[high]),
        float(positions[high]),
        _is_sudden(run, after, positions, low, high),
    )


def _is_sudden(run: PlannedRun, values: Array, positions: Array, low: int, high: int) -> bool:
    """Whether a rise is one jump: between its steps the schedule has a value in between if not.

    A smooth rise of a few steps, and one by stairs, rise as far within a step.
    """
    falls = np.flatnonzero(np.diff(values[high:]) < 0)
    top = high + int(falls[0]) if len(falls) else len(values) - 1
    steps = low + np.argsort(-np.diff(values[low : top + 1]), kind="stable")[:2]
    first, *others = (
        np.diff(run.schedule(np.linspace(positions[step], positions[step + 1], _FINE))).max()
        for step in steps
    )
    rise = values[high] - values[low]
    return bool(first >= _SUDDEN * rise and all(first >= _ONE_OF_SEVERAL * o for o in others))


@rule(
    "doubt",
    source="torch's CosineAnnealingLR climbs beyond T_max: diffusers#1650, ivadomed#57, "
    "Unet-Nest#14; transformers' num_cycles counts full waves",
    faulty=Example("warmup_cosine(9000, num_cycles=1.5)", steps=9_000),
    sound=Example("Cosine(3000).repeat()", steps=9_000),
    needs_length=False,
)
def rises_again(run: PlannedRun) -> Finding | None:
    """The rate has fallen and climbs back, as a cosine does that is followed beyond its half."""
    rise = _second_rise(run)
    if rise is None or rise.sudden:
        return None
    return Finding(
        Message(
            "From step {start:position} on the rate rises again, from {low:message} to "
            "{high:message} at step {end:position}.",
            start=rise.start,
            low=run.told(rise.low),
            high=run.told(rise.high),
            end=rise.end,
        ),
        Message(
            "For one fall over the run write {code:code}, which holds its end; for restarts "
            "Cosine(steps).repeat(); for cycles cyclic(...).",
            code=f"Cosine({run.total})",
        ),
        start=rise.start,
        end=run.total,
        numbers={"low": run.number(rise.low), "high": run.number(rise.high)},
    )


@rule(
    "doubt",
    source="two hand-over rules of torch's SequentialLR: pytorch#67957, threestudio#226",
    faulty=Example("Warmup(501).skip(1) >> Linear(4500, end=0.1) >> Cosine(5000)", steps=10_000),
    sound=Example(
        "Warmup(501).skip(1) >> Linear(4500, end=0.1) >> Cosine(5000, start=0.1)", steps=10_000
    ),
    needs_length=False,
)
def jump_up(run: PlannedRun) -> Finding | None:
    """The rate has fallen and jumps up, and no ``.repeat()`` says that it is a restart."""
    rise = _second_rise(run)
    if rise is None or not rise.sudden:
        return None
    return Finding(
        Message(
            "At step {at:position} the rate jumps from {low:message} to {high:message}.",
            at=rise.end,
            low=run.told(rise.low),
            high=run.told(rise.high),
        ),
        Message(
            "Let the next phase start where the one before ends, {code:code}; for restarts write "
            ".repeat().",
            code=f"start={rise.low:.3g}",
        ),
        start=rise.start,
        end=rise.end + 1,
        numbers={"low": run.number(rise.low), "high": run.number(rise.high)},
    )


@rule(
    "doubt",
    source="an update at rate 0 changes nothing",
    faulty=Example("Linear(4000) >> Hold(2, value=0) >> Linear(5998, start=0.2)", steps=10_000),
    sound=Example("Linear(4000) >> Hold(1, value=0) >> Linear(5999, start=0.2)", steps=10_000),
    needs_length=False,
)
def zeros_inside(run: PlannedRun) -> Finding | None:
    """Between updates that move, at least two in a row have rate 0."""
    moving = np.flatnonzero(run.values)
    gaps = np.diff(run.positions[moving]) - 1
    at_zero = np.diff(moving) > 1
    if not at_zero.any() or gaps[at_zero].max() < _FEWEST_ZEROS:
        return None
    longest = int(np.argmax(np.where(at_zero, gaps, 0)))
    start, count = float(run.positions[moving[longest]]) + 1, float(gaps[longest])
    return Finding(
        Message(
            "From step {start:position} on, {count:position} updates in a row have rate 0, "
            "{part:percent} of the run.",
            start=start,
            count=count,
            part=count / run.total,
        ),
        Message("Give the phase a value above 0, or leave it out."),
        start=start,
        end=start + count,
        numbers={"updates_at_zero": count},
    )


@rule(
    "mistake",
    source="a negative rate climbs the loss",
    faulty=Example("Linear(10000, end=-0.1)", steps=10_000),
    sound=Example("Linear(10000)", steps=10_000),
    needs_length=False,
)
def negative_rate(run: PlannedRun) -> Finding | None:
    """A rate is below 0."""
    below = np.flatnonzero(run.values < 0)
    if not len(below):
        return None
    lowest = float(run.values.min())
    start, end = run.positions[below[0]], run.positions[below[-1]] + 1
    return Finding(
        Message(
            "From step {start:position} on the rate is negative, down to {lowest:message}: such "
            "updates climb the loss.",
            start=float(start),
            lowest=run.told(lowest),
        ),
        Message("Add .clip(low=0)."),
        start=float(start),
        end=float(end),
        numbers={"lowest": run.number(lowest)},
    )
