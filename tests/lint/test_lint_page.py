"""docs/en/lint.md says what the rules say."""

import runpy
from pathlib import Path

DOCS = Path(__file__).parents[2] / "docs"


def test_the_page_is_up_to_date() -> None:
    written = (DOCS / "en" / "lint.md").read_text(encoding="utf-8")
    assert written == runpy.run_path(str(DOCS / "write_lint.py"))["page"](), (
        "write it again: python docs/write_lint.py"
    )
