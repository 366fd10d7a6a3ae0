"""Trainings that go wrong at a random moment, with a guard and with less: ``make bench-rescue``.

Three tasks, five seeds each, ten things that go wrong, four ways to meet them. Finished runs are
kept in ``.benchmarks/rescue.jsonl``; the table in ``docs/en/rescue.md`` is written from them.
"""

import argparse
import math
import random
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.progress import track
from torch import Tensor

from benchmarks.auto.runs import Runs
from benchmarks.auto.table import between_marks
from benchmarks.auto.task import Batch, Parts, Task
from benchmarks.auto.tasks import TASKS as ALL_TASKS
from stepsize import Constant, Hold, Linear, Policy, Schedule
from stepsize.controllers import Guard
from stepsize.torch import TorchTraining
from stepsize.training import run

__all__ = ["main"]

TASKS = [
    ALL_TASKS[name]
    for name in ("digits CNN, SGD", "word vectors, Adam", "digits autoencoder, Adam")
]
SEEDS = range(5)
METHODS = ("Guard", "no guard", "clip at 1", "skip on NaN")
NEAR = 1.03
_CACHE = Path(".benchmarks/rescue.jsonl")
_PAGE = Path("docs/en/rescue.md")


# ------------------------------------------------------------------ what goes wrong


@dataclass(frozen=True)
class Fault:
    """Something that goes wrong.

    Args:
        name: What the table calls it.
        rate: By what the rate is too high.
        lasts: From the moment on, how many batches are changed by ``spoil``.
        spoil: Changes a batch, which has its weight in the loss at its end.
        gradient: What the gradient of one backward pass is multiplied by.
        state: What the optimizer's first moments are multiplied by, once.
        from_start: The moment is the first step.
        left_out: The data do not have these batches: no fault, but a measure of chance.
        moment_of: Another fault, whose random moment this one shares.
    """

    name: str
    rate: float = 1
    lasts: int = 0
    spoil: Callable[[Batch, random.Random], Batch] | None = None
    gradient: float = 1
    state: float = 1
    from_start: bool = False
    left_out: bool = False
    moment_of: str = ""


def _with_nan(batch: Batch, chance: random.Random) -> Batch:
    first, *rest = batch
    if first.is_floating_point():
        first = first.clone()
        first[0] = math.nan
    return first, *rest[:-1], rest[-1] * math.nan


def _shuffled(batch: Batch, chance: random.Random) -> Batch:
    first, *middle, weight = batch
    order = torch.randperm(len(first), generator=_generator(chance))
    if not middle:  # an autoencoder's target is its input
        return first[:, :, :, torch.randperm(first.shape[-1], generator=_generator(chance))], weight
    return first, *(each[order] for each in middle), weight


def _corrupted(batch: Batch, chance: random.Random) -> Batch:
    first, *middle, weight = batch
    if first.is_floating_point():
        return _shuffled((first * 100, *middle, weight), chance)
    return _shuffled((first, *middle, weight * 100), chance)


def _generator(chance: random.Random) -> torch.Generator:
    return torch.Generator().manual_seed(chance.randrange(2**31))


FAULTS = (
    Fault("nothing"),
    Fault("rate 30×, from the start", rate=30, from_start=True),
    Fault("rate 300×, from the start", rate=300, from_start=True),
    Fault("rate 30×, from a step on", rate=30),
    Fault("rate 300×, from a step on", rate=300),
    Fault("a batch with NaN", lasts=1, spoil=_with_nan),
    Fault("the same batch left out", lasts=1, left_out=True, moment_of="a batch with NaN"),
    Fault("40 batches with shuffled labels", lasts=40, spoil=_shuffled),
    Fault("a corrupted batch", lasts=1, spoil=_corrupted),
    Fault("gradient × 10,000 once", gradient=1e4),
    Fault("optimizer state × 1,000", state=1e3),
)


def _moment(task: Task, fault: Fault, seed: int) -> int:
    if fault.from_start:
        return 0
    return random.Random(f"{task.name} {fault.moment_of or fault.name} {seed}").randrange(
        20, int(0.7 * task.steps)
    )


def _spoiled(parts: Parts, fault: Fault, at: int) -> Parts:
    """The same data, with some batches changed; each gets its weight in the loss at its end."""
    per_epoch = sum(1 for _ in parts.batches(0))

    def batches(epoch: int) -> Iterator[Batch]:
        for index, batch in enumerate(parts.batches(epoch)):
            number = epoch * per_epoch + index
            if fault.left_out and number == at:
                continue
            weighted = (*batch, torch.ones(()))
            if fault.spoil is not None and at <= number < at + fault.lasts:
                weighted = fault.spoil(weighted, random.Random(number))
            yield weighted

    def loss(model: Any, batch: Batch) -> Tensor:
        return parts.loss(model, batch[:-1]) * batch[-1]

    return replace(parts, batches=batches, loss=loss)


class _Once:
    """Does something to a training at one of its optimizer steps, counted as they are taken."""

    def __init__(self, training: TorchTraining, fault: Fault, at: int) -> None:
        self._calls = 0
        self._fault = fault
        self._at = at
        if fault.gradient != 1:
            for parameter in training.model.parameters():
                if parameter.requires_grad:
                    parameter.register_hook(self._explode)
        training.optimizer.register_step_post_hook(self._after_step)

    def _explode(self, gradient: Tensor) -> Tensor:
        return gradient * self._fault.gradient if self._calls == self._at else gradient

    def _after_step(self, optimizer: torch.optim.Optimizer, *_: object) -> None:
        if self._calls == self._at and self._fault.state != 1:
            for state in optimizer.state.values():
                for name in ("momentum_buffer", "exp_avg"):
                    if name in state:
                        state[name].mul_(self._fault.state)
        self._calls += 1


# ------------------------------------------------------------------ how it is met


def _skip_on_nan(optimizer: torch.optim.Optimizer, *_: object) -> None:
    gradients = [
        each.grad
        for group in optimizer.param_groups
        for each in group["params"]
        if each.grad is not None
    ]
    if not all(bool(torch.isfinite(each).all()) for each in gradients):
        optimizer.zero_grad(set_to_none=True)


def _planned(task: Task, fault: Fault, at: int) -> Schedule:
    warmup = task.steps // 20
    plan = Linear(warmup + 1, end=1, start=0).skip(1) >> Linear(task.steps - warmup)
    wrong = Constant(fault.rate) if at == 0 else Hold(at) >> Constant(fault.rate)
    return plan * wrong if fault.rate != 1 else plan


def _run(task: Task, fault: Fault, method: str, seed: int) -> dict[str, Any]:
    at = _moment(task, fault, seed)
    spoiled = replace(task, parts=lambda each: _spoiled(task.parts(each), fault, at))
    clip = 1.0 if method == "clip at 1" else None
    clipped = replace(spoiled, parts=lambda each: replace(spoiled.parts(each), clip=clip))
    started = clipped.start(seed, _at_rate(task))
    training = started.training
    _Once(training, fault, at)
    if method == "skip on NaN":
        training.optimizer.register_step_pre_hook(_skip_on_nan)
    plan = _planned(task, fault, at)
    policy = Policy(plan, [Guard()] if method == "Guard" else [])
    outcome = run(training, policy, task.steps)
    loss = started.judge()
    return {
        "loss": loss if math.isfinite(loss) else None,
        "at": at,
        "steps": outcome.steps,
        "decisions": [
            [position, type(each).__name__, each.reason] for position, each in outcome.decisions
        ],
    }


def _at_rate(task: Task) -> Callable[[list[dict[str, Any]]], torch.optim.Optimizer]:
    def make(groups: list[dict[str, Any]]) -> torch.optim.Optimizer:
        optimizer = task.optimizer(groups)
        for group in optimizer.param_groups:
            group["lr"] = task.guess
        return optimizer

    return make


# ------------------------------------------------------------------ what it costs


def _overhead() -> dict[str, float]:
    """Processor time of steps, side by side, divided by that of a run without a guard."""

    def steps(guards: Sequence[Guard]) -> Callable[[], float]:
        training = TASKS[0].start(0, _at_rate(TASKS[0])).training

        def spent() -> float:
            began = time.process_time()
            run(training, Policy(Constant(0.1), guards), 100)
            return time.process_time() - began

        return spent

    contenders = {"without": steps([]), "with": steps([Guard()]), "without again": steps([])}
    rounds = [{name: spent() for name, spent in contenders.items()} for _ in range(41)]
    return {
        name: statistics.median(each[name] / each["without"] for each in rounds)
        for name in contenders
    }


# ------------------------------------------------------------------ the table


def _key(task: Task, fault: Fault, method: str, seed: int) -> dict[str, Any]:
    return {"task": task.name, "fault": fault.name, "method": method, "seed": seed}


def _finished(runs: Runs) -> Sequence[int]:
    """The seeds all of whose runs are known."""
    return [
        seed
        for seed in SEEDS
        if all(runs.get(_key(t, f, m, seed)) for t, f, m in product(TASKS, FAULTS, METHODS))
    ]


def _ratios(runs: Runs, fault: Fault, method: str, seeds: Sequence[int]) -> list[float]:
    """The losses, each divided by that of the clean run under the same method."""
    ratios: list[float] = []
    for task, seed in product(TASKS, seeds):
        ended = runs.get(_key(task, fault, method, seed))
        clean = runs.get(_key(task, FAULTS[0], method, seed))
        assert ended is not None
        assert clean is not None  # the seeds are finished
        ratios.append(math.inf if ended["loss"] is None else ended["loss"] / clean["loss"])
    return ratios


def _cell(ratios: Sequence[float]) -> str:
    finite = sum(map(math.isfinite, ratios))
    near = sum(each <= NEAR for each in ratios)
    middle = statistics.median(ratios)
    shown = "not finite" if math.isinf(middle) else f"×{middle:.3g}"
    return f"{finite}, **{near}**, {shown}"


def _account(runs: Runs) -> str:
    seeds = _finished(runs)
    if not seeds:
        return "No seed is finished: `make bench-rescue` goes on where it was stopped.\n"
    count = len(TASKS) * len(seeds)
    lines = [
        f"Of {count} runs ({len(TASKS)} tasks, {len(seeds)} seeds): how many ended finite, how "
        f"many **within {NEAR - 1:.0%} of the clean run's loss**, and the median ratio to it.",
        "",
        f"| what goes wrong | {' | '.join(METHODS)} |",
        f"|---|{'---|' * len(METHODS)}",
    ]
    for fault in FAULTS:
        cells = " | ".join(_cell(_ratios(runs, fault, method, seeds)) for method in METHODS)
        lines.append(f"| {fault.name} | {cells} |")
    pairs = [
        [runs.get(_key(task, FAULTS[0], method, seed)) for method in ("Guard", "no guard")]
        for task, seed in product(TASKS, seeds)
    ]
    same = sum(guarded == alone for guarded, alone in pairs)
    cost = runs.once({"step time": "Guard"}, _overhead)
    lines += [
        "",
        f"Of the {count} clean runs, {same} end in the very same loss with the guard and without.",
        f"A step of the small CNN takes {cost['with']:.3f} times as long with the guard and its "
        f"snapshots (a second run without: {cost['without again']:.3f}).",
    ]
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.rescue", description=__doc__)
    parser.add_argument("--cache", type=Path, default=_CACHE)
    parser.add_argument("--seeds", nargs="+", type=int, default=SEEDS)
    given = parser.parse_args()
    torch.set_num_threads(1)
    runs = Runs(given.cache)
    for seed in track(given.seeds, "rescue, seeds", console=Console(stderr=True)):
        for method, fault, task in product(METHODS, FAULTS, TASKS):
            _once(runs, task, fault, method, seed)
    page = _PAGE.read_text(encoding="utf-8")
    _PAGE.write_text(between_marks(page, _account(runs)), encoding="utf-8")


def _once(runs: Runs, task: Task, fault: Fault, method: str, seed: int) -> None:
    alone = runs.get(_key(task, fault, "no guard", seed))
    if method == "skip on NaN" and alone is not None and alone["loss"] is not None:
        # Gradients of NaN would have stayed: there were none, and nothing was skipped.
        runs.once(_key(task, fault, method, seed), lambda: alone)
    else:
        runs.once(_key(task, fault, method, seed), lambda: _run(task, fault, method, seed))


if __name__ == "__main__":
    main()
