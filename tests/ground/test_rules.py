"""Rules: one machine for plans and for runs."""

import json
import math
from dataclasses import replace

from stepsize.messages import Message
from stepsize.rules import Finding, Rule, apply_rules

FOUND = Finding(
    Message("The loss rose to {loss:number}.", loss=3.5),
    Message("Lower the rate."),
    start=3,
    end=9,
    numbers={"loss": 3.5},
)


def rule(name: str, found: Finding | None = FOUND, **changes: object) -> Rule[float]:
    plain: Rule[float] = Rule(
        name,
        "It rose.",
        "Where it rises.",
        "a loss",
        "a paper",
        "likely",
        (),
        bool,
        lambda _: found,
    )
    return replace(plain, **changes)  # type: ignore[arg-type]


def test_a_finding_carries_the_name_the_source_and_the_level_of_its_rule() -> None:
    found = rule("diverged")(1.0)
    assert found is not None
    assert (found.rule, found.source, found.level) == ("diverged", "a paper", "likely")
    assert str(found) == "diverged (likely): The loss rose to 3.5. Lower the rate."


def test_a_level_that_a_finding_says_itself_stands() -> None:
    found = rule("diverged", replace(FOUND, level="certain"))(1.0)
    assert found is not None
    assert found.level == "certain"


def test_a_rule_is_silent_where_it_does_not_apply_or_its_numbers_are_not_finite() -> None:
    assert rule("diverged")(0.0) is None
    assert rule("diverged", replace(FOUND, numbers={"loss": math.nan}))(1.0) is None


def test_what_another_finding_explains_is_left_out() -> None:
    rules = [rule("spikes"), rule("diverged", instead_of=("spikes",))]
    assert [found.rule for found in apply_rules(rules, 1.0)] == ["diverged"]
    assert [found.rule for found in apply_rules(rules[:1], 1.0)] == ["spikes"]


def test_a_finding_is_plain_data_for_programs() -> None:
    found = rule("diverged")(1.0)
    assert found is not None
    saved = json.loads(json.dumps(found.to_dict()))
    assert saved["evidence"] == "The loss rose to 3.5."
    assert Message.from_dict(saved["messages"]["evidence"]) == found.evidence
