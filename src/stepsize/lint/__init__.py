"""Lint: rules that look at a schedule and the run it is meant for, before a step is spent.

_rule      what a rule is, with an example on either side     _run       what a rule sees of the run
_starts, _ends, _shape, _rates   the rules                    _usual     peak rates that are usual
_review    all rules, applied
"""

from stepsize.lint._review import RULES, review
from stepsize.lint._rule import LEVELS, Example, Level, PlanRule, rule
from stepsize.lint._usual import USUAL_RATES, UsualRates, usual_rates
from stepsize.renames import renamed

__all__ = [
    "LEVELS",
    "RULES",
    "USUAL_RATES",
    "Example",
    "Level",
    "PlanRule",
    "UsualRates",
    "review",
    "rule",
    "usual_rates",
]


def __getattr__(name: str) -> object:
    raise renamed(
        __name__,
        name,
        {
            "Remark": "stepsize.rules.Finding",
            "Finding": "stepsize.rules.Finding",
            "Rule": "stepsize.lint.PlanRule",
            "Severity": "stepsize.lint.Level",
        },
    )
