"""``PolicyState``: what has happened to a policy since the start of a run."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from stepsize.driving._acts import Act, read_act, saved_act
from stepsize.driving._rewound import Rewound
from stepsize.errors import StateError

__all__ = ["PolicyState"]


@dataclass(frozen=True)
class PolicyState:
    """What has happened to a policy during a run. Immutable; ``Policy`` makes the next one.

    Args:
        scale: The product of all Scale decisions, of all scaling by hand and of lasting cuts.
        acts: What was done by hand, in order, each with its position.
        memories: The controllers' states, in their order.
        rewinds: The rewinds, in order.
    """

    scale: float = 1.0
    acts: tuple[Act, ...] = ()
    memories: tuple[Any, ...] = ()
    rewinds: tuple[Rewound, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Numbers, strings, lists and dictionaries only."""
        return {
            "scale": self.scale,
            "acts": [saved_act(each) for each in self.acts],
            "memories": list(self.memories),
            "rewinds": [asdict(each) for each in self.rewinds],
        }

    @classmethod
    def from_dict(cls, saved: Mapping[str, Any]) -> "PolicyState":
        """The state that ``to_dict`` wrote.

        Raises:
            StateError: It is not such a dictionary.
        """
        try:
            acts = tuple(read_act(each) for each in saved["acts"])
            # Absent in states that were saved before there were rewinds.
            rewinds = tuple(Rewound(**each) for each in saved.get("rewinds", ()))
            return cls(float(saved["scale"]), acts, tuple(saved["memories"]), rewinds)
        except (KeyError, TypeError, ValueError) as error:
            raise StateError(
                "PolicyState.from_dict(...)",
                "a saved state has a scale, acts, memories and rewinds",
                f"reading {saved!r} fails with {error!r}",
                "Pass what to_dict() gave.",
            ) from error
