"""Copies of everything a torch training's next step depends on, and the way back, bit for bit.

State dictionaries are not enough: they leave out non-persistent buffers, gradients and modes, and
loading one casts the optimizer's tensors and replaces the groups. Values are put back in place, so
that whoever holds a tensor (a captured graph, a view, the user) still holds the right one.
"""

import copy
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from stepsize.errors import TrainingError

__all__ = ["ModelSnapshot", "OptimizerSnapshot", "RandomSnapshot"]


def _copied(value: Any) -> Any:
    if isinstance(value, Tensor):
        return value.detach().clone()
    if isinstance(value, dict):
        return {key: _copied(each) for key, each in cast(dict[Any, Any], value).items()}
    if type(value) in (list, tuple):
        return type(value)(_copied(each) for each in value)
    return copy.deepcopy(value)


def _put_back(current: Any, saved: Any) -> Any:
    """``saved`` again, in ``current``'s own memory where it still fits."""
    if (
        isinstance(current, Tensor)
        and isinstance(saved, Tensor)
        and current.shape == saved.shape
        and current.dtype == saved.dtype
        and current.device == saved.device
    ):
        with torch.no_grad():
            current.copy_(saved)
        return current
    return _copied(saved)


@dataclass(frozen=True)
class ModelSnapshot:
    """Parameters, all buffers, gradients, and which modules and parameters were training."""

    model: nn.Module
    parameters: Mapping[str, Tensor]
    gradients: Mapping[str, Tensor | None]
    trainable: Mapping[str, bool]
    buffers: Mapping[str, Mapping[str, Tensor | None]]
    modes: Mapping[str, bool]

    @classmethod
    def take(cls, model: nn.Module) -> "ModelSnapshot":
        parameters = dict(model.named_parameters())
        return cls(
            model,
            {name: _copied(each) for name, each in parameters.items()},
            {name: _copied(each.grad) for name, each in parameters.items()},
            {name: each.requires_grad for name, each in parameters.items()},
            {name: _copied(_buffers_of(module)) for name, module in _modules_of(model)},
            {name: module.training for name, module in _modules_of(model)},
        )

    def restore(self) -> None:
        parameters = dict(self.model.named_parameters())
        if parameters.keys() != self.parameters.keys():
            changed = sorted(parameters.keys() ^ self.parameters.keys())
            raise TrainingError(
                "restore(snapshot)",
                "the model's parameters are not those of the snapshot ("
                f"{', '.join(changed[:3])} came or went)",
                remedy="Take snapshots after building the model.",
            )
        for name, parameter in parameters.items():
            with torch.no_grad():
                parameter.copy_(self.parameters[name])
            parameter.requires_grad_(self.trainable[name])
            parameter.grad = _put_back(parameter.grad, self.gradients[name])
        for name, module in _modules_of(self.model):
            buffers = _buffers_of(module)
            for key, saved in self.buffers[name].items():
                buffers[key] = _put_back(buffers.get(key), saved)
            module.training = self.modes[name]


def _modules_of(model: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    return cast(Iterator[tuple[str, nn.Module]], model.named_modules())


def _buffers_of(module: nn.Module) -> dict[str, Tensor | None]:
    # The only place that also holds buffers which are None.
    return module._buffers  # pyright: ignore[reportPrivateUsage]


@dataclass(frozen=True)
class OptimizerSnapshot:
    """The optimizer's state per parameter and its groups' options."""

    optimizer: Optimizer
    state: Mapping[Any, Any]
    groups: Sequence[Mapping[str, Any]]

    @classmethod
    def take(cls, optimizer: Optimizer) -> "OptimizerSnapshot":
        return cls(
            optimizer,
            {parameter: _copied(state) for parameter, state in optimizer.state.items()},
            [
                {key: _copied(value) for key, value in group.items() if key != "params"}
                for group in optimizer.param_groups
            ],
        )

    def restore(self) -> None:
        optimizer = self.optimizer
        if len(optimizer.param_groups) != len(self.groups):
            raise TrainingError(
                "restore(snapshot)",
                f"the optimizer has {len(optimizer.param_groups)} groups",
                f"the snapshot {len(self.groups)}",
                "Add groups before a snapshot is taken.",
            )
        for parameter in list(optimizer.state):
            if parameter not in self.state:
                del optimizer.state[parameter]
        for parameter, saved in self.state.items():
            current = optimizer.state[parameter]
            for key in list(current):
                if key not in saved:
                    del current[key]
            for key, value in saved.items():
                current[key] = _put_back(current.get(key), value)
        for group, saved in zip(optimizer.param_groups, self.groups, strict=True):
            for key, value in saved.items():
                group[key] = _put_back(group.get(key), value)


@dataclass(frozen=True)
class RandomSnapshot:
    """The random states of Python, NumPy, torch on every device, and a loader's own."""

    python: Any
    numpy: Any
    torch_cpu: Tensor
    torch_cuda: Sequence[Tensor]
    own: Sequence[tuple[torch.Generator, Tensor]]

    @classmethod
    def take(cls, generators: Sequence[torch.Generator] = ()) -> "RandomSnapshot":
        # Asking an unused GPU for its random state would start it.
        cuda = torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else []
        return cls(
            random.getstate(),
            np.random.get_state(),
            torch.get_rng_state(),
            cuda,
            [(generator, generator.get_state()) for generator in generators],
        )

    def restore(self) -> None:
        random.setstate(self.python)
        np.random.set_state(self.numpy)
        torch.set_rng_state(self.torch_cpu)
        if self.torch_cuda:
            torch.cuda.set_rng_state_all(list(self.torch_cuda))
        for generator, state in self.own:
            generator.set_state(state)
