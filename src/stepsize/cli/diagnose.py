"""``stepsize diagnose``: what was wrong with runs that were logged, and what to change."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

import click

from stepsize.cli.options import script_options
from stepsize.cli.screen import answer, notice, print_csv, print_json
from stepsize.diagnose import RULES, Finding, findings
from stepsize.errors import StepsizeError
from stepsize.logs import LoggedRun, read_logs
from stepsize.words import position_text

__all__ = ["command"]

_COLUMNS: Final = (
    *("file", "run", "finding", "sure", "start", "end"),
    *("evidence", "change", "source"),
)
_FOUND: Final = 1
_UNREADABLE: Final = 2


@dataclass(frozen=True)
class _Diagnosis:
    """A run of a log, and what was found in it."""

    file: str
    run: LoggedRun
    findings: Sequence[Finding]


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
    as_json: bool,
    as_csv: bool,
) -> None:
    """Say what was wrong with runs that were logged, and what to change to what.

    A FILE is a run file, CSV, JSON lines, JSON, trainer_state.json, a TensorBoard event file or a
    W&B offline run; or a folder: TensorBoard's, Lightning's, W&B's, an MLflow file store, or a
    checkpoint of the Trainer.

    The exit code is 0 if nothing was found, 1 if something was, and 2 if a FILE could not be read;
    the others are shown all the same.

    \b
    Examples:
      stepsize diagnose runs.db
      stepsize diagnose outputs/checkpoint-500 --steps 10000
      stepsize diagnose log.csv --loss train_nll --steps-per-epoch 391 --json
    """
    diagnoses: list[_Diagnosis] = []
    unreadable = False
    for file in files:
        try:
            for run in read_logs(file):
                found = findings(
                    run,
                    loss=loss,
                    validation=validation,
                    steps=steps,
                    steps_per_epoch=steps_per_epoch,
                )
                kept = [finding for finding in found if finding.name not in ignore]
                diagnoses.append(_Diagnosis(file, run, kept))
        except StepsizeError as error:
            unreadable = True
            notice(f"Error: {error}")
    if as_csv:
        print_csv(_COLUMNS, [row for each in diagnoses for row in _rows(each)])
    elif as_json:
        print_json([_record(each) for each in diagnoses])
    else:
        for index, diagnosis in enumerate(diagnoses):
            answer(*([""] if index else []), *_lines(diagnosis))
    if unreadable:
        ctx.exit(_UNREADABLE)
    if any(each.findings for each in diagnoses):
        ctx.exit(_FOUND)


def _lines(diagnosis: _Diagnosis) -> Iterator[str]:
    run = diagnosis.run
    named = "" if run.name in diagnosis.file else f", run {run.name!r}"
    yield f"{diagnosis.file}{named} ({run.form})"
    for note in run.notes:
        yield f"Note: {note}"
    if not diagnosis.findings:
        yield "Nothing was found." if run.quantities else "Nothing was found. No rate was logged."
    for finding in diagnosis.findings:
        stretch = f"step {position_text(finding.start)} to {position_text(finding.end)}"
        yield ""
        yield f"{finding.name} ({finding.sure}), {stretch}"
        yield f"  {finding.evidence}"
        yield f"  {finding.change}"
        yield f"  Source: {finding.source}."


def _record(diagnosis: _Diagnosis) -> dict[str, Any]:
    run = diagnosis.run
    return {
        "file": diagnosis.file,
        "run": run.name,
        "form": run.form,
        "notes": [str(note) for note in run.notes],
        "findings": [asdict(finding) for finding in diagnosis.findings],
    }


def _rows(diagnosis: _Diagnosis) -> Iterator[list[Any]]:
    for finding in diagnosis.findings:
        known = asdict(finding) | {
            "file": diagnosis.file,
            "run": diagnosis.run.name,
            "finding": finding.name,
        }
        yield [known[column] for column in _COLUMNS]
