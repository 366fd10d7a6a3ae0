"""Rules about the end of a run: does the schedule end when the run does, and where."""

import math
from typing import Any, Final

from stepsize.lint._rule import Example, rule
from stepsize.lint._run import AT_PEAK, NEGLIGIBLE, PlannedRun
from stepsize.messages import Message
from stepsize.rules import Finding
from stepsize.schedules.algebra import Clipped, Then

__all__ = [
    "curve_in_epochs",
    "ends_early",
    "ends_high",
    "floor_never_reached",
    "never_decays",
    "outlasts_run",
    "steep_decay",
    "vanishes",
    "zero_tail",
]

_LONGEST_TAIL: Final = 0.2
_LONGEST_NEGLIGIBLE: Final = 0.25
_HIGHEST_END: Final = 0.25
_NO_DECAY: Final = 0.9
_ABOVE_FLOOR: Final = 0.1
_SHORTEST_DECAY: Final = 0.1
_COUNTS_EPOCHS: Final = 0.02


def _lengthened(run: PlannedRun) -> Message:
    """What to write where the rate is spent before the run is."""
    if run.schedule.length >= run.total:
        return Message(
            "Decay more slowly. If the numbers count epochs, write .per_epoch(steps) after them."
        )
    over = f".over({run.total})"
    if run.schedule.length < _COUNTS_EPOCHS * run.total:
        return Message(
            "Stretch the schedule over the run with {over:code}; if its numbers count epochs, "
            "write .per_epoch(steps) after it.",
            over=over,
        )
    return Message("Stretch the schedule over the run with {over:code}.", over=over)


def _leaves_the_end_to_others(run: PlannedRun) -> bool:
    """Whether another rule names the reason why the run does not end where it should."""
    return run.still_rising or run.outlasted or run.counted_in_epochs is not None


@rule(
    "mistake",
    source="reported again and again: Lightning#4929, mmcv#2320, ivadomed#57",
    faulty=Example("Cosine(90)", steps=90_000, steps_per_epoch=1_000),
    sound=Example("Cosine(90).per_epoch(1000)", steps=90_000, steps_per_epoch=1_000),
)
def curve_in_epochs(run: PlannedRun) -> Finding | None:
    """The schedule is over, or its first cycle is, after as many steps as the run has epochs."""
    lasts = run.counted_in_epochs
    if lasts is None or run.epochs is None:
        return None
    what = Message("The first cycle") if run.cycles else Message("The curve")
    return Finding(
        Message(
            "{what:message} is over after {lasts:position} steps, {part:percent} of the run, which "
            "has {epochs:position} epochs: it seems to count epochs, and a position is an "
            "optimizer step.",
            what=what,
            lasts=lasts,
            part=lasts / run.total,
            epochs=run.epochs,
        ),
        Message("Write {code:code} after it.", code=f".per_epoch({run.steps_per_epoch:g})"),
        start=0,
        end=lasts,
        numbers={"lasts": lasts, "epochs": run.epochs, "steps": run.total},
    )


@rule(
    "mistake",
    source="Hoffmann et al. 2022 (arXiv 2203.15556), appendix B: a cosine longer than the run by "
    "more than 25 % loses clearly; the last-iterate bound (arXiv 2310.07831) puts it at 21 % for "
    "25 %, and at 10 % for 10 %",
    faulty=Example("warmup_cosine(12000, warmup=500)", steps=10_000),
    sound=Example("warmup_cosine(10000, warmup=500)", steps=10_000),
)
def outlasts_run(run: PlannedRun) -> Finding | None:
    """The run ends before the schedule does, at a value that is not its last."""
    if not run.outlasted:
        return None
    length = run.schedule.length
    last = run.schedule(length)
    return Finding(
        Message(
            "The schedule lasts {length:position} steps and the run {total:position}: it ends at "
            "{end:message}, and {last:message} is never reached.",
            length=length,
            total=run.total,
            end=run.told(run.end),
            last=run.told(last),
        ),
        Message(
            "Squeeze it into the run with {over:code}, or train {length:position} steps.",
            over=f".over({run.total})",
            length=length,
        ),
        start=run.total,
        end=length,
        numbers={"length": length, "end": run.number(run.end), "last": run.number(last)},
    )


@rule(
    "mistake",
    source="an update at rate 0 changes nothing; ivadomed#57, villa#1495",
    faulty=Example("linear_to_zero(9999, warmup=500)", steps=10_000),
    sound=Example("linear_to_zero(10000, warmup=500)", steps=10_000),
)
def zero_tail(run: PlannedRun) -> Finding | None:
    """The last updates have rate 0 and change nothing."""
    if not run.zero_tail or run.counted_in_epochs is not None:
        return None
    evidence, remedy = _zeros_at_the_end(run)
    return Finding(
        evidence,
        remedy,
        start=run.total - run.zero_tail,
        end=run.total,
        numbers={"updates_at_zero": run.zero_tail},
    )


def _zeros_at_the_end(run: PlannedRun) -> tuple[Message, Message]:
    if run.zero_tail == run.total:
        return Message("Every update has rate 0."), Message("Give the schedule a value above 0.")
    part = run.zero_tail / run.total
    if run.zero_tail == 1:
        found = Message("The last update has rate 0, {part:percent} of the run.", part=part)
    else:
        found = Message(
            "The last {count:position} of {total:position} updates have rate 0, {part:percent} of "
            "the run.",
            count=run.zero_tail,
            total=run.total,
            part=part,
        )
    return found, _lengthened(run)


@rule(
    "doubt",
    source="GPT-3 held its floor over the last 13 % of its run (arXiv 2005.14165)",
    faulty=Example("Cosine(7900, end=0.1)", steps=10_000),
    sound=Example("Cosine(8000, end=0.1)", steps=10_000),
)
def ends_early(run: PlannedRun) -> Finding | None:
    """The schedule has fallen and ended, and its last value is held for more than a fifth of the
    run.
    """
    length = run.schedule.length
    held = run.total - length
    if (
        held <= _LONGEST_TAIL * run.total
        or run.zero_tail
        or run.end >= _NO_DECAY * run.peak
        or run.counted_in_epochs is not None
    ):
        return None
    return Finding(
        Message(
            "The schedule ends at step {length:position}: its last value, {end:message}, is held "
            "for {held:position} steps, {part:percent} of the run.",
            length=length,
            end=run.told(run.end),
            held=held,
            part=held / run.total,
        ),
        Message(
            "{lengthened:message} If the tail is meant, say so: >> Hold(steps, value).",
            lengthened=_lengthened(run),
        ),
        start=length,
        end=run.total,
        numbers={"held": run.number(run.end), "held_for": held},
    )


@rule(
    "doubt",
    source="a thousand updates below a thousandth of the peak add up to less than one at the peak",
    faulty=Example("Exponential(0.999)", steps=10_000),
    sound=Example("Exponential(0.9991)", steps=10_000),
)
def vanishes(run: PlannedRun) -> Finding | None:
    """The rate stays below a thousandth of its peak for more than a quarter of the run."""
    negligible = run.total - run.spent_at
    if (
        negligible <= _LONGEST_NEGLIGIBLE * run.total
        or run.zero_tail
        or run.schedule.length < run.total
        or run.counted_in_epochs is not None
    ):
        return None
    return Finding(
        Message(
            "From step {start:position} on the rate is below a thousandth of its peak, "
            "{low:message}: {part:percent} of the run changes next to nothing.",
            start=run.spent_at,
            low=run.told(NEGLIGIBLE * run.peak),
            part=negligible / run.total,
        ),
        _lengthened(run),
        start=run.spent_at,
        end=run.total,
        numbers={"from": run.spent_at, "end": run.number(run.end)},
    )


@rule(
    "doubt",
    source="124M Llama, AdamW, 50k steps, tuned (arXiv 2501.18965): constant 3.074, linear decay "
    "over the last 60 % 2.915",
    faulty=Example("Warmup(501).skip(1) >> Constant()", steps=10_000),
    sound=Example("wsd(10000, warmup=500, cooldown=2000)", steps=10_000),
)
def never_decays(run: PlannedRun) -> Finding | None:
    """The length of the run is known, and the rate stays at its peak to the end."""
    lowest, _ = run.lowest_after_peak
    if lowest < _NO_DECAY * run.peak or run.peak <= 0 or _leaves_the_end_to_others(run):
        return None
    fifth = max(1, round(run.total / 5))
    return Finding(
        Message(
            "The rate never falls: it ends at {end:message}, its peak is {peak:message}.",
            end=run.told(run.end),
            peak=run.told(run.peak),
        ),
        Message(
            "Let it fall to 0 at the end, best over most of the run: {code:code} for a fifth of "
            "it. Where feedback lowers the rate (a plateau rule), this is as it should be.",
            code=f"... >> Linear({fifth})",
        ),
        start=run.peak_at,
        end=run.total,
        numbers={"end": run.number(run.end), "peak": run.number(run.peak)},
    )


@rule(
    "doubt",
    source="last-iterate bound (arXiv 2310.07831): ending a linear decay at a quarter of the peak "
    "instead of 0 costs 26 %; 124M Llama (arXiv 2501.18965): cosine to 0 2.918, to a tenth 2.946",
    faulty=Example("Warmup(501).skip(1) >> Linear(9500, end=0.3)", steps=10_000),
    sound=Example("Warmup(501).skip(1) >> Linear(9500, end=0.25)", steps=10_000),
)
def ends_high(run: PlannedRun) -> Finding | None:
    """The last update is above a quarter of the peak, or a tenth of the peak above the lowest rate
    since the peak.
    """
    lowest, lowest_at = run.lowest_after_peak
    high = run.end > _HIGHEST_END * run.peak / AT_PEAK
    above = run.end > lowest + _ABOVE_FLOOR * run.peak
    if not (high or above) or lowest >= _NO_DECAY * run.peak or _leaves_the_end_to_others(run):
        return None
    ends: dict[str, Any] = {"end": run.told(run.end), "part": run.end / run.peak}
    return Finding(
        Message(
            "The run ends at {end:message}, {part:percent} of its peak; at step {at:position} it "
            "was {lowest:message}.",
            **ends,
            at=lowest_at,
            lowest=run.told(lowest),
        )
        if above
        else Message("The run ends at {end:message}, {part:percent} of its peak.", **ends),
        Message(
            "End the run where a cycle ends, or each cycle where the run does: {over:code}.",
            over=f".over({run.total})",
        )
        if run.cycles
        else Message(
            "Let the decay reach its floor at the end of the run, or end with a cooldown: "
            "{code:code}.",
            code=f"... >> Linear(steps, start={run.end:.3g})",
        ),
        start=run.total - 1,
        end=run.total,
        numbers={"end": run.number(run.end), "lowest": run.number(lowest)},
    )


@rule(
    "doubt",
    source="a floor that never acts says that the decay was meant to be faster, or the run longer",
    faulty=Example("Exponential(0.9998).clip(low=0.1)", steps=10_000),
    sound=Example("Exponential(0.9997).clip(low=0.1)", steps=10_000),
)
def floor_never_reached(run: PlannedRun) -> Finding | None:
    """The schedule has a floor above 0, ``.clip(low=...)``, and the run never gets down to it."""
    schedule = run.schedule
    last = schedule.parts[-1] if isinstance(schedule, Then) else schedule
    floor = last.low if isinstance(last, Clipped) else None
    lowest, lowest_at = run.lowest_after_peak
    if not floor or not 0 < floor < lowest * AT_PEAK or _leaves_the_end_to_others(run):
        return None
    return Finding(
        Message(
            "The floor {floor:message} is never reached: the lowest rate is {lowest:message}, at "
            "step {at:position}.",
            floor=run.told(floor),
            lowest=run.told(lowest),
            at=lowest_at,
        ),
        Message("Decay faster, or leave the floor out."),
        start=0,
        end=run.total,
        numbers={"floor": run.number(floor), "lowest": run.number(lowest)},
    )


@rule(
    "hint",
    source="124M Llama, AdamW, 50k steps, tuned (arXiv 2501.18965): linear decay over the last "
    "10 % of the run 2.948, 20 % 2.931, 60 % 2.915; last-iterate bound (arXiv 2310.07831): 5 % "
    "instead of 20 % costs 12 %",
    faulty=Example("wsd(10000, warmup=500, cooldown=900)", steps=10_000),
    sound=Example("wsd(10000, warmup=500, cooldown=1000)", steps=10_000),
)
def steep_decay(run: PlannedRun) -> Finding | None:
    """The rate leaves its peak in the last tenth of the run, and falls below half of it."""
    lasts = run.total - run.leaves_peak_at
    if (
        lasts >= _SHORTEST_DECAY * run.total
        or not run.end < 0.5 * run.peak
        or run.cycles
        or math.isclose(run.leaves_peak_at, run.peak_at)
        or run.counted_in_epochs is not None
    ):
        return None
    return Finding(
        Message(
            "The rate falls from its peak to {end:message} within the last {lasts:position} steps, "
            "{part:percent} of the run.",
            end=run.told(run.end),
            lasts=lasts,
            part=lasts / run.total,
        ),
        Message(
            "Begin the decay earlier: a fifth of the run, {fifth:position} steps, is better, and "
            "60 % was best.",
            fifth=round(run.total / 5),
        ),
        start=run.leaves_peak_at,
        end=run.total,
        numbers={"lasts": lasts, "part_of_run": lasts / run.total},
    )
