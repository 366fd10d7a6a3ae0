"""Rules about the height of the peak. Without a base rate they have nothing to say."""

from typing import Final

from stepsize.lint._rule import Example, rule
from stepsize.lint._run import PlannedRun
from stepsize.messages import Message
from stepsize.rules import Finding

__all__ = ["peak_above", "peak_below", "rate_as_multiple"]

_FAR: Final = 5
_LOWEST_MULTIPLE: Final = 0.01

_MEASURED: Final = (
    "the table of published rates. In 2,966 small trainings of 12 tasks a rate 4.8 times too high "
    "cost nearly three times, and one 4.8 times too low more than, what half the budget is worth"
)


@rule(
    "doubt",
    source=_MEASURED,
    faulty=Example("linear_to_zero(10000, 500)", steps=10_000, optimizer="adamw", base=0.1),
    sound=Example("linear_to_zero(10000, 500)", steps=10_000, optimizer="adamw", base=0.05),
    needs_length=False,
)
def peak_above(run: PlannedRun) -> Finding | None:
    """The peak rate is more than five times the highest that well-known work gave the optimizer."""
    if run.usual is None or run.scale is None:
        return None
    highest, who = run.usual.highest
    peak = run.scale * run.peak
    if peak <= _FAR * highest:
        return None
    return Finding(
        Message(
            "The peak rate is {peak:rate}, {ratio:number 2} times the highest that is usual, "
            "{highest:rate} ({who:text}).",
            peak=peak,
            ratio=peak / highest,
            highest=highest,
            who=who,
        ),
        Message(
            "Begin at {highest:rate} or below, and measure with a range test.", highest=highest
        ),
        start=run.peak_at,
        end=run.peak_at + 1,
        numbers={"peak": peak, "highest": highest},
    )


@rule(
    "doubt",
    source=_MEASURED,
    faulty=Example("linear_to_zero(10000, 500)", steps=10_000, optimizer="sgd", base=1e-5),
    sound=Example("linear_to_zero(10000, 500)", steps=10_000, optimizer="sgd", base=2e-5),
    needs_length=False,
)
def peak_below(run: PlannedRun) -> Finding | None:
    """The peak rate is less than a fifth of the lowest that well-known work gave the optimizer."""
    if run.usual is None or run.scale is None or _reads_as_rate(run):
        return None
    lowest, who = run.usual.lowest
    peak = run.scale * run.peak
    if not 0 < peak < lowest / _FAR:
        return None
    return Finding(
        Message(
            "The peak rate is {peak:rate}, {ratio:number 2} times less than the lowest that is "
            "usual, {lowest:rate} ({who:text}).",
            peak=peak,
            ratio=lowest / peak,
            lowest=lowest,
            who=who,
        ),
        Message("Begin at {lowest:rate} or above, and measure with a range test.", lowest=lowest),
        start=run.peak_at,
        end=run.peak_at + 1,
        numbers={"peak": peak, "lowest": lowest},
    )


@rule(
    "mistake",
    source="a schedule gives multiples of the base rate: a rate in its place is multiplied twice",
    faulty=Example("Linear(10000, start=0.0003)", steps=10_000, base=3e-4),
    sound=Example("Absolute(Linear(10000, start=0.0003))", steps=10_000, base=3e-4),
    needs_length=False,
)
def rate_as_multiple(run: PlannedRun) -> Finding | None:
    """The base rate is given, and the peak is less than a hundredth of it."""
    if not _reads_as_rate(run):
        return None
    return Finding(
        Message(
            "The schedule's highest value is {multiple:number}, and it multiplies the base rate: "
            "the peak rate is {peak:message}.",
            multiple=run.peak,
            peak=run.told(run.peak),
        ),
        Message("If its values are rates, write Absolute(schedule); if not, lower the base rate."),
        start=0,
        end=run.total,
        numbers={"multiple": run.peak, "peak": run.number(run.peak)},
    )


def _reads_as_rate(run: PlannedRun) -> bool:
    # With base 1, multiples and rates are the same numbers.
    given = run.base is not None and run.base != 1 and not run.absolute
    return given and 0 < run.peak < _LOWEST_MULTIPLE
