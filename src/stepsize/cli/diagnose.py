"""``stepsize diagnose``: what was wrong with runs that were logged, and what to change."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Any, Final

import click

from stepsize.cli.following import follow
from stepsize.cli.options import script_options
from stepsize.cli.screen import answer, notice, print_csv, print_json
from stepsize.diagnose import RULES, Diagnosis, diagnosis
from stepsize.errors import StepsizeError
from stepsize.logs import LoggedRun, read_logs
from stepsize.rules import Finding
from stepsize.words import count_text, list_text, position_text

__all__ = ["command"]

_COLUMNS: Final = (
    *("file", "run", "rule", "level", "start", "end"),
    *("evidence", "remedy", "source"),
)
_FOUND: Final = 1
_NOT_EXAMINED: Final = 2
_ABOUT_THE_END: Final[frozenset[str]] = frozenset(
    {"ended_before_cooldown", "never_decayed", "warmup_too_long"}
)
"""What cannot be said of a run that goes on."""
_SHOWN_RUNS: Final = 3


@dataclass(frozen=True)
class _Examined:
    """A run of a log, and its diagnosis."""

    file: str
    run: LoggedRun
    diagnosis: Diagnosis


@dataclass(frozen=True)
class _Wanted:
    """What the command line asks for beside the files."""

    loss: str | None
    validation: str | None
    steps: float | None
    steps_per_epoch: float | None
    ignored: frozenset[str]

    def examine(self, file: str, *, goes_on: bool = False) -> list[_Examined]:
        """The runs of a file with their diagnoses."""
        ignored = self.ignored | _ABOUT_THE_END if goes_on else self.ignored
        return [
            _Examined(file, run, _without(ignored, self._diagnosed(run, goes_on)))
            for run in read_logs(file)
        ]

    def _diagnosed(self, run: LoggedRun, goes_on: bool) -> Diagnosis:
        return diagnosis(
            run,
            loss=self.loss,
            validation=self.validation,
            steps=self.steps,
            steps_per_epoch=self.steps_per_epoch,
            may_go_on=goes_on,
        )


def _without(ignored: frozenset[str], found: Diagnosis) -> Diagnosis:
    kept = tuple(finding for finding in found.findings if finding.rule not in ignored)
    return replace(found, findings=kept)


@click.command("diagnose")
@click.argument("files", metavar="FILE...", nargs=-1, required=True)
@click.option("--loss", metavar="NAME", help="The metric that is the training loss.")
@click.option("--validation", metavar="NAME", help="The metric that is the loss on other data.")
@click.option(
    "--steps",
    metavar="N",
    type=click.FloatRange(min=0, min_open=True),
    help="How many optimizer steps were planned. Default: what the log says, if it does.",
)
@click.option(
    "--steps-per-epoch",
    metavar="N",
    type=click.FloatRange(min=0, min_open=True),
    help="To tell a schedule that counts epochs. Default: from the metric 'epoch', if it is there.",
)
@click.option(
    "--ignore",
    metavar="FINDING",
    type=click.Choice([rule.name for rule in RULES]),
    multiple=True,
    help="A finding that is not to be shown, by its name. May be given again.",
)
@click.option(
    "--follow",
    "followed",
    is_flag=True,
    help="Go on reading a log that grows, and say what is found as soon as it is. Ctrl-C ends it.",
)
@script_options("the findings")
@click.pass_context
def command(
    ctx: click.Context,
    files: tuple[str, ...],
    loss: str | None,
    validation: str | None,
    steps: float | None,
    steps_per_epoch: float | None,
    ignore: tuple[str, ...],
    followed: bool,
    as_json: bool,
    as_csv: bool,
) -> None:
    """Say what was wrong with runs that were logged, and what to change to what.

    A FILE is a run file, a table (CSV and others), JSON, JSON lines, printed text,
    trainer_state.json, a TensorBoard event file, a W&B offline run or MLflow's database; or a
    folder: TensorBoard's, Keras', Lightning's, W&B's, an MLflow file store, or a checkpoint of the
    Trainer.

    The first line says which column was taken for what. The exit code is 0 if nothing was found, 1
    if something was, and 2 if a FILE could not be read or holds no loss to examine; the others are
    shown all the same.

    \b
    Examples:
      stepsize diagnose runs.db
      stepsize diagnose outputs/checkpoint-500 --steps 10000
      stepsize diagnose log.csv --loss score --steps-per-epoch 391 --json
      stepsize diagnose train.log --follow
    """
    wanted = _Wanted(loss, validation, steps, steps_per_epoch, frozenset(ignore))
    if followed:
        file, *others = files
        if others or as_json or as_csv:
            raise click.UsageError("--follow shows one FILE, as text.", ctx)
        ctx.exit(_follow(file, wanted))
    examined: list[_Examined] = []
    unreadable = False
    for file in files:
        try:
            examined += wanted.examine(file)
        except StepsizeError as error:
            unreadable = True
            notice(f"Error: {error}")
    if as_csv:
        print_csv(_COLUMNS, [row for each in examined for row in _rows(each)])
    elif as_json:
        print_json([_record(each) for each in examined])
    else:
        for index, (_, runs) in enumerate(groupby(examined, key=lambda each: each.file)):
            answer(*([""] if index else []), *_lines(list(runs)))
    ctx.exit(_NOT_EXAMINED if unreadable else _exit_code(examined))


def _exit_code(examined: Sequence[_Examined]) -> int:
    if any(each.diagnosis.findings for each in examined):
        return _FOUND
    return 0 if all(each.diagnosis.is_clean for each in examined) else _NOT_EXAMINED


# ------------------------------------------------------------------ text


def _lines(runs: Sequence[_Examined]) -> Iterator[str]:
    """The runs of one file."""
    first = runs[0]
    named = "" if len(runs) > 1 or first.run.name in first.file else f", run {first.run.name!r}"
    counted = f", {count_text(len(runs), 'run')}" if len(runs) > 1 else ""
    yield f"{first.file}{named} ({first.run.form}{counted})"
    for told, same in groupby(runs, key=lambda each: str(each.diagnosis.taken.told)):
        yield f"{_whose(list(same), runs)}{told}"
    for each in runs:
        for note in each.run.notes:
            yield f"Note: {_whose([each], runs)}{note}"
    silent = [each for each in runs if not each.diagnosis.findings]
    for said, same in groupby(silent, key=lambda each: str(each.diagnosis.summary)):
        yield f"{_whose(list(same), runs)}{said}"
    for rule in RULES:
        found = [
            (each, finding)
            for each in runs
            for finding in each.diagnosis.findings
            if finding.rule == rule.name
        ]
        if found:
            yield ""
            yield from _paragraph(found, runs)


def _whose(some: Sequence[_Examined], runs: Sequence[_Examined]) -> str:
    """The names of the runs that a line is about, unless it is about all."""
    if len(some) == len(runs):
        return ""
    return f"{_names([each.run.name for each in some])}: "


def _names(names: Sequence[str]) -> str:
    shown = [repr(name) for name in names[:_SHOWN_RUNS]]
    left = len(names) - len(shown)
    return list_text([*shown, f"{left:,} more"] if left else shown)


def _paragraph(
    found: Sequence[tuple[_Examined, Finding]], runs: Sequence[_Examined]
) -> Iterator[str]:
    """One finding, on one run of the file or on several."""
    run, first = found[0]
    if len(runs) == 1:
        yield f"{first.rule} ({first.level}), {_stretch(run, first)}"
        yield f"  {first.evidence}"
    else:
        names = _names([each.run.name for each, _ in found])
        yield f"{first.rule} ({_levels(found)}), in {len(found)} of {len(runs)} runs: {names}"
        for each, finding in found[:_SHOWN_RUNS]:
            yield f"  {each.run.name!r}, {_stretch(each, finding)}: {finding.evidence}"
    yield f"  {first.remedy}"
    yield f"  Source: {first.source}."


def _levels(found: Sequence[tuple[_Examined, Finding]]) -> str:
    return list_text(dict.fromkeys(finding.level for _, finding in found), "or")


def _stretch(examined: _Examined, finding: Finding) -> str:
    unit = examined.diagnosis.taken.unit
    return f"{unit} {position_text(finding.start)} to {position_text(finding.end)}"


# ------------------------------------------------------------------ while a log grows


def _follow(file: str, wanted: _Wanted) -> int:
    seen: list[_Examined] = []
    said: set[str] = set()

    def look() -> None:
        runs = wanted.examine(file, goes_on=True)
        new = [line for line in _lines(runs) if line and line not in said]
        # A finding's numbers change with every point: it is told once per run and level.
        if _findings_of(runs) != _findings_of(seen) or not seen:
            answer(*new)
        said.update(new)
        seen[:] = runs

    follow(file, look)
    return _exit_code(seen)


def _findings_of(runs: Sequence[_Examined]) -> set[tuple[str, str, str]]:
    return {
        (each.run.name, finding.rule, finding.level)
        for each in runs
        for finding in each.diagnosis.findings
    }


# ------------------------------------------------------------------ for scripts


def _record(examined: _Examined) -> dict[str, Any]:
    run = examined.run
    return {
        "file": examined.file,
        "run": run.name,
        "form": run.form,
        "notes": [str(note) for note in run.notes],
        **examined.diagnosis.to_dict(),
    }


def _rows(examined: _Examined) -> Iterator[list[Any]]:
    for finding in examined.diagnosis.findings:
        known = finding.to_dict() | {"file": examined.file, "run": examined.run.name}
        yield [known[column] for column in _COLUMNS]
