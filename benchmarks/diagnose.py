"""Write docs/en/diagnose.md, how often the rules are right among it: ``make bench-diagnose``."""

import csv
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from benchmarks.faulty_trainings import trainings
from benchmarks.log_shapes import FAULTY, HEALTHY
from benchmarks.published_curves import curves_folder
from benchmarks.synthetic_runs import FAULTS, SyntheticRun, healthy_run, run_with
from stepsize.diagnose import RULES, Curve, RunRule, diagnosis, findings
from stepsize.logs import read_logs

__all__ = ["Judged", "generated", "main", "published", "sections", "shaped", "unjoined"]

_PAGE: Final = Path(__file__).parent.parent / "docs" / "en" / "diagnose.md"
_RUNS: Final = 100
# The thresholds were chosen with the runs of the seeds 0 to 39 in view.
_FIRST_SEED: Final = 1_000
_SEEDS: Final = range(10, 13)
_SHAPES: Final = 30
_FIRST_SHAPE: Final = 10_000

_INTRODUCTION: Final = """\
# Diagnosis: what was wrong with a run, and what to change

```sh
stepsize diagnose runs.db
stepsize diagnose outputs/checkpoint-500 --steps 10000
stepsize diagnose log.csv --loss score --steps-per-epoch 391 --json
stepsize diagnose train.log --follow
```

The first line says which column was taken for what, and what was looked for and not found:

```text
log.csv (CSV)
Training loss: 'train/loss'. Validation loss: none found. Rate: 'lr'. Positions: 'step', in steps.

diverged (certain), step 600 to 995
  The training loss is nan from step 600 to the end: 80 of 200 points.
  Go back to a checkpoint before step 600 and continue at 1e-4 instead of 0.001, ...
```

Each finding has a name, how sure it is, its stretch, one sentence for what was seen, one for what
to do, and where the advice comes from; the same finding on several runs of a file is one paragraph.
The exit code is 0 if nothing was found, 1 if something was, and 2 if a file could not be read or
holds no loss to examine: what was not examined is not called clean. `--loss NAME` names the column
then. `--ignore FINDING` silences a finding, `--follow` goes on reading a log that grows, `--json`
and `--csv` are for scripts. In Python:

```python
import numpy as np
from stepsize.diagnose import findings
from stepsize.logs import read_logs

step = np.arange(1_000)
rows = np.column_stack([step, np.where(step < 400, 0.1, 0.0), 3 / np.sqrt(1 + step)])
np.savetxt("log.csv", rows, delimiter=",", header="step,lr,loss", comments="")

[run] = read_logs("log.csv")
[finding] = findings(run, steps=1_000)
assert (finding.rule, finding.start, finding.end) == ("decay_ended_early", 399, 999)
assert ".over(1000)" in str(finding.remedy)
```

A finding is *certain* if its numbers leave no other reading; *likely* if it stands out of the
curve's own noise, though something else than the rate may be the cause; *possible* if it is worth a
look. A rule says nothing where its least evidence is missing. Where one finding is the cause of
others, only the cause is named. Of a run that may have gone on, such as that of a checkpoint, an
early end is *possible* at most. Advice is in the log's own unit: of a log that counts epochs,
`Linear(10).per_epoch(n)`.

## What it reads

| log | how it is told | curves |
|---|---|---|
| our run files | SQLite | quantities and metrics as recorded |
| tables: Lightning's and Keras' loggers, exports | a header; `,` `;` tab, bar, spaces | columns |
| W&B's export of a panel | columns `RUN - metric` | a run per group of columns |
| TensorBoard's export of a curve | `Wall time,Step,Value` | named by the file |
| JSON lines, JSON | objects per line or in a list, or an object of lists | names, nested with `/` |
| transformers' `trainer_state.json` | `log_history` | its entries; `max_steps` is the plan |
| printed text: nanoGPT, Megatron, Keras, … | lines such as `epoch 3 loss 0.25` | names |
| TensorBoard | `*tfevents*`, needs `pip install 'stepsize[logs]'` | scalars, one run per folder |
| Keras' TensorBoard | the folders `train/` and `validation/` beside each other | joined |
| W&B, offline | `run-….wandb`, or its folder | history |
| MLflow's file store and database | `meta.yaml` beside `metrics/`; SQLite | metrics |

Which column is what is told by the words of its name: `loss`, `nll`, `cost` or `cross entropy`
with a word such as `train` or `val`, and no word of a part (`box`), of a policy (`actor`) or about
a loss (`scale`, `best`). Of several, the one with the most points counts. Parts such as
`train/box_loss`, `train/cls_loss` are summed where there is no whole. Losses of a policy, of a
generator and a discriminator need not fall, and are only asked whether they are finite. A rate is
`lr`, `learning_rate`, …, but not `lr_decay_iters`; of several groups, the highest shows the
schedule, unless it only comes down from above, as those of biases do, to where the others rise.

Positions are those of the column that counts optimizer steps (`global_step`, `step`, `iteration`,
…), else of `epoch`, of samples or of tokens, else, or where all steps are equal, the numbers of the
rows. A counter that begins again with each epoch goes on from epoch to epoch. A table that has one
line per run is refused, with what to export instead. A file that is cut short or damaged is read as
far as it goes. Of a folder's runs, those that can be read are. Notes name what was left out, count
values that are not finite, and say where a step comes again with another value, as in a log that a
second run was appended to.

Nothing is unpickled or evaluated. What could steer a terminal is written out: in `--csv` as
`\\x1b`, into a pipe too, and in `--json` as JSON's own escapes, from which a parser has the name as
it was. Text is UTF-8 or UTF-16; above a table's header, or in its place, there may be `#` comments.

Not read: W&B runs that lie on its server; export those as CSV.
"""

_GENERATED: Final = """
## How often it is right: generated runs

{count} runs of each fault and {count} without one: SGD on a noisy quadratic under right and wrong
schedules, in expectation, with the noise of a batch's loss (`benchmarks/synthetic_runs.py`). They
have 1,000 to 4,000 steps and 400 to 500 logged points; their seeds are others than those with which
the thresholds were chosen. The generator and the rules have one author: the figures say that the
rules do what they claim, not how they will do on your next run.

Recall is the part of the faults that were found; precision is the part of the findings that named a
fault, or what follows from the fault that was put in: a constant rate that makes the loss swing
never decayed either. Of the {count} runs without a fault, {quiet} have no finding.
"""

_TRAINED: Final = """
## How often it is right: small trainings

{count} trainings of a small network on scikit-learn's digits, a fifth of the labels drawn at
random, with AdamW and SGD, from {seeds} seeds each (`benchmarks/faulty_trainings.py`): at a good
rate under three schedules, at 1/30, 1/100, 1/300 and 1,000 times that rate, under the wrong
schedules, and with too wide a network for the data. `rate_too_low` was chosen with such runs in
view; where the loss hardly left its noise, it says nothing. Of the {quiet} runs without a fault,
{silent} have no finding.
"""

_PUBLISHED: Final = """
## How often it is right: published runs

{count} trainings of 25M to 124M Llamas (arXiv 2501.18965 and 2503.12811) whose rates and losses are
known; what is wrong with them follows from the rates: constant to the end (`never_decayed`), a
tenth of the best peak or less (`rate_too_low`), or a loss that ended at 7 (`diverged`). A cooldown
is joined to the constant run that it branched from. `STEPSIZE_CURVES` names the folder with the
data. All figures of this page: `make bench-diagnose`. They are no held-out test: the thresholds of
`rate_too_low`, `plateau_at_high_rate` and `never_decayed` were chosen with these runs in view.

Of the {quiet} runs without a fault, {silent} have no finding. {low} runs at a low rate were missed:
where the rate does not decay for long, or the noise of a batch hides what the decay brought, the
rule says nothing.
"""


_SHAPED: Final = """
## How often it is right: logs as people have them

{count} logs (`benchmarks/log_shapes.py`): healthy ones with heavy-tailed noise, single odd batches,
gaps, a beginning that lies before the log, a fast start, restarts, endless decays, few epochs; and
faulty ones, among them evaluations that are not finite, a slow worsening, 4 to 40 evaluations of an
overfitting, training and validation loss that rise together. Their seeds are others than those with
which the rules were changed. Of the {quiet} healthy logs, {silent} have no finding; {certain} of
the {false} false findings are certain. Of the {faulty} faults {found} were found.
"""

_UNJOINED: Final = """
## How often it is right: published logs as they lie

The {count} logs of arXiv 2501.18965, each alone: {resumed} of them begin where another ended, with
the cooldown. {wrong} of these are called diverged; of all of them, {diverged} is, and it did.
"""


@dataclass(frozen=True)
class Judged:
    """What was said about a run whose faults are known.

    Args:
        said: The names of the findings.
        faults: The names that should be among them.
        allowed: The names that may be.
    """

    said: frozenset[str]
    faults: frozenset[str]
    allowed: frozenset[str] = frozenset()


def main() -> None:
    """Write the page."""
    folder = curves_folder()
    if folder is None:
        sys.exit("benchmarks.diagnose: STEPSIZE_CURVES names no folder with the published curves.")
    made = list(generated(_RUNS, _FIRST_SEED))
    trained = [_judged(run, run.faults) for run in trainings(_SEEDS)]
    good = [each for each in trained if not each.faults]
    known = list(published(folder))
    right = [each for each in known if not each.faults]
    shapes = list(shaped(_SHAPES, _FIRST_SHAPE))
    alone = list(unjoined(folder))
    _PAGE.write_text(
        "\n".join(
            [
                _INTRODUCTION.rstrip("\n"),
                _GENERATED.format(
                    count=_RUNS, quiet=sum(not each.said for each in made if not each.faults)
                ),
                *_table(made),
                _TRAINED.format(
                    count=len(trained),
                    seeds=len(_SEEDS),
                    quiet=len(good),
                    silent=sum(not each.said for each in good),
                ),
                *_table(trained),
                _PUBLISHED.format(
                    count=len(known),
                    quiet=len(right),
                    silent=sum(not each.said for each in right),
                    low=sum("rate_too_low" in each.faults - each.said for each in known),
                ),
                *_table(known),
                _UNJOINED.format(
                    count=len(alone),
                    resumed=sum(resumed for resumed, _ in alone),
                    wrong=sum(resumed and "diverged" in said for resumed, said in alone),
                    diverged=sum("diverged" in said for _, said in alone),
                ).rstrip("\n"),
                _shaped_text(shapes).rstrip("\n"),
                "",
                *sections(),
            ]
        ),
        encoding="utf-8",
    )


def generated(count: int, first_seed: int) -> Iterator[Judged]:
    """The runs of the generator: ``count`` of each fault, and as many without one."""
    for index, fault in enumerate((None, *FAULTS)):
        for seed in range(first_seed, first_seed + count):
            random = np.random.default_rng([seed, index])
            run = healthy_run(random) if fault is None else run_with(fault, random)
            said = findings(run, steps=run.steps)
            yield Judged(frozenset(each.rule for each in said), run.faults, run.allowed)


def published(folder: Path) -> Iterator[Judged]:
    """The published runs: of 124M from their index, of 25M and 100M by their names."""
    with (folder / "lr_scheduling" / "index.csv").open() as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        path = folder / "lr_scheduling" / "csv" / row["file"]
        run = _one(path)
        if row["resume_from"] == "True":
            trunk = next(
                each
                for each in rows
                if each["prefix"].startswith("stable")
                and (each["peak_lr"], each["group"]) == (row["peak_lr"], row["group"])
            )
            run = _joined(_one(path.with_name(trunk["file"])), run, float(row["first_step"]))
        faults = {
            "diverged": float(row["last_val"]) > 5,
            "never_decayed": row["prefix"].startswith("stable"),
            "rate_too_low": float(row["peak_lr"]) <= 1e-4,
        }
        yield _judged(run, frozenset(name for name, is_so in faults.items() if is_so))
    for path in sorted((folder / "multipowerlaw").glob("csv_*/*.csv")):
        constant = path.name.startswith("constant")
        yield _judged(_one(path), frozenset({"never_decayed"} if constant else ()))


def unjoined(folder: Path) -> Iterator[tuple[bool, frozenset[str]]]:
    """Of each published log as it lies: whether it was resumed, and what is said."""
    with (folder / "lr_scheduling" / "index.csv").open() as file:
        for row in csv.DictReader(file):
            run = _one(folder / "lr_scheduling" / "csv" / row["file"])
            said = frozenset(each.rule for each in findings(run))
            yield row["resume_from"] == "True", said


def shaped(count: int, first_seed: int) -> Iterator[tuple[Judged, tuple[str, ...]]]:
    """Logs as people have them, ``count`` of each kind; with the levels of false findings."""
    kinds = [*((make, frozenset[str]()) for make in HEALTHY), *FAULTY.items()]
    for index, (make, faults) in enumerate(kinds):
        for seed in range(first_seed, first_seed + count):
            log = make(np.random.default_rng([seed, index]))
            said = diagnosis(log).findings
            false = tuple(each.level for each in said if not faults)
            yield Judged(frozenset(each.rule for each in said), faults), false


def _shaped_text(shapes: Sequence[tuple[Judged, tuple[str, ...]]]) -> str:
    healthy = [each for each, _ in shapes if not each.faults]
    faulty = [each for each, _ in shapes if each.faults]
    false = [level for _, levels in shapes for level in levels]
    return _SHAPED.format(
        count=len(shapes),
        quiet=len(healthy),
        silent=sum(not each.said for each in healthy),
        false=len(false),
        certain=false.count("certain"),
        faulty=len(faulty),
        found=sum(bool(each.said & each.faults) for each in faulty),
    )


def sections() -> Iterator[str]:
    """The part of the page that describes the rules: its lines."""
    yield "## The rules"
    for rule in RULES:
        yield ""
        yield f"### {rule.name}"
        yield ""
        yield f"{rule.means} {rule.speaks}"
        yield ""
        yield f"Needs {rule.needs}." + _silenced(rule)
        yield ""
        yield f"Source: {rule.source}."
    yield ""


def _silenced(rule: RunRule) -> str:
    if not rule.instead_of:
        return ""
    return f" Stands instead of {', '.join(f'`{each}`' for each in rule.instead_of)}."


def _one(path: Path) -> SyntheticRun:
    [run] = read_logs(path)
    return SyntheticRun(run.quantities, run.metrics)


def _joined(trunk: SyntheticRun, branch: SyntheticRun, at: float) -> SyntheticRun:
    def join(first: Mapping[str, Curve], second: Mapping[str, Curve]) -> dict[str, Curve]:
        return {
            name: (
                np.concatenate([first[name][0][first[name][0] <= at], curve[0]]),
                np.concatenate([first[name][1][first[name][0] <= at], curve[1]]),
            )
            for name, curve in second.items()
        }

    return SyntheticRun(
        join(trunk.quantities, branch.quantities), join(trunk.metrics, branch.metrics)
    )


def _judged(run: SyntheticRun, faults: frozenset[str]) -> Judged:
    return Judged(frozenset(each.rule for each in findings(run)), faults)


def _table(judged: Iterable[Judged]) -> Iterator[str]:
    known = list(judged)
    yield "| finding | runs with the fault | recall | findings | precision |"
    yield "|---|--:|--:|--:|--:|"
    for rule in RULES:
        faulty = [each for each in known if rule.name in each.faults]
        said = [each for each in known if rule.name in each.said]
        right = [each for each in said if rule.name in each.faults | each.allowed]
        found = [each for each in faulty if rule.name in each.said]
        if faulty or said:
            yield (
                f"| [`{rule.name}`](#{rule.name}) | {len(faulty)} | "
                f"{_share(len(found), len(faulty))} | {len(said)} | "
                f"{_share(len(right), len(said))} |"
            )


def _share(part: int, whole: int) -> str:
    return f"{part / whole:.2f}" if whole else ""


if __name__ == "__main__":
    main()
