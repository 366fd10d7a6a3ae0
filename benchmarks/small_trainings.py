"""Loss curves of the benchmark's small trainings, at right rates and at wrong ones.

Each curve has the training loss of every step and the loss that its task is judged by, so that
what becomes of a run is known from elsewhere than the curve. Finished runs are kept in a file.
"""

import argparse
import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.auto.runs import Runs
from benchmarks.auto.tasks import TASKS
from stepsize import Constant, Schedule, linear_to_zero, wsd

__all__ = ["DESIGN_SEEDS", "JUDGING_SEEDS", "SmallTraining", "small_trainings"]

DESIGN_SEEDS: Final = (1, 2)
JUDGING_SEEDS: Final = (201, 202)
FACTORS: Final = (0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0)
SHAPES: Final[Mapping[str, Callable[[int], Schedule]]] = {
    "linear": lambda steps: linear_to_zero(steps, warmup=max(1, round(0.05 * steps))),
    "wsd": lambda steps: wsd(
        steps, warmup=max(1, round(0.05 * steps)), cooldown=round(0.2 * steps)
    ),
    "without warmup": lambda steps: Constant(),
}
_CACHE: Final = Path(".benchmarks/small_trainings.jsonl")
_REFERENCE: Final = Path(__file__).parent / "auto" / "reference.json"


@dataclass(frozen=True)
class SmallTraining:
    """One curve, and what became of the run.

    Args:
        task: The task's name.
        shape: The schedule's name.
        factor: The rate, in multiples of the tuned one.
        seed: Of the weights and the data's order.
        losses: The training loss of each step; shape (steps,).
        judged: The loss that the task is judged by, at the end.
        untrained: The same before the first step.
        tuned: The same of the tuned run.
    """

    task: str
    shape: str
    factor: float
    seed: int
    losses: NDArray[np.float64]
    judged: float
    untrained: float
    tuned: float

    @property
    def kept(self) -> float:
        """The part of the tuned run's progress that it made; below 0 it got worse."""
        return (self.untrained - self.judged) / (self.untrained - self.tuned)


def small_trainings(
    seeds: Sequence[int],
    tasks: Sequence[str] = tuple(TASKS),
    shapes: Sequence[str] = tuple(SHAPES),
    factors: Sequence[float] = FACTORS,
    cache: Path = _CACHE,
) -> Iterator[SmallTraining]:
    """Every curve asked for; what is not in the file yet is trained."""
    reference = json.loads(_REFERENCE.read_text(encoding="utf-8"))["tasks"]
    runs = Runs(cache)
    for task, seed, shape, factor in product(tasks, seeds, shapes, factors):
        tuned = reference[task]["tuned"]
        key = {"task": task, "shape": shape, "factor": factor, "seed": seed}
        train = partial(_train, task, shape, factor * tuned["rate"], seed)
        found = runs.once(key, train)
        yield SmallTraining(
            task,
            shape,
            factor,
            seed,
            losses=np.array([math.nan if each is None else each for each in found["losses"]]),
            judged=math.inf if found["judged"] is None else found["judged"],
            untrained=found["untrained"],
            tuned=float(np.mean(list(tuned["losses"].values()))),
        )


def _train(task: str, shape: str, rate: float, seed: int) -> dict[str, Any]:
    started = TASKS[task].start(seed)
    steps = TASKS[task].steps
    groups = started.training.groups
    untrained = started.judge()
    largest = max(group.base for group in groups)
    schedule = SHAPES[shape](steps) * (rate / largest)
    losses: list[float | None] = []
    for value in schedule.values(steps).tolist():
        loss = started.training.step({"lr": [value] * len(groups)}).metrics["loss"]
        losses.append(float(f"{loss:.6g}") if math.isfinite(loss) else None)
        if not math.isfinite(loss):
            break
    judged = started.judge()
    return {
        "losses": losses,
        "judged": judged if math.isfinite(judged) else None,
        "untrained": untrained,
    }


def main() -> None:
    """Train what is missing."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.small_trainings")
    parser.add_argument("--seeds", nargs="+", type=int, default=DESIGN_SEEDS)
    torch.set_num_threads(1)
    count = sum(1 for _ in small_trainings(parser.parse_args().seeds))
    print(f"{count} curves in {_CACHE}")


if __name__ == "__main__":
    main()
