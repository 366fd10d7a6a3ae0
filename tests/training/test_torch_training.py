"""TorchTraining keeps the promises of the Training protocol on real torch models."""

import random
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional
from torch.utils.data import DataLoader, TensorDataset

from stepsize import Constant
from stepsize.errors import InvalidType, InvalidValue, TrainingError
from stepsize.testing.training import check_training
from stepsize.torch import TorchTraining, attach
from stepsize.training import preserved, run

OPTIMIZERS: dict[str, Callable[[Any], torch.optim.Optimizer]] = {
    "sgd": lambda p: torch.optim.SGD(p, lr=0.05),
    "momentum": lambda p: torch.optim.SGD(p, lr=0.05, momentum=0.9),
    "rmsprop": lambda p: torch.optim.RMSprop(p, lr=0.01),
    "adam": lambda p: torch.optim.Adam(p, lr=0.01),
    "amsgrad": lambda p: torch.optim.Adam(p, lr=0.01, amsgrad=True),
    "adamw-fused": lambda p: torch.optim.AdamW(p, lr=0.01, fused=True),
    "adamw-tensor": lambda p: torch.optim.AdamW(p, lr=torch.tensor(0.01), foreach=False),
    "lbfgs": lambda p: torch.optim.LBFGS(p, lr=0.1, max_iter=3),
}


class Net(nn.Module):
    """Dropout draws random numbers, batch norm keeps buffers, one buffer is not persistent."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(3, 8), nn.BatchNorm1d(8), nn.Dropout(0.3), nn.Linear(8, 1)
        )
        self.register_buffer("calls", torch.zeros(()), persistent=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.calls += 1
        return self.layers(x) + 0.01 * self.calls


def loss(model: nn.Module, batch: Any) -> torch.Tensor:
    x, y = batch
    return functional.mse_loss(model(x), y)


def dataset() -> TensorDataset:
    generator = torch.Generator().manual_seed(7)
    return TensorDataset(
        torch.randn(24, 3, generator=generator), torch.randn(24, 1, generator=generator)
    )


class Augmented(TensorDataset):
    """A data set that draws from all three global random states."""

    def __getitem__(self, index: Any) -> Any:
        x, y = super().__getitem__(index)
        noise = torch.rand(()) + random.random() + np.random.random()
        return x + 0.1 * noise, y


def shuffled() -> DataLoader[Any]:
    return DataLoader(dataset(), batch_size=4, shuffle=True)


def shuffled_by_its_own_generator() -> DataLoader[Any]:
    return DataLoader(
        dataset(), batch_size=4, shuffle=True, generator=torch.Generator().manual_seed(3)
    )


def augmented() -> DataLoader[Any]:
    return DataLoader(Augmented(*dataset().tensors), batch_size=4, shuffle=True)


def by_epoch() -> Callable[[int], Iterator[Any]]:
    tensors = dataset().tensors

    def batches(epoch: int) -> Iterator[Any]:
        for i in range(3):
            yield tensors[0][i::3] + epoch, tensors[1][i::3]

    return batches


def build(optimizer: str = "momentum", batches: Any = shuffled, **options: Any) -> TorchTraining:
    torch.manual_seed(0)
    random.seed(0)
    np.random.seed(0)
    model = Net()

    def evaluate(model: nn.Module) -> dict[str, float]:
        return {"noise": torch.rand(()).item(), "training": float(model.training)}

    return TorchTraining(
        model, OPTIMIZERS[optimizer](model.parameters()), loss, batches(), evaluate, **options
    )


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_every_optimizer_passes_the_exam(optimizer: str) -> None:
    check_training(lambda: build(optimizer))


@pytest.mark.parametrize("batches", [shuffled_by_its_own_generator, augmented, by_epoch])
def test_every_kind_of_data_passes_the_exam(batches: Any) -> None:
    check_training(lambda: build(batches=batches))


@pytest.mark.parametrize(
    "options",
    [{"accumulate": 3}, {"clip": 0.1}, {"amp": "bfloat16"}, {"amp": "float16"}, {"device": "cpu"}],
    ids=str,
)
def test_every_option_passes_the_exam(options: dict[str, Any]) -> None:
    check_training(lambda: build(**options))


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_restoring_is_in_place_and_bitwise_also_after_an_error(optimizer: str) -> None:
    training = build(optimizer)
    factors = {"lr": [1.0]}
    for _ in range(3):
        training.step(factors)
    training.model.layers[0].eval()
    held = [*training.model.parameters(), *training.model.buffers()]
    before = [tensor.detach().clone() for tensor in held]
    gradients = [None if p.grad is None else p.grad.clone() for p in training.model.parameters()]
    modes = [module.training for module in training.model.modules()]
    group = training.optimizer.param_groups[0]
    rate, rate_was = group["lr"], float(group["lr"])
    drawn = (torch.get_rng_state(), random.getstate(), np.random.get_state()[1].copy())

    def wreck() -> None:
        with preserved(training):
            for factor in (3.0, 1e6, 1e12):
                training.step({"lr": [factor]})
            training.model.eval()
            training.optimizer.zero_grad()
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        wreck()

    after = [*training.model.parameters(), *training.model.buffers()]
    assert all(now is then for now, then in zip(after, held, strict=True))
    assert all(torch.equal(now, then) for now, then in zip(after, before, strict=True))
    for parameter, gradient in zip(training.model.parameters(), gradients, strict=True):
        assert (parameter.grad is None) == (gradient is None)
        assert gradient is None or torch.equal(parameter.grad, gradient)
    assert [module.training for module in training.model.modules()] == modes
    assert float(group["lr"]) == rate_was
    assert not isinstance(rate, torch.Tensor) or group["lr"] is rate
    assert torch.equal(torch.get_rng_state(), drawn[0])
    assert random.getstate() == drawn[1]
    assert np.array_equal(np.random.get_state()[1], drawn[2])


def test_a_step_uses_base_times_factor_for_each_group_and_quantity() -> None:
    model = nn.Sequential(nn.Linear(3, 2), nn.Linear(2, 1))
    optimizer = torch.optim.SGD(
        [
            {"params": model[0].parameters(), "lr": 0.1, "weight_decay": 0.5},
            {"params": model[1].parameters(), "name": "head"},
        ],
        lr=0.01,
        weight_decay=0.2,
    )
    training = TorchTraining(model, optimizer, loss, list(shuffled()))
    assert [(group.name, group.base) for group in training.groups] == [("0", 0.1), ("head", 0.01)]
    training.step({"lr": [0.5, 2.0], "weight_decay": [0.1, 1.0]})
    training.step({"lr": [0.5, 2.0], "weight_decay": [0.1, 1.0]})
    assert [group["lr"] for group in optimizer.param_groups] == [0.1 * 0.5, 0.01 * 2.0]
    assert [group["weight_decay"] for group in optimizer.param_groups] == [0.5 * 0.1, 0.2 * 1.0]


def test_accumulating_equals_one_large_batch() -> None:
    def weights(accumulate: int, size: int) -> list[torch.Tensor]:
        torch.manual_seed(0)
        model = nn.Linear(3, 1).double()
        data = [
            tuple(t.double() for t in batch) for batch in DataLoader(dataset(), batch_size=size)
        ]
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        training = TorchTraining(model, optimizer, loss, data, accumulate=accumulate)
        for _ in range(4):
            training.step({"lr": [1.0]})
        return [p.detach() for p in model.parameters()]

    for split, whole in zip(weights(3, 4), weights(1, 12), strict=True):
        torch.testing.assert_close(split, whole, rtol=1e-12, atol=1e-12)


def test_clipping_limits_the_gradient_and_reports_its_norm() -> None:
    training = build("sgd", clip=1e-3)
    observation = training.step({"lr": [1.0]})
    norm = torch.stack([p.grad.norm() for p in training.model.parameters()]).norm().item()
    assert observation.metrics["grad_norm"] > 1e-3
    assert norm == pytest.approx(1e-3, rel=1e-3)


def test_an_update_that_the_scaler_skips_is_no_step() -> None:
    factor = torch.tensor(1.0)

    def exploding(model: nn.Module, batch: Any) -> torch.Tensor:
        return loss(model, batch) * factor

    torch.manual_seed(0)
    model = nn.Linear(3, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    training = TorchTraining(model, optimizer, exploding, shuffled(), amp="float16")
    # The first scale is high by design and comes down by skipping.
    assert any(training.step({"lr": [1.0]}).stepped for _ in range(20))
    weights = model.weight.detach().clone()
    factor.fill_(float("inf"))
    assert not training.step({"lr": [1.0]}).stepped
    assert torch.equal(model.weight, weights)
    factor.fill_(1.0)
    assert training.step({"lr": [1.0]}).stepped
    assert not torch.equal(model.weight, weights)


def test_evaluation_is_in_evaluation_mode_and_changes_nothing() -> None:
    training = build()
    assert training.evaluate()["training"] == 0.0
    assert training.model.training
    state = torch.get_rng_state()
    training.evaluate()
    assert torch.equal(torch.get_rng_state(), state)


def test_an_iterator_is_refused_with_the_remedy() -> None:
    with pytest.raises(InvalidType, match=r"only once.*function epoch -> iterable"):
        build(batches=lambda: iter(shuffled()))


def test_data_without_batches_is_named() -> None:
    training = build(batches=lambda: DataLoader(dataset(), batch_size=100, drop_last=True))
    with pytest.raises(TrainingError, match="epoch 0 has no batches"):
        training.step({"lr": [1.0]})


def test_data_that_runs_dry_in_a_later_epoch_is_named() -> None:
    full = list(shuffled())
    training = build(batches=lambda: lambda epoch: full if epoch == 0 else [])
    for _ in full:
        training.step({"lr": [1.0]})
    with pytest.raises(TrainingError, match="epoch 1 has no batches"):
        training.step({"lr": [1.0]})


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"accumulate": 0}, "accumulate=0.*at least 1"),
        ({"clip": -1.0}, "clip=-1.0.*above 0"),
        ({"amp": "int8"}, "amp='int8'.*'bfloat16'"),
    ],
)
def test_a_bad_option_is_named(options: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidValue, match=message):
        build(**options)


def test_a_loss_that_is_no_number_is_named() -> None:
    model = nn.Linear(3, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    training = TorchTraining(model, optimizer, lambda m, b: m(b[0]), shuffled())
    with pytest.raises(TrainingError, match=r"must return a tensor with one number.*\(4, 1\)"):
        training.step({"lr": [1.0]})


def test_an_optimizer_without_groups_is_refused() -> None:
    optimizer = torch.optim.SGD([torch.zeros(1)], lr=0.1)
    optimizer.param_groups.clear()
    with pytest.raises(InvalidValue, match="at least one parameter group"):
        TorchTraining(nn.Linear(1, 1), optimizer, loss, [])


def test_an_optimizer_that_is_attached_already_is_refused_until_it_is_detached() -> None:
    training = build()
    rate = attach(training.optimizer, Constant())
    with pytest.raises(TrainingError, match=r"lr is attached to a schedule already.*detach\(\)"):
        run(training, Constant(), steps=1)
    rate.detach()
    assert run(training, Constant(), steps=1).steps == 1


def test_clipping_looks_at_what_the_optimizer_trains_and_at_nothing_else() -> None:
    model = nn.Sequential(nn.Linear(1, 1, bias=False), nn.Linear(1, 1, bias=False))
    nn.init.ones_(model[0].weight)
    nn.init.ones_(model[1].weight)
    sgd = torch.optim.SGD(model[1].parameters(), lr=0.1)
    training = TorchTraining(model, sgd, lambda m, x: m(x).mean(), [torch.ones(1, 1)], clip=10.0)
    norms = [training.step({"lr": [1.0]}).metrics["grad_norm"] for _ in range(5)]
    assert norms == [1.0] * 5
