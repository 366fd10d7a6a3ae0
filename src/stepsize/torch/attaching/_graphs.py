"""Keeps hooks of optimizers out of the graphs that ``torch.compile`` makes of their steps."""

from collections.abc import Callable
from typing import Any

import torch

__all__ = ["outside_graphs"]


def outside_graphs(hook: Callable[[Any], None], optimizer: Any) -> None:
    """Call a hook between two graphs: in one, each new value would make another.

    ``torch._dynamo`` is loaded by then; loading it when attaching would take seconds, and wrapping
    every hook in its ``disable`` microseconds per step.
    """
    torch._dynamo.disable(hook)(optimizer)  # pyright: ignore[reportPrivateUsage, reportUnknownMemberType]


outside_graphs._torchdynamo_disable = True  # pyright: ignore[reportFunctionMemberAccess]
