"""Tasks on Python's standard library: the next character, word vectors, whose a line is."""

import argparse
import difflib
import pathlib
import re
import tarfile
import textwrap
import typing
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from functools import cache

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.optim import Adagrad, Adam, AdamW, NAdam

from benchmarks.auto.task import Parts, Task, shuffled

__all__ = ["TASKS"]

_MODULES = (argparse, difflib, pathlib, tarfile, textwrap, typing)
_CONTEXT = 24
_VOCABULARY, _AROUND = 400, 2
_BUCKETS, _SHORTEST, _LONGEST = 4_096, 8, 48
_BATCHES_PER_EPOCH = 50
_HELD_OUT = "cross-entropy of the next character in held-out text, nats"

Examples = tuple[Tensor, Tensor]


@cache
def _sources() -> list[str]:
    return [pathlib.Path(str(module.__file__)).read_text(encoding="utf-8") for module in _MODULES]


@cache
def _text() -> str:
    return "\n".join(_sources())


@cache
def _characters() -> tuple[Tensor, int]:
    """The text as numbers, and how many kinds of character there are."""
    kinds = sorted(set(_text()))
    numbers = {kind: number for number, kind in enumerate(kinds)}
    return torch.tensor([numbers[each] for each in _text()]), len(kinds)


@cache
def _words() -> Tensor:
    """The text's words as numbers: the most frequent ones, and 0 for all others."""
    words = re.findall(r"[a-z]+", _text().lower())
    frequent = [word for word, _ in Counter(words).most_common(_VOCABULARY - 1)]
    numbers = {word: number for number, word in enumerate(frequent, start=1)}
    return torch.tensor([numbers.get(word, 0) for word in words])


@cache
def _lines() -> Examples:
    """The lines' trigrams, hashed and padded with 0, and each line's module, in random order."""
    lines = [
        (line.strip(), module)
        for module, source in enumerate(_sources())
        for line in source.splitlines()
        if len(line.strip()) > _SHORTEST
    ]
    bags = torch.zeros(len(lines), _LONGEST, dtype=torch.long)
    for bag, (line, _) in zip(bags, lines, strict=True):
        trigrams = [line[place : place + 3].encode() for place in range(len(line) - 2)][:_LONGEST]
        bag[: len(trigrams)] = torch.tensor([1 + zlib.crc32(t) % (_BUCKETS - 1) for t in trigrams])
    order = torch.randperm(len(lines), generator=torch.Generator().manual_seed(0))
    return bags[order], torch.tensor([module for _, module in lines])[order]


def _split(sequence: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Blocks of the sequence in turn for training (18 of 20), validation and judging."""
    blocks = sequence[: len(sequence) // 20_00 * 20_00].view(-1, 20, 100)
    return blocks[:, :18].flatten(), blocks[:, 18].flatten(), blocks[:, 19].flatten()


def _parts(
    seed: int,
    model: nn.Module,
    loss: Callable[[nn.Module, Examples], Tensor],
    sequence: Tensor,
    examples: Callable[[Tensor, Tensor], Examples],
    size: int,
    places: int,
    clip: float | None = None,
) -> Parts:
    """Batches of ``size`` places in the sequence, each made into an example; ``places`` judge."""
    train, validation, judged = _split(sequence)
    seen, last = _evenly(validation, places // 3), _evenly(judged, places)

    def epoch(number: int) -> Iterator[Examples]:
        generator = torch.Generator().manual_seed(seed * 1_000_003 + number)
        for _ in range(_BATCHES_PER_EPOCH):
            yield examples(
                train, torch.randint(len(train) - _CONTEXT - 1, (size,), generator=generator)
            )

    return Parts(
        model,
        loss,
        epoch,
        size,
        lambda model: loss(model, examples(validation, seen)).item(),
        lambda model: loss(model, examples(judged, last)).item(),
        clip=clip,
    )


def _evenly(sequence: Tensor, count: int) -> Tensor:
    return torch.linspace(0, len(sequence) - _CONTEXT - 2, count).long()


def _following(sequence: Tensor, places: Tensor) -> Examples:
    windows = sequence[places[:, None] + torch.arange(_CONTEXT + 1)]
    return windows[:, :-1], windows[:, 1:]


def _surrounded(sequence: Tensor, places: Tensor) -> Examples:
    around = [each for each in range(2 * _AROUND + 1) if each != _AROUND]
    return sequence[places[:, None] + torch.tensor(around)], sequence[places + _AROUND]


def _cross_entropy(model: nn.Module, batch: Examples) -> Tensor:
    guesses = model(batch[0])
    return functional.cross_entropy(guesses.flatten(0, -2), batch[1].flatten())


class _Block(nn.Module):
    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.before, self.between = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attend, self.gather = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.wide, self.narrow = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, x: Tensor) -> Tensor:
        query, key, value = (
            each.unflatten(-1, (self.heads, -1)).transpose(1, 2)
            for each in self.attend(self.before(x)).chunk(3, dim=-1)
        )
        seen = functional.scaled_dot_product_attention(query, key, value, is_causal=True)
        x = x + self.gather(seen.transpose(1, 2).flatten(2))
        return x + self.narrow(functional.gelu(self.wide(self.between(x))))


class _Transformer(nn.Module):
    def __init__(self, kinds: int, width: int = 32, heads: int = 4, blocks: int = 2) -> None:
        super().__init__()
        self.kind, self.place = nn.Embedding(kinds, width), nn.Embedding(_CONTEXT, width)
        self.blocks = nn.Sequential(*(_Block(width, heads) for _ in range(blocks)))
        self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, kinds)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.norm(self.blocks(self.kind(x) + self.place.weight[: x.shape[1]])))


class _Recurrent(nn.Module):
    def __init__(self, kinds: int, width: int = 48) -> None:
        super().__init__()
        self.kind = nn.Embedding(kinds, 24)
        self.memory = nn.LSTM(24, width, batch_first=True)
        self.head = nn.Linear(width, kinds)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.memory(self.kind(x))[0])


class _Convolutional(nn.Module):
    """Sees 15 characters: the places before the first one are zeros."""

    def __init__(self, kinds: int, width: int = 32) -> None:
        super().__init__()
        self.kind = nn.Embedding(kinds, width)
        self.layers = nn.ModuleList(
            nn.Conv1d(width, width, 3, dilation=dilation) for dilation in (1, 2, 4)
        )
        self.head = nn.Linear(width, kinds)

    def forward(self, x: Tensor) -> Tensor:
        hidden = self.kind(x).transpose(1, 2)
        for layer in self.layers:
            before = functional.pad(hidden, (2 * layer.dilation[0], 0))
            hidden = hidden + functional.relu(layer(before))
        return self.head(hidden.transpose(1, 2))


class _ModuleOfLine(nn.Module):
    def __init__(self, width: int = 48) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.EmbeddingBag(_BUCKETS, width, mode="mean", padding_idx=0),
            nn.Dropout(0.5),
            nn.Linear(width, width),
            nn.ReLU(),
            nn.Dropout(0.5),
            nn.Linear(width, len(_MODULES)),
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x)


class _WordFromNeighbours(nn.Module):
    def __init__(self, width: int = 24) -> None:
        super().__init__()
        self.word = nn.Embedding(_VOCABULARY, width)
        nn.init.normal_(self.word.weight, std=0.1)
        self.head = nn.Linear(width, _VOCABULARY)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.word(x).mean(1))


def _transformer(seed: int) -> Parts:
    text, kinds = _characters()
    return _parts(seed, _Transformer(kinds), _cross_entropy, text, _following, 8, 384)


def _lstm(seed: int) -> Parts:
    text, kinds = _characters()
    return _parts(seed, _Recurrent(kinds), _cross_entropy, text, _following, 16, 384, clip=1.0)


def _word_vectors(seed: int) -> Parts:
    return _parts(seed, _WordFromNeighbours(), _cross_entropy, _words(), _surrounded, 128, 2_400)


def _convolutional(seed: int) -> Parts:
    text, kinds = _characters()
    return _parts(seed, _Convolutional(kinds), _cross_entropy, text, _following, 16, 384)


def _module_of_line(seed: int) -> Parts:
    bags, modules = _lines()
    judged = len(bags) // 10
    train, validation = len(bags) - 2 * judged, len(bags) - judged

    def part(first: int, end: int) -> Examples:
        return bags[first:end], modules[first:end]

    return Parts(
        _ModuleOfLine(),
        _cross_entropy,
        shuffled(part(0, train), 64, seed),
        64,
        lambda model: _cross_entropy(model, part(train, validation)).item(),
        lambda model: _cross_entropy(model, part(validation, len(bags))).item(),
    )


TASKS = (
    Task("character transformer, AdamW", _transformer, AdamW, 600, 1e-2, _HELD_OUT),
    Task("character LSTM, Adam", _lstm, Adam, 500, 3e-2, _HELD_OUT),
    Task(
        "word vectors, Adam",
        _word_vectors,
        Adam,
        600,
        0.05,
        "cross-entropy of a word between its neighbours in held-out text, nats",
    ),
    Task(
        "character convolutions, NAdam", _convolutional, NAdam, 600, 2e-2, _HELD_OUT, held_out=True
    ),
    Task(
        "module of a line, dropout, Adagrad",
        _module_of_line,
        Adagrad,
        400,
        0.2,
        "cross-entropy of the module among six that a held-out line is from, nats",
        held_out=True,
    ),
)
