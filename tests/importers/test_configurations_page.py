"""docs/en/configurations.md says what the formats and their tests say."""

import runpy
from pathlib import Path

from tests.importers.real_keys import REAL_KEYS
from tests.importers.test_published_formulas import CASES

DOCS = Path(__file__).parents[2] / "docs"


def test_the_page_is_up_to_date() -> None:
    written = (DOCS / "en" / "configurations.md").read_text(encoding="utf-8")
    assert written == runpy.run_path(str(DOCS / "write_configurations.py"))["page"](), (
        "write it again: python docs/write_configurations.py"
    )


def test_every_format_with_a_case_has_its_tools_own_keys() -> None:
    assert REAL_KEYS.keys() == {case.tool for case in CASES}
