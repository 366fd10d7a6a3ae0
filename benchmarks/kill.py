"""Training processes that are killed at random moments, and go on: ``make bench-kill``.

One server process has torch loaded; every training process is forked from it, so that a kill costs
what the training costs. A run is killed and resumed until it ends, then the next begins.
"""

import argparse
import json
import math
import multiprocessing
import os
import random
import select
import signal
import tempfile
import time
import traceback
from collections.abc import Iterator, Sequence
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.progress import track
from torch import nn
from torch.nn import functional
from torch.utils.data import DataLoader, TensorDataset

from stepsize import Linear, Policy
from stepsize.controllers import Guard, Plateau
from stepsize.signals import Tick
from stepsize.torch import TorchTraining
from stepsize.training import Ring, run

__all__ = ["check_kills", "main"]

STEPS = 60
EVERY = 7
_BROKEN = (31, 32, 50)


# ------------------------------------------------------------------ the run


def _training() -> TorchTraining:
    torch.set_num_threads(1)
    torch.manual_seed(0)
    generator = torch.Generator().manual_seed(7)
    x = torch.randn(100, 4, generator=generator)
    y = x.sum(1, keepdim=True) + 0.3 * torch.randn(100, 1, generator=generator)
    loader = DataLoader(TensorDataset(x, y), batch_size=8, shuffle=True)

    def batches(epoch: int) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        for number, (first, second) in enumerate(loader, start=len(loader) * epoch):
            yield first, second * math.nan if number in _BROKEN else second

    model = nn.Sequential(
        nn.Linear(4, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(0.2), nn.Linear(8, 1)
    )

    def loss(model: nn.Module, batch: Any) -> torch.Tensor:
        return functional.mse_loss(model(batch[0]), batch[1])

    return TorchTraining(
        model,
        torch.optim.Adam(model.parameters(), lr=0.05),
        loss,
        batches,
        evaluate=lambda model: {"val_loss": loss(model, (x, y)).item()},
    )


def _train(folder: str, log: str) -> None:
    """The life of one process: train with checkpoints, write down each tick as it comes."""
    training = _training()
    plateau = Plateau(metric="val_loss", mode="min", factor=0.7, patience=1)
    policy = Policy(Linear(STEPS + 10), [plateau, Guard()])
    with Path(log).open("w", encoding="utf-8") as file:

        def write(tick: Tick) -> None:
            file.write(json.dumps(_plain(tick)) + "\n")
            file.flush()

        outcome = run(
            training,
            policy,
            STEPS,
            [write],
            evaluate_every=10,
            ring=Ring(every=10, keep=3),
            checkpoints=folder,
            every=EVERY,
        )
        weights = [each.tolist() for each in training.model.state_dict().values()]
        file.write(json.dumps({"outcome": repr(outcome), "weights": weights}) + "\n")


def _plain(tick: Tick) -> dict[str, Any]:
    return {
        "position": tick.position,
        "quantities": dict(tick.quantities),
        "metrics": dict(tick.metrics),
        "decisions": [repr(each) for each in tick.decisions],
    }


# ------------------------------------------------------------------ the kills


class _Server:
    """A process that has torch loaded and warm, and forks the training processes."""

    def __init__(self, folder: Path) -> None:
        self._here, theirs = multiprocessing.Pipe()
        context = multiprocessing.get_context("spawn")
        self._process = context.Process(target=_serve, args=(theirs, str(folder)))
        self._process.start()
        theirs.close()

    def life(self, folder: Path, log: Path, seconds: float | None) -> bool:
        """Run one process, killed after ``seconds``; whether it came to its end."""
        self._here.send((str(folder), str(log), seconds))
        ended: bool = self._here.recv()
        return ended

    def close(self) -> None:
        self._here.close()
        self._process.join()


def _serve(asked: Connection, folder: str) -> None:
    _train(f"{folder}/warm", f"{folder}/warm.log")
    while True:
        try:
            where, log, seconds = asked.recv()
        except EOFError:
            return
        asked.send(_life(where, log, seconds))


def _life(folder: str, log: str, seconds: float | None) -> bool:
    alive, theirs = os.pipe()  # closed when the process is gone
    process = os.fork()
    if process == 0:
        try:
            _train(folder, log)
            os._exit(0)
        finally:
            traceback.print_exc()
            os._exit(1)
    os.close(theirs)
    gone, _, _ = select.select([alive], [], [], seconds)
    if not gone:
        os.kill(process, signal.SIGKILL)
    os.close(alive)
    status = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
    assert status in (0, -signal.SIGKILL), f"a training process ended with {status}"
    return status == 0


def check_kills(folder: Path, kills: int, seed: int) -> int:
    """Kill runs ``kills`` times, and compare each with the one that was not interrupted.

    Args:
        folder: An empty one.
        kills: How often.
        seed: Of the moments.

    Returns:
        How many runs were ended, each after one or more kills.

    Raises:
        AssertionError: A run that was killed went another way.
    """
    server, chance = _Server(folder), random.Random(seed)
    server.life(folder / "first", folder / "first.log", None)
    began = time.perf_counter()
    assert server.life(folder / "straight", folder / "straight.log", None)
    whole = time.perf_counter() - began
    straight = _lines(folder / "straight.log")
    assert straight == _lines(folder / "first.log"), "the training itself is not deterministic"
    done, runs = 0, 0
    while done < kills:
        reached = 0
        for life in range(1, 10_000):
            log = folder / f"{runs}-{life}.log"
            seconds = chance.uniform(0, whole) if done < kills else None
            ended = server.life(folder / str(runs), log, seconds)
            done += not ended
            reached = _follows(straight, _lines(log), reached)
            if ended:
                assert reached == len(straight)
                break
        runs += 1
    server.close()
    return runs


def _follows(straight: Sequence[Any], lines: Sequence[Any], reached: int) -> int:
    """Check that ``lines`` are a stretch of ``straight`` that leaves no gap; returns its end."""
    if not lines:
        return reached
    starts = [
        index
        for index in range(reached + 1)
        if list(straight[index : index + len(lines)]) == list(lines)
    ]
    assert starts, f"after {reached} ticks the resumed run is another: {lines[0]}"
    return max(reached, starts[-1] + len(lines))


def _lines(log: Path) -> Sequence[Any]:
    """The lines that were written whole; NaN as text, which is equal to itself."""
    if not log.exists():
        return []
    *whole, _ = log.read_text(encoding="utf-8").split("\n")
    return [json.loads(line, parse_constant=str) for line in whole]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.kill", description=__doc__)
    parser.add_argument("--kills", type=int, default=200)
    given = parser.parse_args()
    console, portion = Console(stderr=True), 20
    runs = 0
    for seed in track(range(math.ceil(given.kills / portion)), "20 kills each", console=console):
        with tempfile.TemporaryDirectory() as folder:
            runs += check_kills(Path(folder), min(portion, given.kills - seed * portion), seed)
    print(f"{given.kills} kills; all {runs} runs ended as the one that was not interrupted.")


if __name__ == "__main__":
    main()
