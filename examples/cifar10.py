"""A small convolutional network on CIFAR-10: 60,000 colour images of 32 × 32 pixels.

    CIFAR10=path/to/cifar-10-batches-bin stepsize run examples/cifar10.py --steps 5000

The data is the binary version, cifar-10-binary.tar.gz from www.cs.toronto.edu/~kriz/cifar.html,
unpacked. (The version "for Python" is pickles: reading those would run whatever is in them.) The
network and its optimizer are those that articles start with: SGD at 0.1 with momentum 0.9, which
``stepsize run`` takes as the place where its search begins.
"""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from stepsize import TrainingError
from stepsize.torch import TorchTraining

ORIGIN = "https://www.cs.toronto.edu/~kriz/cifar.html"
TRAIN = tuple(f"data_batch_{number}.bin" for number in range(1, 6))
TEST = ("test_batch.bin",)
CLASSES, SHAPE = 10, (3, 32, 32)
RECORD = 1 + 3 * 32 * 32  # a label, then the red, the green and the blue pixels row by row
BATCH = 128

Examples = tuple[Tensor, Tensor]


def read(folder: Path, names: Sequence[str]) -> Examples:
    """The images (n, 3, 32, 32) and labels (n,) of some files of the binary version, as bytes.

    Raises:
        TrainingError: A file is missing, or is none of CIFAR-10's binary version.
    """
    images: list[np.ndarray] = []
    labels: list[np.ndarray] = []
    for name in names:
        path = folder / name
        if not path.is_file():
            raise TrainingError(
                f"There is no file {str(path)!r}. Get the binary version of CIFAR-10, "
                f"cifar-10-binary.tar.gz, from {ORIGIN}, unpack it, and name its folder: "
                "CIFAR10=path/to/cifar-10-batches-bin"
            )
        content = np.fromfile(path, np.uint8)
        if not len(content) or len(content) % RECORD or content[::RECORD].max() >= CLASSES:
            raise TrainingError(
                f"{str(path)!r} is no file of CIFAR-10's binary version: those are records of "
                f"{RECORD:,} bytes of which the first is a label from 0 to {CLASSES - 1}. Unpack "
                f"cifar-10-binary.tar.gz from {ORIGIN} again."
            )
        records = content.reshape(-1, RECORD)
        labels.append(records[:, 0])
        images.append(records[:, 1:].reshape(-1, *SHAPE))
    return torch.from_numpy(np.concatenate(images)), torch.from_numpy(np.concatenate(labels))


class ConvNet(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(
            *self._stage(3, 32),
            *self._stage(32, 64),
            *self._stage(64, 128),
        )
        self.classifier = nn.Linear(128, CLASSES)

    @staticmethod
    def _stage(before: int, after: int) -> Sequence[nn.Module]:
        convolution = nn.Conv2d(before, after, 3, padding=1, bias=False)
        return convolution, nn.BatchNorm2d(after), nn.ReLU(), nn.MaxPool2d(2)

    def forward(self, images: Tensor) -> Tensor:
        centred = images.float() / 127.5 - 1.0
        return self.classifier(self.features(centred).mean(dim=(2, 3)))


def training(seed: int = 0, folder: str | Path | None = None) -> TorchTraining:
    torch.manual_seed(seed)
    where = Path(os.environ.get("CIFAR10", "cifar-10-batches-bin") if folder is None else folder)
    images, labels = read(where, TRAIN)
    test_images, test_labels = read(where, TEST)
    model = ConvNet()
    model.to("cuda" if torch.cuda.is_available() else "cpu")

    def batches(epoch: int) -> Iterator[Examples]:
        generator = torch.Generator().manual_seed(1_000_003 * seed + epoch)
        for chosen in torch.randperm(len(images), generator=generator).split(BATCH):
            mirrored = torch.rand(len(chosen), 1, 1, 1, generator=generator) < 0.5
            yield torch.where(mirrored, images[chosen].flip(3), images[chosen]), labels[chosen]

    def loss(model: nn.Module, batch: Examples) -> Tensor:
        return functional.cross_entropy(model(batch[0]), batch[1].long())

    def evaluate(model: nn.Module) -> dict[str, float]:
        device = next(model.parameters()).device
        parts = zip(test_images.split(1_000), test_labels.split(1_000), strict=True)
        total, right = 0.0, 0
        for pixels, wanted in parts:
            scores, targets = model(pixels.to(device)), wanted.to(device).long()
            total += functional.cross_entropy(scores, targets, reduction="sum").item()
            right += int((scores.argmax(dim=1) == targets).sum())
        return {"val_loss": total / len(test_labels), "accuracy": right / len(test_labels)}

    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    return TorchTraining(model, optimizer, loss, batches, evaluate)
