"""The range test on torch: accumulation, AMP, validation loss; and every bit is as it was."""

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import DataLoader, TensorDataset

from stepsize import InvalidValue, TrainingError
from stepsize.find import range_test
from stepsize.torch import TorchTraining


def data() -> TensorDataset:
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(48, 4, generator=generator)
    return TensorDataset(x, x @ torch.tensor([[1.0], [-2.0], [0.5], [3.0]]))


def loss(model: nn.Module, batch: Any) -> Tensor:
    return functional.mse_loss(model(batch[0]), batch[1])


def validate(model: nn.Module) -> dict[str, float]:
    return {"val_loss": loss(model, data().tensors).item() + 0 * torch.rand(()).item()}


def build(dropout: float = 0.1, **options: Any) -> TorchTraining:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Dropout(dropout), nn.Linear(16, 1))
    shuffled = DataLoader(data(), batch_size=8, shuffle=True)
    given = {"loss": loss, "batches": shuffled, "evaluate": validate, **options}
    return TorchTraining(model, torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9), **given)


def identical(one: Any, other: Any) -> bool:
    if isinstance(one, Tensor):
        return identical(one.numpy(), other.numpy())
    if isinstance(one, np.ndarray):
        # The bytes, because a NaN is not equal to itself.
        return (one.dtype, one.shape, one.tobytes()) == (other.dtype, other.shape, other.tobytes())
    if is_dataclass(one):
        return all(identical(getattr(one, f.name), getattr(other, f.name)) for f in fields(one))
    if isinstance(one, Mapping):
        return one.keys() == other.keys() and all(identical(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(identical, one, other))
    return bool(one == other)


OPTIONS: dict[str, dict[str, Any]] = {
    "plain": {},
    "accumulate": {"accumulate": 3},
    "clip": {"clip": 1.0},
    "bfloat16": {"amp": "bfloat16"},
    "float16": {"amp": "float16"},
}


@pytest.mark.parametrize("metric", ["loss", "val_loss"])
@pytest.mark.parametrize("options", OPTIONS)
@pytest.mark.parametrize("steps_before", [0, 4])
def test_every_bit_is_as_it_was(options: str, metric: str, steps_before: int) -> None:
    training = build(**OPTIONS[options])
    for _ in range(steps_before):
        training.step({"lr": [1.0]})
    before = training.snapshot()
    found = range_test(training, metric=metric, steps=60)
    assert 1e-4 < found.rate < 1
    assert identical(before, training.snapshot())


def test_accumulating_gives_the_curve_of_the_larger_batch() -> None:
    def curve(size: int, accumulate: int) -> np.ndarray:
        batches = DataLoader(data(), batch_size=size)
        training = build(dropout=0.0, batches=batches, accumulate=accumulate)
        found = range_test(training, high=0.1, steps=40)
        assert found.steps == len(found.losses) == 40
        return found.losses

    np.testing.assert_allclose(curve(4, accumulate=3), curve(12, accumulate=1), rtol=1e-4)


def test_half_precision_suggests_what_full_precision_does() -> None:
    full = range_test(build(dropout=0.0)).rate
    half = range_test(build(dropout=0.0, amp="bfloat16")).rate
    assert full / 2 < half < full * 2


def test_a_gradient_scaler_that_skips_at_a_loss_that_is_not_finite_has_met_the_end() -> None:
    found = range_test(build(amp="float16"), high=1e8)
    assert "highest rate" not in str(found.stopped)
    assert found.steps < 100


def test_the_validation_loss_is_that_of_the_model_that_the_rates_so_far_have_made() -> None:
    found = range_test(build(), metric="val_loss", evaluate_every=7, steps=16, high=0.01)
    replayed = build()
    expected: list[float] = []
    for taken, rate in enumerate(np.geomspace(1e-6, 0.01, 16), 1):
        replayed.step({"lr": [rate / 0.01]})
        if taken in (7, 14, 16):
            expected.append(replayed.evaluate()["val_loss"])
    np.testing.assert_allclose(found.losses, expected, rtol=1e-6)
    assert found.positions.tolist() == [6, 13, 15]
    assert found.metric == "val_loss"
    assert found.evaluations == 4


def no_second_epoch(epoch: int) -> Iterable[Any]:
    return DataLoader(data(), batch_size=8) if epoch == 0 else []


class Breaks:
    """Passes on to ``function`` until it has been called ``after`` times."""

    def __init__(self, function: Any, after: int, breaks: Any) -> None:
        self._function, self._left, self._breaks = function, after, breaks

    def __call__(self, model: nn.Module, *batch: Any) -> Any:
        self._left -= 1
        return self._function(model, *batch) if self._left >= 0 else self._breaks(model)


def out_of_memory(model: nn.Module) -> Any:
    # In the middle of a step: gradients are there, and the modes are not as they were.
    model.eval()
    with torch.enable_grad():
        loss(model, data().tensors).backward()
    raise RuntimeError("no memory left")


def exhausted(model: nn.Module) -> Any:
    return next(iter(()))


FAULTS: dict[str, tuple[Callable[[], dict[str, Any]], str, str]] = {
    "a step raises": (
        lambda: {"loss": Breaks(loss, 30, out_of_memory)},
        "loss",
        r"step number \d+, .* raised RuntimeError: no memory",
    ),
    "the data ends inside the loss": (
        lambda: {"loss": Breaks(loss, 30, exhausted)},
        "loss",
        "the batches ended after",
    ),
    "there is no second epoch": (
        lambda: {"batches": no_second_epoch},
        "loss",
        "epoch 1 has no batches",
    ),
    "the loss is constant": (
        lambda: {"loss": lambda model, batch: 0 * loss(model, batch) + 3},
        "loss",
        "'loss' was 3 at every rate",
    ),
    "the loss is NaN": (
        lambda: {"loss": lambda model, batch: loss(model, batch) * torch.nan},
        "loss",
        "only 0 of 3 measurements",
    ),
    "evaluate gives NaN": (
        lambda: {"evaluate": lambda model: {"val_loss": math.nan}},
        "val_loss",
        "finite 'val_loss' before any step, but gave nan",
    ),
    "evaluate raises": (
        lambda: {"evaluate": Breaks(validate, 2, out_of_memory)},
        "val_loss",
        "must measure the model, but raised RuntimeError: no memory",
    ),
    "evaluate forgets": (
        lambda: {"evaluate": Breaks(validate, 2, lambda model: {"val": 1.0})},
        "val_loss",
        "must measure 'val_loss' each time, but this time it gave 'val'",
    ),
    "evaluate is constant": (
        lambda: {"evaluate": lambda model: {"val_loss": 1.5}},
        "val_loss",
        "'val_loss' was 1.5 at every rate",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("steps_before", [0, 4])
def test_what_goes_wrong_is_named_and_every_bit_is_as_it_was(fault: str, steps_before: int) -> None:
    options, metric, message = FAULTS[fault]
    training = build(**options())
    for _ in range(steps_before):
        training.step({"lr": [1.0]})
    before = training.snapshot()
    with pytest.raises(TrainingError, match=message):
        range_test(training, metric=metric)
    assert identical(before, training.snapshot())


def test_a_validation_loss_that_nobody_measures_is_refused() -> None:
    training = build(evaluate=None)
    before = training.snapshot()
    with pytest.raises(InvalidValue, match=r"step\(\) measures 'loss', evaluate\(\) nothing"):
        range_test(training, metric="val_loss")
    assert identical(before, training.snapshot())
