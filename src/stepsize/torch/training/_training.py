"""``TorchTraining``: a torch model, its optimizer and its data as a ``Training``."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, TypeAlias, cast

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from stepsize.checks import (
    Range,
    checked_choice,
    checked_number,
    checked_whole_number,
)
from stepsize.errors import InvalidType, InvalidValue, TrainingError
from stepsize.signals import Observation
from stepsize.torch.attaching import attached_quantities
from stepsize.torch.attaching.groups import read, write
from stepsize.torch.training._batches import Batches
from stepsize.torch.training._curvature import TorchDerivatives
from stepsize.torch.training._packing import Snapshot, pack, unpack
from stepsize.torch.training._snapshot import ModelSnapshot, OptimizerSnapshot, RandomSnapshot
from stepsize.torch.training._value_ranges import value_ranges
from stepsize.training import Factors, Group, ValueRange

__all__ = ["TorchTraining"]

Loss: TypeAlias = Callable[[nn.Module, Any], Tensor]
Evaluate: TypeAlias = Callable[[nn.Module], Mapping[str, float]]

_BATCHES = Range(minimum=1, remedy="It counts batches per optimizer step.")
_NORM = Range(above=0, remedy="It is the largest gradient norm; leave it out to clip nothing.")
_AMP = {"bfloat16": torch.bfloat16, "float16": torch.float16}


class TorchTraining:
    """A training in torch: everything that ``run`` and the finders need, in one value.

    Args:
        model: The module that is trained.
        optimizer: Its optimizer; the groups' ``lr`` are the base rates. No scheduler and no
            attachment may drive it.
        loss: ``loss(model, batch)`` -> scalar tensor, the mean over the batch.
        batches: The training data: a DataLoader, a list, anything that can be iterated once per
            epoch; or a function from the epoch's number to an iterable.
        evaluate: ``evaluate(model)`` -> ``{"name": number}``, called in evaluation mode without
            gradients. Random numbers that it draws do not change the training.
        device: Where the batches are moved; the model's own device if not given.
        accumulate: Batches per optimizer step; the loss is their mean.
        clip: Largest gradient norm (L2 over the optimizer's parameters); not clipped if not given.
        amp: "bfloat16" or "float16" for autocast; float16 also scales the loss.

    Raises:
        InvalidType: ``batches`` can be iterated only once, or ``loss`` cannot be called.
        InvalidValue: A number is out of range, or the optimizer has no groups.
        TrainingError: The optimizer is driven by an attachment already.

    >>> import torch
    >>> from torch.nn.functional import mse_loss
    >>> model = torch.nn.Linear(1, 1)
    >>> data = [(torch.ones(4, 1), torch.zeros(4, 1))]
    >>> training = TorchTraining(
    ...     model,
    ...     torch.optim.SGD(model.parameters(), lr=0.1),
    ...     loss=lambda model, batch: mse_loss(model(batch[0]), batch[1]),
    ...     batches=data,
    ... )
    >>> training.step({"lr": [1.0]}).stepped
    True
    """

    def __init__(
        self,
        model: nn.Module,
        optimizer: Optimizer,
        loss: Loss,
        batches: Iterable[Any] | Callable[[int], Iterable[Any]],
        evaluate: Evaluate | None = None,
        *,
        device: torch.device | str | None = None,
        accumulate: int = 1,
        clip: float | None = None,
        amp: str | None = None,
    ) -> None:
        _check_arguments(optimizer, loss, amp)
        self.model = model
        self.optimizer = optimizer
        self._loss = loss
        self._evaluate = evaluate
        self._device = torch.device(device) if device is not None else _device_of(model)
        self._batches = Batches(batches)
        self._accumulate = checked_whole_number(
            f"TorchTraining(..., accumulate={accumulate!r})", "accumulate", accumulate, _BATCHES
        )
        self._clip = (
            None
            if clip is None
            else checked_number(f"TorchTraining(..., clip={clip!r})", "clip", clip, _NORM)
        )
        self._dtype = _AMP[amp] if amp else None
        self._scaler = torch.amp.GradScaler(self._device.type, enabled=amp == "float16")
        self._bases: dict[str, list[float]] = {}
        self._last: Sequence[Any] = ()
        self._bases_of("lr")
        self._require_undriven()

    @property
    def groups(self) -> Sequence[Group]:
        """The optimizer's groups with their base rates: each group's ``lr`` when this was built."""
        return tuple(
            Group(str(group.get("name", index)), base, beta2=_beta2(group))
            for index, (group, base) in enumerate(
                zip(self.optimizer.param_groups, self._bases_of("lr"), strict=True)
            )
        )

    # ---------------------------------------------------------------- one step

    def step(self, factors: Factors) -> Observation:
        """Take one optimizer step at base × factor for each quantity and group.

        Returns:
            ``loss``, the mean over the step's batches before the update; with ``clip`` also
            ``grad_norm`` before clipping. ``.stepped`` is False if the scaler skipped the update.
        """
        self._require_undriven()
        for quantity, each in factors.items():
            bases = self._bases_of(quantity)
            for group, base, factor in zip(self.optimizer.param_groups, bases, each, strict=True):
                write(group, quantity, base * factor)
        batches = [_moved(self._batches.next(), self._device) for _ in range(self._accumulate)]
        self._last = batches
        metrics: dict[str, float] = {}

        def closure() -> float:
            metrics.update(self._backward(batches))
            return metrics["loss"]

        if isinstance(self.optimizer, torch.optim.LBFGS):
            first: list[float] = []
            lbfgs: Any = self.optimizer
            lbfgs.step(lambda: first.append(closure()) or first[-1])
            return Observation({"loss": first[0]})
        closure()
        return Observation(metrics, stepped=self._update())

    def _backward(self, batches: Sequence[Any]) -> dict[str, float]:
        self.optimizer.zero_grad(set_to_none=True)
        total = 0.0
        for batch in batches:
            loss = self._loss_of(batch)
            scaled: Any = self._scaler.scale(loss / len(batches))
            scaled.backward()
            total += loss.item() / len(batches)
        metrics = {"loss": total}
        if self._clip is not None:
            self._scaler.unscale_(self.optimizer)
            # Nobody zeroes the gradients of the model's other parameters.
            trained = [each for group in self.optimizer.param_groups for each in group["params"]]
            norm = nn.utils.clip_grad_norm_(trained, self._clip)
            metrics["grad_norm"] = norm.item()
        return metrics

    def _loss_of(self, batch: Any) -> Tensor:
        with self._autocast():
            loss = self._loss(self.model, batch)
        if not isinstance(loss, Tensor) or loss.numel() != 1:  # pyright: ignore[reportUnnecessaryIsInstance]
            raise TrainingError(
                "TorchTraining(..., loss=...)",
                "loss(model, batch) must return a tensor with one number",
                f"returned {type(loss).__name__} of shape {tuple(getattr(loss, 'shape', ()))}",
                "Average it over the batch.",
            )
        return loss

    def _update(self) -> bool:
        scale = self._scaler.get_scale()
        self._scaler.step(self.optimizer)
        self._scaler.update()
        # The scaler tells of a skipped step only by lowering its scale.
        return self._scaler.get_scale() >= scale

    def _autocast(self) -> AbstractContextManager[Any]:
        if self._dtype is None:
            return nullcontext()
        return torch.autocast(self._device.type, self._dtype)

    # ---------------------------------------------------------------- derivatives

    def derivatives(self) -> TorchDerivatives:
        """The loss's derivatives on the next batch, around the parameters as they are now."""
        batch = _moved(self._batches.next(), self._device)
        return TorchDerivatives(self.optimizer, lambda: self._loss_of(batch))

    # ---------------------------------------------------------------- evaluation

    def evaluate(self) -> Mapping[str, float]:
        """Measure the model in evaluation mode; modes and random states are kept."""
        if self._evaluate is None:
            return {}
        modes = [(module, module.training) for module in self.model.modules()]
        random = RandomSnapshot.take(self._batches.generators)
        self.model.eval()
        try:
            with torch.no_grad():
                measured = self._evaluate(self.model)
        finally:
            for module, mode in modes:
                module.training = mode
            random.restore()
        if not isinstance(measured, Mapping):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise TrainingError(
                "TorchTraining(..., evaluate=...)",
                "evaluate(model) must return a mapping",
                f"returned {measured!r}",
                "Example: return {'val_loss': loss}.",
            )
        return {name: float(value) for name, value in measured.items()}

    # ---------------------------------------------------------------- there and back

    def snapshot(self) -> Any:
        """Parameters, buffers, gradients, modes, optimizer, scaler, random states, position."""
        return Snapshot(
            ModelSnapshot.take(self.model),
            OptimizerSnapshot.take(self.optimizer),
            self._scaler.state_dict(),
            self._batches.snapshot(),
            RandomSnapshot.take(self._batches.generators),
        )

    def restore(self, snapshot: Any) -> None:
        """Put all of it back, in place and bitwise."""
        model, optimizer, scaler, position, random = snapshot
        model.restore()
        optimizer.restore()
        if scaler:
            self._scaler.load_state_dict(scaler)
        # Winding the data forward draws random numbers: their state comes last.
        self._batches.restore(position)
        random.restore()

    def pack(self, snapshot: Any) -> bytes:
        """A snapshot as bytes: tensors and plain data."""
        return pack(snapshot)

    def unpack(self, packed: bytes) -> Any:
        """The snapshot again, also in another process that built its training alike."""
        return unpack(packed, self.model, self.optimizer, self._batches.generators)

    # ---------------------------------------------------------------- what went wrong

    def skip(self, steps: int) -> None:
        """Let the data of the next steps pass."""
        self._batches.skip(steps * self._accumulate)

    def examine(self) -> Sequence[ValueRange]:
        """The numbers of the last step's batches, and of the gradient that they gave."""
        return value_ranges(self._last, self.model)

    # ----------------------------------------------------------------

    def _bases_of(self, quantity: str) -> Sequence[float]:
        if quantity not in self._bases:
            self._bases[quantity] = [read(g, quantity) for g in self.optimizer.param_groups]
        return self._bases[quantity]

    def _require_undriven(self) -> None:
        driven = attached_quantities(self.optimizer)
        if driven:
            raise TrainingError(
                f"TorchTraining(..., {type(self.optimizer).__name__})",
                "run drives the optimizer itself",
                f"{', '.join(sorted(driven))} is attached to a schedule already",
                "Call detach() first, or keep your own loop and do not build a TorchTraining.",
            )


def _check_arguments(optimizer: Any, loss: Any, amp: Any) -> None:
    if not getattr(optimizer, "param_groups", None):
        raise InvalidValue(
            f"TorchTraining(..., optimizer={optimizer!r})",
            "the optimizer must have at least one parameter group",
            remedy="Example: torch.optim.SGD(model.parameters(), lr=0.1).",
        )
    if not callable(loss):
        raise InvalidType(
            f"TorchTraining(..., loss={loss!r})",
            "write a function loss(model, batch) -> tensor",
        )
    if amp is not None:
        checked_choice(f"TorchTraining(..., amp={amp!r})", "amp", amp, list(_AMP))
    if isinstance(optimizer, torch.optim.LBFGS) and amp == "float16":
        raise InvalidValue(
            "TorchTraining(..., amp='float16')",
            "LBFGS evaluates the loss several times per step, which a gradient scaler cannot "
            "follow",
            remedy="Use amp='bfloat16', or none.",
        )


def _device_of(model: nn.Module) -> torch.device:
    parameter = next(model.parameters(), None)
    return torch.device("cpu") if parameter is None else parameter.device


def _beta2(group: Mapping[str, Any]) -> float | None:
    betas = group.get("betas")
    return float(betas[1]) if betas else None


def _moved(batch: Any, device: torch.device) -> Any:
    if isinstance(batch, Tensor):
        return batch.to(device, non_blocking=True)
    if isinstance(batch, Mapping):
        named = cast(Mapping[Any, Any], batch)
        return {key: _moved(value, device) for key, value in named.items()}
    if isinstance(batch, list | tuple):
        parts = [_moved(value, device) for value in cast(Sequence[Any], batch)]
        make: Any = type(cast(Sequence[Any], batch))
        return make(*parts) if hasattr(make, "_fields") else make(parts)
    return batch
