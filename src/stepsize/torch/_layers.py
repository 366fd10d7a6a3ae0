"""Parameter groups with a rate per layer, for an optimizer to be built from."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeAlias, cast

from torch import nn

from stepsize.checks import Range, checked_number
from stepsize.errors import InvalidType, InvalidValue

__all__ = ["layerwise"]

Layer: TypeAlias = nn.Module | Iterable[nn.Parameter]

_RATE = Range(above=0, remedy="It is the rate of the last layer.")
_DECAY = Range(above=0, maximum=1, remedy="0.65 to 0.95 is usual for fine-tuning; 1 treats alike.")


def layerwise(
    layers: Mapping[str, Layer] | Sequence[Layer], lr: float, decay: float
) -> list[dict[str, Any]]:
    """Parameter groups whose base rates fall from the output to the input: discriminative rates.

    The layer i of n gets lr · decay^(n - 1 - i). A schedule multiplies every base by the same
    factor, so the ratios stay constant at every step.

    Args:
        layers: From the input to the output: modules, or iterables of parameters; a mapping names
            the groups. A parameter that an earlier layer has already (tied weights) stays there;
            one with ``requires_grad=False`` is kept, to be unfrozen later.
        lr: The base rate of the last layer, > 0.
        decay: Each layer's rate over the next one's, 0 < decay <= 1.

    Returns:
        Group dictionaries for any optimizer, with ``"params"``, ``"lr"`` and ``"name"``.

    Raises:
        InvalidType: A layer is neither a module nor parameters.
        InvalidValue: A number is out of range, or a layer adds no parameter.

    >>> import torch
    >>> from torch import nn
    >>> from stepsize import Cosine
    >>> from stepsize.torch import attach, layerwise
    >>> model = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4), nn.Linear(4, 2))
    >>> optimizer = torch.optim.AdamW(layerwise(model, lr=1e-3, decay=0.5))
    >>> rate = attach(optimizer, Cosine(100))
    >>> for _ in range(50):
    ...     optimizer.step()
    >>> [round(each, 7) for each in rate.next]
    [0.000125, 0.00025, 0.0005]

    Source: Howard & Ruder 2018, "ULMFiT" (arXiv 1801.06146), section 3.2, with decay 1 / 2.6.
    """
    named = _named(layers)
    call = f"layerwise({list(named)!r}, lr={lr!r}, decay={decay!r})"
    last = checked_number(call, "lr", lr, _RATE)
    ratio = checked_number(call, "decay", decay, _DECAY)
    if not named:
        raise InvalidValue(
            call,
            "there must be at least one layer",
        )
    taken: set[nn.Parameter] = set()
    groups: list[dict[str, Any]] = []
    for index, (name, layer) in enumerate(named.items()):
        parameters = [each for each in _parameters(call, layer) if each not in taken]
        if not parameters:
            raise InvalidValue(
                call,
                f"layer {name!r} has no parameter of its own",
                remedy="Leave it out, or name the layer that has its weights once.",
            )
        taken.update(parameters)
        rate = last * ratio ** (len(named) - 1 - index)
        groups.append({"params": parameters, "lr": rate, "name": name})
    return groups


def _named(layers: Mapping[str, Layer] | Sequence[Layer]) -> Mapping[str, Layer]:
    if isinstance(layers, Mapping):
        return layers
    if isinstance(layers, Iterable) and not isinstance(layers, str):
        # Activations and the like stand between layers in an nn.Sequential.
        return {
            f"layer {number}": layer
            for number, layer in enumerate(layers)
            if not isinstance(layer, nn.Module) or any(True for _ in layer.parameters())
        }
    raise InvalidType(
        f"layerwise({layers!r}, ...)",
        "layers are a list from the input to the output, or a mapping from name to layer",
        f"this is a {type(layers).__name__}",
        "Example: layerwise([model.embed, *model.blocks, model.head], lr=1e-3, decay=0.8).",
    )


def _parameters(call: str, layer: Any) -> list[nn.Parameter]:
    if isinstance(layer, nn.Module):
        return list(layer.parameters())
    given = list(cast(Iterable[Any], layer)) if isinstance(layer, Iterable) else [layer]
    for each in given:
        if not isinstance(each, nn.Parameter):
            raise InvalidType(
                call,
                "a layer is a module or parameters",
                f"this is a {type(each).__name__}",
                "Pass the module, or module.parameters().",
            )
    return given
