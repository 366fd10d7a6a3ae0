"""Curvature, noise and gradient sizes: known answers, in NumPy and in torch, and no trace."""

import math
from typing import Any

import numpy as np
import pytest
import torch

from stepsize import InvalidType, InvalidValue, TrainingError
from stepsize.find import (
    Differentiable,
    gradient_heuristics,
    largest_curvature,
    noise_scale,
)
from stepsize.testing.training import Bowl
from stepsize.torch import TorchTraining


class Quadratic(Bowl):
    """w'Hw / 2 with H and the optimizer's scales given, in plain NumPy; gradients are noisy."""

    def __init__(self, hessian: Any, scales: Any = None, spread: float = 0.0) -> None:
        super().__init__()
        self.hessian = np.asarray(hessian, dtype=float)
        self.scales = None if scales is None else np.asarray(scales, dtype=float)
        self.parameters = np.ones(len(self.hessian))
        self._draw = np.random.default_rng(0)
        self._spread = spread

    @property
    def gradient(self) -> np.ndarray:
        noise = self._spread * self._draw.standard_normal(len(self.parameters))
        return self.hessian @ self.parameters + noise

    def hessian_vector(self, vector: np.ndarray) -> np.ndarray:
        return self.hessian @ vector

    def derivatives(self) -> "Quadratic":
        return self


def test_the_largest_eigenvalue_is_found() -> None:
    draw = np.random.default_rng(1).standard_normal((6, 6))
    hessian = draw @ draw.T
    found = largest_curvature(Quadratic(hessian), iterations=300, tolerance=1e-9)
    assert math.isclose(found.eigenvalue, np.linalg.eigvalsh(hessian)[-1], rel_tol=1e-5)
    assert found.rate == 2 / found.eigenvalue
    assert "upper bound" in str(found.reason)


def test_a_more_negative_eigenvalue_does_not_hide_the_largest_one() -> None:
    found = largest_curvature(Quadratic(np.diag([-9.0, 4.0, 1.0])), iterations=200, tolerance=1e-9)
    assert math.isclose(found.eigenvalue, 4.0, rel_tol=1e-4)


def test_the_optimizers_scales_are_divided_out() -> None:
    found = largest_curvature(Quadratic(np.diag([8.0, 3.0]), scales=[4.0, 1.0]), tolerance=1e-6)
    assert found.preconditioned
    assert math.isclose(found.eigenvalue, 3.0, rel_tol=1e-3)


def test_no_curvature_bounds_no_rate() -> None:
    assert largest_curvature(Quadratic(np.zeros((2, 2)), spread=1.0)).rate == math.inf


def test_too_few_iterations_are_said() -> None:
    found = largest_curvature(Quadratic(np.diag([3.0, 2.9])), iterations=2, tolerance=1e-9)
    assert "not settled" in str(found.reason)
    assert found.products == 2


def test_the_noise_scale_is_the_variance_over_the_squared_mean() -> None:
    # The mean gradient is (3, 4), the noise has a variance of 2 · 0.5².
    training = Quadratic(np.diag([3.0, 4.0]), spread=0.5)
    assert math.isclose(noise_scale(training, gradients=4_000).batches, 0.5 / 25, rel_tol=0.1)


def test_a_gradient_of_nothing_but_noise_has_no_finite_noise_scale() -> None:
    found = [
        noise_scale(Quadratic(np.zeros((2, 2)), spread=1.0), gradients=k).batches for k in (2, 50)
    ]
    assert max(found) > 10


def quadratic_in_torch(optimizer: str) -> TorchTraining:
    torch.manual_seed(0)
    model = torch.nn.Linear(3, 1, bias=False)
    data = [torch.diag(torch.tensor([3.0, 2.0, 1.0]))]
    made = getattr(torch.optim, optimizer)(model.parameters(), lr=0.01)
    return TorchTraining(model, made, lambda model, x: model(x).square().sum() / 2, data)


def test_torch_gives_gradient_and_curvature_exactly() -> None:
    training = quadratic_in_torch("SGD")
    assert isinstance(training, Differentiable)
    weights = training.model.weight.detach().numpy().ravel().astype(float)
    local = training.derivatives()
    squares = np.array([9.0, 4.0, 1.0])
    assert np.allclose(local.parameters, weights)
    assert np.allclose(local.gradient, squares * weights, rtol=1e-5)
    assert np.allclose(local.hessian_vector(np.ones(3)), squares)
    assert math.isclose(largest_curvature(training, tolerance=1e-6).eigenvalue, 9, rel_tol=1e-3)


@pytest.mark.parametrize("optimizer", ["Adam", "RMSprop", "Adagrad"])
def test_torchs_second_moments_are_the_scales_after_the_first_step(optimizer: str) -> None:
    training = quadratic_in_torch(optimizer)
    if optimizer == "Adam":
        assert training.derivatives().scales is None
    gradient = np.abs(training.derivatives().gradient)
    training.step({"lr": [0.0]})
    scales = training.derivatives().scales
    assert scales is not None
    expected = gradient if optimizer != "RMSprop" else 0.1 * gradient
    assert np.allclose(scales, expected, rtol=1e-4)
    assert largest_curvature(training).preconditioned


def test_torch_trainings_are_left_bit_for_bit_as_they_were(torch_training: TorchTraining) -> None:
    factors = {"lr": [1.0]}
    torch_training.step(factors)
    start = torch_training.snapshot()
    expected = [torch_training.step(factors).metrics["loss"] for _ in range(15)]
    torch_training.restore(start)
    gradient = torch_training.model.weight.grad.clone()
    largest_curvature(torch_training)
    noise_scale(torch_training)
    gradient_heuristics(torch_training, 100)
    assert torch.equal(torch_training.model.weight.grad, gradient)
    assert [torch_training.step(factors).metrics["loss"] for _ in range(15)] == expected


def test_the_rules_of_thumb_follow_their_formulas() -> None:
    rates = gradient_heuristics(Quadratic(np.diag([3.0, 4.0])), steps=400)
    assert math.isclose(rates["relative change"].value, 1e-3 * math.sqrt(2) / 5)
    assert math.isclose(rates["distance"].value, 0.1 * math.sqrt(2) / (5 * 20))


def test_what_offers_no_derivatives_is_refused_with_what_does_without() -> None:
    with pytest.raises(InvalidType, match="race and range_test do without"):
        largest_curvature(Bowl())
    with pytest.raises(InvalidType, match="must offer derivatives"):
        noise_scale(Bowl())


def test_bad_input_is_refused() -> None:
    with pytest.raises(InvalidValue, match="iterations must be a whole number and at least 2"):
        largest_curvature(Quadratic(np.eye(2)), iterations=1)
    with pytest.raises(InvalidValue, match="at least 2"):
        noise_scale(Quadratic(np.eye(2)), gradients=1)
    with pytest.raises(InvalidValue, match="at least 1"):
        gradient_heuristics(Quadratic(np.eye(2)), 0)
    with pytest.raises(TrainingError, match="must be finite"):
        largest_curvature(Quadratic(np.full((2, 2), math.nan)))
    with pytest.raises(TrainingError, match="finite size above 0"):
        gradient_heuristics(Quadratic(np.zeros((2, 2))), 10)


def in_torch(loss: Any, frozen: bool = False, batches: int = 3) -> TorchTraining:
    torch.manual_seed(0)
    layers = torch.nn.Linear(3, 8), torch.nn.BatchNorm1d(8), torch.nn.Dropout(0.5)
    model = torch.nn.Sequential(*layers, torch.nn.Linear(8, 1)).requires_grad_(not frozen)
    adam = torch.optim.Adam(model.parameters(), lr=0.01)
    return TorchTraining(model, adam, loss, list(torch.randn(batches, 6, 3)))


def squared(model: Any, x: torch.Tensor) -> torch.Tensor:
    return (model(x) - 1).square().mean()


MEASURES = {
    "gradient_heuristics": lambda training: gradient_heuristics(training, 100),
    "largest_curvature": largest_curvature,
    "noise_scale": noise_scale,
}


@pytest.mark.parametrize("measure", MEASURES.values(), ids=MEASURES)
def test_dropout_and_batch_statistics_go_on_as_if_nothing_had_been_measured(measure: Any) -> None:
    training, untouched = in_torch(squared), in_torch(squared)
    torch.manual_seed(1)
    measure(training)
    losses = [training.step({"lr": [1.0]}).metrics["loss"] for _ in range(5)]
    torch.manual_seed(1)
    assert losses == [untouched.step({"lr": [1.0]}).metrics["loss"] for _ in range(5)]
    for mine, other in zip(training.model.buffers(), untouched.model.buffers(), strict=True):
        assert torch.equal(mine, other)


@pytest.mark.parametrize("measure", MEASURES.values(), ids=MEASURES)
@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: in_torch(lambda model, x: squared(model, x) * math.nan), "must be finite"),
        (lambda: in_torch(lambda model, x: squared(model, x) * 0.0), r" 0\. (Check|Give)"),
        (lambda: in_torch(lambda model, x: torch.ones(())), "is a constant, 1"),
        (lambda: in_torch(squared, frozen=True), "have a trainable parameter"),
    ],
    ids=["NaN", "zero", "no graph", "frozen"],
)
def test_a_loss_without_a_usable_gradient_is_named(measure: Any, make: Any, message: str) -> None:
    with pytest.raises(TrainingError, match=message):
        measure(make())


@pytest.mark.parametrize("shuffled", [False, True])
def test_one_batch_says_nothing_about_noise(shuffled: bool) -> None:
    def loss(model: Any, x: torch.Tensor) -> torch.Tensor:
        x = x[torch.randperm(len(x))] if shuffled else x
        return (model[0](x) - 1).square().mean()

    with pytest.raises(TrainingError, match=r"all 16 are the same\. Give more than one batch"):
        noise_scale(in_torch(loss, batches=1))


def test_a_loss_that_is_linear_in_torch_bounds_no_rate() -> None:
    training = in_torch(lambda model, x: model[0](x).mean())
    assert largest_curvature(training).rate == math.inf
