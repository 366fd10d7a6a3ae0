"""The one seam between what is planned and whoever drives a training: ``Policy``."""
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any
__all__ = ["Policy"]
@dataclass(frozen=True)
class Policy:
    """Placeholder while the room is built."""
    schedule: Any
