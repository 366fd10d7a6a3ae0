"""Rules about the beginning of a run: its first update and its warmup."""

import math
from typing import Final

import numpy as np

from stepsize.lint._rule import Example, rule
from stepsize.lint._run import PlannedRun
from stepsize.messages import Message
from stepsize.rules import Finding

__all__ = ["first_update_at_zero", "long_warmup", "no_warmup", "warmup_outlasts_run"]

_LONGEST_WARMUP: Final = 0.2
_ADVISED_WARMUP: Final = 0.1
_WARMUP_START: Final = 1 / 50  # half of what a one-cycle rises from
_UNTUNED_WARMUP: Final = 2_000  # 2 / (1 - β₂) for Adam's default β₂ = 0.999
_FEWEST_WARMUP: Final = 2


@rule(
    "mistake",
    source="reported as a defect in transformers#34754, torchtune#2010 and nanoGPT#578",
    faulty=Example("Warmup(500) >> Cosine(9500)", steps=10_000),
    sound=Example("Warmup(501).skip(1) >> Cosine(9500)", steps=10_000),
    needs_length=False,
)
def first_update_at_zero(run: PlannedRun) -> Finding | None:
    """The first update has rate 0 and changes nothing."""
    moving = np.flatnonzero(run.values)
    if run.values[0] != 0 or not len(moving):
        return None
    count = int(run.positions[moving[0]])
    if count == 1:
        evidence = Message("The first update has rate 0.")
        remedy = Message(
            "Start the warmup one step later, Warmup(n + 1).skip(1), which peaks at step n all the "
            "same, or use a recipe."
        )
    else:
        evidence = Message("The first {count:position} updates have rate 0.", count=count)
        remedy = Message(
            "If the parameters are not to be frozen until then, add {code:code}.",
            code=f".skip({count})",
        )
    return Finding(
        evidence,
        remedy,
        start=0,
        end=count,
        numbers={"updates_at_zero": count},
    )


@rule(
    "mistake",
    source="the peak rate, and all that follows it, is never used",
    faulty=Example("Warmup(2001).skip(1) >> Cosine(8000)", steps=1_900),
    sound=Example("Warmup(2001).skip(1) >> Cosine(8000)", steps=2_000),
)
def warmup_outlasts_run(run: PlannedRun) -> Finding | None:
    """The run ends while the rate is still in its first rise."""
    if not run.still_rising:
        return None
    advised = max(1, round(_ADVISED_WARMUP * run.total))
    return Finding(
        Message(
            "The rate is still rising when the run ends: at step {total:position} it is "
            "{end:message}, and it would have reached {beyond:message}.",
            total=run.total,
            end=run.told(run.end),
            beyond=run.told(run.highest_beyond),
        ),
        Message(
            "Warm up for at most a tenth of the run, {advised:position} steps, or squeeze the "
            "whole schedule into the run with {over:code}.",
            advised=advised,
            over=f".over({run.total})",
        )
        if math.isfinite(run.schedule.length)
        else Message(
            "Warm up for at most a tenth of the run, {advised:position} steps.", advised=advised
        ),
        start=0,
        end=run.total,
        numbers={"reached": run.number(run.end), "peak": run.number(run.highest_beyond)},
    )


@rule(
    "hint",
    source="last-iterate bound (arXiv 2310.07831), linear decay to zero after a warmup of 5 % of "
    "the run: a warmup of 20 % instead costs 3 % of the bound, of 33 % 6 %, of 50 % 11 %",
    faulty=Example("linear_to_zero(10000, warmup=2100)", steps=10_000),
    sound=Example("linear_to_zero(10000, warmup=2000)", steps=10_000),
)
def long_warmup(run: PlannedRun) -> Finding | None:
    """A rise from less than 1/50 of the peak takes more than a fifth of the run. (A one-cycle rises
    from 1/25.)
    """
    if (
        run.still_rising
        or run.restarts_on_purpose
        or run.peak_at <= _LONGEST_WARMUP * run.total
        or run.values[0] >= _WARMUP_START * run.peak
    ):
        return None
    return Finding(
        Message(
            "The warmup takes {warmup:position} of {total:position} steps, {part:percent} of the "
            "run.",
            warmup=run.peak_at,
            total=run.total,
            part=run.peak_at / run.total,
        ),
        Message(
            "A tenth of the run, {advised:position} steps, is enough. If a one-cycle is meant, "
            "write one_cycle(total).",
            advised=round(_ADVISED_WARMUP * run.total),
        ),
        start=0,
        end=run.peak_at,
        numbers={"warmup": run.peak_at, "part_of_run": run.peak_at / run.total},
    )


@rule(
    "hint",
    source="Ma & Yarats 2021 (arXiv 1910.04209): 2 / (1 - β₂) steps of linear warmup make up for "
    "the large first updates of Adam",
    faulty=Example("Cosine(10000)", steps=10_000, optimizer="adamw"),
    sound=Example("warmup_cosine(10000, warmup=20)", steps=10_000, optimizer="adamw"),
)
def no_warmup(run: PlannedRun) -> Finding | None:
    """The optimizer is of Adam's kind, and the first update is at the peak already."""
    advised = min(_UNTUNED_WARMUP, int(_ADVISED_WARMUP * run.total))
    if run.usual is None or not run.usual.warms_up or run.peak_at > 0 or advised < _FEWEST_WARMUP:
        return None
    return Finding(
        Message(
            "The first update is at the peak, {peak:message}, when the optimizer's second moment "
            "rests on one gradient.",
            peak=run.told(run.peak),
        ),
        Message(
            "For a transformer, warm up for {advised:position} steps (2 / (1 - β₂) for β₂ = 0.999, "
            "at most a tenth of the run): {code:code}",
            advised=advised,
            code=f"Warmup({advised + 1}).skip(1) >> ...",
        ),
        start=0,
        end=1,
        numbers={"first": run.number(float(run.values[0])), "advised_warmup": advised},
    )
