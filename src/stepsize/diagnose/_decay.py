"""Rules about the decay of the rate: did it come, did it end with the run."""

import math
from typing import Final

import numpy as np

from stepsize.diagnose._advice import in_two_digits
from stepsize.diagnose._endings import ends_in_the_middle, is_short, last_slope
from stepsize.diagnose._levels import Level, rule
from stepsize.diagnose._trend import Fall
from stepsize.diagnose._view import RunView
from stepsize.messages import Message
from stepsize.rules import Finding

__all__ = ["decay_ended_early", "ended_before_cooldown", "never_decayed"]

_FEWEST_RATES: Final = 10
_SPENT: Final = 0.02
_ALMOST_ZERO: Final = 1e-3
_ZERO: Final = 1e-6
_CUT: Final = 0.5
_LONGEST_TAIL: Final = 0.1
_STILL_FALLS: Final = 3.0
_TOO_NOISY: Final = 0.02
_NO_DECAY: Final = 0.9
_HIGH_END: Final = 0.25
_LACKING: Final = 0.05
_CONVERGED: Final = 0.01
_PROCESSES: Final = (2, 4, 8)


def _knows_its_rates(run: RunView) -> bool:
    return len(run.rate) >= _FEWEST_RATES and run.has_rate and run.rate_is_whole


@rule(
    needs="the rate at 10 points to the end of the run; with a training loss it asks whether the "
    "loss still fell",
    source="an update at rate 0 changes nothing; a cosine over half of the run is a run of half "
    "the length: Hoffmann et al. 2022 (arXiv 2203.15556), appendix B",
    instead_of=("rate_too_low",),
    applies=_knows_its_rates,
)
def decay_ended_early(run: RunView) -> Finding | None:
    """The rate was near zero while there was still time, and while the loss still fell.

    Below 0.1 % of the peak, or, below 2 %, at the floor of a smooth decay, for more than a tenth of
    the run, to its end; a level above 0 that the rate was cut to does not count. And just before,
    over as long a stretch or the half of what was before, the loss fell by more than three standard
    errors, or these are above 2 % of the descent or unknown, so that nobody can tell.
    """
    over = _reached_its_floor(run)
    tail = run.last - over
    if tail <= _LONGEST_TAIL * run.length or over <= run.first:
        return None
    before = run.loss.between(over - min(tail, (over - run.first) / 2), over)
    fell, falls = before.fall, before.fall.exceeds(_STILL_FALLS)
    if not falls and fell.is_known and fell.error < _TOO_NOISY * run.descent:
        return None
    total = round(run.last) + 1
    return Finding(
        Message(
            "After {over:message} the rate is {rate:rate}, at most 2 % of its peak, {peak:rate}: "
            "{tail:percent} of the run.{before:message}",
            over=run.at(over),
            rate=in_two_digits(run.last_rate),
            peak=in_two_digits(run.peak),
            tail=tail / run.length,
            before=_fell_before(run, float(before.positions[0]) if len(before) else 0.0, fell),
        ),
        Message(
            "Let the decay end with the run, at {end:message} instead of {over:message}: "
            "{code:code}.{process:message}",
            end=run.at(total),
            over=run.at(over),
            code=run.counted(".over({})", total),
            process=_stepped_by_processes(run, over),
        ),
        start=over,
        end=run.last,
        numbers={"spent_at": over, "tail": tail},
        level="likely" if falls else "possible",
    )


def _fell_before(run: RunView, start: float, fell: Fall) -> Message | None:
    if not fell.is_known:
        return None
    return Message(
        " Before, from {start:message} on, the loss fell by {size:number 2} (± {error:number 1}).",
        start=run.at(start),
        size=fell.size,
        error=fell.error,
    )


def _stepped_by_processes(run: RunView, over: float) -> Message | None:
    for count in _PROCESSES:
        if abs(over / run.last - 1 / count) < 0.02:
            return Message(
                " It ended at 1/{count:count} of the run: see whether {count:count} processes step "
                "it.",
                count=count,
            )
    return None


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


def _could_decay(run: RunView) -> bool:
    return _knows_its_rates(run) and not len(run.policy[0]) and not is_short(run)


@rule(
    needs="the rate at 10 points to the end of the run, of a training that is not a policy's",
    source="124M Llama, AdamW, 50k steps, tuned (arXiv 2501.18965): a constant rate ended at "
    "3.074, a linear decay over the last 20 % at 2.931 and over 60 % at 2.915",
    applies=_could_decay,
)
def never_decayed(run: RunView) -> Finding | None:
    """The rate never fell, and the last stretch of the loss that a decay brings is missing.

    The last rate is above 90 % of the peak, the peak was reached, the run is at its planned end as
    far as that is known. It is likely where the run warmed up or the plan is known, else possible:
    the rate may be constant by design, as it is with schedule-free optimizers. A loss that came
    down to a hundredth of where it began has nothing left to gain.
    """
    # Some loops log a 0 at the end, for an update that they do not make.
    lowest = float(run.rate.between(run.peak_at, run.last).values[:-1].min(initial=run.peak))
    if lowest < _NO_DECAY * run.peak or "schedulefree" in run.optimizer:
        return None
    if run.peak_at > run.first + 0.95 * (run.last - run.first) and run.rate.values[0] < lowest:
        return None  # it was still rising: there was no time to decay
    if len(run.loss) and 0 <= run.loss.values[-3:].mean() < _CONVERGED * run.begins:
        return None
    fifth = max(1, round(run.length / 5))
    return Finding(
        Message(
            "The rate was {peak:rate} at its peak and {ended:rate} when the log ends, at "
            "{end:message}.{design:message}{may_go_on:message}",
            peak=in_two_digits(run.peak),
            ended=in_two_digits(float(run.rate.values[-2])),
            end=run.at(run.last),
            design=_by_design(run),
            may_go_on=_may_go_on(run),
        ),
        _wait(run)
        if run.may_go_on
        else Message(
            "Continue from the last checkpoint with a decay to 0 over {fifth:message}, "
            "{code:code}; next time plan it in, best over 60 % of the run: wsd(total, warmup, "
            "cooldown).",
            fifth=run.span(fifth),
            code=run.counted("Linear({})", fifth),
        ),
        start=run.peak_at,
        end=run.last,
        numbers={"peak": run.peak, "ended_at": float(run.rate.values[-2])},
        level=_sureness(run),
    )


def _sureness(run: RunView) -> Level:
    warmed_up = run.rate.values[0] < _NO_DECAY * run.peak
    sure = (warmed_up or run.planned is not None) and not run.is_multiple and not run.may_go_on
    return "likely" if sure else "possible"


def _by_design(run: RunView) -> Message | None:
    if run.is_multiple:
        return Message(
            " A rate of 1 by design, as with Prodigy, D-Adaptation or schedule-free optimizers, is "
            "an exception: of these, the schedule-free ones need no decay."
        )
    return None


def _may_go_on(run: RunView) -> Message | None:
    return Message(" The run may have gone on after that.") if run.may_go_on else None


def _wait(run: RunView) -> Message:
    if run.planned is not None:
        return Message(
            "If it goes on to {end:message}, wait for the rest; else plan the decay into the run's "
            "real length.",
            end=run.at(run.planned),
        )
    return Message("If it goes on, see that its schedule comes down before it ends.")


@rule(
    needs="the rate at 10 points to the end of the run; best with the planned number of steps",
    source="Hoffmann et al. 2022 (arXiv 2203.15556), appendix B: a schedule longer than the run by "
    "more than 25 % loses clearly",
    instead_of=("never_decayed",),
    applies=_knows_its_rates,
)
def ended_before_cooldown(run: RunView) -> Finding | None:
    """The run ended while the schedule still had a decay to make.

    More than 5 % of the planned steps are missing and the rate is above 5 % of the peak; or, where
    the plan is not known, the rate is above a quarter of the peak and still falling to an end. It
    is possible only where the run may go on, as that of a checkpoint may.
    """
    if run.planned is not None and is_short(run):
        if run.last_rate < _LACKING * run.peak:
            return None
        missing = run.planned - run.last - 1
    elif run.last_rate > _HIGH_END * run.peak and ends_in_the_middle(run):
        missing = min(-run.last_rate / last_slope(run), run.length)
    else:
        return None
    return Finding(
        _where_it_ended(run, missing),
        _wait(run) if run.may_go_on else _go_on(run, missing),
        start=run.last,
        end=run.last + missing,
        numbers={"ended_at": run.last_rate, "missing": float(missing)},
        level="possible" if run.may_go_on else "certain" if is_short(run) else "likely",
    )


def _where_it_ended(run: RunView, missing: float) -> Message:
    rate, peak = in_two_digits(run.last_rate), in_two_digits(run.peak)
    if run.planned is not None and is_short(run):
        return Message(
            "{missing:position} of {planned:message} are missing, and the last rate is "
            "{rate:rate}, {part:percent} of its peak {peak:rate}.{may_go_on:message}",
            missing=missing,
            planned=run.span(run.planned),
            rate=rate,
            part=run.last_rate / run.peak,
            peak=peak,
            may_go_on=_may_go_on(run),
        )
    return Message(
        "The rate was still falling at the end, at {rate:rate}, {part:percent} of its peak "
        "{peak:rate}.{may_go_on:message}",
        rate=rate,
        part=run.last_rate / run.peak,
        peak=peak,
        may_go_on=_may_go_on(run),
    )


def _go_on(run: RunView, missing: float) -> Message:
    left = max(1, round(missing))
    return Message(
        "Continue from the last checkpoint up to about {end:message}, or decay to 0 now, over "
        "{decay:message}. Next time fit the schedule into the run: {code:code}.",
        end=run.at(round(run.last + missing)),
        decay=run.span(min(left, max(1, round(run.length / 5)))),
        code=run.counted(".over({})", round(run.last) + 1),
    )
