"""A small CNN on scikit-learn's digits: 1,797 real images of 8 × 8 pixels.

    stepsize run examples/digits.py --steps 600

``stepsize run`` calls ``training()`` and drives what it returns. Change the model, the data and the
loss to your own; the learning rate in the optimizer is only where the search starts.
"""

import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import nn
from torch.nn import functional
from torch.utils.data import DataLoader, TensorDataset

from stepsize.torch import TorchTraining


def training(seed: int = 0) -> TorchTraining:
    torch.manual_seed(seed)
    images, labels = load_digits(return_X_y=True)
    x_train, x_test, y_train, y_test = (
        torch.as_tensor(part)
        for part in train_test_split(
            images, labels, test_size=0.25, random_state=0, stratify=labels
        )
    )

    def as_images(pixels: torch.Tensor) -> torch.Tensor:
        return (pixels / 16.0).float().reshape(-1, 1, 8, 8)

    model = nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(16, 32, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(32 * 4 * 4, 10),
    )
    train = TensorDataset(as_images(x_train), y_train)

    def loss(model: nn.Module, batch: list[torch.Tensor]) -> torch.Tensor:
        pixels, targets = batch
        return functional.cross_entropy(model(pixels), targets)

    def evaluate(model: nn.Module) -> dict[str, float]:
        scores = model(as_images(x_test))
        return {
            "val_loss": functional.cross_entropy(scores, y_test).item(),
            "accuracy": (scores.argmax(dim=1) == y_test).float().mean().item(),
        }

    return TorchTraining(
        model,
        torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9),
        loss,
        DataLoader(train, batch_size=64, shuffle=True, drop_last=True),
        evaluate,
    )
