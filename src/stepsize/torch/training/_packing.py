"""A training's snapshot as bytes, and back in another process.

The bytes hold tensors, numbers, strings, lists and dictionaries. What belongs to the process, the
model, the optimizer and the random generators, is left out and taken from the training that reads.
"""

import io
import pickle
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, cast

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from stepsize.errors import StateError, TrainingError
from stepsize.torch.training._batches import Position
from stepsize.torch.training._snapshot import ModelSnapshot, OptimizerSnapshot, RandomSnapshot

__all__ = ["Snapshot", "pack", "unpack"]

_PLAIN = (Tensor, int, float, complex, str, bytes, bool, type(None))


class Snapshot(NamedTuple):
    """What ``TorchTraining.snapshot`` takes."""

    model: ModelSnapshot
    optimizer: OptimizerSnapshot
    scaler: Mapping[str, Any]
    position: Position
    random: RandomSnapshot


def pack(snapshot: Snapshot) -> bytes:
    """The snapshot as bytes.

    Raises:
        TrainingError: The optimizer holds something that is not plain data.
    """
    model, optimizer = snapshot.model, snapshot.optimizer
    numbers = _numbers(optimizer.optimizer)
    body: dict[str, Any] = {
        "model": {
            "parameters": dict(model.parameters),
            "gradients": dict(model.gradients),
            "trainable": dict(model.trainable),
            "buffers": {name: dict(each) for name, each in model.buffers.items()},
            "modes": dict(model.modes),
        },
        "optimizer": {
            "state": {numbers[parameter]: state for parameter, state in optimizer.state.items()},
            "groups": [dict(group) for group in optimizer.groups],
        },
        "scaler": dict(snapshot.scaler),
        "epoch": snapshot.position.epoch,
        "used": snapshot.position.used,
        "drawn_from": _packed_random(snapshot.position.drawn_from),
        "random": _packed_random(snapshot.random),
    }
    _require_plain(body["optimizer"], type(optimizer.optimizer).__name__)
    file = io.BytesIO()
    torch.save(body, file)
    return file.getvalue()


def unpack(
    packed: bytes, model: nn.Module, optimizer: Optimizer, generators: Sequence[torch.Generator]
) -> Snapshot:
    """The snapshot again, for this model, optimizer and these generators. Runs no code.

    Raises:
        StateError: The bytes hold no snapshot, or that of another training.
    """
    try:
        body = torch.load(io.BytesIO(packed), map_location=_onto(model), weights_only=True)
        parameters = {number: each for each, number in _numbers(optimizer).items()}
        shapes = {name: each.shape for name, each in model.named_parameters()}
        saved = {name: each.shape for name, each in body["model"]["parameters"].items()}
        if saved != shapes:
            different = sorted(dict(saved.items() ^ shapes.items()))
            raise StateError(
                "unpack(...)",
                "the snapshot must be of the same model",
                f"differs in {', '.join(different[:3])}",
                "Build the model as in the run that was saved.",
            )
        return Snapshot(
            ModelSnapshot(model, **body["model"]),
            OptimizerSnapshot(
                optimizer,
                {parameters[number]: each for number, each in body["optimizer"]["state"].items()},
                body["optimizer"]["groups"],
            ),
            body["scaler"],
            Position(body["epoch"], body["used"], _random(body["drawn_from"], generators)),
            cast(RandomSnapshot, _random(body["random"], generators)),
        )
    except (RuntimeError, pickle.UnpicklingError, LookupError, TypeError, EOFError) as error:
        raise StateError(
            f"unpack({len(packed)} bytes)",
            "these must be a snapshot of a training that was built as this one",
            f"{error!r}",
            "Build model, optimizer and data as in that run.",
        ) from error


def _onto(model: nn.Module) -> Callable[[Any, str], Any]:
    """What lay on a device comes to the model's, which may be another; random states stay."""
    device = next((each.device for each in model.parameters()), torch.device("cpu"))
    return lambda storage, location: storage if location == "cpu" else storage.to(device=device)


def _numbers(optimizer: Optimizer) -> dict[Any, int]:
    parameters = (each for group in optimizer.param_groups for each in group["params"])
    return {parameter: number for number, parameter in enumerate(parameters)}


def _packed_random(snapshot: RandomSnapshot | None) -> dict[str, Any] | None:
    if snapshot is None:
        return None
    name, keys, *rest = snapshot.numpy
    return {
        "python": snapshot.python,
        "numpy": [name, torch.as_tensor(keys.astype(np.int64)), *rest],
        "torch_cpu": snapshot.torch_cpu,
        "torch_cuda": list(snapshot.torch_cuda),
        "own": [state for _, state in snapshot.own],
    }


def _random(
    body: Mapping[str, Any] | None, generators: Sequence[torch.Generator]
) -> RandomSnapshot | None:
    if body is None:
        return None
    name, keys, *rest = body["numpy"]
    if len(body["own"]) != len(generators):
        raise StateError(
            "unpack(...)",
            f"the data must have the {len(body['own'])} random generator(s) of the run that "
            "was saved",
            f"has {len(generators)}",
            "Build the loader as in that run.",
        )
    return RandomSnapshot(
        body["python"],
        (name, keys.numpy().astype(np.uint32), *rest),
        body["torch_cpu"],
        body["torch_cuda"],
        list(zip(generators, body["own"], strict=True)),
    )


def _require_plain(value: object, kind: str) -> None:
    if isinstance(value, _PLAIN):
        return
    if isinstance(value, Mapping):
        named = cast(Mapping[object, object], value)
        inner: Sequence[object] = [*named.keys(), *named.values()]
    elif type(value) in (list, tuple):
        inner = cast(Sequence[object], value)
    else:
        raise TrainingError(
            "pack(snapshot)",
            f"what {kind} holds must be tensors, numbers, strings, lists and dictionaries",
            f"a {type(value).__name__} is among it: {value!r}",
            "Snapshots of it can lie in memory only.",
        )
    for each in inner:
        _require_plain(each, kind)
