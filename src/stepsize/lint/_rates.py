"""Rules about the height of the peak. Without a base rate they have nothing to say."""

from typing import Final

from stepsize.lint._rule import Example, Finding, rule
from stepsize.lint._run import PlannedRun
from stepsize.words import number_text

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
        f"The peak rate is {number_text(peak)}, {number_text(peak / highest, 2)} times the highest "
        f"that is usual, {number_text(highest)} ({who}).",
        f"Begin at {number_text(highest)} or below, and measure with a range test.",
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
        f"The peak rate is {number_text(peak)}, {number_text(lowest / peak, 2)} times less than "
        f"the lowest that is usual, {number_text(lowest)} ({who}).",
        f"Begin at {number_text(lowest)} or above, and measure with a range test.",
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
        f"The schedule's highest value is {number_text(run.peak)}, and it multiplies the base "
        f"rate: the peak rate is {run.text(run.peak)}.",
        "If its values are rates, write Absolute(schedule); if not, lower the base rate.",
        start=0,
        end=run.total,
        numbers={"multiple": run.peak, "peak": run.number(run.peak)},
    )


def _reads_as_rate(run: PlannedRun) -> bool:
    # With base 1, multiples and rates are the same numbers.
    given = run.base is not None and run.base != 1 and not run.absolute
    return given and 0 < run.peak < _LOWEST_MULTIPLE
