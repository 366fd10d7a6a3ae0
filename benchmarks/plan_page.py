"""Write docs/en/plan.md and its pictures: ``make bench-plan``."""

import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from statistics import mean
from typing import Final

import numpy as np

from benchmarks.plan import (
    BASE_STEPS,
    RACES,
    Parabola,
    Transferred,
    extensions,
    gaps_and_losses,
    priors,
    race,
    rank_correlation,
    transferred,
)
from benchmarks.published_curves import Cell, Losses, cells, constant_runs, curves_folder
from stepsize import wsd
from stepsize.plot import plot_curves, save

__all__ = ["main"]

_DOCS: Final = Path(__file__).parent.parent / "docs"

_INTRODUCTION: Final = """\
# Planning, checked on published runs

What `stepsize.plan` recommends, replayed on trainings whose final losses are known: a 124M Llama
on SlimPajama, run at up to five peak rates under eleven schedules and four horizons (Schaipp et al.
2025, [arXiv 2501.18965](https://arxiv.org/abs/2501.18965); the data are in
[fabian-sp/lr-scheduling](https://github.com/fabian-sp/lr-scheduling), MIT). A *cell* is one
schedule over one horizon. Its best rate is the minimum of the parabola over log rate through its
three lowest losses, and the *regret* of another rate is what that parabola rises by, in nats. One
evaluation is uncertain by about 0.003 nats.

`make bench-plan` regenerates this page and its pictures; `STEPSIZE_CURVES` names the folder with
the data. It is one model on one data set: the numbers say that the rules work there, not that they
always do. They are no held-out test either: the exponents, the horizon at which two schedules are
compared, the factor of 1.25 in the intervals and the default cooldown were chosen with these cells
in view.
"""

_TRANSFER: Final = """
## In code

```python
from stepsize import linear_to_zero, wsd
from stepsize.plan import bound, extension, plan_run, rank, transfer

tuned, planned = wsd(25_000, warmup=300, cooldown=5_000), linear_to_zero(100_000, warmup=300)
print(transfer(1e-3, from_=(tuned, 25_000), to=(planned, 100_000)))  # rate, interval, reason
print(extension(tuned, at=20_000, new_total=50_000))  # a lower rate from here, or a longer cooldown
print(plan_run(3e-4, "AdamW", 10_000, beta2=0.95))  # peak, warmup and cooldown, each with a reason
print(rank([linear_to_zero(1_000), wsd(1_000, warmup=20, cooldown=200)], 1_000))
assert bound(linear_to_zero(100_000), 100_000).gap > 0  # terms, best rate and gap of the bound
```

## A tuned rate, transferred

The rate is tuned once, under a linear cooldown over 20 % of 25,000 steps, and carried over to every
other cell by `transfer`. For a change of the horizon its default leaves the rate alone, since other
laboratories' runs show exponents on both sides of 0; this model shows 0.2, and both are below.
With 0.2, {inside} of the {count} best rates lie inside the interval that comes with the transferred
one; by default, {inside_by_default}.

![Best and transferred rates over the length of the cooldown](../images/plan_transfer.png)
"""

_CONSTANT: Final = """
One cell is left out of these figures: a rate that stays constant for 50,000 steps, with no decay at
the end. There the bound is too optimistic: it asks for {ratio:.1f} × the best rate, at a regret of
{regret:.4f} (keeping the rate would cost {kept:.4f}). Do not transfer *to* a schedule without a
decay.
"""

_RACE: Final = """
## A race, then the transfer

The five constant rates are compared after a few thousand steps of the published constant runs, and
the parabola's minimum is transferred to every cell with an exponent of 0.25. The horizons are up to
25 times as long as the race. The exponent matters at such distances: with 0.2 the mean regret of
all is {mean:.4f} and the largest {largest:.4f}.

![Mean and largest regret over the length of the race](../images/plan_race.png)
"""

_EXTENSION: Final = """
## A run made longer

The planned run holds its rate and cools down linearly over the last 20 %. `extension` makes it
longer; the published runs used the multipliers 0.525 and 0.375. The longer cooldown is the better
way: published runs of twice the length ended at 2.868 nats unchanged, 2.862 with the lower rate and
2.852 with a cooldown over 60 % (124M parameters), and at 2.759, 2.750 and 2.738 (210M).

![The planned run and the two ways to twice its length](../images/plan_extension.png)
"""

_RANKING: Final = """
## Schedules, ranked before they are run

The bound's gap Ω\\* against the lowest loss of each cell. Over all horizons the order is nearly
right, mostly because longer runs end lower; within one horizon the gaps differ by little, and
neighbours change places.
"""

_COOLDOWN: Final = """
## How long the cooldown should be

The lowest loss of each cell with a linear cooldown to zero. The default plan cools down over 70 %
of the run: 60 % and 80 % are within 0.005 nats of the best length at every horizon.
"""

_PRIORS: Final = """
## Priors

What the laws over model and data size say of the same model under cosine to zero over 50,000 steps,
where the best rate is {best:.2g}. Both are places to start from, and no more.
"""


def main() -> None:
    """Write the page."""
    folder = curves_folder()
    if folder is None:
        sys.exit("benchmarks.plan_page: STEPSIZE_CURVES names no folder with the published curves.")
    every = cells(folder)
    found = [cell for cell in every if cell.shape != "constant"]
    runs = constant_runs(folder)
    carried, by_default = transferred(found), transferred(found, exponent=0)
    constant = next(each for each in transferred(every) if each.cell.shape == "constant")
    races = {steps: race(found, runs[steps], steps) for steps in RACES}
    _draw_transfer(carried)
    _draw_race(races)
    _draw_extension()
    parts = [
        _INTRODUCTION,
        _TRANSFER.format(
            inside=_inside(carried),
            inside_by_default=_inside(by_default),
            count=len(carried),
        ),
        _summary_table({"exponent 0.2": carried, "exponent 0, the default": by_default}),
        _CONSTANT.format(
            ratio=constant.rate.value / constant.best, regret=constant.regret, kept=constant.kept
        ),
        _cells_table(carried),
        _race_section(found, runs),
        _summary_table({f"{steps:,} steps": each for steps, each in races.items()}),
        _EXTENSION,
        _extension_table(),
        _RANKING,
        _ranking_table(found),
        _COOLDOWN,
        _cooldown_table(found),
        _priors_section(found),
    ]
    page = _DOCS / "en" / "plan.md"
    page.parent.mkdir(parents=True, exist_ok=True)
    page.write_text("".join(parts), encoding="utf-8")
    print(f"wrote {page}")


# ------------------------------------------------------------------ tables


def _inside(carried: list[Transferred]) -> int:
    return sum(each.rate.low <= each.best <= each.rate.high for each in carried)


def _race_section(found: list[Cell], runs: dict[int, Losses]) -> str:
    regrets = [
        each.regret for steps in RACES for each in race(found, runs[steps], steps, exponent=0.2)
    ]
    return _RACE.format(mean=mean(regrets), largest=max(regrets))


def _table(head: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    rule = ["---", *("---:" for _ in head[1:])]
    return "\n" + "\n".join(f"| {' | '.join(line)} |" for line in (head, rule, *lines)) + "\n"


def _summary_table(carried: dict[str, list[Transferred]]) -> str:
    head = ["", "cells", "mean regret", "largest", "kept: mean regret", "largest"]
    lines: list[list[str]] = []
    for name, each in carried.items():
        regrets, kept = [one.regret for one in each], [one.kept for one in each]
        numbers = (mean(regrets), max(regrets), mean(kept), max(kept))
        lines.append([name, f"{len(each)}", *(f"{number:.4f}" for number in numbers)])
    if len(carried) > 2:
        regrets = [one.regret for each in carried.values() for one in each]
        kept = [one.kept for each in carried.values() for one in each]
        numbers = (mean(regrets), max(regrets), mean(kept), max(kept))
        lines.append(["all", f"{len(regrets)}", *(f"**{number:.4f}**" for number in numbers)])
    return _table(head, lines)


def _cells_table(carried: list[Transferred]) -> str:
    return _table(
        ["schedule", "steps", "best rate", "transferred", "interval", "regret", "kept"],
        (
            [
                each.cell.shape,
                f"{each.cell.steps:,}",
                f"{each.best:.5f}",
                f"{each.rate.value:.5f}",
                f"{each.rate.low:.5f} to {each.rate.high:.5f}",
                f"{each.regret:.4f}",
                f"{each.kept:.4f}",
            ]
            for each in carried
        ),
    )


def _extension_table() -> str:
    lines: list[list[str]] = []
    for times, longer in extensions().items():
        share = f"{longer.cooldown.value / times / BASE_STEPS:.3f}"
        if not longer.is_derived:
            share += ", the longest that is left"
        lines.append([f"{times} ×", f"{longer.multiplier.value:.3f}", share])
    return _table(["length", "multiplier", "or cooldown, part of the run"], lines)


def _ranking_table(found: list[Cell]) -> str:
    by_steps = gaps_and_losses(found)
    gaps = [gap for each, _ in by_steps.values() for gap in each]
    losses = [loss for _, each in by_steps.values() for loss in each]
    lines = [
        [f"{steps:,} steps", f"{len(each[0])}", f"{rank_correlation(*each):.2f}", _linear(*each)]
        for steps, each in sorted(by_steps.items())
    ]
    lines.append(
        ["all", f"{len(gaps)}", f"{rank_correlation(gaps, losses):.2f}", _linear(gaps, losses)]
    )
    return _table(["horizon", "cells", "rank correlation", "linear correlation"], lines)


def _linear(a: Sequence[float], b: Sequence[float]) -> str:
    return f"{float(np.corrcoef(a, b)[0, 1]):.3f}"


def _cooldown_table(found: list[Cell]) -> str:
    lowest = _linear_cooldowns(found)
    horizons = sorted({steps for _, steps in lowest})
    lines: list[list[str]] = []
    for share in sorted({share for share, _ in lowest}):
        curves = [lowest.get((share, steps)) for steps in horizons]
        losses = ["" if curve is None else f"{curve.lowest:.3f}" for curve in curves]
        lines.append([f"{share:g} %", *losses])
    return _table(["cooldown", *(f"{steps:,} steps" for steps in horizons)], lines)


def _linear_cooldowns(found: list[Cell]) -> dict[tuple[float, int], Parabola]:
    return {
        (float(cell.shape.split()[1]), cell.steps): Parabola.through_the_lowest(cell.losses)
        for cell in found
        if cell.shape.startswith("linear")
    }


def _priors_section(found: list[Cell]) -> str:
    best, said = priors(found)
    lines = [
        [
            f"`{name}`",
            f"{each.value:.2g}",
            f"{each.low:.2g} to {each.high:.2g}",
            f"× {each.value / best:.2g}",
        ]
        for name, each in said.items()
    ]
    return _PRIORS.format(best=best) + _table(["law", "rate", "interval", "over the best"], lines)


# ------------------------------------------------------------------ pictures


def _draw_transfer(carried: list[Transferred]) -> None:
    by_place = {(each.cell.shape, each.cell.steps): each for each in carried}
    shares = (10, 20, 40, 60, 80, 90)
    curves: dict[str, np.ndarray] = {}
    for steps in (15_000, 50_000):
        row = [by_place[f"linear {share} %", steps] for share in shares]
        curves[f"best, {steps:,} steps"] = np.array([each.best for each in row])
        curves[f"transferred, {steps:,} steps"] = np.array([each.rate.value for each in row])
    axes = plot_curves(
        curves,
        positions=np.array(shares, dtype=np.float64),
        xlabel="linear cooldown, % of the run",
        ylabel="peak learning rate",
        title="one tuned rate (20 %, 25,000 steps), transferred",
    )
    _save(axes, "plan_transfer")


def _draw_race(races: dict[int, list[Transferred]]) -> None:
    curves = {
        "transferred: mean regret": [mean(one.regret for one in each) for each in races.values()],
        "transferred: largest": [max(one.regret for one in each) for each in races.values()],
        "the race's winner kept: mean regret": [
            mean(one.kept for one in each) for each in races.values()
        ],
        "kept: largest": [max(one.kept for one in each) for each in races.values()],
    }
    axes = plot_curves(
        {name: np.array(values) for name, values in curves.items()},
        positions=np.array(list(races), dtype=np.float64),
        log=True,
        xlabel="steps of the race",
        ylabel="regret, nats",
        title="a race of constant rates, its winner used for runs of 15,000 to 50,000 steps",
    )
    _save(axes, "plan_race")


def _draw_extension() -> None:
    longer = extensions()[2]
    steps = 2 * BASE_STEPS
    planned = wsd(BASE_STEPS, warmup=0, cooldown=BASE_STEPS // 5).values(steps)
    planned[BASE_STEPS:] = np.nan
    curves = {
        "planned": planned,
        "lower rate": longer.lowered.values(steps),
        "longer cooldown": longer.prolonged.values(steps),
    }
    axes = plot_curves(curves, ylabel="multiple of the peak rate", title="twice as long")
    _save(axes, "plan_extension")


def _save(axes: object, name: str) -> None:
    folder = _DOCS / "images"
    folder.mkdir(parents=True, exist_ok=True)
    save(axes, folder / f"{name}.png")  # pyright: ignore[reportArgumentType]  # matplotlib's Axes


if __name__ == "__main__":
    main()
