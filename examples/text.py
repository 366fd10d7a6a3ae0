"""A small character transformer on real text: the source of Python's standard library.

    stepsize run examples/text.py --steps 600
    stepsize trials examples/text.py --steps 200 "Cosine(200)" "wsd(200, warmup=20, cooldown=60)"

It reads 64 characters and guesses the next one at each place. One module in ten is held out. The
loss of knowing nothing is ln(128) = 4.85.
"""

import sysconfig
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from stepsize.torch import TorchTraining

CHARACTERS, CONTEXT = 128, 64
BATCH, BATCHES_PER_EPOCH = 16, 100
WIDTH, HEADS, BLOCKS = 64, 4, 2

Examples = tuple[Tensor, Tensor]


@cache
def texts() -> tuple[Tensor, Tensor]:
    """The source of the library's modules as ASCII codes: for training, and held out."""
    library = Path(sysconfig.get_paths()["stdlib"])
    modules = [
        path.read_text(encoding="utf-8", errors="replace") for path in sorted(library.glob("*.py"))
    ]
    train = [text for number, text in enumerate(modules) if number % 10]
    return codes("\n".join(train)), codes("\n".join(modules[::10]))


def codes(text: str) -> Tensor:
    """Each character's code; that of "?" for those that are not ASCII."""
    return torch.frombuffer(bytearray(text.encode("ascii", "replace")), dtype=torch.uint8)


def windows(text: Tensor, starts: Tensor) -> Examples:
    """The characters from each start on, and those that follow each of them."""
    seen = text[starts[:, None] + torch.arange(CONTEXT + 1)].long()
    return seen[:, :-1], seen[:, 1:]


class Transformer(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.character = nn.Embedding(CHARACTERS, WIDTH)
        self.place = nn.Embedding(CONTEXT, WIDTH)
        self.blocks = nn.ModuleList(
            nn.TransformerEncoderLayer(
                WIDTH, HEADS, 4 * WIDTH, dropout=0.0, batch_first=True, norm_first=True
            )
            for _ in range(BLOCKS)
        )
        self.norm = nn.LayerNorm(WIDTH)
        self.head = nn.Linear(WIDTH, CHARACTERS)

    def forward(self, text: Tensor) -> Tensor:
        length = text.shape[1]
        future = nn.Transformer.generate_square_subsequent_mask(length, device=text.device)
        x = self.character(text) + self.place.weight[:length]
        for block in self.blocks:
            x = block(x, src_mask=future, is_causal=True)
        return self.head(self.norm(x))


def training(seed: int = 0) -> TorchTraining:
    torch.manual_seed(seed)
    train, held_out = texts()
    model = Transformer()

    def batches(epoch: int) -> Iterator[Examples]:
        generator = torch.Generator().manual_seed(1_000_003 * seed + epoch)
        for _ in range(BATCHES_PER_EPOCH):
            last = len(train) - CONTEXT
            yield windows(train, torch.randint(last, (BATCH,), generator=generator))

    def loss(model: nn.Module, batch: Examples) -> Tensor:
        text, following = batch
        return functional.cross_entropy(model(text).flatten(0, 1), following.flatten())

    evenly = torch.linspace(0, len(held_out) - CONTEXT - 1, 128).long()

    def evaluate(model: nn.Module) -> dict[str, float]:
        device = next(model.parameters()).device
        text, following = (each.to(device) for each in windows(held_out, evenly))
        return {"val_loss": loss(model, (text, following)).item()}

    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    return TorchTraining(model, optimizer, loss, batches, evaluate, clip=1.0)
