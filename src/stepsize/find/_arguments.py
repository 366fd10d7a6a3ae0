"""What the finders are given, checked: a training, a number of steps, rates."""

from collections.abc import Iterable, Sequence
from typing import Any

from stepsize.checks import Range, checked_numbers, checked_whole_number
from stepsize.errors import InvalidType, InvalidValue, TrainingError
from stepsize.training import Group
from stepsize.words import list_text, number_text

__all__: list[str] = []

_MEMBERS = ("groups", "step", "evaluate", "snapshot", "restore")
_RATE = Range(above=0, remedy="Example: [1e-3, 1e-2, 1e-1].")


def require_training(training: Any, call: str) -> None:
    """Refuse what is not a training before anything is asked of it.

    Raises:
        InvalidType: A member is missing.
    """
    missing = [name for name in _MEMBERS if not hasattr(training, name)]
    if missing:
        raise InvalidType(
            call,
            f"a training has {list_text(_MEMBERS)}",
            f"{type(training).__name__} has no {', '.join(missing)}",
            "Wrap a torch model with TorchTraining(model, optimizer, loss, batches), or write the "
            "five members.",
            "training",
        )


def checked_count(call: str, name: str, value: Any, minimum: int, remedy: str) -> int:
    """A count of at least ``minimum``.

    Raises:
        InvalidType: It is not a number.
        InvalidValue: It is too small, or has a fraction.
    """
    return checked_whole_number(call, name, value, Range(minimum=minimum, remedy=remedy))


def checked_rates(call: str, rates: Any) -> list[float]:
    """Different rates above 0, at least one, from a list, an array or a tensor, in their order.

    Raises:
        InvalidType: It is not a list of numbers.
        InvalidValue: It is empty, a rate is not above 0, or one comes twice.
    """
    checked = [float(rate) for rate in checked_numbers(call, "rates", rates, _RATE)]
    if not checked:
        raise InvalidValue(
            call, "{rates} must hold at least one", "it is empty", _RATE.remedy, "rates"
        )
    repeated = sorted({rate for rate in checked if checked.count(rate) > 1})
    if repeated:
        raise InvalidValue(
            call,
            "{rates} must differ",
            f"{list_text(map(number_text, repeated))} comes more than once",
            "A trial repeats itself exactly: name each rate once.",
            "rates",
        )
    return checked


def largest_base(call: str, groups: Sequence[Group]) -> float:
    """The largest base rate of the groups: a finder's rates are those of its group.

    Raises:
        TrainingError: It is 0.
    """
    bases = [group.base for group in groups]
    largest = max(bases, default=0.0)
    if largest <= 0:
        raise TrainingError(
            call,
            "the ratios of the groups' base rates are kept, so one of them must be above 0",
            f"they are {list_text(map(number_text, bases))}",
            "Give the optimizer any lr above 0.",
        )
    return largest


def described(error: Exception) -> str:
    """An exception of the user's code, in a message."""
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__


def quoted(names: Iterable[str]) -> str:
    """Names of measurements in a message."""
    return ", ".join(map(repr, sorted(names))) or "nothing"
