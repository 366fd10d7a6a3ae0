"""Write docs/en/lint.md from the rules: ``python docs/write_lint.py``. A test compares them."""

from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

from stepsize import parse
from stepsize.lint import LEVELS, RULES, USUAL_RATES, Example, PlanRule, review
from stepsize.rules import Finding
from stepsize.words import number_text

PAGE = Path(__file__).parent / "en" / "lint.md"

INTRODUCTION = """\
# Lint: what speaks against a schedule, before a step is spent

```sh
stepsize check "Warmup(500) >> Cosine(9500)" --steps 8000
stepsize check "Step(30, 0.1)" --steps 90000 --steps-per-epoch 1000
stepsize check "linear_to_zero(10000)" --steps 10000 --optimizer adamw --base 3e-4
```

The exit code is 0 if nothing was found, 1 if something was, and 2 if a schedule could not be
read. `--ignore RULE` silences a rule, `--json` and `--csv` are for scripts. In Python:

```python
from stepsize import Cosine, Warmup
from stepsize.lint import review

found = review(Warmup(500) >> Cosine(9_500), steps=8_000, optimizer="adamw", base=3e-4)
assert [finding.rule for finding in found] == ["first_update_at_zero", "outlasts_run"]
```

`stepsize.torch.attach` asks the same rules about schedules of `lr`, with the optimizer's own name
and base rates, and warns with `ScheduleWarning` about mistakes and doubts. Rules that need the
length of the run speak only if they are told it: `attach(optimizer, schedule, steps=10_000)`. To
silence one: `warnings.filterwarnings("ignore", message=".*rises_again", category=ScheduleWarning)`.

Every finding has a level:

{levels}

`attach` leaves hints out. A rule says nothing where it lacks what it needs, and silence does not
prove a plan good.

This page is written by `python docs/write_lint.py`, and a test keeps it up to date.
"""

NO_RULES = """\
## Advice without a rule

Articles give it in words. Where numbers support it, a rule above holds them.

- **"Adam needs a gentler decay than SGD."** What is measured is that AdamW does better with a decay
  over 20 % to 60 % of the run than over 10 %: `steep_decay`, which holds for every optimizer, since
  the convex bound says the same of SGD. We do not know of a
  comparison of the two under equal decays.
- **"Larger models need a slower decay."** The published laws of a 25M and a 100M model
  (arXiv 2503.12811) have nearly equal exponents, and two sizes make no trend. No rule.
- **"Transformers need warmup."** A schedule does not say what model it trains. The length
  2 / (1 - β₂) is derived for Adam (arXiv 1910.04209), so `no_warmup` is a hint, given only if the
  optimizer is named and of Adam's kind. That smaller models need none is said without numbers.
- **"Divide the rate by 10 or 100 when a run diverges."** That is an answer to a measurement: see
  `stepsize diagnose`.
"""


def page() -> str:
    """The whole page."""
    return "\n".join(_lines())


def _lines() -> Iterator[str]:
    levels = "\n".join(f"- **{level}**: {meaning}" for level, meaning in LEVELS.items())
    yield INTRODUCTION.format(levels=levels)
    yield "## The rules\n"
    yield "| rule | | speaks when |"
    yield "|---|---|---|"
    for rule in RULES:
        yield f"| [`{rule.name}`](#{rule.name}) | {rule.level} | {rule.speaks} |"
    for rule in RULES:
        yield ""
        yield from _section(rule)
    yield ""
    yield "## Usual peak rates\n"
    yield "From the lowest to the highest peak rate that well-known work gave an optimizer. `sgd`"
    yield "is with or without momentum: one of μ, undamped, makes a rate count 1 / (1 - μ) times.\n"
    yield "| optimizer | lowest | | highest | |"
    yield "|---|---|---|---|---|"
    for name, usual in USUAL_RATES.items():
        (low, low_source), (high, high_source) = usual.lowest, usual.highest
        yield (
            f"| {name} | {number_text(low)} | {low_source} | {number_text(high)} | {high_source} |"
        )
    yield ""
    yield NO_RULES.rstrip("\n")
    yield ""


def _section(rule: PlanRule) -> Iterator[str]:
    finding = _finding(rule)
    yield f"### {rule.name}\n"
    yield f"A {rule.level}. {rule.speaks}\n"
    yield "```console"
    yield f"$ {_command(rule.faulty)}"
    yield f"{finding.level}: {finding.rule}"
    yield f"  {finding.evidence}"
    yield f"  {finding.remedy}"
    yield "```\n"
    yield f"Just not: `{_command(rule.sound)}`\n"
    if not rule.needs_length:
        yield "It speaks also where the length of the run is unknown.\n"
    numbers = ", ".join(f"`{name}`" for name in finding.numbers)
    yield f"Numbers: {numbers}. Source: {rule.source}."


def _finding(rule: PlanRule) -> Finding:
    [finding] = [each for each in _review(rule.faulty) if each.rule == rule.name]
    return finding


def _review(example: Example) -> tuple[Finding, ...]:
    return review(
        parse(example.schedule),
        example.steps,
        steps_per_epoch=example.steps_per_epoch,
        optimizer=example.optimizer,
        base=example.base,
    )


def _command(example: Example) -> str:
    options = [
        f"--{field.name.replace('_', '-')} {getattr(example, field.name)}"
        for field in fields(example)
        if field.name != "schedule" and getattr(example, field.name) is not None
    ]
    return " ".join(["stepsize check", f'"{example.schedule}"', *options])


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
