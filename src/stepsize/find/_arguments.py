"""What the finders are given, checked: a training, a number of steps, rates."""

from collections.abc import Iterable
from typing import Any, cast

from stepsize.checks import Range, checked_number, checked_whole_number
from stepsize.errors import InvalidType, InvalidValue

__all__: list[str] = []

_MEMBERS = ("groups", "step", "evaluate", "snapshot", "restore")
_RATE = Range(above=0, remedy="Example: [1e-3, 1e-2, 1e-1].")


def require_training(training: Any, call: str) -> None:
    """Refuses what is no training, before anything is asked of it.

    Raises:
        InvalidType: A member is missing.
    """
    missing = [name for name in _MEMBERS if not hasattr(training, name)]
    if missing:
        raise InvalidType(
            f"{call}: a training has {', '.join(_MEMBERS)}, but {type(training).__name__} has no "
            f"{', '.join(missing)}. Wrap a torch model with TorchTraining(model, optimizer, loss, "
            "batches), or write the five members."
        )


def checked_steps(call: str, steps: Any, least: int, what: str, name: str = "steps") -> int:
    """A count of at least ``least``; ``what`` is a sentence that says what it counts.

    Raises:
        InvalidType: It is no number.
        InvalidValue: It is too small, or has a fraction.
    """
    return checked_whole_number(call, name, steps, Range(minimum=least, remedy=what))


def checked_rates(call: str, rates: Any) -> list[float]:
    """Different rates above 0, at least one, from a list, an array or a tensor, in their order.

    Raises:
        InvalidType: It is no list of numbers.
        InvalidValue: There is none, one is not above 0, or one comes twice.
    """
    if isinstance(rates, str) or not isinstance(rates, Iterable):
        raise InvalidType(f"{call}: rates must be a list of numbers. {_RATE.remedy}")
    each = list(cast(Iterable[Any], rates))
    checked = [float(checked_number(call, "each of rates", rate, _RATE)) for rate in each]
    if not checked:
        raise InvalidValue(f"{call}: rates must hold at least one. {_RATE.remedy}")
    twice = sorted({rate for rate in checked if checked.count(rate) > 1})
    if twice:
        raise InvalidValue(
            f"{call}: rates must differ, but {', '.join(f'{rate:g}' for rate in twice)} comes more "
            "than once. A trial is the same each time: name it once."
        )
    return checked
