"""The loss around the present weights: its largest curvature, and the noise of its gradient.

These read derivatives, which the Training protocol does not have. A training that offers them is
``Differentiable``; ``recommend`` leaves these rules out for any other.
"""

import math
from dataclasses import dataclass
from typing import Protocol, TypeAlias, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from stepsize.checks import Range, checked_number
from stepsize.errors import InvalidType, TrainingError
from stepsize.find._arguments import checked_count, require_training
from stepsize.messages import Message
from stepsize.training import Training, preserved

__all__ = [
    "Curvature",
    "Derivatives",
    "Differentiable",
    "NoiseScale",
    "largest_curvature",
    "noise_scale",
]

Vector: TypeAlias = NDArray[np.float64]

# One batch's samples in another order: the square of what that does to a gradient in float32.
_ROUNDING = 1e-10
_TOLERANCE = Range(above=0, remedy="Leave it out for 0.01.")


class Derivatives(Protocol):
    """The training loss of one batch around the present parameters.

    All vectors list the trainable parameters in one fixed order; shape (n,).
    """

    @property
    def parameters(self) -> Vector:
        """The parameters now."""
        ...

    @property
    def gradient(self) -> Vector:
        """The gradient of the batch's loss."""
        ...

    @property
    def scales(self) -> Vector | None:
        """What the optimizer divides an update by, √v̂ + ε for Adam; None if by nothing yet."""
        ...

    def hessian_vector(self, vector: Vector, /) -> Vector:
        """The Hessian of the batch's loss times ``vector``."""
        ...


@runtime_checkable
class Differentiable(Training, Protocol):
    """A training that also offers derivatives. Optional: races and sweeps do without."""

    def derivatives(self) -> Derivatives:
        """The derivatives of the next batch, which is used up; the parameters stay."""
        ...


@dataclass(frozen=True)
class Curvature:
    """The largest eigenvalue of the Hessian, and the rate at which gradient descent turns unstable.

    Args:
        eigenvalue: λmax, of the Hessian or of the preconditioned one.
        rate: 2/λmax: the largest stable rate. Infinite where there is no positive curvature.
        preconditioned: Whether the optimizer's scales were divided out.
        change: Relative change of λmax in the last iteration.
        products: Hessian-vector products that it took; each costs about two gradients.
        reason: What it says, and when to believe it.
    """

    eigenvalue: float
    rate: float
    preconditioned: bool
    change: float
    products: int
    reason: Message


def largest_curvature(
    training: Training, *, iterations: int = 30, tolerance: float = 0.01, seed: int = 0
) -> Curvature:
    """The largest curvature λmax by power iteration, and the stable rate 2/λmax.

    With scales s (Adam's √v̂ + ε) the matrix is s^-½ H s^-½, whose eigenvalues are those of s⁻¹H:
    the curvature that the optimizer's update sees. The training is afterwards exactly as it was.

    Power iteration finds the eigenvalue that is largest in size. Where that one is negative, a
    second iteration on the matrix shifted by it finds the largest one.

    Args:
        training: A ``Differentiable`` one.
        iterations: Most products, >= 2, for each of the two.
        tolerance: Ends it when λ changes by less than this part of itself, > 0.
        seed: Of the first direction.

    Returns:
        The eigenvalue, the rate and when to believe it.

    Raises:
        InvalidType: The training offers no derivatives.
        InvalidValue: A number is out of range.
        TrainingError: The gradient or a product is not finite, or the loss does not depend on the
            parameters.

    >>> import torch
    >>> from stepsize.find import largest_curvature
    >>> from stepsize.torch import TorchTraining
    >>> model = torch.nn.Linear(2, 1, bias=False)
    >>> sgd = torch.optim.SGD(model.parameters(), lr=0.1)
    >>> data = [torch.diag(torch.tensor([2.0, 1.0]))]
    >>> training = TorchTraining(model, sgd, lambda model, x: model(x).square().mean() / 2, data)
    >>> round(largest_curvature(training).rate, 2)                  # the curvatures are 2 and 0.5
    1.0

    Source: LeCun, Simard & Pearlmutter 1993, "Automatic Learning Rate Maximization by On-Line
    Estimation of the Hessian's Eigenvectors"; Cohen et al. 2021 (arXiv 2103.00065) and 2022 (arXiv
    2207.14484) for where training settles.
    """
    call = f"largest_curvature(..., iterations={iterations!r}, tolerance={tolerance!r})"
    most = checked_count(call, "iterations", iterations, 2, "Leave it out for 30.")
    least = float(checked_number(call, "tolerance", tolerance, _TOLERANCE))
    with preserved(differentiable(training, call)) as offered:
        local = derivatives_of(offered, call)
        is_flat = not finite_gradient(local, call).any()
        scales = local.scales
        roots = np.ones_like(local.parameters) if scales is None else np.sqrt(scales)
        power = _Power(local, roots, seed, call)
        value, change = power.iterate(0.0, most, least)
        if value < 0:
            shifted, change = power.iterate(value, most, least)
            value += shifted
    if is_flat and value == 0:
        raise TrainingError(
            call,
            "the loss must depend on the parameters",
            "its gradient and its curvature are 0",
            "Check that it is not constant, and that it uses what the optimizer trains.",
        )
    rate = 2 / value if value > 0 else math.inf
    reason = _reason(value, is_preconditioned=scales is not None)
    if change > least:
        reason = Message(
            "{reason:message}; not settled: the last iteration changed it by {change:percent}",
            reason=reason,
            change=change,
        )
    return Curvature(value, rate, scales is not None, change, power.products, reason)


def _reason(value: float, *, is_preconditioned: bool) -> Message:
    if is_preconditioned:
        return Message(
            "2 / {value:number}, the largest eigenvalue of the preconditioned Hessian on one "
            "batch, is where plain descent becomes unstable. Take it as an upper bound for the "
            "first steps: training changes the curvature until it fits the rate, and heavy-ball "
            "momentum β allows 1 + β times as much",
            value=value,
        )
    return Message(
        "2 / {value:number}, the largest eigenvalue of the Hessian on one batch, is where plain "
        "descent becomes unstable. Take it as an upper bound for the first steps: training "
        "changes the curvature until it fits the rate, and heavy-ball momentum β allows 1 + β "
        "times as much",
        value=value,
    )


class _Power:
    def __init__(self, local: Derivatives, roots: Vector, seed: int, call: str) -> None:
        self._local, self._roots, self._call = local, roots, call
        self._random = np.random.default_rng(seed)
        self.products = 0

    def iterate(self, shift: float, iterations: int, tolerance: float) -> tuple[float, float]:
        """The eigenvalue of largest size of the matrix minus ``shift``, and its last change."""
        direction = self._random.standard_normal(self._roots.shape)
        direction /= np.linalg.norm(direction)
        value, change = 0.0, math.inf
        for _ in range(iterations):
            product = self._local.hessian_vector(direction / self._roots) / self._roots
            product = product - shift * direction
            self.products += 1
            if not np.isfinite(product).all():
                raise TrainingError(
                    self._call,
                    "Hessian-vector products must be finite",
                    "one is not",
                    "Check the batch and the model for NaN.",
                )
            before, value = value, float(direction @ product)
            size = float(np.linalg.norm(product))
            if size == 0:
                return 0.0, 0.0
            direction = product / size
            change = abs(value - before) / max(abs(value), np.finfo(float).tiny)
            if change <= tolerance:
                break
        return value, change


@dataclass(frozen=True)
class NoiseScale:
    """How noisy a batch's gradient is.

    Args:
        batches: tr Σ / |G|², in batches: so many batches of this size would bring the noise down to
            the size of the gradient. Infinite where no gradient stands out from the noise.
        gradients: How many were measured.
        reason: What it says, and when to believe it.
    """

    batches: float
    gradients: int
    reason: Message


def noise_scale(training: Training, *, gradients: int = 16) -> NoiseScale:
    """The simple noise scale: the variance of a batch's gradient over the square of its mean.

    From k gradients gᵢ with mean ḡ: tr Σ = Σ |gᵢ - ḡ|² / (k - 1) and |G|² = |ḡ|² - tr Σ / k. The
    training is afterwards exactly as it was.

    Args:
        training: A ``Differentiable`` one.
        gradients: k, each of another batch, >= 2.

    Returns:
        The noise scale in batches.

    Raises:
        InvalidType: The training offers no derivatives.
        InvalidValue: ``gradients`` is below 2.
        TrainingError: A gradient is not finite, or all are 0 or the same.

    >>> import torch
    >>> from stepsize.find import noise_scale
    >>> from stepsize.torch import TorchTraining
    >>> model = torch.nn.Linear(1, 1, bias=False)
    >>> sgd = torch.optim.SGD(model.parameters(), lr=0.1)
    >>> data = [torch.tensor([2.0]), torch.tensor([4.0])]           # gradients of 2 and 4 in turn
    >>> training = TorchTraining(model, sgd, lambda model, x: model(x).mean(), data)
    >>> round(noise_scale(training, gradients=2).batches, 2)        # tr Σ = 2, |G|² = 9 - 2/2
    0.25

    Source: McCandlish et al. 2018, "An Empirical Model of Large-Batch Training" (arXiv 1812.06162),
    appendix A.
    """
    call = f"noise_scale(..., gradients={gradients!r})"
    count = checked_count(call, "gradients", gradients, 2, "Leave it out for 16.")
    with preserved(differentiable(training, call)) as offered:
        total, squares = 0.0, 0.0
        for _ in range(count):
            gradient = finite_gradient(derivatives_of(offered, call), call)
            total = total + gradient
            squares += float(gradient @ gradient)
    mean = np.asarray(total) / count
    length = float(mean @ mean)
    noise = max(squares - count * length, 0.0) / (count - 1)
    if noise <= _ROUNDING * length:
        raise TrainingError(
            call,
            "the gradients must differ from batch to batch",
            f"all {count} are {'the same' if length else '0'}",
            "Give more than one batch of data, shuffled anew, and check that the loss depends on "
            "what the optimizer trains.",
        )
    signal = length - noise / count
    batches = noise / signal if signal > 0 else math.inf
    return NoiseScale(
        batches,
        count,
        Message(
            "{batches:number 3} batches: up to there a larger batch allows a larger rate. It grows "
            "while the loss falls; measured with {n:count|gradient}, it is right within a factor "
            "of about 2, and infinite means that no mean gradient stands out",
            batches=batches,
            n=count,
        ),
    )


def differentiable(training: Training, call: str) -> Differentiable:
    """The training, if it offers derivatives."""
    require_training(training, call)
    if not isinstance(training, Differentiable):
        raise InvalidType(
            call,
            "the training must offer derivatives()",
            f"{type(training).__name__} does not",
            "TorchTraining does; race and range_test do without.",
            "training",
        )
    return training


def derivatives_of(training: Differentiable, call: str) -> Derivatives:
    """The derivatives of the next batch."""
    try:
        return training.derivatives()
    except StopIteration as error:
        raise TrainingError(
            call,
            "each gradient needs a batch",
            "the batches ended",
            "Give data that can be iterated once per epoch.",
        ) from error


def finite_gradient(local: Derivatives, call: str) -> Vector:
    """The gradient.

    Raises:
        TrainingError: It is not finite.
    """
    gradient = local.gradient
    if not np.isfinite(gradient).all():
        raise TrainingError(
            call,
            "the gradient must be finite",
            "is not",
            "Check the batch, the loss and the model for NaN.",
        )
    return gradient
