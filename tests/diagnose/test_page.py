"""docs/en/diagnose.md says what the rules say."""

from pathlib import Path

from benchmarks.diagnose import sections
from stepsize.diagnose import RULES

PAGES = Path(__file__).parents[2] / "docs" / "en"


def test_the_page_is_up_to_date() -> None:
    page = (PAGES / "diagnose.md").read_text(encoding="utf-8")
    assert page.endswith("\n".join(sections())), "write it again: make bench-diagnose"


def test_the_questions_name_every_rule_that_answers_one() -> None:
    page = (PAGES / "questions.md").read_text(encoding="utf-8")
    assert [rule.name for rule in RULES if rule.name not in page] == []
