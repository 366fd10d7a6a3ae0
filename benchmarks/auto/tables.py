"""Tasks on tables: regression, a badly scaled logistic regression, matrix factorisation."""

from collections.abc import Callable
from functools import cache

import torch
from sklearn.datasets import load_breast_cancer, load_diabetes, make_friedman1
from torch import Tensor, nn
from torch.nn import functional
from torch.optim import SGD, Adam

from benchmarks.auto.task import Parts, Task, shuffled

__all__ = ["TASKS"]

Table = tuple[Tensor, Tensor]


def _standardised(values: object) -> Tensor:
    table = torch.tensor(values, dtype=torch.float32)
    return (table - table.mean(0)) / table.std(0)


@cache
def _diabetes() -> Table:
    features, target = load_diabetes(return_X_y=True)
    return _standardised(features), _standardised(target)


@cache
def _cancer() -> Table:
    """569 tumours; the 30 features' scales spread over three powers of ten."""
    features, target = load_breast_cancer(return_X_y=True)
    scales = torch.logspace(-1.5, 1.5, 30)
    mixed = torch.randperm(30, generator=torch.Generator().manual_seed(0))
    return _standardised(features) * scales[mixed], torch.tensor(target, dtype=torch.float32)


@cache
def _friedman() -> Table:
    features, target = make_friedman1(3_000, noise=0.5, random_state=0)
    return torch.tensor(features, dtype=torch.float32), _standardised(target)


@cache
def _ratings() -> Table:
    """Noisy entries of a 200 × 150 matrix of rank 4: (row, column) and value, in random order."""
    draw = torch.Generator().manual_seed(0)
    rows, columns = (torch.randn(count, 4, generator=draw) / 2 for count in (200, 150))
    values = rows @ columns.T
    chosen = torch.randperm(values.numel(), generator=draw)[:12_000]
    places = torch.stack([chosen // 150, chosen % 150], dim=1)
    noise = 0.1 * torch.randn(len(chosen), generator=draw)
    return places, values.flatten()[chosen] + noise


def _squared_error(model: nn.Module, batch: Table) -> Tensor:
    return functional.mse_loss(model(batch[0]).squeeze(-1), batch[1])


def _logistic(model: nn.Module, batch: Table) -> Tensor:
    return functional.binary_cross_entropy_with_logits(model(batch[0]).squeeze(-1), batch[1])


def _objective(
    seed: int, model: nn.Module, loss: Callable[[nn.Module, Table], Tensor], table: Table
) -> Parts:
    """Optimisation itself: the loss over all rows is trained, watched and judged."""

    def whole(model: nn.Module) -> float:
        return loss(model, table).item()

    return Parts(model, loss, shuffled(table, 32, seed), 32, whole, whole)


def _generalising(seed: int, model: nn.Module, table: Table, held_out: int) -> Parts:
    """The last ``held_out`` rows judge; as many before them are for validation."""
    train, validation, judged = zip(
        *(each.split([len(each) - 2 * held_out, held_out, held_out]) for each in table),
        strict=True,
    )
    return Parts(
        model,
        _squared_error,
        shuffled(train, 32, seed),
        32,
        lambda model: _squared_error(model, validation).item(),
        lambda model: _squared_error(model, judged).item(),
    )


def _regression(seed: int) -> Parts:
    model = nn.Sequential(nn.Linear(10, 16), nn.Tanh(), nn.Linear(16, 1))
    return _objective(seed, model, _squared_error, _diabetes())


def _badly_scaled(seed: int) -> Parts:
    return _objective(seed, nn.Linear(30, 1), _logistic, _cancer())


def _friedman_regression(seed: int) -> Parts:
    model = nn.Sequential(
        nn.Linear(10, 48), nn.ReLU(), nn.Linear(48, 48), nn.ReLU(), nn.Linear(48, 1)
    )
    return _generalising(seed, model, _friedman(), 500)


class _Factors(nn.Module):
    def __init__(self, rank: int = 6) -> None:
        super().__init__()
        self.rows, self.columns = nn.Embedding(200, rank), nn.Embedding(150, rank)
        for each in (self.rows, self.columns):
            nn.init.normal_(each.weight, std=0.1)

    def forward(self, places: Tensor) -> Tensor:
        return (self.rows(places[:, 0]) * self.columns(places[:, 1])).sum(-1)


def _factorisation(seed: int) -> Parts:
    return _generalising(seed, _Factors(), _ratings(), 2_000)


TASKS = (
    Task(
        "diabetes regression, Adam",
        _regression,
        Adam,
        400,
        0.1,
        "mean squared error over all 442 patients, the target standardised",
    ),
    Task(
        "badly scaled logistic regression, SGD",
        _badly_scaled,
        lambda groups: SGD(groups, momentum=0.9),
        1_000,
        1e-2,
        "cross-entropy over all 569 tumours, nats",
    ),
    Task(
        "Friedman regression, SGD",
        _friedman_regression,
        lambda groups: SGD(groups, momentum=0.9, nesterov=True),
        1_000,
        3e-2,
        "mean squared error of 500 held-out rows, the target standardised",
    ),
    Task(
        "matrix factorisation, Adam",
        _factorisation,
        Adam,
        1_000,
        0.05,
        "mean squared error of 2,000 held-out entries",
    ),
)
