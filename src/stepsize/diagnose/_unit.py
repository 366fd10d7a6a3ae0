"""The rule about a schedule that counts something else than optimizer steps."""

from typing import Final

import numpy as np

from stepsize.diagnose._advice import in_two_digits
from stepsize.diagnose._endings import ends_in_the_middle
from stepsize.diagnose._levels import rule
from stepsize.diagnose._view import RunView
from stepsize.messages import Message
from stepsize.rules import Finding

__all__ = ["wrong_unit"]

_FEWEST_RATES: Final = 20
_SPENT: Final = 0.02
_MOMENT: Final = 0.1
_CLIMBS_TO: Final = 0.5
_FEWEST_IN_WAVE: Final = 3
_NO_DECAY: Final = 0.9
_FEW_JUMPS: Final = 0.25


def _knows_its_rates(run: RunView) -> bool:
    known = len(run.rate) >= _FEWEST_RATES and run.rate_is_whole
    return known and run.unit in ("step", "epoch", "row")


@rule(
    needs="the rate at 20 points to the end of the run; for a schedule that is stepped too seldom, "
    "the steps per epoch",
    source="the loudest confusion of all: Lightning#4929, #6948, villa#1495, mmcv#2320, "
    "accelerate#1382 (a step per process)",
    instead_of=(
        *("decay_ended_early", "never_decayed", "ended_before_cooldown", "warmup_too_short"),
        *("warmup_too_long", "rate_too_low", "plateau_at_high_rate", "oscillation", "spikes"),
        *("noisy_evaluation", "never_learnt"),
    ),
    applies=_knows_its_rates,
)
def wrong_unit(run: RunView) -> Finding | None:
    """The schedule counted something else than optimizer steps.

    The rate is spent (below 2 % of its peak, and still known there) within the first tenth of the
    run; or, once spent, it climbs as it fell, to half of its peak; or it changes once per epoch and
    has not decayed when the run ends.
    """
    return _spent_at_once(run) or _climbs_back(run) or _once_per_epoch(run)


def _spent_at_once(run: RunView) -> Finding | None:
    alive = run.rate.positions[run.rate.values >= _SPENT * run.peak]
    over = float(alive[-1])
    spent = run.rate.between(over, run.last)
    if over - run.first > _MOMENT * run.length or len(spent) < _FEWEST_RATES // 2:
        return None
    return Finding(
        Message(
            "The rate is spent after {over:message}, {part:percent} of the run{epochs:message}: "
            "from there on it is below 2 % of its peak, {peak:rate}.",
            over=run.at(over),
            part=over / run.last if run.last > 0 else 0.0,
            epochs=_in_epochs(run),
            peak=in_two_digits(run.peak),
        ),
        _spread(run),
        start=over,
        end=run.last,
        numbers={"spent_at": over, "length": run.length},
    )


def _climbs_back(run: RunView) -> Finding | None:
    rates, positions = run.rate.values, run.rate.positions
    peak_index = int(np.argmax(rates))
    spent = np.flatnonzero(rates[peak_index:] < _SPENT * run.peak)
    if not len(spent) or spent[0] < _FEWEST_IN_WAVE:
        return None  # what is logged more seldom than a wave turns shows none of it
    bottom = peak_index + int(spent[0])
    back = np.flatnonzero(rates[bottom:] > _CLIMBS_TO * run.peak)
    if not len(back):
        return None
    top = bottom + int(back[0])
    # The last point before the climb: some waves rest at the bottom.
    begins = int(bottom + np.flatnonzero(rates[bottom:top] < _SPENT * run.peak)[-1])
    steepest_fall = -np.diff(rates[peak_index : bottom + 1]).min()
    if np.diff(rates[begins : top + 1]).max() > 1.5 * steepest_fall:
        return None  # it jumps: a restart
    falls = float(positions[bottom] - positions[peak_index])
    if positions[peak_index] - positions[0] > falls / 2:
        return None  # it rose as slowly before: a cycle that is meant
    return Finding(
        Message(
            "The rate fell from {peak:rate} to almost 0 within {falls:message} by "
            "{bottom:message}, and climbed back to half of it by {top:message}{epochs:message}: a "
            "cosine that is followed beyond its half.",
            peak=in_two_digits(run.peak),
            falls=run.span(falls),
            bottom=run.at(float(positions[bottom])),
            top=run.at(float(positions[top])),
            epochs=_in_epochs(run),
        ),
        _spread(run),
        start=float(positions[bottom]),
        end=run.last,
        numbers={"half_wave": falls, "length": run.length},
    )


def _once_per_epoch(run: RunView) -> Finding | None:
    epoch = run.per_epoch
    if run.unit != "step" or epoch is None or epoch < 3 or run.length < 2 * epoch:
        return None
    rates, positions = run.rate.values, run.rate.positions
    jumps = np.flatnonzero(np.diff(rates))
    apart = np.diff(positions[jumps + 1])
    held = float(np.median(np.diff(positions)))
    # Logged once per epoch, nothing can be said about what lies between.
    if len(apart) < 2 or held > 0.5 * epoch or len(jumps) > _FEW_JUMPS * len(rates) + 2:
        return None
    if abs(float(np.median(apart)) - epoch) > max(held, 0.02 * epoch):
        return None
    rising = run.last_rate >= 0.999 * run.peak
    if run.last_rate < _NO_DECAY * run.peak and not ends_in_the_middle(run):
        return None
    return Finding(
        Message(
            "The rate changes every {apart:message}, once per epoch, and at the end of the run it "
            "is {end:message}.",
            apart=run.span(round(float(np.median(apart)))),
            end=Message("still rising")
            if rising
            else Message(
                "{rate:rate}, {part:percent} of its peak",
                rate=in_two_digits(run.last_rate),
                part=run.last_rate / run.peak,
            ),
        ),
        Message(
            "Step the schedule after every optimizer step, or write its numbers in epochs: "
            "{code:code}. attach(optimizer, schedule) counts by itself.",
            code=f".per_epoch({epoch:g})",
        ),
        start=run.first,
        end=run.last,
        numbers={"steps_per_epoch": epoch, "ended_at": run.last_rate},
        level="likely" if rising else "possible",
    )


def _in_epochs(run: RunView) -> Message | None:
    if run.unit != "step" or run.per_epoch is None:
        return None
    return Message(
        ", which has {epochs:count} epochs", epochs=float(round(run.length / run.per_epoch, 1))
    )


def _spread(run: RunView) -> Message:
    per_epoch = "steps_per_epoch" if run.per_epoch is None else f"{run.per_epoch:g}"
    return Message(
        "Stretch the schedule over the run with {over:code}; if its numbers count epochs, write "
        "{per_epoch:code} after it; if every process steps it, let one do so. attach(optimizer, "
        "schedule) counts optimizer steps by itself.",
        over=run.counted(".over({})", round(run.length) + 1),
        per_epoch=f".per_epoch({per_epoch})",
    )
