"""What a run trained: enough to know whether another run can learn from it."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from stepsize.checks import checked_instance, checked_whole_number

__all__ = ["Fingerprint"]


@dataclass(frozen=True)
class Fingerprint:
    """What was trained: two trainings of one fingerprint are the same but for chance.

    Args:
        model: What tells models apart, such as the names and shapes of the parameters, hashed.
        data: What tells data sets apart, such as their length and first batch, hashed.
        batch_size: Examples in each update; None if they are not counted.

    Raises:
        InvalidType: Something has the wrong type.
        InvalidValue: The batch size is below 1.

    >>> Fingerprint("mlp 3f2a", "digits 9c1e", 64).to_dict()
    {'model': 'mlp 3f2a', 'data': 'digits 9c1e', 'batch_size': 64}
    """

    model: str
    data: str
    batch_size: int | None = None

    def __post_init__(self) -> None:
        call = f"Fingerprint({self.model!r}, {self.data!r}, {self.batch_size!r})"
        for name in ("model", "data"):
            checked_instance(call, name, getattr(self, name), str, "a str", "Hash what it is.")
        if self.batch_size is not None:
            checked_whole_number(call, "batch_size", self.batch_size)

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, saved: Mapping[str, Any]) -> "Fingerprint":
        """What :meth:`to_dict` gave.

        Raises:
            TypeError: It is something else.
        """
        return cls(**saved)
