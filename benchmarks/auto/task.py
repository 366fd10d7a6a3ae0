"""What a task is: a training that can be built afresh from a seed, its length, and its judge."""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from stepsize import Schedule
from stepsize.torch import TorchTraining

__all__ = ["MakeOptimizer", "Parts", "Started", "Task", "drive", "shuffled"]

Batch: TypeAlias = tuple[Tensor, ...]
MakeOptimizer: TypeAlias = Callable[[list[dict[str, Any]]], Optimizer]
Measure: TypeAlias = Callable[[Any], float]

# Noise that a model draws while it is judged is the same for every run.
_JUDGING_SEED = 20_000


@dataclass(frozen=True)
class Parts:
    """What one seed of a task is made of.

    Args:
        model: The module. Its forward pass takes a batch's first tensor.
        loss: ``loss(model, batch)`` -> scalar tensor.
        batches: From an epoch's number to its batches.
        batch_size: Examples in a batch.
        validation: A loss that procedures may look at, on data that neither trains nor judges; only
            where a task is about optimisation itself, all data do all three.
        judged: The loss that a run is judged by.
        ratios: The groups by name: modules and the ratio of their rate to the largest group's.
            One group with all trainable parameters if empty.
        clip: Largest gradient norm.
    """

    model: nn.Module
    loss: Callable[[Any, Any], Tensor]
    batches: Callable[[int], Iterable[Batch]]
    batch_size: int
    validation: Measure
    judged: Measure
    ratios: Mapping[str, tuple[nn.Module, float]] | None = None
    clip: float | None = None

    def groups(self) -> list[dict[str, Any]]:
        named = self.ratios or {"all": (self.model, 1.0)}
        return [
            {"name": name, "params": [p for p in module.parameters() if p.requires_grad]}
            for name, (module, _) in named.items()
        ]


class Effort:
    """Counts a model's work, whoever makes it work.

    An example's pass forwards and backwards counts as 3, one without gradients as 1.
    """

    def __init__(self, model: nn.Module) -> None:
        self.examples = 0
        model.register_forward_hook(self._count)

    def _count(self, model: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
        self.examples += len(inputs[0]) * (3 if torch.is_grad_enabled() else 1)


class Started:
    """One seed of a task, ready to be trained.

    Args:
        task: The task.
        seed: Initial weights, order of the data, noise.
        optimizer: Makes an optimizer from parameter groups, with the rates that it then has; if
            not given it is the task's own, with the task's ratios between the groups.
    """

    def __init__(self, task: "Task", seed: int, optimizer: MakeOptimizer | None = None) -> None:
        torch.manual_seed(seed)
        parts = task.parts(seed)
        made = (optimizer or task.optimizer)(parts.groups())
        if optimizer is None and parts.ratios is not None:
            for group, (_, ratio) in zip(made.param_groups, parts.ratios.values(), strict=True):
                group["lr"] *= ratio
        self._parts = parts
        self._whole = 3 * parts.batch_size * task.steps
        self.training = TorchTraining(
            parts.model,
            made,
            parts.loss,
            parts.batches,
            lambda model: {"val_loss": _with_fixed_noise(parts.validation, model)},
            clip=parts.clip,
        )
        self._effort = Effort(parts.model)

    @property
    def cost(self) -> float:
        """The work so far in full runs: trials, evaluations, whatever passed through the model."""
        return self._effort.examples / self._whole

    def judge(self) -> float:
        """The loss by which the run is judged, of the model as it is now."""
        model = self._parts.model
        model.eval()
        with torch.no_grad():
            return _with_fixed_noise(self._parts.judged, model)


@dataclass(frozen=True)
class Task:
    """A small training with a right answer.

    Args:
        name: What tables call it.
        parts: From a seed to everything that it needs.
        optimizer: The user's optimizer, at torch's default rate: it says nothing about the answer.
        steps: Length of a full run.
        guess: Where the grid of the reference begins. Procedures must not see it.
        judged_by: The loss that counts, in words.
        held_out: No procedure was tuned on it.
    """

    name: str
    parts: Callable[[int], Parts]
    optimizer: MakeOptimizer
    steps: int
    guess: float
    judged_by: str
    held_out: bool = False

    def start(self, seed: int, optimizer: MakeOptimizer | None = None) -> Started:
        """A fresh training from ``seed``."""
        return Started(self, seed, optimizer)


def _with_fixed_noise(measure: Measure, model: nn.Module) -> float:
    with torch.random.fork_rng():
        torch.manual_seed(_JUDGING_SEED)
        return float(measure(model))


def drive(training: TorchTraining, schedule: Schedule, steps: int) -> bool:
    """Train for ``steps`` at multiples of the base rates; False as soon as a loss is not finite."""
    groups = len(training.groups)
    return all(
        math.isfinite(training.step({"lr": [factor] * groups}).metrics["loss"])
        for factor in schedule.values(steps).tolist()
    )


def shuffled(
    tensors: Sequence[Tensor],
    batch_size: int,
    seed: int,
    change: Callable[[Tensor, torch.Generator], Tensor] | None = None,
) -> Callable[[int], Iterator[Batch]]:
    """Epochs over ``tensors`` in an order that depends on the seed and the epoch alone.

    Args:
        tensors: Same first dimension.
        batch_size: Examples per batch; an incomplete last one is left out.
        seed: Of the order.
        change: Applied to the first tensor of each batch, with a generator for its noise.
    """

    def epoch(number: int) -> Iterator[Batch]:
        generator = torch.Generator().manual_seed(seed * 1_000_003 + number)
        order = torch.randperm(len(tensors[0]), generator=generator)
        for chosen in order.split(batch_size):
            if len(chosen) < batch_size:
                return
            first, *rest = (tensor[chosen] for tensor in tensors)
            yield (change(first, generator) if change else first, *rest)

    return epoch
