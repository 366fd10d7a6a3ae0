"""The optimizer inside a wrapper, and optimizers that a wrapper hides."""

from collections.abc import Iterable, Mapping
from typing import Any, cast

from torch.optim import Optimizer

__all__ = ["hidden_optimizers", "unwrapped"]


def unwrapped(optimizer: Any) -> Any:
    """What a framework has prepared, such as ``accelerate``, without its wrapper.

    Such a wrapper is an ``Optimizer`` by class alone: it has no hooks of its own.
    """
    while isinstance(optimizer, Optimizer) and "_optimizer_step_post_hooks" not in vars(optimizer):
        inner = getattr(optimizer, "optimizer", None)
        if not isinstance(inner, Optimizer):
            break
        optimizer = inner
    return optimizer


def hidden_optimizers(wrapper: Any) -> list[str]:
    """The attributes of a wrapper that hold optimizers whose groups it does not show."""
    shown = {id(group) for group in wrapper.param_groups}
    return [
        name
        for name, value in getattr(wrapper, "__dict__", {}).items()
        if any(
            id(group) not in shown for each in _optimizers_in(value) for group in each.param_groups
        )
    ]


def _optimizers_in(value: Any) -> Iterable[Optimizer]:
    if isinstance(value, Optimizer):
        return [value] if hasattr(value, "param_groups") else []
    if isinstance(value, Mapping):
        value = list(cast(Mapping[Any, Any], value).values())
    if isinstance(value, list | tuple):
        return [each for each in cast(list[Any], value) if isinstance(each, Optimizer)]
    return []
