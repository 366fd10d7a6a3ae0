"""From a run's own units to optimizer steps: durations, and how many steps a run takes."""

import re
from dataclasses import dataclass, fields
from fractions import Fraction
from typing import Annotated, Final, NamedTuple, TypeAlias

from stepsize.checks import Number, Range, checked_number, checked_whole_number, number_ranges
from stepsize.errors import InvalidType, InvalidValue
from stepsize.words import position_text

__all__ = ["Horizon", "total_steps"]

NUMBER: Final = r"(?:[0-9][0-9_]*\.?[0-9_]*|\.[0-9][0-9_]*)(?:[eE][+-]?[0-9]+)?"
"""A number as Python writes it, without a sign; a regular expression."""

UNIT: Final = r"[^\W\d_]\w*"
"""What follows a number at once and makes it a duration; a regular expression."""

_DURATION: Final = re.compile(f"(?>({NUMBER}))({UNIT})")
_LONGEST_TEXT: Final = 100
_MOST: Final = 2**53


class _Unit(NamedTuple):
    """A unit of durations: what it counts, and the horizon's field that gives its size."""

    counts: str
    field: str | None
    several_in_a_step: bool = False


_UNITS: Final = {
    "ep": _Unit("epochs", "steps_per_epoch"),
    "ba": _Unit("batches: optimizer steps", None),
    "sp": _Unit("samples", "samples_per_step", several_in_a_step=True),
    "tok": _Unit("tokens", "tokens_per_step", several_in_a_step=True),
    "dur": _Unit("whole runs", "steps"),
}

_Size: TypeAlias = Annotated[Number, Range(above=0, maximum=_MOST)]


class Duration(NamedTuple):
    """A duration as read: how many of which unit."""

    number: Fraction
    unit: _Unit


def read_duration(text: str) -> Duration:
    """Take a duration such as ``10ep`` apart.

    Raises:
        InvalidType: ``text`` is not a string.
        InvalidValue: It is not a duration.
    """
    if not isinstance(text, str):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise InvalidType(
            repr(text), "a duration is a text such as '10ep'", f"this is a {type(text).__name__}"
        )
    found = _DURATION.fullmatch(text) if len(text) <= _LONGEST_TEXT else None
    if found is None or found[2] not in _UNITS:
        units = ", ".join(f"{unit} ({counts})" for unit, (counts, *_) in _UNITS.items())
        raise InvalidValue(
            repr(text[:40]),
            "it is not a duration" if found is None else f"{found[2]!r} is not a unit",
            remedy=f"A duration is a number directly followed by its unit: {units}.",
        )
    try:
        size = float(found[1])
    except ValueError:  # 1__0
        raise InvalidValue(repr(text), f"{found[1]!r} is not a number") from None
    if size > _MOST:
        raise InvalidValue(text, "a duration's number is at most 2^53")
    # Decimal digits are read as they stand: 0.07 of 100 steps are 7, and not 7.000000000000001.
    # What no double can tell from zero is zero, lest 1e-999999999 is written out.
    number = Fraction(found[1].replace("_", "")) if size else Fraction(0)
    return Duration(number, _UNITS[found[2]])


@dataclass(frozen=True, kw_only=True, repr=False)
class Horizon:
    """What a run's units are in optimizer steps: with it ``parse`` reads durations as numbers.

    ======  ========================  =====================
    Unit    Counts                    Needs
    ======  ========================  =====================
    10ep    epochs                    ``steps_per_epoch``
    500ba   batches: optimizer steps  nothing
    1e6sp   samples                   ``samples_per_step``
    1e9tok  tokens                    ``tokens_per_step``
    0.1dur  whole runs                ``steps``
    ======  ========================  =====================

    No field is guessed from another one: samples say nothing about tokens.

    Args:
        steps: The length of the run, > 0.
        steps_per_epoch: > 0; ``total_steps(dataset_len, batch)`` counts them.
        tokens_per_step: Tokens in an optimizer step, over all ranks and accumulated batches, > 0.
        samples_per_step: Samples in an optimizer step, counted likewise, > 0.

    Raises:
        InvalidType: An argument is not a number.
        InvalidValue: It is not above 0, or too large.

    >>> from stepsize import Horizon, parse
    >>> horizon = Horizon(steps=10_000, steps_per_epoch=500, tokens_per_step=4096)
    >>> parse("Warmup(500ba) >> Hold(8.5ep) >> Cosine(0.5dur, end=0.1)", horizon=horizon)
    Warmup(500) >> Hold(4250) >> Cosine(5000, end=0.1)
    >>> horizon.steps_in("1e9tok")
    244140.625

    Source: the units are those of Composer's ``Time`` strings.
    """

    steps: _Size | None = None
    steps_per_epoch: _Size | None = None
    tokens_per_step: _Size | None = None
    samples_per_step: _Size | None = None

    def __post_init__(self) -> None:
        call = repr(self)
        for name, allowed in number_ranges(Horizon).items():
            value = getattr(self, name)
            if value is not None:
                object.__setattr__(self, name, checked_number(call, name, value, allowed))

    def __repr__(self) -> str:
        given = {each.name: getattr(self, each.name) for each in fields(self)}
        shown = [f"{name}={value!r}" for name, value in given.items() if value is not None]
        return f"Horizon({', '.join(shown)})"

    def steps_in(self, duration: str) -> Number:
        """How many optimizer steps a duration lasts.

        Args:
            duration: A number and its unit: ``"10ep"``.

        Returns:
            An int where the steps are whole, otherwise the double nearest to the exact quotient.

        Raises:
            InvalidType: ``duration`` is not a string.
            InvalidValue: It is not a duration, lasts more than 2^53 steps, or needs a field that
                this horizon does not give.

        >>> from stepsize import Horizon
        >>> Horizon(steps=100).steps_in("0.07dur")
        7
        >>> Horizon(steps=100).steps_in("2ep")
        Traceback (most recent call last):
            ...
        stepsize.errors.InvalidValue: 2ep: epochs need steps_per_epoch, but Horizon(...
        """
        number, unit = read_duration(duration)
        steps = number * self._size(duration, unit) ** (-1 if unit.several_in_a_step else 1)
        if steps > _MOST:
            raise InvalidValue(
                duration,
                "a duration lasts at most 2^53 optimizer steps",
                f"with {self!r} this is {position_text(float(steps))}",
            )
        return int(steps) if steps.denominator == 1 else float(steps)

    def _size(self, duration: str, unit: _Unit) -> Fraction:
        if unit.field is None:
            return Fraction(1)
        size = getattr(self, unit.field)
        if size is None:
            raise InvalidValue(
                duration,
                f"{unit.counts} need {unit.field}",
                f"{self!r} has none",
                f"Give Horizon({unit.field}=...), on the command line "
                f"--{unit.field.replace('_', '-')}.",
            )
        return Fraction(repr(size))


def total_steps(
    dataset_len: int,
    batch: int,
    accumulate: int = 1,
    epochs: int = 1,
    world: int = 1,
    drop_last: bool = False,
) -> int:
    """How many optimizer steps a training takes: epochs · ⌈batches per rank / accumulate⌉.

    The batches per rank are dataset_len / (batch · world), rounded up, or with ``drop_last`` down.
    Each epoch ends with an optimizer step: a last group of fewer than ``accumulate`` batches
    counts as a step, and is not carried into the next epoch.

    So count the Hugging Face Trainer (``max_steps``), Lightning (``estimated_stepping_batches``)
    and accelerate (``accumulate`` of a prepared loader), and torch's ``DataLoader`` over a
    ``DistributedSampler``. Others count otherwise: a loop of your own that steps ``if (i + 1) %
    accumulate == 0`` drops the last group, which is ``epochs * (batches // accumulate)``; and a
    ``DistributedSampler`` without ``drop_last`` of its own, as Lightning builds it, fills the
    ranks up first, so that a loader with ``drop_last`` can have one batch more per epoch.

    Args:
        dataset_len: Samples in the data set, >= 1.
        batch: Samples in a batch of one rank, >= 1.
        accumulate: Batches whose gradients make an optimizer step, >= 1.
        epochs: Passes over the data, >= 1.
        world: Ranks that share the data, >= 1.
        drop_last: Whether the last, smaller batch of an epoch is left out.

    Returns:
        The number of optimizer steps; for one epoch it is a ``Horizon``'s ``steps_per_epoch``.

    Raises:
        InvalidType: An argument is not a number.
        InvalidValue: An argument is not whole or below 1, or no batch is left.

    >>> from stepsize import total_steps
    >>> total_steps(50_000, 128, epochs=90)
    35190
    >>> total_steps(50_000, 128, epochs=90, drop_last=True)
    35100
    >>> total_steps(1_000, 8, accumulate=4, epochs=3, world=2)
    48
    """
    call = (
        f"total_steps({dataset_len!r}, {batch!r}, accumulate={accumulate!r}, epochs={epochs!r}, "
        f"world={world!r}, drop_last={drop_last!r})"
    )
    at_least_one = Range(minimum=1, maximum=_MOST)
    samples, per_rank, group, passes, ranks = (
        checked_whole_number(call, name, value, at_least_one)
        for name, value in (
            ("dataset_len", dataset_len),
            ("batch", batch),
            ("accumulate", accumulate),
            ("epochs", epochs),
            ("world", world),
        )
    )
    together = per_rank * ranks
    batches = samples // together if drop_last else _ceil(samples, together)
    if batches == 0:
        raise InvalidValue(
            call,
            f"with {{drop_last}} a step needs a whole batch on every rank, {together:,} samples",
            f"the data set has {samples:,}",
            "Make the batch smaller or keep the last.",
        )
    return passes * _ceil(batches, group)


def _ceil(dividend: int, divisor: int) -> int:
    return -(-dividend // divisor)
