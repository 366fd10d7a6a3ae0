"""Tasks on scikit-learn's 8 × 8 digits: classes, fine-tuning, autoencoders, a GAN, pairs."""

from collections.abc import Callable
from dataclasses import replace
from functools import cache, partial
from typing import Any

import torch
from sklearn.datasets import load_digits
from torch import Tensor, nn
from torch.nn import functional
from torch.optim import SGD, Adam, AdamW, Optimizer, RMSprop

from benchmarks.auto.task import Parts, Task, shuffled

__all__ = ["TASKS"]

BATCH = 32
_FIRST_VALIDATION, _FIRST_JUDGED = 1_300, 1_500
_DIGITS = "cross-entropy of 297 held-out digits, each 4 times, shifted and with noise, nats"
_FINE_TUNED = "cross-entropy of the 5 to 9 among them, nats"
_LATENT, _NOISE = 8, 16
_TEMPERATURE = 0.2


@cache
def _digits() -> tuple[Tensor, Tensor]:
    """Images in [0, 1], shape (1797, 1, 8, 8), and labels, in a fixed random order."""
    images, labels = load_digits(return_X_y=True)
    order = torch.randperm(len(labels), generator=torch.Generator().manual_seed(0))
    pixels = torch.tensor(images / 16, dtype=torch.float32).view(-1, 1, 8, 8)
    return pixels[order], torch.tensor(labels)[order]


def _disturbed(images: Tensor, generator: torch.Generator) -> Tensor:
    """Each image shifted by up to one pixel each way, with noise: more data than a run can see."""
    count = len(images)
    padded = functional.pad(images, (1, 1, 1, 1)).squeeze(1)
    rows = torch.randint(0, 3, (count, 1), generator=generator) + torch.arange(8)
    columns = torch.randint(0, 3, (count, 1), generator=generator) + torch.arange(8)
    shifted = padded[torch.arange(count)[:, None, None], rows[:, :, None], columns[:, None, :]]
    return shifted.unsqueeze(1) + 0.2 * torch.randn(count, 1, 8, 8, generator=generator)


def _cross_entropy(model: nn.Module, batch: tuple[Tensor, Tensor]) -> Tensor:
    return functional.cross_entropy(model(batch[0]), batch[1])


def _classification(seed: int, model: nn.Module, classes: range) -> Parts:
    images, labels = _digits()
    wanted = (labels >= classes.start) & (labels < classes.stop)

    def part(first: int, end: int) -> tuple[Tensor, Tensor]:
        return images[first:end][wanted[first:end]], labels[first:end][wanted[first:end]]

    def measure(part: tuple[Tensor, Tensor], copies: int) -> Callable[[nn.Module], float]:
        noise = torch.Generator().manual_seed(1)
        batch = _disturbed(part[0].repeat(copies, 1, 1, 1), noise), part[1].repeat(copies)
        return lambda model: _cross_entropy(model, batch).item()

    return Parts(
        model,
        _cross_entropy,
        shuffled(part(0, _FIRST_VALIDATION), BATCH, seed, _disturbed),
        BATCH,
        measure(part(_FIRST_VALIDATION, _FIRST_JUDGED), copies=1),
        measure(part(_FIRST_JUDGED, len(labels)), copies=4),
    )


# ---------------------------------------------------------------- classification


def _with_momentum(groups: list[dict[str, Any]]) -> Optimizer:
    return SGD(groups, momentum=0.9, weight_decay=5e-4)


def _body() -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(1, 12, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(12, 24, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
    )


def _cnn(seed: int) -> Parts:
    return _classification(seed, nn.Sequential(_body(), nn.Linear(96, 10)), range(10))


class _Residual(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.inner = nn.Sequential(
            nn.Conv2d(channels, channels, 3, padding=1, bias=False),
            nn.BatchNorm2d(channels),
            nn.ReLU(),
            nn.Conv2d(channels, channels, 3, padding=1, bias=False),
            nn.BatchNorm2d(channels),
        )

    def forward(self, x: Tensor) -> Tensor:
        return functional.relu(x + self.inner(x))


def _resnet(seed: int) -> Parts:
    model = nn.Sequential(
        nn.Conv2d(1, 12, 3, padding=1, bias=False),
        nn.BatchNorm2d(12),
        nn.ReLU(),
        _Residual(12),
        nn.MaxPool2d(2),
        _Residual(12),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(12, 10),
    )
    return _classification(seed, model, range(10))


class _VisionTransformer(nn.Module):
    """Patches of 2 × 4 pixels as 8 words."""

    def __init__(self, width: int = 32) -> None:
        super().__init__()
        self.patch = nn.Conv2d(1, width, (2, 4), stride=(2, 4))
        self.place = nn.Parameter(0.02 * torch.randn(8, width))
        self.block = nn.TransformerEncoderLayer(
            width, 4, 2 * width, batch_first=True, norm_first=True
        )
        self.head = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, 10))

    def forward(self, x: Tensor) -> Tensor:
        words = self.patch(x).flatten(2).transpose(1, 2) + self.place
        return self.head(self.block(words).mean(1))


def _vision_transformer(seed: int) -> Parts:
    return _classification(seed, _VisionTransformer(), range(10))


# ---------------------------------------------------------------- fine-tuning


@cache
def _pretrained() -> dict[str, Tensor]:
    """The body's weights after learning the digits 0 to 4, the same for every seed."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        parts = _classification(0, nn.Sequential(_body(), nn.Linear(96, 5)), range(5))
        optimizer = Adam(parts.model.parameters(), lr=3e-3)
        for epoch in range(12):
            for batch in parts.batches(epoch):
                optimizer.zero_grad()
                parts.loss(parts.model, batch).backward()
                optimizer.step()
    return parts.model[0].state_dict()


class _Shifted(nn.Linear):
    """A head for the digits 5 to 9 among the labels 0 to 9."""

    def forward(self, features: Tensor) -> Tensor:
        return functional.pad(super().forward(features), (5, 0), value=-1e4)


def _fine_tuning(seed: int, frozen: bool) -> Parts:
    body, head = _body(), _Shifted(96, 5)
    body.load_state_dict(_pretrained())
    parts = _classification(seed, nn.Sequential(body, head), range(5, 10))
    if frozen:
        body.requires_grad_(False)
        return parts
    return replace(parts, ratios={"head": (head, 1.0), "body": (body, 0.1)})


# ---------------------------------------------------------------- autoencoders


class _Autoencoder(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Flatten(),
            nn.Linear(64, 48),
            nn.ReLU(),
            nn.Linear(48, _LATENT),
            nn.Linear(_LATENT, 48),
            nn.ReLU(),
            nn.Linear(48, 64),
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x)


def _reconstruction(model: nn.Module, batch: tuple[Tensor, ...]) -> Tensor:
    return 64 * functional.mse_loss(model(batch[0]), batch[0].flatten(1))


class _Variational(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Sequential(nn.Flatten(), nn.Linear(64, 64), nn.ReLU())
        self.mean, self.log_variance = nn.Linear(64, _LATENT), nn.Linear(64, _LATENT)
        self.decoder = nn.Sequential(nn.Linear(_LATENT, 64), nn.ReLU(), nn.Linear(64, 64))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        hidden = self.encoder(x)
        mean, log_variance = self.mean(hidden), self.log_variance(hidden)
        code = mean + torch.randn_like(mean) * (log_variance / 2).exp()
        return self.decoder(code), mean, log_variance


def _evidence_bound(model: nn.Module, batch: tuple[Tensor, ...]) -> Tensor:
    """Negative evidence lower bound per image, in nats."""
    pixels, mean, log_variance = model(batch[0])
    target = batch[0].flatten(1)
    missed = functional.binary_cross_entropy_with_logits(pixels, target, reduction="sum")
    divergence = (mean**2 + log_variance.exp() - 1 - log_variance).sum() / 2
    return (missed + divergence) / len(target)


def _unsupervised(seed: int, model: nn.Module, loss: Callable[..., Tensor]) -> Parts:
    images, _ = _digits()
    return Parts(
        model,
        loss,
        shuffled((images[:_FIRST_VALIDATION],), BATCH, seed),
        BATCH,
        lambda model: loss(model, (images[_FIRST_VALIDATION:_FIRST_JUDGED],)).item(),
        lambda model: loss(model, (images[_FIRST_JUDGED:],)).item(),
    )


def _autoencoder(seed: int) -> Parts:
    return _unsupervised(seed, _Autoencoder(), _reconstruction)


def _variational(seed: int) -> Parts:
    return _unsupervised(seed, _Variational(), _evidence_bound)


# ---------------------------------------------------------------- a GAN


class _Adversaries(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.generator = nn.Sequential(
            nn.Linear(_NOISE, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 64)
        )
        self.critic = nn.Sequential(
            nn.Linear(64, 64),
            nn.LeakyReLU(0.2),
            nn.Linear(64, 64),
            nn.LeakyReLU(0.2),
            nn.Linear(64, 1),
        )

    def forward(self, noise: Tensor) -> Tensor:
        return torch.sigmoid(self.generator(noise))


def _adversarial(model: _Adversaries, batch: tuple[Tensor, Tensor]) -> Tensor:
    """Both players' losses in one: each sees the other's parameters as constants.

    What the critic sees is noisy: without it the same rate and schedule end well or badly by
    chance (Sønderby et al. 2017, arXiv 1610.04490).
    """
    noise, real = batch
    made, real = _with_noise(model(noise)), _with_noise(real)
    frozen = {name: each.detach() for name, each in model.critic.named_parameters()}
    judged = torch.func.functional_call(model.critic, frozen, (made,))
    true, false = model.critic(real), model.critic(made.detach())
    critic = functional.softplus(-true).mean() + functional.softplus(false).mean()
    return functional.softplus(-judged).mean() + critic


def _with_noise(images: Tensor) -> Tensor:
    return images + 0.5 * torch.randn_like(images)


def _energy_distance(a: Tensor, b: Tensor) -> float:
    """2 E|a - b| - E|a - a'| - E|b - b'|: 0 only where the distributions are the same."""
    within = sum(torch.cdist(each, each).sum() / (len(each) * (len(each) - 1)) for each in (a, b))
    return (2 * torch.cdist(a, b).mean() - within).item()


def _gan(seed: int) -> Parts:
    pixels = _digits()[0].flatten(1)
    model = _Adversaries()
    draw = torch.Generator().manual_seed(seed)
    noise = torch.randn(_FIRST_VALIDATION, _NOISE, generator=draw)

    def distance(real: Tensor) -> Callable[[_Adversaries], float]:
        return lambda model: _energy_distance(model(torch.randn(1_000, _NOISE)), real)

    return Parts(
        model,
        _adversarial,
        shuffled(
            (noise, pixels[:_FIRST_VALIDATION]),
            64,
            seed,
            lambda noise, generator: torch.randn(noise.shape, generator=generator),
        ),
        64,
        distance(pixels[_FIRST_VALIDATION:_FIRST_JUDGED]),
        distance(pixels[_FIRST_JUDGED:]),
        {"generator": (model.generator, 1.0), "critic": (model.critic, 1.0)},
    )


# ---------------------------------------------------------------- pairs


class _Encoder(nn.Module):
    """Two views of each image, shape (n, 2, 1, 8, 8), to two directions, shape (n, 2, 32)."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Flatten(), nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 32))

    def forward(self, views: Tensor) -> Tensor:
        return functional.normalize(self.layers(views.flatten(0, 1)), dim=1).unflatten(0, (-1, 2))


def _two_views(images: Tensor, generator: torch.Generator) -> Tensor:
    return torch.stack([_disturbed(images, generator) for _ in range(2)], dim=1)


def _contrast(model: nn.Module, batch: tuple[Tensor, ...]) -> Tensor:
    """Cross-entropy of finding each view's other one among those of all images, both ways."""
    one, other = model(batch[0]).unbind(1)
    similarity = one @ other.T / _TEMPERATURE
    partner = torch.arange(len(one))
    found = functional.cross_entropy(similarity, partner)
    return (found + functional.cross_entropy(similarity.T, partner)) / 2


def _pairs(seed: int) -> Parts:
    images, _ = _digits()

    def measure(images: Tensor) -> Callable[[nn.Module], float]:
        views = _two_views(images, torch.Generator().manual_seed(1))
        return lambda model: _contrast(model, (views,)).item()

    return Parts(
        _Encoder(),
        _contrast,
        shuffled((images[:_FIRST_VALIDATION],), 64, seed, _two_views),
        64,
        measure(images[_FIRST_VALIDATION:_FIRST_JUDGED]),
        measure(images[_FIRST_JUDGED:]),
    )


TASKS = (
    Task("digits CNN, SGD", _cnn, _with_momentum, 600, 0.1, _DIGITS),
    Task("digits CNN, RMSprop", _cnn, RMSprop, 600, 5e-3, _DIGITS),
    Task("digits CNN, AdamW", _cnn, AdamW, 600, 2e-2, _DIGITS),
    Task(
        "digits autoencoder, Adam",
        _autoencoder,
        Adam,
        1_000,
        2e-2,
        "squared error per image of 297 held-out digits",
    ),
    Task(
        "digits GAN, Adam",
        _gan,
        lambda groups: Adam(groups, betas=(0.5, 0.999)),
        1_000,
        2e-2,
        "energy distance in pixel space of 1,000 made digits to 297 held-out ones",
    ),
    Task(
        "fine-tuning, frozen body, Adam",
        partial(_fine_tuning, frozen=True),
        Adam,
        400,
        0.1,
        _FINE_TUNED,
    ),
    Task(
        "fine-tuning, body at a tenth, AdamW",
        partial(_fine_tuning, frozen=False),
        AdamW,
        400,
        0.1,
        _FINE_TUNED,
    ),
    Task("digits ResNet, SGD", _resnet, _with_momentum, 400, 0.1, _DIGITS),
    Task(
        "digits variational autoencoder, Adam",
        _variational,
        Adam,
        600,
        2e-2,
        "negative evidence bound per image of 297 held-out digits, nats",
    ),
    Task(
        "digits vision transformer, AdamW",
        _vision_transformer,
        lambda groups: AdamW(groups, weight_decay=0.05),
        500,
        5e-3,
        _DIGITS,
        held_out=True,
    ),
    Task(
        "pairs of digits, contrastive, SGD",
        _pairs,
        lambda groups: SGD(groups, momentum=0.9, nesterov=True),
        600,
        0.1,
        "cross-entropy of a view's other one among 297 held-out digits, nats",
        held_out=True,
    ),
)
