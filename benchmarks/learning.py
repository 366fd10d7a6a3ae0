"""Whether a loss is judged rightly: detection against false alarms.

``python -m benchmarks.learning`` prints the table.

Every row is real losses, or real losses into which something was put, or noise. What became of a
small training is known from the loss that its task is judged by, not from the curve.
"""

import argparse
import math
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from multiprocessing import Pool
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from benchmarks.faulty_logs import (
    climbing,
    healthy,
    jumping,
    training_runs,
    wandering,
    with_spike,
)
from benchmarks.published_curves import curves_folder
from benchmarks.small_trainings import DESIGN_SEEDS, JUDGING_SEEDS, SmallTraining, small_trainings
from stepsize.learning import Judge

__all__ = ["Row", "first_trouble", "main", "rows"]

Array: TypeAlias = NDArray[np.float64]
Rule: TypeAlias = Callable[[Array], int | None]
"""From the losses to the number of the first at which there is an alarm."""

_GAN: Final = "GAN"
_HEALTHY, _LOST = 0.75, 0.3  # the part of the tuned run's progress
_NOISES: Final = (1, 3, 10)
_CORRELATIONS: Final = (0.25, 0.5, 0.8)
_SHORTEST, _LONGEST = 30, 100_000
_LEAST_NOISE, _MOST_NOISE = 0.02, 0.3


@dataclass(frozen=True)
class Row:
    """A kind of losses, and how they are judged.

    Args:
        kind: What they are.
        alarms: The first alarm in each; None where there is none.
        onsets: Where the trouble begins in each; None in healthy ones.
    """

    kind: str
    alarms: Sequence[int | None]
    onsets: Sequence[int | None]

    @property
    def is_healthy(self) -> bool:
        return all(onset is None for onset in self.onsets)

    @property
    def alarmed(self) -> int:
        """How many had an alarm; in troubled ones, one that is not too early."""
        return sum(
            alarm is not None and (onset is None or alarm >= onset)
            for alarm, onset in zip(self.alarms, self.onsets, strict=True)
        )

    @property
    def delay(self) -> float:
        """The median number of observations from the onset to the alarm."""
        delays = [
            alarm - onset
            for alarm, onset in zip(self.alarms, self.onsets, strict=True)
            if alarm is not None and onset is not None and alarm >= onset
        ]
        return float(np.median(delays)) if delays else math.nan


def first_trouble(losses: Iterable[float], judge: Judge | None = None) -> int | None:
    """The number of the first loss after which ``judge`` finds trouble."""
    judge = judge or Judge()
    memory = judge.init()
    for number, loss in enumerate(losses):
        if not math.isfinite(loss):
            return number
        memory = judge.observe(memory, float(loss))
        if judge.trouble(memory) is not None:
            return number
    return None


# ------------------------------------------------------------------ the rows


def rows(rule: Rule, seeds: Sequence[int]) -> Iterator[Row]:
    """All rows but that of pure noise, which takes longest."""
    yield from _of_small_trainings(rule, list(small_trainings(seeds)))
    yield from _of_published_runs(rule)
    for correlation in _CORRELATIONS:
        logs = [wandering(seed, correlation) for seed in range(20)]
        yield _row(f"noise whose neighbours correlate by {correlation:g}", rule, logs)


def _of_small_trainings(rule: Rule, runs: Sequence[SmallTraining]) -> Iterator[Row]:
    sets: dict[str, Callable[[SmallTraining], bool]] = {
        "small trainings, at most the tuned rate, that learn": lambda run: run.factor <= 1,
        "small trainings, above the tuned rate, that learn": lambda run: run.factor > 1,
    }
    usual = [run for run in runs if _GAN not in run.task]
    for kind, belongs in sets.items():
        learning = [run.losses for run in usual if belongs(run) and run.kept > _HEALTHY]
        yield _row(kind, rule, learning)
    adversarial = [run.losses for run in runs if _GAN in run.task and run.kept > _HEALTHY]
    yield _row("GANs that learn", rule, adversarial)
    for least in (10, 100):
        lost = [
            run.losses
            for run in usual
            if least <= run.factor < 10 * least and run.kept < _LOST and run.shape != "wsd"
        ]
        kind = f"small trainings at {least} to {3 * least} times the tuned rate that are lost"
        yield _row(kind, rule, lost, [0] * len(lost))
    broken = [run.losses for run in runs if _GAN in run.task and run.kept < _LOST]
    yield _row("GANs that are lost", rule, broken, [0] * len(broken))


def _of_published_runs(rule: Rule) -> Iterator[Row]:
    folder = curves_folder()
    if folder is None:
        return
    runs = training_runs(folder)
    sound = [run for run in runs if not run.diverged]
    diverged = [run.losses for run in runs if run.diverged]
    yield _row("published runs that diverged", rule, diverged, [0] * len(diverged))
    for noise in _NOISES:
        samples = healthy(sound, noise)
        name = f"published, noise × {noise}"
        yield _row(f"{name}: as they are", rule, [each.losses for each in samples])
        faults = {"slow climb": climbing, "jump that stays": jumping, "spike": with_spike}
        for fault, put in faults.items():
            faulty = list(put(samples))
            yield _row(
                f"{name}: {fault}",
                rule,
                [each.losses for each in faulty],
                [each.onset for each in faulty],
            )


def _row(
    kind: str, rule: Rule, losses: Sequence[Array], onsets: Sequence[int | None] | None = None
) -> Row:
    return Row(kind, [rule(each) for each in losses], onsets or [None] * len(losses))


def noise_alarms(seeds: range, longest: int = _LONGEST, processes: int = 1) -> Row:
    """Independent noise of 2 to 30 % about a level, 30 to ``longest`` observations."""
    with Pool(processes) as pool:
        asked = [(seed, longest) for seed in seeds]
        alarms = pool.starmap(_noise_alarm, asked, chunksize=1)
    return Row(f"pure noise, {_SHORTEST} to {longest:,} losses", alarms, [None] * len(alarms))


def _noise_alarm(seed: int, longest: int) -> int | None:
    random = np.random.default_rng(seed)
    count = round(math.exp(random.uniform(math.log(_SHORTEST), math.log(longest))))
    noise = random.uniform(_LEAST_NOISE, _MOST_NOISE)
    return first_trouble(np.add(1, noise * random.standard_normal(count)).tolist())


# ------------------------------------------------------------------ the table


def table(found: Iterable[Row]) -> Iterator[str]:
    """Lines of Markdown."""
    yield "| losses | runs | false alarms | noticed | observations until then, median |"
    yield "| --- | ---: | ---: | ---: | ---: |"
    for row in found:
        count, share = len(row.alarms), f"{row.alarmed / max(1, len(row.alarms)):.0%}"
        if row.is_healthy:
            yield f"| {row.kind} | {count} | {row.alarmed} | | |"
        else:
            yield f"| {row.kind} | {count} | | {share} | {row.delay:.0f} |"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.learning", description=__doc__)
    parser.add_argument("--design", action="store_true", help="on the seeds of the design")
    parser.add_argument("--noise", type=int, metavar="N", default=1_000, help="seeds of pure noise")
    given = parser.parse_args()
    for line in table(rows(first_trouble, DESIGN_SEEDS if given.design else JUDGING_SEEDS)):
        print(line, flush=True)
    # Other seeds than those on which the constants were chosen.
    seeds = range(10_000, 10_000 + given.noise)
    *_, line = table([noise_alarms(seeds, processes=os.cpu_count() or 1)])
    print(line)


if __name__ == "__main__":
    main()
