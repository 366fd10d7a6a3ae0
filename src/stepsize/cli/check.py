"""``stepsize check``: what is wrong with a schedule, before a step is spent."""

from collections.abc import Iterator
from typing import Any, Final

import click

from stepsize.cli.options import base_option, script_options, specs_argument
from stepsize.cli.screen import answer, print_csv, print_json
from stepsize.cli.spec import Spec, given_horizon
from stepsize.lint import RULES, USUAL_RATES, review
from stepsize.rules import Finding
from stepsize.words import position_text

__all__ = ["command"]

_COLUMNS: Final = (
    "name",
    "schedule",
    "rule",
    "level",
    "start",
    "end",
    "evidence",
    "remedy",
    "source",
)
_FOUND: Final = 1


@click.command("check")
@specs_argument
@click.option(
    "--steps",
    metavar="N",
    type=click.IntRange(1, 2**53),
    required=True,
    is_eager=True,
    help="Length of the run in optimizer steps, also for durations in a SPEC such as 0.1dur.",
)
@click.option(
    "--optimizer",
    type=click.Choice(list(USUAL_RATES), case_sensitive=False),
    help="With --base: is the peak a usual rate for it? If it is of Adam's kind: is there a "
    "warmup?",
)
@base_option
@click.option(
    "--ignore",
    metavar="RULE",
    type=click.Choice([rule.name for rule in RULES]),
    multiple=True,
    help="A rule that is not to speak, by the name in its finding. May be given again.",
)
@script_options("the findings")
@click.pass_context
def command(
    ctx: click.Context,
    specs: tuple[Spec, ...],
    steps: int,
    optimizer: str | None,
    base: float | None,
    ignore: tuple[str, ...],
    as_json: bool,
    as_csv: bool,
) -> None:
    """Find what is wrong with a schedule for a run of N steps.

    A mistake wastes updates, a doubt is right only if it is meant, a hint works but measured
    alternatives do better. --steps-per-epoch also finds curves that count epochs.

    The exit code is 0 if nothing was found, 1 if something was, and 2 if the schedules could not
    be read.

    \b
    Examples:
      stepsize check "Warmup(500) >> Cosine(9500)" --steps 8000
      stepsize check "Step(30, 0.1)" --steps 90000 --steps-per-epoch 1000
      stepsize check "linear_to_zero(10000)" --steps 10000 --optimizer adamw --base 3e-4
    """
    horizon = given_horizon(ctx)
    reviewed = [
        (spec, [each for each in found if each.rule not in ignore])
        for spec in specs
        for found in [
            review(
                spec.given,
                steps,
                steps_per_epoch=horizon.steps_per_epoch,
                optimizer=optimizer,
                base=spec.imported.base if base is None and spec.imported else base,
            )
        ]
    ]
    if as_csv:
        print_csv(_COLUMNS, [_row(spec, each) for spec, found in reviewed for each in found])
    elif as_json:
        print_json([_record(spec, found) for spec, found in reviewed])
    else:
        for index, (spec, found) in enumerate(reviewed):
            answer(*([""] if index else []), *_lines(spec, found))
    if any(found for _, found in reviewed):
        ctx.exit(_FOUND)


def _lines(spec: Spec, findings: list[Finding]) -> Iterator[str]:
    yield f"{spec.name}: {spec.given.text}" if spec.named else spec.given.text
    if not findings:
        yield "Nothing was found."
    for each in findings:
        stretch = f"step {position_text(each.start)} to {position_text(each.end)}"
        yield ""
        yield f"{each.level}: {each.rule}, {stretch}"
        yield f"  {each.evidence}"
        yield f"  {each.remedy}"
        yield f"  Source: {each.source}."


def _record(spec: Spec, findings: list[Finding]) -> dict[str, Any]:
    return {
        "name": spec.name,
        "schedule": spec.given.text,
        "findings": [each.to_dict() for each in findings],
    }


def _row(spec: Spec, finding: Finding) -> list[Any]:
    known = finding.to_dict() | {"name": spec.name, "schedule": spec.given.text}
    return [known[column] for column in _COLUMNS]
