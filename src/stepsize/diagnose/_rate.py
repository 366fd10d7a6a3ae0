"""Rules about the rate that was really used: its unit, its first update, its decay and its end."""

import math
from typing import Final

import numpy as np

from stepsize.diagnose._loss import rate_text
from stepsize.diagnose._rule import Found, rule
from stepsize.diagnose._view import RunView
from stepsize.words import number_text, position_text

__all__ = [
    "decay_ended_early",
    "ended_before_cooldown",
    "first_update_wasted",
    "never_decayed",
    "wrong_unit",
]

_FEWEST_POINTS: Final = 10
_SPENT: Final = 0.02
_ALMOST_ZERO: Final = 1e-3
_ZERO: Final = 1e-6
_CUT: Final = 0.5
_MOMENT: Final = 0.1
_CLIMBS_TO: Final = 0.5
_LONGEST_TAIL: Final = 0.1
_STILL_FALLS: Final = 3.0
_TOO_NOISY: Final = 0.02
_NO_DECAY: Final = 0.9
_HIGH_END: Final = 0.25
_LACKING: Final = 0.05
_FEW_JUMPS: Final = 0.25


def _percent(part: float, whole: float) -> str:
    return f"{100 * part / whole:.3g} %"


@rule(
    needs="the rate",
    source="an update at rate 0 changes nothing; reported in transformers#34754, torchtune#2010, "
    "nanoGPT#578",
)
def first_update_wasted(run: RunView) -> Found | None:
    """The first update had rate 0 and changed nothing.

    The rate at the first position, 0 or 1, is exactly 0, and later it is not.
    """
    if not run.has_rate or run.rate.positions[0] > 1 or run.rate.values[0] != 0:
        return None
    moves = float(run.rate.positions[np.flatnonzero(run.rate.values)[0]])
    start = float(run.rate.positions[0])
    return Found(
        "certain" if moves - start <= 1 else "likely",
        f"The rate at step {position_text(start)} is 0; the first rate above 0 that was logged is "
        f"at step {position_text(moves)}.",
        "Start the warmup one step later: Warmup(n + 1).skip(1) instead of Warmup(n). It reaches "
        "the peak at step n all the same.",
        start=start,
        end=start,
        numbers={"first_rate_above_0_at": moves},
    )


@rule(
    needs="the rate; for a schedule that is stepped too seldom, the steps per epoch",
    source="the loudest confusion of all: Lightning#4929, #6948, villa#1495, mmcv#2320, "
    "accelerate#1382 (a step per process)",
    instead_of=(
        *("decay_ended_early", "never_decayed", "ended_before_cooldown", "warmup_too_short"),
        *("rate_too_low", "plateau_at_high_rate", "oscillation", "spikes", "noisy_evaluation"),
    ),
)
def wrong_unit(run: RunView) -> Found | None:
    """The schedule counted something else than optimizer steps.

    The rate is spent (below 2 % of its peak) within the first tenth of the run; or, once spent, it
    climbs as it fell, to half of its peak; or it changes once per epoch and has not decayed when
    the run ends.
    """
    if not run.has_rate or len(run.rate) < _FEWEST_POINTS:
        return None
    return _spent_at_once(run) or _climbs_back(run) or _once_per_epoch(run)


def _spent_at_once(run: RunView) -> Found | None:
    alive = run.rate.positions[run.rate.values >= _SPENT * run.peak]
    over = float(alive[-1])
    if over - run.first > _MOMENT * run.length or run.last - over < _FEWEST_POINTS:
        return None
    return Found(
        "likely",
        f"The rate is spent after step {position_text(over)}, {_percent(over, run.last)} of the run"
        f"{_in_epochs(run)}: from there on it is below {_percent(_SPENT, 1)} of its peak, "
        f"{rate_text(run.peak)}.",
        _spread(run),
        start=over,
        end=run.last,
        numbers={"spent_at": over, "length": run.length},
    )


def _climbs_back(run: RunView) -> Found | None:
    rates, positions = run.rate.values, run.rate.positions
    peak_index = int(np.argmax(rates))
    spent = np.flatnonzero(rates[peak_index:] < _SPENT * run.peak)
    if not len(spent):
        return None
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
    falls = positions[bottom] - positions[peak_index]
    if positions[peak_index] - positions[0] > falls / 2:
        return None  # it rose as slowly before: a cycle that is meant
    return Found(
        "likely",
        f"The rate fell from {rate_text(run.peak)} to almost 0 within {position_text(falls)} steps "
        f"by step {position_text(positions[bottom])}, and climbed back to half of it by step "
        f"{position_text(positions[top])}{_in_epochs(run)}: a cosine that is followed beyond its "
        "half.",
        _spread(run),
        start=float(positions[bottom]),
        end=run.last,
        numbers={"half_wave": float(falls), "length": run.length},
    )


def _once_per_epoch(run: RunView) -> Found | None:
    epoch = run.per_epoch
    if epoch is None or epoch < 3 or run.length < 2 * epoch:
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
    fallen = run.last_rate < _NO_DECAY * run.peak
    if fallen and not _ends_in_the_middle(run):
        return None
    return Found(
        "likely",
        f"The rate changes every {position_text(round(float(np.median(apart))))} steps, once per "
        f"epoch, and at the end of the run it is "
        + (
            "still rising"
            if rising
            else f"{rate_text(run.last_rate)}, {_percent(run.last_rate, run.peak)} of its peak"
        )
        + ".",
        "Step the schedule after every optimizer step, or write its numbers in epochs: "
        f".per_epoch({epoch:g}). attach(optimizer, schedule) counts by itself.",
        start=run.first,
        end=run.last,
        numbers={"steps_per_epoch": epoch, "ended_at": run.last_rate},
    )


def _in_epochs(run: RunView) -> str:
    if run.per_epoch is None:
        return ""
    return f", which has {position_text(round(run.length / run.per_epoch, 1))} epochs"


def _spread(run: RunView) -> str:
    steps = round(run.length) + 1
    per_epoch = "steps_per_epoch" if run.per_epoch is None else f"{run.per_epoch:g}"
    return (
        f"Stretch the schedule over the run with .over({steps}); if its numbers count epochs, "
        f"write .per_epoch({per_epoch}) after it; if every process steps it, let one do so. "
        "attach(optimizer, schedule) counts optimizer steps by itself."
    )


@rule(
    needs="the rate; with a training loss it asks whether the loss still fell",
    source="an update at rate 0 changes nothing; a cosine over half of the run is a run of half "
    "the length: Hoffmann et al. 2022 (arXiv 2203.15556), appendix B",
    instead_of=("rate_too_low",),
)
def decay_ended_early(run: RunView) -> Found | None:
    """The rate was near zero while there was still time, and while the loss still fell.

    Below 0.1 % of the peak, or, below 2 %, at the floor of a smooth decay, for more than a tenth of
    the run, to its end; a level above 0 that the rate was cut to is none. And just before, over as
    long a stretch or the half of what was before, the loss fell by more than three standard errors,
    or these are above 2 % of the descent, so that nobody can tell.
    """
    if not run.has_rate or len(run.rate) < _FEWEST_POINTS:
        return None
    over = _reached_its_floor(run)
    tail = run.last - over
    if tail <= _LONGEST_TAIL * run.length:
        return None
    before = run.loss.between(over - min(tail, (over - run.first) / 2), over)
    fell, falls = before.fall, before.fall.size > _STILL_FALLS * before.fall.error
    if not falls and fell.error < _TOO_NOISY * run.descent:
        return None
    then = (
        f" Before, from step {position_text(before.positions[0])} on, the loss fell by "
        f"{number_text(fell.size, 2)} (± {number_text(fell.error, 1)})."
        if math.isfinite(fell.error)
        else ""
    )
    total = round(run.last) + 1
    process = ""
    for count in (2, 4, 8):
        if abs(over / run.last - 1 / count) < 0.02:
            process = f" It ended at 1/{count} of the run: see whether {count} processes step it."
    return Found(
        "likely" if falls else "possible",
        f"After step {position_text(over)} the rate is {rate_text(run.last_rate)}, at most "
        f"{_percent(_SPENT, 1)} of its peak, {rate_text(run.peak)}: {_percent(tail, run.length)} "
        f"of the run.{then}",
        f"Let the decay end at step {position_text(total)} instead of {position_text(over)}: "
        f".over({total}).{process}",
        start=over,
        end=run.last,
        numbers={"spent_at": over, "tail": tail},
    )


def _reached_its_floor(run: RunView) -> float:
    """The last position before the rate stays almost 0, or at the floor of a smooth decay."""
    rates = run.rate.values
    floor = 1.001 * run.last_rate if run.last_rate < _SPENT * run.peak else 0.0
    last = int(np.flatnonzero(rates > max(floor, _ALMOST_ZERO * run.peak))[-1])
    before = rates[max(last - 1, 0)]
    held = math.isclose(before, rates[last], rel_tol=1e-6)
    cut = held and run.last_rate < _CUT * rates[last]
    if cut and run.last_rate > _ZERO * run.peak:
        return run.last  # a step schedule trains at this level, too
    return float(run.rate.positions[last])


@rule(
    needs="the rate",
    source="124M Llama, AdamW, 50k steps, tuned (arXiv 2501.18965): a constant rate ended at "
    "3.074, a linear decay over the last 20 % at 2.931 and over 60 % at 2.915",
)
def never_decayed(run: RunView) -> Found | None:
    """The rate never fell, and the last stretch of the loss that a decay brings is missing.

    The last rate is above 90 % of the peak, the peak was reached, the run is at its planned end as
    far as that is known.
    """
    if not run.has_rate or len(run.rate) < _FEWEST_POINTS or _is_short(run):
        return None
    # Some loops log a 0 at the end, for an update that they do not make.
    lowest = float(run.rate.between(run.peak_at, run.last).values[:-1].min(initial=run.peak))
    ended = float(run.rate.values[-2])
    if lowest < _NO_DECAY * run.peak:
        return None
    if run.peak_at > run.first + 0.95 * (run.last - run.first) and run.rate.values[0] < lowest:
        return None  # it was still rising: there was no time to decay
    fifth = max(1, round(run.length / 5))
    return Found(
        "possible" if run.cut_short else "likely",
        f"The rate was {rate_text(run.peak)} at its peak and {rate_text(ended)} when the run ended "
        f"at step {position_text(run.last)}.{_may_go_on(run)}",
        f"Continue from the last checkpoint with a decay to 0 over {position_text(fifth)} steps, "
        f"Linear({fifth}); next time plan it in: wsd(total, warmup, cooldown), best over 60 % of "
        "the run.",
        start=run.peak_at,
        end=run.last,
        numbers={"peak": run.peak, "ended_at": ended},
    )


@rule(
    needs="the rate; best with the planned number of steps",
    source="Hoffmann et al. 2022 (arXiv 2203.15556), appendix B: a schedule longer than the run by "
    "more than 25 % loses clearly",
    instead_of=("never_decayed",),
)
def ended_before_cooldown(run: RunView) -> Found | None:
    """The run ended while the schedule still had a decay to make.

    More than 5 % of the planned steps are missing and the rate is above 5 % of the peak; or, where
    the plan is not known, above a quarter of the peak and still falling.
    """
    if not run.has_rate or len(run.rate) < _FEWEST_POINTS:
        return None
    if run.planned is not None and _is_short(run):
        if run.last_rate < _LACKING * run.peak:
            return None
        missing = run.planned - run.last - 1
        end, why = run.planned, f"{position_text(missing)} of {position_text(run.planned)} steps"
        evidence = f"{why} are missing, and the last rate is "
    elif run.last_rate > _HIGH_END * run.peak and _ends_in_the_middle(run):
        slope = _last_slope(run)
        missing = min(-run.last_rate / slope, 10 * run.length)
        end, evidence = run.last + missing, "The rate was still falling at the end, at "
    else:
        return None
    left = max(1, round(missing))
    return Found(
        "possible" if run.cut_short else "certain" if _is_short(run) else "likely",
        f"{evidence}{rate_text(run.last_rate)}, {_percent(run.last_rate, run.peak)} of its peak "
        f"{rate_text(run.peak)}.{_may_go_on(run)}",
        f"Continue from the last checkpoint up to about step {position_text(round(end))}, or decay "
        f"to 0 now, over {position_text(min(left, max(1, round(run.length / 5))))} steps. Next "
        f"time squeeze the schedule into the run: .over({round(run.last) + 1}).",
        start=run.last,
        end=float(end),
        numbers={"ended_at": run.last_rate, "missing": float(missing)},
    )


def _may_go_on(run: RunView) -> str:
    return " The log was cut short: the run may have gone on." if run.cut_short else ""


def _is_short(run: RunView) -> bool:
    return run.planned is not None and run.last + 1 < (1 - _LACKING) * run.planned


def _last_slope(run: RunView) -> float:
    tail = run.rate.between(run.last - 0.05 * run.length, run.last)
    if len(tail) < 3:
        return 0.0
    return float((tail.values[-1] - tail.values[0]) / (tail.positions[-1] - tail.positions[0]))


def _ends_in_the_middle(run: RunView) -> bool:
    """Whether the rate was falling at the end by more than a hundredth of its peak per 5 %."""
    falling = -_last_slope(run) * 0.05 * run.length > 0.01 * run.peak
    # A staircase that has just made a step is not on its way down.
    tail = run.rate.between(run.last - 0.05 * run.length, run.last)
    steps = -np.diff(tail.values)
    smooth = len(steps) > 2 and steps.max() < 0.6 * max(steps.sum(), 1e-300)
    return falling and bool(smooth)
