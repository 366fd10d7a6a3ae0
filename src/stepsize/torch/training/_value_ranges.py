"""What the numbers of a batch, and of the gradient that it gave, look like."""

from collections.abc import Iterator, Mapping, Sequence
from math import nan
from typing import Any, cast

import torch
from torch import Tensor, nn

from stepsize.training import ValueRange

__all__ = ["value_ranges"]


def value_ranges(batches: Sequence[Any], model: nn.Module) -> Sequence[ValueRange]:
    """A part for each place of a batch that holds real numbers, and one for the gradient."""
    found: dict[str, list[Tensor]] = {}
    for batch in batches:
        for name, tensor in _tensors("the batch", batch):
            found.setdefault(name, []).append(tensor)
    gradients = [each.grad for each in model.parameters() if each.grad is not None]
    found["the gradient"] = gradients
    return [_part(name, tensors) for name, tensors in found.items() if tensors]


def _tensors(name: str, value: Any) -> Iterator[tuple[str, Tensor]]:
    if isinstance(value, Tensor):
        if value.is_floating_point() and value.numel():
            yield name, value
    elif isinstance(value, Mapping):
        for key, each in cast(Mapping[Any, Any], value).items():
            yield from _tensors(f"{name}[{key!r}]", each)
    elif isinstance(value, list | tuple):
        for index, each in enumerate(cast(Sequence[Any], value)):
            yield from _tensors(f"{name}[{index}]", each)


def _part(name: str, tensors: Sequence[Tensor]) -> ValueRange:
    lows: list[float] = []
    highs: list[float] = []
    not_finite = 0
    for tensor in tensors:
        values = tensor.coalesce().values() if tensor.is_sparse else tensor.detach()
        finite = values[torch.isfinite(values)]
        not_finite += values.numel() - finite.numel()
        if finite.numel():
            lows.append(finite.min().item())
            highs.append(finite.max().item())
    return ValueRange(name, min(lows, default=nan), max(highs, default=nan), not_finite)
