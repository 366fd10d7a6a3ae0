"""What a plan needs to know of an optimizer: whether its updates are normalized, and its β₂."""

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from stepsize.errors import InvalidValue
from stepsize.words import list_text

__all__ = ["Kind", "kind_of"]


class Kind(NamedTuple):
    """An optimizer's kind.

    Args:
        normalized: Whether its updates do not grow with the gradient, as Adam's do not.
        beta2: The usual decay of its second moment; None where it has none.
    """

    normalized: bool
    beta2: float | None


_KINDS: Final[Mapping[str, Kind]] = {
    "SGD": Kind(normalized=False, beta2=None),
    "Adam": Kind(normalized=True, beta2=0.999),
    "AdamW": Kind(normalized=True, beta2=0.999),
    "NAdam": Kind(normalized=True, beta2=0.999),
    "Adamax": Kind(normalized=True, beta2=0.999),
    "LAMB": Kind(normalized=True, beta2=0.999),
    "RMSprop": Kind(normalized=True, beta2=0.99),
    "Adagrad": Kind(normalized=True, beta2=None),
    "Lion": Kind(normalized=True, beta2=None),
    "Muon": Kind(normalized=True, beta2=None),
}
_BY_LOWER_CASE = {name.lower(): kind for name, kind in _KINDS.items()}


def kind_of(call: str, optimizer: Any) -> Kind:
    """The kind of the optimizer of this name, in any case.

    Raises:
        InvalidValue: There is no optimizer of this name.
    """
    kind = _BY_LOWER_CASE.get(optimizer.lower()) if isinstance(optimizer, str) else None
    if kind is None:
        raise InvalidValue(
            call,
            f"{{optimizer}} must be one of {list_text(map(repr, _KINDS), 'or')}",
            f"is {optimizer!r}",
            "For another one name its nearest relative: 'SGD' if the update grows with the "
            "gradient, 'Adam' if it does not.",
            "optimizer",
        )
    return kind
