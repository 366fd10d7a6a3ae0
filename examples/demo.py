"""The main job on real data: find a rate, plan, train; against two ways of doing without.

    make demo

First ``stepsize run`` as a user types it. Then the same over five seeds beside a constant rate
(the one in the file) and the step decay of the articles (rate 0.1, halved every ten epochs), all
with the same number of steps and all recorded in one file. Numbers are printed as they come out,
and the last line says how the found plan stands beside the step decay.
"""

import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from digits import training
from rich.console import Console
from rich.table import Table

from stepsize import Constant, Schedule, Step
from stepsize.find import recommend
from stepsize.plot import plot_run, save
from stepsize.record import Recorder, Run, read_runs
from stepsize.torch import TorchTraining
from stepsize.training import run

STEPS = 600
SEEDS = range(5)
RATE_IN_FILE = 0.01
BATCHES_PER_EPOCH = 21
OUTPUT = Path("build/demo")
RUNS = OUTPUT / "runs.db"
LAST = 20


def found(fresh: TorchTraining) -> Schedule:
    return recommend(fresh, STEPS).schedule


def constant(fresh: TorchTraining) -> Schedule:
    return Constant()


def step_decay(fresh: TorchTraining) -> Schedule:
    return Step(10 * BATCHES_PER_EPOCH, 0.5) * (0.1 / RATE_IN_FILE)


PLANS = {"found and planned": found, "constant 0.01": constant, "step decay from 0.1": step_decay}


def train_all() -> None:
    for name, plan in PLANS.items():
        for seed in SEEDS:
            began = time.perf_counter()
            fresh = training(seed)
            schedule = plan(fresh)
            with Recorder(
                RUNS, name=name, config={"seed": seed, "schedule": repr(schedule)}
            ) as sink:
                outcome = run(fresh, schedule, STEPS, [sink])
                seconds = time.perf_counter() - began
                sink.finish("finished", {**outcome.metrics, "seconds": seconds})


def table(runs: dict[str, list[Run]]) -> Table:
    shown = Table("", "final loss", "val loss", "accuracy", "best rate", "seconds")
    shown.title = f"{STEPS} steps, mean ± standard deviation over {len(SEEDS)} seeds"
    for name, each in runs.items():
        losses = [float(np.mean(one["loss"].values[-LAST:])) for one in each]
        columns = [
            losses,
            *([one.summary[key] for one in each] for key in ("val_loss", "accuracy")),
        ]
        rates = [float(one["lr"].values.max()) for one in each]
        seconds = statistics.mean(one.summary["seconds"] for one in each)
        cells = [f"{statistics.mean(c):.3f} ± {statistics.stdev(c):.3f}" for c in columns]
        spread = f"{min(rates):.3g}" + (f" to {max(rates):.3g}" if len(set(rates)) > 1 else "")
        shown.add_row(name, *cells, spread, f"{seconds:.1f}")
    return shown


def verdict(runs: dict[str, list[Run]]) -> str:
    """How the found plan stands beside the step decay, seed by seed."""
    ended = {
        name: np.array([one.summary["val_loss"] for one in each]) for name, each in runs.items()
    }
    difference = ended["found and planned"] - ended["step decay from 0.1"]
    mean, spread = float(difference.mean()), float(difference.std(ddof=1))
    said = f"{abs(mean):.3f} {'above' if mean > 0 else 'below'} the step decay's"
    return (
        f"The found plan's validation loss is {said}, mean of {len(SEEDS)} seeds; the difference "
        f"varies by {spread:.3f} from seed to seed."
    )


def main() -> None:
    shutil.rmtree(OUTPUT, ignore_errors=True)
    OUTPUT.mkdir(parents=True)
    command = ["stepsize", "run", "examples/digits.py", "--steps", str(STEPS)]
    command += ["--record", str(RUNS), "--plot", str(OUTPUT / "run.png")]
    print("$", *command, flush=True)
    subprocess.run([sys.executable, "-m", "stepsize.cli", *command[1:]], check=True)

    console = Console()
    console.print(f"\nBeside it, over {len(SEEDS)} seeds each:")
    train_all()
    recorded = read_runs(RUNS)
    runs = {name: [one for one in recorded if one.name == name] for name in PLANS}
    console.print(table(runs))
    first = {name: each[0] for name, each in runs.items()}
    picture = plot_run(
        {name: (one["lr"].positions, one["lr"].values) for name, one in first.items()},
        {name: (one["loss"].positions, one["loss"].values) for name, one in first.items()},
    )
    save(picture, OUTPUT / "compared.png")
    console.print(f"All runs: {RUNS} (stepsize runs {RUNS})\nPicture:  {OUTPUT / 'compared.png'}")
    console.print(verdict(runs))


if __name__ == "__main__":
    main()
